package produce

import (
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// An identity is a producer id and the next sequence under it.
type identity struct {
	id    int64
	epoch int16
	next  int32
}

// noIdentity is that of a producer without idempotence.
var noIdentity = identity{-1, -1, -1}

// after is the identity behind n records; sequences begin again behind the largest.
func (i identity) after(n int) identity {
	if i.id >= 0 {
		i.next = int32((int64(i.next) + int64(n)) % (1 << 31))
	}
	return i
}

// A partition's batches: those that wait, and those on their way. The producer's mutex guards it.
type partition struct {
	waiting  atomic.Int32 // batches without an answer
	leader   int32        // -1: not known
	queue    []*Batch
	flight   []*Batch // in the order of their sequences
	identity          // of the next batch that leaves for the first time
	place    int64    // of that batch among all
	held     bool     // one of flight has failed: nothing leaves until all have an answer
	proven   bool     // the broker knows the producer id here; before, it would take a later batch for the first one
	stale    bool     // a sequence is missing for good: the batches that follow need another producer id
	asking   bool     // for that id
	pause    time.Duration
	until    time.Time // nothing leaves before
}

// take gives the next batch that may leave, nil if none may. Brokers remember the last five batches of a producer: what was sent
// longer ago than that could no longer be told from a loss, so nothing runs further ahead of the first one without a good answer.
func (t *partition) take(depth int, now time.Time) *Batch {
	if !t.proven {
		depth = 1
	}
	if len(t.queue) == 0 || t.held || t.stale || len(t.flight) >= depth || now.Before(t.until) {
		return nil
	}
	b := t.queue[0]
	if b.identity == noIdentity {
		if len(t.flight) > 0 && t.place-t.flight[0].place >= int64(depth) {
			return nil
		}
		b.sign(t.identity)
		b.place = t.place
		t.identity, t.place = t.identity.after(len(b.Notes)), t.place+1
	}
	t.queue = slices.Delete(t.queue, 0, 1)
	b.again = nil
	t.flight = append(t.flight, b)
	return b
}

// answer is what the protocol says of a failed try.
type answer int

const (
	tryAgain  answer = iota // the same bytes may leave again
	refused                 // not in the topic, and never will be
	forgotten               // the broker does not know this producer any more
)

// judge says what an error means, and whether the records may be in the topic all the same.
func judge(err error) (a answer, unsure bool) {
	if errors.As(err, new(errUnsent)) {
		return tryAgain, false // whatever it says, it says nothing of the batch
	}
	var ke *kerr.Error
	if !errors.As(err, &ke) {
		return tryAgain, true // no answer: the connection, a time-out
	}
	switch {
	case errors.Is(err, kerr.RequestTimedOut), errors.Is(err, kerr.NotEnoughReplicasAfterAppend),
		// A broker says these before it appends, and also (Kafka's DelayedProduce) when it loses its part while others replicate.
		errors.Is(err, kerr.NotLeaderForPartition), errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.KafkaStorageError):
		return tryAgain, true
	case errors.Is(err, kerr.UnknownProducerID), errors.Is(err, kerr.InvalidProducerEpoch), errors.Is(err, kerr.InvalidProducerIDMapping):
		return forgotten, false
	case errors.Is(err, kerr.OutOfOrderSequenceNumber):
		return tryAgain, false
	case kerr.IsRetriable(err):
		return tryAgain, false
	}
	return refused, false
}

// answered takes the answer for a batch on its way and returns what is settled by it: the batch itself, or none yet.
func (t *partition) answered(b *Batch, err error, now time.Time) (done bool, outcome error) {
	at := slices.Index(t.flight, b)
	if at < 0 {
		return false, nil // it was overdue
	}
	if err == nil || errors.Is(err, kerr.DuplicateSequenceNumber) {
		t.flight = slices.Delete(t.flight, at, at+1)
		t.pause = 0
		t.proven = t.proven || b.id == t.id
		return true, nil
	}
	a, unsure := judge(err)
	if a == tryAgain && at == 0 && errors.Is(err, kerr.OutOfOrderSequenceNumber) {
		a = forgotten // nothing before it is missing: the broker's memory is
	}
	b.unsure = b.unsure || unsure
	t.held = true
	switch {
	case a == refused, a == forgotten && b.unsure, now.After(b.deadline):
		if a == tryAgain {
			err = errors.Join(ErrTimeout, err)
		}
		t.flight = slices.Delete(t.flight, at, at+1)
		t.stale = b.id >= 0
		return true, err
	case a == forgotten:
		t.stale = true
	}
	b.again = err
	return false, nil
}

// settle lets the partition go on, once all that was on its way has an answer. It reports that another producer id is needed.
func (t *partition) settle(now time.Time) (renew bool) {
	for _, b := range t.flight {
		if b.again == nil {
			return false
		}
	}
	if t.held {
		t.held = false
		t.pause = min(max(2*t.pause, firstPause), longPause)
		t.until = now.Add(t.pause)
		t.queue = append(slices.Clone(t.flight), t.queue...)
		t.flight = t.flight[:0]
	}
	renew = t.stale && !t.asking
	t.asking = t.asking || renew
	return renew
}

// renewed gives the partition a producer id of its own. What may be in the topic under the old one must not go there under the new
// one as well: it is returned.
func (t *partition) renewed(as identity) (lost []*Batch) {
	kept := t.queue[:0]
	for _, b := range t.queue {
		switch {
		case b.identity == noIdentity:
			kept = append(kept, b)
		case b.unsure:
			lost = append(lost, b)
		default:
			b.identity = noIdentity
			kept = append(kept, b)
		}
	}
	t.queue, t.identity, t.proven, t.stale, t.asking = kept, as, false, false, false
	return lost
}

// overdue takes out what has been tried for too long. What is on its way may arrive all the same; its answer comes too late.
func (t *partition) overdue(now time.Time) (lost []*Batch) {
	late := func(b *Batch) bool {
		if !now.After(b.deadline) {
			return false
		}
		lost = append(lost, b)
		t.stale = t.stale || b.id >= 0
		return true
	}
	on := len(t.flight)
	t.flight = slices.DeleteFunc(t.flight, late)
	t.held = t.held || len(t.flight) < on
	t.queue = slices.DeleteFunc(t.queue, late)
	return lost
}
