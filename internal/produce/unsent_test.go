package produce

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// While no connection can be made, nothing is sent. When the broker then has forgotten the producer, a batch that was never written
// is sent under another id: it is certainly not in the topic.
func TestWhatWasNeverWrittenIsNotInTheTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		var tries atomic.Int32
		stack := &kfake.VirtualNetwork{}
		c, cl := virtual(t, stack, kgo.Dialer(func(ctx context.Context, network, addr string) (net.Conn, error) {
			if down.Load() {
				tries.Add(1)
				return nil, errors.New("no way there")
			}
			return stack.DialContext(ctx, network, addr)
		}))
		forgotten := false
		c.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			if forgotten {
				return nil, nil, false
			}
			forgotten = true
			return refusal(req, kerr.UnknownProducerID), nil, true
		})
		p, o := start(t, cl, nil)
		down.Store(true)
		l := p.Lane(0)
		one(t.Context(), l, 0, 0)
		l.Seal()
		time.Sleep(time.Second)
		down.Store(false)
		if err := p.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if id := [2]uint64{}; o.at[id] != "0/0/0" || tries.Load() < 2 || !forgotten {
			t.Errorf("after %d tries: %q, %v; want it in the topic", tries.Load(), o.at[id], o.errs[id])
		}
	})
}

// A request that is given up before it was written is never written with batches that may have changed.
func TestARequestThatIsGivenUpIsEmpty(t *testing.T) {
	p := unsent(1, nil)
	l := p.Lane(0)
	one(t.Context(), l, 0, 0)
	l.Seal()
	r := p.request(p.partitions[0][0].queue)
	if left := r.giveUp(); left {
		t.Error("it has left, before anybody has written it")
	}
	back := kmsg.NewPtrProduceRequest()
	if err := back.ReadFrom(r.AppendTo(nil)); err != nil || len(back.Topics) > 0 {
		t.Errorf("%d topics are written, %v", len(back.Topics), err)
	}
	r = p.request(p.partitions[0][0].queue)
	if err := back.ReadFrom(r.AppendTo(nil)); err != nil || len(back.Topics) != 1 || !r.giveUp() {
		t.Errorf("%d topics are written, %v; want one, which has left", len(back.Topics), err)
	}
}
