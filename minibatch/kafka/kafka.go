// Package kafka gives mini-batch jobs Kafka topics: a source of what was committed to a topic, and a sink whose records and
// cursor are one Kafka transaction.
//
// Start with [From] or [To].
//
// # Promises
//
// The source reads committed records by position and skips nothing in silence. The sink's records and the job's cursor, which
// lies in a compacted topic of its own, become visible together (KIP-98, read committed) or not at all; a second or late
// worker of the job is fenced by its transactional id and refused with minibatch.ErrMoved.
package kafka

import (
	"context"
	"iter"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/config"
	"weir/internal/kafka"
	"weir/internal/topic"
	"weir/minibatch"
)

// Cluster says how brokers are reached.
type Cluster struct {
	Brokers        []string // host:port
	User, Password string   // SASL, if set
	Mechanism      string   // PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 (default)
	TLS            bool     // verified with the system's authorities
}

func (c Cluster) config() kafka.Config {
	k := kafka.Config{Brokers: c.Brokers}
	if c.User != "" {
		k.SASL = &kafka.SASL{Mechanism: c.Mechanism, User: c.User, Password: config.Secret(c.Password)}
		if k.SASL.Mechanism == "" {
			k.SASL.Mechanism = "SCRAM-SHA-512"
		}
	}
	if c.TLS {
		k.TLS = &kafka.TLS{}
	}
	return k
}

// A Record is a message.
type Record struct {
	Key, Value []byte // nil: none
	Headers    []Header
	Time       time.Time

	Partition int32 // of a record that was read; a written one goes where its key says
	Offset    int64
}

// A Header of a record.
type Header struct {
	Key   string
	Value []byte
}

// A Source reads a topic.
type Source struct{ t *topic.Source }

// An Option of a source.
type Option func(*options)

type options struct{ start string }

// Latest lets a job that has no cursor yet begin behind what is there. Otherwise it begins with the oldest record.
func Latest() Option { return func(o *options) { o.start = "latest" } }

// From connects to a topic, which must exist.
func From(ctx context.Context, c Cluster, name string, opt ...Option) (*Source, error) {
	o := options{start: "earliest"}
	for _, f := range opt {
		f(&o)
	}
	t, err := topic.Open(ctx, c.config(), name, o.start)
	if err != nil {
		return nil, err
	}
	return &Source{t}, nil
}

// Close closes the connections.
func (s *Source) Close() { s.t.Close() }

// Plan cuts the next span of each partition.
func (s *Source) Plan(ctx context.Context, after minibatch.Cursor, l minibatch.Limits) (minibatch.Batch, error) {
	return s.t.Plan(ctx, after, l)
}

// Wait returns when a batch is worth its commit.
func (s *Source) Wait(ctx context.Context, after minibatch.Cursor, l minibatch.Limits) error {
	return s.t.Wait(ctx, after, l)
}

// Open reads the records of a part, those of a partition in the order of their positions.
func (s *Source) Open(ctx context.Context, p minibatch.Part) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for some, err := range s.t.Open(ctx, p) {
			if err != nil {
				yield(Record{}, err)
				return
			}
			for _, r := range some {
				if !yield(read(r), nil) {
					return
				}
			}
		}
	}
}

func read(r *kgo.Record) Record {
	out := Record{Key: r.Key, Value: r.Value, Time: r.Timestamp, Partition: r.Partition, Offset: r.Offset}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, Header{h.Key, h.Value})
	}
	return out
}
