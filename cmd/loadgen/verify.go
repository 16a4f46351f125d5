package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/cli"
	"weir/internal/control"
	"weir/internal/kafka"
	"weir/internal/lake"
	"weir/internal/ledger"
	"weir/internal/load"
	"weir/internal/project"
	"weir/internal/prove"
	"weir/internal/results"
	"weir/internal/show"
	"weir/internal/verify"
)

type verifyOptions struct {
	outputs
	table   string
	wait    time.Duration
	windows verify.Windows
}

func newVerify(app *cli.App) *cobra.Command {
	var o verifyOptions
	c := &cobra.Command{
		Use: "verify [RUN]", Short: "Prove from the destination table what became of a run's messages", Args: cobra.MaximumNArgs(1),
		Long: `Prove from the destination table what became of a run's messages: lost, doubled, reordered, altered, quarantined,
each named with topic, partition and offset, and how old rows were when they became readable. RUN is a run id, or last.
It works while the run goes on and after a crash of the generator.`,
		Example: "  loadgen verify last\n  loadgen verify 01K8ZJ9V4T8QH0M6W2X3Y5A7BC --wait 30s --json",
		RunE: func(c *cobra.Command, args []string) error {
			return runProof(c.Context(), app, o, append(args, "last")[0], c.Flags().Changed("wait"))
		},
	}
	o.outputs.flags(c.Flags())
	c.Flags().StringVar(&o.table, "table", "", "table, in place of the profile's")
	c.Flags().DurationVar(&o.wait, "wait", 0, "wait at most so long for the last rows (default: the profile's drain_timeout)")
	return c
}

func runProof(ctx context.Context, app *cli.App, o verifyOptions, run string, waitGiven bool) error {
	pr, err := project.Open(".", app.Home)
	if err != nil {
		return err
	}
	m, err := load.ReadManifest(pr.Home, run)
	if err != nil {
		if errors.Is(err, load.ErrNoRun) {
			return cli.Usage(err, "a run is kept in the --home that it ran with")
		}
		return err
	}
	if !waitGiven {
		o.wait = m.Drain
	}
	lk, err := lake.Open(ctx, pr.Lake())
	if err != nil {
		return err
	}
	defer lk.Close()
	r, err := proveUntil(ctx, pr, lk, m, o)
	if err != nil {
		return err
	}
	locate(ctx, app, pr, m, &r)
	publish(ctx, pr, r)
	res, err := keepProof(pr, m.Run, r)
	if err != nil {
		return err
	}
	if err := o.write(app, results.OfRun(res)); err != nil {
		return err
	}
	if err := app.Result(r, proofText(r)); err != nil {
		return err
	}
	return proofError(r, m.Thresholds)
}

// locate asks the broker where the lost messages are that the proof names. Without an answer they stay without a place.
func locate(ctx context.Context, app *cli.App, pr *project.Project, m *load.Manifest, r *verify.Result) {
	if r.Lost == 0 {
		return
	}
	k, _, err := pr.Resolve()
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, locateLimit)
		defer cancel()
		err = prove.Locate(ctx, m, func(o ...kgo.Opt) (*kgo.Client, error) { return kafka.Connect(k, o...) }, r)
	}
	if err != nil {
		app.Log.Info("lost messages could not be looked for in their topic", "run", m.Run, "error", err)
	}
}

// locateLimit bounds the search for lost messages in their topics.
const locateLimit = 30 * time.Second

// publish shows the proof on the screens of the home, if something serves them.
func publish(ctx context.Context, pr *project.Project, r verify.Result) {
	client := control.Dial(pr.Socket())
	defer client.Close()
	screens := control.NewPublisher(ctx, client)
	screens.Proof(show.Proof(r))
	screens.Close()
}

// proveUntil proves, and proves again while rows are missing and there is time.
func proveUntil(ctx context.Context, pr *project.Project, lk *lake.Lake, m *load.Manifest, o verifyOptions) (verify.Result, error) {
	end := time.Now().Add(o.wait)
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		r, err := proveAll(ctx, pr, lk, m, o.table, o.windows)
		missing := errors.Is(err, lake.ErrNoTable) || err == nil && r.Lost > 0 && !r.Drained
		if !missing || time.Now().After(end) {
			return r, err
		}
		select {
		case <-ctx.Done():
			return r, context.Cause(ctx)
		case <-time.After(min(pause, time.Until(end)+time.Millisecond)):
		}
	}
}

// proveAll proves each of the run's tables, or the one that is named.
func proveAll(ctx context.Context, pr *project.Project, lk *lake.Lake, m *load.Manifest, table string, windows verify.Windows) (verify.Result, error) {
	tables := prove.Tables(m)
	if table != "" {
		tables = []string{table}
	}
	var all []verify.Result
	for _, t := range tables {
		r, err := prove.Table(ctx, m, t, lk, readableTimes(ctx, pr, t), windows)
		if err != nil {
			return r, err
		}
		all = append(all, r)
	}
	return verify.Sum(all), nil
}

// readableTimes are those that the pipeline has written down; without them the snapshots' own times are taken. They are read when the
// first one is asked for: by then the proof knows which files it looks at.
func readableTimes(ctx context.Context, pr *project.Project, table string) func(int64) (time.Time, bool) {
	if _, err := os.Stat(pr.Ledger()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	times := sync.OnceValue(func() map[int64]time.Time {
		l, err := ledger.Open(ctx, pr.Ledger())
		if err != nil {
			return nil
		}
		defer l.Close()
		times, err := l.ReadableAt(ctx, table)
		if err != nil {
			return nil
		}
		return times
	})
	return func(snapshot int64) (time.Time, bool) {
		at, ok := times()[snapshot]
		return at, ok
	}
}

// keepProof adds the proof to the run's result. A run that was killed has none: what it gives then holds the proof alone.
func keepProof(pr *project.Project, run string, r verify.Result) (*results.Result, error) {
	res, err := results.Load(pr.Home, run)
	if errors.Is(err, load.ErrNoRun) {
		m, err := load.ReadManifest(pr.Home, run)
		if err != nil {
			return nil, err
		}
		sum := load.Summary{Run: run, Profile: m.Profile, Verdict: load.VerdictInterrupted, Reason: "the generator was killed: only what the table holds is known"}
		return &results.Result{Run: run, Started: m.Started, Summary: sum, Limits: m.Thresholds, Proof: &r}, nil
	}
	if err != nil {
		return nil, err
	}
	res.Proof = &r
	_, err = results.Save(filepath.Join(pr.Home, "load"), res)
	return res, err
}

func goneText(files []verify.Gone) string {
	switch len(files) {
	case 0:
		return ""
	case 1:
		return ", data file gone: " + files[0].Path
	}
	return fmt.Sprintf(", %d data files gone, the first: %s", len(files), files[0].Path)
}

// proofError decides the exit code. A profile may allow some losses or doubles; order and content have no such limit.
func proofError(r verify.Result, limits []load.Threshold) error {
	allowed := map[string]float64{}
	for _, t := range limits {
		allowed[t.Metric] = t.Max
	}
	hint := ""
	if r.Lost > 0 && !r.Drained {
		hint = "the table has not reached the end of the run: let the ingest job catch up, or wait with --wait 1m"
	}
	if len(r.Gone) > 0 {
		hint = "the table lists files that are not there: bring them back, or make the table anew from the topic"
	}
	if len(r.Gone) > 0 || float64(r.Lost) > allowed["lost"] || float64(r.Doubled) > allowed["duplicated"] || r.Reordered+r.Altered+r.Unexplained+r.OrderUnchecked > 0 {
		return &cli.Error{
			Err:  fmt.Errorf("run %s: the proof fails: lost %d, doubled %d, reordered %d, altered %d, quarantined without a reason %d%s", r.Run, r.Lost, r.Doubled, r.Reordered, r.Altered, r.Unexplained, goneText(r.Gone)),
			Hint: hint, Exit: exitIntegrity,
		}
	}
	for _, t := range limits {
		if t.Metric != "freshness_s" {
			continue
		}
		if r.ReadableRows == 0 {
			return &cli.Error{Err: fmt.Errorf("run %s: the age of no row is known, so %v cannot be judged", r.Run, t), Exit: exitInvalid}
		}
		if got := results.Freshness(&r, t.Stat); got > t.Max {
			return &cli.Error{Err: fmt.Errorf("run %s: slo: %v is %.4g, the profile allows %.4g", r.Run, t, got, t.Max), Exit: exitSLO}
		}
	}
	return nil
}
