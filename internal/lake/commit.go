package lake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"weir/internal/fault"
	"weir/internal/protocol"
	"weir/internal/storage"
)

// A Commit makes files and a cursor visible in one metadata swap.
type Commit struct {
	Job string
	ID  string // the same for the same piece of work, so that a repeated commit is recognised

	// Epoch is the number of the run that commits, higher than those of the runs before it; 0: runs are not told apart. Once a newer run
	// has committed, an older one gets ErrFenced.
	Epoch int64

	// Advance gets the stored cursor (nil if there is none) and returns the new one, or ErrMoved if this commit does not
	// start there. It may be called several times. Without it the stored cursor must equal From, and To becomes the new one.
	Advance  func(stored json.RawMessage) (json.RawMessage, error)
	From, To json.RawMessage

	Add        []File
	Remove     []File // of the table as the worker saw it; the commit fails if one has gone meanwhile
	ReplaceAll bool   // remove all that the table holds at the time of the commit
	Summary    map[string]string

	seen    map[string]bool // all files that the plan of the commit knew of; nil: any others may have come since
	decided bool            // by a human, after a rollback
	keyed   bool            // by a Keyed
}

// A Receipt says what a commit did.
type Receipt struct {
	Snapshot int64
	At       time.Time // after the swap: readers could see it from then on at the latest
	Already  bool      // an earlier try had made this commit
	Tries    int
}

const commitTime = 60 * time.Second // for one commit, also after the caller was told to stop

// ErrFenced and ErrUnknown are two ways in which a commit may end without the rows in the table: a newer run has taken over, or nobody
// knows yet.
var (
	ErrFenced  = protocol.ErrFenced
	ErrUnknown = protocol.ErrUnknown
)

// Commit adds and removes files and moves the cursor, all or nothing.
//
// iceberg-go does not retry a stale commit on catalogs that check on the client's side, and its error does not tell whether
// the commit landed. So the loop is ours, see protocol.Loop: after any error the table is loaded again and searched for the commit id;
// if it is not there the same data files are committed onto the new head.
func (t *Table) Commit(ctx context.Context, c Commit) (Receipt, error) {
	lock := t.lake.lock(t.name)
	lock.Lock()
	defer lock.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTime)
	defer cancel()

	loop := protocol.NewLoop(protocol.Commit{ID: c.ID, Epoch: c.Epoch, Advance: c.advance, Decided: c.decided})
	for looks := 1; ; looks++ {
		tbl, step := t.look(ctx, loop, c.Job)
		rc := Receipt{Snapshot: step.Found.ID, At: time.Now(), Already: looks == 1, Tries: looks}
		if step.Do == protocol.Done && rc.Already {
			rc.At = time.UnixMilli(step.Found.At)
		}
		if step.Do == protocol.Swap {
			var outcome protocol.Outcome
			var err error
			rc.Already = false
			rc.Snapshot, outcome, err = t.swap(ctx, tbl, c, step)
			rc.At = time.Now()
			if final(err) {
				return Receipt{}, t.stopped(c, loop.Expired(err).Err)
			}
			step = loop.Tried(outcome, err)
		}
		if step.Do == protocol.Look && !pause(ctx, looks) {
			step = loop.Expired(ctx.Err())
		}
		switch step.Do {
		case protocol.Done:
			return rc, nil
		case protocol.Stop:
			return Receipt{}, t.stopped(c, step.Err)
		}
	}
}

// look loads the table and asks the loop what to do with it.
func (t *Table) look(ctx context.Context, loop *protocol.Loop, job string) (*table.Table, protocol.Step) {
	tbl, err := t.load(ctx)
	if err != nil {
		return nil, loop.Unseen(err)
	}
	v, err := viewOf(tbl, job)
	if err != nil {
		return nil, protocol.Step{Do: protocol.Stop, Err: err}
	}
	return tbl, loop.Seen(v)
}

// stopped is why a commit ended without its rows in the table.
func (t *Table) stopped(c Commit, err error) error {
	var rolled *RolledBackError
	if errors.As(err, &rolled) {
		rolled.Table, rolled.Job = t.name, c.Job
		return err
	}
	return fmt.Errorf("commit %s to table %s: %w", c.ID, t.name, err)
}

// final are errors that no other look mends: the files do not fit, or nothing can be written.
func final(err error) bool {
	return errors.Is(err, errGone) || errors.Is(err, errShape) || diskFull(err) || errors.As(err, new(*LayoutError))
}

// pause waits with full jitter; false if the time for the commit is over.
func pause(ctx context.Context, try int) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(rand.N(min(10*time.Millisecond<<min(try, 10), time.Second))):
		return true
	}
}

var errGone = errors.New("a file that this commit replaces is no longer in the table")

// swap makes one attempt and returns the id of its snapshot.
func (t *Table) swap(ctx context.Context, tbl *table.Table, c Commit, step protocol.Step) (int64, protocol.Outcome, error) {
	cat := &tagging{CatalogIO: t.lake.cat, tag: tagOf(c.Job), was: step.Tag}
	tx, err := t.stage(ctx, t.on(tbl, cat), c, step.Now)
	if err != nil {
		return 0, protocol.Refused, err
	}
	staged, err := tx.StagedTable()
	if err != nil {
		return 0, protocol.Refused, err
	}
	cat.now = staged.CurrentSnapshot().SnapshotID
	fault.Point("commit.staged")
	done, err := tx.Commit(ctx)
	fault.Point("commit.swapped")
	if errors.Is(err, table.ErrCommitFailed) || err != nil && strings.Contains(err.Error(), "requirement failed") { // by what the library checks before it asks
		return 0, protocol.Refused, err
	}
	if err != nil {
		return 0, protocol.Unclear, err
	}
	done = t.on(done, t.lake.cat)
	t.mu.Lock()
	t.tbl = done
	t.settled(done)
	t.mu.Unlock()
	return cat.now, protocol.Landed, nil
}

// stage prepares all that one swap makes visible.
func (t *Table) stage(ctx context.Context, tbl *table.Table, c Commit, now Position) (*table.Transaction, error) {
	if err := t.mayAdd(tbl, c); err != nil {
		return nil, err
	}
	_, fs := t.current()
	tx, err := t.reshape(ctx, tbl, c.Add)
	if err != nil {
		return nil, err
	}
	// Pins the head: without it iceberg-go would move the requirement to a newer head by itself.
	if err := tx.AssertRefSnapshotID(table.MainBranch); err != nil {
		return nil, err
	}
	if err := stageFiles(ctx, tx, tbl, fs, c, now); err != nil {
		return nil, err
	}
	staged, err := tx.StagedTable()
	if err != nil {
		return nil, err
	}
	now.Number = staged.CurrentSnapshot().SequenceNumber
	value, err := json.Marshal(now)
	if err != nil {
		return nil, err
	}
	if err := tx.SetProperties(iceberg.Properties{cursorProperty(c.Job): string(value)}); err != nil {
		return nil, err
	}
	if err := expire(tx, tbl); err != nil {
		return nil, fmt.Errorf("expire snapshots: %w", err)
	}
	return tx, nil
}

func (c Commit) advance(stored json.RawMessage) (json.RawMessage, error) {
	if c.Advance != nil {
		return c.Advance(stored)
	}
	if !bytes.Equal(stored, c.From) {
		return nil, fmt.Errorf("%w: the table's is %s, this worker started from %s", ErrMoved, orNone(stored), orNone(c.From))
	}
	return c.To, nil
}

func orNone(c json.RawMessage) string {
	if len(c) == 0 {
		return "none"
	}
	return string(c)
}

// stageFiles stages exactly one snapshot, also where there is no file: a swap that moved only the property would leave the
// head where it is, and the head is what other workers' commits are held against.
func stageFiles(ctx context.Context, tx *table.Transaction, tbl *table.Table, fs storage.FS, c Commit, now Position) error {
	props := iceberg.Properties{
		summaryJob: c.Job, summaryCommit: now.Commit, summaryCursor: string(now.Cursor), summarySeq: strconv.FormatInt(now.Seq, 10),
	}
	if now.Epoch > 0 {
		props[summaryEpoch] = strconv.FormatInt(now.Epoch, 10)
	}
	for k, v := range c.Summary {
		props[k] = v
	}
	remove := make([]iceberg.DataFile, 0, len(c.Remove))
	if c.ReplaceAll || len(c.Remove) > 0 || c.seen != nil {
		var err error
		if remove, err = toRemove(tbl, fs, c); err != nil {
			return err
		}
	}
	add := make([]iceberg.DataFile, len(c.Add))
	for i, f := range c.Add {
		add[i] = f.data
	}
	switch {
	case len(remove) > 0:
		return tx.ReplaceDataFilesWithDataFiles(ctx, remove, add, props, table.WithoutAutoNameMapping())
	case len(add) > 0:
		return tx.AddDataFiles(ctx, add, props, table.WithoutDuplicateCheck(), table.WithoutAutoNameMapping())
	}
	return tx.AddFiles(ctx, nil, props, true)
}

func toRemove(tbl *table.Table, fs storage.FS, c Commit) ([]iceberg.DataFile, error) {
	entries, err := dataFiles(tbl, fs)
	if err != nil {
		return nil, err
	}
	var remove []iceberg.DataFile
	want := map[string]bool{}
	for _, f := range c.Remove {
		want[f.data.FilePath()] = true
	}
	for _, e := range entries {
		path := e.df.FilePath()
		if c.seen != nil && !c.seen[path] { // another job's, with rows that nobody has looked at
			return nil, errGone
		}
		if c.ReplaceAll || want[path] {
			remove = append(remove, e.df)
			delete(want, path)
		}
	}
	if len(want) > 0 {
		return nil, errGone
	}
	return remove, nil
}
