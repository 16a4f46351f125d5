package produce

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// A log is a partition as a broker keeps it: it takes batches in the order of their sequences and remembers the last five of a
// producer (Kafka's ProducerStateManager).
type log struct {
	batches   []*Batch
	producers map[int64]*remembered
	strict    bool // as brokers before 2.5: a producer that is not known has to begin at 0
}

type remembered struct {
	next int32
	last []int32 // first sequences
}

func (l *log) append(b *Batch) error {
	p := l.producers[b.id]
	switch {
	case p == nil && l.strict && b.next != 0:
		return kerr.UnknownProducerID
	case p == nil: // it may begin anywhere
		p = &remembered{next: b.next}
		l.producers[b.id] = p
	case slices.Contains(p.last, b.next):
		return nil // it is there already
	case b.next != p.next:
		return kerr.OutOfOrderSequenceNumber
	}
	l.batches = append(l.batches, b)
	p.next = b.next + int32(len(b.Notes))
	p.last = append(p.last, b.next)
	if len(p.last) > inFlight {
		p.last = p.last[1:]
	}
	return nil
}

// The way of batches through a partition, with a broker and a connection that fail in every way that they know, at random: what is
// settled well is in the log once and in its order, what is settled badly at most once, and everything is settled.
func TestNoBatchIsLostOrDoubled(t *testing.T) {
	met := map[string]int{}
	for seed := range uint64(3000) {
		simulate(t, seed, met)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	for _, what := range []string{"lost on the way", "never written", "answer lost", "moved", "appended, then moved", "appended, then a time-out", "refused", "forgotten", "timeout", "timeout on the way", "dropped as unsure", "out of order"} {
		if met[what] < 50 {
			t.Errorf("%q has been met %d times; want 50", what, met[what])
		}
	}
}

func simulate(t *testing.T, seed uint64, met map[string]int) {
	r := rand.New(rand.NewPCG(seed, 7))
	now := time.Unix(0, 0)
	broker := log{producers: map[int64]*remembered{}, strict: seed%2 == 0}
	part := &partition{identity: identity{1, 0, 0}}
	producers := int64(1)
	outcome := map[*Batch]error{}
	settled := map[*Batch]bool{}
	settle := func(b *Batch, err error) {
		if settled[b] {
			t.Errorf("a batch is settled twice")
		}
		settled[b], outcome[b] = true, err
	}
	var all []*Batch
	var wire []*Batch                  // on the connection, in the order in which they were written
	var dying []*Batch                 // on one that is broken, which the producer does not know yet
	var ghosts []*Batch                // on one that is broken, still before the broker
	calm := 0                          // steps without faults: the end
	hasty := seed%4 == 1 && seed%5 > 0 // some batches have little time
	for step := 0; len(all) < 40 || len(settled) < len(all); step++ {
		if step > 20_000 {
			t.Errorf("%d of %d batches have no outcome", len(all)-len(settled), len(all))
			return
		}
		now = now.Add(time.Duration(r.IntN(40)) * time.Millisecond)
		if len(all) < 40 && r.IntN(3) == 0 {
			b := &Batch{}
			b.reset(0, 0, Tag{}, 0, 0)
			for range 1 + r.IntN(3) {
				b.add(b.sizeOf(0, nil, []byte("x"), []byte{0}), 0, nil, []byte("x"), []byte{0}, Note{})
			}
			b.finish()
			b.deadline = now.Add(time.Hour)
			if hasty && r.IntN(4) == 0 {
				b.deadline = now.Add(time.Duration(r.IntN(2000)) * time.Millisecond)
			}
			all, part.queue = append(all, b), append(part.queue, b)
		}
		if b := part.take(inFlight, now); b != nil {
			wire = append(wire, b)
		}
		if len(all) == 40 {
			calm++
		}
		answer := func(b *Batch, err error) {
			if errors.Is(err, kerr.OutOfOrderSequenceNumber) {
				met["out of order"]++
			}
			if done, why := part.answered(b, err, now); done {
				settle(b, why)
				if errors.Is(why, ErrTimeout) {
					met["timeout"]++
				}
			}
		}
		if len(dying) > 0 && r.IntN(12) == 0 {
			gone := dying
			dying = nil
			for _, b := range gone {
				met["lost on the way"]++
				answer(b, errors.New("EOF"))
			}
		}
		if len(ghosts) > 0 && r.IntN(3) == 0 {
			if broker.append(ghosts[0]) == nil {
				met["answer lost"]++
			}
			ghosts = ghosts[1:]
		}
		if len(wire) > 0 && r.IntN(2) == 0 {
			b := wire[0]
			fault := r.IntN(12 + 30*int(seed%3/2))
			if calm > 400 || fault >= 3 && seed%5 == 0 { // of every fifth, nothing but connections, leaders and time-outs fail
				fault = 99
			}
			switch fault {
			case 0: // the connection breaks: what is on it may reach the broker, up to some point, now or later
				dying, ghosts = append(dying, wire...), append(ghosts, wire[:r.IntN(len(wire)+1)]...)
				wire = nil
			case 1:
				met["moved"]++
				wire = wire[1:]
				// A broker that has appended it and then loses its part in the partition says the same as one that had none.
				if r.IntN(3) == 0 && broker.append(b) == nil {
					met["appended, then moved"]++
				}
				answer(b, []error{kerr.NotLeaderForPartition, kerr.UnknownTopicOrPartition, kerr.KafkaStorageError}[r.IntN(3)])
			case 2:
				wire = wire[1:]
				err := broker.append(b)
				if err == nil {
					met["appended, then a time-out"]++
					err = kerr.RequestTimedOut
				}
				answer(b, err)
			case 3:
				wire = wire[1:]
				if r.IntN(8) > 0 {
					answer(b, broker.append(b))
					break
				}
				met["refused"]++
				answer(b, kerr.MessageTooLarge)
			case 4:
				// An expired producer, or a log that was cut. If more were on its way it could be doubled or pass another by no fault of ours.
				if len(part.flight) == 1 && !b.unsure && len(ghosts) == 0 {
					met["forgotten"]++
					clear(broker.producers)
					wire = wire[1:]
					answer(b, broker.append(b))
				}
			case 5:
				if r.IntN(20) == 0 {
					now, hasty = now.Add(2*time.Hour), true
				}
			case 6:
				wire = wire[1:]
				if len(wire) > 0 { // the next one leaves behind one that was written
					answer(b, broker.append(b))
					break
				}
				met["never written"]++
				answer(b, errUnsent{kerr.SaslAuthenticationFailed})
			default:
				wire = wire[1:]
				answer(b, broker.append(b))
			}
		}
		on := len(part.flight)
		for _, b := range part.overdue(now) {
			settle(b, ErrTimeout)
			met["timeout"]++
		}
		if len(part.flight) < on {
			met["timeout on the way"]++
		}
		if part.settle(now) {
			producers++
			for _, b := range part.renewed(identity{producers, 0, 0}) {
				met["dropped as unsure"]++
				settle(b, errors.New("unsure"))
			}
		}
	}
	at := -1
	for _, b := range all {
		n, last := 0, -1
		for i, in := range broker.batches {
			if in == b {
				n, last = n+1, i
			}
		}
		switch {
		case seed%5 == 0 && outcome[b] != nil:
			t.Errorf("batch %d has failed: %v", slices.Index(all, b), outcome[b])
		case !hasty && errors.Is(outcome[b], ErrTimeout) && errors.Is(outcome[b], kerr.OutOfOrderSequenceNumber):
			t.Errorf("batch %d has failed for one before it: %v", slices.Index(all, b), outcome[b])
		case n > 1:
			t.Errorf("batch %d is in the log %d times", slices.Index(all, b), n)
		case outcome[b] == nil && n == 0:
			t.Errorf("batch %d is settled well and not in the log", slices.Index(all, b))
		case outcome[b] == nil && last < at:
			t.Errorf("batch %d is behind a later one", slices.Index(all, b))
		}
		if outcome[b] == nil {
			at = last
		}
	}
}
