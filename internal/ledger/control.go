package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"weir/internal/db"
	"weir/internal/outcome"
)

// ErrHeld means that another process has the lease.
var ErrHeld = errors.New("held by another process")

// A Lease lets one process of a home do something.
type Lease struct {
	l     *Ledger
	name  string
	token int64
	ttl   time.Duration
}

// Lease takes a lease that is free or has run out, or fails with ErrHeld, which names the holder.
func (l *Ledger) Lease(ctx context.Context, name string, ttl time.Duration) (*Lease, error) {
	out := &Lease{l: l, name: name, ttl: ttl}
	err := l.db.Write(ctx, func(tx *sql.Tx) error {
		var holder string
		var until int64
		now := time.Now()
		err := tx.QueryRowContext(ctx, "SELECT owner, token, until FROM lease WHERE name = ?", name).Scan(&holder, &out.token, &until)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err == nil && until > now.UnixMicro() && !Gone(holder) {
			return fmt.Errorf("%w (%s, for %v more)", ErrHeld, holder, db.Time(until).Sub(now).Round(time.Second))
		}
		out.token++
		_, err = tx.ExecContext(ctx, `INSERT INTO lease (name, owner, token, until) VALUES (?, ?, ?, ?)
			ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, token = excluded.token, until = excluded.until`, name, owner(), out.token, now.Add(ttl).UnixMicro())
		return err
	})
	if err != nil {
		return nil, wrap("lease "+name, err)
	}
	return out, nil
}

// Gone reports whether an owner was a process of this machine that has died; of other machines nobody knows.
func Gone(owner string) bool {
	host, err := os.Hostname()
	name, pid, ok := strings.Cut(owner, ":")
	n, bad := strconv.Atoi(pid)
	return err == nil && ok && bad == nil && name == host && errors.Is(syscall.Kill(n, 0), syscall.ESRCH)
}

// Renew extends the lease, or fails with ErrHeld if somebody else has taken it meanwhile.
func (s *Lease) Renew(ctx context.Context) error {
	err := s.l.db.Write(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, "UPDATE lease SET until = ? WHERE name = ? AND token = ?", time.Now().Add(s.ttl).UnixMicro(), s.name, s.token)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 1 {
			return err
		}
		return ErrHeld
	})
	return wrap("lease "+s.name, err)
}

// Release gives the lease back, so that the next one need not wait.
func (s *Lease) Release(ctx context.Context) error {
	err := s.l.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE lease SET until = 0 WHERE name = ? AND token = ?", s.name, s.token)
		return err
	})
	return wrap("lease "+s.name, err)
}

// Retry ends the current attempt of a run, which goes on with another one: nobody is told yet. See Start.
func (l *Ledger) Retry(ctx context.Context, runID, cause string) error {
	err := l.db.Write(ctx, func(tx *sql.Tx) error {
		r, err := get(ctx, tx, runID)
		if err != nil {
			return err
		}
		now := time.Now()
		if _, err := tx.ExecContext(ctx, "UPDATE attempt SET state = ?, ended = ?, cause = ? WHERE run_id = ? AND attempt = ?",
			outcome.Failed, db.Micros(now), cause, r.RunID, r.Attempt); err != nil {
			return err
		}
		r.Heartbeat = now
		return put(ctx, tx, r)
	})
	return wrap("retry run "+runID, err)
}

// Cancel asks whoever runs it to stop a run. ErrEnded if it has ended.
func (l *Ledger) Cancel(ctx context.Context, runID string) error {
	err := l.db.Write(ctx, func(tx *sql.Tx) error {
		r, err := get(ctx, tx, runID)
		if err != nil {
			return err
		}
		if r.State.Terminal() {
			return fmt.Errorf("%w: it is %s", ErrEnded, r.State)
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO cancel (run_id, at) VALUES (?, ?) ON CONFLICT DO NOTHING", runID, time.Now().UnixMicro())
		return err
	})
	return wrap("cancel run "+runID, err)
}

// Cancelled reports whether somebody asked for a run's end, and forgets it.
func (l *Ledger) Cancelled(ctx context.Context, runID string) (bool, error) {
	var n int
	if err := l.db.Read().QueryRowContext(ctx, "SELECT count(*) FROM cancel WHERE run_id = ?", runID).Scan(&n); err != nil || n == 0 {
		return false, err
	}
	return true, l.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM cancel WHERE run_id = ?", runID)
		return err
	})
}
