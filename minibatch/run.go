package minibatch

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Mode says when Run returns by itself.
type Mode int

const (
	Drain  Mode = iota // when nothing is left beyond the cursor
	Once               // after one batch
	Daemon             // only when it is stopped or fails
)

// grace is how long a batch may still run after the stop was asked for.
const grace = 30 * time.Second

// A Report is what became of a run. With OneToOne, RowsIn = RowsOut + Quarantined + Filtered.
type Report struct {
	Batches                                int
	RowsIn, RowsOut, Quarantined, Filtered int64
	Retries                                int
	Throttled                              int    // of these, how many had to wait for the retry budget
	Cursor                                 Cursor // in the destination when the run ended
	Stopped                                bool   // it was asked to stop before it was done
}

// An Event tells an observer what the runner does.
type Event struct {
	Kind     Kind
	Time     time.Time
	Batch    Batch
	Receipt  Receipt
	Rows     int64 // of this batch, as in Staged
	Refused  int64
	Took     time.Duration // staging and commit of this batch
	Err      error         // of Retrying
	Wait     time.Duration // of Retrying
	Budget   time.Duration // of Retrying: as much of Wait is for the retry budget
	Position Cursor        // of Recovered
	Report   Report        // so far
}

// Kind of an Event.
type Kind string

// The kinds of events.
const (
	Recovered Kind = "recovered" // the cursor was read from the destination
	Planned   Kind = "planned"   // a batch starts
	Committed Kind = "committed" // a batch is visible
	Retrying  Kind = "retrying"  // a batch failed and will be tried again
	CaughtUp  Kind = "caught up" // nothing lies beyond the cursor
)

// Run executes a job until its mode says that it is done, ctx is cancelled, or an error that no retry mends.
// On cancellation the batch that is in work is finished first (for at most 30 s), unless the cause is ErrAbandon; that is no
// error.
func Run[In, Out any](ctx context.Context, j Job[In, Out], m Mode) (Report, error) {
	r := &runner[In, Out]{job: j, limits: j.Limits.withDefaults(), skip: j.Skip.withDefaults(), retry: j.Retry.withDefaults()}
	if n, ok := j.Source.(Named); ok {
		n.Named(j.Name)
	}
	err := r.run(ctx, m)
	if err != nil {
		err = fmt.Errorf("job %s: %w", j.Name, err)
	}
	return r.report, err
}

type runner[In, Out any] struct {
	job    Job[In, Out]
	limits Limits
	skip   Skip
	retry  Retry
	report Report
}

func (r *runner[In, Out]) run(ctx context.Context, m Mode) error {
	work, cancel := outlive(ctx, grace)
	defer cancel()
	var since time.Time // of the first failure in a row
	for try := 0; ; {
		err := r.batches(ctx, work, m, func() {
			try, since = 0, time.Time{}
			r.retry.Budget.earn()
		})
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, ctx.Err())):
			r.report.Stopped = true
			return nil
		case ClassOf(err) != Transient:
			return err
		}
		if since.IsZero() {
			since = time.Now()
		}
		left := r.retry.For - time.Since(since)
		if left < 0 {
			return fmt.Errorf("%w after %v: %w", ErrGivenUp, time.Since(since).Round(time.Second), err)
		}
		held, poor := r.retry.Budget.take(left)
		if poor != nil {
			return fmt.Errorf("%w (%w): %w", ErrGivenUp, poor, err)
		}
		wait := max(held, r.retry.wait(try, err))
		try++
		r.report.Retries++
		if held > 0 {
			r.report.Throttled++
		}
		r.tell(Event{Kind: Retrying, Err: err, Wait: wait, Budget: held})
		select {
		case <-ctx.Done():
			r.report.Stopped = true
			return nil
		case <-time.After(wait):
		}
	}
}

// outlive returns a context that ends d after ctx, so that a stop lets the batch in work be finished; at once for ErrAbandon.
func outlive(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), ErrAbandon) {
			cancel()
			return
		}
		time.AfterFunc(d, cancel)
	})
	return work, func() { stop(); cancel() }
}

// batches recovers and then runs batch after batch until an error or until the mode is satisfied.
func (r *runner[In, Out]) batches(ctx, work context.Context, m Mode, progress func()) error {
	at, err := r.job.Sink.Position(ctx, r.job.Name)
	if err != nil {
		return fmt.Errorf("read the cursor: %w", err)
	}
	r.report.Cursor = at
	r.tell(Event{Kind: Recovered, Position: at})
	for {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if w, ok := r.job.Source.(Waiter); ok && m == Daemon {
			if err := w.Wait(ctx, at, r.limits); err != nil {
				return fmt.Errorf("wait for data: %w", err)
			}
		}
		b, err := r.job.Source.Plan(ctx, at, r.limits)
		if err != nil {
			return fmt.Errorf("plan: %w", err)
		}
		b.Job = r.job.Name
		if len(b.Parts) == 0 && !b.Pin {
			r.tell(Event{Kind: CaughtUp})
			if m != Daemon {
				return nil
			}
			if err := r.idle(ctx); err != nil {
				return err
			}
			continue
		}
		if err := r.one(work, b); err != nil {
			return err
		}
		at = b.To
		r.report.Cursor = at
		progress()
		if m == Once {
			return nil
		}
	}
}

// idle waits before the next look at a source that cannot tell when it has something.
func (r *runner[In, Out]) idle(ctx context.Context) error {
	if _, ok := r.job.Source.(Waiter); ok {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(r.limits.Age):
		return nil
	}
}

// one stages a batch's parts side by side and commits them as one.
func (r *runner[In, Out]) one(ctx context.Context, b Batch) error {
	began := time.Now()
	r.tell(Event{Kind: Planned, Batch: b})
	staged := make([]Staged, len(b.Parts))
	counts := make([]counts, len(b.Parts))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(r.limits.Parallel)
	for i, p := range b.Parts {
		g.Go(func() (err error) {
			defer recovered(&err, "the job")
			staged[i], err = r.stage(gctx, p, &counts[i])
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return errors.Join(err, r.abort(ctx, staged))
	}
	var in, filtered int64
	sum := Staged{}
	for i := range staged {
		in += counts[i].in.Load()
		filtered += counts[i].filtered.Load()
		sum.Rows += staged[i].Rows
		sum.Quarantined += staged[i].Quarantined
	}
	if err := r.account(in, filtered, sum); err != nil {
		return errors.Join(err, r.abort(ctx, staged))
	}
	rc, err := r.commit(ctx, b, staged)
	if err != nil {
		return fmt.Errorf("commit: %w", err) // what was staged stays: it may be part of a commit that another look finds
	}
	r.report.Batches++
	r.report.RowsIn += in
	r.report.Filtered += filtered
	r.report.RowsOut += sum.Rows
	r.report.Quarantined += sum.Quarantined
	r.report.Cursor = b.To
	r.tell(Event{Kind: Committed, Batch: b, Receipt: rc, Rows: sum.Rows, Refused: sum.Quarantined, Took: time.Since(began)})
	return nil
}

func (r *runner[In, Out]) commit(ctx context.Context, b Batch, staged []Staged) (rc Receipt, err error) {
	defer recovered(&err, "the sink")
	return r.job.Sink.Commit(ctx, b, staged)
}

func (r *runner[In, Out]) abort(ctx context.Context, staged []Staged) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := r.job.Sink.Abort(ctx, staged); err != nil {
		return fmt.Errorf("drop what was staged: %w", err)
	}
	return nil
}

// account holds the batch against the accounting identity and against the limits of refused rows.
func (r *runner[In, Out]) account(in, filtered int64, s Staged) error {
	if r.job.OneToOne && in != s.Rows+s.Quarantined+filtered {
		return Fatal(fmt.Errorf("read %d rows, but %d written + %d refused + %d filtered = %d: the batch was not committed",
			in, s.Rows, s.Quarantined, filtered, s.Rows+s.Quarantined+filtered))
	}
	refused, read := r.report.Quarantined+s.Quarantined, r.report.RowsIn+in
	if refused > r.skip.MaxRows {
		return fmt.Errorf("%w: %d in this run, at most %d are allowed", ErrTooManyRefused, refused, r.skip.MaxRows)
	}
	if read >= r.skip.MinRows && float64(refused) > r.skip.MaxShare*float64(read) {
		return fmt.Errorf("%w: %d of %d rows, at most %.3g %% are allowed", ErrTooManyRefused, refused, read, 100*r.skip.MaxShare)
	}
	return nil
}

// counts of one part's rows; the transform may count from goroutines of its own.
type counts struct {
	in, filtered atomic.Int64
	keeps        bool
	most         int64 // refused rows, which are in memory until the commit

	mu      sync.Mutex
	refused []Refused
}

type countsKey struct{}

// Filter counts rows that the transform leaves out on purpose, for the accounting of the run.
func Filter(ctx context.Context, rows int64) {
	if c, ok := ctx.Value(countsKey{}).(*counts); ok {
		c.filtered.Add(rows)
	}
}

// Quarantine refuses a row: it is kept with the reason where the sink's refused rows lie, counted, and the job goes on, within
// the limits of Skip. Its error must be returned by the transform at once.
func Quarantine(ctx context.Context, row any, reason string) error {
	c, ok := ctx.Value(countsKey{}).(*counts)
	if !ok || !c.keeps {
		return Fatal(fmt.Errorf("a row was refused (%s), but this sink keeps no refused rows", reason))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused = append(c.refused, Refused{row, reason})
	if n := int64(len(c.refused)); n > c.most {
		return fmt.Errorf("%w: %d in one part, at most %d are allowed; the last one: %s", ErrTooManyRefused, n, c.most, reason)
	}
	return nil
}

var errStopped = errors.New("the sink stopped reading")

func (r *runner[In, Out]) stage(ctx context.Context, p Part, c *counts) (Staged, error) {
	_, c.keeps = r.job.Sink.(Keeper)
	c.most = r.skip.MaxRows
	ctx = context.WithValue(ctx, countsKey{}, c)
	in := func(yield func(In, error) bool) {
		for row, err := range r.job.Source.Open(ctx, p) {
			if bad := (*poison)(nil); errors.As(err, &bad) {
				c.in.Add(1)
				if err = Quarantine(ctx, bad.Row, bad.Reason); err == nil {
					continue
				}
			} else if err == nil {
				c.in.Add(rows(row))
			}
			if !yield(row, err) {
				return
			}
		}
	}
	out := func(yield func(Out, error) bool) {
		open := true
		err := r.job.Transform(ctx, p, iter.Seq2[In, error](in), func(o Out) error {
			if open && !yield(o, nil) {
				open = false
			}
			if !open {
				return errStopped
			}
			return nil
		})
		if err != nil && open {
			var none Out
			yield(none, err)
		}
	}
	s, err := r.job.Sink.Stage(ctx, p, out)
	if err != nil {
		return s, fmt.Errorf("part %d: %w", p.Index, err)
	}
	s.Refused = append(s.Refused, c.refused...)
	s.Quarantined += int64(len(c.refused))
	return s, nil
}

func rows(v any) int64 {
	if n, ok := v.(Rows); ok {
		return n.NumRows()
	}
	return 1
}

func (r *runner[In, Out]) tell(e Event) {
	if r.job.Observer != nil {
		e.Time, e.Report = time.Now(), r.report
		r.job.Observer(e)
	}
}
