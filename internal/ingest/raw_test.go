package ingest

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	sqlcat "github.com/apache/iceberg-go/catalog/sql"
	"github.com/hamba/avro/v2/ocf"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/lake"
	"weir/internal/landing"
	"weir/internal/topic"
	"weir/minibatch"
)

// stageAll does what the runner does before a commit.
func stageAll(t *testing.T, j *Job, b minibatch.Batch) []minibatch.Staged {
	t.Helper()
	var all []minibatch.Staged
	for _, p := range b.Parts {
		st, err := j.sink.Stage(t.Context(), p, func(yield func(decoded, error) bool) {
			stop := errors.New("stop")
			if err := j.transform(t.Context(), p, j.source.Open(t.Context(), p), func(d decoded) error {
				if !yield(d, nil) {
					return stop
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, st)
	}
	return all
}

// message is what a raw file tells, read by somebody else's reader.
type message struct {
	Partition int32    `avro:"partition"`
	Offset    int64    `avro:"offset"`
	Timestamp any      `avro:"timestamp"`
	Key       []byte   `avro:"key"`
	Value     []byte   `avro:"value"`
	Headers   []header `avro:"headers"`
}

type header struct {
	Key   string `avro:"key"`
	Value []byte `avro:"value"`
}

// A job that dies again and again, behind its files or behind its commit, and cuts its batches elsewhere each time: among the files before
// the cursor each message is in exactly one, as it came.
func TestRawFilesHoldEachMessageOnce(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 7))
			s := newSite(t)
			cfg := Config{Raw: Raw{Location: filepath.Join(t.TempDir(), "raw")}}
			sent := int64(0)
			for range 12 {
				n := rng.Int64N(30)
				s.sendNumbers(sent, sent+n)
				sent += n
				j := s.job(cfg)
				at, err := j.sink.Position(t.Context(), "orders")
				s.ok(err)
				b, err := j.source.Plan(t.Context(), at, minibatch.Limits{Rows: 1 + rng.Int64N(40), Bytes: 1 << 20, Parallel: 2})
				s.ok(err)
				b.Job = "orders"
				parts := stageAll(t, j, b)
				if len(parts) > 0 && rng.IntN(3) == 0 { // else it dies here
					c := lake.Commit{Job: b.Job, ID: b.ID(), Epoch: j.sink.epoch, Advance: topic.Advance(b)}
					for _, p := range parts {
						c.Add = append(c.Add, p.Value.(staged).rows...)
					}
					j.sink.tellRaw(&c, b)
					_, err := j.sink.table.Commit(t.Context(), c)
					s.ok(err) // and it dies before it cleans up
				}
			}
			s.sendNumbers(sent, sent+5)
			s.send(&kgo.Record{Partition: 1, Key: []byte("k"), Value: []byte("no Avro"), Headers: []kgo.RecordHeader{{Key: "h", Value: nil}}}, &kgo.Record{Partition: 2, Key: []byte("gone")})
			s.drain(cfg)
			s.wantNumbers(sent + 5)
			s.wantRaw(s.job(cfg), sent+7)
		})
	}
}

func (s *site) wantRaw(j *Job, total int64) {
	s.t.Helper()
	at, err := j.sink.Position(s.t.Context(), "orders")
	s.ok(err)
	o, err := topic.ToOffsets(at)
	s.ok(err)
	seen := map[string]bool{}
	odd := 0
	for p, next := range o.Next {
		spans, err := j.sink.zone.Spans(s.t.Context(), p)
		s.ok(err)
		for _, f := range spans {
			if f.To > next {
				s.t.Errorf("a file of partition %d ends at %d, the cursor is %d", p, f.To, next)
			}
			name, err := filepath.Glob(filepath.Join(j.cfg.Raw.Location, "*", fmt.Sprintf("orders-%d-%020d-%020d.avro", p, f.From, f.To-1)))
			if err != nil || len(name) != 1 {
				s.t.Fatalf("%v, %v", name, err)
			}
			data, err := os.ReadFile(name[0])
			s.ok(err)
			d, err := ocf.NewDecoder(bytes.NewReader(data))
			s.ok(err)
			for d.HasNext() {
				var m message
				s.ok(d.Decode(&m))
				at := fmt.Sprint(m.Partition, "@", m.Offset)
				if seen[at] || m.Partition != p || m.Offset < f.From || m.Offset >= f.To {
					s.t.Errorf("%s in %s: twice, or in the wrong file", at, filepath.Base(name[0]))
				}
				seen[at] = true
				switch {
				case string(m.Key) == "k" && string(m.Value) == "no Avro" && len(m.Headers) == 1 && m.Headers[0].Key == "h" && m.Headers[0].Value == nil,
					string(m.Key) == "gone" && m.Value == nil && m.Key != nil:
					odd++
				case m.Key != nil || len(m.Value) < 6 || len(m.Headers) != 1:
					s.t.Errorf("%s is %+v", at, m)
				}
			}
			s.ok(d.Error())
		}
	}
	if int64(len(seen)) != total || odd != 2 {
		s.t.Errorf("%d messages in raw files, want %d; %d odd ones", len(seen), total, odd)
	}
}

// wantSpans looks at the raw files of partition 0.
func (s *site) wantSpans(c Config, when string, want ...landing.Span) {
	s.t.Helper()
	names, err := filepath.Glob(filepath.Join(c.Raw.Location, "*", "orders-0-*.avro"))
	s.ok(err)
	var got []landing.Span
	for _, name := range names {
		var f landing.Span
		_, err := fmt.Sscanf(filepath.Base(name), "orders-0-%d-%d.avro", &f.From, &f.To)
		s.ok(err)
		f.To++
		got = append(got, f)
	}
	if !slices.Equal(got, want) {
		s.t.Errorf("%s: raw files %v, want %v", when, got, want)
	}
}

// set does what `pipeline offsets set` does.
func (s *site) set(c Config, next map[int32]int64) {
	s.t.Helper()
	j := s.job(c)
	p, err := j.sink.table.Position(s.t.Context(), "orders")
	s.ok(err)
	had, err := topic.Stored(p.Cursor)
	s.ok(err)
	o, err := topic.ToOffsets(had)
	s.ok(err)
	maps.Copy(o.Next, next)
	to, err := json.Marshal(topic.Cursor(o))
	s.ok(err)
	_, err = j.sink.table.Decide(s.t.Context(), "orders", p.Cursor, to, nil)
	s.ok(err)
}

// rollBack makes a snapshot the table's newest, as another engine does.
func (s *site) rollBack(snapshot int64) { s.t.Helper(); s.rollBackTable("shop.orders", snapshot) }

func (s *site) rollBackTable(table string, snapshot int64) {
	s.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(s.home, "catalog.db"))
	s.ok(err)
	defer db.Close()
	cat, err := sqlcat.NewCatalog(lake.CatalogName, db, sqlcat.SQLite, nil)
	s.ok(err)
	tbl, err := cat.LoadTable(s.t.Context(), strings.Split(table, "."))
	s.ok(err)
	tx := tbl.NewTransaction()
	s.ok(tx.RollbackToSnapshot(snapshot))
	_, err = tx.Commit(s.t.Context())
	s.ok(err)
}

func rawSpan(from, to int64) landing.Span { return landing.Span{From: from, To: to} }

// withRaw is a job that has committed the orders before each of these numbers in a batch of its own.
func (s *site) withRaw(until ...int64) Config {
	c := lax
	c.Raw = Raw{Location: filepath.Join(s.t.TempDir(), "raw")}
	last := int64(0)
	for _, n := range until {
		s.sendNumbers(last, n)
		s.drain(c)
		last = n
	}
	return c
}

var toStart = map[int32]int64{0: 0, 1: 0, 2: 0}

// What is read once more takes the place of the files that it holds, and the next start leaves it alone.
func TestRawFilesOfPositionsSetToTheStart(t *testing.T) {
	s := newSite(t)
	c := s.withRaw(9, 18)
	s.wantSpans(c, "before", rawSpan(0, 3), rawSpan(3, 6))
	s.set(c, toStart)
	s.job(c)
	s.wantSpans(c, "before it is read again", rawSpan(0, 3), rawSpan(3, 6))
	s.drain(c)
	s.wantSpans(c, "read again", rawSpan(0, 6))
	s.job(c)
	s.wantSpans(c, "after a start", rawSpan(0, 6))
}

// A file of which only the end is read once more is the only one with its beginning.
func TestRawFilesOfPositionsSetIntoAFile(t *testing.T) {
	s := newSite(t)
	c := s.withRaw(18)
	s.set(c, map[int32]int64{0: 3})
	s.drain(c)
	s.wantSpans(c, "read again", rawSpan(0, 6), rawSpan(3, 6))
	s.job(c)
	s.wantSpans(c, "after a start", rawSpan(0, 6), rawSpan(3, 6))
	s.sendNumbers(18, 24)
	s.drain(c)
	s.job(c)
	s.wantSpans(c, "after more", rawSpan(0, 6), rawSpan(3, 6), rawSpan(6, 8))
}

// A rollback takes commits out of the table; their files hold what was read, whichever way the job goes on.
func TestRawFilesOfCommitsThatWereRolledBack(t *testing.T) {
	for keep, want := range map[bool][]landing.Span{
		false: {rawSpan(0, 3), rawSpan(3, 8)},
		true:  {rawSpan(0, 3), rawSpan(3, 6), rawSpan(6, 8)},
	} {
		t.Run(fmt.Sprint("keep ", keep), func(t *testing.T) {
			s := newSite(t)
			c := s.withRaw(9)
			tbl, err := s.lake.Table(t.Context(), "shop.orders")
			s.ok(err)
			first, err := tbl.Plan(t.Context())
			s.ok(err)
			s.sendNumbers(9, 18)
			s.drain(c)
			s.rollBack(first.Snapshot)
			_, err = tbl.Resolve(t.Context(), "orders", keep, func(_, _ json.RawMessage) map[string]string { return nil })
			s.ok(err)
			s.job(c)
			s.wantSpans(c, "before it goes on", rawSpan(0, 3), rawSpan(3, 6))
			s.sendNumbers(18, 24)
			s.drain(c)
			s.wantSpans(c, "gone on", want...)
			s.job(c)
			s.wantSpans(c, "after a start", want...)
		})
	}
}

// A job that dies again and again and whose positions people set at will: whatever a commit has once held stays in a file, and so does the
// file of a try that is not committed yet when another worker starts.
func TestRawFilesStayWhileAnybodyNeedsThem(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 11))
			s := newSite(t)
			c := s.withRaw(9)
			sent, most := int64(9), int64(3) // most: how far a commit has come in partition 0
			for range 14 {
				n := rng.Int64N(24)
				s.sendNumbers(sent, sent+n)
				sent += n
				j := s.job(c)
				at, err := j.sink.Position(t.Context(), "orders")
				s.ok(err)
				b, err := j.source.Plan(t.Context(), at, minibatch.Limits{Rows: 1 + rng.Int64N(40), Bytes: 1 << 20, Parallel: 1})
				s.ok(err)
				b.Job = "orders"
				parts := stageAll(t, j, b)
				s.job(c) // another worker
				for _, p := range b.Parts {
					spans, err := rawSpans(p)
					s.ok(err)
					for _, f := range spans {
						if have, err := j.sink.zone.Spans(t.Context(), f.Partition); err != nil || !slices.Contains(have, f) {
							t.Errorf("%v is not among %v, %v", f, have, err)
						}
					}
				}
				if len(parts) > 0 && rng.IntN(3) > 0 { // else it dies here
					_, err := j.sink.Commit(t.Context(), b, parts)
					s.ok(err)
					o, err := topic.ToOffsets(b.To)
					s.ok(err)
					most = max(most, o.Next[0])
				}
				if rng.IntN(3) == 0 {
					s.set(c, map[int32]int64{0: rng.Int64N(most + 1)})
				}
				s.wantHeld(s.job(c), most)
			}
		})
	}
}

// wantHeld looks for each position of partition 0 in some file.
func (s *site) wantHeld(j *Job, until int64) {
	s.t.Helper()
	files, err := j.sink.zone.Spans(s.t.Context(), 0)
	s.ok(err)
	for n := range until {
		if !slices.ContainsFunc(files, func(f landing.Span) bool { return f.From <= n && n < f.To }) {
			s.t.Fatalf("position %d is in none of %v", n, files)
		}
	}
}
