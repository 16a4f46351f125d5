package notify

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"weir/internal/config"
	"weir/internal/outcome"
)

// LoadUnits reads units.yaml. Without a file it gives DefaultUnits.
func LoadUnits(path string) (Units, error) {
	if _, err := os.Stat(path); os.IsNotExist(err) {
		return DefaultUnits(), nil
	}
	var u Units
	err := config.Load(path, &u)
	return u, err
}

// A FailedTest is a test of units.yaml whose event goes elsewhere.
type FailedTest struct {
	Index     int        `json:"test"`
	Event     string     `json:"event"`
	Got       Goes       `json:"got"`
	Want      Goes       `json:"want"`
	Decisions []Decision `json:"decisions"`
}

// Goes says where an event goes: the channels that are told, and those in which it is kept back.
type Goes struct {
	To         []string `json:"to"`
	Held       []string `json:"held,omitempty"`
	Suppressed []string `json:"suppressed,omitempty"`
}

func (g Goes) String() string {
	s := list(g.To)
	if len(g.Held) > 0 {
		s += ", held in " + list(g.Held)
	}
	if len(g.Suppressed) > 0 {
		s += ", suppressed in " + list(g.Suppressed)
	}
	return s
}

func (f FailedTest) String() string {
	s := fmt.Sprintf("tests[%d]: event {%s} goes to %s, expected %s\n", f.Index, f.Event, f.Got, f.Want)
	for _, d := range f.Decisions {
		s += "  " + d.String() + "\n"
	}
	return s
}

func list(s []string) string { return "[" + strings.Join(s, ", ") + "]" }

// Test runs the tests inside units.yaml.
func (u Units) Test() ([]FailedTest, error) {
	s, err := plan(u)
	if err != nil {
		return nil, err
	}
	var failed []FailedTest
	for i, t := range u.Tests {
		o, err := t.outcome()
		if err != nil {
			return nil, fmt.Errorf("tests[%d]: %w", i, err)
		}
		o.Unit = s.rules.unitOf(o)
		at, err := t.at(s.zoneOf(o.Unit))
		if err != nil {
			return nil, fmt.Errorf("tests[%d]: %w", i, err)
		}
		got, decisions := s.goes(o, at, t.Broken)
		want := Goes{inOrder(t.Expect), inOrder(t.Held), inOrder(t.Suppressed)}
		if got.String() != want.String() {
			failed = append(failed, FailedTest{i, t.describe(), got, want, decisions})
		}
	}
	return failed, nil
}

func inOrder(s []string) []string { return slices.Sorted(slices.Values(s)) }

// goes says where an event of that time goes if nothing was told before; a zero time is one at which nobody sleeps. It takes
// the messages of what is broken to stand in each channel.
func (s *Service) goes(o outcome.Outcome, at time.Time, broken []string) (Goes, []Decision) {
	targets, decisions := s.rules.route(o)
	var g Goes
	for _, to := range targets {
		f := s.explainedBy(o, func(cause string) bool { return slices.Contains(broken, cause) })
		if f.state == "" && !at.IsZero() {
			f = s.quieted(at, asked{o: o, channel: to.channel, part: "root"})
		}
		switch f.state {
		case "":
			g.To = append(g.To, to.channel)
			continue
		case stHeld:
			g.Held = append(g.Held, to.channel)
		default:
			g.Suppressed = append(g.Suppressed, to.channel)
		}
		decisions = append(decisions, Decision{Path: f.path, Action: f.state, Channel: to.channel, Reason: f.reason})
	}
	return Goes{inOrder(g.To), inOrder(g.Held), inOrder(g.Suppressed)}, decisions
}

// at reads when the test's event comes; zero if the test does not say.
func (t Test) at(zone *time.Location) (time.Time, error) {
	if t.At == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02T15:04", time.RFC3339} {
		if at, err := time.ParseInLocation(layout, t.At, zone); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time; write it as 2026-11-23 21:00", t.At)
}

func (t Test) describe() string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(t.Event)) {
		parts = append(parts, fmt.Sprintf("%s: %v", k, t.Event[k]))
	}
	return strings.Join(parts, ", ")
}

func (t Test) check() error {
	_, err := t.outcome()
	return err
}

// outcome makes the event of a test from its fields.
func (t Test) outcome() (outcome.Outcome, error) {
	o := outcome.Outcome{RunID: "test", State: outcome.Ready}
	for _, k := range slices.Sorted(maps.Keys(t.Event)) {
		s := fmt.Sprint(t.Event[k])
		if known := valuesOf(k); known != nil && !slices.Contains(known, s) {
			return o, fmt.Errorf("%s is never %q%s; one of %s", k, s, didYouMean(s, known), strings.Join(known, ", "))
		}
		var n int64
		if fields[k] {
			if _, err := fmt.Sscan(s, &n); err != nil {
				return o, fmt.Errorf("%s is a number, not %q", k, s)
			}
		}
		switch k {
		case "unit":
			o.Unit = s
		case "job":
			o.Job = s
		case "kind":
			o.Kind = s
		case "state":
			o.State = outcome.State(s)
		case "severity":
			o.Severity = s
		case "title":
			o.Title = s
		case "run":
			o.RunID = s
		case "cause":
			o.Cause.Code = s
		case "date":
			d, err := time.Parse(time.DateOnly, s)
			if err != nil {
				return o, fmt.Errorf("date %q: write it as 2026-11-20", s)
			}
			o.Interval.Start = d
		case "attempt":
			o.Attempt = int(n)
		case "rows_in":
			o.RowsIn = n
		case "rows_out":
			o.RowsOut = n
		case "rejected":
			o.Rejected = n
		case "filtered":
			o.Filtered = n
		default:
			names := slices.Sorted(maps.Keys(fields))
			return o, fmt.Errorf("there is no field %q%s; one of %s", k, didYouMean(k, names), strings.Join(names, ", "))
		}
	}
	return o, nil
}
