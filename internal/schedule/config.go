package schedule

import (
	"fmt"
	"time"

	"github.com/robfig/cron/v3"

	"weir/internal/config"
)

// Config is the `schedule` block of a job file.
type Config struct {
	Cron     string `yaml:"cron,omitempty" jsonschema:"description=when a data interval ends and its run starts: five fields or @hourly or @daily …"`
	Timezone string `yaml:"timezone,omitempty" jsonschema:"description=of the cron; default UTC"`
	CatchUp  string `yaml:"catch_up,omitempty" jsonschema:"enum=none,enum=latest,enum=all,description=which intervals that passed while nothing served are run; default latest"`
	Start    string `yaml:"start,omitempty" jsonschema:"description=first day whose interval counts: 2026-11-01"`
	Parallel int    `yaml:"max_parallel,omitempty" jsonschema:"description=intervals of this job at once; default 1"`
	Always   bool   `yaml:"always,omitempty" jsonschema:"description=in place of cron: a stream that runs as long as pipeline serve does"`
}

// Retry is the `retry` block of a job file.
type Retry struct {
	Attempts int             `yaml:"attempts,omitempty" jsonschema:"description=of a run; default 3"`
	Backoff  config.Duration `yaml:"backoff,omitempty" jsonschema:"description=wait before the second attempt: a random time up to it; it doubles; default 1m"`
	Max      config.Duration `yaml:"max,omitempty" jsonschema:"description=longest wait; default 30m"`
}

// Validate names what is wrong.
func (c Config) Validate() []config.Invalid {
	var bad []config.Invalid
	say := func(path, format string, args ...any) {
		bad = append(bad, config.Invalid{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	switch {
	case c.Always && c.Cron != "":
		say("cron", "expected either cron or always: true")
	case !c.Always && c.Cron == "":
		say("cron", "expected five fields such as \"0 6 * * *\", or @daily")
	case c.Cron != "":
		if _, err := cron.ParseStandard(c.Cron); err != nil {
			say("cron", "expected five fields such as \"0 6 * * *\", or @daily, got %q: %v", c.Cron, err)
		}
	}
	if _, err := time.LoadLocation(c.Timezone); err != nil {
		say("timezone", "expected a name such as Europe/Berlin, got %q", c.Timezone)
	}
	if c.CatchUp != "" && c.CatchUp != "none" && c.CatchUp != "latest" && c.CatchUp != "all" {
		say("catch_up", "expected none, latest or all, got %q", c.CatchUp)
	}
	if c.Start != "" {
		if _, err := time.Parse(time.DateOnly, c.Start); err != nil {
			say("start", "expected a date such as 2026-11-01, got %q", c.Start)
		}
	}
	if c.Parallel < 0 || c.Parallel > 64 {
		say("max_parallel", "expected 1 to 64, got %d", c.Parallel)
	}
	return bad
}

// Validate names what is wrong.
func (r Retry) Validate() []config.Invalid {
	if r.Attempts < 0 || r.Attempts > 100 {
		return []config.Invalid{{Path: "attempts", Message: fmt.Sprintf("expected 1 to 100, got %d", r.Attempts)}}
	}
	return nil
}

// WithDefaults fills in what is open.
func (r Retry) WithDefaults() Retry {
	if r.Attempts == 0 {
		r.Attempts = 3
	}
	if r.Backoff == 0 {
		r.Backoff = config.Duration(time.Minute)
	}
	if r.Max == 0 {
		r.Max = config.Duration(30 * time.Minute)
	}
	return r
}
