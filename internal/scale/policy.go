package scale

import (
	"slices"
	"time"
)

// A Policy remembers what earlier checks saw. Used by one goroutine at a time.
type Policy struct {
	cfg     Config
	demand  demand
	health  health
	n       int       // workers wanted
	changed time.Time // when n last changed
	wanted  []want    // what was wanted since, the oldest first: at most Keep long, decreasing
	trial   *trial    // the last step up, until it has proven itself
	ceiling int       // after a step that did not help: no more than this …
	until   time.Time // … before then
}

type want struct {
	at time.Time
	n  int
}

// New makes a policy that starts with the least workers.
func New(c Config) *Policy {
	c = c.withDefaults()
	return &Policy{cfg: c, n: c.Min, demand: demand{mu: c.Capacity, correction: 1}, health: health{slots: map[string]*slot{}, strikes: map[string]int{}}}
}

// Decide takes the newest signals.
func (p *Policy) Decide(s Signals) Decision {
	d := Decision{}
	if len(s.Partitions) == 0 {
		d.Wanted, d.Reason = p.n, "no partitions are known yet"
		return d
	}
	v := look(s, p.health.gone(s, p.cfg))
	p.demand.see(v, p.cfg)
	d.Stop = p.health.check(v)
	d.Excluded = p.health.excluded(s.At)

	before := p.n
	verdict, reason := p.want(v, len(d.Excluded))
	d.Wanted, d.Step, d.Verdict, d.Reason = p.n, p.n != before, verdict, reason
	if d.Step {
		p.changed = s.At
	}

	team, starting := v.team(d.Stop)
	surplus := len(team) + starting - p.n
	if surplus > 0 {
		// New workers that are not ready are left alone: a later check stops whom nobody needs.
		idle := min(surplus, max(0, len(team)-1))
		slices.SortStableFunc(team, func(a, b int) int { return compare(v.load[a], v.load[b]) })
		for _, w := range team[:idle] {
			d.Stop = append(d.Stop, Stop{Worker: s.Workers[w].ID, How: Drain, Reason: "fewer workers are needed"})
		}
		team = team[idle:]
		slices.Sort(team)
	}
	d.Start = max(0, -surplus)
	d.Assign = v.assign(team, p.demand.limit())
	return d
}

// want moves n and says why.
func (p *Policy) want(v *view, excluded int) (Verdict, string) {
	at := v.s.At
	steady, raw := p.demand.workers(v)
	if _, starting := v.team(nil); starting > 0 { // the backlog that grows meanwhile is theirs
		raw = max(steady, min(raw, p.n))
	}
	most := len(v.s.Partitions)
	if p.cfg.Max > 0 {
		most = min(most, max(p.cfg.Max-excluded, 1))
	}
	if at.Before(p.until) {
		most = min(most, p.ceiling)
	}
	n := min(max(raw, p.cfg.Min), most)
	steady = min(max(steady, p.cfg.Min), most)

	if t := p.trial; t != nil {
		switch t.verdict(v, p.demand) {
		case failed:
			p.trial = nil
			p.ceiling, p.until = max(t.from, p.cfg.Min), at.Add(p.cfg.Keep)
			old := p.n
			p.n, p.wanted = p.ceiling, nil
			return Downstream, sayBack(old, p.n, t, p.demand)
		case proven:
			p.trial = nil
		}
	}
	if p.demand.blocked > 0.5 && p.demand.age > late {
		return Downstream, sayDownstream(p.n, p.demand)
	}
	p.demand.correct(at, p.changed, n < most)
	// What a backlog asks for goes with the backlog; what arrives may come again.
	p.wanted = remember(p.wanted, want{at, steady}, p.cfg.Keep)

	was := p.n
	switch {
	case n > p.n && (float64(n-p.n) > stepUp*float64(p.n) || p.demand.age > urgent):
		if p.trial == nil {
			p.trial = &trial{from: p.n, at: at, rate: p.demand.rate}
		}
		p.n = n
		p.trial.to = n
	case p.n > most:
		p.n = most
	case p.demand.age > late && p.trial != nil: // nobody goes while records are late and who came for them may not even read yet
	default:
		if m := max(n, p.wanted[0].n); m < p.n && (float64(p.n-m) > stepDown*float64(p.n) || m == p.cfg.Min) {
			p.n, p.trial = m, nil
		}
	}
	if hot := p.demand.hot; hot >= 0 {
		return Hot, sayHot(v.s.Partitions[hot].ID, p.demand.weights[hot], p.demand.mu)
	}
	return None, sayWanted(was, p.n, raw, len(v.s.Partitions), p)
}

// remember keeps what was wanted within the last while as a falling row, so that its first is the highest.
func remember(row []want, w want, keep time.Duration) []want {
	for len(row) > 0 && row[len(row)-1].n <= w.n {
		row = row[:len(row)-1]
	}
	row = append(row, w)
	for w.at.Sub(row[0].at) > keep {
		row = row[1:]
	}
	return row
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
