package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	internalkafka "weir/internal/kafka"
	"weir/minibatch"
	"weir/minibatch/kafka"
	"weir/minibatch/minibatchtest"
)

// broker is an embedded one with a topic `in` of nine records.
func broker(t *testing.T) kafka.Cluster {
	t.Helper()
	b, err := internalkafka.ServeEmbedded(t.Context(), "127.0.0.1:0", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	c := kafka.Cluster{Brokers: []string{b.Addr()}}
	make1(t, c, "in")
	cl := client(t, c)
	for i := range 9 {
		r := &kgo.Record{Topic: "in", Key: fmt.Append(nil, "k", i%3), Value: fmt.Append(nil, i), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("x")}}}
		if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func client(t *testing.T, c kafka.Cluster, opt ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := internalkafka.Connect(internalkafka.Config{Brokers: c.Brokers}, opt...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func make1(t *testing.T, c kafka.Cluster, topic string) {
	t.Helper()
	if err := internalkafka.EnsureTopic(t.Context(), client(t, c), topic, 2); err != nil {
		t.Fatal(err)
	}
}

// shout upper-cases nothing: it adds a mark, so that a row of the destination is none of the source.
func shout(_ context.Context, _ minibatch.Part, in iter.Seq2[kafka.Record, error], emit minibatch.Emit[kafka.Record]) error {
	for r, err := range in {
		if err == nil {
			err = emit(kafka.Record{Key: r.Key, Value: append(r.Value, '!'), Headers: r.Headers, Time: r.Time})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func job(t *testing.T, c kafka.Cluster, to string) minibatch.Job[kafka.Record, kafka.Record] {
	t.Helper()
	src, err := kafka.From(t.Context(), c, "in")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(src.Close)
	dst, err := kafka.To(t.Context(), c, to)
	if err != nil {
		t.Fatal(err)
	}
	return minibatch.Job[kafka.Record, kafka.Record]{Name: "shout_" + to, Source: src, Transform: shout, Sink: dst, OneToOne: true, Limits: minibatch.Limits{Rows: 4}}
}

// rows are what a reader of committed records sees in a topic.
func rows(t *testing.T, c kafka.Cluster, topic string) (out []string) {
	t.Helper()
	src, err := kafka.From(t.Context(), c, topic)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	b, err := src.Plan(t.Context(), minibatch.Cursor{}, minibatch.Limits{Rows: 1e6, Bytes: 1e9, Parallel: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range b.Parts {
		for r, err := range src.Open(t.Context(), p) {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, fmt.Sprintf("%s=%s %v", r.Key, r.Value, r.Headers))
		}
	}
	return out
}

// Records and cursor are one transaction: whatever breaks, each record arrives once.
func TestFromKafkaToKafkaExactlyOnce(t *testing.T) {
	c := broker(t)
	trials := 0
	minibatchtest.Crash(t, func() minibatchtest.Trial[kafka.Record, kafka.Record] {
		trials++
		topic := fmt.Sprint("out", trials)
		make1(t, c, topic)
		return minibatchtest.Trial[kafka.Record, kafka.Record]{
			Job:  func() minibatch.Job[kafka.Record, kafka.Record] { return job(t, c, topic) },
			Rows: func() []string { return rows(t, c, topic) },
		}
	})
}

// A worker that comes late finds that another one has moved the cursor, and adds nothing.
func TestALateWorkerIsRefused(t *testing.T) {
	c := broker(t)
	make1(t, c, "out")
	late := job(t, c, "out")
	b, err := late.Source.Plan(t.Context(), minibatch.Cursor{}, minibatch.Limits{Rows: 4, Bytes: 1e9, Parallel: 1})
	if err != nil {
		t.Fatal(err)
	}
	b.Job = late.Name
	staged, err := late.Sink.Stage(t.Context(), b.Parts[0], late.Source.Open(t.Context(), b.Parts[0]))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := minibatch.Run(t.Context(), job(t, c, "out"), minibatch.Drain); err != nil {
		t.Fatal(err)
	}
	if _, err := late.Sink.Commit(t.Context(), b, []minibatch.Staged{staged}); !errors.Is(err, minibatch.ErrMoved) {
		t.Errorf("got %v, want ErrMoved", err)
	}
	if got := rows(t, c, "out"); len(got) != 9 || !strings.Contains(got[0], "! [{h [120]}]") {
		t.Errorf("got %d rows: %v", len(got), got)
	}
}

func TestATopicThatIsNotThere(t *testing.T) {
	c := broker(t)
	if _, err := kafka.From(t.Context(), c, "nowhere"); err == nil || !strings.Contains(err.Error(), "topic nowhere does not exist") {
		t.Errorf("got %v", err)
	}
	if _, err := kafka.To(t.Context(), c, "nowhere"); err == nil || !strings.Contains(err.Error(), "topic nowhere does not exist") {
		t.Errorf("got %v", err)
	}
}
