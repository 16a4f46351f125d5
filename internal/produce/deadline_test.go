package produce

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// virtual is a broker and a client in virtual time.
func virtual(t *testing.T, stack *kfake.VirtualNetwork, opts ...kgo.Opt) (*kfake.Cluster, *kgo.Client) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "a", "b"), kfake.ListenFn(stack.Listen))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, client(t, c.ListenAddrs(), append([]kgo.Opt{kgo.Dialer(stack.DialContext)}, opts...)...)
}

// one adds a record of its own batch to a partition.
func one(ctx context.Context, l *Lane, partition int32, seq uint64) {
	l.Add(ctx, 0, partition, 0, 0, nil, []byte("value"), []byte{0}, Tag{}, seq)
}

// The time that a batch has counts from its first record, however long its lane goes on filling it.
func TestDeliveryCountsFromTheFirstRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := unsent(1, nil)
		l := p.Lane(0)
		want := time.Now().Add(p.Delivery)
		one(t.Context(), l, 0, 0)
		time.Sleep(20 * time.Second)
		one(t.Context(), l, 0, 1)
		l.Seal()
		if b := p.partitions[0][0].queue[0]; !b.deadline.Equal(want) {
			t.Errorf("the batch is given up %v late", b.deadline.Sub(want))
		}
	})
}

// Two batches are in one request, which the broker is slow to answer. The one whose time is up is told so then; that ends neither
// the request nor the other batch.
func TestADeadlineIsThatOfItsBatchAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, cl := virtual(t, &kfake.VirtualNetwork{})
		requests, begin := 0, time.Now()
		c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			if requests++; requests == 1 {
				c.SleepControl(func() { time.Sleep(12*time.Second - time.Since(begin)) })
			}
			return nil, nil, false
		})
		told := map[int32]time.Duration{}
		var o *outcomes
		p, o := start(t, cl, func(c *Config) {
			c.Delivery = 10 * time.Second
			settle := c.Settle
			c.Settle = func(b *Batch, base int64, err error) {
				told[b.Partition] = time.Since(begin)
				settle(b, base, err)
			}
		})
		l := p.Lane(0)
		one(t.Context(), l, 0, 0)
		time.Sleep(5 * time.Second)
		one(t.Context(), l, 1, 1)
		p.mu.Lock()
		for _, part := range p.partitions[0] { // both leave at once
			part.until = time.Now().Add(100 * time.Millisecond)
		}
		p.mu.Unlock()
		l.Seal()
		if err := p.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := o.errs[[2]uint64{0, 0}]; !errors.Is(err, ErrTimeout) || told[0] < 10*time.Second || told[0] > 11*time.Second {
			t.Errorf("the batch that is late: %v after %v; want a time-out after 10 s", err, told[0])
		}
		if err := o.errs[[2]uint64{0, 1}]; err != nil || told[1] < 12*time.Second || told[1] > 13*time.Second || requests != 1 {
			t.Errorf("the other one: %v after %v and %d requests; want its acknowledgement after 12 s", err, told[1], requests)
		}
		// The partition of the late one goes on, with another producer id.
		one(t.Context(), l, 0, 2)
		l.Seal()
		if err := p.Flush(t.Context()); err != nil || o.at[[2]uint64{0, 2}] != "0/0/1" {
			t.Errorf("a later record: %v, %q, %v", err, o.at[[2]uint64{0, 2}], o.errs)
		}
	})
}
