package notify

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"weir/internal/config"
	"weir/internal/notify/expect"
	"weir/internal/notify/words"
)

// Units is units.yaml: which business unit is told what, where, in which words.
type Units struct {
	Version   int                      `yaml:"version" jsonschema:"description=Version of this format: 1,required"`
	Defaults  Defaults                 `yaml:"defaults" jsonschema:"description=What holds unless a channel says otherwise"`
	Channels  map[string]ChannelCfg    `yaml:"channels" jsonschema:"description=Where messages can go to, by name"`
	Units     map[string]UnitCfg       `yaml:"units" jsonschema:"description=Business units by their short name"`
	Routes    []Route                  `yaml:"routes" jsonschema:"description=The first route that matches wins"`
	Default   []string                 `yaml:"default" jsonschema:"description=Channels for what no route matches: nothing may vanish,required"`
	Fallback  []string                 `yaml:"fallback" jsonschema:"description=Channels that are told when another one is blocked or a message could not be delivered"`
	Templates map[string]Template      `yaml:"templates" jsonschema:"description=Words of a unit's own"`
	Expect    map[string]expect.Config `yaml:"expect" jsonschema:"description=What is expected of jobs; by their name: when they must be ready and how many rows are usual"`
	Tests     []Test                   `yaml:"tests" jsonschema:"description=Run by notify check"`

	Fold        []FoldCfg       `yaml:"fold" jsonschema:"description=While a cause is broken its effects are lines in its message"`
	SilencesMax config.Duration `yaml:"silences_max" jsonschema:"description=The longest silence; 14d if empty"`
	Keep        config.Duration `yaml:"keep" jsonschema:"description=How long what was told stays in the outbox: for explain and so that the same event is not told again; 90d if empty"`
}

// Defaults hold unless a channel says otherwise.
type Defaults struct {
	Timezone  string `yaml:"timezone" jsonschema:"description=Zone of the times in messages; UTC if empty"`
	Language  string `yaml:"language" jsonschema:"description=Language of the messages: en or de; en if empty"`
	Env       string `yaml:"env" jsonschema:"description=Environment of the jobs (prod-emr): an attribute for programs that read a topic and part of an event's source"`
	OnUnknown string `yaml:"on_unknown" jsonschema:"description=When it cannot be found out whether a message has arrived: resend or hold. Empty: resend bad news; hold good news"`
	Retry     Retry  `yaml:"retry" jsonschema:"description=How long a refused message is tried again"`

	TellAfter *config.Duration `yaml:"tell_after" jsonschema:"description=A failure that the job will try to mend by itself is told after this; before only its message changes. 10m if empty; 0s tells at once"`
	TTL       config.Duration  `yaml:"ttl" jsonschema:"description=What could not leave for so long is expired: no longer sent but told in the digest; 7d if empty"`
}

// Retry bounds the tries of one message. Times during which its channel is blocked do not count.
type Retry struct {
	Budget  config.Duration `yaml:"budget" jsonschema:"description=Then the message is dead and the fallback is told; 24h if empty"`
	MaxWait config.Duration `yaml:"max_wait" jsonschema:"description=The longest wait between two tries; 5m if empty"`
	Tries   int             `yaml:"tries" jsonschema:"description=40 if empty"`
}

// UnitCfg is a business unit.
type UnitCfg struct {
	Title string   `yaml:"title" jsonschema:"description=Its full name"`
	Jobs  []string `yaml:"jobs" jsonschema:"description=Jobs that belong to it (names or globs; with a namespace: prod-airflow/gl_*) where the job does not name its unit itself"`
	Ask   string   `yaml:"ask" jsonschema:"description=Whom its people ask"`

	Calendar  string           `yaml:"calendar" jsonschema:"description=Its working days: target2 or us-federal or gb or de or de-by … or weekdays or none (each day) or file:PATH with one date a line"`
	Timezone  string           `yaml:"timezone" jsonschema:"description=Zone of its hours and of the times in its messages; as in defaults if empty"`
	Language  string           `yaml:"language" jsonschema:"description=Language of its messages: en or de; as in defaults if empty"`
	Quiet     *QuietCfg        `yaml:"quiet" jsonschema:"description=When it does not want to be disturbed: what comes then is held and told afterwards if it is still true"`
	Digest    *DigestCfg       `yaml:"digest" jsonschema:"description=One message a day that says how things stand"`
	OnCall    string           `yaml:"on_call" jsonschema:"description=Who is pinged besides when severity is critical: a Slack id (U… S…)"`
	TellAfter *config.Duration `yaml:"tell_after" jsonschema:"description=As in defaults but for this unit"`
}

// A Route sends matching events to channels. A child that matches replaces its parent's channels.
type Route struct {
	When    string   `yaml:"when" jsonschema:"description=unit = \"FIN\" and state in [\"failed\"]; empty matches all"`
	To      []string `yaml:"to" jsonschema:"description=Channels"`
	Mention string   `yaml:"mention" jsonschema:"description=Who is pinged on bad news: a Slack id (U… S…) or @here"`
	Also    bool     `yaml:"also" jsonschema:"description=After a match go on with the next route"`
	Routes  []Route  `yaml:"routes" jsonschema:"description=Finer routes; the first that matches wins"`
}

// A Test is an event and where it must go.
type Test struct {
	Event      map[string]any `yaml:"event" jsonschema:"description=Fields of an event,required"`
	At         string         `yaml:"at" jsonschema:"description=When it comes in the unit's time zone (2026-11-23 21:00): then quiet hours count"`
	Broken     []string       `yaml:"broken" jsonschema:"description=Jobs that are broken then: fold counts"`
	Expect     []string       `yaml:"expect" jsonschema:"description=The channels that are told; in any order,required"`
	Held       []string       `yaml:"held" jsonschema:"description=The channels in which it is held"`
	Suppressed []string       `yaml:"suppressed" jsonschema:"description=The channels in which it is not told"`
}

// DefaultUnits sends everything to a file in the home, and to stderr.
func DefaultUnits() Units {
	return Units{
		Version:  1,
		Channels: map[string]ChannelCfg{"console": {Console: &ConsoleCfg{Path: "notifications.txt", Echo: true}}},
		Default:  []string{"console"}, Fallback: []string{"console"},
	}
}

// Validate says what is wrong, each with its place.
func (u Units) Validate() []config.Invalid {
	var bad []config.Invalid
	no := func(path, format string, args ...any) {
		bad = append(bad, config.Invalid{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	if u.Version != 1 {
		no("version", "version %d is unknown; write 1", u.Version)
	}
	u.Defaults.validate(no)
	if k := time.Duration(u.Keep); k != 0 && k < leastKept {
		no("keep", "%s is too short: what comes a second time would be told again; write %dd or more", words.Of("").Duration(k), leastKept/day)
	}
	for _, name := range slices.Sorted(maps.Keys(u.Channels)) {
		u.Channels[name].validate("channels."+name, no)
	}
	for _, name := range slices.Sorted(maps.Keys(u.Units)) {
		c := u.Units[name]
		if _, err := workingDays(c.Calendar); err != nil {
			no("units."+name+".calendar", "%v", err)
		}
		if _, err := time.LoadLocation(c.Timezone); err != nil {
			no("units."+name+".timezone", "%q is no time zone; write one like Europe/Berlin", c.Timezone)
		}
		checkLanguage("units."+name+".language", c.Language, no)
		if c.Quiet != nil {
			c.Quiet.validate("units."+name+".quiet", no)
		}
		if c.Digest != nil {
			c.Digest.validate("units."+name+".digest", u, no)
		}
		for i, g := range c.Jobs {
			if _, err := filepath.Match(g, ""); err != nil {
				no(fmt.Sprintf("units.%s.jobs[%d]", name, i), "%q is no glob; write a name or gl_*", g)
			}
		}
	}
	u.validateExpect(no)
	u.validateFold(no)
	u.validateRoutes("routes", u.Routes, no)
	if len(u.Default) == 0 {
		no("default", "name at least one channel: what no route matches must not vanish")
	}
	u.known("default", u.Default, no)
	u.known("fallback", u.Fallback, no)
	for _, name := range slices.Sorted(maps.Keys(u.Templates)) {
		if _, ok := u.Units[name]; !ok && name != "default" {
			no("templates."+name, "there is no unit %q%s", name, didYouMean(name, slices.Sorted(maps.Keys(u.Units))))
		}
		u.Templates[name].validate("templates."+name, name == "default", no)
	}
	for i, t := range u.Tests {
		u.known(fmt.Sprintf("tests[%d].expect", i), t.Expect, no)
		u.known(fmt.Sprintf("tests[%d].held", i), t.Held, no)
		u.known(fmt.Sprintf("tests[%d].suppressed", i), t.Suppressed, no)
		if _, err := t.at(time.UTC); err != nil {
			no(fmt.Sprintf("tests[%d].at", i), "%v", err)
		}
		if err := t.check(); err != nil {
			no(fmt.Sprintf("tests[%d].event", i), "%v", err)
		}
	}
	return bad
}

type complain func(path, format string, args ...any)

func (d Defaults) validate(no complain) {
	if _, err := time.LoadLocation(d.Timezone); err != nil {
		no("defaults.timezone", "%q is no time zone; write one like Europe/Berlin", d.Timezone)
	}
	checkLanguage("defaults.language", d.Language, no)
	if d.OnUnknown != "" && d.OnUnknown != resend && d.OnUnknown != hold {
		no("defaults.on_unknown", "%q is unknown; write resend or hold", d.OnUnknown)
	}
	d.Retry.validate("defaults.retry", no)
}

func checkLanguage(path, tag string, no complain) {
	if tags := words.Tags(); tag != "" && !slices.Contains(tags, tag) {
		no(path, "there are no words in %q; one of %s", tag, strings.Join(tags, ", "))
	}
}

func (r Retry) validate(path string, no complain) {
	for name, v := range map[string]int64{"budget": int64(r.Budget), "max_wait": int64(r.MaxWait), "tries": int64(r.Tries)} {
		if v < 0 {
			no(path+"."+name, "must not be negative")
		}
	}
}

func (u Units) validateRoutes(path string, routes []Route, no complain) {
	for i, r := range routes {
		at := fmt.Sprintf("%s[%d]", path, i)
		if _, err := parseExpr(r.When); err != nil {
			no(at+".when", "%v", err)
		}
		if len(r.To) == 0 && len(r.Routes) == 0 {
			no(at, "to is missing: name at least one channel")
		}
		u.known(at+".to", r.To, no)
		u.validateRoutes(at+".routes", r.Routes, no)
	}
}

// known complains about channels that are not there.
func (u Units) known(path string, channels []string, no complain) {
	for i, c := range channels {
		if _, ok := u.Channels[c]; !ok {
			no(fmt.Sprintf("%s[%d]", path, i), "there is no channel %q%s", c, didYouMean(c, slices.Sorted(maps.Keys(u.Channels))))
		}
	}
}
