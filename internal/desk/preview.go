package desk

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"weir/internal/content"
	"weir/internal/control"
	"weir/internal/load"
)

// PreviewArgs are those of profile.preview.
type PreviewArgs struct {
	Name    string `json:"name"`
	Text    string `json:"text"`    // empty: that of the file
	Samples int    `json:"samples"` // of each topic, at most 20
}

const (
	curvePoints = 240
	sizeBars    = 24
	sizeSamples = 4000
	sizeTime    = 200 * time.Millisecond
	hexShown    = 96
)

// Preview says what a run would do. A profile that cannot run is no error: the preview says why there is none.
func (d *Desk) Preview(ctx context.Context, a PreviewArgs) (*control.ProfilePreview, error) {
	if a.Text == "" {
		text, _, err := d.text(a.Name)
		if err != nil {
			return nil, err
		}
		a.Text = text
	}
	if err := checkName(a.Name); err != nil {
		return nil, err
	}
	if len(a.Text) > largest {
		return nil, fmt.Errorf("%s: a profile has at most %d KiB", d.file(a.Name), largest>>10)
	}
	out := &control.ProfilePreview{Name: a.Name, Hash: hashOf(a.Text)}
	p, err := parse(d.file(a.Name), a.Text)
	if err == nil {
		err = p.Resolve(ctx, d.project.Subject)
	}
	var v load.Preview
	if err == nil {
		v, err = load.NewPreview(p, min(max(a.Samples, 0), 20))
	}
	if err != nil {
		out.Error = err.Error()
		return out, nil
	}
	if err := fill(out, p, v); err != nil {
		return nil, err
	}
	return out, nil
}

func fill(out *control.ProfilePreview, p *load.Profile, v load.Preview) error {
	out.Topic, out.Unit, out.Messages, out.Bytes, out.Seconds, out.Each, out.Warnings = v.Topic, v.Unit, v.Messages, v.Bytes, v.Duration.Seconds(), v.NsRecord, v.Warnings
	out.Size = control.Quantiles{Count: v.Size.Count, P50: v.Size.P50, P90: v.Size.P90, P99: v.Size.P99, P999: v.Size.P999, Max: v.Size.Max}
	for _, s := range v.Stages {
		out.Stages = append(out.Stages, control.Stage{Name: s.Name, Duration: s.Over.Seconds(), Target: s.To})
	}
	mix, err := p.Compile()
	if err != nil {
		return err
	}
	mean := 0.0
	out.Sizes, mean = sizes(mix)
	if v.Curve != nil {
		out.Curve, out.Peak = curve(v), v.Curve.Peak()
		if out.PeakB = out.Peak * mean; v.Unit == "bytes/s" {
			out.PeakB, out.Peak = out.Peak, out.Peak/math.Max(mean, 1)
		}
		out.Cores = out.Peak * v.NsRecord / 1e9
	}
	for _, x := range v.Parts {
		part := control.PreviewPart{Name: x.Name, Topic: x.Topic, Share: x.Of, Keys: x.Keys, Hottest: x.Share, Partitions: x.Partitions, Of: x.Size.Count}
		for _, n := range x.Faults {
			part.Faults += n
		}
		out.Parts = append(out.Parts, part)
	}
	for _, s := range v.Samples {
		hex := s.Hex
		if len(hex) > hexShown {
			hex = hex[:hexShown] + "…"
		}
		out.Samples = append(out.Samples, control.PreviewSample{Number: s.Number, Part: s.Stream, Fault: string(s.Fault), Key: s.Key, Bytes: s.Bytes, Record: string(s.Record), Hex: hex})
	}
	return nil
}

// curve takes points along the plan; of one without an end, its first minutes.
func curve(v load.Preview) []control.Point {
	end := v.Duration
	if end <= 0 {
		if end = v.Curve.End(); end == load.Forever || end <= 0 {
			end = 10 * time.Minute
		}
	}
	points := make([]control.Point, curvePoints+1)
	for i := range points {
		t := end * time.Duration(i) / curvePoints
		points[i] = control.Point{T: t.Seconds(), Target: v.Curve.Rate(min(t, end-1))}
	}
	return points
}

// sizes makes some messages and counts them by their size, in bars whose bounds grow by the same factor.
func sizes(mix *content.Mix) (bars []control.SizeBar, mean float64) {
	w, began := mix.Writer(), time.Now()
	var all []int
	var buf []byte
	for n := uint64(0); n < sizeSamples; n++ {
		fault, of := mix.Fate(n)
		m := w.Append(buf[:0], n, of, fault, began.UnixMicro())
		if cap(m.Value) > cap(buf) {
			buf = m.Value
		}
		all = append(all, len(m.Value))
		mean += float64(len(m.Value))
		if n%64 == 63 && time.Since(began) > sizeTime {
			break
		}
	}
	mean /= float64(len(all))
	low, high := float64(max(slices.Min(all), 1)), float64(max(slices.Max(all), 1))
	if high < low*1.02 {
		return []control.SizeBar{{Bytes: int64(high), Count: int64(len(all))}}, mean
	}
	bars = make([]control.SizeBar, sizeBars)
	step := math.Pow(high/low, 1.0/sizeBars)
	for i := range bars {
		bars[i].Bytes = int64(math.Ceil(low * math.Pow(step, float64(i+1))))
	}
	for _, n := range all {
		i := int(math.Log(float64(max(n, 1))/low) / math.Log(step))
		bars[min(max(i, 0), sizeBars-1)].Count++
	}
	return bars, mean
}
