package search

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// a target answers trial i at a rate. It must give the same answer to the same question.
type target func(rate float64, i int) Trial

func config() Config {
	return Config{From: 100, To: 1e6, Precision: 0.05, Repeats: 3, MaxTrials: 60, MaxTime: time.Hour, Trial: 20 * time.Second}
}

// find makes trials until there is a result.
func find(t testing.TB, c Config, ask target, made ...Trial) *Result {
	t.Helper()
	for {
		step, r := c.Next(made)
		if r != nil {
			return r
		}
		if step.Rate < c.From || step.Rate > c.To {
			t.Fatalf("%+v lies outside of %g to %g", step, c.From, c.To)
		}
		x := ask(step.Rate, len(made))
		x.Rate, x.Phase, x.Took = step.Rate, step.Phase, c.Trial
		if made = append(made, x); len(made) > c.MaxTrials {
			t.Fatalf("more than %d trials", c.MaxTrials)
		}
	}
}

func answer(kept bool) Trial {
	if kept {
		return Trial{Outcome: Kept}
	}
	return Trial{Outcome: NotKept, Reason: "p99 200ms, not <100ms"}
}

func sharp(capacity float64) target {
	return func(rate float64, _ int) Trial { return answer(rate <= capacity) }
}

func chance(seed, i int) *rand.Rand { return rand.New(rand.NewPCG(uint64(seed), uint64(i))) }

// queue is a server that takes mu messages/s with exponential times, asked at random moments (M/M/1): the response times of a trial
// are worked out in the queue's own time. Its 99th percentile is ln 100 / (mu - rate) in the long run.
func queue(t testing.TB, mu float64, slo SLO, seed int) target {
	return func(rate float64, i int) Trial {
		r := chance(seed, i)
		const warmup, length = 5.0, 20.0
		var at, free float64
		var responses []float64
		for at < warmup+length {
			at += r.ExpFloat64() / rate
			free = max(free, at) + r.ExpFloat64()/mu
			if at > warmup {
				responses = append(responses, 1000*(free-at))
			}
		}
		slices.Sort(responses)
		values := map[string]float64{"p99": responses[len(responses)*99/100], "errors": 0}
		x := Trial{Outcome: Kept, Values: values, Reason: slo.Broken(values)}
		if x.Reason != "" {
			x.Outcome = NotKept
		}
		return x
	}
}

func TestTheCapacityOfAKnownTargetIsFound(t *testing.T) {
	slo, err := ParseSLO("p99<100ms")
	if err != nil {
		t.Fatal(err)
	}
	for name, make := range map[string]func(seed int, r *rand.Rand) (target, float64){
		"a sharp limit": func(_ int, r *rand.Rand) (target, float64) {
			c := 100 * math.Exp(7*r.Float64())
			return sharp(c), c
		},
		"a queue": func(seed int, r *rand.Rand) (target, float64) {
			mu := 300 + 900*r.Float64()
			return queue(t, mu, slo, seed), mu - math.Log(100)/0.1
		},
		"a machine that is 3 % faster or slower in each trial": func(seed int, r *rand.Rand) (target, float64) {
			c := 150 * math.Exp(7*r.Float64())
			return func(rate float64, i int) Trial { return answer(rate <= c*math.Exp(0.03*chance(seed, i).NormFloat64())) }, c
		},
		"one trial in fifteen disturbed": func(seed int, r *rand.Rand) (target, float64) {
			c := 150 * math.Exp(7*r.Float64())
			return func(rate float64, i int) Trial { return answer(rate <= c && chance(seed, i).Float64() > 1.0/15) }, c
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			good, trials, most, worst := 0, 0, 0, 0.0
			for seed := range 100 {
				ask, truth := make(seed, chance(seed, -1))
				r := find(t, config(), ask)
				off := r.Capacity/truth - 1
				if math.Abs(off) <= 0.05 {
					good++
				}
				if r.Verdict != Found {
					t.Errorf("seed %d: %s", seed, r.Verdict)
				}
				trials, most = trials+len(r.Trials), max(most, len(r.Trials))
				if math.Abs(off) > math.Abs(worst) {
					worst = off
				}
			}
			t.Logf("within 5 %%: %d of 100; the worst is off by %+.1f %%; %.1f trials, at most %d", good, 100*worst, float64(trials)/100, most)
			if good < 95 {
				t.Errorf("within 5 %%: %d of 100", good)
			}
		})
	}
}

func TestResults(t *testing.T) {
	flaky := func(rate float64, i int) Trial { // a wide edge: from always to never between 800 and 1200
		return answer(chance(7, i).Float64() > (rate-800)/400)
	}
	for _, x := range []struct {
		name    string
		change  func(*Config)
		ask     target
		verdict Verdict
		check   func(r *Result) bool
		reason  string
	}{
		{"sharp", nil, sharp(1000), Found, func(r *Result) bool {
			return r.Capacity <= 1000 && r.LowestNotKept > 1000 && r.LowestNotKept/r.Capacity < 1.05 && r.Confidence == High && r.HighestKept == r.Capacity
		}, "was kept in 2 of 2 trials"},
		{"fails at the lowest rate", nil, sharp(50), None, func(r *Result) bool {
			return r.Capacity == 0 && r.LowestNotKept == 100 && r.HighestKept == 0 && len(r.Trials) == 3 && r.Confidence == High
		}, "100/s was kept in 0 of 2 trials"},
		{"nothing fails", func(c *Config) { c.To = 3000 }, sharp(1e9), AtLeast, func(r *Result) bool {
			return r.HighestKept == 3000 && r.Capacity == 0 && r.LowestNotKept == 0 && r.Confidence == High
		}, "3000/s was kept in 2 of 2 trials"},
		{"a disturbed first trial", nil, func(rate float64, i int) Trial { return answer(i > 0 && rate <= 1000) }, Found, func(r *Result) bool {
			return r.Capacity <= 1000 && r.Capacity > 950
		}, ""},
		{"a hole, seen from above by the check", nil, func(rate float64, _ int) Trial { // the steps jump over it
			return answer(rate <= 6400 && (rate < 4500 || rate > 5600))
		}, Found, func(r *Result) bool {
			return !r.Monotone && r.Confidence == Low && r.Capacity < 4500 && r.Capacity > 4275 && r.HighestKept == 6400 && r.LowestNotKept < 5600
		}, "the target is not monotone: 6400/s was kept (2 of 2), the lower "},
		{"one lucky trial above", nil, func(rate float64, i int) Trial { return answer(rate <= 700 || i == 4) }, Found, func(r *Result) bool {
			return r.Monotone && r.Capacity <= 700 && r.Capacity > 665
		}, ""},
		{"a wide edge", nil, flaky, Found, func(r *Result) bool {
			return r.Capacity > 800 && r.Capacity < 1150 && r.Confidence != High
		}, ""},
		{"the generator is the limit", nil, func(rate float64, _ int) Trial {
			if rate > 5000 {
				return Trial{Outcome: Invalid, Reason: "late"}
			}
			return answer(true)
		}, Generator, func(r *Result) bool {
			return r.HighestKept == 3200 && r.Capacity == 0 && r.LowestNotKept == 0 && r.Confidence == Low
		}, "at 6400/s the generator is the limit"},
		{"the generator is late once", nil, func(rate float64, i int) Trial {
			if i == 3 {
				return Trial{Outcome: Invalid, Reason: "late"}
			}
			return answer(rate <= 1000)
		}, Found, func(r *Result) bool {
			return r.Capacity <= 1000 && r.Capacity > 950 && r.Confidence == Medium && r.Trials[4].Phase == Again && r.Trials[4].Rate == r.Trials[3].Rate
		}, "1 trial did not count"},
		{"no time", func(c *Config) { c.MaxTime = 2 * time.Minute }, sharp(1000), Inconclusive, func(r *Result) bool {
			return r.Capacity == 0 && r.HighestKept == 800 && r.LowestNotKept == 1131 && len(r.Trials) == 6 && r.Spent == 2*time.Minute
		}, "time are used up (6 trials, 2m0s)"},
		{"few trials", func(c *Config) { c.MaxTrials = 5 }, sharp(1000), Inconclusive, func(r *Result) bool {
			return r.LowestNotKept == 1600 && len(r.Trials) == 5
		}, "used up"},
		{"no trials left for the edge", func(c *Config) { c.MaxTrials = 10 }, sharp(1000), Found, func(r *Result) bool {
			return r.Capacity > 950 && r.Confidence == Low
		}, "was tried once only"},
		{"no repeats", func(c *Config) { c.Repeats = 1 }, sharp(1000), Found, func(r *Result) bool {
			return r.Capacity > 950 && r.Confidence == Medium
		}, "no trial was repeated"},
	} {
		c := config()
		if x.change != nil {
			x.change(&c)
		}
		if why := c.Invalid(); why != "" {
			t.Fatal(why)
		}
		r := find(t, c, x.ask)
		if r.Verdict != x.verdict || !x.check(r) || !strings.Contains(strings.Join(r.Reasons, "; "), x.reason) {
			b, _ := json.MarshalIndent(r, "", " ")
			t.Errorf("%s: %s", x.name, b)
		}
	}
}

// A search that is killed after any of its trials ends as it would have ended, with the same trials.
func TestAnInterruptedSearchGoesOn(t *testing.T) {
	c := config()
	for seed := range 20 {
		ask := func(rate float64, i int) Trial {
			r := chance(seed, i)
			if r.Float64() < 0.05 {
				return Trial{Outcome: Invalid, Reason: "late"}
			}
			return answer(rate <= 3000*math.Exp(0.05*r.NormFloat64()))
		}
		whole := find(t, c, ask)
		for k := range whole.Trials {
			b, err := json.Marshal(whole.Trials[:k])
			if err != nil {
				t.Fatal(err)
			}
			var kept []Trial
			if err := json.Unmarshal(b, &kept); err != nil {
				t.Fatal(err)
			}
			if r := find(t, c, ask, kept...); !reflect.DeepEqual(r, whole) {
				t.Fatalf("seed %d, killed after %d trials: %+v, else %+v", seed, k, r, whole)
			}
		}
	}
}

// Whatever a target answers, the search ends within its bounds and does not contradict its own trials.
func TestAnyTarget(t *testing.T) {
	for seed := range 3000 {
		c := config()
		c.Repeats = 1 + seed%5
		c.Precision = []float64{0.005, 0.05, 0.5}[seed%3]
		r := find(t, c, func(_ float64, i int) Trial {
			switch v := chance(seed, i).Float64(); {
			case v < 0.1*float64(seed%3):
				return Trial{Outcome: Invalid}
			default:
				return answer(v < 0.6)
			}
		})
		for _, p := range points(r.Trials) {
			if p.kept+p.not > doubts*c.Repeats {
				t.Fatalf("seed %d: %.6g/s was tried %d times, with %d repeats", seed, p.rate, p.kept+p.not, c.Repeats)
			}
			if r.Verdict == Found && p.rate <= r.Capacity && p.is() == NotKept {
				t.Fatalf("seed %d: capacity %g, and %g was not kept", seed, r.Capacity, p.rate)
			}
		}
	}
}

func TestWrongConfigurations(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"from: ":      func(c *Config) { c.From = 0 },
		"to: ":        func(c *Config) { c.To = c.From },
		"precision: ": func(c *Config) { c.Precision = 0.6 },
		"repeats: ":   func(c *Config) { c.Repeats = 0 },
		"max trials:": func(c *Config) { c.MaxTrials = 0 },
		"max time: ":  func(c *Config) { c.MaxTime = time.Second },
	} {
		c := config()
		if change(&c); !strings.HasPrefix(c.Invalid(), want) {
			t.Errorf("%q does not begin with %q", c.Invalid(), want)
		}
	}
}

func TestADrawIsNotKept(t *testing.T) {
	c := config()
	c.Repeats = 2
	made := []Trial{{Rate: 100, Outcome: Kept}, {Rate: 100, Outcome: NotKept}, {Rate: 112, Outcome: NotKept}}
	if _, r := c.Next(made); r == nil || r.Verdict != None || r.LowestNotKept != 100 {
		t.Errorf("got %+v", r)
	}
}
