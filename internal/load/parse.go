package load

import (
	"cmp"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"weir/internal/config"
	"weir/internal/content"
)

// Parse reads a profile; name stands in the complaints, and paths in the profile are relative to the folder of name.
func Parse(name string, data []byte, opt ...ParseOption) (*Profile, error) {
	p := &Profile{dir: filepath.Dir(name), read: reading{name: name, data: data}}
	for _, f := range opt {
		f(&p.read)
	}
	if err := p.read.decode(p); err != nil {
		return nil, err
	}
	p.source = p.read.text()
	return p, nil
}

// Effective is the profile as it is run, with what flags and other files have changed, in the form that [Parse] reads.
func (p *Profile) Effective() ([]byte, error) {
	whole := *p
	whole.Extends = "" // it is in it
	return yaml.Marshal(&whole)
}

// Text is the file that the profile was read from, with what it extends.
func (p *Profile) Text() string { return p.source }

// Override is what flags say instead of the profile. Zero fields change nothing.
type Override struct {
	Topic    string
	Rate     *config.Rate // in place of all stages
	Size     config.Size  // constant
	Count    config.Count
	Duration time.Duration
}

// Apply changes the profile as flags want it. Count and Duration replace the profile's volume; then the last stage goes on
// until they are reached, whatever its own duration was. The warm-up of a run that Rate or Duration changes is at most half of it.
func (p *Profile) Apply(o Override) error {
	if o.Topic != "" {
		if len(p.Mix) > 0 {
			return errors.New("a mix has several topics: none of them can be replaced here")
		}
		p.Topic.Name = o.Topic
		p.Verify.Destination.Table = ""
	}
	if o.Size > 0 {
		if len(p.Mix) == 0 {
			p.Size = content.Size{Distribution: "constant", Bytes: o.Size, Pad: p.Size.Pad}
		}
		for i := range p.Mix {
			p.Mix[i].Size = content.Size{Distribution: "constant", Bytes: o.Size, Pad: p.Mix[i].Size.Pad}
		}
	}
	if o.Rate != nil {
		total := p.stageTime()
		if p.Volume == (Volume{}) {
			p.Volume.Duration = config.Duration(total)
		}
		p.Rate = Rate{Stages: []StageSpec{{Name: "hold", Target: *o.Rate}}}
		if o.Rate.Max {
			p.Rate = Rate{Max: true}
		}
		p.Warmup = min(p.Warmup, config.Duration(total/2))
	}
	if o.Count > 0 || o.Duration > 0 {
		p.Volume = Volume{Messages: o.Count, Duration: config.Duration(o.Duration)}
		if o.Duration > 0 {
			p.Warmup = min(p.Warmup, config.Duration(o.Duration/2))
		}
		if n := len(p.Rate.Stages); n > 0 {
			p.Rate.openEnd()
		}
	}
	names := p.stageNames()
	for i := range p.Thresholds { // of a stage that these flags took away: the whole run is judged
		if t := &p.Thresholds[i]; names != nil && !slices.Contains(names, t.Stage) {
			t.Stage = ""
		}
	}
	for i := range p.Hooks { // likewise: from the start
		stage, offset, _ := strings.Cut(string(p.Hooks[i].At), "+")
		if _, err := time.ParseDuration(stage); err != nil && names != nil && !slices.Contains(names, strings.TrimSpace(stage)) {
			p.Hooks[i].At = text(cmp.Or(strings.TrimSpace(offset), "0s"))
		}
	}
	if all := p.Validate(); len(all) > 0 {
		return errors.New(all[0].Message)
	}
	return nil
}

func (p *Profile) stageTime() time.Duration {
	if c, err := p.Curve(time.Now()); p.Rate.Shape != "" && err == nil {
		if s, ok := c.(Planned); ok && s.End() != Forever {
			return s.End()
		}
	}
	var total time.Duration
	for _, s := range p.Rate.Stages {
		total += time.Duration(s.Duration)
	}
	return total
}

// openEnd lets the last target above 0 go on: a closing ramp would otherwise end the run before the wanted volume.
func (r *Rate) openEnd() {
	n := len(r.Stages)
	for n > 1 && r.Stages[n-1].Target.PerSecond == 0 {
		n--
	}
	last, from := r.Stages[n-1], r.Stages[n-1].Target.PerSecond
	if n > 1 {
		from = r.Stages[n-2].Target.PerSecond
	} else if r.Start != nil {
		from = r.Start.PerSecond
	}
	r.Stages = append([]StageSpec(nil), r.Stages[:n]...)
	if from != last.Target.PerSecond && last.Duration > 0 { // a ramp keeps its slope, its top is held
		r.Stages = append(r.Stages, StageSpec{Name: "hold", Target: last.Target})
		return
	}
	r.Stages[n-1].Duration = 0
}
