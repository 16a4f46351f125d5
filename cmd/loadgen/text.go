package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/internal/content"
	"weir/internal/load"
	"weir/internal/verify"
)

// progressLine is the run in one line: what a terminal without screens shows each second.
func progressLine(p load.Progress) string {
	target := "as fast as acks allow"
	if !p.MaxMode {
		target = "of " + count(p.TargetRate) + "/s"
	}
	share := ""
	if p.Planned > 0 {
		share = fmt.Sprintf(" %3.0f %%", 100*math.Min(1, float64(p.Sent)/float64(p.Planned)))
	}
	state := p.Stage
	if p.State != load.Measuring || state == "" {
		state = p.State
	}
	p99 := "-" // nothing was measured yet
	if p.WindowResponse.Count > 0 {
		p99 = ms(p.WindowResponse.P99)
	}
	line := fmt.Sprintf("%6s%s  %-9s %s/s %s, %s/s  sent %s  acked %s  in flight %s  p99 %s  lag p99 %s", short(p.Elapsed), share, state, count(p.Rate), target, volume(p.BytesPerSecond),
		count(float64(p.Sent)), count(float64(p.Acked)), count(float64(p.InFlight)), p99, ms(p.LagP99))
	if p.Dropped > 0 {
		line += "  dropped " + count(float64(p.Dropped))
	}
	if p.Interactive {
		line += "  interactive"
	}
	if p.Errors > 0 {
		line += fmt.Sprintf("  ERRORS %d", p.Errors)
	}
	return line
}

func summaryText(s load.Summary) string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-9s %s\n", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(&b, "run %s: %s into %s\n", s.Run, s.Profile, s.Topic)
	line("sent", "%s messages, %d errors (%d before the schedule, not timed)", count(float64(s.Sent)), s.Errors, s.Warmup)
	for cause, n := range s.Causes {
		line("", "%d x %s", n, cause)
	}
	of := ""
	if s.Target > 0 {
		of = fmt.Sprintf(" of %s/s", count(s.Target))
	}
	if s.Dropped > 0 {
		line("dropped", "%s messages were due while the window was full", count(float64(s.Dropped)))
	}
	if s.Aborted > 0 {
		line("aborted", "%s messages in transactions that were aborted on purpose", count(float64(s.Aborted)))
	}
	for _, h := range s.Hooks {
		line("hook", "%s ran %d times, failed %d", h.Name, h.Ran, h.Failed)
	}
	if s.Resumed > 0 {
		line("resumed", "%d times after its generator had died: figures of time are those of the last part", s.Resumed)
	}
	if s.Interactive {
		line("by hand", "this run was changed while it ran: it can be no baseline")
	}
	for _, c := range s.Changes {
		line("", "at %.1f s: %s", c.At, c.What)
	}
	line("rate", "%s/s%s, %.1f MB/s, for %.1f s", count(s.Rate), of, s.MBs, s.Seconds)
	line("size", "p50 %.0f B, p99 %.0f B, max %.0f B", s.Size.P50, s.Size.P99, s.Size.Max)
	for _, t := range s.Streams {
		line("", "%s into %s: %s messages, %s", t.Name, t.Topic, count(float64(t.Sent)), volume(float64(t.Bytes)))
	}
	if len(s.Faults) > 0 {
		line("faults", "%s (on purpose)", faults(s.Faults))
	}
	line("response", "p50 %s, p99 %s, p99.9 %s, max %s (%s)", ms(s.P50), ms(s.P99), ms(s.Response.P999), ms(s.Max), s.LatencyOf)
	line("service", "p50 %s, p99 %s, max %s (from the send to the acknowledgement; linger %.0f ms)", ms(s.Service.P50), ms(s.Service.P99), ms(s.Service.Max), s.LingerMS)
	line("generator", "%s behind its schedule at p99, %.1f s waiting for the window, %.1f CPU-s", ms(s.Lag.P99), s.BlockedS, s.CPU)
	line("", "%s", healthText(s.Generator))
	if r := s.Read; r != nil {
		line("read back", "%s messages, missing %d, doubled %d; from the intended send to the consumer p50 %s, p99 %s, max %s", count(float64(r.Messages)), r.Missing, r.Doubled, ms(r.Latency.P50), ms(r.Latency.P99), ms(r.Latency.Max))
		if r.Error != "" {
			line("", "%s", r.Error)
		}
	}
	for _, c := range s.Thresholds {
		sign := "ok"
		switch {
		case !c.OK:
			sign = "BROKEN"
		case !c.Measured:
			sign = "not measured"
		}
		line("limit", "%s: %.4g, at most %.4g: %s", c.Name, c.Got, c.Max, sign)
	}
	verdict := string(s.Verdict)
	if s.Reason != "" {
		verdict += ": " + s.Reason
	}
	line("verdict", "%s", verdict)
	return b.String()
}

// healthText is how the generator itself did.
func healthText(h load.Health) string {
	text := fmt.Sprintf("%.0f %% of %d cores, %d collections of garbage with pauses up to %.2f ms", 100*h.CPUShare, h.Cores, h.GCPauses, h.GCPauseMax)
	switch {
	case h.Clock != nil:
		text += fmt.Sprintf("; the broker's clock is %+.1f ± %.1f ms against ours", h.Clock.Offset, h.Clock.Error)
	case h.ClockWhy != "":
		text += "; clocks not compared: " + h.ClockWhy
	}
	return text
}

// faults lists them by kind.
func faults(all map[content.Fault]int64) string {
	var parts []string
	for _, f := range slices.Sorted(maps.Keys(all)) {
		parts = append(parts, fmt.Sprintf("%s %s", count(float64(all[f])), f))
	}
	return strings.Join(parts, ", ")
}

func proofText(r verify.Result) string {
	var b strings.Builder
	for _, t := range r.Tables {
		b.WriteString(proofText(t))
	}
	if len(r.Tables) > 0 {
		fmt.Fprintf(&b, "run %s in all %d tables\n", r.Run, len(r.Tables))
	} else {
		fmt.Fprintf(&b, "run %s in table %s (snapshot %d, %d files, %.1f s)\n", r.Run, r.Table, r.Snapshot, r.Files, r.Seconds)
	}
	fmt.Fprintf(&b, "  sent %s  rows %s  lost %d  doubled %d  reordered %d  altered %d  quarantined %d\n", count(float64(r.Sent)), count(float64(r.Rows)), r.Lost, r.Doubled, r.Reordered, r.Altered, r.Quarantined)
	if r.Poison > 0 || r.Unexplained > 0 {
		fmt.Fprintf(&b, "  quarantined on purpose %d of %d, without a reason %d\n", r.Quarantined-r.Unexplained, r.Poison, r.Unexplained)
	}
	if r.OutOfOrder > 0 {
		fmt.Fprintf(&b, "  out of order on purpose %d: they stand behind later messages\n", r.OutOfOrder)
	}
	if r.Discarded > 0 {
		fmt.Fprintf(&b, "  discarded %d: a person took them out of the quarantine\n", r.Discarded)
	}
	if r.Aborted > 0 {
		fmt.Fprintf(&b, "  aborted on purpose %d: nobody may see them\n", r.Aborted)
	}
	if r.ReadableRows > 0 {
		fmt.Fprintf(&b, "  readable after p50 %s, p99 %s, max %s (from the intended send to the readable row)\n", ms(r.ReadableP50), ms(r.ReadableP99), ms(r.ReadableMax))
	}
	if r.Unknown > 0 {
		fmt.Fprintf(&b, "  unknown %d: never acknowledged and not in the table\n", r.Unknown)
	}
	if r.OrderUnchecked > 0 {
		fmt.Fprintf(&b, "  order not checked for %d rows: too many files share their ranges\n", r.OrderUnchecked)
	}
	if !r.Drained && r.Lost > 0 {
		b.WriteString("  the table has not reached the last acknowledged message: some of the lost may still be on their way\n")
	}
	if len(r.Tables) == 0 {
		for _, g := range r.Gone {
			fmt.Fprintf(&b, "  %s\n", g)
		}
	}
	for _, e := range r.Evidence {
		fmt.Fprintf(&b, "  %s\n", e)
	}
	return b.String()
}

// count writes 1234567 as 1,234,567.
func count(v float64) string {
	s := strconv.FormatInt(int64(math.Round(v)), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func volume(v float64) string {
	for _, u := range []struct {
		unit string
		size float64
	}{{"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}} {
		if v >= u.size {
			return fmt.Sprintf("%.1f %s", v/u.size, u.unit)
		}
	}
	return fmt.Sprintf("%.0f B", v)
}

func ms(v float64) string {
	switch {
	case v >= 10_000:
		return fmt.Sprintf("%.1f s", v/1000)
	case v >= 100:
		return fmt.Sprintf("%.0f ms", v)
	}
	return fmt.Sprintf("%.1f ms", v)
}

// short writes a time of a schedule: 4.2s, 3m20s, 2h5m.
func short(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}
