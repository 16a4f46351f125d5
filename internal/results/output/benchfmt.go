package output

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"weir/internal/results"
)

// BenchFmt is the Go benchmark format, for benchstat and Bencher: a line for a run, or one for each run of a comparison with
// build: baseline or candidate before it (`benchstat -col build`). The run's id is left out: benchstat would keep runs apart by it.
func BenchFmt(r results.Report) ([]byte, error) {
	var b strings.Builder
	b.WriteString("pkg: loadgen\n")
	name := benchName(r.Name)
	if r.Run != nil {
		f, s := r.Run.Fingerprint, r.Run.Summary
		goos, goarch, _ := strings.Cut(f.OS, "/")
		fmt.Fprintf(&b, "goos: %s\ngoarch: %s\ncpu: %s\nbroker: %s\n\nUnit msgs/s better=higher\n", goos, goarch, oneLine(f.CPU), oneLine(f.Broker))
		fmt.Fprintf(&b, "%s %d %s ns/op %s p99-ns %s p99.9-ns %s max-ns %s msgs/s\n", name, max(1, s.Response.Count), ns(s.Response.P50), ns(s.Response.P99), ns(s.Response.P999), ns(s.Response.Max), plain(s.Rate))
	}
	if c := r.Compare; c != nil {
		units := map[string]string{}
		var better []string
		for _, f := range c.Findings {
			units[f.Metric.Name] = f.Metric.Unit
			if f.Metric.Better == "high" {
				better = append(better, f.Metric.Name)
			}
		}
		for _, m := range better {
			fmt.Fprintf(&b, "Unit %s better=higher\n", benchUnit(m, units[m]))
		}
		for _, run := range c.Runs {
			if run.Invalid != "" || run.Broken != "" || len(run.Values) == 0 {
				continue
			}
			fmt.Fprintf(&b, "build: %s\n%s 1", run.Build, name)
			for _, m := range slices.Sorted(maps.Keys(run.Values)) {
				v := run.Values[m]
				if units[m] == "ms" {
					v *= 1e6
				}
				fmt.Fprintf(&b, " %s %s", plain(v), benchUnit(m, units[m]))
			}
			b.WriteString("\n")
		}
	}
	return []byte(b.String()), nil
}

func ns(ms float64) string { return plain(float64(int64(ms * 1e6))) }

// benchUnit: benchstat takes -ns for a time and shows it as such.
func benchUnit(metric, unit string) string {
	switch unit {
	case "ms":
		return metric + "-ns"
	case "":
		return metric
	}
	return metric + "-" + strings.ReplaceAll(unit, " ", "")
}

// benchName: a benchmark's name begins with an upper-case letter behind Benchmark, and has no blanks.
func benchName(s string) string {
	var b strings.Builder
	up := true
	for _, c := range s {
		switch {
		case !unicode.IsLetter(c) && !unicode.IsDigit(c):
			up = true
			continue
		case up:
			c = unicode.ToUpper(c)
		}
		b.WriteRune(c)
		up = false
	}
	return "BenchmarkLoad/" + b.String()
}
