package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/config"
	"weir/internal/control"
	"weir/internal/project"
	"weir/internal/regress"
	"weir/internal/results"
)

const (
	exitRegression = 4
	exitNoBaseline = 7
)

type compareOptions struct {
	overrides
	outputs
	baseline, candidate, confirm, inconclusive, noise, from, out string
	pairs                                                        int
	settle                                                       time.Duration
	floors, gates                                                []string
	fromStore, strict                                            bool
	store, accepted                                              string
	last                                                         int
	shown                                                        *comparing // nil: no runs are made
}

func newCompare(app *cli.App) *cobra.Command {
	var o compareOptions
	c := &cobra.Command{
		Use: "compare [PROFILE]", Short: "Tell whether one build of a pipeline is slower than another", Args: cobra.MaximumNArgs(1),
		Long: `Tell whether one build of a pipeline is slower than another: pairs of runs next to each other on this machine, in the order
ABBA BAAB …, each with a home of its own, judged by exact tests over whole runs. Slower is only what chance does not explain (p at
most 0.05 over all gated metrics) and what matters (at least the floor). Lost or doubled rows end it, however fast they were.

--baseline and --candidate are shell commands that serve the pipeline under test until they get SIGINT. They find in their
environment WEIR_HOME (a fresh home, where an embedded broker may be announced), WEIR_BUILD (baseline or candidate) and WEIR_RUN.

Metrics: p50, p99 (ms, from the intended send to the acknowledgement), fresh_p99 (ms, to the readable row), cpu (s of the pipeline for
a million messages), drain (s from the last message to the last row), rate (messages/s, of profiles with rate: max).

Exit codes: 0 unchanged or improved, 2 wrong usage, 4 regressed, 5 data not right, 6 invalid or inconclusive, 7 no baseline.`,
		Example: `  loadgen compare ci --baseline './main/pipeline run transactions' --candidate './pr/pipeline run transactions'
  loadgen compare ci --stored                        # the last runs against the baseline of loadgen baseline save
  loadgen compare --from .weir/compare/01K8ZJ9V4T8QH0M6W2X3Y5A7BC --floor p99=20%    # judge again, without new runs`,
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), app, args) },
	}
	f := c.Flags()
	o.overrides.flags(f)
	o.outputs.flags(f)
	f.StringVar(&o.baseline, "baseline", "", "shell command of the build to compare with (default: compare.baseline of weir.yaml)")
	f.StringVar(&o.candidate, "candidate", "", "shell command of the build under test (default: compare.candidate of weir.yaml)")
	f.IntVar(&o.pairs, "pairs", 0, "pairs of runs, at most 12 (default: 6, or as many as the number of metrics that decide needs)")
	f.DurationVar(&o.settle, "settle", 2*time.Second, "between the start of a pipeline and the load, for jobs that start at the latest record")
	f.StringVar(&o.confirm, "confirm", string(regress.Auto), "second round before a build is called slower: auto (where runs scatter by more than 3 %), always, never")
	f.StringVar(&o.inconclusive, "inconclusive", "fail", "what an inconclusive comparison does to the exit code: fail (6) or pass (0)")
	f.StringSliceVar(&o.floors, "floor", nil, "change that matters: p99=20%, also p99=10ms")
	f.StringSliceVar(&o.gates, "gate", nil, "metrics that decide; default p50, p99, fresh_p99 and cpu, or rate and cpu with rate: max")
	f.StringVar(&o.noise, "noise", "", "file of `loadgen calibrate`: floors below the noise are refused")
	f.BoolVar(&o.fromStore, "stored", false, "compare the last runs of this home with the stored baseline; it warns, because another day looks like a change")
	f.BoolVar(&o.strict, "strict", false, "with --stored: a regression fails, too (exit code 4)")
	f.StringVar(&o.store, "store", "", "file of `loadgen baseline save` (default: HOME/"+baselineFile+")")
	f.IntVar(&o.last, "last", regress.LeastStored, "with --stored: so many of the last runs")
	f.StringVar(&o.accepted, "accepted", "", "file of `loadgen accept` (default: "+results.AcceptFile+" beside weir.yaml)")
	f.StringVar(&o.from, "from", "", "directory of a comparison whose runs are judged again")
	f.StringVar(&o.out, "out", "", "directory for the runs and comparison.json (default: HOME/compare/ID)")
	return c
}

func (o *compareOptions) run(ctx context.Context, app *cli.App, args []string) error {
	pr, err := project.Open(".", app.Home)
	if err != nil {
		return err
	}
	switch regress.Confirm(o.confirm) {
	case regress.Auto, regress.Always, regress.Never:
	default:
		return cli.Usage(fmt.Errorf("--confirm: expected auto, always or never, got %q", o.confirm), "")
	}
	if o.inconclusive != "fail" && o.inconclusive != "pass" {
		return cli.Usage(fmt.Errorf("--inconclusive: expected fail or pass, got %q", o.inconclusive), "")
	}
	switch {
	case o.fromStore:
		return o.stored(app, pr, args)
	case o.from != "":
		return o.judge(app, pr)
	}
	o.baseline, o.candidate = cmp.Or(o.baseline, pr.Weir.Compare.Baseline), cmp.Or(o.candidate, pr.Weir.Compare.Candidate)
	if len(args) == 0 || o.baseline == "" || o.candidate == "" {
		return cli.Usage(fmt.Errorf("expected a profile, --baseline and --candidate, or --from"), "`loadgen compare --help` has examples; weir.yaml can hold the commands: compare: {baseline: …, candidate: …}")
	}
	b := &bench{app: app, project: pr, profile: args[0], overrides: o.overrides, settle: o.settle, commands: map[string]string{regress.Baseline: o.baseline, regress.Candidate: o.candidate}}
	if b.dir = o.out; b.dir == "" {
		b.dir = pr.In(filepath.Join("compare", ulid.Make().String()))
	}
	p, err := b.read()
	if err != nil {
		return err
	}
	metrics, err := o.metrics(p.Rate.Max)
	if err != nil {
		return err
	}
	if err := o.checkNoise(metrics); err != nil {
		return err
	}
	if err := o.enough(metrics); err != nil {
		return err
	}
	o.shown = showComparison(ctx, app, pr, control.Compare, filepath.Base(b.dir), p.Name, metrics, o.pairs)
	defer o.shown.close()
	b.shown = o.shown
	plan := regress.Plan{
		Metrics: metrics, Pairs: o.pairs, Confirm: regress.Confirm(o.confirm), Make: o.shown.making(b.make),
		Say: func(r regress.Run) { fmt.Fprintln(app.Stderr, runLine(r, metrics)) },
	}
	c, err := plan.Do(ctx)
	if err != nil {
		o.shown.failed(ctx, err)
		return err
	}
	c.Profile = p.Name
	return o.tell(app, pr, b.dir, c)
}

// enough sets the number of pairs, or says that there are too few to find anything.
func (o *compareOptions) enough(metrics []regress.Metric) error {
	gated := 0
	for _, m := range metrics {
		if m.Gated {
			gated++
		}
	}
	need := regress.PairsFor(gated)
	if o.pairs == 0 {
		o.pairs = max(regress.Default, need)
	}
	if o.pairs < need || o.pairs > regress.Most {
		return cli.Usage(fmt.Errorf("--pairs: expected %d to %d, got %d: with %d metrics that decide, fewer can prove nothing", need, regress.Most, o.pairs, gated), "make more pairs, or let fewer metrics decide with --gate")
	}
	return nil
}

// judge looks at the runs of a comparison again.
func (o *compareOptions) judge(app *cli.App, pr *project.Project) error {
	c, err := readComparison(o.from)
	if err != nil {
		return cli.Usage(fmt.Errorf("--from: %w", err), "expected the directory that `loadgen compare` has named at its end")
	}
	_, flat := map[string]float64{}, false
	if len(c.Runs) > 0 {
		_, flat = c.Runs[0].Values["rate"]
	}
	metrics, err := o.metrics(flat)
	if err != nil {
		return err
	}
	if err := o.checkNoise(metrics); err != nil {
		return err
	}
	profile := c.Profile
	if c, err = regress.Judge(metrics, c.Runs); err != nil {
		return err
	}
	c.Profile = profile
	return o.tell(app, pr, o.from, c)
}

const comparisonFile = "comparison.json"

func (o *compareOptions) tell(app *cli.App, pr *project.Project, dir string, c regress.Comparison) error {
	accepted, err := results.ReadAccepted(acceptFile(pr, o.accepted))
	if err != nil {
		return err
	}
	for _, e := range accepted.Excuse(&c, time.Now()) {
		app.Log.Warn("no longer accepted", "what", e)
	}
	o.shown.ended(c)
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, comparisonFile), append(b, '\n'), 0o600); err != nil {
		return err
	}
	if err := o.write(app, results.OfComparison(c.Profile, filepath.Base(dir), time.Now(), &c)); err != nil {
		return err
	}
	if err := app.Result(c, comparisonText(c, dir)); err != nil {
		return err
	}
	code := map[regress.Verdict]int{regress.Regressed: exitRegression, regress.Invalid: exitInvalid, regress.Inconclusive: exitInvalid, regress.NoBaseline: exitNoBaseline}[c.Verdict]
	switch {
	case c.Broken:
		code = exitIntegrity
	case c.Verdict == regress.Inconclusive && o.inconclusive == "pass":
		code = 0
	case o.fromStore && c.Verdict == regress.Regressed && !o.strict:
		app.Log.Warn("slower than the stored baseline: run the builds side by side to be sure", "why", c.Reason)
		code = 0
	}
	if code == 0 {
		return nil
	}
	return &cli.Error{Err: fmt.Errorf("%s: %s", c.Verdict, c.Reason), Exit: code}
}

func comparisonText(c regress.Comparison, dir string) string {
	var b strings.Builder
	for _, f := range c.Findings {
		gate := " "
		if f.Metric.Gated {
			gate = "*"
		}
		reason := f.Reason
		if f.Accepted != "" {
			reason += " (" + f.Accepted + ")"
		}
		fmt.Fprintf(&b, "%s %-9s  %-12s  %s\n", gate, f.Metric.Name, f.Verdict, reason)
	}
	fmt.Fprintf(&b, "%s   %d runs in %s; * decides\n", c.Verdict, len(c.Runs), dir)
	return b.String()
}

func runLine(r regress.Run, metrics []regress.Metric) string {
	var b strings.Builder
	fmt.Fprintf(&b, "pair %d  %-9s", r.Pair, r.Build)
	for _, m := range metrics {
		if v, ok := r.Values[m.Name]; ok {
			fmt.Fprintf(&b, "  %s %.4g %s", m.Name, v, m.Unit)
		}
	}
	if r.Invalid != "" {
		b.WriteString("  INVALID: " + r.Invalid)
	}
	if r.Broken != "" {
		b.WriteString("  " + r.Broken)
	}
	return b.String()
}

// metrics are those of facts that CI gates on, with the floors below which nobody minds.
func (o *compareOptions) metrics(flat bool) ([]regress.Metric, error) {
	all := []regress.Metric{
		{Name: "p50", Unit: "ms", Better: regress.Low, Floor: 0.05, Absolute: 0.5, Gated: !flat},
		{Name: "p99", Unit: "ms", Better: regress.Low, Floor: 0.10, Absolute: 5, Gated: !flat},
		{Name: "fresh_p99", Unit: "ms", Better: regress.Low, Floor: 0.10, Absolute: 100, Gated: !flat},
		{Name: "cpu", Unit: "s/M", Better: regress.Low, Floor: 0.03, Gated: true},
		{Name: "drain", Unit: "s", Better: regress.Low, Floor: 0.10, Absolute: 1},
	}
	if flat {
		all = append(all, regress.Metric{Name: "rate", Unit: "msg/s", Better: regress.High, Floor: 0.05, Gated: true})
	}
	at := map[string]int{}
	for i, m := range all {
		at[m.Name] = i
	}
	for _, f := range o.floors {
		name, text, ok := strings.Cut(f, "=")
		i, known := at[name]
		var share config.Percent
		switch {
		case !ok || !known:
			return nil, cli.Usage(fmt.Errorf("--floor: expected metric=20%%, with one of %s, got %q", names(all), f), "")
		case share.UnmarshalText([]byte(text)) == nil:
			all[i].Floor = float64(share)
		default:
			var v float64
			if _, err := fmt.Sscanf(strings.TrimSuffix(text, all[i].Unit), "%g", &v); err != nil || v < 0 {
				return nil, cli.Usage(fmt.Errorf("--floor %s: expected 20%% or 5%s, got %q", name, all[i].Unit, text), "")
			}
			all[i].Absolute = v
		}
	}
	if len(o.gates) > 0 {
		for i := range all {
			all[i].Gated = false
		}
		for _, g := range o.gates {
			i, known := at[g]
			if !known {
				return nil, cli.Usage(fmt.Errorf("--gate: expected one of %s, got %q", names(all), g), "")
			}
			all[i].Gated = true
		}
	}
	return all, nil
}

func names(all []regress.Metric) string {
	var n []string
	for _, m := range all {
		n = append(n, m.Name)
	}
	return strings.Join(n, ", ")
}

// checkNoise refuses floors that lie in this machine's noise.
func (o *compareOptions) checkNoise(metrics []regress.Metric) error {
	if o.noise == "" {
		return nil
	}
	var c calibration
	b, err := os.ReadFile(o.noise)
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil {
		return cli.Usage(fmt.Errorf("--noise: %w", err), "`loadgen calibrate` writes the file")
	}
	for _, n := range c.Noise {
		for _, m := range metrics {
			if m.Name == n.Metric {
				if err := n.Check(m); err != nil {
					return cli.Usage(err, fmt.Sprintf("--floor %s=%.0f%%", m.Name, 100*n.Floor+1))
				}
			}
		}
	}
	return nil
}
