package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/control"
	"weir/internal/ingest"
	"weir/internal/job"
	"weir/internal/show"
	"weir/tui/figure"
)

func lagCommand(app *cli.App) *cobra.Command {
	var o lagOptions
	c := &cobra.Command{
		Use:   "lag [JOB]",
		Short: "how far the tables of streams are behind their topics: messages, bytes, seconds",
		Long: `lag compares the cursor in a stream's table with the ends of its topic, for JOB or for all streams. It needs neither a running job
nor a consumer group. Seconds are the age of the oldest message that is not in the table; bytes are estimated from the mean size of
messages; "complete up to" is the instant before which every message is in the table.

    pipeline lag
    pipeline lag transactions --watch     a look each second, with rates, trend and the time to catch up

A backlog that is older than the first look is dated by its messages' own timestamps; where these are no time, "≥" stands before the
seconds. With --json each look is one line: {job, table, topic, behind_s, behind_records, behind_bytes, complete_up_to, partitions, …}.
Exit code 1 if a stream cannot be looked at.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), app, args) },
	}
	c.Flags().BoolVar(&o.watch, "watch", false, "look again each second, until Ctrl-C")
	c.Flags().StringVar(&o.project, "project", ".", "directory of weir.yaml, jobs/ and units.yaml")
	return c
}

type lagOptions struct {
	project string
	watch   bool
}

// watched is a stream that lag looks at.
type watched struct {
	job   job.Job
	topic string
	table string
	watch *ingest.Watch
}

func (o lagOptions) run(ctx context.Context, app *cli.App, args []string) (err error) {
	s, err := openSite(ctx, app, o.project)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	jobs, err := s.streams(args)
	if err != nil {
		return err
	}
	if err := s.connect(ctx); err != nil {
		return err
	}
	var all []watched
	for _, j := range jobs {
		c := j.Spec.(*ingest.Config)
		w, err := ingest.NewWatch(ctx, j.Name, *c, s.ingestParts(j))
		if err != nil {
			return fmt.Errorf("job %s: %w", j.Name, err)
		}
		defer w.Close()
		all = append(all, watched{j, c.Topic, c.Table, w})
	}
	for {
		for _, w := range all {
			st, err := w.look(ctx)
			if ctx.Err() != nil {
				return cli.ErrInterrupted
			}
			if err != nil {
				return fmt.Errorf("job %s: %w", w.job.Name, err)
			}
			if err := app.Result(st, lagText(st, o.watch)); err != nil {
				return err
			}
		}
		if !o.watch {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

// streams are the ingest job of a name, or all of them.
func (s *site) streams(names []string) ([]job.Job, error) {
	jobs, err := jobsOf(s.project, names)
	if err != nil {
		return nil, err
	}
	var all []job.Job
	for _, j := range jobs {
		if _, ok := j.Spec.(*ingest.Config); ok {
			all = append(all, j)
		} else if len(names) > 0 {
			return nil, cli.Usage(fmt.Errorf("job %s is of kind %s; only an ingest reads a topic", j.Name, j.Kind), "")
		}
	}
	if len(all) == 0 {
		return nil, cli.Usage(fmt.Errorf("no job in %s reads a topic", s.project.JobsDir()), "")
	}
	return all, nil
}

func (w watched) look(ctx context.Context) (control.Stream, error) {
	st := control.Stream{Job: w.job.Name, Title: w.job.Title, Unit: w.job.Unit, Table: w.table, Topic: w.topic}
	at, err := w.watch.Position(ctx)
	if err != nil {
		return st, err
	}
	f, err := w.watch.Look(ctx, at)
	if err != nil {
		return st, err
	}
	st.At, st.State, st.InPerSec, st.OutPerSec = f.At, control.Running, f.In, f.Out
	switch {
	case at.IsZero():
		st.State = control.Preparing
	case f.Records == 0:
		st.State = control.CaughtUp
	}
	show.Behind(&st, f)
	return st, nil
}

// lagText is a table of the partitions under a line about the whole. Rates need two looks.
func lagText(st control.Stream, rates bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s → %s  %s behind: %s messages, %s", st.Job, st.Topic, st.Table, seconds(st.BehindSeconds, st.AtLeast), figure.Count(st.BehindRecords), figure.Bytes(float64(st.BehindBytes)))
	if !st.CompleteUpTo.IsZero() {
		fmt.Fprintf(&b, "; complete up to %s", st.CompleteUpTo.UTC().Format(time.RFC3339))
	}
	b.WriteString("\n")
	if rates {
		fmt.Fprintf(&b, "  in %s/s  out %s/s  %s  %s\n", figure.Short(st.InPerSec), figure.Short(st.OutPerSec), st.Trend, catchUp(st))
	}
	if st.Hot != nil {
		fmt.Fprintf(&b, "  hot: partition %d has %s of what is left; add partitions or split its keys\n", st.Hot.Partition, figure.Percent(st.Hot.Share))
	}
	fmt.Fprintf(&b, "  %9s  %12s  %12s  %12s  %10s  %8s\n", "PARTITION", "POSITION", "END", "MESSAGES", "BYTES", "SECONDS")
	for _, p := range st.Partitions {
		fmt.Fprintf(&b, "  %9d  %12d  %12d  %12s  %10s  %8s\n", p.ID, p.Position, p.End, figure.Count(p.Behind()), figure.Bytes(float64(p.Bytes)), seconds(p.Seconds, p.AtLeast))
	}
	return b.String()
}

func seconds(s float64, atLeast bool) string {
	if atLeast {
		return "≥ " + figure.Seconds(s)
	}
	return figure.Seconds(s)
}

func catchUp(st control.Stream) string {
	switch {
	case st.BehindRecords == 0:
		return "nothing is left"
	case st.CatchUpSeconds < 0:
		return "does not catch up at these rates"
	}
	return "caught up in " + figure.Seconds(st.CatchUpSeconds)
}
