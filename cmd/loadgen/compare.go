package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/spf13/cobra"

	"weir/internal/cli"
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
	judging
	baseline, candidate, confirm, inconclusive, from, out string
	pairs                                                 int
	settle, window                                        time.Duration
	fromStore, strict, prove, duet, topics                bool
	store, accepted                                       string
	last                                                  int
	shown                                                 *comparing // nil: no runs are made
}

func newCompare(app *cli.App) *cobra.Command {
	var o compareOptions
	c := &cobra.Command{
		Use: "compare [PROFILE]", Short: "Tell whether one build of a pipeline is slower than another",
		Long: `Tell whether one build of a pipeline is slower than another: pairs of runs next to each other on this machine, in the order
ABBA BAAB …, each with a home of its own, judged by exact tests over whole runs. Slower is only what chance does not explain (p at
most 0.05 over all metrics that decide) and what matters (at least the floor). Lost or doubled rows end it, however fast they were; a
threshold of the profile that most of the candidate's runs break fails it, whatever the baseline does.

--baseline and --candidate are shell commands that serve the pipeline under test until they get SIGINT. They find in their
environment WEIR_HOME (a fresh home, where an embedded broker may be announced), WEIR_BUILD (baseline or candidate), WEIR_RUN and
WEIR_TOPIC.

With --duet both builds run at the same time and read the same log, each into a table of its own; what is compared are windows of
time. It takes one run instead of many, and only warns unless --noise names a file of ` + "`loadgen calibrate --duet`" + ` that proves that this
machine treats both sides alike.

Metrics: p50, p99 (ms, from the intended send to the acknowledgement), fresh_p50, fresh_p99 (ms, to the readable row), cpu (s of the
pipeline for a million rows), drain (s from the last message to the last readable row), rate (messages/s, of profiles with rate: max);
p99.9 and max are shown, and decide nothing. None counts the warm-up.

Exit codes: 0 unchanged or improved, 2 wrong usage, 3 a threshold is broken, 4 regressed, 5 data not right, 6 invalid or
inconclusive, 7 no baseline, 130 interrupted (the runs so far are kept for --from).`,
		Example: `  loadgen compare ci --baseline './main/pipeline run transactions' --candidate './pr/pipeline run transactions'
  loadgen compare ci --duet --duration 3m --baseline './main/pipeline run transactions' --candidate './pr/pipeline run transactions'
  loadgen compare ci --stored                        # the last runs against the baseline of loadgen baseline save
  loadgen compare --from .weir/compare/01K8ZJ9V4T8QH0M6W2X3Y5A7BC --floor p99=20%    # judge again, without new runs`,
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), app, args) },
	}
	f := c.Flags()
	o.overrides.flags(f)
	o.outputs.flags(f)
	o.judging.flags(f)
	f.StringVar(&o.baseline, "baseline", "", "shell command of the build to compare with (default: compare.baseline of weir.yaml)")
	f.StringVar(&o.candidate, "candidate", "", "shell command of the build under test (default: compare.candidate of weir.yaml)")
	f.IntVar(&o.pairs, "pairs", 0, "pairs of runs, at most 12 (default: 6, or as many as the number of metrics that decide needs)")
	f.DurationVar(&o.settle, "settle", 2*time.Second, "between the start of a pipeline and the load, for jobs that start at the latest record")
	f.BoolVar(&o.topics, "fresh-topics", false, "make a topic for each run, named in WEIR_TOPIC (a job takes it with topic: ${env:WEIR_TOPIC}), and delete it afterwards")
	f.BoolVar(&o.duet, "duet", false, "run both builds at the same time on one log, and compare windows of time")
	f.DurationVar(&o.window, "window", 10*time.Second, "length of a window of a duet; there must be 12 of them after the warm-up")
	f.StringVar(&o.confirm, "confirm", string(regress.Auto), "second round before a build is called slower: auto (where runs scatter by more than 3 %; in a duet that may fail a build), always, never")
	f.StringVar(&o.inconclusive, "inconclusive", "fail", "what an inconclusive comparison does to the exit code: fail (6) or pass (0)")
	f.BoolVar(&o.prove, "prove", false, "unchanged must be proven: where the interval reaches beyond the floor, the comparison is inconclusive")
	f.StringVar(&o.noise, "noise", "", "file of `loadgen calibrate`: floors below the noise are refused")
	f.BoolVar(&o.fromStore, "stored", false, "compare the last runs of this home with the stored baseline; it warns, because another day looks like a change")
	f.BoolVar(&o.strict, "strict", false, "with --stored: a regression fails, too (exit code 4)")
	f.StringVar(&o.store, "store", "", "file of `loadgen baseline save`, also s3://… (default: HOME/"+baselineFile+")")
	f.IntVar(&o.last, "last", regress.LeastStored, "with --stored: so many of the last runs")
	f.StringVar(&o.accepted, "accepted", "", "file of `loadgen accept` (default: "+results.AcceptFile+" beside weir.yaml)")
	f.StringVar(&o.from, "from", "", "directory of a comparison whose runs are judged again")
	f.StringVar(&o.out, "out", "", "directory for the runs and comparison.json (default: HOME/compare/ID)")
	return c
}

func (o *compareOptions) run(ctx context.Context, app *cli.App, args []string) error {
	if len(args) > 1 {
		return cli.Usage(errors.New("one run against another proves nothing: what is counted are runs, never their messages, and of two runs one is always slower"),
			"compare builds with --baseline and --candidate, or the last runs with --stored")
	}
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
		return o.stored(ctx, app, pr, args)
	case o.from != "":
		return o.judge(app, pr)
	}
	o.baseline, o.candidate = cmp.Or(o.baseline, pr.Weir.Compare.Baseline), cmp.Or(o.candidate, pr.Weir.Compare.Candidate)
	if len(args) == 0 || o.baseline == "" || o.candidate == "" {
		return cli.Usage(fmt.Errorf("expected a profile, --baseline and --candidate, or --from"), "`loadgen compare --help` has examples; weir.yaml can hold the commands: compare: {baseline: …, candidate: …}")
	}
	b := &bench{app: app, project: pr, profile: args[0], overrides: o.overrides, settle: o.settle, topics: o.topics, window: o.window,
		commands: map[string]string{regress.Baseline: o.baseline, regress.Candidate: o.candidate}}
	if b.dir = o.out; b.dir == "" {
		b.dir = pr.In(filepath.Join("compare", ulid.Make().String()))
	}
	if o.duet {
		return o.together(ctx, app, pr, b)
	}
	p, err := b.read()
	if err != nil {
		return err
	}
	k := kindFor(p)
	metrics, err := o.metrics(k)
	if err != nil {
		return err
	}
	noise, err := o.readNoise()
	if err == nil {
		err = noise.check(metrics)
	}
	if err == nil {
		err = o.enough(metrics)
	}
	if err != nil {
		return err
	}
	o.shown = showComparison(ctx, app, pr, control.Compare, filepath.Base(b.dir), p.Name, metrics, o.pairs)
	defer o.shown.close()
	b.shown = o.shown
	plan := regress.Plan{
		Metrics: metrics, Pairs: o.pairs, Confirm: regress.Confirm(o.confirm), Scatter: noise.scatter(metrics), Make: o.shown.making(b.make),
		Say: func(r regress.Run) { fmt.Fprintln(app.Stderr, runLine(r, metrics)) },
	}
	c, err := plan.Do(ctx)
	c.Profile = p.Name
	if err != nil {
		o.shown.failed(ctx, err)
		return kept(b.dir, c, err)
	}
	return o.tell(app, pr, b.dir, c)
}

// kept stores the runs that there are although the comparison did not come to its end.
func kept(dir string, c regress.Comparison, why error) error {
	if len(c.Runs) == 0 {
		return why
	}
	c.Verdict, c.Reason = regress.Inconclusive, "it was ended before its time: "+why.Error()
	if err := saveComparison(dir, c); err != nil {
		return errors.Join(why, err)
	}
	e := &cli.Error{Err: why, Exit: cli.ExitFailed}
	if inner := (*cli.Error)(nil); errors.As(why, &inner) {
		e.Hint, e.Exit = inner.Hint, inner.Exit
	}
	if errors.Is(why, cli.ErrInterrupted) || errors.Is(why, context.Canceled) {
		e.Exit = cli.ExitInterrupted
	}
	if e.Hint == "" {
		e.Hint = fmt.Sprintf("%d runs are kept: `loadgen compare --from %s` judges them", len(c.Runs), dir)
	}
	return e
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
	before, err := readComparison(o.from)
	if err != nil {
		return cli.Usage(fmt.Errorf("--from: %w", err), "expected the directory that `loadgen compare` has named at its end")
	}
	k := kindOf(before.Runs)
	metrics, err := o.metrics(k)
	if err != nil {
		return err
	}
	noise, err := o.readNoise()
	if err == nil && k != duet {
		err = noise.check(metrics)
	}
	if err != nil {
		return err
	}
	c, err := regress.Judge(metrics, before.Runs)
	if errors.Is(err, regress.ErrPooled) {
		return cli.Usage(err, "")
	}
	if err != nil {
		return err
	}
	c.Profile, c.Window, c.Advisory = before.Profile, before.Window, before.Advisory
	if k == duet && o.noise != "" {
		c.Advisory = noise.advisory(metrics, before.Window, before.Place)
	}
	return o.tell(app, pr, o.from, c)
}

const comparisonFile = "comparison.json"

func saveComparison(dir string, c regress.Comparison) error {
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, comparisonFile), append(b, '\n'), 0o600)
}

func (o *compareOptions) tell(app *cli.App, pr *project.Project, dir string, c regress.Comparison) error {
	if o.prove && c.Verdict != regress.Invalid {
		c.Findings = regress.Prove(c.Findings)
		c.Conclude()
	}
	accepted, err := results.ReadAccepted(acceptFile(pr, o.accepted))
	if err != nil {
		return err
	}
	for _, e := range accepted.Excuse(&c, time.Now()) {
		app.Log.Warn("no longer accepted", "what", e)
	}
	o.shown.ended(c)
	if err := saveComparison(dir, c); err != nil {
		return err
	}
	if err := o.write(app, results.OfComparison(c.Profile, filepath.Base(dir), time.Now(), &c)); err != nil {
		return err
	}
	if err := app.Result(c, comparisonText(c, dir)); err != nil {
		return err
	}
	code := map[regress.Verdict]int{regress.SLO: exitSLO, regress.Regressed: exitRegression, regress.Invalid: exitInvalid, regress.Inconclusive: exitInvalid, regress.NoBaseline: exitNoBaseline}[c.Verdict]
	switch {
	case c.Broken:
		code = exitIntegrity
	case c.Verdict == regress.Inconclusive && o.inconclusive == "pass":
		code = 0
	case c.Advised():
		app.Log.Warn("slower, and this comparison only warns", "advice", c.Advisory, "why", c.Reason)
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
	for _, m := range c.Missed {
		fmt.Fprintf(&b, "* %-9s  %-12s  %s\n", "limit", map[bool]string{true: "slo", false: "kept mostly"}[m.Blocks()], m)
	}
	if c.Advisory != "" {
		fmt.Fprintf(&b, "advice, which fails no build: %s\n", c.Advisory)
	}
	fmt.Fprintf(&b, "%s   %d runs in %s; * decides\n", c.Verdict, len(c.Runs), dir)
	return b.String()
}

func runLine(r regress.Run, metrics []regress.Metric) string {
	var b strings.Builder
	if r.Pair > 0 {
		fmt.Fprintf(&b, "pair %d  ", r.Pair)
	}
	fmt.Fprintf(&b, "%-9s", r.Build)
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
