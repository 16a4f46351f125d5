package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// ruleTogether is obeyed by who swaps, not by the loop: files and cursor go into the table in one swap.
const ruleTogether rule = 200

// worker is one run of the job on some of the topic's partitions. Its run ends with a crash or an error; then a new one begins.
type worker struct {
	*world
	reads func(p int32) bool
	spark bool // sets no property

	epoch    int64
	from, to Offsets
	staged   *file
	loop     *Loop
	next     *Step // to be done
	half     bool  // ruleTogether left out: files are in, the cursor is not
	saw      meta
	asleep   int
	slept    int64 // the head when it fell asleep
}

// begin forgets all but what lies in the storage: a new process.
func (k *worker) begin() {
	if k.staged != nil && k.loop == nil {
		k.hit(pCrashStaged)
	}
	k.epoch, k.staged, k.loop, k.next, k.half = 0, nil, nil, nil, false
}

// step makes one step: one call of the catalog at most.
func (k *worker) step() error {
	if k.asleep > 0 && !k.quiet {
		k.asleep--
		return nil
	}
	if k.fault(2) {
		k.asleep, k.slept = k.r.IntN(30), k.meta().head
	}
	if k.fault(2) {
		k.begin()
		return nil
	}
	switch {
	case k.loop == nil && k.staged == nil:
		return k.plan()
	case k.loop == nil:
		k.loop = NewLoop(Commit{ID: k.id(), Epoch: k.epoch, Advance: k.advance})
		k.loop.without = k.without
		k.next = &Step{Do: Look}
	case k.next.Do == Look:
		k.do(k.seen())
	case k.next.Do == Swap:
		k.do(k.swap())
	}
	return k.ended()
}

func (k *worker) id() string { return string(cursor(k.from)) + string(cursor(k.to)) }

func (k *worker) advance(stored json.RawMessage) (json.RawMessage, error) {
	without := k.without
	next, err := advance(offsets(stored), k.from, k.to, without)
	if err != nil {
		return cursor(k.to), err // to look at only by who ignores the error
	}
	return cursor(next), nil
}

// plan reads the position and stages a batch.
func (k *worker) plan() error {
	m, err := k.look()
	if err != nil {
		return nil //nolint:nilerr // it tries again
	}
	l := Loop{without: k.without}
	at, ok := l.settle(m.view())
	if !ok {
		k.hit(pRolledBack)
		return k.decide(at)
	}
	if k.epoch == 0 && !k.spark {
		k.epoch = at.Epoch + 1
	}
	pos := offsets(at.Cursor)
	from, err := pos.begin(k.topic, k.topic.Starts, k.without)
	if err != nil {
		return k.accept(pos, err)
	}
	k.from = pos
	k.to = Offsets{Cluster: k.topic.Cluster, Topic: k.topic.Name, TopicID: k.topic.ID, Next: map[int32]int64{}}
	f := file{}
	for _, p := range slices.Sorted(maps.Keys(from)) {
		n := from[p]
		if !k.reads(p) {
			continue
		}
		end := min(k.topic.Ends[p], n+int64(1+k.r.IntN(25)))
		k.to.Next[p] = end
		if end > n {
			f.holds = append(f.holds, reach{k.topic.ID, p, n, end})
		}
	}
	if len(f.holds) > 0 {
		f.id = k.newFile()
		k.staged = &f
	}
	return nil
}

func (k *worker) do(s Step) { k.next = &s }

func (k *worker) seen() Step {
	m, err := k.look()
	if err != nil {
		return k.loop.Unseen(err)
	}
	k.saw = m
	s := k.loop.Seen(m.view())
	if s.Do == Done {
		if k.loop.tried {
			k.hit(pFound)
		} else {
			k.hit(pFoundAgain)
		}
	}
	return s
}

func (k *worker) swap() Step {
	now, f := k.next.Now, *k.staged
	if k.slept != 0 && k.slept != k.meta().head {
		k.hit(pZombie)
		k.slept = 0
	}
	id, epoch := k.newID(), k.epoch
	all := func(m meta) meta {
		if !k.spark && epoch < m.prop.Epoch {
			k.wrong = fmt.Errorf("a run of epoch %d has committed after one of %d", epoch, m.prop.Epoch)
		}
		files := append(m.live()[:len(m.live()):len(m.live())], f)
		own := now
		if k.spark {
			own.Epoch = 0
		}
		n := m.with(id, files, &own)
		if !k.spark {
			n.prop, n.tag = numbered(now, n), n.head
		} else {
			k.hit(pPropBehind)
		}
		return n
	}
	s := swap{head: k.next.Head, tag: k.next.Tag, noHead: k.without == ruleHead, noTag: k.without == ruleTag, apply: all}
	if k.without == ruleTogether && !k.half {
		s.apply = func(m meta) meta { return m.with(id, append(m.live()[:len(m.live()):len(m.live())], f), nil) }
		if o, _ := k.try(s); o == Landed {
			k.half = true
		}
		return Step{Do: Look}
	}
	if k.without == ruleTogether {
		s.apply = func(m meta) meta {
			n := m.with(id, m.live(), &now)
			n.prop, n.tag = numbered(now, n), n.head
			return n
		}
	}
	return k.loop.Tried(k.try(s))
}

// ended looks whether the loop is at its end, and holds its answer against the truth.
func (k *worker) ended() error {
	if k.next == nil || k.loop == nil {
		return nil
	}
	switch k.next.Do {
	case Done:
		k.staged, k.loop, k.next, k.half = nil, nil, nil, false
	case Stop:
		return k.stopped(k.next.Err)
	}
	return nil
}

func (k *worker) stopped(err error) error {
	unknown := errors.Is(err, ErrUnknown)
	switch {
	case unknown:
		k.hit(pUnknown)
	case !errors.Is(err, ErrMoved) && k.loop.failures >= failures:
		k.hit(pGaveUp)
	}
	var rolled *RolledBackError
	switch {
	case errors.Is(err, ErrFenced):
		k.hit(pFenced)
	case errors.Is(err, ErrMoved):
		k.hit(pMoved)
		for _, s := range k.saw.view().Own {
			if s.Commit == k.id() {
				return fmt.Errorf("a worker was told of commit %s, which is in the table: %w", s.Commit, err)
			}
		}
	case errors.As(err, &rolled):
		k.hit(pRolledBack)
	}
	if !unknown { // nobody will ever refer to them
		delete(k.files, k.staged.id)
		k.hit(pDeleted)
	}
	k.begin()
	return nil
}

// decide is the human after a rollback.
func (k *worker) decide(snapshot Position) error {
	if k.r.IntN(4) > 0 {
		return nil
	}
	m := k.meta() // a human looks until the catalog answers
	v := m.view()
	at, ok := v.Settle()
	if ok {
		return nil
	}
	cur := at.Cursor
	keep := len(cur) == 0 || k.r.IntN(2) == 0
	if keep {
		cur = v.Property.Cursor
	}
	landed := k.human(m, true, cur)
	switch {
	case landed && keep:
		k.hit(pKept)
		k.gaps = append(k.gaps, missing(m, offsets(cur), k.gaps)...)
	case landed:
		k.hit(pFromTable)
	}
	return nil
}

// human commits a decision without rows.
func (k *worker) human(m meta, decided bool, to json.RawMessage) bool {
	l := NewLoop(Commit{ID: fmt.Sprint("human", k.newID()), Decided: decided, Advance: func(json.RawMessage) (json.RawMessage, error) { return to, nil }})
	s := l.Seen(m.view())
	if s.Do != Swap || k.meta().head != s.Head {
		return false
	}
	now := s.Now
	n := m.with(k.newID(), m.live(), &now)
	n.prop, n.tag = numbered(now, n), n.head
	k.put(n)
	return true
}

// accept is the human who takes note of a gap, or of another topic.
func (k *worker) accept(at Offsets, err error) error {
	var gap *GapError
	var other *IdentityError
	m := k.meta()
	p, ok := m.view().Settle()
	if !ok || string(p.Cursor) != string(cursor(at)) && len(p.Cursor) > 0 {
		return nil // an old look
	}
	next := Offsets{Cluster: k.topic.Cluster, Topic: k.topic.Name, TopicID: k.topic.ID, Next: maps.Clone(at.Next)}
	switch {
	case errors.As(err, &gap):
		for p, g := range gap.Gaps {
			next.Next[p] = g[1]
		}
		if k.human(m, false, cursor(next)) {
			k.hit(pGap)
			for p, g := range gap.Gaps {
				k.gaps = append(k.gaps, reach{k.topic.ID, p, g[0], g[1]})
			}
		}
	case errors.As(err, &other):
		next.Next = maps.Clone(k.topic.Starts)
		if k.human(m, false, cursor(next)) {
			k.hit(pIdentity)
			for p, start := range k.topic.Starts {
				k.gaps = append(k.gaps, reach{k.topic.ID, p, 0, start})
			}
		}
	default:
		return fmt.Errorf("nobody knows what to do: %w", err)
	}
	return nil
}

func numbered(p Position, m meta) Position {
	p.Number = m.last
	return p
}
