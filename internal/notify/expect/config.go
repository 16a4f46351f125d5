package expect

import (
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"weir/internal/config"
)

// Config is what is expected of one job: an entry under `expect` in units.yaml.
type Config struct {
	Unit     string   `yaml:"unit" jsonschema:"description=Business unit; empty: the one that lists the job"`
	Title    string   `yaml:"title" jsonschema:"description=What the business calls it until its first run has said so"`
	Schedule string   `yaml:"schedule" jsonschema:"description=When it should run: five cron fields like 0 6 * * 1-5 or @daily"`
	Timezone string   `yaml:"timezone" jsonschema:"description=Of all times here; empty: that of defaults"`
	Calendar string   `yaml:"calendar" jsonschema:"description=Days on which it runs; empty: the unit's calendar if it has one and else each day that the schedule names"`
	Date     Date     `yaml:"business_date" jsonschema:"enum=same_day,enum=previous_day,enum=previous_working_day,description=The day that a run stands for; same_day if empty"`
	StartBy  Deadline `yaml:"start_by" jsonschema:"description=Time of day (06:30) or time after the schedule (45m) by which it must have started"`
	FinishBy Deadline `yaml:"finish_by" jsonschema:"description=Time of day (07:30) or time after the schedule (90m) by which its data must be ready"`

	After     []string        `yaml:"after" jsonschema:"description=Jobs whose data it needs: a message about a late run says how they stand"`
	Rows      *Rows           `yaml:"rows" jsonschema:"description=How many rows are usual"`
	Rejected  *Rejected       `yaml:"rejected" jsonschema:"description=How much of its input may be refused"`
	Freshness config.Duration `yaml:"freshness" jsonschema:"description=For a job without a schedule such as a stream: the longest time without any sign of it"`
	Repeat    config.Duration `yaml:"repeat" jsonschema:"description=How often a message about a late run is brought up to date; empty: never"`
}

// Date says which day a run stands for.
type Date string

// The choices for business_date.
const (
	SameDay            Date = "same_day"
	PreviousDay        Date = "previous_day"
	PreviousWorkingDay Date = "previous_working_day"
)

// Rows says which numbers of rows are usual. At least [Fewest] earlier days are needed, else it is silent.
type Rows struct {
	Usual     string  `yaml:"usual" jsonschema:"enum=same_weekday,enum=any_day,description=Which earlier days it is compared with; same_weekday if empty"`
	Window    int     `yaml:"window" jsonschema:"description=How many of them; 8 if empty"`
	Warn      *Spread `yaml:"warn_outside" jsonschema:"description=How far from the median is no longer usual: 3 mad; its readers are warned"`
	FailBelow *int64  `yaml:"fail_below" jsonschema:"description=With fewer rows than this the data is not usable"`
}

// The values of rows.usual.
const (
	SameWeekday = "same_weekday"
	AnyDay      = "any_day"
)

// Rejected says how much of the input may be refused.
type Rejected struct {
	Warn *config.Percent `yaml:"warn" jsonschema:"description=Above this share its readers are warned: 0.1%"`
	Fail *config.Percent `yaml:"fail" jsonschema:"description=Above this share the data is not usable: 1%"`
}

// A Deadline is a time of day, or a time after the schedule. The zero value is none.
type Deadline struct {
	set    bool
	clock  bool
	offset time.Duration // since midnight by the clock, or after the schedule
}

// Expected is for messages about what stands there instead.
func (Deadline) Expected() string {
	return "a time of day such as 06:30 or a time after the schedule such as 45m"
}

// IsSet reports whether there is one.
func (d Deadline) IsSet() bool { return d.set }

func (d Deadline) String() string {
	switch {
	case !d.set:
		return ""
	case d.clock:
		return fmt.Sprintf("%02d:%02d", d.offset/time.Hour, d.offset%time.Hour/time.Minute)
	}
	return config.Duration(d.offset).String()
}

// MarshalText is the inverse of UnmarshalText.
func (d Deadline) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads 06:30 or 45m.
func (d *Deadline) UnmarshalText(b []byte) error {
	s := string(b)
	if s == "" {
		*d = Deadline{}
		return nil
	}
	if strings.Contains(s, ":") {
		t, err := time.Parse("15:04", s)
		if err != nil {
			return fmt.Errorf("%q is no time of day; write it as 06:30", s)
		}
		*d = Deadline{true, true, time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute}
		return nil
	}
	v, err := time.ParseDuration(s)
	if err != nil || v <= 0 || v > maxAfter {
		return fmt.Errorf("%q is no deadline; write a time of day such as 06:30, or a time after the schedule such as 45m", s)
	}
	*d = Deadline{true, false, v}
	return nil
}

// maxAfter is the longest time after the schedule: what comes later than a month is no daily matter.
const maxAfter = 31 * 24 * time.Hour

// A Spread is how far from the median is still usual, in median absolute deviations: "3 mad".
type Spread float64

// Expected is for messages about what stands there instead.
func (Spread) Expected() string { return "a number of median absolute deviations such as 3 mad" }

func (s Spread) String() string { return fmt.Sprintf("%g mad", float64(s)) }

// MarshalText is the inverse of UnmarshalText.
func (s Spread) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads "3 mad".
func (s *Spread) UnmarshalText(b []byte) error {
	var v float64
	text, ok := strings.CutSuffix(strings.TrimSpace(string(b)), "mad")
	if n, err := fmt.Sscanf(strings.TrimSpace(text), "%g", &v); !ok || err != nil || n != 1 || !(v > 0 && v <= 1000) || strings.TrimSpace(text) != fmt.Sprintf("%g", v) {
		return fmt.Errorf("%q is no spread; write 3 mad: so many median absolute deviations", b)
	}
	*s = Spread(v)
	return nil
}

// Check complains about what is wrong, each with its place below the entry.
func (c Config) Check() []config.Invalid {
	var bad []config.Invalid
	no := func(path, format string, args ...any) {
		bad = append(bad, config.Invalid{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	if c.Schedule != "" {
		if _, err := parseCron(c.Schedule); err != nil {
			no("schedule", "%v", err)
		}
		if !c.StartBy.set && !c.FinishBy.set {
			no("", "say start_by, finish_by or both: by when is it late?")
		}
		if c.Freshness != 0 {
			no("freshness", "is for a job without a schedule; write finish_by instead")
		}
	} else if c.StartBy.set || c.FinishBy.set {
		no("", "schedule is missing: on which days is it expected?")
	} else if c.Freshness == 0 && c.Rows == nil && c.Rejected == nil {
		no("", "nothing is expected; write a schedule with finish_by, rows, rejected or freshness")
	}
	if _, err := time.LoadLocation(c.Timezone); err != nil {
		no("timezone", "%q is no time zone; write one like Europe/Berlin", c.Timezone)
	}
	switch c.Date {
	case "", SameDay, PreviousDay, PreviousWorkingDay:
	default:
		no("business_date", "%q is unknown; write same_day, previous_day or previous_working_day", c.Date)
	}
	if c.Freshness < 0 || c.Freshness > 0 && time.Duration(c.Freshness) < time.Minute {
		no("freshness", "write at least 1m")
	}
	if c.Repeat < 0 || c.Repeat > 0 && time.Duration(c.Repeat) < time.Minute {
		no("repeat", "write at least 1m")
	}
	c.Rows.check(no)
	c.Rejected.check(no)
	return bad
}

func (r *Rows) check(no func(path, format string, args ...any)) {
	if r == nil {
		return
	}
	if r.Usual != "" && r.Usual != SameWeekday && r.Usual != AnyDay {
		no("rows.usual", "%q is unknown; write same_weekday or any_day", r.Usual)
	}
	if r.Window != 0 && (r.Window < Fewest || r.Window > mostWindow) {
		no("rows.window", "write %d to %d", Fewest, mostWindow)
	}
	if r.FailBelow != nil && *r.FailBelow < 1 {
		no("rows.fail_below", "write at least 1")
	}
}

func (r *Rejected) check(no func(path, format string, args ...any)) {
	if r == nil {
		return
	}
	for name, p := range map[string]*config.Percent{"warn": r.Warn, "fail": r.Fail} {
		if p != nil && (*p < 0 || *p > 1) {
			no("rejected."+name, "write 0%% to 100%%")
		}
	}
	if r.Warn != nil && r.Fail != nil && *r.Warn > *r.Fail {
		no("rejected.warn", "is above fail, and would never warn")
	}
}

// parseCron reads a schedule whose ticks are times of the wall clock.
func parseCron(s string) (cron.Schedule, error) {
	want := `write five fields such as "0 6 * * 1-5", or @daily`
	if strings.HasPrefix(s, "TZ=") || strings.HasPrefix(s, "CRON_TZ=") {
		return nil, fmt.Errorf("%q: write the zone under timezone", s)
	}
	p, err := cron.ParseStandard(s)
	if err != nil {
		return nil, fmt.Errorf("%q is no schedule: %w; %s", s, err, want)
	}
	spec, ok := p.(*cron.SpecSchedule)
	if !ok {
		return nil, fmt.Errorf("%q has no times of day; %s", s, want)
	}
	spec.Location = time.UTC // the wall clock's times are kept as if they were UTC: see Rule.Slots
	return spec, nil
}
