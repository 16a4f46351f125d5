package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"weir/internal/cli"
	"weir/internal/content"
)

// A Manifest is the durable record of a run: what a proof needs, even after a kill -9 of the generator. It is written before
// the first message, about once a second, and at the end; each time whole, so that a reader never sees half of one.
type Manifest struct {
	Version int       `json:"version"`
	Run     string    `json:"run"` // ULID
	State   string    `json:"state"`
	Started time.Time `json:"started"`
	Written time.Time `json:"written"`
	Ended   time.Time `json:"ended,omitzero"`

	Profile string `json:"profile"`
	// Unmarked says that the messages carry no identity: there is nothing to prove, and nobody can go on with the run.
	Unmarked bool           `json:"unmarked,omitempty"`
	Seed     uint64         `json:"seed"`
	Streams  []StreamRecord `json:"streams"` // one, or the parts of the mix

	Warmup     uint64        `json:"warmup"` // messages 0 … warmup-1 were sent before the schedule
	Shards     []ShardRecord `json:"shards"`
	Thresholds []Threshold   `json:"thresholds,omitempty"`
	Drain      time.Duration `json:"drain_ns,omitempty"`
	// Transaction says which messages were sent in a transaction that was aborted on purpose.
	Transaction TransactionSpec `json:"transaction,omitzero"`
	// Shard says which part of the run this is; Shards then holds its one sender only, and Histograms what a merge needs.
	Shard      ShardOf           `json:"shard,omitzero"`
	Histograms map[string]string `json:"histograms,omitempty"` // HdrHistogram V2, base64: response, service, lag, size
	// Effective is the profile as it is run, and Dir the folder that its paths are relative to: what [Resume] goes on with.
	Effective string `json:"effective,omitempty"`
	Dir       string `json:"dir,omitempty"`
	// Begun is when the schedule began; zero: it has not. OnCurve and Elapsed say how far it was when this was written.
	Begun       time.Time     `json:"begun,omitzero"`
	OnCurve     time.Duration `json:"on_curve_ns,omitempty"`
	Elapsed     time.Duration `json:"elapsed_ns,omitempty"`
	Interactive bool          `json:"interactive,omitempty"`
	Resumptions []Resumption  `json:"resumptions,omitempty"`
	Result      *Summary      `json:"result,omitempty"`
}

// A StreamRecord is where a part of the run went and what it held; the schema is the text itself, because a file may have
// changed since.
type StreamRecord struct {
	Name     string       `json:"name,omitempty"`
	Weight   float64      `json:"weight"`
	Topic    string       `json:"topic"`
	Table    string       `json:"table"`
	Subject  string       `json:"subject"`
	SchemaID int          `json:"schema_id"`
	LaterID  int          `json:"later_schema_id,omitempty"` // of content.evolve
	Content  content.Spec `json:"content"`
	// Ends are the first offsets behind the last acknowledged message, per partition.
	Ends map[int32]int64 `json:"ends,omitempty"`
	// Faults are those that had been sent when this was written, by kind; what a proof expects it works out itself.
	Faults map[content.Fault]int64 `json:"faults,omitempty"`
	// Messages and Bytes are what had been sent, values without keys.
	Messages int64 `json:"messages,omitempty"`
	Bytes    int64 `json:"bytes,omitempty"`
	// Tops are, per partition and sender, one more than the last seq that is acknowledged there.
	Tops map[int32][]uint64 `json:"tops,omitempty"`
}

// manifestVersion 2 has streams; 1 had one of them, unnamed.
const manifestVersion = 2

// fromVersion1 reads what a run before mixes has left.
func (m *Manifest) fromVersion1(b []byte) error {
	var old StreamRecord
	if err := json.Unmarshal(b, &old); err != nil {
		return err
	}
	if old.Content.Schema != "" {
		return errors.New("the run's schema was made into records by an earlier version: this one makes others of it, so that it cannot tell what the rows must be")
	}
	old.Weight = 1
	m.Version, m.Seed, m.Streams = manifestVersion, old.Content.Seed, []StreamRecord{old}
	return nil
}

// States of a manifest. A run that was killed stays Running.
const (
	Running     = "running"
	Ended       = "ended"
	Interrupted = "interrupted"
)

// ShardRecord says what one sender has done. Message n of the run is seq n/shards of shard n%shards.
type ShardRecord struct {
	Reserved   uint64      `json:"reserved"`    // seqs from here on have certainly not been sent
	Sent       uint64      `json:"sent"`        // seqs below had been sent when this was written
	AckedBelow uint64      `json:"acked_below"` // seqs below are in the topic, except the failed ones
	AckedAbove string      `json:"acked_above"` // bit set (base64, little endian) of those that are, from acked_below on
	Failed     [][2]uint64 `json:"failed,omitempty"`
	Position   float64     `json:"position,omitempty"` // of the message after the last one that was sent, on the curve

	above []uint64
}

// Acked reports that the broker has acknowledged the message: it must be in the table.
func (s *ShardRecord) Acked(seq uint64) bool {
	if seq < s.AckedBelow {
		return !ranges(s.Failed).has(seq)
	}
	i := seq - s.AckedBelow
	return i/64 < uint64(len(s.above)) && s.above[i/64]>>(i%64)&1 != 0 && !ranges(s.Failed).has(seq)
}

// Aborted reports that message n was sent in a transaction that was aborted on purpose.
func (m *Manifest) Aborted(n uint64) bool {
	return n >= m.Warmup && m.Transaction.Aborted(m.Seed, n-m.Warmup)
}

// Known reports that the run has ended in an orderly way: nothing was sent that the manifest does not know.
func (m *Manifest) Known() bool { return m.State != Running }

// Mix makes the run's content again.
func (m *Manifest) Mix() (*content.Mix, error) {
	all := make([]content.Stream, len(m.Streams))
	for i, s := range m.Streams {
		all[i] = content.Stream{Name: s.Name, Weight: s.Weight, Spec: s.Content}
	}
	mix, err := content.NewMix(m.Seed, all)
	if err != nil {
		return nil, fmt.Errorf("content of run %s: %w", m.Run, err)
	}
	return mix, nil
}

// Path is where the manifest of a run lies below the home.
func Path(home, run string) string { return filepath.Join(home, "load", run+".json") }

// ErrNoRun means that there is no manifest of that name.
var ErrNoRun = errors.New("no such run")

// ReadManifest reads the manifest of a run, or of the newest one if run is "last".
func ReadManifest(home, run string) (*Manifest, error) {
	if run == "last" {
		all, err := Runs(home)
		if err != nil {
			return nil, err
		}
		if len(all) == 0 {
			return nil, fmt.Errorf("%w: there is none in %s", ErrNoRun, filepath.Join(home, "load"))
		}
		run = all[len(all)-1]
	}
	if run == "" || filepath.Base(run) != run {
		return nil, fmt.Errorf("%w: %q", ErrNoRun, run)
	}
	b, err := os.ReadFile(Path(home, run))
	if errors.Is(err, fs.ErrNotExist) {
		if parts := shardFiles(home, run); len(parts) > 0 {
			return nil, &cli.Error{Err: fmt.Errorf("%w: of %s there are %d shards, not merged yet", ErrNoRun, run, len(parts)), Hint: "loadgen merge " + run, Exit: cli.ExitUsage}
		}
		return nil, fmt.Errorf("%w: %s is not in %s", ErrNoRun, run, filepath.Join(home, "load"))
	}
	if err != nil {
		return nil, fmt.Errorf("manifest of run %s: %w", run, err)
	}
	return parseManifest(Path(home, run), b)
}

func parseManifest(path string, b []byte) (*Manifest, error) {
	m := &Manifest{}
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("manifest %s: %w", path, err)
	}
	if m.Version == 1 {
		if err := m.fromVersion1(b); err != nil {
			return nil, fmt.Errorf("manifest %s: %w", path, err)
		}
	}
	if m.Version != manifestVersion || len(m.Shards) == 0 || len(m.Streams) == 0 {
		return nil, fmt.Errorf("manifest %s: version %d with %d shards is not one that this version can read", path, m.Version, len(m.Shards))
	}
	for i := range m.Shards {
		var err error
		if m.Shards[i].above, err = unpackAbove(m.Shards[i].AckedAbove); err != nil {
			return nil, fmt.Errorf("manifest %s: shard %d: %w", path, i, err)
		}
	}
	return m, nil
}

// Runs lists the runs of a home, oldest first: ULIDs sort by time.
func Runs(home string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(home, "load"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	var all []string
	for _, e := range entries {
		if run, ok := strings.CutSuffix(e.Name(), ".json"); ok && !strings.Contains(run, ".") { // RUN.result.json is another thing
			all = append(all, run)
		}
	}
	slices.Sort(all)
	return all, nil
}

// write puts the manifest on the disk, whole: a new file, fsync, rename, fsync of the folder.
func (m *Manifest) write(home string) error {
	b, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	path := m.path(home)
	if err := WriteDurable(path, b); err != nil {
		return fmt.Errorf("manifest of run %s: %w", m.Run, err)
	}
	return nil
}

// WriteDurable writes a file whole: it is there, on the disk, or as it was before.
func WriteDurable(path string, b []byte) (err error) {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) // a profile's variables may hold what is nobody else's
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
