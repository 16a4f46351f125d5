package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"weir/internal/cli"
	"weir/internal/emr"
	"weir/internal/job"
	"weir/internal/ledger"
	"weir/internal/outcome"
	"weir/internal/spark"
	"weir/internal/storage"
)

// following is a run on EMR as this process sees it.
type following struct {
	s      *site
	run    ledger.Run
	sub    submission
	client *emr.Client
	began  time.Time
}

// attach sends a run's submission to EMR, if EMR does not have it yet, and follows it until it has ended; with detach, only until
// it is submitted.
func (s *site) attach(ctx context.Context, run string, detach bool) (runResult, error) {
	f := following{s: s, began: time.Now()}
	var err error
	if f.run, err = s.ledger.Get(ctx, run); err != nil {
		return runResult{}, noRun(run, err)
	}
	switch {
	case f.run.Remote == "":
		return runResult{}, cli.Usage(fmt.Errorf("run %s is not on EMR: process %s runs it", run, f.run.Owner), "`pipeline run show "+run+"` shows it")
	case f.run.State.Terminal():
		return runResult{}, cli.Usage(fmt.Errorf("run %s has ended: it is %s", run, f.run.State), "`pipeline run show "+run+"` shows it")
	}
	b, err := os.ReadFile(s.submissionFile(run))
	if err == nil {
		err = json.Unmarshal(b, &f.sub)
	}
	if err != nil {
		return runResult{}, fmt.Errorf("run %s: what was submitted: %w", run, err)
	}
	if f.client, err = emr.Open(ctx, s.project.Weir.EMR, f.sub.Target); err != nil {
		return runResult{}, err
	}
	return f.do(ctx, detach)
}

func (f *following) do(ctx context.Context, detach bool) (runResult, error) {
	work, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if t := f.sub.Spark.Timeout; t > 0 {
		var done context.CancelFunc
		work, done = context.WithDeadlineCause(work, f.run.Started.Add(t), errTimeout)
		defer done()
	}
	beat, quiet := context.WithCancel(context.WithoutCancel(ctx))
	defer quiet()
	f.s.workers.Go(func() { f.s.heartbeat(beat, f.run.RunID, cancel) })
	h, err := f.client.Start(work, f.sub.Spark, f.sub.Made)
	switch {
	case err == nil:
	case errors.Is(err, emr.ErrUnknown), context.Cause(work) != nil:
		return runResult{}, f.left(err)
	default:
		return f.end(ctx, told{}, err)
	}
	if err := f.s.ledger.Elsewhere(ctx, f.run.RunID, f.sub.Target+" "+h.String()); err != nil {
		return runResult{}, err
	}
	if detach {
		return runResult{Job: f.run.Job, Run: f.run.RunID, State: string(outcome.Running)}, nil
	}
	st, err := f.awaited(work, h)
	if err != nil {
		return runResult{}, f.left(err)
	}
	quiet()
	t, err := f.result(ctx, st)
	if why := context.Cause(work); st.State == emr.Cancelled && why != nil {
		t.stopped, err = errors.Is(why, errCancelled), why
	}
	return f.end(ctx, t, err)
}

// left: the run goes on without us.
func (f *following) left(err error) error {
	var c *cli.Error
	hint := fmt.Sprintf("run %s is not ended by this: `pipeline submit --attach %s` follows it, `pipeline cancel %s` ends it", f.run.RunID, f.run.RunID, f.run.RunID)
	if errors.Is(err, cli.ErrInterrupted) {
		return &cli.Error{Err: err, Hint: hint, Exit: cli.ExitInterrupted}
	}
	if errors.As(err, &c) && c.Exit == cli.ExitUsage {
		return err
	}
	return &cli.Error{Err: err, Hint: hint}
}

// awaited asks how the run stands until it has ended. It is cancelled when somebody asks for that, or when its time is over; an
// interrupt only ends the asking, and an API that does not answer is asked again.
func (f *following) awaited(ctx context.Context, h emr.Handle) (emr.Status, error) {
	var last emr.State
	var asked bool
	call := context.WithoutCancel(ctx)
	for wait := 250 * time.Millisecond; ; wait = min(wait*5/4, 10*time.Second) {
		st, err := f.client.Status(call, h)
		switch {
		case err != nil:
			f.s.app.Log.Warn("EMR does not say how the run stands", "run", f.run.RunID, "error", err)
		case st.State.Terminal():
			return st, nil
		case st.State != last:
			last, wait = st.State, 250*time.Millisecond
			fmt.Fprintf(f.s.app.Stderr, "pipeline: %s is %s on %s (%s)\n", f.run.Job, st.State, f.sub.Target, h)
			f.s.hub.Event("info", fmt.Sprintf("%s is %s on %s (%s)", f.run.Job, st.State, f.sub.Target, h))
		}
		done := ctx.Done()
		if asked {
			done = nil
		}
		select {
		case <-done:
			why := context.Cause(ctx)
			if !errors.Is(why, errCancelled) && !errors.Is(why, errTimeout) {
				return emr.Status{}, why
			}
			if err := f.client.Cancel(call, h); err != nil {
				f.s.app.Log.Warn("EMR has not taken the cancellation; it is asked again", "run", f.run.RunID, "error", err)
				time.Sleep(time.Second)
				continue
			}
			asked, wait = true, 250*time.Millisecond
		case <-time.After(wait):
		}
	}
}

// result is what the driver left, or else EMR's own words.
func (f *following) result(ctx context.Context, st emr.Status) (told, error) {
	t := told{outputs: []outcome.Dataset{{Name: f.sub.Table}}}
	store, err := storage.Open(ctx, f.sub.Result, f.s.project.Lake().Storage.Properties())
	if err != nil {
		return t, err
	}
	b, err := store.ReadFile(f.sub.Result)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return t, fmt.Errorf("the driver's result: %w", err)
	default:
		got, err := spark.ParseResult(b)
		t.rowsIn, t.rowsOut, t.rejected, t.filtered, t.outputs[0].Rows = got.RowsIn, got.RowsOut, got.Rejected, got.Filtered, got.RowsOut
		if err != nil {
			return t, fmt.Errorf("job %s on Spark: %w", f.run.Job, err)
		}
		return t, nil // also of a run that EMR calls failed: its work was done and committed
	}
	return t, &cli.Error{
		Err:  fmt.Errorf("job %s is %s on %s and has left no result: %s", f.run.Job, st.State, f.sub.Target, st.Detail),
		Hint: fmt.Sprintf("EMR's logs of %s tell more; `pipeline submit %s` makes it again and doubles nothing", f.sub.Spark.Token, f.run.Job),
	}
}

func (f *following) end(ctx context.Context, t told, err error) (runResult, error) {
	o := t.outcome(f.run, err)
	if ferr := f.s.ledger.Finish(context.WithoutCancel(ctx), f.run.RunID, o); ferr != nil {
		err = errors.Join(err, ferr)
	}
	if o.State == outcome.Failed {
		f.s.attention("FAILED", job.Job{Name: f.run.Job, Unit: f.run.Unit}, err)
	}
	return runResult{Job: f.run.Job, Run: f.run.RunID, State: string(o.State), RowsIn: t.rowsIn, RowsOut: t.rowsOut, Rejected: t.rejected, Seconds: time.Since(f.began).Seconds()}, err
}
