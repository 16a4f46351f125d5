// Package protocol is weir's commit protocol without its effects: what a look at a table means for a job, what to do next, and when
// a position may move. It does no I/O and has no clock: `lake` loads and swaps, `topic` asks the broker, and both obey.
//
// [View.Settle] says how far a job has come; [Loop] leads one commit through conflicts and lost answers; [Advance] moves the
// positions of a topic.
//
// # Promises
//
// Whatever the catalog does (refuses, loses answers, applies a swap late, answers with an old state, claims what it has not done) and
// whoever else commits, a job's rows are in the table exactly once for the positions that the table says, as long as the catalog's
// swap compares the head. The test of this package proves it with thousands of seeded histories, and shows that each [rule] is needed.
//
// # Limits
//
// Snapshots must outlive the next look: a rollback cannot be seen any more once every snapshot from before it has been expired, nor a
// commit that only its summary tells of (Spark's, which cannot set the property in the same swap). weir's tables keep them for an hour
// at least where several jobs write; where one does, it looks before each of its commits, and only those expire snapshots.
package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
)

// ErrMoved means that the cursor in the table is not the one that the commit starts from. Nothing was added.
var ErrMoved = errors.New("another worker has moved the cursor")

// ErrFenced means that a newer run of the job has committed to the table: this one is late and must end. It is an ErrMoved, too.
var ErrFenced = fmt.Errorf("%w: a newer run of the job has taken over", ErrMoved)

// ErrUnknown means that nobody knows yet whether a commit is in the table: a catalog took the swap and never said what became of
// it. None of its files may be deleted; the next start finds out.
var ErrUnknown = errors.New("result unknown, the next start finds it out")

// A Position is how far a job has come, as the table itself says.
type Position struct {
	Cursor json.RawMessage `json:"cursor"`          // nil if the job never committed here
	Commit string          `json:"commit"`          // id of its last commit
	Seq    int64           `json:"seq"`             // number of its commits
	Epoch  int64           `json:"epoch,omitempty"` // the newest run that has committed; 0 where runs are not told apart

	// Number is the sequence number of the commit's snapshot in the table; 0 where the commit is older than this field.
	Number int64 `json:"number,omitempty"`
}

// A Snapshot is one of the job's own, as its summary tells.
type Snapshot struct {
	ID int64
	At int64 // milliseconds since 1970
	Position
	Decided bool // by a person, who may have set the job back: what lies before it may be done once more
}

// A View is a table as one look at it shows it to one job.
type View struct {
	Head     int64      // id of the newest snapshot, 0 if there is none
	Tag      int64      // the snapshot that the job's tag names, 0 if there is none
	Property Position   // as the table's property has it; zero: none
	Own      []Snapshot // the job's own among the ancestors of the head, newest first
	Oldest   int64      // sequence number of the oldest ancestor that is left
	Last     int64      // the table's last sequence number, which only grows
	Complete bool       // the ancestors were followed to the table's first snapshot: none has been expired
}

// Settle says which of property and history counts; ok is false if they contradict each other, which a rollback of the table does.
//
// The property survives expiry and foreign compaction; the summary of our snapshot tells a rollback, which the property alone would
// hide. A writer that cannot set the property in the same commit, such as Spark, leaves only its summary: then the property lags
// behind until our next commit. The property still belongs to this history if its commit is among the ancestors, or if the ancestors
// end, by expiry, before one that is older than its commit.
func (v View) Settle() (at Position, ok bool) {
	prop := v.Property
	if len(v.Own) > 0 {
		at = v.Own[0].Position
	}
	at.Epoch = max(at.Epoch, prop.Epoch)
	if prop.Commit == "" {
		return at, true
	}
	if at.Commit == prop.Commit {
		return prop, true
	}
	later := true
	for _, s := range v.Own {
		if s.Commit == prop.Commit {
			return at, true
		}
		later = later && s.Seq > prop.Seq
	}
	switch {
	case v.Complete || !later || v.Oldest < prop.Number:
		return at, false
	case at.Commit == "":
		return prop, true
	}
	return at, true
}

// A RolledBackError means that the table's property and its newest snapshot of the job disagree: somebody rolled the table
// back. Going on from either could lose or double rows, so a human decides.
type RolledBackError struct {
	Table, Job         string
	Property, Snapshot Position
}

func (e *RolledBackError) Error() string {
	s := "no snapshot of it is left"
	if e.Snapshot.Commit != "" {
		s = fmt.Sprintf("the newest snapshot of it holds commit %s (number %d) at cursor %s", e.Snapshot.Commit, e.Snapshot.Seq, e.Snapshot.Cursor)
	}
	return fmt.Sprintf("table %s was rolled back: job %s had reached commit %s (number %d) at cursor %s, but %s",
		e.Table, e.Job, e.Property.Commit, e.Property.Seq, e.Property.Cursor, s)
}
