package tui

import (
	"math"
	"math/rand/v2"
	"time"

	"weir/internal/control"
)

// told fills what a load run tells beyond rates and latencies.
func told(l *control.Load) *control.Load {
	l.Topic, l.Cluster = "bank.orders", "staging"
	for i := range l.History {
		p := &l.History[i]
		p.P50, p.P999, p.Service, p.Read = p.P99/12, p.P99*2.1, p.P99*0.8, p.Rate*0.99
		p.Lag = 0.4 + 0.2*math.Sin(float64(i))
	}
	for t := 0.0; t <= l.Total; t += 30 {
		p := control.Point{T: t, Target: 500_000}
		switch {
		case t < 300:
			p.Target = 50_000
		case t < 900:
			p.Target = 50_000 + 450_000*(t-300)/600
		case t > 6300:
			p.Target = 500_000 + 50_000*(t-6300)/900
		}
		l.Plan = append(l.Plan, p)
	}
	l.Read = &control.Read{Messages: 1_998_140_112, Behind: 2560, Latency: control.Quantiles{Count: 1, P50: 4, P90: 11, P99: 52, Max: 470}}
	l.Self = control.Generator{Cores: 4, GCPauses: 1204, GCPauseP99: 0.4, GCPauseMax: 2.1, Clock: -0.3, ClockError: 0.2}
	l.Causes = []control.Cause{{Text: "timeout", Count: 9, First: 1801, Last: 1868}, {Text: "not leader for partition", Count: 3, First: 1803, Last: 1803}}
	for i := range int32(12) {
		n := int64(160_000_000 + 400_000*int64(i%5))
		if i == 3 {
			n *= 2
		}
		l.Partitions = append(l.Partitions, control.PartitionSent{Topic: "bank.orders", Partition: i, Messages: n})
	}
	for i, n := range []int64{0, 12, 120, 4100, 22_000, 61_000, 88_000, 64_000, 31_000, 9_000, 2_100, 300, 14, 0} {
		l.Sizes = append(l.Sizes, control.SizeBar{Bytes: 32 << i, Count: n})
	}
	l.Spectrum = []control.Percentile{{P: 50, Response: 3, Service: 2.8}, {P: 75, Response: 4.2, Service: 4}, {P: 90, Response: 8.1, Service: 7.9}, {P: 95, Response: 13.1, Service: 12.8}, {P: 99, Response: 38.7, Service: 37},
		{P: 99.5, Response: 52, Service: 50}, {P: 99.9, Response: 85, Service: 80.2}, {P: 99.95, Response: 101, Service: 98}, {P: 99.99, Response: 140.9, Service: 137}, {P: 100, Response: 402.1, Service: 388}}
	for t := 0.0; t < l.Elapsed; t += 60 { // two modes, and a rebalance
		c := control.HeatColumn{From: t, To: min(t+60, l.Elapsed), Low: 1, Counts: []int64{800, 40_000, 500_000, 900_000, 300_000, 40_000, 9_000, 20_000, 60_000, 30_000, 4_000, 200, 11, 2}}
		if t >= 1800 && t < 1920 {
			c.Counts = append(c.Counts[:13:13], 100, 40_000, 200_000, 9_000)
		}
		l.Heat = append(l.Heat, c)
	}
	return l
}

// hostileLoad puts texts from outside into everything that the Load screen shows.
func hostileLoad(s *control.Snapshot, r *rand.Rand, text func() string) {
	l := s.Load
	l.Cluster, l.Topic, l.Self.Invalid, l.Read.Error = text(), text(), text(), text()
	for i := range l.Partitions {
		l.Partitions[i].Topic = text()
	}
	l.Causes = []control.Cause{{Text: text(), Count: 3}, {Text: text(), Count: 1, First: -1}}
	l.Faults = []control.Fault{{Kind: text(), Count: 3}, {Kind: text()}}
	l.Changes = []control.Change{{T: 100, What: text()}, {T: 200, What: "mark: " + text()}}
	if r.IntN(2) == 0 {
		s.Streams[0].Topic = l.Topic
	}
	c, f := compared(), searched()
	if r.IntN(2) == 0 {
		c, f = judged(), found()
	}
	c.Kind, c.Profile, c.Verdict, c.Reason, c.Error = text(), text(), text(), text(), text()
	for i := range c.Runs {
		c.Runs[i].Build, c.Runs[i].Step, c.Runs[i].Why = text(), text(), text()
	}
	for i := range c.Findings {
		c.Findings[i].Metric, c.Findings[i].Unit, c.Findings[i].Verdict = text(), text(), text()
	}
	f.Profile, f.SLO, f.Headline, f.Confidence, f.Verdict, f.Reasons = text(), text(), text(), text(), text(), []string{text(), text()}
	for i := range f.Trials {
		f.Trials[i].Outcome, f.Trials[i].Phase, f.Trials[i].Told = text(), text(), text()
	}
	s.Comparison, s.Search = c, f
	switch r.IntN(4) {
	case 0:
		s.Comparison = nil
	case 1:
		s.Search = nil
	case 2:
		s.Load = nil
	}
}

// oddLoad puts a figure into everything that the Load screen shows.
func oddLoad(s *control.Snapshot, v float64) {
	l := s.Load
	n := int64(min(max(v, -9e18), 9e18))
	if v != v {
		n = math.MinInt64
	}
	q := control.Quantiles{Count: 1, P50: v, P90: v, P99: v, P999: v, Max: v}
	l.Elapsed, l.Total, l.Progress, l.TargetRate, l.Rate, l.BytesPerSec, l.WindowS, l.LagP99, l.CPU, l.PausedS = v, v, v, v, v, v, v, v, v, v
	l.Sent, l.Acked, l.Errors, l.InFlight, l.MaxInFlight, l.Dropped, l.RSS = n, n, n, n, n, n, n
	l.Window, l.Whole, l.Size = control.Latency{Response: q, Service: q}, control.Latency{Response: q, Service: q}, q
	l.Read = &control.Read{Messages: n, Behind: n, Doubled: n, Latency: q}
	l.Self = control.Generator{Cores: 2, GCPauses: n, GCPauseP99: v, GCPauseMax: v, WindowFullS: v, Clock: v, ClockError: v}
	for i := range l.History {
		if i%3 == 0 {
			l.History[i] = control.Point{T: v, Target: v, Rate: v, P99: v, P50: v, P999: v, Service: v, Lag: v, Read: v}
		}
	}
	for i := range l.Plan {
		if i%3 == 0 {
			l.Plan[i] = control.Point{T: v, Target: v}
		}
	}
	for i := range l.Stages {
		l.Stages[i].Duration, l.Stages[i].Target = v, v
	}
	for i := range l.Partitions {
		l.Partitions[i].Messages = n
	}
	for i := range l.Sizes {
		l.Sizes[i] = control.SizeBar{Bytes: n, Count: n}
	}
	for i := range l.Spectrum {
		l.Spectrum[i] = control.Percentile{P: v, Response: v, Service: v}
	}
	for i := range l.Causes {
		l.Causes[i].Count, l.Causes[i].First, l.Causes[i].Last = n, v, v
	}
	l.Changes = []control.Change{{T: v, What: "mark: x"}}
	s.Comparison, s.Search = compared(), searched()
	c, f := s.Comparison, s.Search
	c.Elapsed, c.Left = v, v
	for i := range c.Findings {
		x := &c.Findings[i]
		x.Floor, x.Base, x.Candidate, x.Estimate, x.From, x.To, x.P, x.Noise = v, v, v, v, v, v, v, v
	}
	f.Spent, f.Most, f.From, f.To, f.Precision, f.HighestKept, f.LowestNotKept, f.Capacity = v, v, v, v, v, v, v, v
	for i := range f.Trials {
		f.Trials[i].Rate, f.Trials[i].Took = v, v
	}
	*f.Trial = control.Trial{Rate: v, Took: v, Length: v}
}

// compared is a comparison in its fourth pair, the candidate slower.
func compared() *control.Comparison {
	c := &control.Comparison{At: at.Add(-time.Second), ID: "01K8ZJ9V4T8QH0M6W2X3Y5A7BC", Kind: control.Compare, Profile: "ci", State: control.Running, Started: at.Add(-6 * time.Minute), Elapsed: 360, Left: 410, Pairs: 7, Round: 1}
	order := []string{"baseline", "candidate", "candidate", "baseline", "candidate", "baseline", "baseline"}
	for i, build := range order {
		c.Runs = append(c.Runs, control.PairRun{Build: build, Pair: i/2 + 1, Round: 1, State: control.Done})
	}
	c.Runs[6].State, c.Runs[6].Step = control.Running, "load"
	c.Findings = []control.Finding{
		{Metric: "p50", Unit: "ms", Gated: true, Floor: 0.05, Pairs: 3, Base: 3.1, Candidate: 3.12, Estimate: 0.006, From: -0.011, To: 0.02, Confidence: 0.75, P: 0.375},
		{Metric: "p99", Unit: "ms", Gated: true, Floor: 0.10, Pairs: 3, Base: 41, Candidate: 53.3, Estimate: 0.30, From: 0.22, To: 0.41, Confidence: 0.75, P: 0.125},
		{Metric: "fresh_p99", Unit: "ms", Gated: true, Floor: 0.10, Pairs: 3, Base: 1432, Candidate: 1460, Estimate: 0.019, From: -0.06, To: 0.08, Confidence: 0.75, P: 0.25},
		{Metric: "cpu", Unit: "s/M", Gated: true, Floor: 0.03, Pairs: 3, Base: 5.3, Candidate: 5.2, Estimate: -0.018, From: -0.03, To: 0.001, Confidence: 0.75, P: 0.9},
		{Metric: "drain", Unit: "s", Floor: 0.10, Pairs: 3, Base: 2.1, Candidate: 2.1, Estimate: 0, From: -0.04, To: 0.05, Confidence: 0.75, P: 0.5},
	}
	return c
}

// judged is the same comparison at its end.
func judged() *control.Comparison {
	c := compared()
	c.State, c.Left, c.Elapsed, c.Verdict = control.Done, 0, 770, "regressed"
	c.Reason = "p99 30.0 % worse [22.0 %, 41.0 %], p 0.031, 7 pairs"
	c.Runs = c.Runs[:6]
	for i := 6; i < 14; i++ {
		build := "baseline"
		if i%4 == 1 || i%4 == 2 {
			build = "candidate"
		}
		c.Runs = append(c.Runs, control.PairRun{Build: build, Pair: i/2 + 1, Round: 1, State: control.Done})
	}
	for i := range c.Findings {
		c.Findings[i].Pairs, c.Findings[i].Verdict = 7, "unchanged"
	}
	c.Findings[1].Verdict = "regressed"
	return c
}

// searched is a search between two rates.
func searched() *control.Search {
	return &control.Search{At: at.Add(-time.Second), ID: "01K8ZJ9V4T8QH0M6W2X3Y5A7BD", Profile: "average-load", SLO: "p99<100ms, lost=0", State: control.Running, Started: at.Add(-5 * time.Minute), Spent: 280, Most: 1800,
		From: 100_000, To: 100e6, Precision: 0.05, Repeats: 3, HighestKept: 730_000, LowestNotKept: 800_000,
		Trials: []control.Trial{
			{Rate: 100_000, Outcome: control.Kept, Phase: "step up", Told: "p99 12ms, lost 0", Took: 40}, {Rate: 200_000, Outcome: control.Kept, Phase: "step up", Told: "p99 19ms, lost 0", Took: 40},
			{Rate: 400_000, Outcome: control.Kept, Phase: "step up", Told: "p99 38ms, lost 0", Took: 40}, {Rate: 800_000, Outcome: control.NotKept, Phase: "step up", Told: "p99 212ms, not <100ms", Took: 22},
			{Rate: 565_700, Outcome: control.Kept, Phase: "bisect", Told: "p99 61ms, lost 0", Took: 40}, {Rate: 730_000, Outcome: control.Invalid, Phase: "bisect", Told: "the generator was 61 ms behind its schedule at the 99th percentile", Took: 40},
			{Rate: 730_000, Outcome: control.Kept, Phase: "again, as the generator was late", Told: "p99 95ms, lost 0", Took: 40},
		},
		Trial: &control.Trial{Rate: 764_200, Phase: "bisect", Took: 12, Length: 36}}
}

// found is the same search at its end.
func found() *control.Search {
	f := searched()
	f.Trials = append(f.Trials, control.Trial{Rate: 764_200, Outcome: control.NotKept, Phase: "bisect", Told: "p99 131ms, not <100ms", Took: 40}, control.Trial{Rate: 730_000, Outcome: control.Kept, Phase: "again at the edge", Told: "p99 93ms, lost 0", Took: 40})
	f.State, f.Trial, f.Ended, f.Spent = control.Done, nil, at.Add(-3*time.Minute), 360
	f.Verdict, f.Capacity, f.LowestNotKept, f.Confidence = "capacity", 730_000, 764_200, "medium"
	f.Headline = "capacity 730,000/s; 764,200/s was not kept"
	f.Reasons = []string{"730000/s was kept in 2 of 2 trials", "1 trial did not count, as the generator was late"}
	return f
}
