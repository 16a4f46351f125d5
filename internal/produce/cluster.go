package produce

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// lookUp asks for the leaders, soon. The caller holds the producer, or nobody else knows it.
func (p *Producer) lookUp() {
	select {
	case p.ask <- struct{}{}:
	default:
	}
}

// follow keeps the leaders known: it asks when it is told to, and not all the time.
func (p *Producer) follow() {
	for {
		select {
		case <-p.ask:
		case <-p.ctx.Done():
			return
		}
		err := p.findLeaders(p.ctx)
		select {
		case <-time.After(firstPause):
		case <-p.ctx.Done():
			return
		}
		if err != nil {
			p.lookUp()
		}
	}
}

// findLeaders asks once.
func (p *Producer) findLeaders(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	for _, t := range p.Topics {
		name := kmsg.NewMetadataRequestTopic()
		name.Topic = &t.Name
		req.Topics = append(req.Topics, name)
	}
	m, err := req.RequestWith(ctx, p.Client)
	if err != nil {
		return fmt.Errorf("leaders: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, want := range p.Topics {
		for _, t := range m.Topics {
			if t.Topic == nil || *t.Topic != want.Name {
				continue
			}
			if e := kerr.ErrorForCode(t.ErrorCode); e != nil {
				err = errors.Join(err, fmt.Errorf("topic %s: %w", want.Name, e))
				continue
			}
			p.ids[i] = t.TopicID
			for _, part := range t.Partitions {
				if int(part.Partition) >= len(p.partitions[i]) {
					continue // added since the run began
				}
				mine := p.partitions[i][part.Partition]
				if part.ErrorCode == 0 || part.Leader >= 0 {
					mine.leader = part.Leader
				}
				if mine.leader < 0 {
					err = errors.Join(err, fmt.Errorf("topic %s, partition %d: %w", want.Name, part.Partition, kerr.LeaderNotAvailable))
				} else if len(mine.queue) > 0 {
					p.rouse(mine)
				}
			}
		}
	}
	return err
}

// newIdentity asks for a producer id.
func (p *Producer) newIdentity(ctx context.Context) (identity, error) {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionTimeoutMillis = -1
	resp, err := req.RequestWith(ctx, p.Client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return noIdentity, fmt.Errorf("producer id: %w", err)
	}
	return identity{resp.ProducerID, resp.ProducerEpoch, 0}, nil
}

// renew gets a producer id for one partition.
func (p *Producer) renew(t *partition) {
	for {
		ctx, cancel := context.WithTimeout(p.ctx, requestTime)
		as, err := p.newIdentity(ctx)
		cancel()
		if err == nil {
			p.mu.Lock()
			defer p.mu.Unlock()
			for _, b := range t.renewed(as) {
				t.waiting.Add(-1)
				why := b.again
				if why == nil {
					why = ErrTimeout
				}
				p.fail(b, fmt.Errorf("it may be in the topic, and cannot be sent again: %w", why))
			}
			p.rouse(t)
			return
		}
		select {
		case <-time.After(firstPause):
		case <-p.ctx.Done():
			return
		}
	}
}

// expire ends what has been tried for too long, whether it waits or is on its way.
func (p *Producer) expire() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-tick.C:
		}
		p.mu.Lock()
		now := time.Now()
		for _, topic := range p.partitions {
			for _, t := range topic {
				lost := t.overdue(now)
				for _, b := range lost {
					t.waiting.Add(-1)
					why := error(ErrTimeout)
					if b.again != nil {
						why = errors.Join(ErrTimeout, b.again)
					}
					p.fail(b, why)
				}
				if len(lost) == 0 {
					continue
				}
				if t.settle(now) {
					p.work.Go(func() { p.renew(t) })
				}
				p.rouse(t)
			}
		}
		p.mu.Unlock()
	}
}
