package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/hamba/avro/v2/ocf"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/lake"
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
