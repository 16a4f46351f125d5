package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"

	"weir/internal/cli"
	"weir/internal/control"
	"weir/internal/etl"
	"weir/internal/ingest"
	"weir/internal/job"
	"weir/internal/kafka"
	"weir/internal/lake"
	"weir/internal/ledger"
	"weir/internal/outcome"
	"weir/internal/registry"
	"weir/internal/report"
	"weir/internal/schedule"
	"weir/internal/show"
	"weir/minibatch"
)

// execution is one run of a job.
type execution struct {
	id       string
	interval minibatch.Interval
	mode     minibatch.Mode
	first    int            // number of its first attempt here; 0: 1
	retry    schedule.Retry // Attempts 0: one
	timeout  time.Duration  // of all attempts; 0: none
	// started is told once an ingest is connected; nil: nobody asks.
	started func(*ingest.Job, *show.Stream)
	// least and most are the worker processes of an ingest; 0: it runs in this process.
	least, most int
}

// told is what a run has to say at its end.
type told struct {
	rowsIn, rowsOut, rejected, filtered int64
	retries                             int // of batches
	inputs, outputs                     []outcome.Dataset
	stopped                             bool
}

var (
	errCancelled = fmt.Errorf("cancelled with `pipeline cancel` (%w)", minibatch.ErrAbandon)
	errTimeout   = fmt.Errorf("it took longer than the job's timeout (%w)", minibatch.ErrAbandon)
)

// execute runs a job with its entry in the ledger: whatever becomes of it is an outcome that its unit hears of. Of several
// attempts only the last one is told.
func (s *site) execute(ctx context.Context, j job.Job, x execution) (runResult, error) {
	r := ledger.Run{
		RunID: x.id, Job: j.Name, Kind: j.Kind, Title: j.Title, Unit: j.Unit,
		Interval: outcome.Interval{Start: x.interval.Start, End: x.interval.End}, Attempt: max(x.first, 1),
	}
	r.MaxAttempts = r.Attempt + max(x.retry.Attempts, 1) - 1
	began := time.Now()
	if err := s.ledger.Start(ctx, r); err != nil {
		return runResult{}, err
	}
	work, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if x.timeout > 0 {
		var done context.CancelFunc
		work, done = context.WithTimeoutCause(work, x.timeout, errTimeout)
		defer done()
	}
	beat, quiet := context.WithCancel(context.WithoutCancel(ctx))
	s.workers.Go(func() { s.heartbeat(beat, x.id, cancel) })
	t, err := s.attempts(work, j, x, &r)
	quiet()
	if why := context.Cause(work); why != nil && (errors.Is(why, errTimeout) || errors.Is(why, errCancelled)) {
		t.stopped, err = errors.Is(why, errCancelled), why
	}
	err = resolvable(j.Name, err)
	if j.Kind == "ingest" && errors.Is(err, minibatch.ErrTooManyRefused) {
		err = flooded(j.Name, err)
	}
	o := t.outcome(r, err)
	if ferr := s.ledger.Finish(context.WithoutCancel(ctx), x.id, o); ferr != nil {
		err = errors.Join(err, ferr)
	}
	return runResult{
		Job: j.Name, Run: x.id, State: string(o.State), RowsIn: t.rowsIn, RowsOut: t.rowsOut, Rejected: t.rejected, Seconds: time.Since(began).Seconds(),
	}, err
}

// attempts tries a run until it is good, until no try can help, or until there have been enough.
func (s *site) attempts(ctx context.Context, j job.Job, x execution, r *ledger.Run) (told, error) {
	for n := 0; ; n++ {
		t, err := s.attempt(ctx, j, x)
		if err == nil || r.Attempt >= r.MaxAttempts || !worthAnother(err) || ctx.Err() != nil {
			return t, err
		}
		if err := s.ledger.Retry(ctx, x.id, err.Error()); err != nil {
			return t, err
		}
		wait := rand.N(min(time.Duration(x.retry.Backoff)<<min(n, 20), time.Duration(x.retry.Max))) + time.Millisecond
		s.hub.Event("warn", fmt.Sprintf("%s: attempt %d of %d failed, the next one in %v: %v", j.Name, r.Attempt, r.MaxAttempts, wait.Round(time.Second), err))
		select {
		case <-ctx.Done():
			return t, err
		case <-time.After(wait):
		}
		r.Attempt++
		if err := s.ledger.Start(ctx, *r); err != nil {
			return t, err
		}
	}
}

// worthAnother: what is written wrongly stays wrong, and a flood of bad data is for people to look at.
func worthAnother(err error) bool {
	var coded interface{ ExitCode() int }
	return !errors.Is(err, minibatch.ErrTooManyRefused) && !errors.Is(err, cli.ErrInterrupted) && (!errors.As(err, &coded) || coded.ExitCode() != cli.ExitUsage) && !usage(err)
}

func usage(err error) bool {
	var c *cli.Error
	return errors.As(err, &c) && c.Exit == cli.ExitUsage
}

func (s *site) attempt(ctx context.Context, j job.Job, x execution) (told, error) {
	switch c := j.Spec.(type) {
	case *ingest.Config:
		return s.ingest(ctx, j, *c, x)
	case *etl.Config:
		return s.etl(ctx, j, *c, x)
	case *report.Config:
		return s.report(ctx, j, *c, x)
	}
	return told{}, fmt.Errorf("job %s: nothing runs kind %s", j.Name, j.Kind)
}

// heartbeat shows that a run is alive, and sees that somebody asks for its end.
func (s *site) heartbeat(ctx context.Context, run string, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if asked, err := s.ledger.Cancelled(ctx, run); err == nil && asked {
				cancel(errCancelled)
			}
			if now.Sub(last) < lostAfter/6 {
				continue
			}
			last = now
			if err := s.ledger.Heartbeat(ctx, run); err != nil {
				s.app.Log.Warn("heartbeat not written", "run", run, "error", err)
			}
		}
	}
}

func (t told) outcome(r ledger.Run, err error) outcome.Outcome {
	o := r.Telling(outcome.Ready)
	o.RowsIn, o.RowsOut, o.Rejected, o.Filtered, o.Retries, o.Inputs, o.Outputs = t.rowsIn, t.rowsOut, t.rejected, t.filtered, t.retries, t.inputs, t.outputs
	switch {
	case t.stopped:
		o.State = outcome.Cancelled
		o.Cause = outcome.Cause{Code: "run.stopped", Text: "the process that ran it was stopped", Retryable: true}
		if errors.Is(err, errCancelled) {
			o.Cause = outcome.Cause{Code: "run.cancelled", Text: err.Error()}
		}
	case err != nil:
		o.State = outcome.Failed
		o.Cause = outcome.Cause{Code: code(err), Text: err.Error(), Retryable: errors.Is(err, minibatch.ErrGivenUp)}
		var c *cli.Error
		if errors.As(err, &c) && c.Hint != "" {
			o.Todo = "Data team: " + c.Hint
		}
	case t.rejected > 0:
		o.State = outcome.Warning
	}
	return o
}

// code is the cause in one word, for programs.
func code(err error) string {
	switch {
	case errors.Is(err, errTimeout):
		return "run.timeout"
	case errors.Is(err, minibatch.ErrMoved):
		return "run.fenced"
	case errors.Is(err, minibatch.ErrTooManyRefused):
		return "data.too_many_refused"
	case errors.Is(err, report.ErrCheck):
		return "data.check"
	case errors.Is(err, minibatch.ErrBudget):
		return "run.retry_budget"
	case errors.Is(err, minibatch.ErrGivenUp):
		return "run.given_up"
	}
	return "run.error"
}

func (s *site) ingest(ctx context.Context, j job.Job, c ingest.Config, x execution) (told, error) {
	if err := s.connect(ctx); err != nil {
		return told{}, err
	}
	in, err := s.newIngest(ctx, j, c, x)
	if err != nil {
		return told{stopped: errors.Is(err, cli.ErrInterrupted)}, err
	}
	defer in.Close()
	w := show.NewStream(s.hub, control.Stream{Job: j.Name, Title: j.Title, Unit: j.Unit, Table: c.Table, Topic: c.Topic, Workers: in.Workers()}, in)
	look, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.workers.Go(func() { w.Follow(look) })
	defer stop()
	in.OnReplay(func(r ingest.Replayed, err error) { s.replayedByItself(ctx, j.Name, c.Table, r, err) })
	if x.started != nil {
		x.started(in, w)
	}
	s.workers.Go(func() { in.Maintain(look, s.maintained) })
	if p := c.Processes; x.least == 0 && p.Max > 0 {
		x.least, x.most = max(1, p.Min), p.Max
	}
	if x.least > 0 {
		t, err := s.superviseAndCount(ctx, j, c, in, w, x)
		w.End(err)
		if err != nil {
			s.attention("FAILED", j, err)
		}
		return t, err
	}
	r, err := in.Run(ctx, x.mode, func(e minibatch.Event) {
		w.Event(e)
		if e.Kind == minibatch.Committed {
			if err := s.ledger.Readable(context.WithoutCancel(ctx), c.Table, e.Receipt.Snapshot, e.Receipt.At); err != nil {
				s.app.Log.Warn("readable time not kept", "table", c.Table, "error", err)
			}
		}
	})
	w.End(err)
	if err == nil && x.mode == minibatch.Drain { // it may never run for long
		in.Keep(ctx, s.maintained)
	}
	if err != nil {
		s.attention("FAILED", j, err)
	}
	return told{
		rowsIn: r.RowsIn, rowsOut: r.RowsOut, rejected: r.Quarantined, filtered: r.Filtered, retries: r.Retries, // a stream that was stopped in order is good as far as it came
		inputs: []outcome.Dataset{{Namespace: "kafka", Name: c.Topic, Rows: r.RowsIn}}, outputs: []outcome.Dataset{{Name: c.Table, Rows: r.RowsOut}},
	}, err
}

// newIngest connects the job. A stream that runs until it is stopped waits for a topic and a schema that are not there yet: the
// embedded broker starts with the first stream, and the topic comes with the first load.
func (s *site) newIngest(ctx context.Context, j job.Job, c ingest.Config, x execution) (*ingest.Job, error) {
	for first := true; ; first = false {
		in, err := s.openIngest(ctx, j, c)
		if err == nil || x.mode != minibatch.Daemon || !errors.Is(err, kafka.ErrNoTopic) && !errors.Is(err, registry.ErrNoSubject) {
			return in, err
		}
		if first {
			s.hub.Event("warn", fmt.Sprintf("%s waits: %v", j.Name, err))
			s.hub.Update(func(sn *control.Snapshot) {
				sn.Streams = append(sn.Streams, control.Stream{At: time.Now(), Job: j.Name, Title: j.Title, Unit: j.Unit, Table: c.Table, Topic: c.Topic, State: control.Waiting, Error: err.Error()})
			})
		}
		select {
		case <-ctx.Done():
			return nil, cli.ErrInterrupted
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// ingestParts are what an ingest job is connected to, once connect has been called.
func (s *site) ingestParts(j job.Job) ingest.Parts {
	p := ingest.Parts{Kafka: s.kafka, Schemas: s.schemas, Lake: s.lake, Storage: s.project.Lake().Storage, Dir: filepath.Dir(j.File)}
	if g := s.project.Weir.Registry.Glue; g != nil {
		p.Glue = registry.NewGlue(*g)
	}
	return p
}

// openIngest connects the job; where its table cannot be laid out as the job says, the error has the place.
func (s *site) openIngest(ctx context.Context, j job.Job, c ingest.Config) (*ingest.Job, error) {
	in, err := ingest.New(ctx, j.Name, c, s.ingestParts(j))
	if bad := (*lake.LayoutError)(nil); errors.As(err, &bad) {
		return nil, &cli.Error{Err: placed(j, "ingest."+bad.Path, bad.Message), Exit: 2}
	}
	return in, err
}

func (s *site) report(ctx context.Context, j job.Job, c report.Config, x execution) (told, error) {
	began := time.Now()
	sr := control.Report{Job: j.Name, Title: j.Title, Unit: j.Unit, Table: c.Table, State: control.Running, Started: began, Interval: inWords(x.interval)}
	s.showReport(sr)
	t, err := s.makeReport(ctx, j, c, x)
	sr.State, sr.Rows, sr.Seconds = control.Done, t.rowsOut, time.Since(began).Seconds()
	if err != nil {
		sr.State, sr.Error = control.Failed, err.Error()
		s.attention("FAILED", j, err)
	}
	s.showReport(sr)
	return t, err
}

func (s *site) makeReport(ctx context.Context, j job.Job, c report.Config, x execution) (told, error) {
	parts, err := s.reportParts(j, c)
	if err != nil {
		return told{}, err
	}
	rep, err := report.New(ctx, j.Name, c, report.Run{ID: x.id, Interval: x.interval}, parts)
	if err != nil {
		return told{}, err
	}
	t := told{outputs: []outcome.Dataset{{Name: c.Table}}}
	for name := range rep.Sources() {
		t.inputs = append(t.inputs, outcome.Dataset{Name: name})
	}
	r, err := rep.Run(ctx, nil)
	if why := rep.Whole(); why != "" {
		s.app.Log.Warn("incremental report was made anew from all rows", "job", j.Name, "reason", why)
		s.hub.Event("warn", fmt.Sprintf("%s was made anew from all rows: %s", j.Name, why))
	}
	t.rowsIn = rep.RowsIn()
	t.rowsOut, t.retries, t.stopped = r.RowsOut, r.Retries, r.Stopped
	t.outputs[0].Rows = r.RowsOut
	return t, err
}

func inWords(i minibatch.Interval) string {
	const minute = "2006-01-02 15:04"
	y1, m1, d1 := i.Start.Date()
	y2, m2, d2 := i.End.Date()
	switch {
	case i.IsZero():
		return "all data"
	case i.Start.AddDate(0, 0, 1).Equal(i.End): // a day, also one of 23 or 25 hours
		return i.Start.Format(time.DateOnly)
	case y1 == y2 && m1 == m2 && d1 == d2:
		return i.Start.Format(minute) + " to " + i.End.Format("15:04")
	}
	return i.Start.Format(minute) + " to " + i.End.Format(minute)
}

func (s *site) showReport(r control.Report) {
	s.hub.Update(func(sn *control.Snapshot) {
		for i := range sn.Reports {
			if sn.Reports[i].Job == r.Job {
				sn.Reports[i] = r
				return
			}
		}
		sn.Reports = append(sn.Reports, r)
	})
}

// attention puts a line on top of the overview.
func (s *site) attention(what string, j job.Job, err error) {
	a := control.Attention{Level: control.Bad, What: what, Job: j.Name, Unit: j.Unit, Since: time.Now(), Detail: err.Error()}
	var c *cli.Error
	if errors.As(err, &c) {
		a.Next = c.Hint
	}
	s.hub.Update(func(sn *control.Snapshot) { sn.Attention = append(sn.Attention, a) })
	s.hub.Event("error", fmt.Sprintf("%s: %v", j.Name, err))
}
