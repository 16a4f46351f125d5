package produce

import (
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A broker gets the batches of the partitions that it leads.
type broker struct {
	id    int32
	wake  chan struct{} // something may leave
	slots chan struct{} // requests on their way
	turn  int           // partition to begin with
}

// enqueue lets a batch leave.
func (p *Producer) enqueue(b *Batch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flying.Add(1)
	if p.ctx.Err() != nil {
		p.fail(b, ErrClosed)
		return
	}
	t := p.partitions[b.Topic][b.Partition]
	t.waiting.Add(1)
	t.queue = append(t.queue, b)
	p.rouse(t)
}

// rouse wakes the broker of a partition. The caller holds the producer.
func (p *Producer) rouse(t *partition) {
	if t.leader < 0 {
		p.lookUp()
		return
	}
	br := p.brokers[t.leader]
	if br == nil {
		br = &broker{id: t.leader, wake: make(chan struct{}, 1), slots: make(chan struct{}, inFlight)}
		p.brokers[t.leader] = br
		p.work.Go(func() { p.serve(br) })
	}
	select {
	case br.wake <- struct{}{}:
	default:
	}
}

// serve sends to one broker.
func (p *Producer) serve(br *broker) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for p.ctx.Err() == nil {
		select {
		case br.slots <- struct{}{}:
		case <-p.ctx.Done():
			return
		}
		batches, next := p.collect(br)
		if len(batches) == 0 {
			<-br.slots
			timer.Reset(next)
			select {
			case <-br.wake:
			case <-timer.C:
			case <-p.ctx.Done():
				return
			}
			continue
		}
		r := p.request(batches)
		answered := make(chan struct{})
		p.work.Go(func() {
			p.send(br, r, batches)
			close(answered)
			<-br.slots
		})
		// The next request must not overtake this one: what follows in a partition is in the next.
		select {
		case <-r.written:
		case <-answered:
		}
	}
}

// collect takes one batch of each partition that has one to send. Otherwise it says when to look again.
func (p *Producer) collect(br *broker) (all []*Batch, again time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	again = time.Hour
	var led []*partition
	for _, topic := range p.partitions {
		for _, t := range topic {
			if t.leader == br.id {
				led = append(led, t)
			}
		}
	}
	size := 0
	for i := range led {
		t := led[(br.turn+i)%len(led)]
		if len(t.queue) > 0 && now.Before(t.until) {
			again = min(again, t.until.Sub(now))
		}
		if size >= p.most() {
			break
		}
		if b := t.take(p.depth, now); b != nil {
			all = append(all, b)
			size += len(b.buf)
		}
	}
	br.turn++
	return all, again
}

// most is how many bytes a request holds before the next batch is left for another one: a million, as Kafka's own producer has it.
func (p *Producer) most() int { return max(1<<20, p.Batch) }

// A request tells when it is written: its bytes are made when its turn on the connection has come, and those that are asked for
// afterwards are written behind it.
type request struct {
	*kmsg.ProduceRequest
	written chan struct{}

	mu   sync.Mutex
	left bool // its bytes have been made: they may be with the broker
	over bool // nobody waits for it: its batches may be others by now
}

// AppendTo is called for the connection's next request.
func (r *request) AppendTo(b []byte) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over { // it was overtaken by its end: brokers answer a request that asks for nothing
		r.Topics = nil
		return r.ProduceRequest.AppendTo(b)
	}
	if !r.left {
		r.left = true
		defer close(r.written)
	}
	return r.ProduceRequest.AppendTo(b)
}

// giveUp ends the wait for an answer: from now on the request reads no batch. It reports whether the broker may have got it.
func (r *request) giveUp() (left bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	return r.left
}

// errUnsent is why a request was never written.
type errUnsent struct{ error }

func (e errUnsent) Unwrap() error { return e.error }

func (p *Producer) request(batches []*Batch) *request {
	r := &request{ProduceRequest: kmsg.NewPtrProduceRequest(), written: make(chan struct{})}
	r.Acks, r.TimeoutMillis = p.Acks, int32(min(requestTime, p.Delivery).Milliseconds())
	p.mu.Lock()
	defer p.mu.Unlock()
	at := map[int]int{}
	for _, b := range batches {
		i, ok := at[b.Topic]
		if !ok {
			i = len(r.Topics)
			at[b.Topic] = i
			t := kmsg.NewProduceRequestTopic()
			t.Topic, t.TopicID = p.Topics[b.Topic].Name, p.ids[b.Topic]
			r.Topics = append(r.Topics, t)
		}
		part := kmsg.NewProduceRequestTopicPartition()
		part.Partition, part.Records = b.Partition, b.buf
		r.Topics[i].Partitions = append(r.Topics[i].Partitions, part)
	}
	return r
}

// send waits for the answer to a request.
func (p *Producer) send(br *broker, r *request, batches []*Batch) {
	// The client's own time-outs end it: a context's end would cut the connection, and what else is on it.
	resp, err := p.Client.Broker(int(br.id)).Request(p.ctx, r)
	if left := r.giveUp(); err != nil && !left {
		err = errUnsent{err}
	}
	answer, _ := resp.(*kmsg.ProduceResponse)
	if err == nil && answer == nil {
		err = errors.New("no answer to a produce request")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for _, b := range batches {
		base, why := int64(-1), err
		if err == nil {
			base, why = outcomeOf(answer, p.Topics[b.Topic].Name, p.ids[b.Topic], b.Partition)
		}
		t := p.partitions[b.Topic][b.Partition]
		if done, outcome := t.answered(b, why, now); done {
			t.waiting.Add(-1)
			p.settle(b, base, outcome)
		}
		if why != nil {
			p.lookUp()
		}
		if t.settle(now) {
			p.work.Go(func() { p.renew(t) })
		}
		p.rouse(t)
	}
}

// outcomeOf finds a batch's answer.
func outcomeOf(r *kmsg.ProduceResponse, topic string, id [16]byte, partition int32) (base int64, err error) {
	for _, t := range r.Topics {
		if t.Topic != topic && (t.Topic != "" || t.TopicID != id) {
			continue
		}
		for _, p := range t.Partitions {
			if p.Partition == partition {
				return p.BaseOffset, kerr.ErrorForCode(p.ErrorCode)
			}
		}
	}
	return -1, errors.New("the broker has not answered for this partition")
}
