package regress

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// bench makes runs of a world where the candidate is slower by a share.
func bench(seed uint64, slower, sd float64) func(context.Context, Run) (Run, error) {
	r := rand.New(rand.NewPCG(seed, 5))
	return func(_ context.Context, x Run) (Run, error) {
		v := 100 * math.Exp(sd*r.NormFloat64())
		if x.Build == Candidate {
			v *= 1 + slower
		}
		x.Values = map[string]float64{"p50": v}
		return x, nil
	}
}

func TestAComparisonFromItsRuns(t *testing.T) {
	p := Plan{Metrics: []Metric{latency}, Pairs: 6, Confirm: Auto, Make: bench(1, 0.2, 0.01)}
	c, err := p.Do(t.Context())
	if err != nil || c.Verdict != Regressed || len(c.Runs) != 12 || c.Second != nil {
		t.Fatalf("got %s (%s), %d runs, %v", c.Verdict, c.Reason, len(c.Runs), err)
	}
	order := ""
	for _, r := range c.Runs {
		order += strings.ToUpper(r.Build[:1])
	}
	if order != "BCCBCBBCBCCB" {
		t.Errorf("the runs were made in the order %s", order)
	}
	again, err := Judge(p.Metrics, c.Runs)
	if err != nil || again.Verdict != c.Verdict || again.Reason != c.Reason {
		t.Errorf("judged again: %s (%s), %v", again.Verdict, again.Reason, err)
	}
}

// Where runs scatter, one round is not believed.
func TestANoisyRegressionIsConfirmed(t *testing.T) {
	p := Plan{Metrics: []Metric{latency}, Pairs: 6, Confirm: Auto, Make: bench(1, 0.3, 0.06)}
	c, err := p.Do(t.Context())
	if err != nil || c.Verdict != Regressed || len(c.Runs) != 24 || c.Second == nil {
		t.Fatalf("got %s (%s), %d runs, %v", c.Verdict, c.Reason, len(c.Runs), err)
	}
	p.Confirm = Never
	if c, err = p.Do(t.Context()); err != nil || len(c.Runs) != 12 {
		t.Errorf("%d runs, %v", len(c.Runs), err)
	}
}

func TestInvalidRunsAreMadeAgainAndNeverCounted(t *testing.T) {
	good, n := bench(1, 0, 0.01), 0
	p := Plan{Metrics: []Metric{latency}, Pairs: 6, Make: func(ctx context.Context, r Run) (Run, error) {
		r, err := good(ctx, r)
		if n++; n == 3 {
			r.Invalid, r.Values["p50"] = "the generator was late", 9999
		}
		return r, err
	}}
	c, err := p.Do(t.Context())
	if err != nil || c.Verdict != Unchanged || len(c.Runs) != 14 {
		t.Errorf("got %s (%s), %d runs, %v", c.Verdict, c.Reason, len(c.Runs), err)
	}
	p.Make = func(ctx context.Context, r Run) (Run, error) {
		r, err := good(ctx, r)
		r.Invalid = "the generator was late"
		return r, err
	}
	if c, err = p.Do(t.Context()); err != nil || c.Verdict != Invalid || !strings.Contains(c.Reason, "the generator was late") {
		t.Errorf("always invalid: %s (%s), %v", c.Verdict, c.Reason, err)
	}
}

func TestWrongDataEndIt(t *testing.T) {
	good, n := bench(1, -0.5, 0.01), 0
	p := Plan{Metrics: []Metric{latency}, Pairs: 6, Make: func(ctx context.Context, r Run) (Run, error) {
		r, err := good(ctx, r)
		if n++; n == 2 {
			r.Broken = "lost 3"
		}
		return r, err
	}}
	c, err := p.Do(t.Context())
	if err != nil || !c.Broken || c.Verdict != Invalid || len(c.Runs) != 2 || !strings.Contains(c.Reason, "candidate's data are not right in pair 1: lost 3") {
		t.Errorf("got %+v, %v", c, err)
	}
	p.Make = func(context.Context, Run) (Run, error) { return Run{}, errors.New("no broker") }
	if _, err = p.Do(t.Context()); err == nil || !strings.Contains(err.Error(), "pair 1, baseline: no broker") {
		t.Errorf("got %v", err)
	}
}

// A profile's own limit fails a build that breaks it in most runs, whatever the baseline does, and not in one of six.
func TestALimitOfTheProfile(t *testing.T) {
	good := bench(1, 0, 0.01)
	miss := func(which func(r Run) bool) Comparison {
		t.Helper()
		p := Plan{Metrics: []Metric{latency}, Pairs: 6, Make: func(ctx context.Context, r Run) (Run, error) {
			r, err := good(ctx, r)
			if which(r) {
				r.Missed = []string{"response_ms p99 is 700, at most 500 is allowed"}
			}
			return r, err
		}}
		c, err := p.Do(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := miss(func(r Run) bool { return r.Build == Candidate && r.Pair > 1 || r.Pair == 2 })
	if c.Verdict != SLO || c.Reason != "response_ms p99 is 700, at most 500 is allowed; the candidate broke it in 5 of 6 runs, the baseline in 1" {
		t.Errorf("got %s: %s", c.Verdict, c.Reason)
	}
	if c = miss(func(r Run) bool { return r.Build == Candidate && r.Pair == 1 }); c.Verdict != Unchanged || len(c.Missed) != 1 {
		t.Errorf("once in six runs: %s: %s", c.Verdict, c.Reason)
	}
	if c = miss(func(r Run) bool { return r.Build == Baseline }); c.Verdict != Unchanged {
		t.Errorf("the baseline alone: %s: %s", c.Verdict, c.Reason)
	}
}

// Runs that are judged again are judged as they were: invalid ones do not count, and neither does a run that is there twice.
func TestJudgingAgainIsAsStrict(t *testing.T) {
	var runs []Run
	add := func(pair int, invalid string) {
		for _, b := range []string{Baseline, Candidate} {
			r := Run{Build: b, Pair: pair, Round: 1, Values: map[string]float64{"p50": 100 + float64(len(runs)%3)}}
			if b == Candidate {
				r.Invalid = invalid
			}
			runs = append(runs, r)
		}
	}
	add(1, "")
	add(2, "late")
	for i := 2; i <= 6; i++ {
		add(i, "")
	}
	c, err := Judge([]Metric{latency}, runs)
	if err != nil || c.Verdict != Unchanged || len(c.Findings[0].Pairs) != 6 {
		t.Errorf("one invalid: %s (%s), %v", c.Verdict, c.Reason, err)
	}
	add(7, "late")
	add(8, "late")
	if c, err = Judge([]Metric{latency}, runs); err != nil || c.Verdict != Invalid || !strings.Contains(c.Reason, "invalid more than 2 times") {
		t.Errorf("three invalid: %s (%s), %v", c.Verdict, c.Reason, err)
	}
	runs = runs[:2]
	runs[0].File, runs[1].File = "a/run.json", "a/run.json"
	if _, err = Judge([]Metric{latency}, runs); !errors.Is(err, ErrPooled) {
		t.Errorf("one run twice: %v", err)
	}
}

// Who wants a proof that nothing has changed does not get a guess.
func TestUnchangedCanBeAskedToBeProven(t *testing.T) {
	p99 := Metric{Name: "p99", Unit: "ms", Better: Low, Floor: 0.10, Gated: true}
	f, err := Compare([]Metric{p99}, map[string][]Pair{"p99": {{100, 112}, {100, 92}, {100, 110}, {100, 95}, {100, 108}, {100, 96}}})
	if err != nil || f[0].Verdict != Unchanged || f[0].Equivalent {
		t.Fatalf("got %+v, %v", f, err)
	}
	if got := Prove(f); got[0].Verdict != Inconclusive || f[0].Verdict != Unchanged {
		t.Errorf("got %+v", got)
	}
	if f, err = Compare([]Metric{p99}, map[string][]Pair{"p99": same(6, 100, 101)}); err != nil || Prove(f)[0].Verdict != Unchanged {
		t.Errorf("what is proven: %+v, %v", f, err)
	}
}
