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
	Got       []string   `json:"got"`
	Want      []string   `json:"want"`
	Decisions []Decision `json:"decisions"`
}

func (f FailedTest) String() string {
	s := fmt.Sprintf("tests[%d]: event {%s} goes to %s, expected %s\n", f.Index, f.Event, list(f.Got), list(f.Want))
	for _, d := range f.Decisions {
		s += "  " + d.String() + "\n"
	}
	return s
}

func list(s []string) string { return "[" + strings.Join(s, ", ") + "]" }

// Test runs the tests inside units.yaml.
func (u Units) Test() ([]FailedTest, error) {
	r, err := compile(u)
	if err != nil {
		return nil, err
	}
	var failed []FailedTest
	for i, t := range u.Tests {
		o, err := t.outcome()
		if err != nil {
			return nil, fmt.Errorf("tests[%d]: %w", i, err)
		}
		o.Unit = r.unitOf(o)
		targets, decisions := r.route(o)
		var got []string
		for _, t := range targets {
			got = append(got, t.channel)
		}
		want := slices.Clone(t.Expect)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			failed = append(failed, FailedTest{i, t.describe(), got, want, decisions})
		}
	}
	return failed, nil
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
