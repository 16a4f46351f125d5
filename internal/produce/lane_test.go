package produce

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// unsent is a producer whose batches go nowhere: they stay in the queues of their partitions.
func unsent(partitions int, change func(*Config)) *Producer {
	c := Config{Topics: []Topic{{"a", partitions}}, Batch: 1000, Linger: time.Millisecond, Delivery: time.Minute, Window: 1 << 30, Settle: func(*Batch, int64, error) {}}
	if change != nil {
		change(&c)
	}
	p := &Producer{Config: c, ctx: context.Background(), ask: make(chan struct{}, 1), brokers: map[int32]*broker{}, ids: make([][16]byte, 1)}
	p.settled = sync.NewCond(&p.mu)
	all := make([]*partition, partitions)
	for n := range all {
		all[n] = &partition{leader: -1}
	}
	p.partitions = [][]*partition{all}
	return p
}

// answer settles all that waits, as a broker would that is quicker than batches fill.
func (p *Producer) answerAll() {
	for _, t := range p.partitions[0] {
		p.mu.Lock()
		for _, b := range t.queue {
			t.waiting.Add(-1)
			p.settle(b, 0, nil)
		}
		t.queue = nil
		p.mu.Unlock()
	}
}

// Batches of records without a key go round, whatever has ended them: that they are full, that they have lingered, or the lane's Seal.
func TestBatchesGoRound(t *testing.T) {
	for name, end := range map[string]func(add func(now time.Duration, bytes int), l *Lane){
		"full":     func(add func(time.Duration, int), _ *Lane) { add(0, 900) },
		"lingered": func(add func(time.Duration, int), l *Lane) { add(l.swept+time.Second, 10) },
		"sealed": func(add func(time.Duration, int), l *Lane) {
			add(0, 10)
			l.Seal()
		},
	} {
		t.Run(name, func(t *testing.T) {
			batches := map[int32]int{}
			p := unsent(4, func(c *Config) { c.Settle = func(b *Batch, _ int64, _ error) { batches[b.Partition]++ } })
			l := p.Lane(0)
			for range 80 {
				end(func(now time.Duration, bytes int) {
					l.Add(t.Context(), 0, -1, now, 0, nil, make([]byte, bytes), []byte{0}, Tag{}, 0)
				}, l)
				p.answerAll()
			}
			l.Seal()
			p.answerAll()
			for n := range int32(4) {
				if got := batches[n]; got < 9 || got > 21 {
					t.Errorf("partition %d has %d batches of %v; want a quarter", n, got, batches)
				}
			}
		})
	}
}

// A batch holds records of one tag only, and no more than its size, also where the next partition has one that is open.
func TestABatchIsOfOneTag(t *testing.T) {
	for name, next := range map[string]struct {
		tag   Tag
		bytes int
	}{
		"another tag":   {Tag{Stream: 1}, 10},
		"nearly full":   {Tag{}, 900},
		"another stage": {Tag{Stage: 2}, 10},
	} {
		t.Run(name, func(t *testing.T) {
			var all []*Batch
			p := unsent(2, nil)
			l := p.Lane(0)
			add := func(partition int32, tag Tag, bytes int, seq uint64) {
				l.Add(t.Context(), 0, partition, 0, 0, nil, make([]byte, bytes), []byte{0}, tag, seq)
			}
			add(1, Tag{}, 800, 1)
			add(-1, Tag{}, 800, 0)
			add(-1, next.tag, next.bytes, 2)
			l.Seal()
			tags := []Tag{{}, {}, next.tag}
			for _, part := range p.partitions[0] {
				for _, b := range part.queue {
					all = append(all, b)
					for _, n := range b.Notes {
						if b.Tag != tags[n.Seq] {
							t.Errorf("record %d has the tag %v, its batch %v", n.Seq, tags[n.Seq], b.Tag)
						}
					}
					if b.Bytes > 1000 {
						t.Errorf("a batch has %d bytes; want 1000 at most", b.Bytes)
					}
				}
			}
			if len(all) != 3 {
				t.Errorf("%d batches; want one for each record", len(all))
			}
		})
	}
}

// While the window is full nobody can fill a batch: what could leave at once does, though another partition has no leader.
func TestAFullWindowHoldsNothingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := unsent(3, func(c *Config) { c.Window, c.Linger = 10, time.Hour })
		l := p.Lane(0)
		ctx, cancel := context.WithCancel(t.Context())
		add := func(partition int32, n int) {
			for range n {
				l.Add(ctx, 0, partition, 0, 0, nil, []byte("value"), []byte{0}, Tag{}, 0)
			}
		}
		add(0, 1)
		l.Seal() // it waits for its leader
		add(0, 2)
		add(1, 6)
		done := make(chan struct{})
		go func() {
			defer close(done)
			add(2, 1)
		}()
		synctest.Wait()
		for n, want := range []int{1, 1, 1} { // of the first one a second batch would wait behind the first
			if got := len(p.partitions[0][n].queue); got != want {
				t.Errorf("partition %d: %d batches may leave; want %d", n, got, want)
			}
		}
		select {
		case <-done:
			t.Error("the window has let more through")
		default:
		}
		cancel()
		<-done
	})
}
