package scale

import "slices"

// view is one check's signals, indexed: workers and partitions by their place in the signals.
type view struct {
	s     Signals
	owner []int // of each partition: its worker, -1 if it has none that lives
	many  []int // of each worker: how many partitions it has
	load  []float64
	lost  map[string]string // workers that are out of the game, and why

	weights []float64 // of each partition, as demand has averaged them
}

func look(s Signals, lost map[string]string) *view {
	v := &view{s: s, owner: make([]int, len(s.Partitions)), many: make([]int, len(s.Workers)), load: make([]float64, len(s.Workers)), lost: lost}
	for i := range v.owner {
		v.owner[i] = -1
	}
	for w := range s.Workers {
		if _, out := lost[s.Workers[w].ID]; out {
			continue
		}
		for _, id := range s.Workers[w].Holds {
			if i := v.place(id); i >= 0 && v.owner[i] < 0 {
				v.owner[i] = w
				v.many[w]++
			}
		}
	}
	return v
}

// place finds a partition: mostly its id is its place.
func (v *view) place(id int32) int {
	if i := int(id); i >= 0 && i < len(v.s.Partitions) && v.s.Partitions[i].ID == id {
		return i
	}
	return slices.IndexFunc(v.s.Partitions, func(p Partition) bool { return p.ID == id })
}

// team are the ready workers that go on, and how many more are starting.
func (v *view) team(stop []Stop) (team []int, starting int) {
	for w := range v.s.Workers {
		k := &v.s.Workers[w]
		if _, out := v.lost[k.ID]; out || slices.ContainsFunc(stop, func(x Stop) bool { return x.Worker == k.ID }) {
			continue
		}
		switch k.State {
		case Ready:
			team = append(team, w)
		case Starting:
			starting++
		}
	}
	return team, starting
}
