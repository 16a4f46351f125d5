package show

import (
	"fmt"
	"maps"
	"slices"

	"weir/internal/control"
	"weir/internal/load"
)

// Load is a load run's progress.
func Load(p load.Progress) *control.Load {
	l := &control.Load{
		At: p.At, Run: p.Run, Profile: p.Profile, Topic: p.Topic, State: loadState(p.State),
		Stage: p.Stage, StageIndex: p.StageIndex,
		Elapsed: p.Elapsed.Seconds(), Total: p.Total.Seconds(), Planned: p.Planned, Progress: progress(p),
		TargetRate: p.TargetRate, Rate: p.Rate, BytesPerSec: p.BytesPerSecond, MaxMode: p.MaxMode,
		Sent: p.Sent, Acked: p.Acked, Errors: p.Errors, ErrorsByCause: p.ErrorsByCause, InFlight: p.InFlight, MaxInFlight: p.MaxInFlight,
		Window:  control.Latency{Response: quantiles(p.WindowResponse), Service: quantiles(p.WindowService)},
		Whole:   control.Latency{Response: quantiles(p.Response), Service: quantiles(p.Service)},
		WindowS: 1, LagP99: p.LagP99, Size: quantiles(p.Size), CPU: p.CPU, RSS: p.RSS,
	}
	for _, s := range p.Stages {
		l.Stages = append(l.Stages, control.Stage{Name: s.Name, Duration: s.Over.Seconds(), Target: s.To})
	}
	for _, h := range p.History {
		l.History = append(l.History, control.Point{T: h.T.Seconds(), Target: h.Target, Rate: h.Rate, P99: h.P99, P50: h.P50, P999: h.P999, Service: h.Service, Lag: h.Lag, Read: h.Read})
	}
	l.Interactive, l.PausedS, l.Dropped = p.Interactive, p.PausedFor.Seconds(), p.Dropped
	for _, c := range p.Changes {
		l.Changes = append(l.Changes, control.Change{T: c.At, What: c.What})
	}
	for _, c := range p.Curve {
		l.Plan = append(l.Plan, control.Point{T: c.T.Seconds(), Target: c.Target})
	}
	if f := p.Final; f != nil {
		l.Verdict, l.Reason = string(f.Verdict), f.Reason
		l.TargetRate, l.Rate = f.Target, f.Rate // of the whole run, now that it is over
		p.Checks = f.Thresholds
	} else {
		verdict, reason := p.Standing()
		l.Verdict, l.Reason = string(verdict), reason
	}
	for _, c := range p.Checks {
		l.Limits = append(l.Limits, limit(c))
	}
	l.Resumed, l.Self = p.Resumed, generator(p)
	if r := p.Read; r != nil {
		l.Read = &control.Read{Messages: r.Messages, Behind: r.Missing, Doubled: r.Doubled, Latency: quantiles(r.Latency), Error: r.Error}
	}
	for _, x := range p.Partitions[:min(len(p.Partitions), mostPartitions)] {
		l.Partitions = append(l.Partitions, control.PartitionSent(x))
	}
	for _, x := range p.Sizes {
		l.Sizes = append(l.Sizes, control.SizeBar(x))
	}
	for _, x := range p.Spectrum {
		l.Spectrum = append(l.Spectrum, control.Percentile(x))
	}
	for _, x := range p.Heat {
		l.Heat = append(l.Heat, control.HeatColumn{From: x.Start.Seconds(), To: x.End.Seconds(), Low: load.HeatBound(x.Low), Counts: x.Counts})
	}
	for _, x := range p.Causes {
		l.Causes = append(l.Causes, control.Cause(x))
	}
	for _, f := range slices.Sorted(maps.Keys(p.Faults)) {
		l.Faults = append(l.Faults, control.Fault{Kind: string(f), Count: p.Faults[f]})
	}
	return l
}

// mostPartitions are told to the screens.
const mostPartitions = 512

// limit is a threshold as it stands.
func limit(c load.Check) control.Limit {
	l := control.Limit{Name: c.Name, Want: fmt.Sprintf("≤ %g", c.Max), State: control.Wait}
	if !c.Measured {
		return l
	}
	l.Got, l.State = fmt.Sprintf("%.3g", c.Got), control.OK
	if !c.OK {
		l.State = control.Bad
	}
	if c.Max > 0 {
		l.Spare = fmt.Sprintf("%.0f%% spare", 100*c.Margin)
		if c.Margin < 0 {
			l.Spare = fmt.Sprintf("%.0f%% over", -100*c.Margin)
		}
	}
	return l
}

func generator(p load.Progress) control.Generator {
	h := p.Health
	g := control.Generator{Cores: h.Cores, GCPauses: h.GCPauses, GCPauseP99: h.GCPauseP99, GCPauseMax: h.GCPauseMax, WindowFullS: h.WindowFullS, Invalid: p.Invalid}
	if h.Clock != nil {
		g.Clock, g.ClockError = h.Clock.Offset, h.Clock.Error
	}
	return g
}

func loadState(s string) string {
	switch s {
	case load.Warming:
		return control.Preparing
	case load.Paused:
		return control.Paused
	case load.Draining:
		return control.Draining
	case load.Done:
		return control.Done
	}
	return control.Running
}

func progress(p load.Progress) float64 {
	switch {
	case p.State == load.Done:
		return 1
	case p.Planned > 0:
		return min(1, float64(p.Sent)/float64(p.Planned))
	case p.Total > 0:
		return min(1, p.Elapsed.Seconds()/p.Total.Seconds())
	}
	return 0
}

func quantiles(q load.Quantiles) control.Quantiles {
	return control.Quantiles{Count: q.Count, P50: q.P50, P90: q.P90, P99: q.P99, P999: q.P999, Max: q.Max}
}
