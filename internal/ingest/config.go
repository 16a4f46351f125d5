// Package ingest streams Avro messages from a Kafka topic into an Iceberg table, exactly once.
//
// [New] makes a minibatch job of a [Config] and its connections; run it with minibatch.Run.
//
// # Promises
//
// Each record between the topic's start position and the cursor in the table is there once: as a row of the table, or with
// its bytes, its position and the reason in the quarantine table. Positions come from the table, never from a consumer group;
// the group's offsets are committed afterwards, for lag tools. A record that cannot be decoded never stops the job and is
// never dropped; past a limit the job stops and commits nothing of the flood. A new schema's columns come to the table in the commit of the first rows
// that have them; what no table can take stops the job with its name. While the registry is away, schemas that are
// known go on and others wait. An upsert job keeps the last record of each key instead, and leaves the older ones out.
package ingest

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"weir/internal/config"
	"weir/internal/lake"
	"weir/internal/storage"
	"weir/internal/topic"
	"weir/minibatch"
)

// Config is the `ingest` section of a job file.
type Config struct {
	Topic        string          `yaml:"topic" jsonschema:"required,description=Kafka topic to read"`
	Table        string          `yaml:"table" jsonschema:"required,description=destination table with its namespace: bank.transactions"`
	Start        string          `yaml:"start" jsonschema:"required,description=where to begin when the table has no cursor yet: earliest or latest or a time such as 2026-11-20T00:00:00Z (the first message of that time or later)"`
	Format       Format          `yaml:",inline"`
	Partition    []string        `yaml:"partition,omitempty" jsonschema:"description=how a new table is partitioned: columns and year(c) month(c) day(c) hour(c) bucket(16, c) truncate(8, c)"`
	Sort         []string        `yaml:"sort,omitempty" jsonschema:"description=order of the rows within each file of a new table: [account_id, booked_at desc]"`
	Write        string          `yaml:"write,omitempty" jsonschema:"enum=append,enum=upsert,description=keep every message as a row (append, the default), or the last one of each key (upsert)"`
	Key          []string        `yaml:"key,omitempty" jsonschema:"description=columns of the value that tell rows apart; with write: upsert"`
	Commit       Commit          `yaml:"commit,omitempty" jsonschema:"description=what closes a batch: whichever comes first"`
	Quarantine   Quarantine      `yaml:"quarantine,omitempty" jsonschema:"description=how much may be refused in one run before the job stops"`
	NewSchema    string          `yaml:"new_schema,omitempty" jsonschema:"enum=evolve,enum=quarantine,enum=stop,description=what to do with messages whose schema has columns that the table lacks or wider types: give the table the columns in the commit of the first rows (evolve, the default), refuse the messages (quarantine), or stop"`
	Types        Types           `yaml:",inline"`
	RegistryWait config.Duration `yaml:"registry_wait,omitempty" jsonschema:"description=how long a batch waits for a registry that does not answer (default 5m)"`
	LoadColumns  *bool           `yaml:"load_columns,omitempty" jsonschema:"description=keep the identity that loadgen gives each message as column _load (default true)"`
	Workers      int             `yaml:"workers,omitempty" jsonschema:"description=parts of a batch that are decoded and written side by side (default 2)"`
	Processes    Processes       `yaml:"processes,omitempty" jsonschema:"description=read the topic with worker processes on this host: as many as the load needs (default: in the process of the run)"`
	Memory       config.Size     `yaml:"memory,omitempty" jsonschema:"description=bytes of messages that are read ahead of the batch in work; at that much the partitions wait (default 64MiB)"`
	Raw          Raw             `yaml:"raw,omitempty" jsonschema:"description=keep each message as it came in files too (replays and audits); see docs/raw-landing-zone.md"`
	Limit        Limit           `yaml:"limit,omitempty" jsonschema:"description=the most that one process reads"`
	Maintain     Maintain        `yaml:"maintain,omitempty" jsonschema:"description=how the job's tables are looked after while it runs: small files and old snapshots and what dead batches left (on without a word)"`
}

// Choices of new_schema.
const (
	evolve      = "evolve"
	quarantined = "quarantine"
	stop        = "stop"
)

const upsert = "upsert" // of write

// Processes bound the worker processes of the job.
type Processes struct {
	Min  int             `yaml:"min,omitempty" jsonschema:"description=at least so many (default 1)"`
	Max  int             `yaml:"max" jsonschema:"description=at most so many"`
	Keep config.Duration `yaml:"keep,omitempty" jsonschema:"description=workers stay for so long after they were last wanted (default 10m)"`
}

// Limit throttles a process of the job.
type Limit struct {
	RowsPerSecond config.Count `yaml:"rows_per_second,omitempty" jsonschema:"description=records per second, such as 20k (default: no limit)"`
}

// Commit closes a batch.
type Commit struct {
	Rows  config.Count    `yaml:"rows,omitempty" jsonschema:"description=rows, such as 200k (default 200k)"`
	Bytes config.Size     `yaml:"bytes,omitempty" jsonschema:"description=bytes of messages, such as 256MiB (default 256MiB)"`
	Age   config.Duration `yaml:"age,omitempty" jsonschema:"description=age of the oldest row that is not committed (default 10s)"`
}

// Quarantine limits what may be refused.
type Quarantine struct {
	MaxRows  config.Count   `yaml:"max_rows,omitempty" jsonschema:"description=refused rows per run (default 10k)"`
	MaxShare config.Percent `yaml:"max_share,omitempty" jsonschema:"description=share of all rows (default 1%)"`
}

var tableName = regexp.MustCompile(`^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)+$`)

// Validate names every field that is missing or wrong.
func (c Config) Validate() []config.Invalid {
	var bad []config.Invalid
	say := func(path, format string, args ...any) {
		bad = append(bad, config.Invalid{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	if c.Topic == "" {
		say("topic", "expected the name of a Kafka topic")
	}
	if !tableName.MatchString(c.Table) {
		say("table", "expected a name with its namespace in lower case, such as bank.transactions, got %q", c.Table)
	}
	if _, _, err := topic.StartTime(c.Start); err != nil {
		say("start", "%v", err)
	}
	if c.NewSchema != "" && c.NewSchema != evolve && c.NewSchema != quarantined && c.NewSchema != stop {
		say("new_schema", "expected evolve, quarantine or stop (what to do with messages whose schema does not fit the table), got %q", c.NewSchema)
	}
	for _, err := range lake.ReadLayout(c.layout()) {
		if l := (*lake.LayoutError)(nil); errors.As(err, &l) {
			say(l.Path, "%s", l.Message)
		}
	}
	c.Format.validate(say)
	c.Types.validate(say)
	switch {
	case c.Write != "" && c.Write != "append" && c.Write != upsert:
		say("write", "expected append or upsert (keep every message, or the last one of each key), got %q", c.Write)
	case c.Write == upsert && len(c.Key) == 0:
		say("write", "upsert needs the columns that tell rows apart: `key: [account_id]`")
	case c.Write != upsert && len(c.Key) > 0:
		say("key", "a key does nothing without `write: upsert`")
	case c.Write == upsert && c.Workers > 1:
		say("workers", "an upsert job has one worker: the last record of a key is known when the whole batch has been read")
	case c.Write == upsert && c.Processes != (Processes{}):
		say("processes", "an upsert job runs in one process: the last record of a key is known when the whole batch has been read")
	}
	if c.Commit.Rows < 0 || c.Commit.Bytes < 0 || c.Commit.Age < 0 {
		say("commit", "expected positive limits")
	}
	if c.Commit.Age != 0 && time.Duration(c.Commit.Age) < 100*time.Millisecond {
		say("commit.age", "expected at least 100ms: each commit is a new version of the table's metadata")
	}
	if c.Memory < 0 {
		say("memory", "expected a positive size such as 300MiB")
	}
	if c.Limit.RowsPerSecond < 0 {
		say("limit.rows_per_second", "expected a positive number of records per second")
	}
	if p := c.Processes; p != (Processes{}) {
		if p.Max < 1 || p.Max > 64 || p.Min < 0 || p.Min > p.Max {
			say("processes", "expected {min: 1, max: 8}, from 1 to 64, with min no more than max")
		}
		if p.Keep < 0 {
			say("processes.keep", "expected a positive time")
		}
	}
	c.Maintain.validate(say, c.longest())
	if err := storage.Check(c.Raw.Location); c.Raw.Location != "" && err != nil {
		say("raw.location", "%v", err)
	}
	if c.Workers < 0 || c.Workers > 64 {
		say("workers", "expected 1 to 64, got %d", c.Workers)
	}
	return bad
}

func (c Config) layout() lake.Options {
	return lake.Options{Partition: c.Partition, Sort: c.Sort, Key: c.Key}
}

// longest is how long a batch may be in work, with its files not yet in the table: its age, or what a limit makes of its rows.
func (c Config) longest() time.Duration {
	d := time.Duration(c.Commit.Age)
	if c.Limit.RowsPerSecond > 0 {
		rows := int64(c.Commit.Rows)
		if rows == 0 {
			rows = minibatch.DefaultRows
		}
		d = max(d, time.Duration(rows/int64(c.Limit.RowsPerSecond))*time.Second)
	}
	return d
}

func (c Config) loadColumns() bool { return c.LoadColumns == nil || *c.LoadColumns }

func (c Config) registryWait() time.Duration {
	if c.RegistryWait > 0 {
		return time.Duration(c.RegistryWait)
	}
	return 5 * time.Minute
}
