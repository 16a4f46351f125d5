package output

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"weir/internal/regress"
	"weir/internal/results"
)

// benchEntry is a figure as github-action-benchmark reads it.
type benchEntry struct {
	Name  string  `json:"name"`
	Unit  string  `json:"unit"`
	Value float64 `json:"value"`
	Range string  `json:"range,omitempty"`
	Extra string  `json:"extra,omitempty"`
}

// BenchJSON is what github-action-benchmark and its like read with tool: customSmallerIsBetter. A rate, of which more is better,
// stands there as the time that a message takes. Of a comparison it holds the candidate's medians, with how far its runs lie apart.
func BenchJSON(r results.Report) ([]byte, error) {
	all := []benchEntry{}
	put := func(name, unit string, v float64, spread, extra string) {
		if v > 0 && !math.IsInf(v, 0) {
			all = append(all, benchEntry{r.Name + " " + name, unit, v, spread, extra})
		}
	}
	if run := r.Run; run != nil {
		s := run.Summary
		extra := fmt.Sprintf("run %s, %s messages, %s", run.Run, number(float64(s.Sent)), r.Verdict)
		if s.Target > 0 {
			put("response p50", "ms", s.Response.P50, "", extra)
			put("response p99", "ms", s.Response.P99, "", extra)
			put("response p99.9", "ms", s.Response.P999, "", extra)
		} else if s.Rate > 0 {
			put("time per message", "µs", 1e6/s.Rate, "", extra)
		}
		if p := run.Proof; p != nil && p.ReadableRows > 0 {
			put("readable p99", "ms", p.ReadableP99, "", extra)
		}
		if s.Sent > 0 {
			put("generator CPU", "s/M", s.CPU/float64(s.Sent)*1e6, "", extra)
		}
	}
	if c := r.Compare; c != nil {
		for _, f := range c.Findings {
			var v []float64
			for _, p := range f.Pairs {
				v = append(v, p.Candidate)
			}
			unit := f.Metric.Unit
			name := f.Metric.Name
			if f.Metric.Better == regress.High {
				name, unit = "time per message", "µs"
				for i := range v {
					v[i] = 1e6 / v[i]
				}
			}
			if len(v) == 0 {
				continue
			}
			half := (slices.Max(v) - slices.Min(v)) / 2
			put(name, unit, middle(v), fmt.Sprintf("± %.3g", half), string(f.Verdict)+": "+f.Reason)
		}
	}
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("benchmark json: %w", err)
	}
	return append(b, '\n'), nil
}
