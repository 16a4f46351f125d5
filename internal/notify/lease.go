package notify

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"strings"
	"syscall"
	"time"
)

// One process sends: the one that holds the lease row. A standby takes over when the holder has not renewed it for LeaseTTL,
// or at once if the holder's process is known to be gone.
const leaseName = "sender"

// acquire takes or renews the lease; if another holds it, it says until when at most.
func (s *Service) acquire(ctx context.Context) (ours bool, wait time.Duration, err error) {
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		ours, wait = false, 0 // Write may call again
		now, err := s.db.Now(ctx, tx)
		if err != nil {
			return err
		}
		var owner, host string
		var pid int
		var until int64
		err = tx.QueryRowContext(ctx, "SELECT owner, host, pid, until FROM lease WHERE name = ?", leaseName).Scan(&owner, &host, &pid, &until)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err == nil && owner != s.owner && until > now.UnixMicro() && !(host != "" && host == here() && isGone(pid)) {
			wait = time.UnixMicro(until).Sub(now)
			return nil
		}
		ours = true
		_, err = tx.ExecContext(ctx, `INSERT INTO lease (name, owner, host, pid, until) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, host = excluded.host, pid = excluded.pid, until = excluded.until`,
			leaseName, s.owner, here(), os.Getpid(), now.Add(s.opt.LeaseTTL).UnixMicro())
		return err
	})
	return ours, wait, err
}

// errNoLease stops a sender that has slept too long: another one may be at work.
var errNoLease = errors.New("another process sends")

// holds fails in the transaction if the lease is not ours; until is when it ends, on this machine's clock.
func (s *Service) holds(ctx context.Context, tx *sql.Tx) (until time.Time, err error) {
	asked := time.Now() // before the answer: a stall between the two must not lengthen the lease
	now, err := s.db.Now(ctx, tx)
	if err != nil {
		return time.Time{}, err
	}
	var us int64
	err = tx.QueryRowContext(ctx, "SELECT until FROM lease WHERE name = ? AND owner = ?", leaseName, s.owner).Scan(&us)
	left := time.UnixMicro(us).Sub(now)
	if errors.Is(err, sql.ErrNoRows) || err == nil && left <= 0 {
		return time.Time{}, errNoLease
	}
	return asked.Add(left), err
}

// release lets a standby take over at once.
func (s *Service) release(ctx context.Context) error {
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM lease WHERE name = ? AND owner = ?", leaseName, s.owner)
		return err
	})
}

// here names the place in which a process id means something: this boot of this machine, and this container. Where that
// cannot be told, it is empty and the lease has to run out.
func here() string {
	boot, err1 := os.ReadFile("/proc/sys/kernel/random/boot_id")
	ns, err2 := os.Readlink("/proc/self/ns/pid")
	if err1 != nil || err2 != nil {
		return ""
	}
	return strings.TrimSpace(string(boot)) + " " + ns
}

func isGone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
