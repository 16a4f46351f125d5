package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/control"
	"weir/internal/job"
	"weir/internal/ledger"
	"weir/internal/outcome"
	"weir/internal/schedule"
	"weir/minibatch"
	"weir/tui/plain"
)

func serveCommand(app *cli.App) *cobra.Command {
	var dir, metrics string
	c := &cobra.Command{
		Use:   "serve",
		Short: "run all jobs on their schedules until Ctrl-C",
		Long: `serve runs the jobs whose files have a schedule: each data interval once, after the jobs whose tables it reads, with retries,
a timeout, and what was missed as "catch_up" says. Streams with "always: true" run as long as serve does. A second serve of the
same home waits until the first one has gone, and takes over then. Ctrl-C stops after the work in hand; nothing is lost, and the
next serve goes on.

    pipeline serve
    pipeline runs                 what ran
    pipeline cancel RUN           stop one
    pipeline rerun RUN            make one again`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return serveSchedules(c.Context(), app, dir, metrics) },
	}
	c.Flags().StringVar(&dir, "project", ".", "directory of weir.yaml, jobs/ and units.yaml")
	c.Flags().StringVar(&metrics, "metrics", "", "serve Prometheus metrics at this address, such as 127.0.0.1:9464 (default: not)")
	return c
}

const (
	leaseName = "scheduler"
	leaseTime = 15 * time.Second
)

func serveSchedules(ctx context.Context, app *cli.App, dir, metrics string) (err error) {
	s, err := openSite(ctx, app, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	jobs, err := s.scheduled(ctx)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	lease, err := s.lead(ctx)
	if err != nil || lease == nil {
		return err
	}
	defer func() { err = errors.Join(err, lease.Release(context.WithoutCancel(ctx))) }()
	if err := s.background(ctx, map[string]control.Verb{"stop": func(context.Context, json.RawMessage) (any, error) {
		stop(cli.ErrInterrupted)
		return "stopping after the work in hand", nil
	}}); err != nil {
		return err
	}
	if err := s.serveMetrics(metrics); err != nil {
		return err
	}
	follow, done := context.WithCancel(context.WithoutCancel(ctx))
	defer done()
	s.workers.Go(func() { _ = plain.Follow(follow, control.Dial(s.project.Socket()), app.Stderr, 10*time.Second) })
	s.workers.Go(func() { s.keep(follow, lease, stop) })
	s.workers.Go(func() { s.adopt(ctx) })
	for _, j := range jobs {
		if j.Schedule.Always {
			s.workers.Go(func() { s.always(ctx, j) })
		}
	}
	if err := s.loop(jobs).Do(ctx); err != nil {
		return err
	}
	if why := context.Cause(ctx); errors.Is(why, ledger.ErrHeld) {
		return why
	}
	return s.told(ctx)
}

// scheduled loads the jobs that have a schedule.
func (s *site) scheduled(ctx context.Context) ([]job.Job, error) {
	files, err := job.Files(s.project.JobsDir())
	if err != nil {
		return nil, err
	}
	var all []job.Job
	var flows []job.Flow
	for _, f := range files {
		j, err := job.Load(f, kinds)
		if err != nil {
			return nil, err
		}
		if j.Schedule == nil {
			continue
		}
		if j.Schedule.Always && j.Kind != "ingest" {
			return nil, cli.Usage(placed(j, "schedule.always", fmt.Sprintf("always: true is for streams (ingest), this is a job of kind %s: give it a cron", j.Kind)), "")
		}
		fl, err := flow(ctx, j)
		if err != nil {
			return nil, cli.Usage(fmt.Errorf("%s: %w", f, err), "")
		}
		all, flows = append(all, j), append(flows, fl)
	}
	if len(all) == 0 {
		return nil, cli.Usage(fmt.Errorf("no job in %s has a schedule", s.project.JobsDir()), "give one `schedule: {cron: \"0 6 * * *\", timezone: Europe/Berlin}`")
	}
	g, conflicts := job.Connect(flows)
	if len(conflicts) > 0 {
		return nil, cli.Usage(conflicts[0], "")
	}
	for i, j := range all {
		for n, up := range j.After {
			if !slices.ContainsFunc(all, func(o job.Job) bool { return o.Name == up }) {
				return nil, cli.Usage(placed(j, fmt.Sprintf("after[%d]", n), fmt.Sprintf("no job with a schedule is named %q", up)), "")
			}
		}
		all[i].After = g.After[j.Name]
	}
	return all, nil
}

// lead waits until this process is the one that schedules; nil if it was stopped before.
func (s *site) lead(ctx context.Context) (*ledger.Lease, error) {
	for first := true; ; first = false {
		l, err := s.ledger.Lease(ctx, leaseName, leaseTime)
		if err == nil || !errors.Is(err, ledger.ErrHeld) {
			return l, err
		}
		if first {
			fmt.Fprintf(s.app.Stderr, "pipeline: another one serves this home: %v; waiting to take over\n", err)
		}
		select {
		case <-ctx.Done():
			return nil, nil
		case <-time.After(leaseTime / 10):
		}
	}
}

// keep renews the lease; where it is lost nothing more is started, and what runs is stopped.
func (s *site) keep(ctx context.Context, l *ledger.Lease, stop context.CancelCauseFunc) {
	tick := time.NewTicker(leaseTime / 5)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := l.Renew(ctx)
		switch {
		case err == nil:
			last = time.Now()
		case errors.Is(err, ledger.ErrHeld), time.Since(last) > leaseTime:
			stop(fmt.Errorf("the schedule is no longer this process's: %w", err))
			return
		}
	}
}

// always runs a stream, and runs it again when it failed.
func (s *site) always(ctx context.Context, j job.Job) {
	for wait := 5 * time.Second; ctx.Err() == nil; wait = min(2*wait, 5*time.Minute) {
		began := time.Now()
		if _, err := s.execute(ctx, j, execution{id: ulid.Make().String(), mode: minibatch.Daemon}); err != nil {
			s.app.Log.Warn("stream ended", "job", j.Name, "error", err)
		}
		if time.Since(began) > 10*time.Minute {
			wait = 5 * time.Second
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

func (s *site) loop(jobs []job.Job) *schedule.Loop {
	byName := map[string]job.Job{}
	l := &schedule.Loop{Log: s.app.Log}
	for _, j := range jobs {
		if j.Schedule.Always {
			continue
		}
		byName[j.Name] = j
		l.Jobs = append(l.Jobs, schedule.Job{Name: j.Name, Config: *j.Schedule, After: j.After})
	}
	l.Runs = func(ctx context.Context, name string) ([]schedule.Known, error) { return s.known(ctx, name) }
	l.Run = func(ctx context.Context, name string, slot schedule.Slot) error {
		_, err := s.slot(ctx, byName[name], slot)
		return err
	}
	l.Skip = func(ctx context.Context, name string, slot schedule.Slot, why string) error {
		return s.skip(ctx, byName[name], slot, why)
	}
	return l
}

// runID is the same for the same interval of a job, so that it has one run, whoever makes it.
func runID(name string, s schedule.Slot) string {
	const form = "20060102T1504Z"
	return name + "@" + s.Start.UTC().Format(form) + "-" + s.End.UTC().Format(form)
}

// known are the job's runs with an interval, in the scheduler's words.
func (s *site) known(ctx context.Context, name string) ([]schedule.Known, error) {
	runs, err := s.ledger.Runs(ctx, name, 2000)
	if err != nil {
		return nil, err
	}
	var all []schedule.Known
	for _, r := range runs {
		slot := schedule.Slot{Start: r.Interval.Start, End: r.Interval.End}
		if r.Interval.IsZero() {
			continue
		}
		k := schedule.Known{Slot: slot, State: schedule.Failed}
		stopped := r.Outcome != nil && (r.Outcome.Cause.Code == "run.stopped" || r.Outcome.Cause.Code == "run.lost")
		switch {
		case r.State == outcome.Ready || r.State == outcome.Warning || r.State == outcome.Recovered:
			k.State = schedule.Good
		case r.RunID != runID(name, slot) && r.State == outcome.Failed:
			continue // somebody's try by hand
		case r.State == outcome.Running && (r.RunID != runID(name, slot) || time.Since(r.Heartbeat) < leaseTime && r.Owner != ledger.Owner() && !ledger.Gone(r.Owner)):
			k.State = "elsewhere"
		case r.State == outcome.Running, stopped:
			k.State = schedule.Running // its process is gone: to be taken over
		}
		all = append(all, k)
	}
	return all, nil
}

// slot runs a job for an interval, as the next attempt if there have been some.
func (s *site) slot(ctx context.Context, j job.Job, slot schedule.Slot) (runResult, error) {
	x := execution{id: runID(j.Name, slot), interval: minibatch.Interval{Start: slot.Start, End: slot.End}, mode: minibatch.Drain, retry: j.Retry, timeout: j.Timeout, first: 1}
	if r, err := s.ledger.Get(ctx, x.id); err == nil {
		x.first = r.Attempt + 1
		if r.State == outcome.Running {
			if err := s.ledger.Retry(ctx, x.id, "its process ("+r.Owner+") has gone"); err != nil {
				return runResult{}, err
			}
		}
	} else if !errors.Is(err, ledger.ErrNoRun) {
		return runResult{}, err
	}
	return s.execute(ctx, j, x)
}

// skip tells that a run was not made.
func (s *site) skip(ctx context.Context, j job.Job, slot schedule.Slot, why string) error {
	r := ledger.Run{RunID: runID(j.Name, slot), Job: j.Name, Kind: j.Kind, Title: j.Title, Unit: j.Unit, Interval: outcome.Interval{Start: slot.Start, End: slot.End}}
	if old, err := s.ledger.Get(ctx, r.RunID); err == nil {
		r.Attempt = old.Attempt + 1
	}
	if err := s.ledger.Start(ctx, r); err != nil {
		return err
	}
	o := r.Telling(outcome.Failed)
	o.Cause = outcome.Cause{Code: "run.upstream", Text: "not started: " + why, Retryable: true}
	o.Todo = "Data team: `pipeline rerun " + r.RunID + "` once " + strings.TrimSuffix(strings.TrimPrefix(why, "job "), ", whose tables it reads, has failed") + " is good"
	return s.ledger.Finish(ctx, r.RunID, o)
}

// adopt looks after the runs on EMR that nobody follows, so that their units hear of their end.
func (s *site) adopt(ctx context.Context) {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		open, err := s.ledger.Open(ctx)
		if err != nil {
			s.app.Log.Warn("runs on EMR are not looked after", "error", err)
		}
		for _, r := range open {
			if !unfollowed(r) || s.ledger.Elsewhere(ctx, r.RunID, r.Remote) != nil {
				continue
			}
			s.workers.Go(func() {
				if _, err := s.attach(ctx, r.RunID, false); err != nil && ctx.Err() == nil {
					s.app.Log.Warn("run on EMR", "run", r.RunID, "error", err)
				}
			})
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
