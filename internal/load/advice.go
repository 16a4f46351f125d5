package load

import (
	"fmt"
	"strings"
	"time"
)

// tailMessages is how many messages should lie beyond a percentile for it to say more than chance.
const tailMessages = 10

// advise warns of what a run of the profile could not measure or would not do.
func (v *Preview) advise(p *Profile) {
	warn := func(format string, args ...any) { v.Warnings = append(v.Warnings, fmt.Sprintf(format, args...)) }
	warmup := time.Duration(p.Warmup)
	if v.Duration > 0 && warmup >= v.Duration {
		warn("the warm-up of %v is as long as the run of %v: nothing would be timed; --set warmup=0s, or a longer run", warmup, v.Duration.Round(time.Second))
	}
	for _, t := range p.Thresholds {
		v.adviseOn(t, p, warn)
	}
	for _, h := range p.Hooks {
		at, err := h.when(v.Stages)
		switch {
		case h.idle():
			warn("hook %s at %s has no command: nothing is disturbed", strings.TrimSuffix(h.name(), " (no command)"), h.At)
		case err == nil && v.Duration > 0 && at >= v.Duration:
			warn("hook %s at %s is after the end of the run: it never runs", h.name(), h.At)
		}
	}
}

// adviseOn warns of a threshold that the run cannot decide.
func (v *Preview) adviseOn(t Threshold, p *Profile, warn func(string, ...any)) {
	start, end := time.Duration(0), v.Duration
	for _, s := range v.Stages {
		if t.Stage != "" && s.Name == t.Stage {
			if start = s.Start; !s.Open {
				end = min(orForever(end), s.Start+s.Over)
			}
		}
	}
	timed := orForever(end) - max(start, time.Duration(p.Warmup))
	switch {
	case t.Metric == growthMetric && end > 0 && orForever(end)-max(time.Duration(p.Warmup), time.Duration(t.After)) < leastGrowth:
		warn("threshold %v is never measured: the growth of memory takes %v after the warm-up to be seen", t, leastGrowth)
		return
	case t.Metric != "response_ms" && t.Metric != "service_ms":
		return
	case end > 0 && timed <= 0:
		warn("threshold %v is never measured: the warm-up of %v covers it", t, time.Duration(p.Warmup))
		return
	case end > 0 && timed < time.Duration(t.Over):
		warn("threshold %v: no whole window of %v fits into the %v that are timed", t, t.Over, timed.Round(time.Second))
	case end > 0 && timed < time.Duration(t.After):
		warn("threshold %v is only judged at the end: after: %v is longer than the %v that are timed", t, t.After, timed.Round(time.Second))
	}
	share, ok := map[string]float64{"p90": 0.1, "p99": 0.01, "p99.9": 0.001}[t.Stat]
	n := v.timed(p, start, end, time.Duration(t.Over))
	if ok && n > 0 && n*share < tailMessages {
		warn("threshold %v rests on %.0f of %.0f timed messages: chance decides it; it takes %.0f", t, n*share, n, tailMessages/share)
	}
}

// timed is how many messages a threshold counts; 0: not known.
func (v *Preview) timed(p *Profile, start, end, over time.Duration) float64 {
	if v.Curve == nil || end <= 0 || p.Rate.bytes() {
		return 0
	}
	from := max(start, time.Duration(p.Warmup))
	n := v.Curve.Due(end) - v.Curve.Due(from)
	if over > 0 && over < end-from {
		n *= over.Seconds() / (end - from).Seconds()
	}
	return n
}

func orForever(d time.Duration) time.Duration {
	if d <= 0 {
		return Forever
	}
	return d
}
