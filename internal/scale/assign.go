package scale

import "slices"

// assign gives each partition a worker of the team. A partition stays where it is, unless its worker has more than limit, or
// there is a worker with nothing to do.
func (v *view) assign(team []int, limit float64) []Assignment {
	if len(team) == 0 {
		return nil
	}
	a := &packing{v: v, team: team, weight: make([]float64, len(v.s.Partitions)), load: make([]float64, len(v.s.Workers)), has: make([][]int, len(v.s.Workers))}
	in := make([]bool, len(v.s.Workers))
	for _, w := range team {
		in[w] = true
	}
	var homeless []int
	for i := range v.s.Partitions {
		// Backlog counts, so that what is to be caught up spreads; the small constant spreads what is idle.
		p := &v.s.Partitions[i]
		a.weight[i] = v.weight(i) + p.Backlog/catchUp.Seconds()/4 + 1e-6
		if w := v.owner[i]; w >= 0 && in[w] {
			a.put(i, w)
		} else {
			homeless = append(homeless, i)
		}
	}
	slices.SortStableFunc(homeless, func(x, y int) int { return compare(a.weight[y], a.weight[x]) })
	for _, i := range homeless {
		a.put(i, a.emptiest())
	}
	a.even(limit)
	out := make([]Assignment, 0, len(team))
	for _, w := range team {
		ids := make([]int32, len(a.has[w]))
		for k, i := range a.has[w] {
			ids[k] = v.s.Partitions[i].ID
		}
		slices.Sort(ids)
		out = append(out, Assignment{v.s.Workers[w].ID, ids})
	}
	return out
}

func (v *view) weight(i int) float64 {
	if v.weights == nil {
		return v.s.Partitions[i].Arrival
	}
	return v.weights[i]
}

type packing struct {
	v      *view
	team   []int
	weight []float64
	load   []float64
	has    [][]int
}

func (a *packing) put(i, w int) {
	a.has[w] = append(a.has[w], i)
	a.load[w] += a.weight[i]
}

func (a *packing) emptiest() int {
	return slices.MinFunc(a.team, func(x, y int) int { return compare(a.load[x], a.load[y]) })
}

func (a *packing) fullest() int {
	best := -1
	for _, w := range a.team {
		if len(a.has[w]) > 1 && (best < 0 || a.load[w] > a.load[best]) {
			best = w
		}
	}
	return best
}

// even moves partitions from the fullest to the emptiest worker while that helps.
func (a *packing) even(limit float64) {
	var sum float64
	for _, w := range a.team {
		sum += a.load[w]
	}
	mean := sum / float64(len(a.team))
	for range a.v.s.Partitions {
		f := a.fullest()
		if f < 0 {
			return
		}
		e := a.emptiest()
		over := limit > 0 && a.load[f] > limit && a.load[f] > 1.1*mean
		if !over && a.load[e] > mean/2 || f == e {
			return
		}
		// The partition that brings the two closest together.
		gap, best := a.load[f]-a.load[e], -1
		for k, i := range a.has[f] {
			if w := a.weight[i]; w < gap && (best < 0 || far(w, gap/2) < far(a.weight[a.has[f][best]], gap/2)) {
				best = k
			}
		}
		if best < 0 {
			return
		}
		i := a.has[f][best]
		a.has[f] = slices.Delete(a.has[f], best, best+1)
		a.load[f] -= a.weight[i]
		a.put(i, e)
	}
}

func far(a, b float64) float64 { return max(a-b, b-a) }
