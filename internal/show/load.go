package show

import (
	"fmt"

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
		l.History = append(l.History, control.Point{T: h.T.Seconds(), Target: h.Target, Rate: h.Rate, P99: h.P99})
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
		for _, c := range f.Thresholds {
			state := control.OK
			if !c.OK {
				state = control.Bad
			}
			l.Limits = append(l.Limits, control.Limit{Name: c.Name, Want: fmt.Sprintf("≤ %g", c.Max), Got: fmt.Sprintf("%.3g", c.Got), State: state})
		}
	}
	return l
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
