// Package produce sends records in batches that are built in place, with one answer for each batch.
//
// A Kafka client for everybody keeps an object, a promise and an interface call for each record. A load generator at its limit
// knows its records only by number: here a [Lane] encodes a record straight into the batch of its partition, and [Config.Settle]
// hears of a whole [Batch]. Connections, log-in and TLS are those of a franz-go client.
//
// The protocol is that of an idempotent producer (KIP-98): several batches of a partition may be on their way; each has its producer
// id and sequence, and is sent again with them after an answer that allows it, or none. When one of several fails, nothing more of
// its partition leaves until all answers are there; then the rest follows in order. Without idempotence one batch of a partition is
// on its way at a time.
//
// Batches have format v2: https://kafka.apache.org/documentation/#recordbatch
package produce

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Config of a producer; Client, Topics and Settle are needed.
type Config struct {
	Client *kgo.Client
	Topics []Topic
	// Acks are those of the leader (1) or of all replicas (-1). A producer that waits for none is a matter for another client.
	Acks       int16
	Idempotent bool
	Batch      int            // bytes of a batch with its header, uncompressed: what a topic's max.message.bytes allows; a larger record has a batch of its own
	Linger     time.Duration  // how long a batch waits to be full, while its lane goes on; longer as long as its partition is busy
	Delivery   time.Duration  // how long a batch is tried, from when its first record was handed over, to a second; then it has failed, though it may be on its way and arrive
	Window     int64          // records without an answer, at most, over all lanes
	Compressor kgo.Compressor // nil: none
	// Settle is told what became of a batch, from one goroutine at a time for each partition: base is the offset of its first record,
	// -1 if the broker has not said it. An error means that its records are not known to be in the topic. The batch is not to be kept.
	Settle func(b *Batch, base int64, err error)
}

// Topic is where records go.
type Topic struct {
	Name       string
	Partitions int
}

// ErrClosed is the outcome of records that were still on their way when the producer was closed.
var ErrClosed = errors.New("the producer was closed")

// ErrTimeout is the outcome of records that were tried for [Config.Delivery].
var ErrTimeout = errors.New("not acknowledged within the delivery timeout")

const (
	inFlight    = 5 // requests to a broker, and batches of a partition: what brokers remember of a producer
	requestTime = 10 * time.Second
	firstPause  = 50 * time.Millisecond
	longPause   = time.Second
)

// Producer sends batches; its lanes fill them.
type Producer struct {
	Config
	ctx     context.Context
	cancel  context.CancelFunc
	work    sync.WaitGroup
	depth   int          // batches of a partition on their way
	pending atomic.Int64 // records without an answer
	flying  atomic.Int64 // batches that the lanes have let go, without an answer

	mu         sync.Mutex
	free       []*Batch   // that are not used now
	settled    *sync.Cond // pending has fallen, or the producer is closed
	partitions [][]*partition
	brokers    map[int32]*broker
	ids        [][16]byte // of topics
	ask        chan struct{}
}

// New starts a producer. It asks for the leaders and for a producer id first.
func New(ctx context.Context, c Config) (*Producer, error) {
	p := &Producer{Config: c, depth: 1, brokers: map[int32]*broker{}, ids: make([][16]byte, len(c.Topics)), ask: make(chan struct{}, 1)}
	p.settled = sync.NewCond(&p.mu)
	begin := noIdentity
	if c.Idempotent {
		p.depth = inFlight
		var err error
		if begin, err = p.newIdentity(ctx); err != nil {
			return nil, err
		}
	}
	p.ctx, p.cancel = context.WithCancel(context.WithoutCancel(ctx))
	for _, t := range c.Topics {
		all := make([]*partition, t.Partitions)
		for n := range all {
			all[n] = &partition{leader: -1, identity: begin}
		}
		p.partitions = append(p.partitions, all)
	}
	if err := p.findLeaders(ctx); err != nil {
		p.cancel()
		return nil, err
	}
	p.work.Go(p.follow)
	p.work.Go(p.expire)
	return p, nil
}

// Pending counts the records without an answer.
func (p *Producer) Pending() int64 { return p.pending.Load() }

// Flush waits until all records have an answer, or returns why ctx has ended. The lanes must have been sealed.
func (p *Producer) Flush(ctx context.Context) error {
	p.await(ctx, func() bool { return p.pending.Load() == 0 })
	if p.pending.Load() > 0 && p.ctx.Err() == nil {
		return context.Cause(ctx)
	}
	return nil
}

// await blocks until done, or until ctx ends or the producer is closed.
func (p *Producer) await(ctx context.Context, done func() bool) {
	// With the lock, so that it cannot come between the look and the wait.
	stop := context.AfterFunc(ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.settled.Broadcast()
	})
	defer stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for !done() && p.ctx.Err() == nil && ctx.Err() == nil {
		p.settled.Wait()
	}
}

// Close gives up what is on its way: [Config.Settle] hears of it with [ErrClosed]. The lanes must not be used any more.
func (p *Producer) Close() {
	p.cancel()
	p.mu.Lock()
	p.settled.Broadcast()
	p.mu.Unlock()
	p.work.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, all := range p.partitions {
		for _, part := range all {
			for _, b := range append(part.flight, part.queue...) {
				p.fail(b, ErrClosed)
			}
			part.flight, part.queue = nil, nil
		}
	}
}

// wait blocks the lane while the window is full, or until ctx ends. Nobody fills its batches meanwhile: they leave, but for those of
// a partition that is busy, which go on filling afterwards.
func (p *Producer) wait(ctx context.Context, l *Lane) {
	l.sweep(math.MaxInt64)
	p.await(ctx, func() bool { return p.pending.Load() < p.Window || p.flying.Load() == 0 })
}

// settle ends a batch. The caller holds the producer.
func (p *Producer) settle(b *Batch, base int64, err error) {
	p.Settle(b, base, err)
	p.pending.Add(-int64(len(b.Notes)))
	p.flying.Add(-1)
	p.settled.Broadcast()
	if err == nil { // else a request may still hold its bytes
		p.free = append(p.free, b)
	}
}

// batch gives one that is free, or a new one.
func (p *Producer) batch() *Batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		b := p.free[n-1]
		p.free = p.free[:n-1]
		return b
	}
	return &Batch{}
}

func (p *Producer) fail(b *Batch, err error) { p.settle(b, -1, err) }
