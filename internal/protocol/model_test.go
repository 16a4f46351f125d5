package protocol

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

var seeds = flag.Int("seeds", 500, "histories of the model that are tried; from 10,000 on also the rare ones")

// missing are the positions below a cursor that neither a file nor an accepted gap holds; of the topic of the cursor.
func missing(m meta, at Offsets, gaps []reach) []reach {
	var out []reach
	for p, next := range at.Next {
		pos := int64(0)
		for _, r := range held(m, at.TopicID, p, gaps) {
			if to := min(r.from, next); to > pos {
				out = append(out, reach{at.TopicID, p, pos, to})
			}
			pos = max(pos, r.to)
		}
		if pos < next {
			out = append(out, reach{at.TopicID, p, pos, next})
		}
	}
	return out
}

func held(m meta, topic string, p int32, gaps []reach) []reach {
	var all []reach
	for _, f := range m.live() {
		for _, r := range f.holds {
			if r.topic == topic && r.p == p {
				all = append(all, r)
			}
		}
	}
	for _, r := range gaps {
		if r.topic == topic && r.p == p {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b reach) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	return all
}

// check holds a state of the table against the invariants.
func (w *world) check(m meta) error {
	for _, f := range m.live() {
		if !w.files[f.id] {
			return fmt.Errorf("file %d is in the table and not in the storage", f.id)
		}
	}
	at, ok := m.view().Settle()
	o := offsets(at.Cursor)
	if !ok || o.TopicID == "" {
		return nil
	}
	for p := range w.topic.Ends {
		if _, ok := o.Next[p]; !ok { // a human went back to before the job knew it
			delete(w.begun, fmt.Sprint(o.TopicID, p))
		}
	}
	for p, next := range o.Next {
		pos := int64(0)
		w.begins(m, o.TopicID, p, next)
		for _, r := range held(m, o.TopicID, p, nil) {
			if r.from < pos {
				return fmt.Errorf("positions %d to %d of partition %d are twice in the table", r.from, pos, p)
			}
			pos = r.to
		}
		if pos > next {
			return fmt.Errorf("partition %d: rows up to %d are in the table, its cursor is %d", p, pos, next)
		}
	}
	if gone := missing(m, o, w.gaps); len(gone) > 0 {
		return fmt.Errorf("lost: %+v; the cursor is %v", gone[0], o.Next)
	}
	return nil
}

// begins notes where a partition began: what was gone before the job first saw it is no loss.
func (w *world) begins(m meta, topic string, p int32, next int64) {
	key := fmt.Sprint(topic, p)
	if w.begun[key] {
		return
	}
	w.begun[key] = true
	if h := held(m, topic, p, nil); len(h) > 0 {
		next = h[0].from
	}
	if next > 0 {
		w.gaps = append(w.gaps, reach{topic, p, 0, next})
	}
}

// history runs one seed; nil if all invariants held.
func history(seed uint64, without rule, points map[point]int) error {
	r := rand.New(rand.NewPCG(seed, 7)) //nolint:gosec // a test's
	w := &world{r: r, begun: map[string]bool{}, without: without, files: map[int]bool{}, points: points, metas: []meta{{snaps: map[int64]snap{}}}}
	w.makeTopic(1 + r.IntN(3))
	for i := range 1 + r.IntN(4) { // some share partitions by mistake, some do not
		n, alone := int32(1+r.IntN(3)), r.IntN(2) == 0
		w.workers = append(w.workers, &worker{world: w, spark: r.IntN(8) == 0, reads: func(p int32) bool { return alone || p%n == int32(i)%n }})
	}
	w.workers[0].reads, w.workers[0].spark = func(int32) bool { return true }, false
	checked := 0
	steps := 150 + r.IntN(250)
	for i := range steps + 4000 {
		w.quiet = i >= steps
		w.tick()
		if !w.quiet {
			w.others()
		}
		k := w.workers[0]
		if !w.quiet {
			k = w.workers[r.IntN(len(w.workers))]
		}
		if err := errors.Join(k.step(), w.wrong); err != nil {
			return err
		}
		for ; checked < len(w.metas); checked++ {
			m := w.metas[checked]
			if err := w.check(m); err != nil {
				return err
			}
		}
		if w.quiet && w.caughtUp() {
			return nil
		}
	}
	return fmt.Errorf("after the faults had ended it did not catch up: %+v of %+v", w.meta().prop, w.topic)
}

func (w *world) caughtUp() bool {
	at, ok := w.meta().view().Settle()
	o := offsets(at.Cursor)
	if !ok || o.TopicID != w.topic.ID {
		return false
	}
	for p, end := range w.topic.Ends {
		if o.Next[p] != end {
			return false
		}
	}
	return true
}

// Model: each seed is a history of workers, zombies, foreign writers and humans over a catalog that refuses, loses answers, is late, stale, and
// lies; after each state of the table nothing is lost, doubled or deleted, and once the faults end the job catches up.
func TestModel(t *testing.T) {
	points := map[point]int{}
	for seed := range uint64(*seeds) {
		if err := history(seed, 0, points); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	for _, p := range []point{
		pConflict, pSpurious, pNotApplied, pApplied, pLate, pTooLate, pLie, pStale, pBlind, pFound, pFoundAgain, pMoved, pFenced, pUnknown, pGaveUp,
		pRolledBack, pFromTable, pKept, pCompacted, pExpired, pGap, pIdentity, pZombie, pPropBehind, pDeleted, pCrashStaged,
	} {
		if points[p] < max(1, 50**seeds/10_000) {
			t.Errorf("%d times: %s", points[p], p)
		}
		t.Logf("%9d  %s", points[p], p)
	}
}

// Each rule is needed: without it some history does harm.
func TestModelWithoutARule(t *testing.T) {
	for r, what := range map[rule]string{
		ruleOwnID: "own id", ruleHead: "head", ruleTag: "tag", ruleAgain: "again", ruleStart: "start", ruleFence: "fence", ruleHistory: "history", ruleProp: "property", ruleUnclear: "unclear",
		ruleWhole: "whole map", ruleIdentity: "identity", ruleGap: "gap", ruleTogether: "one swap",
	} {
		t.Run(what, func(t *testing.T) {
			if r == ruleAgain && *seeds < 10_000 {
				t.Skip("it takes thousands of histories: make test-protocol")
			}
			for seed := range uint64(10_000) {
				if err := history(seed, r, map[point]int{}); err != nil {
					t.Logf("seed %d: %v", seed, err)
					return
				}
			}
			t.Error("no harm was found without it")
		})
	}
}
