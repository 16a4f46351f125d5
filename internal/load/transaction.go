package load

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/config"
)

// TransactionSpec lets a run send in transactions, some of which are aborted on purpose: a reader that reads committed messages
// only must never show one of those.
type TransactionSpec struct {
	Messages config.Count   `yaml:"messages,omitempty" json:"messages" jsonschema:"description=Of one transaction, as 500"`
	Abort    config.Percent `yaml:"abort,omitempty" json:"abort,omitempty" jsonschema:"description=Share of transactions that are aborted"`
}

func (t TransactionSpec) on() bool { return t.Messages > 0 }

// Aborted reports that the transaction of message n (counted behind the warm-up) is aborted. The seed decides it, so that a proof
// can tell after a crash, too.
func (t TransactionSpec) Aborted(seed, n uint64) bool {
	if !t.on() || t.Abort <= 0 {
		return false
	}
	x := seed ^ 0x9e3779b97f4a7c15*(n/uint64(t.Messages)+1) // splitmix64
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	x ^= x >> 31
	return float64(x>>11)/(1<<53) < float64(t.Abort)
}

func (p Producer) validateTransaction(c *complaints) {
	t := p.Transaction
	switch {
	case t == TransactionSpec{}:
		return
	case t.Messages < 1 || t.Messages > 1_000_000:
		c.add("producer.transaction", "transaction: want messages, 1 to 1M")
	case t.Abort < 0 || t.Abort > 1:
		c.add("producer.transaction.abort", "abort: want 0%% to 100%%")
	case p.Acks != "" && p.Acks != "all":
		c.add("producer.acks", "acks: transactions want all")
	case p.Idempotent != nil && !*p.Idempotent:
		c.add("producer.idempotent", "idempotent: transactions want true")
	}
}

// transactions of the run's only sender. nil: it has none.
type transactions struct {
	TransactionSpec
	seed    uint64
	client  *kgo.Client
	rec     *recorder
	open    bool
	number  uint64       // of the open one
	ending  atomic.Int64 // ns in which the sender has waited for transactions to end
	aborted atomic.Int64 // messages
	sent    int64        // messages of the open one
}

// idleTransaction is how long a transaction stays open without a message: brokers abort one that is open for a minute.
const idleTransaction = 5 * time.Second

// before message n (counted behind the warm-up, which is one of its own): ends the transaction that is open and begins another.
func (t *transactions) before(ctx context.Context, n uint64) error {
	if t == nil {
		return nil
	}
	number := n/uint64(t.Messages) + 1
	if t.open && t.number != number {
		if err := t.end(ctx); err != nil {
			return err
		}
	}
	t.sent++
	if t.open {
		return nil
	}
	t.number = number
	return t.begin()
}

// ends reports that the open transaction ends before message n.
func (t *transactions) ends(n uint64) bool {
	return t != nil && t.open && t.number != n/uint64(t.Messages)+1
}

func (t *transactions) begin() error {
	if err := t.client.BeginTransaction(); err != nil {
		return fmt.Errorf("begin a transaction: %w", err)
	}
	t.open = true
	t.rec.hold(true)
	return nil
}

// end commits the open transaction, or aborts it if the seed says so. What it held has an outcome then.
func (t *transactions) end(ctx context.Context) error {
	if t == nil || !t.open {
		return nil
	}
	t.open = false
	began := time.Now()
	defer func() { t.ending.Add(int64(time.Since(began))) }()
	commit := t.number == 0 || !t.Aborted(t.seed, (t.number-1)*uint64(t.Messages))
	err := t.client.Flush(ctx)
	if err == nil {
		err = t.client.EndTransaction(ctx, kgo.TransactionEndTry(commit))
	}
	if err != nil {
		t.rec.settle(outcomeUnknown)
		return fmt.Errorf("end a transaction: %w", err)
	}
	if commit {
		t.rec.settle(outcomeCommitted)
	} else {
		t.rec.settle(outcomeAborted)
		t.aborted.Add(t.sent)
	}
	t.sent = 0
	return nil
}

// What became of a transaction.
type transactionOutcome int

const (
	outcomeCommitted transactionOutcome = iota
	outcomeAborted
	outcomeUnknown
)

// held is an acknowledged message whose transaction is open.
type held struct {
	stream    int
	partition int32
	offset    int64
	lane      int
	seq       uint64
}

// hold keeps what is acknowledged until the transaction has ended: before, no reader sees it.
func (r *recorder) hold(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holding = on
}

// settle gives what was held its outcome.
func (r *recorder) settle(o transactionOutcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range r.held {
		switch o {
		case outcomeUnknown:
			r.shards[h.lane].fail(h.seq)
			continue
		case outcomeCommitted:
			r.reached(h.stream, h.partition, h.offset, h.lane, h.seq)
		case outcomeAborted:
		}
		r.shards[h.lane].acked(h.seq)
	}
	r.held, r.holding = r.held[:0], false
}
