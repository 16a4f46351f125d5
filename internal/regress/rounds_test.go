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
