package notify

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"weir/internal/db"
	"weir/internal/notify/channel"
	"weir/internal/outcome"
)

// routeNext routes the oldest accepted event: it decides who is told and writes the deliveries down, in one transaction.
// Only the lease's holder does so, in the order of acceptance.
func (s *Service) routeNext(ctx context.Context) (did bool, err error) {
	var some bool // most polls find nothing, and need no lock for that
	if err := s.db.Read().QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM event WHERE phase = 'accepted')").Scan(&some); err != nil || !some {
		return false, err
	}
	err = s.db.Write(ctx, func(tx *sql.Tx) error {
		did = false // Write may call again
		if _, err := s.holds(ctx, tx); err != nil {
			return err
		}
		var id, doc string
		err := tx.QueryRowContext(ctx, "SELECT id, doc FROM event WHERE phase = 'accepted' ORDER BY seq LIMIT 1").Scan(&id, &doc)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		did = true
		var o outcome.Outcome
		if err := json.Unmarshal([]byte(doc), &o); err != nil {
			return fmt.Errorf("event %s: %w", id, err)
		}
		return s.routeEvent(ctx, tx, id, o)
	})
	return did, err
}

func (s *Service) routeEvent(ctx context.Context, tx *sql.Tx, id string, o outcome.Outcome) error {
	o.Unit = s.rules.unitOf(o)
	st, err := loadStory(ctx, tx, o)
	if err != nil {
		return err
	}
	if reason := st.stale(o); reason != "" {
		d := []Decision{{Path: "order", Action: "suppressed", Reason: reason}}
		return s.routed(ctx, tx, id, st.Key, o, channel.Message{}, d)
	}
	o, known, err := s.judgeFigures(ctx, tx, o)
	if err != nil {
		return err
	}
	before := st.State
	if o.State == outcome.Ready && st.broken() {
		told, err := wasTold(ctx, tx, st)
		if err != nil {
			return err
		}
		if told {
			o.State = outcome.Recovered // what was told as failed is told as mended
		}
	}
	if err := s.overtake(ctx, tx, st, o); err != nil {
		return err
	}
	since, broke := st.Broken, st.Broke
	st.advance(o)
	t := telling{
		Outcome: o, EventID: id, Key: st.Key, Revision: st.Told, Previous: before, Since: since, Broke: broke, Zone: s.zoneOf(o.Unit), Language: s.language(o.Unit),
		Ask: s.units.Units[o.Unit].Ask, Templates: s.templates(o.Unit), Incident: st.incident(), Usual: known, Due: s.due(o),
	}
	if t.LastGood, err = lastGood(ctx, tx, o); err != nil {
		return err
	}
	if err := noteArrival(ctx, tx, o); err != nil {
		return err
	}
	m, unused := t.message()
	m.Usual = known.figures(o.RowsOut)
	if err := waiting(ctx, tx, st, &m); err != nil {
		return err
	}
	targets, decisions := s.rules.route(o)
	targets, decisions, err = s.follow(ctx, tx, st.Key, o, targets, decisions)
	if err != nil {
		return err
	}
	decisions = append(decisions, unused...)
	causes := map[string]bool{}
	for _, to := range targets {
		kept, err := s.deliver(ctx, tx, id, st, o, to)
		if err != nil {
			return err
		}
		for _, f := range kept {
			decisions = append(decisions, Decision{Path: f.path, Action: f.state, Channel: to.channel, Reason: f.reason})
			causes[f.ref] = causes[f.ref] || f.gate == gateFold
		}
	}
	if err := st.save(ctx, tx, o); err != nil {
		return err
	}
	if err := s.routed(ctx, tx, id, st.Key, o, m, decisions); err != nil {
		return err
	}
	return s.refold(ctx, tx, st, o, causes)
}

// routed closes the routing of an event.
func (s *Service) routed(ctx context.Context, tx *sql.Tx, id, key string, o outcome.Outcome, m channel.Message, decisions []Decision) error {
	view, err := json.Marshal(m)
	if err != nil {
		return err
	}
	good := ""
	if o.State.Good() {
		good = o.BusinessDate()
	}
	if _, err := tx.ExecContext(ctx, "UPDATE event SET phase = 'routed', key = ?, unit = ?, state = ?, good_day = ?, view = ? WHERE id = ?",
		key, o.Unit, o.State, good, string(view), id); err != nil {
		return err
	}
	for i, d := range decisions {
		doc, err := json.Marshal(d)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO decision (event_id, n, doc) VALUES (?, ?, ?)", id, i+1, string(doc)); err != nil {
			return err
		}
	}
	return nil
}

// lastGood is the newest business date before this one whose data could be used.
func lastGood(ctx context.Context, tx *sql.Tx, o outcome.Outcome) (time.Time, error) {
	if o.State != outcome.Failed || o.BusinessDate() == "" {
		return time.Time{}, nil
	}
	var day sql.NullString
	if err := tx.QueryRowContext(ctx, "SELECT max(good_day) FROM event WHERE unit = ? AND job = ? AND good_day <> '' AND good_day < ?", o.Unit, o.Job, o.BusinessDate()).Scan(&day); err != nil || !day.Valid {
		return time.Time{}, err
	}
	return time.Parse(time.DateOnly, day.String)
}

// follow adds the channels that must hear of this because of what they were told before, whatever the routes say: a message
// that stands there must not go stale, and who was told of a failure is told of its end.
func (s *Service) follow(ctx context.Context, tx *sql.Tx, key string, o outcome.Outcome, targets []target, decisions []Decision) ([]target, []Decision, error) {
	if isNotice(o) {
		return targets, decisions, nil
	}
	rows, err := tx.QueryContext(ctx, `SELECT d.channel, max(CASE WHEN e.state IN ('failed', 'late', 'missing', 'cancelled') THEN 1 ELSE 0 END) FROM delivery d JOIN event e ON e.id = d.event_id
		WHERE d.key = ? AND d.part = 'root' AND d.state NOT IN ('dead', 'expired') AND NOT (`+isKept+`) GROUP BY d.channel ORDER BY d.channel`, key)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var bad bool
		if err := rows.Scan(&name, &bad); err != nil {
			return nil, nil, err
		}
		has := false
		for _, t := range targets {
			has = has || t.channel == name
		}
		_, edits := s.channels[name].(channel.Editor)
		if has || !edits && !(bad && o.State == outcome.Recovered) {
			continue
		}
		why := "its message stands there already"
		if !edits {
			why = "it was told of the failure"
		}
		targets = append(targets, target{channel: name})
		decisions = append(decisions, Decision{Path: "follow", Action: "sent to", Channel: name, Reason: why})
	}
	return targets, decisions, rows.Err()
}

// runningEvery is the shortest time between two edits that only show progress.
const runningEvery = 15 * time.Second

// deliver writes down what a channel gets: the message itself and, where an edit would tell nobody, a reply in its thread.
// It says what is kept back, and why.
func (s *Service) deliver(ctx context.Context, tx *sql.Tx, event string, st *story, o outcome.Outcome, to target) (kept []fate, err error) {
	now := time.Now()
	// What has not left yet and need not be told is overtaken. A failure or a recovery is told even so.
	if _, err := tx.ExecContext(ctx, `UPDATE delivery SET state = 'superseded', reason = ? WHERE key = ? AND channel = ? AND must_tell = 0 AND state IN ('ready', 'retry')`,
		"a newer state came before it could leave", st.Key, to.channel); err != nil {
		return nil, err
	}
	at, err := s.throttled(ctx, tx, now, st.Key, o, to.channel)
	if err != nil {
		return nil, err
	}
	v := voice{}
	if v.standing, err = s.standing(ctx, tx, st.Key, to.channel); err != nil {
		return nil, err
	}
	c := changeOf(o)
	if v.loud = c.loud; c.ping {
		had, err := shouted(ctx, tx, st, to.channel)
		if err != nil {
			return nil, err
		}
		v.shout(had, severityOf(o) == "critical", to.mention, s.units.Units[o.Unit].OnCall)
	}
	insert := func(part string) error {
		f, err := s.fate(ctx, tx, now, asked{o, st.Key, to.channel, part, v.standing, st.Broken})
		if err != nil {
			return err
		}
		next := at
		if f.state != stReady {
			next = f.until
			if len(kept) == 0 || kept[len(kept)-1].reason != f.reason {
				kept = append(kept, f)
			}
		}
		level := v.level
		if part == "root" && v.standing && healing(o) {
			level = 0 // this edit tells nobody; the reply will
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO delivery (event_id, key, channel, part, state, must_tell, loud, mention, created, next_at, budget, reason, gate, gate_ref, incident, shout)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			event, st.Key, to.channel, part, f.state, c.mustTell, part == "reply" && v.loud, v.mention, now.UnixMicro(), db.Micros(next), now.Add(s.budgetOf(to.channel)).UnixMicro(),
			f.reason, f.gate, f.ref, st.Incidents, level)
		return err
	}
	if err := insert("root"); err != nil {
		return nil, err
	}
	if _, edits := s.channels[to.channel].(channel.Editor); !edits || !c.reply {
		return kept, nil
	}
	return kept, insert("reply")
}

// throttled is when an edit that only shows progress may leave.
func (s *Service) throttled(ctx context.Context, tx *sql.Tx, now time.Time, key string, o outcome.Outcome, name string) (time.Time, error) {
	if o.State != outcome.Running {
		return now, nil
	}
	var last int64
	err := tx.QueryRowContext(ctx, "SELECT at FROM message WHERE key = ? AND channel = ?", key, name).Scan(&last)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return now, err
	}
	if soonest := db.Time(last).Add(runningEvery); last > 0 && soonest.After(now) {
		return soonest, nil
	}
	return now, nil
}

// A voice is how loudly a channel is told.
type voice struct {
	standing, loud bool
	level          int // 1 pings the owner, 2 also who is on call
	mention        string
}

// shout raises the voice once for an incident, and once more when it becomes critical.
func (v *voice) shout(had int, critical bool, owner, onCall string) {
	want := 1
	if critical {
		want = 2
	}
	if had >= want {
		v.loud = false
		return
	}
	v.level = want
	v.mention = owner
	if critical && onCall != "" {
		v.mention = strings.TrimSpace(owner + " " + onCall)
	}
}

// change is what a new state asks for beyond the message itself.
type change struct{ mustTell, reply, loud, ping bool }

func changeOf(o outcome.Outcome) change {
	switch o.State {
	case outcome.Failed, outcome.Late, outcome.Missing:
		return change{mustTell: true, reply: true, loud: true, ping: true} // once for an incident, see voice
	case outcome.Recovered:
		return change{mustTell: true, reply: true, loud: true}
	case outcome.Warning, outcome.Replaced:
		return change{reply: true}
	case outcome.Cancelled:
		return change{mustTell: true, reply: true}
	}
	return change{}
}
