package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
)

// world is a table in a catalog that misbehaves, a topic, and everybody who works on them. One seed is one history: there are no
// goroutines, each actor makes one step at a time, and the clock is the number of steps.
type world struct {
	r       *rand.Rand
	without rule
	quiet   bool // the faults are over
	now     int
	outage  int // until then the catalog makes no swap

	topic   Topic
	made    int           // topics so far
	metas   []meta        // every state of the table that a catalog has had, newest last
	files   map[int]bool  // in the storage
	gaps    []reach       // that a human has accepted
	late    []swap        // taken by the catalog, not applied yet
	points  map[point]int // what has happened
	nextID  int64
	workers []*worker
	begun   map[string]bool // partitions of topics that the job has seen
	wrong   error           // seen by an actor
}

// reach is [from, to) of a partition of a topic.
type reach struct {
	topic    string
	p        int32
	from, to int64
}

type file struct {
	id    int
	holds []reach
}

type snap struct {
	id, parent int64
	number     int64
	files      []file // all that are live
	own        *Position
}

// meta is one state of the table's metadata; it never changes.
type meta struct {
	head  int64
	snaps map[int64]snap
	prop  Position
	last  int64 // sequence number; it never goes back
	tag   int64
}

type swap struct {
	head, tag     int64 // must be these
	noHead, noTag bool  // are not compared
	apply         func(meta) meta
	due           int
}

type point string

// The points that a run of all seeds must have reached often.
const (
	pConflict    point = "a swap lost against another one"
	pSpurious    point = "the catalog refused for no reason"
	pNotApplied  point = "an error, and the swap was not applied"
	pApplied     point = "an error, and the swap was applied"
	pLate        point = "an error, and the swap was applied later"
	pTooLate     point = "an error, and the swap came too late"
	pLie         point = "the catalog claimed a swap that it had not made"
	pStale       point = "a look showed an old state"
	pBlind       point = "a look failed"
	pFound       point = "a lost answer was found by the commit's id"
	pFoundAgain  point = "a new run found the commit of the one before"
	pMoved       point = "another worker had moved the cursor"
	pFenced      point = "an old run was fenced"
	pUnknown     point = "a commit ended with its result unknown"
	pGaveUp      point = "a commit gave up on a head that stayed"
	pRolledBack  point = "a rollback was seen"
	pFromTable   point = "a human went on from the table"
	pKept        point = "a human kept the cursor"
	pCompacted   point = "somebody compacted"
	pExpired     point = "all snapshots of the job were expired"
	pGap         point = "messages behind the cursor were gone"
	pIdentity    point = "the topic was made again"
	pZombie      point = "a worker slept through commits of others"
	pPropBehind  point = "a commit that did not set the property"
	pDeleted     point = "files of a refused commit were deleted"
	pCrashStaged point = "a worker died with files staged"
)

func (w *world) hit(p point) { w.points[p]++ }

func (w *world) fault(percent int) bool { return !w.quiet && w.r.IntN(100) < percent }

func (w *world) meta() meta { return w.metas[len(w.metas)-1] }

func (s swap) fits(m meta) bool { return (s.noHead || m.head == s.head) && (s.noTag || m.tag == s.tag) }

// try is the catalog's swap.
func (w *world) try(s swap) (Outcome, error) {
	fits := s.fits(w.meta())
	down := w.now < w.outage && !w.quiet
	if !down && w.fault(2) {
		w.outage = w.now + w.r.IntN(250)
	}
	switch {
	case w.fault(3) || down && w.r.IntN(2) == 0:
		w.hit(pSpurious)
		return Refused, errors.New("conflict")
	case w.fault(3) || down:
		w.hit(pNotApplied)
		return Unclear, errors.New("timeout")
	case w.fault(3):
		s.due = w.now + w.r.IntN(40)
		w.late = append(w.late, s)
		return Unclear, errors.New("gateway timeout")
	case !fits:
		w.hit(pConflict)
		return Refused, errors.New("requirement failed")
	case w.fault(2):
		w.hit(pLie)
		return Landed, nil
	}
	w.put(s.apply(w.meta()))
	if w.fault(6) {
		w.hit(pApplied)
		return Unclear, errors.New("connection reset")
	}
	return Landed, nil
}

func (w *world) put(m meta) { w.metas = append(w.metas, m) }

// tick applies what the catalog had put off.
func (w *world) tick() {
	w.now++
	w.late = slices.DeleteFunc(w.late, func(s swap) bool {
		if s.due > w.now && !w.quiet {
			return false
		}
		if !s.fits(w.meta()) {
			w.hit(pTooLate)
			return true
		}
		w.hit(pLate)
		w.put(s.apply(w.meta()))
		return true
	})
}

// look is a load of the table.
func (w *world) look() (meta, error) {
	if w.fault(3) {
		w.hit(pBlind)
		return meta{}, errors.New("no answer")
	}
	if n := len(w.metas); n > 1 && w.fault(4) {
		w.hit(pStale)
		return w.metas[max(0, n-2-w.r.IntN(3))], nil
	}
	return w.meta(), nil
}

func (m meta) view() View {
	v := View{Head: m.head, Property: m.prop, Complete: true, Last: m.last, Tag: m.tag}
	for id := m.head; id != 0; {
		s, ok := m.snaps[id]
		if !ok {
			v.Complete = false
			break
		}
		v.Oldest = s.number
		if s.own != nil {
			v.Own = append(v.Own, Snapshot{ID: s.id, Position: *s.own})
		}
		id = s.parent
	}
	return v
}

// with is the state after a snapshot is put on the head.
func (m meta) with(id int64, files []file, own *Position) meta {
	n := meta{head: id, snaps: maps.Clone(m.snaps), prop: m.prop, last: m.last + 1, tag: m.tag}
	n.snaps[id] = snap{id: id, parent: m.head, number: n.last, files: files, own: own}
	return n
}

func (m meta) live() []file { return m.snaps[m.head].files }

func offsets(c json.RawMessage) Offsets {
	var o Offsets
	if len(c) > 0 {
		if err := json.Unmarshal(c, &o); err != nil {
			panic(err)
		}
	}
	return o
}

func cursor(o Offsets) json.RawMessage {
	b, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return b
}

// others are everybody who is no worker of the job.
func (w *world) others() {
	switch n := w.r.IntN(400); {
	case n < 120: // producers
		p := int32(w.r.IntN(len(w.topic.Ends)))
		w.topic.Ends[p] += int64(1 + w.r.IntN(20))
	case n < 140:
		w.compact()
	case n < 155:
		w.expire()
	case n < 158:
		w.rollBack()
	case n < 160: // retention
		p := int32(w.r.IntN(len(w.topic.Ends)))
		w.topic.Starts[p] = min(w.topic.Ends[p], w.topic.Starts[p]+int64(w.r.IntN(30)))
	case n < 161 && w.made < 3:
		w.makeTopic(len(w.topic.Ends))
	case n < 162 && len(w.topic.Ends) < 4:
		p := int32(len(w.topic.Ends))
		w.topic.Starts[p], w.topic.Ends[p] = 0, 0
	}
}

func (w *world) makeTopic(partitions int) {
	w.made++
	w.topic = Topic{Cluster: "c", Name: "t", ID: fmt.Sprint("topic", w.made), Starts: map[int32]int64{}, Ends: map[int32]int64{}}
	for p := range int32(partitions) {
		w.topic.Starts[p], w.topic.Ends[p] = 0, int64(w.r.IntN(30))
	}
}

// compact puts one file in the place of all; foreign engines keep neither summary nor order.
func (w *world) compact() {
	m := w.meta()
	if len(m.live()) == 0 {
		return
	}
	one := file{id: w.newFile()}
	for _, f := range m.live() {
		one.holds = append(one.holds, f.holds...)
	}
	w.hit(pCompacted)
	w.put(m.with(w.newID(), []file{one}, nil))
}

// expire keeps the newest one to four ancestors of the head and deletes the files that nothing refers to any more. It waits
// where the package's limits say that it must.
func (w *world) expire() {
	m := w.meta()
	if at, ok := m.view().Settle(); !ok || at.Commit != m.prop.Commit {
		return
	}
	n := meta{head: m.head, snaps: map[int64]snap{}, prop: m.prop, last: m.last, tag: m.tag}
	if s, ok := m.snaps[m.tag]; ok {
		n.snaps[m.tag] = s
	}
	for id, left := m.head, 1+w.r.IntN(4); id != 0 && left > 0; left-- {
		s, ok := m.snaps[id]
		if !ok {
			break
		}
		n.snaps[id] = s
		id = s.parent
	}
	if v := n.view(); len(v.Own) == 0 && v.Property.Commit != "" {
		w.hit(pExpired)
	}
	used := map[int]bool{}
	for _, s := range n.snaps {
		for _, f := range s.files {
			used[f.id] = true
		}
	}
	for _, s := range m.snaps {
		for _, f := range s.files {
			if !used[f.id] {
				delete(w.files, f.id)
			}
		}
	}
	w.put(n)
}

// rollBack sets the head to an ancestor, as a human with Spark does.
func (w *world) rollBack() {
	m := w.meta()
	parent, ok := m.snaps[m.snaps[m.head].parent]
	if !ok {
		return
	}
	m.head = parent.id
	w.put(m)
}

func (w *world) newID() int64 {
	w.nextID++
	return w.nextID
}

func (w *world) newFile() int {
	id := int(w.newID())
	w.files[id] = true
	return id
}
