package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/control"
	"weir/internal/ingest"
	"weir/internal/job"
	"weir/minibatch"
	"weir/tui/plain"
)

func runCommand(app *cli.App) *cobra.Command {
	var o runOptions
	c := &cobra.Command{
		Use:   "run JOB",
		Short: "run a job: an ingest until Ctrl-C, a report once",
		Long: `run executes a job by its name (jobs/NAME.yaml) or file. An ingest goes on until Ctrl-C, which finishes the batch in work and
stops; a second Ctrl-C stops at once; nothing is lost either way. A report runs once.

    pipeline run transactions                       stream until Ctrl-C; watch it with "pipeline tui"
    pipeline run transactions --until-caught-up     stream what is there and end
    pipeline run daily_totals --for 2026-11-20      make the report of that day

With the embedded broker, the first "pipeline run" of a home serves it, and other programs of the same home find it.
With --json the last line is {job, run, state, rows_in, rows_out, rejected, seconds}.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), app, args[0]) },
	}
	c.Flags().StringVar(&o.day, "for", "", "data interval: the day DATE (2026-11-20), in UTC")
	c.Flags().StringVar(&o.span, "interval", "", "data interval: START/END (2026-11-20T06:00:00Z/2026-11-20T07:00:00Z), as schedulers give it")
	c.MarkFlagsMutuallyExclusive("for", "interval")
	c.Flags().StringVar(&o.metrics, "metrics", "", "serve Prometheus metrics at this address, such as 127.0.0.1:9464 (default: not)")
	c.Flags().BoolVar(&o.drain, "until-caught-up", false, "end when the table has all that the topic has")
	c.Flags().StringVar(&o.project, "project", ".", "directory of weir.yaml, jobs/ and units.yaml")
	c.Flags().StringVar(&o.workers, "workers", "", "read an ingest's topic with so many worker processes: 3, or 1..8 as the load needs (default: what processes says in its file, or this process)")
	c.AddCommand(showRunCommand(app))
	return c
}

type runOptions struct {
	project, day, span string
	drain              bool
	workers, metrics   string
}

func (o runOptions) run(ctx context.Context, app *cli.App, name string) (err error) {
	interval, err := day(o.day)
	if err == nil && o.span != "" {
		interval.Start, interval.End, err = spanOf(o.span)
	}
	if err != nil {
		return err
	}
	var least, most int
	if o.workers != "" {
		if least, most, err = workerRange(o.workers); err != nil {
			return err
		}
	}
	s, err := openSite(ctx, app, o.project)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	j, err := job.Find(s.project.JobsDir(), name, kinds)
	if err != nil {
		return err
	}
	if _, ok := j.Spec.(*ingest.Config); !ok && least > 0 {
		return cli.Usage(fmt.Errorf("--workers: job %s is of kind %s; only an ingest reads with several workers", j.Name, j.Kind), "")
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	if err := s.background(ctx, map[string]control.Verb{"stop": func(context.Context, json.RawMessage) (any, error) {
		stop(cli.ErrInterrupted)
		return "stopping after the batch in work", nil
	}}); err != nil {
		return err
	}
	if err := s.serveMetrics(o.metrics); err != nil {
		return err
	}
	follow, done := context.WithCancel(context.WithoutCancel(ctx))
	s.workers.Go(func() { _ = plain.Follow(follow, control.Dial(s.project.Socket()), app.Stderr, 10*time.Second) })
	mode := minibatch.Daemon
	if o.drain {
		mode = minibatch.Drain
	}
	r, err := s.execute(ctx, j, execution{
		id: ulid.Make().String(), interval: interval, mode: mode, timeout: j.Timeout, least: least, most: most,
	})
	done()
	err = errors.Join(err, s.told(ctx))
	if err != nil {
		return err
	}
	if err := app.Result(r, r.text()); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return cli.ErrInterrupted
	}
	return nil
}

// day is the data interval of a date.
func day(s string) (minibatch.Interval, error) {
	if s == "" {
		return minibatch.Interval{}, nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return minibatch.Interval{}, cli.Usage(fmt.Errorf("--for: expected a date such as 2026-11-20, got %q", s), "")
	}
	return minibatch.Interval{Start: t, End: t.AddDate(0, 0, 1)}, nil
}

// runResult is the contract of `pipeline run --json`.
type runResult struct {
	Job      string  `json:"job"`
	Run      string  `json:"run"`
	State    string  `json:"state"`
	RowsIn   int64   `json:"rows_in"`
	RowsOut  int64   `json:"rows_out"`
	Rejected int64   `json:"rejected"`
	Seconds  float64 `json:"seconds"`
}

func (r runResult) text() string {
	return fmt.Sprintf("%s  %s  rows in %d, out %d, rejected %d  %.1f s  (run %s)\n", r.Job, r.State, r.RowsIn, r.RowsOut, r.Rejected, r.Seconds, r.Run)
}
