package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/job"
	"weir/internal/ledger"
	"weir/internal/outcome"
	"weir/internal/project"
	"weir/internal/schedule"
	"weir/minibatch"
)

func runsCommand(app *cli.App) *cobra.Command {
	var state string
	var limit int
	c := &cobra.Command{
		Use:   "runs [JOB]",
		Short: "list what ran, the newest first",
		Long: `runs lists runs from the ledger of the home: state, job, data interval, rows, attempts, and why one failed.

    pipeline runs
    pipeline runs daily_totals --state failed --limit 5
    pipeline run show RUN`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if state != "" && !slices.Contains(outcome.States(), outcome.State(state)) {
				return cli.Usage(fmt.Errorf("--state: expected running, ready, warning, failed, cancelled or recovered, got %q", state), "")
			}
			if limit < 1 {
				return cli.Usage(fmt.Errorf("--limit: expected 1 or more, got %d", limit), "")
			}
			return withLedger(c.Context(), app, func(l *ledger.Ledger) error {
				runs, err := l.Runs(c.Context(), append(args, "")[0], limit)
				if err != nil {
					return err
				}
				if len(runs) == 0 && len(args) > 0 {
					p, err := project.Open(".", app.Home)
					if err != nil {
						return err
					}
					if _, err := job.Find(p.JobsDir(), args[0], kinds); usage(err) { // a file with mistakes is still a job
						return err
					}
				}
				var rows []runRow
				for _, r := range runs {
					if state == "" || string(r.State) == state {
						rows = append(rows, rowOf(r))
					}
				}
				return app.Result(map[string]any{"runs": rows}, runsText(rows))
			})
		},
	}
	c.Flags().StringVar(&state, "state", "", "only running, ready, warning, failed, cancelled or recovered ones")
	c.Flags().IntVar(&limit, "limit", 30, "at most so many")
	return c
}

// runRow is the contract of `pipeline runs --json`.
type runRow struct {
	Run      string    `json:"run"`
	Job      string    `json:"job"`
	State    string    `json:"state"`
	Start    time.Time `json:"interval_start,omitzero"`
	End      time.Time `json:"interval_end,omitzero"`
	Attempt  int       `json:"attempt"`
	Started  time.Time `json:"started"`
	Seconds  float64   `json:"seconds"`
	RowsIn   int64     `json:"rows_in"`
	RowsOut  int64     `json:"rows_out"`
	Rejected int64     `json:"rejected"`
	Retries  int       `json:"retries"` // of batches, in the last attempt
	Cause    string    `json:"cause,omitempty"`
}

func rowOf(r ledger.Run) runRow {
	row := runRow{Run: r.RunID, Job: r.Job, State: string(r.State), Start: r.Interval.Start, End: r.Interval.End, Attempt: r.Attempt, Started: r.Started}
	end := time.Now()
	if !r.Ended.IsZero() {
		end = r.Ended
	}
	row.Seconds = end.Sub(r.Started).Round(time.Millisecond).Seconds()
	if o := r.Outcome; o != nil {
		row.RowsIn, row.RowsOut, row.Rejected, row.Retries, row.Cause = o.RowsIn, o.RowsOut, o.Rejected, o.Retries, o.Cause.Text
	}
	return row
}

func runsText(rows []runRow) string {
	if len(rows) == 0 {
		return "no runs\n"
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "STATE\tJOB\tINTERVAL\tTRY\tROWS\tREJECTED\tTOOK\tSTARTED\tRUN")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%d\t%.1fs\t%s\t%s\n", r.State, r.Job, inWords(minibatch.Interval{Start: r.Start, End: r.End}), r.Attempt, r.RowsOut, r.Rejected, r.Seconds, r.Started.Local().Format("01-02 15:04:05"), r.Run)
	}
	_ = w.Flush()
	return b.String()
}

func withLedger(ctx context.Context, app *cli.App, f func(*ledger.Ledger) error) error {
	p, err := project.Open(".", app.Home)
	if err != nil {
		return err
	}
	l, err := ledger.Open(ctx, p.Ledger())
	if err != nil {
		return err
	}
	return errors.Join(f(l), l.Close())
}

func noRun(id string, err error) error {
	if errors.Is(err, ledger.ErrNoRun) {
		return cli.Usage(fmt.Errorf("there is no run %s in this home", id), "`pipeline runs` lists them")
	}
	return err
}

func showRunCommand(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use: "show RUN", Short: "what became of a run: its attempts, rows and outcome", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return withLedger(c.Context(), app, func(l *ledger.Ledger) error {
				r, err := l.Get(c.Context(), args[0])
				if err != nil {
					return noRun(args[0], err)
				}
				tries, err := l.Attempts(c.Context(), r.RunID)
				if err != nil {
					return err
				}
				row := rowOf(r)
				var b strings.Builder
				fmt.Fprintf(&b, "%s\n  job       %s (%s)\n  state     %s\n  interval  %s\n  rows      in %d, out %d, rejected %d\n", r.RunID, r.Job, r.Kind, r.State, inWords(minibatch.Interval{Start: row.Start, End: row.End}), row.RowsIn, row.RowsOut, row.Rejected)
				if row.Retries > 0 {
					fmt.Fprintf(&b, "  retries   %d, of batches\n", row.Retries)
				}
				if row.Cause != "" {
					fmt.Fprintf(&b, "  why       %s\n", row.Cause)
				}
				if r.Outcome != nil && r.Outcome.Todo != "" {
					fmt.Fprintf(&b, "  next      %s\n", r.Outcome.Todo)
				}
				if r.Remote != "" {
					fmt.Fprintf(&b, "  on        %s\n", r.Remote)
				}
				for _, t := range tries {
					fmt.Fprintf(&b, "  attempt %d  %-9s %s  by %s  %s\n", t.Attempt, t.State, t.Started.Local().Format("2006-01-02 15:04:05"), t.Owner, t.Cause)
				}
				return app.Result(map[string]any{"run": row, "attempts": tries, "outcome": r.Outcome}, b.String())
			})
		},
	}
}

func cancelCommand(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use: "cancel RUN", Short: "stop a run, in whichever process of the home it is", Args: cobra.ExactArgs(1),
		Long: `cancel asks the process that runs it to stop; it does so within a few seconds, and the run ends as cancelled. What has been
committed stays. "pipeline rerun RUN" makes it again.`,
		RunE: func(c *cobra.Command, args []string) error {
			return withLedger(c.Context(), app, func(l *ledger.Ledger) error {
				if err := l.Cancel(c.Context(), args[0]); err != nil {
					return noRun(args[0], err)
				}
				if r, err := l.Get(c.Context(), args[0]); err == nil && unfollowed(r) {
					return cancelElsewhere(c.Context(), app, r)
				}
				for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
					r, err := l.Get(c.Context(), args[0])
					if err != nil {
						return err
					}
					if r.State.Terminal() {
						return app.Result(map[string]any{"run": r.RunID, "state": r.State}, fmt.Sprintf("%s is %s\n", r.RunID, r.State))
					}
					select {
					case <-c.Context().Done():
						return c.Context().Err()
					case <-time.After(200 * time.Millisecond):
					}
				}
				return app.Result(map[string]any{"run": args[0], "state": outcome.Running}, args[0]+" has been asked to stop; it has not ended yet\n")
			})
		},
	}
}

// unfollowed: a service runs it, and no process of this home looks after it.
func unfollowed(r ledger.Run) bool {
	return r.Remote != "" && !r.State.Terminal() && (ledger.Gone(r.Owner) || time.Since(r.Heartbeat) > lostAfter/2)
}

// cancelElsewhere looks after a run until it has ended, which is soon: its end was asked for.
func cancelElsewhere(ctx context.Context, app *cli.App, r ledger.Run) (err error) {
	s, err := openSite(ctx, app, ".")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	got, err := s.attach(ctx, r.RunID, false)
	if err != nil && got.State == "" {
		return err
	}
	if err := s.told(ctx); err != nil {
		return err
	}
	return app.Result(map[string]any{"run": r.RunID, "state": got.State}, fmt.Sprintf("%s is %s\n", r.RunID, got.State))
}

func rerunCommand(app *cli.App) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "rerun RUN", Short: "make a run again: the same job for the same data interval", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) (err error) {
			s, err := openSite(c.Context(), app, dir)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.close()) }()
			old, err := s.ledger.Get(c.Context(), args[0])
			if err != nil {
				return noRun(args[0], err)
			}
			if !old.State.Terminal() {
				return cli.Usage(fmt.Errorf("run %s is still running (%s)", old.RunID, old.Owner), "`pipeline cancel "+old.RunID+"` stops it")
			}
			if old.Remote != "" {
				where, _, _ := strings.Cut(old.Remote, " ")
				return cli.Usage(fmt.Errorf("run %s was made on EMR (%s); rerun makes runs again here", old.RunID, old.Remote), fmt.Sprintf("`pipeline submit %s --to %s` with its data interval makes it again there, as a run of its own", old.Job, where))
			}
			j, err := job.Find(s.project.JobsDir(), old.Job, kinds)
			if err != nil {
				return err
			}
			if err := s.background(c.Context(), nil); err != nil {
				return err
			}
			x := execution{
				id: old.RunID, interval: minibatch.Interval{Start: old.Interval.Start, End: old.Interval.End}, mode: minibatch.Drain,
				first: old.Attempt + 1, retry: schedule.Retry{Attempts: 1}, timeout: j.Timeout,
			}
			r, err := s.execute(c.Context(), j, x)
			if err = errors.Join(err, s.told(c.Context())); err != nil {
				return err
			}
			return app.Result(r, r.text())
		},
	}
	c.Flags().StringVar(&dir, "project", ".", "directory of weir.yaml, jobs/ and units.yaml")
	return c
}
