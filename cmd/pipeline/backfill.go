package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/job"
	"weir/internal/schedule"
)

type backfillOptions struct {
	from, to, project string
	dry, again        bool
}

func backfillCommand(app *cli.App) *cobra.Command {
	var o backfillOptions
	c := &cobra.Command{
		Use:   "backfill JOB --from DATE --to DATE",
		Short: "run a job for each data interval of a range",
		Long: `backfill runs the intervals of the job's schedule (without one: days, UTC) that start on --from or later and end by --to
inclusive, one after the other. Those that are good already are left out, unless --again; so a backfill that was stopped goes
on where it was.

    pipeline backfill daily_totals --from 2026-11-01 --to 2026-11-19
    pipeline backfill daily_totals --from 2026-11-01 --to 2026-11-19 --dry-run`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), app, args[0]) },
	}
	f := c.Flags()
	f.StringVar(&o.from, "from", "", "first day")
	f.StringVar(&o.to, "to", "", "last day")
	f.BoolVar(&o.dry, "dry-run", false, "list the intervals and run none")
	f.BoolVar(&o.again, "again", false, "also those that are good already")
	f.StringVar(&o.project, "project", ".", "directory of weir.yaml, jobs/ and units.yaml")
	_ = c.MarkFlagRequired("from")
	_ = c.MarkFlagRequired("to")
	return c
}

// backfilled is one interval in the contract of `pipeline backfill --json`.
type backfilled struct {
	Run   string    `json:"run"`
	Start time.Time `json:"interval_start"`
	End   time.Time `json:"interval_end"`
	State string    `json:"state"` // planned, good already, or the run's
	Rows  int64     `json:"rows_out"`
}

func (o backfillOptions) slots(j job.Job) ([]schedule.Slot, error) {
	c := schedule.Config{Cron: "0 0 * * *"}
	if j.Schedule != nil && j.Schedule.Cron != "" {
		c = *j.Schedule
	}
	t, err := c.Timetable()
	if err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(c.Timezone)
	if err != nil {
		return nil, err
	}
	from, err := time.ParseInLocation(time.DateOnly, o.from, zone)
	if err != nil {
		return nil, cli.Usage(fmt.Errorf("--from: expected a date such as 2026-11-01, got %q", o.from), "")
	}
	to, err := time.ParseInLocation(time.DateOnly, o.to, zone)
	if err != nil {
		return nil, cli.Usage(fmt.Errorf("--to: expected a date such as 2026-11-19, got %q", o.to), "")
	}
	if to.Before(from) {
		return nil, cli.Usage(fmt.Errorf("--to %s lies before --from %s", o.to, o.from), "")
	}
	end := to.AddDate(0, 0, 1)
	if now := time.Now(); end.After(now) {
		end = now
	}
	const most = 100_000
	var all []schedule.Slot
	for _, s := range t.Between(from, end.AddDate(0, 0, 1), most) { // an interval that begins on the last day may end on the next
		if s.Start.Before(to.AddDate(0, 0, 1)) && !s.End.After(time.Now()) {
			all = append(all, s)
		}
	}
	return all, nil
}

func (o backfillOptions) run(ctx context.Context, app *cli.App, name string) (err error) {
	s, err := openSite(ctx, app, o.project)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	j, err := job.Find(s.project.JobsDir(), name, kinds)
	if err != nil {
		return err
	}
	slots, err := o.slots(j)
	if err != nil {
		return err
	}
	known, err := s.known(ctx, j.Name)
	if err != nil {
		return err
	}
	good := map[string]bool{}
	for _, k := range known {
		if k.State == schedule.Good {
			good[k.Slot.Key()] = true
		}
	}
	if !o.dry {
		if err := s.background(ctx, nil); err != nil {
			return err
		}
	}
	var done []backfilled
	var failed error
	for _, slot := range slots {
		b := backfilled{Run: runID(j.Name, slot), Start: slot.Start, End: slot.End, State: "planned"}
		switch {
		case good[slot.Key()] && !o.again:
			b.State = "good already"
		case !o.dry && failed == nil:
			r, err := s.slot(ctx, j, slot)
			b.State, b.Rows, failed = r.State, r.RowsOut, err
			fmt.Fprintf(app.Stderr, "%s  %s  %d rows\n", slot, r.State, r.RowsOut)
		}
		done = append(done, b)
		if ctx.Err() != nil {
			failed = cli.ErrInterrupted
			break
		}
	}
	if !o.dry {
		failed = errors.Join(failed, s.told(ctx))
	}
	if failed != nil {
		return &cli.Error{Err: failed, Hint: "the same command goes on with what is left"}
	}
	var b strings.Builder
	for _, d := range done {
		fmt.Fprintf(&b, "%s  %-12s  %d rows\n", schedule.Slot{Start: d.Start, End: d.End}, d.State, d.Rows)
	}
	return app.Result(map[string]any{"job": j.Name, "intervals": done}, b.String())
}
