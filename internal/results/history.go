package results

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"weir/internal/outcome"
	"weir/internal/regress"
)

// A ChangePoint is a run of a history from which on a metric is another.
type ChangePoint struct {
	Profile string    `json:"profile"`
	Key     string    `json:"key"` // of the fingerprint
	Metric  string    `json:"metric"`
	Run     string    `json:"run"` // the first run of the new level
	At      time.Time `json:"at"`
	Build   string    `json:"build"`
	Worse   bool      `json:"worse"`
	Change  float64   `json:"change"` // relative: 0.1 is 10 % more
	Before  float64   `json:"before"`
	After   float64   `json:"after"`
	P       float64   `json:"p"`
	Runs    int       `json:"runs"` // of the series
}

// History finds the change points of each metric of each profile; runs on unlike machines are series of their own.
func History(all []Entry) []ChangePoint {
	type series struct{ profile, key, metric string }
	of := map[series][]Entry{}
	for _, e := range all {
		for m := range e.Values {
			s := series{e.Profile, e.Key, m}
			of[s] = append(of[s], e)
		}
	}
	var out []ChangePoint
	for _, s := range slices.SortedFunc(maps.Keys(of), func(a, b series) int {
		return cmp.Or(cmp.Compare(a.profile, b.profile), cmp.Compare(a.key, b.key), cmp.Compare(a.metric, b.metric))
	}) {
		entries := of[s]
		values := make([]float64, len(entries))
		for i, e := range entries {
			values[i] = e.Values[s.metric]
		}
		for _, c := range regress.Changes(values) {
			e := entries[c.Index]
			out = append(out, ChangePoint{s.profile, s.key, s.metric, e.Run, e.At, e.Fingerprint.Build, (c.After > c.Before) != (s.metric == "rate"), c.After/c.Before - 1, c.Before, c.After, c.P, len(entries)})
		}
	}
	return out
}

// String is the change point in one line.
func (c ChangePoint) String() string {
	way := map[bool]string{true: "worse", false: "better"}[c.Worse]
	return fmt.Sprintf("%s %s: %.1f %% %s since run %s of %s (%.4g, before %.4g; p %.1g of %d runs)", c.Profile, c.Metric, 100*math.Abs(c.Change), way, c.Run, c.At.UTC().Format(time.DateOnly), c.After, c.Before, c.P, c.Runs)
}

// Outcome is how a unit is told of a change for the worse: a warning, once for each change point however often it is emitted.
func (c ChangePoint) Outcome(unit string) outcome.Outcome {
	return outcome.Outcome{
		RunID: c.Run, Job: "loadgen." + c.Profile + "." + c.Metric, Kind: "load", Title: "Speed of " + c.Profile + ": " + c.Metric, Unit: unit, State: outcome.Warning, At: c.At,
		Cause: outcome.Cause{Code: "load.slower", Text: c.String()}, Todo: "look at what changed with build " + c.Build,
	}
}
