package notify

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/internal/notify/channel"
	"weir/internal/notify/words"
	"weir/internal/outcome"
)

func isBad(s outcome.State) bool { return s == outcome.Failed || s.Overdue() }

// foldedInto is the fate of a failure that another one explains: it is a line in the cause's message, in those channels that
// get this message. In others it is told by itself.
func (s *Service) foldedInto(ctx context.Context, tx *sql.Tx, p asked) (fate, error) {
	if !isBad(p.o.State) {
		return fate{}, nil
	}
	for _, f := range s.units.Fold {
		if !slices.ContainsFunc(f.Effects, func(g string) bool { return glob(g, p.o.Job) }) {
			continue
		}
		key, err := brokenCause(ctx, tx, f.Cause, p.key)
		if err != nil || key == "" {
			return fate{}, err
		}
		var there bool
		if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM delivery WHERE key = ? AND channel = ? AND part = 'root'
			AND state NOT IN ('superseded', 'suppressed', 'dead', 'expired', 'dropped'))`, key, p.channel).Scan(&there); err != nil || !there {
			return fate{}, err
		}
		return folds(f.Cause, key), nil
	}
	return fate{}, nil
}

func folds(cause, key string) fate {
	return fate{stSuppressed, gateFold, key, time.Time{}, "fold", fmt.Sprintf("it waits for %s, which is broken and is told there", cause)}
}

// explainedBy is the fate of a failure by units.yaml alone, if these causes are broken.
func (s *Service) explainedBy(o outcome.Outcome, broken func(cause string) bool) fate {
	for _, f := range s.units.Fold {
		if isBad(o.State) && broken(f.Cause) && slices.ContainsFunc(f.Effects, func(g string) bool { return glob(g, o.Job) }) {
			return folds(f.Cause, "")
		}
	}
	return fate{}
}

// brokenCause finds the story of a job that is broken, for the same date; without a date on one side, any.
func brokenCause(ctx context.Context, tx *sql.Tx, job, effect string) (string, error) {
	rows, err := tx.QueryContext(ctx, "SELECT key, dated FROM story WHERE job = ? AND broken > 0 ORDER BY key DESC", job)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	for rows.Next() {
		var key string
		var dated bool
		if err := rows.Scan(&key, &dated); err != nil {
			return "", err
		}
		a, b := dateIn(key), dateIn(effect)
		if key != effect && (!dated || a == "" || b == "" || a == b) {
			return key, rows.Err()
		}
	}
	return "", rows.Err()
}

// dateIn is the date in a story's key.
func dateIn(key string) string {
	what := key[strings.LastIndexByte(key, '/')+1:]
	if len(what) < len(time.DateOnly) {
		return ""
	}
	if _, err := time.Parse(time.DateOnly, what[:len(time.DateOnly)]); err != nil {
		return ""
	}
	return what[:len(time.DateOnly)]
}

// refold brings the lines about effects up to date after an event: in the messages of the causes it was folded into, and,
// when it is no longer broken, out of them. When a cause is mended, effects that are still broken are told by themselves.
func (s *Service) refold(ctx context.Context, tx *sql.Tx, st *story, o outcome.Outcome, causes map[string]bool) error {
	if isNotice(o) {
		return nil
	}
	for _, cause := range sortedTrue(causes) {
		if _, err := tx.ExecContext(ctx, "INSERT INTO folded (cause, effect, note) VALUES (?, ?, ?) ON CONFLICT (cause, effect) DO UPDATE SET note = excluded.note",
			cause, st.Key, s.effectNote(o, cause)); err != nil {
			return err
		}
		if err := s.retell(ctx, tx, cause); err != nil {
			return err
		}
	}
	if !o.State.Good() {
		return nil
	}
	if err := s.unfold(ctx, tx, st.Key); err != nil {
		return err
	}
	for _, key := range st.older {
		if err := s.unfold(ctx, tx, key); err != nil {
			return err
		}
	}
	return nil
}

// unfold ends what a story that is good again has to do with others: it is no longer a line in a cause's message, and its own
// effects, where they are still broken, are told.
func (s *Service) unfold(ctx context.Context, tx *sql.Tx, key string) error {
	causes, err := strs(ctx, tx, "SELECT cause FROM folded WHERE effect = ?", key)
	if err != nil {
		return err
	}
	res, err := tx.ExecContext(ctx, "DELETE FROM folded WHERE effect = ? OR cause = ?", key, key)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	for _, cause := range causes {
		if err := s.retell(ctx, tx, cause); err != nil {
			return err
		}
	}
	kept, err := keptRows(ctx, tx, allRows, "d.gate = 'fold' AND d.state = 'suppressed' AND d.gate_ref = ?", key)
	if err != nil {
		return err
	}
	for _, k := range kept {
		if err := s.again(ctx, tx, time.Now(), k, "it was folded into the message of "+key+", which is mended"); err != nil {
			return err
		}
	}
	return nil
}

// retell puts the lines about its effects into a cause's message, by an edit where it has left already.
func (s *Service) retell(ctx context.Context, tx *sql.Tx, cause string) error {
	rows, err := tx.QueryContext(ctx, `SELECT d.id, d.channel, d.state, e.id, e.view FROM delivery d JOIN event e ON e.id = d.event_id
		WHERE d.key = ? AND d.part = 'root' AND d.id = (SELECT max(x.id) FROM delivery x WHERE x.key = d.key AND x.channel = d.channel AND x.part = 'root')`, cause)
	if err != nil {
		return err
	}
	type root struct {
		id                         int64
		channel, state, event, doc string
	}
	var roots []root
	for rows.Next() {
		var r root
		if err := rows.Scan(&r.id, &r.channel, &r.state, &r.event, &r.doc); err != nil {
			return errors.Join(err, rows.Close())
		}
		roots = append(roots, r)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	notes, err := strs(ctx, tx, "SELECT note FROM folded WHERE cause = ? ORDER BY note", cause)
	if err != nil {
		return err
	}
	now := time.Now()
	for _, r := range roots {
		var m channel.Message
		if err := json.Unmarshal([]byte(r.doc), &m); err != nil {
			return err
		}
		setWaiting(&m, notes)
		view, err := json.Marshal(m)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE event SET view = ? WHERE id = ?", string(view), r.event); err != nil {
			return err
		}
		if _, edits := s.channels[r.channel].(channel.Editor); !edits {
			continue
		}
		if _, err := tx.ExecContext(ctx, `UPDATE delivery SET again = CASE WHEN state = 'sent' THEN 0 ELSE 1 END, state = CASE WHEN state = 'sent' THEN 'ready' ELSE state END,
			next_at = ?, created = ?, tries = 0, budget = ?, reason = 'the list of jobs that wait for it has changed' WHERE id = ? AND state IN ('sent', 'sending', 'unknown')`,
			now.UnixMicro(), now.UnixMicro(), now.Add(s.budgetOf(r.channel)).UnixMicro(), r.id); err != nil {
			return err
		}
	}
	return nil
}

// waiting puts the lines about effects into a new message of a cause that is still broken.
func waiting(ctx context.Context, tx *sql.Tx, st *story, m *channel.Message) error {
	if !st.broken() {
		return nil
	}
	notes, err := strs(ctx, tx, "SELECT note FROM folded WHERE cause = ? ORDER BY note", st.Key)
	if err == nil {
		setWaiting(m, notes)
	}
	return err
}

// effectNote says what a job waits with, in the words of the cause's readers.
func (s *Service) effectNote(o outcome.Outcome, cause string) string {
	unit, _, _ := strings.Cut(cause, "/")
	w, zone := s.words(unit), s.zoneOf(o.Unit)
	form, due := w.Fold.Now, s.due(o)
	switch {
	case due.IsZero():
	case o.State.Overdue():
		form = w.Fold.Due
	default:
		form = w.Fold.Failed
	}
	return words.Fill(form, "job", o.Job, "state", w.States[o.State].Brief, "at", words.Time(o.When().In(zone)), "due", words.Time(due.In(zone)))
}

// mostWaiting is how many jobs are named; the others are counted.
const mostWaiting = 12

func setWaiting(m *channel.Message, notes []string) {
	w := &words.Of(m.Language).Fold
	old := waitingLine(w, m.Waiting)
	m.Lines = slices.DeleteFunc(slices.Clone(m.Lines), func(l string) bool { return l == old })
	m.Waiting = notes
	if len(notes) > 0 {
		m.Lines = append(m.Lines, waitingLine(w, notes))
	}
}

func waitingLine(w *words.Fold, notes []string) string {
	if more := len(notes) - mostWaiting; more > 0 {
		notes = append(slices.Clone(notes[:mostWaiting]), words.Fill(w.More, "n", n(more)))
	}
	return words.Fill(w.Waiting, "jobs", strings.Join(notes, ", "))
}

func sortedTrue(m map[string]bool) []string {
	var out []string
	for k, v := range m {
		if v {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// strs reads one column.
func strs(ctx context.Context, tx *sql.Tx, query string, args ...any) ([]string, error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}
