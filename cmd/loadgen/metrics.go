package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"weir/internal/cli"
	"weir/internal/config"
	"weir/internal/load"
	"weir/internal/regress"
)

// judging are the flags that say which changes matter.
type judging struct {
	floors, gates []string
	noise         string
}

func (o *judging) flags(f *pflag.FlagSet) {
	f.StringSliceVar(&o.floors, "floor", nil, "change that matters: p99=20%, also p99=10ms; both must be reached")
	f.StringSliceVar(&o.gates, "gate", nil, "metrics that decide; default p50, p99, fresh_p99, cpu and drain, or rate, cpu and drain with rate: max; in a duet fresh_p50, fresh_p99 and cpu")
}

// kind is how runs are made, and so what there is to measure.
type kind int

const (
	paced kind = iota // a schedule
	flat              // as fast as acknowledgements allow
	duet              // two pipelines read one log: what the broker does is the same for both
)

// A few messages decide these: they are shown, and never fail a build.
var advisory = []string{"p99.9", "max"}

// metrics are those that a comparison of a kind has, with the floors below which nobody minds.
func (o *judging) metrics(k kind) ([]regress.Metric, error) {
	ms := func(name string, floor, absolute float64, gated bool) regress.Metric {
		return regress.Metric{Name: name, Unit: "ms", Better: regress.Low, Floor: floor, Absolute: absolute, Gated: gated}
	}
	all := []regress.Metric{
		ms("p50", 0.05, 0.5, true), ms("p99", 0.10, 5, true), ms("p99.9", 0.10, 5, false), ms("max", 0.10, 5, false),
		ms("fresh_p50", 0.05, 50, k == duet), ms("fresh_p99", 0.10, 100, true),
		{Name: "cpu", Unit: "s/M", Better: regress.Low, Floor: 0.03, Gated: true},
		{Name: "drain", Unit: "s", Better: regress.Low, Floor: 0.10, Absolute: 1, Gated: true},
	}
	switch k {
	case flat:
		all = append(all[6:], regress.Metric{Name: "rate", Unit: "msg/s", Better: regress.High, Floor: 0.05, Gated: true})
	case duet:
		all = all[4:7]
	case paced:
	}
	at := map[string]int{}
	for i, m := range all {
		at[m.Name] = i
	}
	for _, f := range o.floors {
		name, text, ok := strings.Cut(f, "=")
		i, known := at[name]
		var share config.Percent
		switch {
		case !ok || !known:
			return nil, cli.Usage(fmt.Errorf("--floor: expected metric=20%%, with one of %s, got %q", names(all), f), "")
		case share.UnmarshalText([]byte(text)) == nil:
			all[i].Floor = float64(share)
		default:
			v, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(text, all[i].Unit)), 64)
			if err != nil || !(v >= 0) || math.IsInf(v, 0) {
				return nil, cli.Usage(fmt.Errorf("--floor %s: expected 20%% or 5%s, got %q", name, all[i].Unit, text), "")
			}
			all[i].Absolute = v
		}
	}
	if len(o.gates) > 0 {
		for i := range all {
			all[i].Gated = false
		}
		for _, g := range o.gates {
			i, known := at[g]
			if !known {
				return nil, cli.Usage(fmt.Errorf("--gate: expected one of %s, got %q", names(all), g), "")
			}
			if slices.Contains(advisory, g) {
				return nil, cli.Usage(fmt.Errorf("--gate: %s is shown, and decides nothing: a few messages of a run make it", g), "gate p99, or a threshold of the profile with stat: "+g)
			}
			all[i].Gated = true
		}
	}
	return all, nil
}

// everyMetric are those of all kinds.
func everyMetric() ([]regress.Metric, error) {
	var o judging
	all, err := o.metrics(paced)
	if err != nil {
		return nil, err
	}
	more, err := o.metrics(flat)
	for _, m := range more {
		if !slices.ContainsFunc(all, func(x regress.Metric) bool { return x.Name == m.Name }) {
			all = append(all, m)
		}
	}
	return all, err
}

func names(all []regress.Metric) string {
	var n []string
	for _, m := range all {
		n = append(n, m.Name)
	}
	return strings.Join(n, ", ")
}

// kindFor is the kind of a profile's runs, side by side.
func kindFor(p *load.Profile) kind {
	if p.Rate.Max || p.Rate.Closed != nil {
		return flat
	}
	return paced
}

// kindOf tells from its runs what a comparison was.
func kindOf(runs []regress.Run) kind {
	for _, r := range runs {
		if r.Windows != nil {
			return duet
		}
		if _, ok := r.Values["rate"]; ok {
			return flat
		}
	}
	return paced
}

// readNoise reads the file of `loadgen calibrate`; nil if none is named.
func (o *judging) readNoise() (*calibration, error) {
	if o.noise == "" {
		return nil, nil
	}
	c := &calibration{}
	b, err := os.ReadFile(o.noise)
	if err == nil {
		err = json.Unmarshal(b, c)
	}
	if err != nil {
		return nil, cli.Usage(fmt.Errorf("--noise: %w", err), "`loadgen calibrate` writes the file")
	}
	return c, nil
}

// check refuses floors that lie in this machine's noise.
func (c *calibration) check(metrics []regress.Metric) error {
	if c == nil {
		return nil
	}
	for _, n := range c.Noise {
		for _, m := range metrics {
			if m.Name == n.Metric {
				if err := n.Check(m); err != nil {
					return cli.Usage(err, fmt.Sprintf("--floor %s=%.0f%%", m.Name, 100*n.Floor+1))
				}
			}
		}
	}
	return nil
}

// scatter is the largest one of a metric that decides.
func (c *calibration) scatter(metrics []regress.Metric) float64 {
	most := 0.0
	if c == nil {
		return most
	}
	for _, n := range c.Noise {
		if slices.ContainsFunc(metrics, func(m regress.Metric) bool { return m.Name == n.Metric && m.Gated }) {
			most = max(most, n.Spread)
		}
	}
	return most
}
