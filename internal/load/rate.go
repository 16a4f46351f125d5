package load

import (
	"fmt"
	"time"

	"weir/internal/config"
)

// Rate says when messages are due: by stages, by a shape, or by the acknowledgements.
type Rate struct {
	Max     bool         `yaml:"-"` // written rate: max
	Arrival string       `yaml:"arrival,omitempty"`
	Start   *config.Rate `yaml:"start,omitempty"`
	Stages  []StageSpec  `yaml:"stages,omitempty"`
	Closed  *Closed      `yaml:"closed,omitempty"`

	ShapeSpec `yaml:",inline"`
}

// A StageSpec is one piece of the rate's curve.
type StageSpec struct {
	Name string `yaml:"name,omitempty"`
	// Duration may be left out of the last stage: it then holds its target until the volume is sent.
	Duration config.Duration `yaml:"duration,omitempty"`
	Target   config.Rate     `yaml:"target"`
}

// Closed is a closed model: the next message is sent when one is acknowledged. Its latencies are those of a system that is never
// asked for more than it can give.
type Closed struct {
	InFlight config.Count `yaml:"in_flight"`
}

// UnmarshalYAML takes the word max in place of the section.
func (r *Rate) UnmarshalYAML(unmarshal func(any) error) error {
	var word string
	if unmarshal(&word) == nil && word != "" {
		if word != "max" {
			return fmt.Errorf("rate: want stages, a shape, closed, or the word max, got %q", word)
		}
		*r = Rate{Max: true}
		return nil
	}
	type section Rate
	return unmarshal((*section)(r))
}

// MarshalYAML writes what UnmarshalYAML reads.
func (r Rate) MarshalYAML() (any, error) {
	if r.Max {
		return "max", nil
	}
	type section Rate
	return section(r), nil
}

// flat reports that no message is due at a time of its own.
func (r *Rate) flat() bool { return r.Max || r.Closed != nil }

// bytes reports that the rate counts bytes.
func (r *Rate) bytes() bool {
	for _, v := range r.rates() {
		if v.Bytes {
			return true
		}
	}
	return false
}

// rates are all rates of the section, by their path below it.
func (r *Rate) rates() map[string]config.Rate {
	all := map[string]config.Rate{}
	if r.Start != nil {
		all["start"] = *r.Start
	}
	for i, s := range r.Stages {
		all[fmt.Sprintf("stages[%d].target", i)] = s.Target
	}
	for name, v := range r.given() {
		if v.rate != nil {
			all[name] = *v.rate
		}
	}
	return all
}

// Curve is the schedule of the profile: a [Planned] one, or [Flat] where acknowledgements decide. now is where a day's curve
// with a time zone begins.
func (p *Profile) Curve(now time.Time) (Curve, error) {
	switch {
	case p.Rate.flat():
		return Flat{}, nil
	case p.Rate.Shape != "":
		return p.shape(now)
	}
	from := p.Rate.Stages[0].Target.PerSecond
	if p.Rate.Start != nil {
		from = p.Rate.Start.PerSecond
	}
	var all Pieces
	for i, s := range p.Rate.Stages {
		name := s.Name
		if name == "" {
			name = fmt.Sprintf("stage %d", i+1)
		}
		all = all.Append(name, from, s.Target.PerSecond, time.Duration(s.Duration))
		from = s.Target.PerSecond
	}
	return all, nil
}

func (r *Rate) validate(c *complaints, v Volume) {
	forms := 0
	for _, given := range []bool{r.Max, len(r.Stages) > 0, r.Closed != nil, r.Shape != ""} {
		if given {
			forms++
		}
	}
	r.validateUnits(c)
	switch {
	case forms == 0:
		c.add("rate", "rate: want stages, a shape, closed, or the word max")
	case forms > 1:
		c.add("rate", "rate: want one of stages, shape and closed")
	case r.flat():
		if v == (Volume{}) {
			c.add("rate", "rate: %s needs a volume: messages, bytes or duration", r.word())
		}
		if r.Closed != nil && (r.Closed.InFlight < 1 || r.Closed.InFlight > 1_000_000) {
			c.add("rate.closed.in_flight", "in_flight: want 1 to 1M")
		}
		if r.Arrival != "" {
			c.add("rate.arrival", "arrival: with %s, acknowledgements decide when messages are sent", r.word())
		}
		return
	case r.Shape == "":
		r.validateStages(c, v)
	}
	c.oneOf("rate.arrival", r.Arrival, []string{"uniform", "poisson"})
	r.validateShape(c, v)
}

func (r *Rate) word() string {
	if r.Closed != nil {
		return "closed"
	}
	return "max"
}

func (r *Rate) validateStages(c *complaints, v Volume) {
	var peak float64
	for i, s := range r.Stages {
		path := fmt.Sprintf("rate.stages[%d]", i)
		peak = max(peak, s.Target.PerSecond)
		switch last := i == len(r.Stages)-1; {
		case s.Duration < 0:
			c.add(path+".duration", "duration: want more than 0s")
		case s.Duration == 0 && !last:
			c.add(path, "stage %d: want a duration; only the last stage may go on until the volume is sent", i+1)
		case s.Duration == 0 && v == (Volume{}):
			c.add(path, "stage %d: want a duration, or a volume that ends the run", i+1)
		case s.Duration == 0 && s.Target.PerSecond == 0:
			c.add(path, "stage %d: want a duration: at 0/s the volume is never sent", i+1)
		}
	}
	if r.Start != nil {
		peak = max(peak, r.Start.PerSecond)
	}
	if len(r.Stages) > 0 && peak == 0 {
		c.add("rate.stages", "stages: the rate is 0/s all the time; want a target above it")
	}
}

// validateUnits wants messages/s everywhere, or bytes/s everywhere.
func (r *Rate) validateUnits(c *complaints) {
	bytes, all := r.bytes(), r.rates()
	for _, path := range sortedKeys(all) {
		v := all[path]
		most := 100e6
		if bytes {
			most = 1e12
		}
		switch at := "rate." + path; {
		case v.Max:
			c.add(at, "%s: max is a choice for the whole rate: write rate: max", lastOf(at))
		case v.Bytes != bytes && v.PerSecond > 0:
			c.add(at, "%s: the other rates are in bytes/s: give all of them as 12MiB/s, or all as 20k/s", lastOf(at))
		case v.PerSecond < 0 || v.PerSecond > most:
			c.add(at, "%s: want 0/s to 100M/s", lastOf(at))
		}
	}
}
