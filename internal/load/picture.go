package load

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"weir/internal/content"
)

// picture is how the run stands at now.
func (p *progress) picture(r *run, now sample) Progress {
	g := Progress{
		At: time.Now(), Run: r.manifest.Run, Profile: r.Profile.Name, Topic: r.Profile.topics(), State: p.state.Load().(string),
		Elapsed: now.at, Total: r.total(now.at), Planned: r.count(now.at), TargetRate: r.target(now.at), MaxMode: r.flat,
		Sent: now.sent, Acked: now.acked, MaxInFlight: int64(r.Profile.inFlight()),
		WindowResponse: p.window[0], WindowService: p.window[1], RSS: resident(),
		History: append([]Point(nil), p.history...), Curve: p.curve, Heat: p.series.heat(),
	}
	g.Rate, g.AckRate, g.BytesPerSecond, g.CPU = p.rates(now)
	onCurve := r.schedule.on(now.at)
	if s, ok := r.curve.(Planned); ok {
		g.Stages = s.Stages()
		for g.StageIndex+1 < len(g.Stages) && g.Stages[g.StageIndex+1].Start <= onCurve {
			g.StageIndex++
		}
		g.Stage = g.Stages[g.StageIndex].Name
	}
	if g.State == Measuring && onCurve < r.warmup {
		g.State = Warming
	}
	var paused bool
	if paused, g.PausedFor, g.Interactive, g.Changes = r.Live.state(now.at); paused && g.State != Draining && g.State != Done {
		g.State = Paused
	}
	g.Dropped = r.dropped()
	lag, size, blocked, _ := r.statistics()
	g.LagP99, g.Size, g.Sizes = quantilesOf(lag, 1000).P99, quantilesOf(size, 1), sizeBars(size)
	g.Health, g.Read, g.Resumed = r.health(now.at, blocked), r.reader.state(), len(r.manifest.Resumptions)
	if g.Checks = r.checks(); now.at > judgedAfter && !r.flat {
		g.Invalid = cmp.Or(g.Health.busy(), behind(g.LagP99))
	}
	tallies, _ := r.tallies()
	for _, t := range tallies {
		for f, n := range t.faults {
			if g.Faults == nil {
				g.Faults = map[content.Fault]int64{}
			}
			g.Faults[f] += n
		}
	}
	r.rec.mu.Lock()
	defer r.rec.mu.Unlock()
	g.Errors = r.rec.failed
	g.InFlight = max(0, now.sent-now.acked-r.rec.failed)
	g.ErrorsByCause = map[string]int64{}
	for c, n := range r.rec.causes {
		g.ErrorsByCause[c] = n.count
		g.Causes = append(g.Causes, Cause{c, n.count, seconds(n.first), seconds(n.last)})
	}
	slices.SortFunc(g.Causes, func(a, b Cause) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Text, b.Text)) })
	for i, counts := range r.rec.counts {
		for p, n := range counts {
			g.Partitions = append(g.Partitions, PartitionCount{r.targets[i].topic, int32(p), n})
		}
	}
	g.Spectrum = spectrum(r.rec.whole)
	g.Response, g.Service = quantilesOf(r.rec.whole.response, 1000), quantilesOf(r.rec.whole.service, 1000)
	return g
}

// A Cause of errors; First and Last are seconds of the schedule.
type Cause struct {
	Text        string
	Count       int64
	First, Last float64
}

// A SizeBar counts values of at most Bytes, and more than the bar before.
type SizeBar struct{ Bytes, Count int64 }

// A Percentile of the response and service times, ms.
type Percentile struct{ P, Response, Service float64 }

// sizeBars are a histogram's in steps of a quarter of a power of two, as far as there are any.
func sizeBars(h *hdrhistogram.Histogram) []SizeBar {
	if h.TotalCount() == 0 {
		return nil
	}
	var all []SizeBar
	bound := func(i int) int64 { return int64(math.Ceil(math.Exp2(float64(i) / 4))) }
	i := max(0, int(4*math.Log2(float64(max(1, h.Min()))))-1)
	for _, b := range h.Distribution() {
		if b.Count == 0 {
			continue
		}
		for len(all) == 0 || all[len(all)-1].Bytes < b.To {
			if len(all) > 0 || bound(i) >= b.To {
				all = append(all, SizeBar{Bytes: bound(i)})
			}
			i++
		}
		all[len(all)-1].Count += b.Count
	}
	return all
}

// percentiles of a spectrum.
var percentiles = []float64{50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99, 99.999, 100}

func spectrum(l latency) []Percentile {
	if l.response.TotalCount() == 0 {
		return nil
	}
	response, service := l.response.ValueAtPercentiles(percentiles), l.service.ValueAtPercentiles(percentiles)
	all := make([]Percentile, len(percentiles))
	for i, p := range percentiles {
		all[i] = Percentile{p, min(float64(response[p]), float64(l.response.Max())) / 1000, min(float64(service[p]), float64(l.service.Max())) / 1000}
	}
	return all
}
