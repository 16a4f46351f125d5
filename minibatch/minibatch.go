// Package minibatch runs jobs that move data in small batches, each of which takes effect exactly once.
//
// Declare a [Job] (source, transform, sink) and call [Run]. The team that owns the job writes the transform; weir does
// recovery, retries, accounting and the stop.
//
// # Promises
//
// A batch is committed as one: its rows and the new [Cursor] in one atomic step of the sink, or nothing. Run reads the
// cursor from the sink at the start and after every error; no other state decides what has been processed. A batch whose
// start no longer is what the sink holds is refused with [ErrMoved], so a second or a late worker does no harm. What a
// transform refuses is counted and kept, and past [Skip] the job stops instead of hiding a flood.
//
// # Failures
//
// [ClassOf] tells what becomes of an error. Transient ones, which is what nobody has marked, are tried again with growing, random
// waits, for at most [Retry].For since the batch first failed and within a [Budget] that keeps retries below a fifth of the
// batches, so that a server in trouble is not stormed. Permanent ones ([Fatal], [ErrMoved], [ErrTooManyRefused]) end the run. A
// record that is bad in itself ([Poison], [Quarantine]) is kept with its reason, and its batch goes on. What is abandoned
// ([ErrGivenUp], [ErrAbandon]) has left nothing behind: the next run takes it up from the cursor. [Report] counts retries, and
// those that had to wait for the budget; where the budget ended the run, its error is [ErrBudget] too.
//
// The core knows no Kafka, no table and no SQL: sources and sinks do.
package minibatch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"iter"
	"time"
)

// A Cursor says how far a job has come in its source. It is stored in the destination, with the rows.
// The zero Cursor means that nothing has been processed yet.
type Cursor struct {
	Kind    string          `json:"kind"`    // offsets, snapshot, files, interval
	Version int             `json:"version"` // of Value's layout
	Value   json.RawMessage `json:"value,omitempty"`
}

// IsZero reports whether nothing has been processed yet.
func (c Cursor) IsZero() bool { return c.Kind == "" && len(c.Value) == 0 }

// Equal compares kind, version and the bytes of the value.
func (c Cursor) Equal(o Cursor) bool {
	return c.Kind == o.Kind && c.Version == o.Version && bytes.Equal(c.Value, o.Value)
}

// An Interval is the span of data that a run stands for, [Start, End), as in Airflow; it is not when the run happens.
type Interval struct {
	Start time.Time `json:"start,omitzero"`
	End   time.Time `json:"end,omitzero"`
}

// IsZero reports whether the run stands for no particular span.
func (i Interval) IsZero() bool { return i.Start.IsZero() && i.End.IsZero() }

// A Batch is a piece of the delta: [From, To) of the source. It is processed and committed as one.
type Batch struct {
	Job         string
	From, To    Cursor
	Parts       []Part // disjoint pieces that are staged side by side; none means that there is nothing to do …
	Pin         bool   // … but to commit To, so that later runs begin there
	Interval    Interval
	Rows, Bytes int64 // estimates, 0 if unknown
}

// ID is the same for the same piece of the same job, on any machine and after any number of retries.
func (b Batch) ID() string {
	h := sha256.New()
	_ = json.NewEncoder(h).Encode([]any{b.Job, b.From, b.To, b.Interval})
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// A Part is one of the pieces of a batch that can be read independently. Its Spec is all that Open needs.
type Part struct {
	Index int
	Spec  json.RawMessage
}

// A Source tells what lies beyond a cursor and reads it.
type Source[In any] interface {
	// Plan cuts the next batch after the cursor, within the limits. It has no side effect: the same cursor and the same
	// source give the same batch on any machine. A batch without parts means caught up.
	Plan(ctx context.Context, after Cursor, l Limits) (Batch, error)
	// Open reads a part from its beginning; it may be called any number of times, also side by side for several parts.
	Open(ctx context.Context, p Part) iter.Seq2[In, error]
}

// A Waiter is a source that knows when the next batch is worth its commit. Without it the runner asks Plan each Limits.Age.
type Waiter interface {
	// Wait returns when the delta after the cursor has reached one of the limits, or with ctx's error.
	Wait(ctx context.Context, after Cursor, l Limits) error
}

// A Named source wants to know whose it is.
type Named interface {
	// Named is called once, before the first Plan.
	Named(job string)
}

// A Sink stores rows together with the cursor.
type Sink[Out any] interface {
	// Position is the cursor in the destination; the zero Cursor if this job never wrote there.
	Position(ctx context.Context, job string) (Cursor, error)
	// Stage writes a part's rows where nobody sees them yet. It reads rows to their end, or returns an error.
	Stage(ctx context.Context, p Part, rows iter.Seq2[Out, error]) (Staged, error)
	// Commit makes the staged rows and the batch's cursor visible in one step. It fails with ErrMoved, and without effect,
	// if the destination's cursor is not the batch's From. An unknown result is resolved inside, before it returns.
	Commit(ctx context.Context, b Batch, staged []Staged) (Receipt, error)
	// Abort drops what has been staged and will not be committed. It is never called while a commit's result is unknown.
	Abort(ctx context.Context, staged []Staged) error
}

// Staged is what Stage leaves for Commit.
type Staged struct {
	Rows        int64 // that Commit will make visible
	Quarantined int64 // refused rows, kept with their reason
	Bytes       int64
	Value       any       // the sink's own
	Refused     []Refused // by Quarantine; only for a Keeper, which commits them with the same care as the rows
}

// Refused is a row that a transform has handed to Quarantine.
type Refused struct {
	Row    any
	Reason string
}

// A Keeper is a sink that keeps Staged.Refused.
type Keeper interface{ KeepsRefused() }

// A Receipt says what a commit did.
type Receipt struct {
	ID       string    // of the batch
	Snapshot int64     // of the destination, 0 if it has none
	At       time.Time // when readers could see it
	Already  bool      // the commit had been made before; nothing was added now
}

// Emit hands a row to the sink. Its error must be returned by the transform at once.
type Emit[Out any] func(Out) error

// Rows is implemented by inputs and outputs that stand for more than one row.
type Rows interface{ NumRows() int64 }

// A Job is a declaration; Run executes it.
type Job[In, Out any] struct {
	Name      string
	Source    Source[In]
	Transform func(ctx context.Context, p Part, in iter.Seq2[In, error], emit Emit[Out]) error // the business logic
	Sink      Sink[Out]

	// OneToOne demands read = written + quarantined + filtered of every batch; a batch that breaks it is not committed.
	OneToOne bool

	Limits   Limits
	Retry    Retry
	Skip     Skip
	Observer func(Event) // called from the runner's goroutine; it must not block
}

// Limits close a batch: whichever comes first. Zero means the default.
type Limits struct {
	Rows     int64         // default 200,000
	Bytes    int64         // of input, default 256 MiB
	Age      time.Duration // of the oldest row that is not committed, default 10 s
	Parallel int           // parts staged side by side, default 2
}

// DefaultParallel is Limits.Parallel where it is zero, and DefaultRows Limits.Rows.
const (
	DefaultParallel = 2
	DefaultRows     = 200_000
)

func (l Limits) withDefaults() Limits {
	if l.Rows == 0 {
		l.Rows = DefaultRows
	}
	if l.Bytes == 0 {
		l.Bytes = 256 << 20
	}
	if l.Age == 0 {
		l.Age = 10 * time.Second
	}
	if l.Parallel == 0 {
		l.Parallel = DefaultParallel
	}
	return l
}

// Skip is how much may go to quarantine within one run before the job stops. Zero means the default.
type Skip struct {
	MaxRows  int64   // default 10,000
	MaxShare float64 // of all rows read so far, asked once MinRows have been read; default 0.01
	MinRows  int64   // default 10,000
}

func (s Skip) withDefaults() Skip {
	if s.MaxRows == 0 {
		s.MaxRows = 10_000
	}
	if s.MaxShare == 0 {
		s.MaxShare = 0.01
	}
	if s.MinRows == 0 {
		s.MinRows = 10_000
	}
	return s
}
