package notify

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"weir/internal/config"
	"weir/internal/notify/channel"
	"weir/internal/notify/words"
	"weir/internal/outcome"
)

// policy is what units.yaml says about keeping messages back, ready to use; by unit.
type policy struct {
	quiet   map[string]*quiet
	digests map[string]*digestAt
	zones   map[string]*time.Location
}

func (s *Service) compilePolicy() error {
	s.policy = policy{map[string]*quiet{}, map[string]*digestAt{}, map[string]*time.Location{}}
	for name, u := range s.units.Units {
		zone := s.zone
		if u.Timezone != "" {
			var err error
			if zone, err = time.LoadLocation(u.Timezone); err != nil {
				return fmt.Errorf("units.%s.timezone: %w", name, err)
			}
		}
		s.policy.zones[name] = zone
		working := s.days[name].Working
		q, err := quietOf(u.Quiet, zone, working)
		if err != nil {
			return fmt.Errorf("units.%s.quiet: %w", name, err)
		}
		if q != nil {
			s.policy.quiet[name] = q
		}
		if d := u.Digest; d != nil {
			at, err := clockOf(d.At)
			if err != nil {
				return fmt.Errorf("units.%s.digest: %w", name, err)
			}
			s.policy.digests[name] = &digestAt{at: at, channel: d.Channel, zone: zone, working: working, workdays: d.When == "working_days"}
		}
	}
	return nil
}

// zoneOf is the zone of a unit's people.
func (s *Service) zoneOf(unit string) *time.Location {
	if z := s.policy.zones[unit]; z != nil {
		return z
	}
	return s.zone
}

// language is that of a unit's people.
func (s *Service) language(unit string) string {
	return firstText(s.units.Units[unit].Language, s.units.Defaults.Language)
}

func (s *Service) words(unit string) *words.Set { return words.Of(s.language(unit)) }

func (s *Service) tellAfter(unit string) time.Duration {
	for _, d := range []*config.Duration{s.units.Units[unit].TellAfter, s.units.Defaults.TellAfter} {
		if d != nil {
			return time.Duration(*d)
		}
	}
	return time.Duration(tellAfter)
}

// An asked is a post of which is to be decided whether it leaves.
type asked struct {
	o        outcome.Outcome // as it is told
	key      string
	channel  string
	part     string
	standing bool      // its message stands there: the root is an edit, which disturbs nobody
	broken   time.Time // since when the story is
}

// A fate is where a delivery begins, or goes on to: ready, or kept back for a reason.
type fate struct {
	state, gate, ref string
	until            time.Time // of what is held
	path, reason     string
}

// fate decides whether a post leaves now. The same question is asked again when what has kept it back is over.
func (s *Service) fate(ctx context.Context, tx *sql.Tx, now time.Time, p asked) (fate, error) {
	free := fate{state: stReady}
	if isNotice(p.o) {
		return free, nil
	}
	if f, err := s.silenced(ctx, tx, now, p); err != nil || f.state != "" {
		return f, err
	}
	if f, err := s.foldedInto(ctx, tx, p); err != nil || f.state != "" {
		return f, err
	}
	if p.standing && p.part == "root" {
		return free, nil
	}
	if f := s.quieted(now, p); f.state != "" {
		return f, nil
	}
	if until := p.broken.Add(s.tellAfter(p.o.Unit)); healing(p.o) && until.After(now) {
		return fate{stHeld, gateRetry, "", until, "retry", fmt.Sprintf("try %d of %d has failed and is made again by itself: told at %s if it is still broken then (tell_after)",
			p.o.Attempt, p.o.MaxAttempts, s.moment(p.o.Unit, now, until))}, nil
	}
	return free, nil
}

// quieted is the fate of a post in quiet hours.
func (s *Service) quieted(now time.Time, p asked) fate {
	q := s.policy.quiet[p.o.Unit]
	if q == nil || !q.holds(p.o) || s.units.Channels[p.channel].forPrograms() {
		return fate{}
	}
	end := q.until(now)
	if end.IsZero() {
		return fate{}
	}
	f := fate{stHeld, gateQuiet, "", end, "units." + p.o.Unit + ".quiet", "quiet hours until " + s.moment(p.o.Unit, now, end)}
	if d := s.policy.digests[p.o.Unit]; d != nil {
		switch next := d.next(now); {
		case next.Before(end):
			f.reason += "; in the digest of " + s.moment(p.o.Unit, now, next)
		case next.Sub(end) <= soon:
			f.until = next
			f.reason += ", then in the digest of " + next.In(d.zone).Format("15:04")
		}
	}
	return f
}

// moment writes a time for a reason: with the day if it is not today's.
func (s *Service) moment(unit string, now, t time.Time) string {
	zone := s.zoneOf(unit)
	layout := "Mon 2 Jan 15:04 MST"
	if now.In(zone).Format(time.DateOnly) == t.In(zone).Format(time.DateOnly) {
		layout = "15:04 MST"
	}
	return t.In(zone).Format(layout)
}

// standing reports whether the key's message stands in a channel that can edit it.
func (s *Service) standing(ctx context.Context, tx *sql.Tx, key, name string) (bool, error) {
	if _, edits := s.channels[name].(channel.Editor); !edits {
		return false, nil
	}
	var ref string
	err := tx.QueryRowContext(ctx, "SELECT ref FROM message WHERE key = ? AND channel = ?", key, name).Scan(&ref)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return ref != "", err
}

// wasTold reports whether anybody was told that the story, or an earlier one that ends with it, is broken.
func wasTold(ctx context.Context, tx *sql.Tx, st *story) (bool, error) {
	for _, key := range append([]string{st.Key}, st.older...) {
		var told bool
		err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM delivery d WHERE d.key = ? AND d.shout > 0 AND NOT ("+isKept+"))", key).Scan(&told)
		if err != nil || told {
			return told, err
		}
	}
	return false, nil
}

// shouted is how loudly the channel has been told of the story's incident.
func shouted(ctx context.Context, tx *sql.Tx, st *story, name string) (int, error) {
	var level int
	err := tx.QueryRowContext(ctx, "SELECT coalesce(max(d.shout), 0) FROM delivery d WHERE d.key = ? AND d.channel = ? AND d.incident = ? AND NOT ("+isKept+")",
		st.Key, name, st.Incidents).Scan(&level)
	return level, err
}

// overtake gives up what is kept back of a story and is no longer true. A failure that waits for its retry stays while the
// retry runs.
func (s *Service) overtake(ctx context.Context, tx *sql.Tx, st *story, o outcome.Outcome) error {
	keys := []string{st.Key}
	if o.State.Good() {
		keys = append(keys, st.older...)
	}
	reason := fmt.Sprintf("overtaken: %s at %s, before it could be told", o.State, o.When().In(s.zoneOf(o.Unit)).Format("Mon 2 Jan 15:04 MST"))
	for _, key := range keys {
		if _, err := tx.ExecContext(ctx, `UPDATE delivery SET state = 'superseded', reason = ? WHERE key = ? AND state = 'held' AND gate <> ''
			AND NOT (gate = 'retry' AND part = 'reply' AND ? = 'running')`, reason, key, o.State); err != nil {
			return err
		}
	}
	return nil
}
