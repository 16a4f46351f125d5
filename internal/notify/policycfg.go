package notify

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"weir/internal/config"
	"weir/internal/outcome"
)

// QuietCfg are the hours in which a unit does not want to be disturbed.
type QuietCfg struct {
	Hours      string   `yaml:"hours" jsonschema:"description=From and to in the unit's time zone; over midnight if the second is the earlier one: 20:00-07:30"`
	Weekends   bool     `yaml:"weekends" jsonschema:"description=The days that its calendar does not work are quiet as a whole: weekends and holidays"`
	Hold       []string `yaml:"hold" jsonschema:"description=States that are held until the hours end; ready and warning if empty. Where ready is held so is progress"`
	LetThrough string   `yaml:"let_through" jsonschema:"description=What is told at once all the same: severity = critical"`
}

// DigestCfg is one message a day that says how things stand.
type DigestCfg struct {
	At      string `yaml:"at" jsonschema:"description=When; in the unit's time zone: 08:00,required"`
	Channel string `yaml:"channel" jsonschema:"description=Where,required"`
	When    string `yaml:"when" jsonschema:"description=any (each day; the default) or working_days (of its calendar)"`
}

// FoldCfg says whose failure explains whose.
type FoldCfg struct {
	Cause   string   `yaml:"cause" jsonschema:"description=The job whose failure makes others wait,required"`
	Effects []string `yaml:"effects" jsonschema:"description=The jobs that wait for it (names or globs): while it is broken they are a line in its message,required"`
}

// What holds where units.yaml says nothing.
const (
	tellAfter   = config.Duration(10 * time.Minute)
	silencesMax = config.Duration(14 * day)
	ttl         = config.Duration(7 * day)
)

func orElse(d, otherwise config.Duration) time.Duration {
	if d > 0 {
		return time.Duration(d)
	}
	return time.Duration(otherwise)
}

func (q *QuietCfg) validate(path string, no complain) {
	if q.Hours == "" && !q.Weekends {
		no(path, `say which hours: hours: "20:00-07:30", weekends: true, or both`)
	}
	if _, _, err := hours(q.Hours); q.Hours != "" && err != nil {
		no(path+".hours", "%v", err)
	}
	states := valuesOf("state")
	for i, s := range q.Hold {
		if !slices.Contains(states, s) {
			no(fmt.Sprintf("%s.hold[%d]", path, i), "there is no state %q%s; one of %s", s, didYouMean(s, states), strings.Join(states, ", "))
		}
	}
	if _, err := parseExpr(q.LetThrough); err != nil {
		no(path+".let_through", "%v", err)
	}
}

func (d *DigestCfg) validate(path string, u Units, no complain) {
	if _, err := clockOf(d.At); err != nil || d.At == "24:00" {
		no(path+".at", "%q is no time of day; write it as 08:00", d.At)
	}
	if when := []string{"any", "working_days"}; d.When != "" && !slices.Contains(when, d.When) {
		no(path+".when", "%q is unknown%s; write any or working_days", d.When, didYouMean(d.When, when))
	}
	c, ok := u.Channels[d.Channel]
	switch {
	case !ok:
		no(path+".channel", "there is no channel %q%s", d.Channel, didYouMean(d.Channel, slices.Sorted(maps.Keys(u.Channels))))
	case c.forPrograms():
		no(path+".channel", "channel %q is read by programs, a digest is for people", d.Channel)
	}
}

// forPrograms reports whether programs read the channel: they do not sleep, so that nothing is held for them.
func (c ChannelCfg) forPrograms() bool {
	return c.Webhook != nil || c.SNS != nil && (c.SNS.Format == "" || c.SNS.Format == "cloudevents")
}

func (u Units) validateFold(no complain) {
	causes := map[string]int{}
	for i, f := range u.Fold {
		at := fmt.Sprintf("fold[%d]", i)
		if f.Cause == "" {
			no(at+".cause", "name the job whose failure makes others wait")
		}
		if first, twice := causes[f.Cause]; twice {
			no(at+".cause", "%s is the cause in fold[%d] already; add the effects there", f.Cause, first)
		}
		causes[f.Cause] = i
		if len(f.Effects) == 0 {
			no(at+".effects", "name at least one job that waits for %s", f.Cause)
		}
		for k, e := range f.Effects {
			if e == "" || glob(e, f.Cause) {
				no(fmt.Sprintf("%s.effects[%d]", at, k), "%q is the cause itself", e)
			}
		}
	}
}

// quietOf makes a unit's quiet hours ready to use; nil: it has none.
func quietOf(c *QuietCfg, zone *time.Location, working func(time.Time) bool) (*quiet, error) {
	if c == nil {
		return nil, nil
	}
	q := &quiet{zone: zone, working: working, weekends: c.Weekends, hold: map[outcome.State]bool{}}
	var err error
	if c.Hours != "" {
		q.hours = true
		if q.from, q.to, err = hours(c.Hours); err != nil {
			return nil, err
		}
	}
	if c.LetThrough != "" {
		if q.let, err = parseExpr(c.LetThrough); err != nil {
			return nil, err
		}
	}
	for _, s := range c.Hold {
		q.hold[outcome.State(s)] = true
	}
	if len(c.Hold) == 0 {
		q.hold[outcome.Ready], q.hold[outcome.Warning] = true, true
	}
	q.hold[outcome.Running] = q.hold[outcome.Running] || q.hold[outcome.Ready]
	return q, nil
}
