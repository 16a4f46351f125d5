package load

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/internal/config"
)

// ShapeSpec is a curve by its form. Which keys belong to which form: [shapeKeys].
type ShapeSpec struct {
	Shape string `yaml:"shape,omitempty"`

	From  *config.Rate    `yaml:"from,omitempty"`
	To    *config.Rate    `yaml:"to,omitempty"`
	By    text            `yaml:"by,omitempty"`
	Every config.Duration `yaml:"every,omitempty"`

	Base   *config.Rate    `yaml:"base,omitempty"`
	Peak   *config.Rate    `yaml:"peak,omitempty"`
	Before config.Duration `yaml:"before,omitempty"`
	Rise   config.Duration `yaml:"rise,omitempty"`
	Hold   config.Duration `yaml:"hold,omitempty"`
	Fall   config.Duration `yaml:"fall,omitempty"`
	After  config.Duration `yaml:"after,omitempty"`

	Mean      *config.Rate    `yaml:"mean,omitempty"`
	Amplitude *config.Rate    `yaml:"amplitude,omitempty"`
	Period    config.Duration `yaml:"period,omitempty"`

	Trough   *config.Rate `yaml:"trough,omitempty"`
	Timezone string       `yaml:"timezone,omitempty"`

	File  string  `yaml:"file,omitempty"`
	Scale float64 `yaml:"scale,omitempty"`

	Capture string `yaml:"capture,omitempty"`
	Speed   text   `yaml:"speed,omitempty"`
}

var shapeNames = []string{"step", "spike", "sine", "diurnal", "csv", "replay"}

// shapeKeys are the keys of the forms: those that a form must have stand first in needs.
var shapeKeys = []struct {
	name   string
	needs  []string // forms that need it
	takes  []string // forms that may have it
	number bool
	about  string
}{
	{"from", []string{"step"}, nil, false, "step: the first rate, as 5k/s"},
	{"to", []string{"step"}, nil, false, "step: the last rate"},
	{"by", []string{"step"}, nil, false, "step: how much more each step has, as 5k/s, or as 10% of the step before"},
	{"every", []string{"step"}, nil, false, "step: how long a step lasts"},
	{"base", []string{"spike"}, nil, false, "spike: the rate before and after it"},
	{"peak", []string{"spike", "diurnal"}, nil, false, "spike, diurnal: the highest rate"},
	{"before", nil, []string{"spike"}, false, "spike: time at the base before it. Default 1m"},
	{"rise", nil, []string{"spike"}, false, "spike: time from base to peak. Default 10s"},
	{"hold", []string{"spike"}, nil, false, "spike: time at the peak"},
	{"fall", nil, []string{"spike"}, false, "spike: time back to the base. Default: as rise"},
	{"after", nil, []string{"spike"}, false, "spike: time at the base after it. Default: as before"},
	{"mean", []string{"sine"}, nil, false, "sine: the rate in the middle"},
	{"amplitude", []string{"sine"}, nil, false, "sine: how far the rate goes above and below the mean"},
	{"period", []string{"sine"}, []string{"diurnal"}, false, "sine: the time of a whole wave; diurnal: how long a day lasts, default 24h; or give its speed"},
	{"trough", []string{"diurnal"}, nil, false, "diurnal: the lowest rate, at 04:00; the peak is at 16:00"},
	{"timezone", nil, []string{"diurnal"}, false, "diurnal: the day begins at the time that it is there, as Europe/Berlin. Default: at midnight"},
	{"file", []string{"csv"}, nil, false, "csv: lines of time and rate, as 08:30,12k/s; the rate goes straight from line to line"},
	{"scale", nil, []string{"csv"}, true, "csv: factor of all rates. Default 1"},
	{"capture", []string{"replay"}, nil, false, "replay: what loadgen capture has written"},
	{"speed", nil, []string{"replay", "diurnal"}, true, "replay, diurnal: 2x is twice as fast: at 12x a day lasts 2h. Default 1x"},
}

// A value of a shape as it was given.
type shapeValue struct {
	rate  *config.Rate
	given bool
}

// given are the shape's keys with a value.
func (s *ShapeSpec) given() map[string]shapeValue {
	all := map[string]shapeValue{}
	for name, r := range map[string]*config.Rate{"from": s.From, "to": s.To, "base": s.Base, "peak": s.Peak, "mean": s.Mean, "amplitude": s.Amplitude, "trough": s.Trough} {
		if r != nil {
			all[name] = shapeValue{r, true}
		}
	}
	for name, given := range map[string]bool{
		"by": s.By != "", "every": s.Every != 0, "before": s.Before != 0, "rise": s.Rise != 0, "hold": s.Hold != 0, "fall": s.Fall != 0, "after": s.After != 0,
		"period": s.Period != 0, "timezone": s.Timezone != "", "file": s.File != "", "scale": s.Scale != 0, "capture": s.Capture != "", "speed": s.Speed != "",
	} {
		if given {
			all[name] = shapeValue{given: true}
		}
	}
	return all
}

func (s *ShapeSpec) validateShape(c *complaints, v Volume) {
	given := s.given()
	if s.Shape == "" {
		for _, name := range sortedKeys(given) {
			c.add("rate."+name, "%s: belongs to a shape: say which, as shape: %s", name, shapeOf(name))
		}
		return
	}
	c.oneOf("rate.shape", s.Shape, shapeNames)
	if !slices.Contains(shapeNames, s.Shape) {
		return
	}
	for _, k := range shapeKeys {
		switch needs, takes := slices.Contains(k.needs, s.Shape), slices.Contains(k.takes, s.Shape); {
		case needs && !given[k.name].given:
			c.add("rate.shape", "shape: %s wants %s (%s)", s.Shape, k.name, strings.TrimPrefix(k.about, s.Shape+": "))
		case given[k.name].given && !needs && !takes:
			c.add("rate."+k.name, "%s: belongs to shape: %s, not to %s", k.name, shapeOf(k.name), s.Shape)
		}
	}
	for name, d := range map[string]config.Duration{"every": s.Every, "before": s.Before, "rise": s.Rise, "hold": s.Hold, "fall": s.Fall, "after": s.After, "period": s.Period} {
		if d < 0 {
			c.add("rate."+name, "%s: want more than 0s", name)
		}
	}
	s.validateForm(c, v)
}

func (s *ShapeSpec) validateForm(c *complaints, v Volume) {
	switch s.Shape {
	case "step":
		if _, _, err := s.by(); s.By != "" && err != nil {
			c.add("rate.by", "by: %v", err)
		} else if s.From != nil && s.To != nil && s.By != "" && s.Every > 0 && len(s.steps()) >= mostSteps {
			c.add("rate.by", "by: want fewer than %d steps from %v to %v", mostSteps, s.From, s.To)
		}
	case "sine":
		if s.Mean != nil && s.Amplitude != nil && s.Amplitude.PerSecond > s.Mean.PerSecond {
			c.add("rate.amplitude", "amplitude: want at most the mean %v: a rate below 0 is none", s.Mean)
		}
	case "diurnal":
		if s.Peak != nil && s.Trough != nil && s.Trough.PerSecond > s.Peak.PerSecond {
			c.add("rate.trough", "trough: want at most the peak %v", s.Peak)
		}
		if _, err := s.speed(); err != nil {
			c.add("rate.speed", "speed: %v", err)
		} else if s.Speed != "" && s.Period != 0 {
			c.add("rate.speed", "speed: want either speed or period: both say how long a day lasts")
		}
		if _, err := time.LoadLocation(s.Timezone); err != nil {
			c.add("rate.timezone", "timezone: want a name such as Europe/Berlin, got %q", s.Timezone)
		}
	case "csv":
		if s.Scale < 0 {
			c.add("rate.scale", "scale: want more than 0")
		}
	case "replay":
		if _, err := s.speed(); err != nil {
			c.add("rate.speed", "speed: %v", err)
		}
	}
	if (s.Shape == "sine" || s.Shape == "diurnal") && v == (Volume{}) {
		c.add("rate.shape", "shape: %s has no end of its own: give a volume: messages, bytes or duration", s.Shape)
	}
}

// shapeOf says which form a key belongs to.
func shapeOf(name string) string {
	for _, k := range shapeKeys {
		if k.name == name {
			return strings.Join(append(slices.Clone(k.needs), k.takes...), " or ")
		}
	}
	return ""
}

// shape makes the curve.
func (p *Profile) shape(now time.Time) (Curve, error) {
	s := &p.Rate.ShapeSpec
	switch s.Shape {
	case "step":
		var all Pieces
		for i, r := range s.steps() {
			all = all.Append(fmt.Sprintf("step %d", i+1), r, r, time.Duration(s.Every))
		}
		return all, nil
	case "spike":
		return s.spike(), nil
	case "sine":
		mean, a := s.Mean.PerSecond, s.Amplitude.PerSecond
		return Cycle{wave("sine", time.Duration(s.Period), func(x float64) float64 { return mean + a*math.Sin(2*math.Pi*x) })}, nil
	case "diurnal":
		return s.day(now), nil
	case "csv":
		c, err := readCurve(p.path(s.File), s.Scale)
		if err != nil {
			return nil, fileError("rate.file", s.File, err)
		}
		return c, nil
	}
	return p.replay()
}

const mostSteps = 1000

// by is a step's difference: messages (or bytes)/s, or a factor.
func (s *ShapeSpec) by() (more, factor float64, err error) {
	if share, ok := strings.CutSuffix(string(s.By), "%"); ok {
		v, err := strconv.ParseFloat(strings.TrimSpace(share), 64)
		if err != nil || !(v > 0) || v > 1000 {
			return 0, 0, fmt.Errorf("%q is no step; write 5k/s or 10%%", s.By)
		}
		return 0, 1 + v/100, nil
	}
	var r config.Rate
	if err := r.UnmarshalText([]byte(s.By)); err != nil || r.Max || !(r.PerSecond > 0) {
		return 0, 0, fmt.Errorf("%q is no step; write 5k/s or 10%%", s.By)
	}
	if s.From != nil && r.Bytes != s.From.Bytes {
		return 0, 0, fmt.Errorf("%q has another unit than from", s.By)
	}
	return r.PerSecond, 1, nil
}

// steps are the rates of the stairs, up or down; the last is to, whatever is left of a step.
func (s *ShapeSpec) steps() []float64 {
	more, factor, err := s.by()
	if err != nil {
		return nil
	}
	var all []float64
	for r, to := s.From.PerSecond, s.To.PerSecond; len(all) < mostSteps; {
		all = append(all, r)
		if r == to {
			break
		}
		if r < to {
			r = min(to, max(r*factor+more, r+0.001))
		} else {
			r = max(to, min(r/factor-more, r-0.001))
		}
	}
	return all
}

func (s *ShapeSpec) spike() Pieces {
	or := func(d config.Duration, other time.Duration) time.Duration {
		if d > 0 {
			return time.Duration(d)
		}
		return other
	}
	base, peak := s.Base.PerSecond, s.Peak.PerSecond
	before, rise := or(s.Before, time.Minute), or(s.Rise, 10*time.Second)
	return Pieces(nil).Append("before", base, base, before).Append("rise", base, peak, rise).Append("peak", peak, peak, time.Duration(s.Hold)).
		Append("fall", peak, base, or(s.Fall, rise)).Append("after", base, base, or(s.After, before))
}

// wavePieces are straight pieces of a wave: with as many the rate is within 0.02 % of the amplitude.
const wavePieces = 256

// wave draws a form over x from 0 to 1.
func wave(name string, length time.Duration, form func(x float64) float64) Pieces {
	var all Pieces
	for i := range wavePieces {
		from, to := length*time.Duration(i)/wavePieces, length*time.Duration(i+1)/wavePieces
		all = all.Append(name, max(0, form(float64(i)/wavePieces)), max(0, form(float64(i+1)/wavePieces)), max(1, to-from))
	}
	return all
}

// day is a cosine between the trough at 04:00 and the peak at 16:00.
func (s *ShapeSpec) day(now time.Time) Curve {
	length, begin := 24*time.Hour, 0.0
	if s.Period > 0 {
		length = time.Duration(s.Period)
	}
	if speed, err := s.speed(); err == nil {
		length = time.Duration(float64(length) / speed)
	}
	if s.Timezone != "" {
		if zone, err := time.LoadLocation(s.Timezone); err == nil {
			local := now.In(zone)
			begin = float64(local.Hour()*3600+local.Minute()*60+local.Second()) / 86400
		}
	}
	middle, half := (s.Peak.PerSecond+s.Trough.PerSecond)/2, (s.Peak.PerSecond-s.Trough.PerSecond)/2
	return Cycle{wave("day", length, func(x float64) float64 { return middle - half*math.Cos(2*math.Pi*(begin+x-4.0/24)) })}
}

// speed of a replay or of a day.
func (s *ShapeSpec) speed() (float64, error) {
	if s.Speed == "" {
		return 1, nil
	}
	v, err := strconv.ParseFloat(strings.TrimSuffix(string(s.Speed), "x"), 64)
	if err != nil || !(v > 0) || v > 1e6 {
		return 0, fmt.Errorf("%q is no speed; write 2x or 0.5x", s.Speed)
	}
	return v, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
