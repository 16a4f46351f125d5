package search

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Shape of a search.
const (
	factor = 2.0 // of a step up
	// The checks beside the edge. Below: where nothing was tried between these shares of the capacity, one trial is made in their
	// midst. Above: where nothing else failed between these multiples of the lowest rate not kept; then that one may have been
	// disturbed, and all that was tried since lay under it.
	belowFrom, belowAt, belowTo = 0.7, 0.85, 0.95
	aboveAt, aboveTo            = 1.12, 1.25
	// doubts: a rate that was not kept below one that was may have so many times the trials.
	doubts = 2
	// blur: rates nearer than so many precisions that contradict each other are an edge that is not sharp, no hole below it.
	blur = 2
	// mostInvalid trials of a rate end the search, if they are more than its others.
	mostInvalid = 2
)

// a point is a rate with what its trials said.
type point struct {
	rate               float64
	kept, not, invalid int
}

// is is what the trials say so far; a draw is not kept.
func (p point) is() Outcome {
	switch {
	case p.kept > p.not:
		return Kept
	case p.not > 0:
		return NotKept
	}
	return Invalid
}

// settled: further trials of so many in all cannot change what it is.
func (p point) settled(repeats int) bool {
	return max(p.kept, p.not) > repeats/2 || p.kept+p.not >= repeats
}

// unanimous: no trial said otherwise.
func (p point) unanimous() bool { return p.kept == 0 || p.not == 0 }

// points are the rates that were tried, the lowest first.
func points(trials []Trial) []point {
	var all []point
	for _, t := range trials {
		i, known := slices.BinarySearchFunc(all, t.Rate, func(p point, rate float64) int {
			switch {
			case p.rate < rate:
				return -1
			case p.rate > rate:
				return 1
			}
			return 0
		})
		if !known {
			all = slices.Insert(all, i, point{rate: t.Rate})
		}
		switch t.Outcome {
		case Kept:
			all[i].kept++
		case NotKept:
			all[i].not++
		default:
			all[i].invalid++
		}
	}
	return all
}

// picture is what the trials show together.
type picture struct {
	all    []point
	lo, hi *point  // the edge: hi is the lowest rate not kept, lo the highest kept below it; nil if there is none
	above  []point // kept although hi, below them, was not
}

func look(trials []Trial) picture {
	p := picture{all: points(trials)}
	for i := range p.all {
		switch x := &p.all[i]; {
		case x.is() == NotKept && p.hi == nil:
			p.hi = x
		case x.is() == Kept && p.hi == nil:
			p.lo = x
		case x.is() == Kept:
			p.above = append(p.above, *x)
		}
	}
	return p
}

// Bracket is what trials have shown so far: the lowest rate that was not kept, and the highest below it that was; 0: there is none.
func Bracket(trials []Trial) (kept, notKept float64) {
	p := look(trials)
	if p.lo != nil {
		kept = p.lo.rate
	}
	if p.hi != nil {
		notKept = p.hi.rate
	}
	return kept, notKept
}

// Next says what to try after the trials that were made, or the result if that was all.
func (c Config) Next(trials []Trial) (Step, *Result) {
	p := look(trials)
	for _, x := range p.all {
		if x.invalid >= mostInvalid && x.invalid > x.kept+x.not {
			return Step{}, c.result(Generator, p, trials)
		}
	}
	step, verdict := c.next(p, trials)
	if verdict != "" {
		return Step{}, c.result(verdict, p, trials)
	}
	if len(trials) >= c.MaxTrials || c.spent(trials)+c.cost(trials) > c.MaxTime {
		verdict = Inconclusive
		if c.narrow(p) { // what is left would have told how certain it is
			verdict = Found
		}
		return Step{}, c.result(verdict, p, trials)
	}
	return step, nil
}

func (c Config) next(p picture, trials []Trial) (Step, Verdict) {
	if n := len(trials); n > 0 && trials[n-1].Outcome == Invalid {
		return Step{trials[n-1].Rate, Again}, ""
	}
	if len(p.above) > 0 {
		if !p.hi.settled(doubts * c.Repeats) {
			return Step{p.hi.rate, Doubt}, ""
		}
		if x := p.above[0]; !x.settled(c.Repeats) {
			return Step{x.rate, DoubtHigh}, ""
		}
	}
	switch {
	case len(p.all) == 0:
		return Step{c.From, Up}, ""
	case p.hi == nil:
		return c.up(*p.lo)
	case !c.narrow(p) && p.lo != nil:
		return Step{tidy(math.Sqrt(p.lo.rate * p.hi.rate)), Bisect}, ""
	case p.lo != nil && !p.lo.settled(c.Repeats) && (p.hi.settled(c.Repeats) || p.lo.kept+p.lo.not <= p.hi.kept+p.hi.not):
		return Step{p.lo.rate, Edge}, ""
	case !p.hi.settled(c.Repeats):
		return Step{p.hi.rate, Edge}, ""
	case c.lonely(p):
		return Step{min(c.To, tidy(aboveAt*p.hi.rate)), Above}, ""
	case p.lo == nil:
		return Step{}, None
	}
	return c.below(p)
}

// lonely: no other rate near the lowest one that was not kept has failed, or was tried above it at all.
func (c Config) lonely(p picture) bool {
	return p.hi.rate < c.To && !slices.ContainsFunc(p.all, func(x point) bool { return x.rate > p.hi.rate && x.rate <= aboveTo*p.hi.rate && x.is() != Invalid })
}

// up goes on from the highest rate kept.
func (c Config) up(lo point) (Step, Verdict) {
	switch {
	case lo.rate < c.To:
		return Step{min(c.To, tidy(lo.rate*factor)), Up}, ""
	case !lo.settled(c.Repeats):
		return Step{lo.rate, Edge}, ""
	}
	return Step{}, AtLeast
}

// below looks once for a hole under the edge, where nothing was tried near it.
func (c Config) below(p picture) (Step, Verdict) {
	from, to := belowFrom*p.lo.rate, belowTo*p.lo.rate
	if slices.ContainsFunc(p.all, func(x point) bool { return x.rate >= from && x.rate <= to }) || belowAt*p.lo.rate <= c.From {
		return Step{}, Found
	}
	return Step{tidy(belowAt * p.lo.rate), Below}, ""
}

// narrow reports that the edge is known well enough. It is twice as narrow as the precision, so that an edge that is taken for its
// neighbour is still within it.
func (c Config) narrow(p picture) bool {
	return p.lo != nil && p.hi != nil && p.hi.rate/p.lo.rate <= 1+c.Precision/2
}

func (c Config) spent(trials []Trial) (sum time.Duration) {
	for _, t := range trials {
		sum += t.Took
	}
	return sum
}

// cost is what the next trial will probably take.
func (c Config) cost(trials []Trial) time.Duration {
	if len(trials) == 0 {
		return c.Trial
	}
	return max(c.Trial, c.spent(trials)/time.Duration(len(trials)))
}

// tidy rounds to four digits.
func tidy(rate float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(rate))-3)
	if unit < 1 {
		inverse := math.Round(1 / unit)
		return math.Round(rate*inverse) / inverse
	}
	return math.Round(rate/unit) * unit
}

func (c Config) result(v Verdict, p picture, trials []Trial) *Result {
	r := &Result{Verdict: v, Trials: trials, Monotone: true, Spent: c.spent(trials)}
	for _, x := range p.all {
		if x.is() == Kept {
			r.HighestKept = x.rate
		}
	}
	if p.hi != nil {
		r.LowestNotKept = p.hi.rate
	}
	if v == Found {
		r.Capacity = p.lo.rate
	}
	r.Confidence, r.Reasons = High, []string{}
	doubt := func(to Confidence, format string, args ...any) {
		if to == Low || r.Confidence == High {
			r.Confidence = to
		}
		r.Reasons = append(r.Reasons, fmt.Sprintf(format, args...))
	}
	c.contradictions(p, r, doubt)
	for _, x := range []*point{p.lo, p.hi} {
		switch {
		case x == nil:
		case !x.settled(c.Repeats):
			doubt(Low, "%.6g/s was tried %s only", x.rate, times(x.kept+x.not))
		case !x.unanimous():
			doubt(Medium, "%.6g/s was kept in %d of %d trials", x.rate, x.kept, x.kept+x.not)
		case v == Found || v == AtLeast || v == None:
			r.Reasons = append(r.Reasons, fmt.Sprintf("%.6g/s was kept in %d of %d trials", x.rate, x.kept, x.kept+x.not))
		}
	}
	switch v {
	case Inconclusive:
		doubt(Low, "trials or time are used up (%d trials, %v)", len(trials), r.Spent.Round(time.Second))
	case Generator:
		doubt(Low, "at %.6g/s the generator is the limit", trials[len(trials)-1].Rate)
	default:
		if n := invalid(trials); n > 0 {
			doubt(Medium, "%s did not count, as the generator was late", plural(n, "trial"))
		}
		if c.Repeats == 1 {
			doubt(Medium, "no trial was repeated")
		}
	}
	return r
}

// contradictions are rates that were kept above one that was not.
func (c Config) contradictions(p picture, r *Result, doubt func(Confidence, string, ...any)) {
	var far *point
	for i, x := range p.above {
		if x.rate > p.hi.rate*(1+blur*c.Precision) {
			far = &p.above[i]
		}
	}
	switch {
	case far != nil:
		r.Monotone = false
		doubt(Low, "the target is not monotone: %.6g/s was kept (%d of %d), the lower %.6g/s was not (%d of %d)", far.rate, far.kept, far.kept+far.not, p.hi.rate, p.hi.kept, p.hi.kept+p.hi.not)
	case len(p.above) > 0:
		doubt(Medium, "the edge is not sharp: %.6g/s was kept, %.6g/s was not", p.above[len(p.above)-1].rate, p.hi.rate)
	}
}

func invalid(trials []Trial) (n int) {
	for _, t := range trials {
		if t.Outcome == Invalid {
			n++
		}
	}
	return n
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
