package notify

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"weir/internal/db"
)

// Channels count calls by method: who is told to leave one method alone may go on with the others. So a channel that is
// weary of edits still gets new messages.
const migrationPause = `
CREATE TABLE pause (
	channel TEXT NOT NULL,
	method  TEXT NOT NULL,    -- post (replies are posts), edit, look
	until   INTEGER NOT NULL, -- leave the method alone until then
	PRIMARY KEY (channel, method)
) STRICT, WITHOUT ROWID;
`

// A Pause is a method of a channel that must be left alone for a while.
type Pause struct {
	Method string    `json:"method"` // post, edit, look
	Until  time.Time `json:"until"`
}

// pauses notes what rests.
func (s *Service) pauses(ctx context.Context, all map[string]*ChannelStatus) error {
	rows, err := s.db.Read().QueryContext(ctx, "SELECT channel, method, until FROM pause WHERE until > ? ORDER BY channel, method", time.Now().UnixMicro())
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var p Pause
		var until int64
		if err := rows.Scan(&name, &p.Method, &until); err != nil {
			return err
		}
		if c := all[name]; c != nil {
			p.Until = db.Time(until)
			c.Pauses = append(c.Pauses, p)
		}
	}
	return rows.Err()
}

// methodOf is the SQL for the method of delivery d's next call; m is its message, if there is one.
const methodOf = `CASE WHEN d.state = 'unknown' THEN 'look' WHEN d.part = 'root' AND coalesce(m.ref, '') <> '' THEN 'edit' ELSE 'post' END`

// methodName is the same for a delivery whose call was made.
func methodName(op string) string {
	if op == "reply" {
		return "post"
	}
	return op
}

// leaveAlone keeps the channel free of calls of one method until then.
func (w *worker) leaveAlone(ctx context.Context, tx *sql.Tx, method string, until time.Time) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO pause (channel, method, until) VALUES (?, ?, ?)
		ON CONFLICT (channel, method) DO UPDATE SET until = CASE WHEN pause.until > excluded.until THEN pause.until ELSE excluded.until END`,
		w.name, method, until.UnixMicro())
	return err
}

// Slack allows some 50 calls of chat.update per minute and app, counted over all channels. With ten at once and one each
// 1.5 s after them, no minute sees more. Who sets a pace of his own, for another server than Slack's, sets this one with it.
const editsAtOnce = 10

func editEvery(pace time.Duration) time.Duration { return pace * 3 / 2 }

// limitEdits gives channels of one app one limit together.
func (s *Service) limitEdits(name string, c *SlackCfg) {
	pace := paceOf(c.Pace)
	if pace <= 0 {
		return
	}
	app := fmt.Sprint(c.URL, " ", c.Token, " ", pace)
	l, ok := s.apps[app]
	if !ok {
		l = rate.NewLimiter(rate.Every(editEvery(pace)), editsAtOnce)
		s.apps[app] = l
	}
	s.edits[name] = l
}

// weary names the method that this channel must not be called with now; empty: none.
func (w *worker) weary() string {
	if l := w.s.edits[w.name]; l != nil && l.Tokens() < 1 {
		return "edit"
	}
	return ""
}

// mayEdit takes one edit out of the app's limit, if there is one left.
func (w *worker) mayEdit() bool {
	l := w.s.edits[w.name]
	return l == nil || l.Allow()
}
