package lake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"weir/internal/storage"
)

// A Commit makes files and a cursor visible in one metadata swap.
type Commit struct {
	Job string
	ID  string // the same for the same piece of work, so that a repeated commit is recognised

	// Advance gets the stored cursor (nil if there is none) and returns the new one, or ErrMoved if this commit does not
	// start there. It may be called several times. Without it the stored cursor must equal From, and To becomes the new one.
	Advance  func(stored json.RawMessage) (json.RawMessage, error)
	From, To json.RawMessage

	Add        []File
	Remove     []File // of the table as the worker saw it; the commit fails if one has gone meanwhile
	ReplaceAll bool   // remove all that the table holds at the time of the commit
	Summary    map[string]string
}

// A Receipt says what a commit did.
type Receipt struct {
	Snapshot int64
	At       time.Time // after the swap: readers could see it from then on at the latest
	Already  bool      // an earlier try had made this commit
	Tries    int
}

const (
	definite   = 6                // tries of a commit that provably did not land
	commitTime = 60 * time.Second // for one commit, also after the caller was told to stop
)

// Commit adds and removes files and moves the cursor, all or nothing.
//
// iceberg-go does not retry a stale commit on catalogs that check on the client's side, and its error does not tell whether
// the commit landed. So the loop is ours: after any error the table is loaded again and searched for the commit id; if it is
// not there the same data files are committed onto the new head.
func (t *Table) Commit(ctx context.Context, c Commit) (Receipt, error) {
	lock := t.lake.lock(t.name)
	lock.Lock()
	defer lock.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTime)
	defer cancel()

	var last error
	for try := 1; ; try++ {
		tbl, err := t.load(ctx)
		if err != nil && last == nil {
			return Receipt{}, err
		}
		if err != nil { // until the catalog answers nobody knows whether the last try landed
			if !pause(ctx, try) {
				return Receipt{}, fmt.Errorf("commit %s to table %s: result unknown, the next start finds it out: %w", c.ID, t.name, errors.Join(last, err))
			}
			continue
		}
		if s := landed(tbl, c); s != nil {
			at := time.Now()
			if last == nil {
				at = time.UnixMilli(s.TimestampMs)
			}
			return Receipt{Snapshot: s.SnapshotID, At: at, Already: last == nil, Tries: try}, nil
		}
		if last != nil && try > definite {
			return Receipt{}, fmt.Errorf("commit to table %s: %w", t.name, last)
		}
		got, err := t.try(ctx, tbl, c)
		if err == nil {
			return Receipt{Snapshot: got, At: time.Now(), Tries: try}, nil
		}
		if errors.Is(err, ErrMoved) || errors.Is(err, errGone) || errors.Is(err, errShape) || diskFull(err) {
			return Receipt{}, fmt.Errorf("commit to table %s: %w", t.name, err)
		}
		last = err
		if !pause(ctx, try) {
			last = errors.Join(last, ctx.Err())
		}
	}
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

// try makes one attempt and returns the id of its snapshot.
func (t *Table) try(ctx context.Context, tbl *table.Table, c Commit) (int64, error) {
	at, err := property(tbl, c.Job)
	if err != nil {
		return 0, err
	}
	if now, ok := settle(tbl, c.Job, at); ok {
		at = now
	}
	next, err := c.advance(at.Cursor)
	if err != nil {
		return 0, err
	}
	now := Position{Cursor: next, Commit: c.ID, Seq: at.Seq + 1}
	_, fs := t.current()
	tx, err := t.reshape(ctx, tbl, c.Add)
	if err != nil {
		return 0, err
	}
	// Pins the head: without it iceberg-go would move the requirement to a newer head by itself.
	if err := tx.AssertRefSnapshotID(table.MainBranch); err != nil {
		return 0, err
	}
	if err := stageFiles(ctx, tx, tbl, fs, c, now); err != nil {
		return 0, err
	}
	value, err := json.Marshal(now)
	if err != nil {
		return 0, err
	}
	if err := tx.SetProperties(iceberg.Properties{cursorProperty(c.Job): string(value)}); err != nil {
		return 0, err
	}
	if err := expire(tx, tbl); err != nil {
		return 0, fmt.Errorf("expire snapshots: %w", err)
	}
	done, err := tx.Commit(ctx)
	if err != nil {
		return 0, err
	}
	t.mu.Lock()
	t.tbl = done
	t.settled(done)
	t.mu.Unlock()
	return done.CurrentSnapshot().SnapshotID, nil
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
	for k, v := range c.Summary {
		props[k] = v
	}
	remove := make([]iceberg.DataFile, 0, len(c.Remove))
	if c.ReplaceAll || len(c.Remove) > 0 {
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

// landed looks for the commit id among the ancestors of the head.
func landed(tbl *table.Table, c Commit) *table.Snapshot {
	for s := tbl.CurrentSnapshot(); s != nil; s = parent(tbl, s) {
		if s.Summary != nil && s.Summary.Properties[summaryCommit] == c.ID && s.Summary.Properties[summaryJob] == c.Job {
			return s
		}
	}
	return nil
}
