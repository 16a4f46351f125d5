package main

import (
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
	"weir/internal/control"
	"weir/internal/project"
	"weir/internal/regress"
)

// calibration is the file that `loadgen calibrate` writes.
type calibration struct {
	Profile string          `json:"profile"`
	Noise   []regress.Noise `json:"noise"`
	Runs    []regress.Run   `json:"runs"`
}

func newCalibrate(app *cli.App) *cobra.Command {
	var o struct {
		overrides
		system, out string
		pairs       int
		settle      time.Duration
	}
	c := &cobra.Command{
		Use: "calibrate PROFILE", Short: "Tell how small a change this machine can see", Args: cobra.ExactArgs(1),
		Long: `Tell how small a change this machine can see: pairs of runs of the same build (A/A), made as ` + "`loadgen compare`" + ` makes them. It prints for
each metric how much runs scatter, the floor below which a change cannot be told from none, and the smallest change that four of five
comparisons find. ` + "`compare --noise FILE`" + ` refuses floors that lie in the noise.`,
		Example: "  loadgen calibrate ci --system './bin/pipeline run transactions' --out noise.json",
		RunE: func(c *cobra.Command, args []string) error {
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
			b := &bench{app: app, project: pr, profile: args[0], overrides: o.overrides, settle: o.settle, dir: pr.In(filepath.Join("calibrate", ulid.Make().String())),
				commands: map[string]string{regress.Baseline: o.system, regress.Candidate: o.system}}
			cal, err := calibrated(c.Context(), app, b, o.pairs)
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
			return app.Result(cal, noiseText(cal.Noise))
		},
	}
	o.overrides.flags(c.Flags())
	c.Flags().StringVar(&o.system, "system", "", "shell command that serves the pipeline under test until SIGINT, see `loadgen compare`")
	c.Flags().IntVar(&o.pairs, "pairs", regress.Default, "pairs of runs, 5 to 12")
	c.Flags().StringVar(&o.out, "out", "", "file for the result")
	c.Flags().DurationVar(&o.settle, "settle", 2*time.Second, "between the start of a pipeline and the load")
	return c
}

func calibrated(ctx context.Context, app *cli.App, b *bench, pairs int) (calibration, error) {
	p, err := b.read()
	if err != nil {
		return calibration{}, err
	}
	metrics, err := (&compareOptions{}).metrics(p.Rate.Max)
	if err != nil {
		return calibration{}, err
	}
	b.shown = showComparison(ctx, app, b.project, control.Calibrate, filepath.Base(b.dir), p.Name, metrics, pairs)
	defer b.shown.close()
	plan := regress.Plan{Metrics: metrics, Pairs: pairs, Confirm: regress.Never, Make: b.shown.making(b.make), Say: func(r regress.Run) { fmt.Fprintln(app.Stderr, runLine(r, metrics)) }}
	c, err := plan.Do(ctx)
	if err != nil {
		b.shown.failed(ctx, err)
		return calibration{}, err
	}
	if c.Broken || c.Verdict == regress.Invalid {
		b.shown.ended(c)
	}
	switch {
	case c.Broken:
		return calibration{}, &cli.Error{Err: fmt.Errorf("%s", c.Reason), Exit: exitIntegrity}
	case c.Verdict == regress.Invalid:
		return calibration{}, &cli.Error{Err: fmt.Errorf("invalid: %s", c.Reason), Exit: exitInvalid}
	}
	cal := calibration{Profile: p.Name, Runs: c.Runs}
	for _, f := range c.Findings {
		if len(f.Pairs) < regress.Least {
			continue
		}
		n, err := regress.Calibrate(f.Metric, f.Pairs, pairs)
		if err != nil {
			return cal, err
		}
		cal.Noise = append(cal.Noise, n)
	}
	b.shown.calibrated(cal.Noise)
	return cal, nil
}

func noiseText(all []regress.Noise) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-10s %9s %12s %18s\n", "METRIC", "SCATTER", "NOISE FLOOR", "FOUND 4 OF 5 TIMES")
	for _, n := range all {
		fmt.Fprintf(&b, "%-10s %8.1f%% %11.1f%% %17.1f%%\n", n.Metric, 100*n.Spread, 100*n.Floor, 100*n.Seen)
	}
	fmt.Fprintf(&b, "of comparisons with %d pairs on this machine\n", all[0].Pairs)
	return b.String()
}
