package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/control"
	"weir/internal/project"
	"weir/internal/regress"
)

// calibration is the file that `loadgen calibrate` writes.
type calibration struct {
	Profile string          `json:"profile"`
	Noise   []regress.Noise `json:"noise,omitempty"` // of pairs of runs
	Duet    *duetNoise      `json:"duet,omitempty"`  // of one build on both sides of a duet
	Refused []string        `json:"refused,omitempty"`
	Runs    []regress.Run   `json:"runs"`
}

// duetNoise is what a duet of one build with itself has found: nothing, where both sides are treated alike.
type duetNoise struct {
	Window    float64           `json:"window_s"`
	Place     string            `json:"place"` // machine, broker and profile
	Symmetric bool              `json:"symmetric"`
	Why       string            `json:"why,omitempty"` // it is not
	Findings  []regress.Finding `json:"findings"`
}

type calibrateOptions struct {
	overrides
	judging
	system, out    string
	pairs          int
	settle, window time.Duration
	duet, topics   bool
}

func newCalibrate(app *cli.App) *cobra.Command {
	var o calibrateOptions
	c := &cobra.Command{
		Use: "calibrate PROFILE", Short: "Tell how small a change this machine can see", Args: cobra.ExactArgs(1),
		Long: `Tell how small a change this machine can see: pairs of runs of the same build (A/A), made as ` + "`loadgen compare`" + ` makes them. It prints for
each metric how much runs scatter, the floor below which a change cannot be told from none, and the smallest change that four of five
comparisons find. Floors that lie in the noise are marked; those that were asked for with --floor are refused (exit code 6), and
` + "`compare --noise FILE`" + ` refuses them, too.

With --duet it runs the same build on both sides of a duet and proves, or does not, that both are treated alike: what ` + "`compare --duet`" + `
needs before it may fail a build.`,
		Example: `  loadgen calibrate ci --system './bin/pipeline run transactions' --out noise.json
  loadgen calibrate ci --floor p99=20% --system './bin/pipeline run transactions' --out noise.json
  loadgen calibrate ci --duet --duration 10m --system './bin/pipeline run transactions' --out duet.json`,
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), app, args[0]) },
	}
	o.overrides.flags(c.Flags())
	o.judging.flags(c.Flags())
	c.Flags().StringVar(&o.system, "system", "", "shell command that serves the pipeline under test until SIGINT, see `loadgen compare`")
	c.Flags().IntVar(&o.pairs, "pairs", regress.Default, "pairs of runs, 5 to 12")
	c.Flags().StringVar(&o.out, "out", "", "file for the result")
	c.Flags().DurationVar(&o.settle, "settle", 2*time.Second, "between the start of a pipeline and the load")
	c.Flags().BoolVar(&o.duet, "duet", false, "calibrate `compare --duet`: the same build on both sides of one log")
	c.Flags().DurationVar(&o.window, "window", 10*time.Second, "length of a window of a duet")
	c.Flags().BoolVar(&o.topics, "fresh-topics", false, "make a topic for each run, see `loadgen compare`")
	return c
}

func (o *calibrateOptions) run(ctx context.Context, app *cli.App, profile string) error {
	pr, err := project.Open(".", app.Home)
	if err != nil {
		return err
	}
	if o.system == "" {
		return cli.Usage(fmt.Errorf("expected --system, the shell command of a pipeline"), "")
	}
	if o.pairs < regress.Least || o.pairs > regress.Most {
		return cli.Usage(fmt.Errorf("--pairs: expected %d to %d, got %d", regress.Least, regress.Most, o.pairs), "")
	}
	b := &bench{app: app, project: pr, profile: profile, overrides: o.overrides, settle: o.settle, window: o.window, topics: o.topics, dir: pr.In(filepath.Join("calibrate", ulid.Make().String())),
		commands: map[string]string{regress.Baseline: o.system, regress.Candidate: o.system}}
	calibrated, text := o.pairwise, noiseText
	if o.duet {
		calibrated, text = o.alike, duetText
	}
	cal, err := calibrated(ctx, app, b)
	if err != nil {
		return err
	}
	if o.out != "" {
		text, err := json.MarshalIndent(cal, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.out, append(text, '\n'), 0o600); err != nil {
			return err
		}
	}
	if err := app.Result(cal, text(cal)); err != nil {
		return err
	}
	if cal.Duet != nil && !cal.Duet.Symmetric {
		return &cli.Error{Err: fmt.Errorf("this machine does not treat both sides alike: %s", cal.Duet.Why), Hint: "a longer --duration proves more; raise --floor, or take a machine with more cores", Exit: exitInvalid}
	}
	if asked := cal.asked(o.floors); len(asked) > 0 {
		return &cli.Error{Err: errors.New(strings.Join(asked, "; ")), Exit: exitInvalid}
	}
	return nil
}

// asked are the refused floors that somebody has asked for.
func (c *calibration) asked(floors []string) []string {
	return slices.DeleteFunc(slices.Clone(c.Refused), func(why string) bool {
		return !slices.ContainsFunc(floors, func(f string) bool {
			name, _, _ := strings.Cut(f, "=")
			return strings.HasPrefix(why, name+": ")
		})
	})
}

// pairwise makes pairs of runs of one build.
func (o *calibrateOptions) pairwise(ctx context.Context, app *cli.App, b *bench) (*calibration, error) {
	p, err := b.read()
	if err != nil {
		return nil, err
	}
	k := kindFor(p)
	metrics, err := o.metrics(k)
	if err != nil {
		return nil, err
	}
	b.shown = showComparison(ctx, app, b.project, control.Calibrate, filepath.Base(b.dir), p.Name, metrics, o.pairs)
	defer b.shown.close()
	plan := regress.Plan{Metrics: metrics, Pairs: o.pairs, Confirm: regress.Never, Make: b.shown.making(b.make), Say: func(r regress.Run) { fmt.Fprintln(app.Stderr, runLine(r, metrics)) }}
	c, err := plan.Do(ctx)
	if err == nil {
		if err = unusable(c); err != nil {
			b.shown.ended(c)
			return nil, err
		}
	}
	if err != nil {
		b.shown.failed(ctx, err)
		return nil, err
	}
	cal := &calibration{Profile: p.Name, Runs: c.Runs}
	for _, f := range c.Findings {
		if len(f.Pairs) < regress.Least {
			continue
		}
		n, err := regress.Calibrate(f.Metric, f.Pairs, o.pairs)
		if err != nil {
			return cal, err
		}
		cal.Noise = append(cal.Noise, n)
		if err := n.Check(f.Metric); err != nil {
			cal.Refused = append(cal.Refused, err.Error())
		}
	}
	b.shown.calibrated(cal.Noise)
	return cal, nil
}

// alike makes a duet of one build with itself.
func (o *calibrateOptions) alike(ctx context.Context, app *cli.App, b *bench) (*calibration, error) {
	p, err := b.readDuet()
	if err != nil {
		return nil, err
	}
	metrics, err := o.metrics(duet)
	if err != nil {
		return nil, err
	}
	plan := regress.DuetPlan{Metrics: metrics, Confirm: regress.Never, Advisory: func() string { return "" }, Make: b.both, Say: func(r regress.Run) { fmt.Fprintln(app.Stderr, runLine(r, metrics)) }}
	c, err := plan.Do(ctx)
	if err == nil {
		err = unusable(c)
	}
	if err != nil {
		return nil, err
	}
	d := &duetNoise{Window: b.window.Seconds(), Place: b.place, Findings: c.Findings, Why: regress.Asymmetric(metrics, c.Findings)}
	d.Symmetric = d.Why == ""
	return &calibration{Profile: p.Name, Duet: d, Runs: c.Runs}, nil
}

// unusable says why runs of one build tell nothing of the machine.
func unusable(c regress.Comparison) error {
	switch {
	case c.Broken:
		return &cli.Error{Err: errors.New(c.Reason), Exit: exitIntegrity}
	case c.Verdict == regress.Invalid:
		return &cli.Error{Err: fmt.Errorf("invalid: %s", c.Reason), Exit: exitInvalid}
	}
	return nil
}

func noiseText(c *calibration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-10s %9s %12s %18s\n", "METRIC", "SCATTER", "NOISE FLOOR", "FOUND 4 OF 5 TIMES")
	for _, n := range c.Noise {
		mark := ""
		if slices.ContainsFunc(c.Refused, func(why string) bool { return strings.HasPrefix(why, n.Metric+": ") }) {
			mark = "   the floor lies in the noise"
		}
		fmt.Fprintf(&b, "%-10s %8.1f%% %11.1f%% %17.1f%%%s\n", n.Metric, 100*n.Spread, 100*n.Floor, 100*n.Seen, mark)
	}
	if len(c.Noise) == 0 {
		return "no metric was measured in enough pairs\n"
	}
	fmt.Fprintf(&b, "of comparisons with %d pairs on this machine\n", c.Noise[0].Pairs)
	return b.String()
}

func duetText(c *calibration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-10s %22s %9s\n", "METRIC", "ONE SIDE AGAINST OTHER", "FLOOR")
	for _, f := range c.Duet.Findings {
		fmt.Fprintf(&b, "%-10s %22s %8.3g%%\n", f.Metric.Name, fmt.Sprintf("%+.1f%% to %+.1f%%", 100*f.From, 100*f.To), 100*f.Metric.Floor)
	}
	how := "both sides are treated alike: a duet with this file may fail a build"
	if !c.Duet.Symmetric {
		how = "not proven that both sides are treated alike: a duet only warns"
	}
	fmt.Fprintf(&b, "%s\n", how)
	return b.String()
}
