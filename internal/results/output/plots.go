package output

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"

	"weir/internal/load"
	"weir/internal/results"
)

// plotsOf are the pictures of a run.
func plotsOf(r *results.Result) ([]plot, error) {
	heat, err := heatPlot(r)
	if err != nil {
		return nil, err
	}
	response, err := r.Histogram(results.Response)
	if err != nil {
		return nil, err
	}
	service, err := r.Histogram(results.Service)
	if err != nil {
		return nil, err
	}
	size, err := r.Histogram(results.Size)
	if err != nil {
		return nil, err
	}
	var all []plot
	if len(r.Series) > 1 {
		all = append(all, ratePlot(r), latencyPlot(r))
	}
	if response.TotalCount() > 0 {
		all = append(all, heat, spectrumPlot(r, response, service))
	}
	if len(r.Series) > 1 {
		all = append(all, healthPlot(r))
	}
	if size.TotalCount() > 0 {
		all = append(all, sizePlot(size))
	}
	if len(r.Partitions) > 0 {
		all = append(all, partitionPlot(r.Partitions))
	}
	return all, nil
}

// overTime prepares a plot whose x axis is the schedule.
func overTime(r *results.Result, title, unit string) (plot, scale) {
	end := r.Summary.Seconds
	if n := len(r.Series); n > 0 {
		end = max(end, r.Series[n-1].T)
	}
	if n := len(r.Intervals); n > 0 {
		end = max(end, r.Intervals[n-1].End)
	}
	x, ticks := timeScale(end)
	p := plot{Title: title, Unit: unit, Height: 220, X: ticks, XTitle: "since the start"}
	for _, c := range r.Summary.Changes {
		p.Marks = append(p.Marks, tick{100 * x.at(c.At), c.What})
	}
	for i, s := range r.Stages {
		if i > 0 || len(r.Stages) > 1 {
			p.Bands = append(p.Bands, tick{100 * x.at(s.StartS), s.Name})
		}
	}
	return p, x
}

func top(all []load.Second, of func(load.Second) float64) float64 {
	most := 0.0
	for _, s := range all {
		most = max(most, of(s))
	}
	return most
}

func seriesLine(r *results.Result, name, class string, x, y scale, of func(load.Second) float64) series {
	return series{name, class, line(len(r.Series), func(i int) float64 { return x.x(r.Series[i].T) }, func(i int) float64 {
		if v := of(r.Series[i]); !math.IsNaN(v) {
			return y.y(v)
		}
		return math.NaN()
	})}
}

func ratePlot(r *results.Result) plot {
	p, x := overTime(r, "Rate", "messages/s")
	y := linear(max(top(r.Series, func(s load.Second) float64 { return s.Target }), top(r.Series, func(s load.Second) float64 { return s.Rate })))
	p.Y = y.ticks(short)
	p.Lines = []series{seriesLine(r, "sent", "c1", x, y, func(s load.Second) float64 { return s.Rate }), seriesLine(r, "acknowledged", "c2", x, y, func(s load.Second) float64 { return s.Acked })}
	if r.Summary.Target > 0 {
		p.Lines = append(p.Lines, seriesLine(r, "target", "dash", x, y, func(s load.Second) float64 { return s.Target }))
	}
	return p
}

func latencyPlot(r *results.Result) plot {
	p, x := overTime(r, "Response time", "ms, logarithmic")
	p.Note = "from the intended send to the acknowledgement"
	if r.EveryS > 1 {
		p.Note += fmt.Sprintf("; each point is the worst second of %g s", r.EveryS)
	}
	low := math.Inf(1)
	for _, s := range r.Series {
		if s.Count > 0 {
			low = min(low, s.P50)
		}
	}
	if math.IsInf(low, 1) {
		low = 1
	}
	y := logarithmic(low, reach(r, top(r.Series, func(s load.Second) float64 { return s.Max })))
	p.Y = y.ticks(short)
	for _, l := range []struct {
		name, class string
		of          func(load.Second) float64
	}{
		{"max", "thin", func(s load.Second) float64 { return s.Max }}, {"p99.9", "c4", func(s load.Second) float64 { return s.P999 }},
		{"p99", "c3", func(s load.Second) float64 { return s.P99 }}, {"p50", "c1", func(s load.Second) float64 { return s.P50 }},
	} {
		p.Lines = append(p.Lines, seriesLine(r, l.name, l.class, x, y, func(s load.Second) float64 {
			if s.Count == 0 {
				return math.NaN()
			}
			return l.of(s)
		}))
	}
	p.Rules = limits(r, y)
	return p
}

// far is how far above what was measured a limit may lie to be drawn: farther away it would press the curves flat.
const far = 20

// reach is the top of a plot of response times: what was measured, and the limits that are not far away.
func reach(r *results.Result, most float64) float64 {
	top := most
	for _, c := range r.Summary.Thresholds {
		if c.Metric == "response_ms" && c.Max <= far*most {
			top = max(top, c.Max)
		}
	}
	return top
}

// limits are the thresholds of response times as level lines; several of the same height are one line.
func limits(r *results.Result, y scale) []rule {
	names := map[float64][]string{}
	var heights []float64
	for _, c := range r.Summary.Thresholds {
		if c.Metric == "response_ms" && c.Max > 0 {
			if names[c.Max] == nil {
				heights = append(heights, c.Max)
			}
			name := c.Stat
			if c.Stage != "" {
				name += " of " + c.Stage
			}
			names[c.Max] = append(names[c.Max], name)
		}
	}
	var all []rule
	for _, h := range heights {
		x := rule{Y: y.y(h), Text: fmt.Sprintf("limit %s ms: %s", number(h), strings.Join(names[h], ", "))}
		if h > y.high {
			x.Y, x.Text = -10, x.Text+" (far above)"
		}
		all = append(all, x)
	}
	return all
}

func healthPlot(r *results.Result) plot {
	p, x := overTime(r, "Generator", "ms behind its schedule")
	p.Height, p.Small, p.Note = 140, true, "the worst send of each second: a late generator would make a broker look slow"
	y := linear(max(1, top(r.Series, func(s load.Second) float64 { return s.Lag })))
	p.Y = y.ticks(short)
	p.Lines = []series{seriesLine(r, "behind the schedule", "c1", x, y, func(s load.Second) float64 { return s.Lag })}
	if most := top(r.Series, func(s load.Second) float64 { return float64(s.InFlight) }); most > 0 {
		in := linear(most)
		p.Lines = append(p.Lines, seriesLine(r, "in flight (a scale of its own, to "+number(in.high)+")", "thin", x, in, func(s load.Second) float64 { return float64(s.InFlight) }))
	}
	return p
}

// heatPlot shows the whole distribution over time: the darker, the more messages of that time's took so long.
func heatPlot(r *results.Result) (plot, error) {
	p, x := overTime(r, "All response times", "ms, logarithmic")
	p.Note = "each column is a moment: the stronger the ink, the larger the share of its messages that took so long"
	for _, x := range []struct {
		share float64
		text  string
	}{{1e-6, "one of a million"}, {1e-4, "of 10,000"}, {1e-2, "of a hundred"}, {1, "all"}} {
		p.Scale = append(p.Scale, shade{ink(x.share), x.text})
	}
	all, err := r.Over()
	if err != nil || len(all) == 0 {
		return p, err
	}
	low, most := int64(math.MaxInt64), int64(1)
	for _, h := range all {
		if h.TotalCount() > 0 {
			low, most = min(low, max(1, h.Min())), max(most, h.Max())
		}
	}
	bottom, rows := load.HeatRow(low), load.HeatRow(most)-load.HeatRow(low)+1
	y := scale{load.HeatBound(bottom), load.HeatBound(bottom + rows), true}
	for v := math.Pow(10, math.Ceil(math.Log10(y.low))); v <= y.high; v *= 10 {
		p.Y = append(p.Y, tick{100 * y.at(v), short(v)})
	}
	if len(p.Y) < 2 {
		p.Y = append(p.Y, tick{0, short(y.low)}, tick{100, short(y.high)})
	}
	for i, h := range all {
		if h.TotalCount() == 0 {
			continue
		}
		counts := make([]int64, rows)
		for _, b := range h.Distribution() {
			if b.Count > 0 {
				counts[min(max(load.HeatRow(b.To)-bottom, 0), rows-1)] += b.Count
			}
		}
		left, right := x.x(r.Intervals[i].Start), x.x(r.Intervals[i].End)
		for k, n := range counts {
			if n == 0 {
				continue
			}
			share := float64(n) / float64(h.TotalCount())
			p.Rects = append(p.Rects, rect{left, high * (1 - float64(k+1)/float64(rows)), max(0.5, right-left), high / float64(rows), "heat", ink(share), ""})
		}
	}
	return p, nil
}

// ink of a share: a single message must be seen, so that one of a million still has a sixth of it.
func ink(share float64) float64 {
	return math.Round(100*(0.15+0.85*max(0, 1+math.Log10(share)/6))) / 100
}

// spectrumPlot shows response and service time by percentile; its x axis gives each further nine the same room.
func spectrumPlot(r *results.Result, response, service *hdrhistogram.Histogram) plot {
	p := plot{Title: "Spectrum", Unit: "ms, logarithmic", Height: 220, XTitle: "percentile, each nine has the same room", Note: "where the two lines part, the broker made messages wait that were due"}
	nines := math.Ceil(math.Log10(float64(max(10, response.TotalCount()))))
	nines = min(max(nines, 2), 7)
	x := scale{0, nines, false}
	for i := 0.0; i <= nines; i++ {
		p.X = append(p.X, tick{100 * x.at(i), []string{"0", "90", "99", "99.9", "99.99", "99.999", "99.9999", "99.99999"}[int(i)]})
	}
	y := logarithmic(float64(max(1, min(response.Min(), max(1, service.Min()))))/1000, reach(r, float64(max(response.Max(), service.Max()))/1000))
	p.Y = y.ticks(short)
	const points = 160
	of := func(h *hdrhistogram.Histogram, name, class string) series {
		at := make([]float64, points+1)
		for i := range at {
			at[i] = 100 * (1 - math.Pow(10, -nines*float64(i)/points))
		}
		v := h.ValueAtPercentilesSlice(at)
		return series{name, class, line(len(at), func(i int) float64 { return wide * float64(i) / points }, func(i int) float64 { return y.y(float64(min(v[i], h.Max())) / 1000) })}
	}
	p.Lines = []series{of(service, "service", "c2"), of(response, "response", "c3")}
	p.Rules = limits(r, y)
	return p
}

// sizePlot is a histogram of message sizes in at most 60 bars.
func sizePlot(h *hdrhistogram.Histogram) plot {
	p := plot{Title: "Sizes", Unit: "share of messages", XTitle: "size of a value, B", Height: 140, Small: true, Note: fmt.Sprintf("p50 %s B, p99 %s B, max %s B", number(float64(h.ValueAtPercentile(50))), number(float64(h.ValueAtPercentile(99))), number(float64(h.Max())))}
	low, most := float64(max(1, h.Min())), float64(max(1, h.Max()))
	x := scale{low * 0.95, most * 1.05, most > 8*low}
	if most-low < 10 {
		x.low, x.high = low-5, most+5
	}
	const bars = 60
	counts := make([]int64, bars)
	for _, b := range h.Distribution() {
		if b.Count > 0 {
			counts[min(bars-1, max(0, int(bars*x.at(float64(b.To)))))] += b.Count
		}
	}
	y := linear(100 * float64(slices.Max(counts)) / float64(h.TotalCount()))
	p.Y = y.ticks(func(v float64) string { return short(v) + "%" })
	for i, n := range counts {
		if n > 0 {
			v := y.y(100 * float64(n) / float64(h.TotalCount()))
			p.Rects = append(p.Rects, rect{wide * float64(i) / bars, v, wide/bars - 1, high - v, "bar", 1, ""})
		}
	}
	for _, share := range []float64{0, 0.25, 0.5, 0.75, 1} {
		v := x.low + share*(x.high-x.low)
		if x.log {
			v = x.low * math.Pow(x.high/x.low, share)
		}
		p.X = append(p.X, tick{100 * share, short(math.Round(v))})
	}
	return p
}

func partitionPlot(all []load.PartitionCount) plot {
	p := plot{Title: "Partitions", Unit: "messages", XTitle: "partition", Height: 140, Small: true}
	var sum, most int64
	topics := map[string]bool{}
	for _, c := range all {
		sum, most, topics[c.Topic] = sum+c.Messages, max(most, c.Messages), true
	}
	p.Note = fmt.Sprintf("the fullest of %d has %.1f %% of the messages, an equal share is %.1f %%", len(all), 100*float64(most)/float64(max(1, sum)), 100/float64(len(all)))
	if len(topics) > 1 {
		p.Note += fmt.Sprintf("; %d topics", len(topics))
	}
	y := linear(float64(most))
	p.Y = y.ticks(short)
	w := wide / float64(len(all))
	every := (len(all) + 11) / 12
	for i, c := range all {
		v := y.y(float64(c.Messages))
		p.Rects = append(p.Rects, rect{w*float64(i) + 0.1*w, v, 0.8 * w, high - v, "bar", 1, fmt.Sprintf("%s/%d: %s", c.Topic, c.Partition, number(float64(c.Messages)))})
		if i%every == 0 {
			p.X = append(p.X, tick{100 * (float64(i) + 0.5) / float64(len(all)), fmt.Sprint(c.Partition)})
		}
	}
	return p
}
