package load

import (
	"time"

	"weir/internal/config"
	"weir/internal/content"
)

// A Profile is a load to put on a topic: what a profile file holds. Parse reads one.
type Profile struct {
	APIVersion string          `yaml:"apiVersion" jsonschema:"required,enum=weir/v1"`
	Kind       string          `yaml:"kind" jsonschema:"required,enum=LoadProfile"`
	Name       string          `yaml:"name" jsonschema:"required,description=Name of the profile; it stands in reports"`
	Seed       uint64          `yaml:"seed,omitempty" jsonschema:"description=Same seed: same records. Default 1"`
	Warmup     config.Duration `yaml:"warmup,omitempty" jsonschema:"description=The first part of the schedule: sent and verified but not timed. Default 0s"`

	Rate   Rate   `yaml:"rate" jsonschema:"required,description=When messages are due; or the word max: as fast as acknowledgements allow"`
	Volume Volume `yaml:"volume,omitempty" jsonschema:"description=Bounds of the run; the first one reached ends it"`
	// MaxInFlight bounds the memory: messages sent and not yet acknowledged. Beyond it OnSaturation decides.
	MaxInFlight  config.Count `yaml:"max_in_flight,omitempty" jsonschema:"description=Messages sent and not yet acknowledged. Default 100k"`
	OnSaturation string       `yaml:"on_saturation,omitempty" jsonschema:"enum=lag,enum=drop,description=What becomes of a message that is due while max_in_flight are on their way: sent late, or not at all and counted. Default lag"`

	Part  `yaml:",inline"`
	Mix   []MixPart               `yaml:"mix,omitempty" jsonschema:"description=Several topics at once, in place of topic, value, key and size"`
	Pools map[string]content.Pool `yaml:"pools,omitempty" jsonschema:"description=Entities that fields of several topics share, by name"`

	Producer   Producer    `yaml:"producer,omitempty" jsonschema:"description=Settings of the Kafka producer, named as Kafka names them"`
	Verify     Verify      `yaml:"verify,omitempty" jsonschema:"description=How the proof is made"`
	Thresholds []Threshold `yaml:"thresholds,omitempty" jsonschema:"description=Limits that decide the verdict"`
	Hooks      []Hook      `yaml:"hooks,omitempty" jsonschema:"description=Commands that run at a time of the schedule"`

	Extends string `yaml:"extends,omitempty" jsonschema:"description=Name of a shipped profile or a file beside this one: what is not said here is as there. Sections are merged and lists replaced; a key without a value takes away what is there"`
	Cluster string `yaml:"cluster,omitempty" jsonschema:"description=Name of a connection under clusters in weir.yaml. Default its kafka and registry"`

	dir    string // of the file: paths in it are relative to it
	source string // its text
	window int    // messages on their way, where nothing says so and acknowledgements decide; 0: not known yet
	read   reading
}

// Volume bounds a run.
type Volume struct {
	Messages config.Count    `yaml:"messages,omitempty" jsonschema:"description=As 50M"`
	Bytes    config.Size     `yaml:"bytes,omitempty" jsonschema:"description=Bytes of values, as 10GiB"`
	Duration config.Duration `yaml:"duration,omitempty" jsonschema:"description=Time of the schedule, as 10m"`

	Until Until `yaml:"until,omitempty" jsonschema:"description=Ends the run when the table holds so many rows"`
}

// Until ends a run by what has arrived.
type Until struct {
	Rows  config.Count    `yaml:"rows,omitempty" jsonschema:"description=As 10M: rows of the table, whoever wrote them"`
	Every config.Duration `yaml:"every,omitempty" jsonschema:"description=How often the table is asked. Default 2s"`
}

// Producer holds the settings of the Kafka producer.
type Producer struct {
	Acks        text             `yaml:"acks,omitempty" jsonschema:"description=all or 1 or 0. Default all"`
	Idempotent  *bool            `yaml:"idempotent,omitempty" jsonschema:"description=Default true with acks all"`
	Compression string           `yaml:"compression,omitempty" jsonschema:"enum=none,enum=gzip,enum=snappy,enum=lz4,enum=zstd,description=Default none"`
	Linger      *config.Duration `yaml:"linger,omitempty" jsonschema:"description=Default 5ms"`
	Batch       config.Size      `yaml:"batch,omitempty" jsonschema:"description=Largest batch of a partition. Default 256KiB"`
	// Timeout is Kafka's delivery.timeout.ms: after it a message that cannot be delivered counts as an error.
	Timeout     config.Duration `yaml:"delivery_timeout,omitempty" jsonschema:"description=After it an undelivered message counts as an error. Default 2m"`
	Transaction TransactionSpec `yaml:"transaction,omitempty" jsonschema:"description=Messages are sent in transactions"`
}

// Verify says how the proof is made.
type Verify struct {
	Identity    string      `yaml:"identity,omitempty" jsonschema:"enum=header,enum=none,description=Where each message carries which one it is. Default header; none leaves it out: nothing can be proven then and brokers have less to read"`
	Destination Destination `yaml:"destination,omitempty"`
	Consumer    Consumer    `yaml:"consumer,omitempty" jsonschema:"description=Reads the messages back while the run goes on"`
}

// Destination is the table that must hold what was sent.
type Destination struct {
	Table   string          `yaml:"table,omitempty" jsonschema:"description=Default: the topic's name"`
	Timeout config.Duration `yaml:"drain_timeout,omitempty" jsonschema:"description=How long verify waits for the last rows. Default 0s"`
	Engine  string          `yaml:"engine,omitempty" jsonschema:"enum=duckdb,description=What reads the table. Default duckdb: inside loadgen"`
}

// Defaults of what a profile leaves out.
const (
	defaultSeed       = 1
	defaultInFlight   = 100_000
	defaultPartitions = 6
	defaultLinger     = 5 * time.Millisecond
	defaultBatch      = 256 << 10
	defaultDelivery   = 2 * time.Minute
)

// Table is where the run's rows must arrive; of a mix, those of its first part.
func (p *Profile) Table() string { return p.table(&p.parts()[0].Part) }

// Drain is how long the proof waits for the last rows.
func (p *Profile) Drain() time.Duration { return time.Duration(p.Verify.Destination.Timeout) }

// fit makes the window of a run as fast as acknowledgements allow as large as it must be: some batches of each partition. What is on
// its way beyond waits in the client only, and costs: its bytes have left the processor's caches when they are sent.
func (p *Profile) fit(mean int) {
	if !p.Rate.Max || p.MaxInFlight > 0 {
		return
	}
	partitions := 0
	for _, m := range p.parts() {
		partitions += m.Topic.partitions()
	}
	p.window = min(max(min(4*partitions*p.batch(), mostWindow)/mean, 1000), defaultInFlight)
}

// mostWindow bounds the bytes of that window.
const mostWindow = 16 << 20

func (p *Profile) seed() uint64 {
	if p.Seed == 0 {
		return defaultSeed
	}
	return p.Seed
}

func (p *Profile) inFlight() int {
	if p.Rate.Closed != nil {
		return int(p.Rate.Closed.InFlight)
	}
	if p.MaxInFlight == 0 {
		if p.window > 0 {
			return p.window
		}
		return defaultInFlight
	}
	return int(p.MaxInFlight)
}
