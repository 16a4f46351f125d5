// Package output writes a [results.Report] in the forms that other programs and people read.
//
// Each format is a function from a report to bytes: [JUnit], [Markdown], [Annotations], [OpenMetrics], [HLog], [BenchFmt], [BenchJSON],
// [HTML]; and [Otava] from entries.
//
// # Promises
//
// The functions are pure: the same report gives the same bytes. What a profile, a hook or an error message holds is escaped as each
// format asks for, so that no text can pass for markup. The HTML needs nothing from the network.
package output

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"weir/internal/load"
	"weir/internal/results"
)

// figure is one number of a run with its name.
type figure struct{ Name, Value string }

// figures are what a person looks at first.
func figures(r *results.Result) []figure {
	s := r.Summary
	rate := number(s.Rate) + "/s"
	if s.Target > 0 {
		rate += " of " + number(s.Target) + "/s"
	}
	all := []figure{
		{"messages", number(float64(s.Sent))}, {"rate", rate}, {"volume", fmt.Sprintf("%.4g MB/s", s.MBs)},
		{"response p50", ms(s.Response.P50)}, {"response p99", ms(s.Response.P99)}, {"response p99.9", ms(s.Response.P999)}, {"response max", ms(s.Response.Max)},
		{"service p99", ms(s.Service.P99)}, {"errors", number(float64(s.Errors))}, {"generator behind, p99", ms(s.Lag.P99)},
	}
	if s.Dropped > 0 {
		all = append(all, figure{"dropped", number(float64(s.Dropped))})
	}
	if p := r.Proof; p != nil && p.ReadableRows > 0 {
		all = append(all, figure{"readable p99", ms(p.ReadableP99)})
	}
	return all
}

// number writes 1234567 as 1,234,567, and small ones with three digits.
func number(v float64) string {
	if math.Abs(v) < 1000 && v != math.Trunc(v) {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	s := strconv.FormatInt(int64(math.Round(v)), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func ms(v float64) string {
	switch {
	case v >= 1000:
		return fmt.Sprintf("%.3g s", v/1000)
	case v >= 100:
		return fmt.Sprintf("%.0f ms", v)
	case v >= 1:
		return fmt.Sprintf("%.1f ms", v)
	}
	return fmt.Sprintf("%.2g ms", v)
}

func plain(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// oneLine keeps a text on its line.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// stageLine is a stage in a table.
func stageLine(s load.StageSummary) []string {
	rate := number(s.Rate) + "/s"
	if s.Target > 0 {
		rate += " of " + number(s.Target) + "/s"
	}
	if s.Response.Count == 0 {
		return []string{s.Name, rate, number(float64(s.Sent)), "–", "–", "–", number(float64(s.Errors))}
	}
	return []string{s.Name, rate, number(float64(s.Sent)), ms(s.Response.P50), ms(s.Response.P99), ms(s.Response.Max), number(float64(s.Errors))}
}

var stageHead = []string{"stage", "rate", "messages", "p50", "p99", "max", "errors"}

var signs = map[results.State]string{results.Pass: "✓", results.Fail: "✗", results.Invalid: "?", results.Warn: "!"}
