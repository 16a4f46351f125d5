package verify

import (
	"context"
	"fmt"
	"testing"

	"weir/internal/lake"
	"weir/internal/quarantine"
)

// stage is a table that others change between the looks at it.
type stage struct {
	*memTable
	look func() *memTable
	id   func() int64
}

func (s *stage) Plan(ctx context.Context) (lake.Plan, error) {
	now := s.look()
	s.memTable = now
	p, err := now.Plan(ctx)
	p.Snapshot = s.id()
	return p, err
}

// A message is replayed while the proof looks: whenever the two commits of it come, it is there once. It may still count as
// quarantined, or already as a row.
func TestAReplayUnderTheProof(t *testing.T) {
	all := sent()
	i := find(all, 1, 7)
	one := all[i]
	with := tableOf(t, all)
	rest := append(append([]row{}, all[:i]...), all[i+1:]...)
	without := tableOf(t, rest)
	refused, empty := refusedOf(one), refusedOf()
	at := quarantine.Positions{{Topic: "orders", Partition: one.partition, Offset: one.offset}: true}
	const looks = 12
	rows := 0
	for decided := range looks {
		for cut := decided; cut < looks; cut++ {
			n := 0
			tick := func() int { n++; return n - 1 }
			phase := func() int { // 0 before the replay, 1 between its commits, 2 after
				switch k := tick(); {
				case k < decided:
					return 0
				case k < cut:
					return 1
				}
				return 2
			}
			var last int
			table := &stage{memTable: with, look: func() *memTable {
				if last = phase(); last == 0 {
					return without
				}
				return with
			}, id: func() int64 { return int64(1 + last) }}
			q := &stage{memTable: refused, look: func() *memTable {
				if last = phase(); last == 2 {
					return empty
				}
				return refused
			}, id: func() int64 { return int64(1 + last/2) }}
			o := Options{Claim: claim(t), Table: table, Quarantine: q, Workers: 2, Moving: func(context.Context) (quarantine.Positions, int64, error) {
				switch phase() {
				case 0:
					return nil, 0, nil
				case 1:
					return at, 1, nil
				}
				return nil, 1, nil
			}}
			r, err := Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if r.Lost != 0 || r.Doubled != 0 || r.Rows+r.Quarantined != 1200 {
				t.Errorf("decided at look %d, out of the quarantine at look %d: %d rows, %d quarantined, lost %d, doubled %d", decided, cut, r.Rows, r.Quarantined, r.Lost, r.Doubled)
			}
			rows += int(r.Quarantined)
		}
	}
	if rows == 0 {
		t.Error("no proof saw the message in the quarantine")
	}
}

// A discarded message is named as such; one whose discard is on its way still counts as quarantined.
func TestADiscardedMessageIsNotLost(t *testing.T) {
	all := sent()
	i := find(all, 1, 7)
	one := all[i]
	rest := tableOf(t, append(append([]row{}, all[:i]...), all[i+1:]...))
	for _, c := range []struct {
		q    *memTable
		want string
	}{{refusedOf(), "lost 0 quarantined 0 discarded 1"}, {refusedOf(one), "lost 0 quarantined 1 discarded 0"}} {
		r, err := Run(t.Context(), Options{Claim: claim(t), Table: rest, Quarantine: c.q, Discarded: refusedOf(one)})
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("lost %d quarantined %d discarded %d", r.Lost, r.Quarantined, r.Discarded); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}
