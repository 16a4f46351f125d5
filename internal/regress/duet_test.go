package regress

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// together are windows of two builds on one machine: what disturbs one disturbs the other, and each has a little of its own.
func together(r *rand.Rand, n int, change float64) []Pair {
	w := make([]Pair, n)
	shared, own := 0.0, 0.0
	for i := range w {
		shared = 0.9*shared + 0.05*r.NormFloat64()
		own = 0.3*own + 0.02*r.NormFloat64()
		w[i] = Pair{100 * math.Exp(shared), 100 * (1 + change) * math.Exp(shared+own)}
	}
	return w
}

func duetOf(t *testing.T, m Metric, w []Pair) Finding {
	t.Helper()
	f, err := Duet([]Metric{m}, map[string][]Pair{m.Name: w}, 1)
	if err != nil {
		t.Fatal(err)
	}
	return f[0]
}

// Windows of a duet hang together; blocks keep the false alarms down, also without a floor, and few windows are told from many.
func TestADuet(t *testing.T) {
	small := latency
	small.Floor = 1e-6
	for _, n := range []int{12, 40} {
		r := rand.New(rand.NewPCG(9, uint64(n)))
		alarms, unlikely, found := 0, 0, 0
		for range 200 {
			same := together(r, n, 0)
			if duetOf(t, latency, same).Verdict == Regressed {
				alarms++
			}
			if duetOf(t, small, same).Verdict == Regressed {
				unlikely++
			}
			if duetOf(t, latency, together(r, n, 0.1)).Verdict == Regressed {
				found++
			}
		}
		t.Logf("%d windows: %d of 200 false alarms, %d without a floor, %d of 200 changes of 10 %% found", n, alarms, unlikely, found)
		if alarms > 2 || unlikely > 20 || found < 195 {
			t.Errorf("%d windows: %d false alarms, %d without a floor, %d of 200 found", n, alarms, unlikely, found)
		}
	}
	if f := duetOf(t, latency, same(5, 1, 2)); f.Verdict != Inconclusive || f.Reason != "5 windows: fewer than 12 can prove nothing" {
		t.Errorf("five windows: %+v", f)
	}
	w := same(14, 100, 120)
	w[3].Candidate, w[7].Base = 0, 0
	if f := duetOf(t, latency, w); f.Verdict != Regressed || len(f.Pairs) != 12 || !strings.Contains(f.Reason, "12 windows") {
		t.Errorf("with two windows that have no value: %+v", f)
	}
}

// Several metrics of a duet pay for their number.
func TestADuetOfManyMetrics(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 3))
	alone, ten := 0, 0
	for range 100 {
		var ms []Metric
		w := map[string][]Pair{}
		for i := range 10 {
			m := latency
			m.Name, m.Floor = string(rune('a'+i)), 1e-6
			ms, w[m.Name] = append(ms, m), together(r, 20, 0)
		}
		f, err := Duet(ms, w, 1)
		if err != nil {
			t.Fatal(err)
		}
		if Worst(verdicts(f)...) == Regressed {
			ten++
		}
		if duetOf(t, ms[0], w["a"]).Verdict == Regressed {
			alone++
		}
	}
	if ten > 15 {
		t.Errorf("%d of 100 duets of ten equal metrics say regressed (one metric: %d)", ten, alone)
	}
}

// A duet may fail a build only where the same build on both sides was proven to look the same.
func TestSidesThatAreNotTreatedAlike(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	if why := Asymmetric([]Metric{latency}, []Finding{duetOf(t, latency, together(r, 40, 0))}); why != "" {
		t.Errorf("the same on both sides: %s", why)
	}
	if why := Asymmetric([]Metric{latency}, []Finding{duetOf(t, latency, together(r, 40, 0.06))}); !strings.Contains(why, "p50 of one build on both sides differs by [") {
		t.Errorf("one side has the better place: %q", why)
	}
	if why := Asymmetric([]Metric{latency}, nil); why != "p50 of the two sides was not calibrated" {
		t.Errorf("nothing is known: %q", why)
	}
	shown := latency
	shown.Gated = false
	if why := Asymmetric([]Metric{shown}, nil); why != "" {
		t.Errorf("a metric that does not decide: %s", why)
	}
}

// duets makes duets of 14 windows whose candidate is slower by a share.
func duets(slower float64) func(context.Context, int) (Run, Run, error) {
	r := rand.New(rand.NewPCG(1, 2))
	return func(_ context.Context, round int) (Run, Run, error) {
		a := Run{Build: Baseline, Round: round, Windows: map[string][]float64{}}
		b := Run{Build: Candidate, Round: round, Windows: map[string][]float64{}}
		for _, w := range together(r, 14, slower) {
			a.Windows["p50"], b.Windows["p50"] = append(a.Windows["p50"], w.Base), append(b.Windows["p50"], w.Candidate)
		}
		return a, b, nil
	}
}

func TestADuetFromItsRuns(t *testing.T) {
	p := DuetPlan{Metrics: []Metric{latency}, Confirm: Auto, Advisory: func() string { return "" }, Make: duets(0.2)}
	c, err := p.Do(t.Context())
	if err != nil || c.Verdict != Regressed || len(c.Runs) != 4 || c.Second == nil {
		t.Fatalf("what may fail a build is confirmed: %s (%s), %d runs, %v", c.Verdict, c.Reason, len(c.Runs), err)
	}
	again, err := Judge(p.Metrics, c.Runs)
	if err != nil || again.Verdict != c.Verdict || again.Reason != c.Reason {
		t.Errorf("judged again: %s (%s), %v", again.Verdict, again.Reason, err)
	}
	p.Advisory = func() string { return "not calibrated" }
	if c, err = p.Do(t.Context()); err != nil || c.Verdict != Regressed || len(c.Runs) != 2 || c.Advisory != "not calibrated" {
		t.Errorf("advice: %s, %d runs, %v", c.Verdict, len(c.Runs), err)
	}
	p.Make = duets(0)
	if c, err = p.Do(t.Context()); err != nil || c.Verdict != Unchanged {
		t.Errorf("the same: %s (%s), %v", c.Verdict, c.Reason, err)
	}
}

func TestADuetIsNoBetterThanItsRuns(t *testing.T) {
	good, n := duets(0), 0
	p := DuetPlan{Metrics: []Metric{latency}, Advisory: func() string { return "" }, Make: func(ctx context.Context, round int) (Run, Run, error) {
		a, b, err := good(ctx, round)
		if n++; n == 1 {
			a.Invalid = "late"
		}
		return a, b, err
	}}
	if c, err := p.Do(t.Context()); err != nil || c.Verdict != Unchanged || len(c.Runs) != 4 {
		t.Errorf("invalid once: %s, %d runs, %v", c.Verdict, len(c.Runs), err)
	}
	p.Make = func(ctx context.Context, round int) (Run, Run, error) {
		a, b, err := good(ctx, round)
		b.Broken = "lost 1"
		return a, b, err
	}
	c, err := p.Do(t.Context())
	if err != nil || !c.Broken || c.Verdict != Invalid {
		t.Errorf("lost: %+v, %v", c, err)
	}
	if again, err := Judge(p.Metrics, c.Runs); err != nil || !again.Broken {
		t.Errorf("judged again: %+v, %v", again, err)
	}
	p.Make = func(ctx context.Context, round int) (Run, Run, error) {
		a, b, err := good(ctx, round)
		b.Invalid = "late"
		return a, b, err
	}
	if c, err = p.Do(t.Context()); err != nil || c.Verdict != Invalid || len(c.Runs) != 6 {
		t.Errorf("never valid: %s (%s), %d runs, %v", c.Verdict, c.Reason, len(c.Runs), err)
	}
	if c, err = Judge(p.Metrics, c.Runs); err != nil || c.Verdict != Invalid {
		t.Errorf("judged again: %s, %v", c.Verdict, err)
	}
}
