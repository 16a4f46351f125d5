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

// ErrGivenUp means that a batch failed until Retry allowed no further try.
var ErrGivenUp = errors.New("given up")

// A Class of an error says what becomes of the work that met it.
type Class string

// The classes of errors.
const (
	Transient Class = "transient" // it may pass: the batch is tried again, within Retry and its Budget
	Permanent Class = "permanent" // no further try mends it: the run ends (Fatal, ErrMoved, ErrTooManyRefused)
	Poisoned  Class = "poison"    // one record is bad: it goes to quarantine, and the batch goes on (Poison)
	Abandoned Class = "abandoned" // nobody works on it any more: ErrGivenUp, or ErrAbandon
)

// ClassOf gives an error's class; it is empty for nil. What nobody has marked is transient.
func ClassOf(err error) Class {
	var p *poison
	var f *Failure
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrGivenUp), errors.Is(err, ErrAbandon):
		return Abandoned
	case errors.Is(err, ErrMoved), errors.Is(err, ErrTooManyRefused), errors.As(err, &f) && f.After < 0:
		return Permanent
	case errors.As(err, &p):
		return Poisoned
	}
	return Transient
}

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

// Retry says how long a failing batch is tried again, and how often: only errors that are Transient are. Zero means the default.
type Retry struct {
	For  time.Duration // give up when a batch has failed for this long, default 5 min
	Base time.Duration // the first wait lies in (0, Base], default 200 ms; it doubles
	Max  time.Duration // the longest wait, default 15 s

	Budget *Budget // bounds retries by the work that is done; nil: one of the run's own
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
	if r.Budget == nil {
		r.Budget = &Budget{}
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

// A panic in a transform or an adapter is an error of its batch, never of the process.
func recovered(err *error, what string) {
	if p := recover(); p != nil {
		*err = Fatal(fmt.Errorf("%s panicked: %v", what, p))
	}
}
