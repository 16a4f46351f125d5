package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A gate lets only one client of our own in until it is opened. The others wait in the listener's queue.
type gate struct {
	net.Listener
	ours         chan net.Conn
	opened, shut chan struct{}
	once         sync.Once
}

func newGate(l net.Listener) *gate {
	return &gate{Listener: l, ours: make(chan net.Conn), opened: make(chan struct{}), shut: make(chan struct{})}
}

func (g *gate) Accept() (net.Conn, error) {
	select {
	case c := <-g.ours:
		return c, nil
	case <-g.opened:
		return g.Listener.Accept()
	case <-g.shut:
		return nil, net.ErrClosed
	}
}

func (g *gate) Close() error {
	g.once.Do(func() { close(g.shut) })
	return g.Listener.Close()
}

// dial is the way in for our own client.
func (g *gate) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case g.ours <- there:
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-g.shut:
		return nil, net.ErrClosed
	}
}

// mend ends what a kill left open. kfake (seen in the version of 2026-09-18) counts a transaction that was open at the kill as
// aborted, but writes no marker. A reader takes the rest of a fetch from the same producer as aborted too, until it meets a
// marker: what the producer commits after the restart would be lost to it. Without one a reader also waits for ever for the
// last positions before the stable end. So each such producer gets its marker before anybody is let in.
func mend(ctx context.Context, g *gate) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(g.Addr().String()), kgo.Dialer(g.dial), kgo.ClientID("weir"))
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	known, err := adm.ListTransactions(ctx, nil, nil)
	if err != nil || len(known) == 0 {
		return err
	}
	open, err := unmarked(ctx, cl, g)
	if err != nil {
		return err
	}
	req := kmsg.NewPtrWriteTxnMarkersRequest()
	for _, x := range known {
		if x.State == "Ongoing" { // it outlived an orderly stop: its producer will end it
			continue
		}
		m := kmsg.NewWriteTxnMarkersRequestMarker()
		m.ProducerID = x.ProducerID
		for at, producers := range open {
			if epoch, ok := producers[x.ProducerID]; ok {
				t := kmsg.NewWriteTxnMarkersRequestMarkerTopic()
				t.Topic, t.Partitions = at.topic, []int32{at.partition}
				m.Topics = append(m.Topics, t)
				m.ProducerEpoch = epoch
			}
		}
		if len(m.Topics) > 0 {
			req.Markers = append(req.Markers, m)
		}
	}
	if len(req.Markers) == 0 {
		return nil
	}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	for _, m := range resp.Markers {
		for _, t := range m.Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return fmt.Errorf("end of a transaction in topic %s partition %d: %w", t.Topic, p.Partition, err)
				}
			}
		}
	}
	return nil
}

type place struct {
	topic     string
	partition int32
}

// unmarked reads all partitions and finds the transactions whose last message is followed by no marker: producer id and epoch.
func unmarked(ctx context.Context, cl *kgo.Client, g *gate) (map[place]map[int64]int16, error) {
	adm := kadm.NewClient(cl)
	starts, err := adm.ListStartOffsets(ctx)
	if err != nil {
		return nil, err
	}
	ends, err := adm.ListEndOffsets(ctx)
	if err = errors.Join(err, starts.Error(), ends.Error()); err != nil {
		return nil, err
	}
	left := map[place]int64{}
	from := map[string]map[int32]kgo.Offset{}
	ends.Each(func(o kadm.ListedOffset) {
		if first, _ := starts.Lookup(o.Topic, o.Partition); first.Offset < o.Offset {
			left[place{o.Topic, o.Partition}] = o.Offset
			if from[o.Topic] == nil {
				from[o.Topic] = map[int32]kgo.Offset{}
			}
			from[o.Topic][o.Partition] = kgo.NewOffset().AtStart()
		}
	})
	r, err := kgo.NewClient(kgo.SeedBrokers(g.Addr().String()), kgo.Dialer(g.dial), kgo.ConsumePartitions(from), kgo.KeepControlRecords())
	if err != nil {
		return nil, err
	}
	defer r.Close()
	open := map[place]map[int64]int16{}
	for len(left) > 0 {
		poll, cancel := context.WithTimeout(ctx, 5*time.Second)
		fs := r.PollFetches(poll)
		cancel()
		if errors.Is(fs.Err(), context.DeadlineExceeded) && ctx.Err() == nil {
			break // retention or compaction took the rest
		}
		if err := fs.Err(); err != nil {
			return nil, err
		}
		fs.EachRecord(func(rec *kgo.Record) {
			at := place{rec.Topic, rec.Partition}
			switch {
			case rec.Attrs.IsControl():
				delete(open[at], rec.ProducerID)
			case rec.Attrs.IsTransactional():
				if open[at] == nil {
					open[at] = map[int64]int16{}
				}
				open[at][rec.ProducerID] = rec.ProducerEpoch
			}
			if rec.Offset+1 >= left[at] {
				delete(left, at)
			}
		})
	}
	return open, nil
}
