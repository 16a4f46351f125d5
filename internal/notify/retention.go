package notify

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"weir/internal/config"
	"weir/internal/db"
)

// What was told is kept for a while: for explain, and so that the same event is not told twice. Then it leaves, an event with its
// deliveries, attempts and decisions at a time, the oldest first; the story goes with its last event. A story stays as long as anything
// of it is not settled: unsent, held, dead, silenced, still broken; and the newest good one of a job stays, as it is the last good
// data. That something was given up is told as a failure that nothing mends: it leaves all the same. What is usual stands elsewhere: see arrival.
const migrationRetention = `
CREATE INDEX event_key ON event (key);
CREATE TABLE sends (
	channel TEXT NOT NULL,
	result  TEXT NOT NULL, -- class of the attempt
	n       INTEGER NOT NULL, -- attempts, also those that have left
	PRIMARY KEY (channel, result)
) STRICT, WITHOUT ROWID;
INSERT INTO sends (channel, result, n) SELECT d.channel, a.class, count(*) FROM attempt a JOIN delivery d ON d.id = a.delivery GROUP BY d.channel, a.class;
`

const (
	keepTold      = config.Duration(90 * day)
	leastKept     = 10 * day // more than anything looks back: the clock 8 days, the relay 2
	forgetEvery   = time.Hour
	forgetAtOnce  = 100                    // events of one transaction: some milliseconds
	forgetBetween = 100 * time.Millisecond // in which others write
)

// isOver is the SQL for an event e whose story is settled, and was before ?1. The next_at of what is silenced, has expired or was dropped
// says when; what is folded is broken.
const isOver = `e.phase = 'routed' AND e.accepted < ?1
	AND NOT EXISTS (SELECT 1 FROM event n WHERE n.key = e.key AND (n.accepted >= ?1 OR n.good_day <> ''
		AND NOT EXISTS (SELECT 1 FROM event g WHERE g.unit = n.unit AND g.job = n.job AND g.good_day > n.good_day)))
	AND (e.doc LIKE '%"kind":"` + kindDead + `"%' OR NOT EXISTS (SELECT 1 FROM story s WHERE s.key = e.key AND s.broken > 0))
	AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.key = e.key AND (d.` + isOpen + ` OR d.state IN ('held', 'dead')
		OR d.created >= ?1 OR d.next_at >= ?1 OR d.sent_at >= ?1))`

// forgetAll removes what is over until ctx ends.
func (s *Service) forgetAll(ctx context.Context) error {
	var after int64
	for wait := time.Minute; ; {
		s.pause(ctx, wait, nil)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var err error
		after, err = s.forget(ctx, after, time.Now())
		if errors.Is(err, errNoLease) {
			return err
		}
		if wait = forgetBetween; after == 0 {
			wait = forgetEvery
		}
		if err != nil && ctx.Err() == nil {
			s.opt.Log.Error("old events not removed", "err", err)
			after, wait = 0, forgetEvery
		}
	}
}

// forget looks at the events behind one, removes those that are over, and says where to go on; 0: at the beginning, there are no more old
// ones.
func (s *Service) forget(ctx context.Context, after int64, now time.Time) (next int64, err error) {
	before := now.Add(-orElse(s.units.Keep, keepTold)).UnixMicro()
	var last, oldest sql.NullInt64
	if err := s.db.Read().QueryRowContext(ctx, "SELECT max(seq), min(accepted) FROM (SELECT seq, accepted FROM event WHERE seq > ? ORDER BY seq LIMIT ?) w", after, forgetAtOnce).
		Scan(&last, &oldest); err != nil || !last.Valid || oldest.Int64 >= before {
		return 0, err
	}
	const some = "FROM event e WHERE e.seq > ?2 AND e.seq <= ?3 AND " + isOver
	var old bool
	if err := s.db.Read().QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 "+some+")", before, after, last.Int64).Scan(&old); err != nil || !old {
		return last.Int64, err
	}
	return last.Int64, s.change(ctx, func(tx *sql.Tx) error {
		ids, err := anys(ctx, tx, "SELECT e.id "+some, before, after, last.Int64)
		if err != nil {
			return err
		}
		keys, err := anys(ctx, tx, "SELECT DISTINCT e.key "+some, before, after, last.Int64)
		if err != nil || len(ids) == 0 {
			return err
		}
		these, those := " IN ("+db.Marks(len(ids))+")", " IN ("+db.Marks(len(keys))+")"
		for _, d := range []struct {
			query string
			args  []any
		}{
			{"DELETE FROM attempt WHERE delivery IN (SELECT id FROM delivery WHERE event_id" + these + ")", ids},
			{"DELETE FROM delivery WHERE event_id" + these, ids},
			{"DELETE FROM decision WHERE event_id" + these, ids},
			{"DELETE FROM event WHERE id" + these, ids},
			{"DELETE FROM message WHERE key" + those + " AND NOT EXISTS (SELECT 1 FROM event e WHERE e.key = message.key)", keys},
			{"DELETE FROM story WHERE key" + those + " AND NOT EXISTS (SELECT 1 FROM event e WHERE e.key = story.key)", keys},
		} {
			if _, err := tx.ExecContext(ctx, d.query, d.args...); err != nil {
				return err
			}
			if err := s.opt.at("some of an old event is removed"); err != nil {
				return err
			}
		}
		return nil
	})
}

// anys reads one column, as arguments for the next statement.
func anys(ctx context.Context, tx *sql.Tx, query string, args ...any) ([]any, error) {
	all, err := strs(ctx, tx, query, args...)
	out := make([]any, len(all))
	for i, v := range all {
		out[i] = v
	}
	return out, err
}
