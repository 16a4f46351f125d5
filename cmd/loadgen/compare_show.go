package main

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"time"

	"weir/internal/cli"
	"weir/internal/control"
	"weir/internal/kafka"
	"weir/internal/load"
	"weir/internal/project"
	"weir/internal/regress"
	"weir/internal/show"
)

// comparing shows a comparison on screens while it is made. A nil one shows nothing. Its methods are called from one goroutine, but for
// run.
type comparing struct {
	screens *screens
	home    string
	log     *slog.Logger
	metrics []regress.Metric
	now     control.Comparison
	made    []regress.Run
}

func showComparison(ctx context.Context, app *cli.App, pr *project.Project, kind, id, profile string, metrics []regress.Metric, pairs int) *comparing {
	s := &comparing{screens: newScreens(ctx, app, pr, kafka.Config{}, id), home: pr.Home, log: app.Log, metrics: metrics}
	s.now = control.Comparison{ID: id, Kind: kind, Profile: profile, State: control.Running, Started: time.Now(), Pairs: pairs, Round: 1, Findings: findings(metrics, nil)}
	s.say()
	return s
}

func (s *comparing) close() {
	if s != nil {
		s.screens.close()
	}
}

// say publishes a copy: the publisher holds it while this one goes on.
func (s *comparing) say() {
	c := s.now
	c.At = time.Now()
	c.Elapsed = time.Since(c.Started).Seconds()
	c.Runs, c.Findings = slices.Clone(c.Runs), slices.Clone(c.Findings)
	if n := len(s.made); n > 0 && c.State == control.Running {
		counted := 0
		for _, r := range s.made {
			if r.Round == c.Round && r.Invalid == "" {
				counted++
			}
		}
		c.Left = c.Elapsed / float64(n) * float64(max(0, 2*c.Pairs-counted))
	}
	s.screens.comparison(&c)
	if c.Over() {
		if err := show.KeepComparison(s.home, &c); err != nil {
			s.log.Warn("the next screens will not show this comparison", "error", err)
		}
	}
}

// making passes a run on to whoever makes it, and shows its beginning and its end.
func (s *comparing) making(make func(context.Context, regress.Run) (regress.Run, error)) func(context.Context, regress.Run) (regress.Run, error) {
	if s == nil {
		return make
	}
	return func(ctx context.Context, r regress.Run) (regress.Run, error) {
		s.now.Round = r.Round
		s.now.Runs = append(s.now.Runs, control.PairRun{Build: r.Build, Pair: r.Pair, Round: r.Round, State: control.Running})
		s.step("start")
		out, err := make(ctx, r)
		if err != nil {
			return out, err
		}
		last := &s.now.Runs[len(s.now.Runs)-1]
		last.State, last.Step = control.Done, ""
		switch {
		case out.Broken != "":
			last.State, last.Why = control.Bad, out.Broken
		case out.Invalid != "":
			last.State, last.Why = control.Warn, out.Invalid
		}
		s.made = append(s.made, out)
		s.now.Findings = findings(s.metrics, soFar(s.metrics, s.made, r.Round))
		s.say()
		return out, nil
	}
}

// soFar judges the pairs that there are in a round. What is said of half of them decides nothing: it is shown without a verdict.
func soFar(metrics []regress.Metric, made []regress.Run, round int) []regress.Finding {
	var runs []regress.Run
	for _, r := range made {
		if r.Round == round && r.Broken == "" {
			r.Round = 1
			runs = append(runs, r)
		}
	}
	c, err := regress.Judge(metrics, runs)
	if err != nil {
		return nil
	}
	for i := range c.Findings {
		c.Findings[i].Verdict = ""
	}
	return c.Findings
}

// findings in the words of the control API, the metrics that decide first.
func findings(metrics []regress.Metric, all []regress.Finding) []control.Finding {
	out := make([]control.Finding, 0, len(metrics))
	for _, m := range metrics {
		f := control.Finding{Metric: m.Name, Unit: m.Unit, Gated: m.Gated, Floor: m.Floor}
		if i := slices.IndexFunc(all, func(x regress.Finding) bool { return x.Metric.Name == m.Name }); i >= 0 {
			x := all[i]
			f.Pairs, f.Estimate, f.From, f.To, f.Confidence, f.P, f.Verdict = len(x.Pairs), x.Estimate, x.From, x.To, x.Confidence, x.P, string(x.Verdict)
			var base, candidate []float64
			for _, p := range x.Pairs {
				base, candidate = append(base, p.Base), append(candidate, p.Candidate)
			}
			f.Base, f.Candidate = middle(base), middle(candidate)
		}
		out = append(out, f)
	}
	slices.SortStableFunc(out, func(a, b control.Finding) int {
		rank := map[bool]int{true: 0, false: 1}
		return cmp.Compare(rank[a.Gated], rank[b.Gated])
	})
	return out
}

func middle(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// step says what the run that goes on does now.
func (s *comparing) step(what string) {
	if s == nil || len(s.now.Runs) == 0 {
		return
	}
	s.now.Runs[len(s.now.Runs)-1].Step = what
	s.say()
}

// run shows the load of the run that goes on.
func (s *comparing) run(p load.Progress) {
	if s != nil {
		s.screens.run(p)
	}
}

// failed shows that no more runs are made, and why.
func (s *comparing) failed(ctx context.Context, err error) {
	if s == nil {
		return
	}
	s.now.State, s.now.Error = control.Failed, err.Error()
	if ctx.Err() != nil {
		s.now.State, s.now.Error = control.Stopped, ""
	}
	s.say()
}

// ended shows the verdict.
func (s *comparing) ended(c regress.Comparison) {
	if s == nil {
		return
	}
	s.now.State, s.now.Verdict, s.now.Reason = control.Done, string(c.Verdict), c.Reason
	if len(c.Findings) > 0 {
		s.now.Findings = findings(s.metrics, c.Findings)
	}
	s.say()
}

// calibrated shows the noise.
func (s *comparing) calibrated(all []regress.Noise) {
	s.now.State, s.now.Verdict = control.Done, "calibrated"
	for i := range s.now.Findings {
		for _, n := range all {
			if f := &s.now.Findings[i]; f.Metric == n.Metric {
				f.Noise = n.Floor
			}
		}
	}
	s.say()
}
