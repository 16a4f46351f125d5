package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
)

// A Commit is what a loop brings into the table.
type Commit struct {
	ID    string // the same for the same piece of work, so that a repeated commit is recognised
	Epoch int64  // of the run that makes it; 0: runs are not told apart

	// Advance gets the stored cursor (nil if there is none) and returns the new one, or ErrMoved if this commit does not start there.
	// It may be called several times.
	Advance func(stored json.RawMessage) (json.RawMessage, error)

	// Decided is the one commit that may follow a rollback: that of a human's decision. It starts from the property's cursor.
	Decided bool
}

// A Step is what to do next.
type Step struct {
	Do Do

	Now  Position // Swap: what property and summary say afterwards, in the same swap as the files
	Head int64    // Swap: the catalog must refuse the swap if the head is another one …
	Tag  int64    // … or the job's tag: a rollback gives the head back an id that it has had before. The swap sets the tag on its snapshot.

	Found Snapshot // Done: the commit, as the table has it
	Err   error    // Stop
}

// Do is a kind of step.
type Do int

// What to do.
const (
	Swap Do = iota + 1 // try the swap, then tell Tried
	Look               // load the table again after a pause, then tell Seen or Unseen
	Done               // the commit is in the table
	Stop               // it is not, or nobody knows: see Err
)

// An Outcome is what became of a swap.
type Outcome int

// What the catalog said.
const (
	Landed  Outcome = iota + 1 // it is in the table, says the catalog
	Refused                    // it provably is not: the catalog refused, or was not asked
	Unclear                    // an error that proves nothing: the answer may have been lost
)

const (
	failures  = 6  // of swaps on a head that stays where it is
	conflicts = 60 // of swaps that lost against somebody else's
)

// A Loop leads one commit: load the table, tell Seen or Unseen, and do the step; after a swap tell Tried, and do its step.
type Loop struct {
	c        Commit
	without  rule // for the test that shows what each rule is for
	head     int64
	tag      int64
	newest   int64 // View.Last so far
	tried    bool
	last     error // of the last swap
	unclear  bool  // some swap may have landed, or may still land
	failures int
	lost     int // against others
}

// NewLoop begins a commit.
func NewLoop(c Commit) *Loop { return &Loop{c: c} }

// rule is one of the protocol's rules. They are numbered so that the test can leave out one at a time and watch the harm.
type rule int

const (
	ruleOwnID   rule = iota + 1 // a commit whose id is among the ancestors has landed
	ruleHead                    // a swap is refused if the head has moved since the look
	ruleTag                     // … or if the job's tag has
	ruleStart                   // a commit starts where the table stands
	ruleFence                   // a run that is older than the newest in the table commits nothing
	ruleHistory                 // property and history are held against each other
	ruleProp                    // the property counts where our snapshots have been expired
	ruleUnclear                 // nothing is deleted while a result is unknown
	ruleAgain                   // after an unclear answer the same files are offered again only while the job's tag has not moved
)

// A swap whose answer was lost may have landed, been rolled back, and been expired with its files; then the tag has moved.
var errBetween = errors.New("another commit of the job came in between")

// Seen tells the loop what a look has shown.
func (l *Loop) Seen(v View) Step {
	if s, ok := l.own(v); ok {
		return Step{Do: Done, Found: s}
	}
	if v.Last < l.newest { // an old state: it says nothing
		return Step{Do: Look}
	}
	l.newest = v.Last
	if l.unclear && v.Tag != l.tag && l.without != ruleAgain {
		return l.stop(errBetween)
	}
	at, ok := l.settle(v)
	switch {
	case l.c.Epoch != 0 && at.Epoch > l.c.Epoch && l.without != ruleFence:
		return l.stop(fmt.Errorf("%w (run %d, this one is %d)", ErrFenced, at.Epoch, l.c.Epoch))
	case ok && l.c.Decided:
		return l.stop(fmt.Errorf("%w: property and history agree again", ErrMoved))
	case !ok && !l.c.Decided:
		return l.stop(&RolledBackError{Property: v.Property, Snapshot: at})
	case !ok:
		at = Position{Cursor: v.Property.Cursor, Seq: max(v.Property.Seq, at.Seq), Epoch: at.Epoch}
	}
	if l.tried {
		if v.Head == l.head {
			l.failures++
		} else {
			l.lost++
		}
		if l.failures >= failures || l.lost >= conflicts {
			return l.stop(l.last)
		}
	}
	next, err := l.c.Advance(at.Cursor)
	if err != nil && l.without != ruleStart {
		return l.stop(err)
	}
	l.head, l.tag, l.tried = v.Head, v.Tag, true
	return Step{Do: Swap, Head: v.Head, Tag: v.Tag, Now: Position{Cursor: next, Commit: l.c.ID, Seq: at.Seq + 1, Epoch: max(at.Epoch, l.c.Epoch)}}
}

// Unseen tells the loop that the table could not be loaded. Before the first swap that ends it; afterwards it must know.
func (l *Loop) Unseen(err error) Step {
	if !l.tried {
		return Step{Do: Stop, Err: err}
	}
	return Step{Do: Look}
}

// Tried tells the loop what became of its swap. Also a landed one is done only with what the catalog says; err is for the two others.
func (l *Loop) Tried(o Outcome, err error) Step {
	switch o {
	case Landed:
		return Step{Do: Done}
	case Unclear:
		l.unclear = true
	}
	l.last = err
	return Step{Do: Look}
}

// Expired ends a commit whose time is over.
func (l *Loop) Expired(err error) Step {
	if l.last != nil {
		err = fmt.Errorf("%w: %w", err, l.last)
	}
	return l.stop(err)
}

// stop ends the loop without the commit in the table, as far as anybody knows.
func (l *Loop) stop(err error) Step {
	if l.unclear && l.without != ruleUnclear {
		err = fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return Step{Do: Stop, Err: err}
}

// Tries is the number of swaps that were tried and have not landed.
func (l *Loop) Tries() int { return l.failures + l.lost }

func (l *Loop) own(v View) (Snapshot, bool) {
	if l.without == ruleOwnID {
		return Snapshot{}, false
	}
	for _, s := range v.Own {
		if s.Commit == l.c.ID {
			return s, true
		}
		if s.Decided {
			break
		}
	}
	return Snapshot{}, false
}

func (l *Loop) settle(v View) (Position, bool) {
	switch l.without {
	case ruleHistory:
		return v.Property, true
	case ruleProp:
		v.Property = Position{}
	}
	return v.Settle()
}
