package verify

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"weir/internal/lake"
)

// A lane is where order is promised: what one sender wrote into one partition.
type lane struct {
	topic     string
	partition int32
	shard     int32
}

// place is one row of a lane.
type place struct{ offset, seq int64 }

// A segment is a stretch of rows of a lane that one chunk has, in order: only its ends are kept.
type segment struct {
	first, last place
	rows        int64
}

// track is a lane as one worker sees it.
type track struct {
	chunk    []place // of the chunk that is being read
	held     []place // of the chunk: messages that were held back on purpose; they have no part in the order of the others
	segments []segment

	behind  int64   // of those held back: they stand behind a later one
	pending []place // of those held back: no row of their chunk tells
}

func (w *worker) track(topic string, partition, shard int32, offset, seq int64, held bool) {
	l := lane{topic, partition, shard}
	t := w.lanes[l]
	if t == nil {
		l.topic = string([]byte(topic)) // the chunk's memory goes
		t = &track{}
		w.lanes[l] = t
	}
	if held {
		t.held = append(t.held, place{offset, seq})
		return
	}
	t.chunk = append(t.chunk, place{offset, seq})
}

// endChunk checks the order within the chunk and keeps the ends.
func (w *worker) endChunk() {
	for l, t := range w.lanes {
		sorted(t.chunk)
		t.place()
		if len(t.chunk) == 0 {
			continue
		}
		w.inOrder(l, t.chunk)
		t.segments = append(t.segments, segment{t.chunk[0], t.chunk[len(t.chunk)-1], int64(len(t.chunk))})
		t.chunk = t.chunk[:0]
	}
}

// place looks which of those held back stand behind a later message of the chunk.
func (t *track) place() {
	for _, x := range t.held {
		i, _ := slices.BinarySearchFunc(t.chunk, x.offset, func(p place, off int64) int { return int(p.offset - off) })
		if i > 0 && t.chunk[i-1].seq > x.seq {
			t.behind++
		} else {
			t.pending = append(t.pending, x)
		}
	}
	t.held = t.held[:0]
}

// behind counts what a worker has seen of messages that were held back and stand behind a later one of their lane. Where no row of
// their own chunk tells, the ends of the others do.
func (p *proof) behind(w *worker) (n int64) {
	for l, t := range w.lanes {
		n += t.behind
		for _, x := range t.pending {
			if p.anyLater(l, x) {
				n++
			}
		}
	}
	return n
}

func (p *proof) anyLater(l lane, x place) bool {
	for _, w := range p.workers {
		t := w.lanes[l]
		if t == nil {
			continue
		}
		for _, s := range t.segments {
			if s.first.offset < x.offset && s.first.seq > x.seq || s.last.offset < x.offset && s.last.seq > x.seq {
				return true
			}
		}
	}
	return false
}

func sorted(all []place) {
	byOffset := func(a, b place) int { return int(a.offset - b.offset) }
	if !slices.IsSortedFunc(all, byOffset) {
		slices.SortFunc(all, byOffset)
	}
}

// inOrder reports every row whose seq is below one that stands before it.
func (p *proof) inOrder(l lane, all []place) {
	high := all[0].seq
	for _, x := range all[1:] {
		if x.seq < high {
			p.found.add(Evidence{Kind: "reordered", Shard: l.shard, Seq: x.seq, Topic: l.topic, Partition: l.partition, Offset: x.offset, Detail: fmt.Sprintf("stands behind seq %d", high)})
		}
		high = max(high, x.seq)
	}
}

// orderRows bounds the rows that are looked at again because several files hold parts of the same stretch: 16 bytes each.
const orderRows = 8 << 20

// A stretch is a range of offsets of a lane, made of segments that overlap.
type stretch struct {
	first, last place
	rows        int64
	parts       int

	mu     sync.Mutex
	places []place
}

// order joins what the workers have seen of each lane. Stretches that lie one after the other are compared at their ends;
// where segments are interleaved, as two writers leave them, their rows are read once more.
func (p *proof) order(ctx context.Context, plan lake.Plan) error {
	all := map[lane][]segment{}
	for _, w := range p.workers {
		for l, t := range w.lanes {
			all[l] = append(all[l], t.segments...)
		}
	}
	again, budget := map[lane][]*stretch{}, int64(orderRows)
	for l, segs := range all {
		var before *stretch
		for _, s := range stretches(segs) {
			if before != nil {
				p.inOrder(l, []place{before.last, s.first})
			}
			before = s
			if s.parts == 1 {
				continue
			}
			if budget -= s.rows; budget >= 0 {
				again[l] = append(again[l], s)
			} else {
				p.workers[0].unordered += s.rows
			}
		}
	}
	if len(again) == 0 {
		return nil
	}
	if err := p.each(ctx, p.o.Table, plan, func(w *worker, c lake.Chunk) error { return w.collect(c, again) }); err != nil {
		return err
	}
	for l, ss := range again {
		for _, s := range ss {
			sorted(s.places)
			p.inOrder(l, s.places)
		}
	}
	return nil
}

// stretches joins segments that overlap.
func stretches(segs []segment) []*stretch {
	slices.SortFunc(segs, func(a, b segment) int { return int(a.first.offset - b.first.offset) })
	var all []*stretch
	for _, s := range segs {
		if n := len(all); n > 0 && s.first.offset <= all[n-1].last.offset {
			in := all[n-1]
			in.rows, in.parts = in.rows+s.rows, in.parts+1
			if s.last.offset > in.last.offset {
				in.last = s.last
			}
			continue
		}
		all = append(all, &stretch{first: s.first, last: s.last, rows: s.rows, parts: 1})
	}
	return all
}

// collect keeps the rows of a chunk that lie in one of the stretches.
func (w *worker) collect(c lake.Chunk, again map[lane][]*stretch) error {
	s, err := stampsOf(c.Batch)
	if err != nil {
		return err
	}
	for i := range int(c.Batch.NumRows()) {
		if s.load.IsNull(i) || s.run.Value(i) != w.o.Claim.Run {
			continue
		}
		offset := s.offset.Value(i)
		ss := again[lane{s.topic.Value(i), s.partition.Value(i), s.shard.Value(i)}]
		k, found := slices.BinarySearchFunc(ss, offset, func(s *stretch, off int64) int { return int(s.first.offset - off) })
		if !found {
			k--
		}
		if k >= 0 && offset <= ss[k].last.offset {
			ss[k].mu.Lock()
			ss[k].places = append(ss[k].places, place{offset, s.seq.Value(i)})
			ss[k].mu.Unlock()
		}
	}
	return nil
}
