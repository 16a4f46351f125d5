package minibatch

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// ErrMoved means that the destination's cursor is not where this worker started from: another worker has moved it.
// It ends the run; a new one starts from the destination's cursor.
var ErrMoved = errors.New("another worker has moved the cursor")

// ErrTooManyRefused means that more rows went to quarantine than Skip allows. The batch was not committed.
var ErrTooManyRefused = errors.New("too many rows refused")

// ErrAbandon, as the cause of a context's end (context.WithCancelCause), means that the batch in work is not to be finished:
// nothing of it is committed.
var ErrAbandon = errors.New("stop now")

// A Failure says whether trying again can help.
type Failure struct {
	Err   error
	After time.Duration // wait at least this long before the next try; negative: never again
}

func (f *Failure) Error() string { return f.Err.Error() }
func (f *Failure) Unwrap() error { return f.Err }

// Fatal marks an error that no further try can mend.
func Fatal(err error) error {
	if err == nil {
		return nil
	}
	return &Failure{Err: err, After: -1}
}

// RetryAfter marks an error that may pass, but not before d.
func RetryAfter(err error, d time.Duration) error { return &Failure{Err: err, After: d} }

// Poison is what a source yields in place of a record that cannot be decoded: the runner hands it to [Quarantine], with what
// it held and the reason, and the source goes on. Anywhere else it is an error that no further try can mend.
func Poison(row any, reason string) error { return &poison{Refused{row, reason}} }

type poison struct{ Refused }

func (p *poison) Error() string { return p.Reason }

// Retry says how long a failing batch is tried again. Errors are worth another try unless they are Fatal, ErrMoved or
// ErrTooManyRefused. Zero means the default.
type Retry struct {
	For  time.Duration // give up when a batch has failed for this long, default 5 min
	Base time.Duration // the first wait lies in (0, Base], default 200 ms; it doubles
	Max  time.Duration // the longest wait, default 15 s
}

func (r Retry) withDefaults() Retry {
	if r.For == 0 {
		r.For = 5 * time.Minute
	}
	if r.Base == 0 {
		r.Base = 200 * time.Millisecond
	}
	if r.Max == 0 {
		r.Max = 15 * time.Second
	}
	return r
}

// wait is full jitter: a random time up to the doubled base, so that workers that failed together do not return together.
func (r Retry) wait(try int, err error) time.Duration {
	top := r.Max
	if try < 30 {
		top = min(r.Base<<try, r.Max)
	}
	d := rand.N(top) + 1
	var f *Failure
	if errors.As(err, &f) && f.After > d {
		d = f.After
	}
	return d
}

func final(err error) bool {
	var f *Failure
	var p *poison
	return errors.As(err, &p) || errors.Is(err, ErrMoved) || errors.Is(err, ErrTooManyRefused) || errors.As(err, &f) && f.After < 0
}

// A panic in a transform or an adapter is an error of its batch, never of the process.
func recovered(err *error, what string) {
	if p := recover(); p != nil {
		*err = Fatal(fmt.Errorf("%s panicked: %v", what, p))
	}
}
