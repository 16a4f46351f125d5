package db

import (
	"context"
	"database/sql"
	"sync"
)

// sharing gathers writes that wait for the disk, so that one sync serves all of them (group commit).
type sharing struct {
	mu      sync.Mutex
	waiting []*shared
	working bool
}

type shared struct {
	ctx    context.Context
	f      func(tx *sql.Tx) error
	result chan error
}

// mostShared bounds a transaction: the first of many must not wait for all the others.
const mostShared = 256

// Share is [DB.Write] for small writes of many callers at once: those that wait share a transaction. Each stands for itself: if one
// fails, it has no effect, and the others have theirs. f may be called again.
func (d *DB) Share(ctx context.Context, f func(tx *sql.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &shared{ctx, f, make(chan error, 1)}
	d.share.mu.Lock()
	d.share.waiting = append(d.share.waiting, w)
	if !d.share.working {
		d.share.working = true
		go d.serve()
	}
	d.share.mu.Unlock()
	return <-w.result // not ctx: whether it is on the disk must be known
}

// serve ends when nobody waits.
func (d *DB) serve() {
	for {
		d.share.mu.Lock()
		n := min(len(d.share.waiting), mostShared)
		if n == 0 {
			d.share.working = false
			d.share.mu.Unlock()
			return
		}
		group := append([]*shared(nil), d.share.waiting[:n]...)
		d.share.waiting = d.share.waiting[n:]
		d.share.mu.Unlock()
		d.together(group)
	}
}

func (d *DB) together(group []*shared) {
	if len(group) > 1 {
		results := make([]error, len(group))
		err := d.Write(context.WithoutCancel(group[0].ctx), func(tx *sql.Tx) error {
			for i, w := range group {
				var err error
				if results[i], err = alone(w, tx); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil {
			for i, w := range group {
				w.result <- results[i]
			}
			return
		}
		// One of them has taken the transaction down, or the disk has: each has to hear its own reason.
	}
	for _, w := range group {
		w.result <- d.Write(w.ctx, w.f)
	}
}

// alone runs one of several writes so that its failure undoes nothing but itself. broken means that the transaction is.
func alone(w *shared, tx *sql.Tx) (result, broken error) {
	ctx := context.WithoutCancel(w.ctx)
	if _, err := tx.ExecContext(ctx, "SAVEPOINT one"); err != nil {
		return nil, err
	}
	if result = w.f(tx); result != nil {
		if _, err := tx.ExecContext(ctx, "ROLLBACK TO SAVEPOINT one"); err != nil {
			return nil, err
		}
	}
	_, err := tx.ExecContext(ctx, "RELEASE SAVEPOINT one")
	return result, err
}
