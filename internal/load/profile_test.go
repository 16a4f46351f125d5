package load

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/internal/config"
)

const small = `apiVersion: weir/v1
kind: LoadProfile
name: small
rate: {stages: [{target: 100/s}]}
volume: {messages: 10}
topic: {name: orders}
`

func mustParse(tb testing.TB, text string) *Profile {
	tb.Helper()
	p, err := Parse("p.yaml", []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// A mistake in a profile has its place and says what to do.
func TestProfileMistakesHaveTheirPlace(t *testing.T) {
	replace := func(old, new string) string { return strings.Replace(small, old, new, 1) }
	shaped := func(rate string) string { return replace("{stages: [{target: 100/s}]}", "{"+rate+"}") }
	for name, c := range map[string]struct{ text, want string }{
		"wrong version":             {replace("weir/v1", "weir/v2"), `p.yaml:1:13: apiVersion: want weir/v1, got "weir/v2"`},
		"wrong kind":                {replace("LoadProfile", "Job"), `p.yaml:2:7: kind: want LoadProfile, got "Job"`},
		"a name with blanks":        {replace("small", "Small one"), `p.yaml:3:7: name: "Small one": want lower-case letters, digits, - and _`},
		"an unknown arrival":        {replace("{stages", "{arrival: often, stages"), `p.yaml:4:17: arrival: "often" is none of uniform, poisson`},
		"a shape and stages":        {replace("{stages: [{target: 100/s}]}", "{shape: sine, stages: [{target: 1/s}]}"), `p.yaml:4:8: rate: want one of stages, shape and closed`},
		"a shape of nothing":        {shaped("shape: sine"), `p.yaml:4:15: shape: sine wants mean (the rate in the middle)`},
		"an unknown shape":          {shaped("shape: saw"), `p.yaml:4:15: shape: "saw" is none of step, spike, sine, diurnal, csv, replay`},
		"a key of another shape":    {shaped("shape: sine, mean: 9/s, amplitude: 1/s, period: 1m, trough: 1/s"), `p.yaml:4:68: trough: belongs to shape: diurnal, not to sine`},
		"a key without a shape":     {shaped("mean: 9/s, stages: [{target: 1/s}]"), `p.yaml:4:14: mean: belongs to a shape: say which, as shape: sine`},
		"a wave below 0":            {shaped("shape: sine, mean: 9/s, amplitude: 10/s, period: 1m"), `p.yaml:4:43: amplitude: want at most the mean 9/s: a rate below 0 is none`},
		"steps of nothing":          {shaped("shape: step, from: 1/s, to: 9/s, by: much, every: 1m"), `p.yaml:4:45: by: "much" is no step; write 5k/s or 10%`},
		"too many steps":            {shaped("shape: step, from: 1/s, to: 9k/s, by: 1/s, every: 1m"), `p.yaml:4:46: by: want fewer than 1000 steps from 1/s to 9k/s`},
		"a zone that is none":       {shaped("shape: diurnal, peak: 9/s, trough: 1/s, timezone: Mars"), `p.yaml:4:58: timezone: want a name such as Europe/Berlin, got "Mars"`},
		"a day upside down":         {shaped("shape: diurnal, peak: 1/s, trough: 9/s"), `p.yaml:4:43: trough: want at most the peak 1/s`},
		"a speed of nothing":        {shaped("shape: replay, capture: x, speed: quick"), `p.yaml:4:42: speed: "quick" is no speed; write 2x or 0.5x`},
		"a wave without an end":     {strings.Replace(shaped("shape: sine, mean: 9/s, amplitude: 1/s, period: 1m"), "volume: {messages: 10}\n", "", 1), `p.yaml:4:15: shape: sine has no end of its own: give a volume: messages, bytes or duration`},
		"two units":                 {shaped("start: 1/s, stages: [{target: 1MiB/s, duration: 1m}]"), `p.yaml:4:15: start: the other rates are in bytes/s: give all of them as 12MiB/s, or all as 20k/s`},
		"closed with arrivals":      {shaped("closed: {in_flight: 5}, arrival: poisson"), `p.yaml:4:41: arrival: with closed, acknowledgements decide when messages are sent`},
		"closed with nothing":       {shaped("closed: {in_flight: 0}"), `p.yaml:4:28: in_flight: want 1 to 1M`},
		"dropping without dues":     {replace("{stages: [{target: 100/s}]}", "max") + "on_saturation: drop\n", `p.yaml:7:16: on_saturation: nothing is due at a time with this rate, so nothing can be dropped`},
		"an unknown saturation":     {small + "on_saturation: panic\n", `p.yaml:7:16: on_saturation: "panic" is none of lag, drop`},
		"max in a stage":            {replace("100/s", "max"), `p.yaml:4:26: target: max is a choice for the whole rate: write rate: max`},
		"no unit":                   {replace("100/s", "100"), `p.yaml:4:26: "100" is no rate; write 20k/s, 12MiB/s or max`},
		"nothing to end the run":    {replace("volume: {messages: 10}\n", ""), `p.yaml:4:18: stage 1: want a duration, or a volume that ends the run`},
		"a stage without end":       {replace("[{target: 100/s}]", "[{target: 100/s}, {target: 1/s, duration: 1m}]"), `p.yaml:4:18: stage 1: want a duration; only the last stage may go on until the volume is sent`},
		"no rate at all":            {replace("100/s", "0/s"), `at 0/s the volume is never sent`},
		"max without a volume":      {strings.Replace(replace("{stages: [{target: 100/s}]}", "max"), "volume: {messages: 10}\n", "", 1), `p.yaml:4:7: rate: max needs a volume: messages, bytes or duration`},
		"no topic":                  {replace("topic: {name: orders}\n", ""), `topic`},
		"a bad topic name":          {replace("orders", "my orders"), `p.yaml:6:15: name: "my orders" is no topic name: want letters, digits, . _ -`},
		"made anew":                 {replace("{name: orders}", "{name: orders, create: anew}"), `p.yaml:6:31: create: "anew" is none of if_missing, never, recreate`},
		"a day at two speeds":       {shaped("shape: diurnal, peak: 9/s, trough: 1/s, period: 1h, speed: 12x"), `p.yaml:4:67: speed: want either speed or period: both say how long a day lasts`},
		"a leak over a window":      {small + "thresholds: [{metric: memory_mib_h, max: 1, over: 1m}]\n", `p.yaml:7:51: over: memory_mib_h is judged over the whole run: remove it`},
		"a process of a latency":    {small + "thresholds: [{metric: response_ms, stat: p99, max: 1, process: pipeline}]\n", `p.yaml:7:64: process: belongs to memory_mib and memory_mib_h, not to response_ms`},
		"an engine that is none":    {small + "verify: {destination: {engine: spark}}\n", `p.yaml:7:32: engine: spark is not supported in this version; it has duckdb`},
		"a group with blanks":       {small + "verify: {consumer: {group: a b}}\n", `p.yaml:7:28: group: "a b" is no name of a consumer group`},
		"sizes and a file":          {small + "size: {distribution: learned, file: x, sizes: [1]}\n", `size: learned wants either a file or sizes`},
		"a constant of nothing":     {small + "size: {distribution: constant}\n", `size: constant wants bytes, as 1KiB`},
		"idempotent with acks 1":    {small + "producer: {acks: 1, idempotent: true}\n", `p.yaml:7:33: idempotent: wants acks: all`},
		"a hook without a time":     {small + "hooks: [{at: soon, run: ls}]\n", `p.yaml:7:14: at: "soon" is no time of the schedule: want 90s, or one of its stages (stage 1), or steady+10m`},
		"a hook of nothing":         {small + "hooks: [{at: 1s, run: ' '}]\n", `p.yaml:7:23: run: want a command`},
		"a transaction of nothing":  {small + "producer: {transaction: {abort: 1%}}\n", `p.yaml:7:26: transaction: want messages, 1 to 1M`},
		"a transaction with acks 1": {small + "producer: {acks: 1, transaction: {messages: 5}}\n", `p.yaml:7:18: acks: transactions want all`},
		"a misspelt key":            {small + "volum: {messages: 1}\n", `p.yaml:7:1: `},
		"a misspelt inner key":      {replace("messages", "message"), `p.yaml:5:10: `},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("p.yaml", []byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestShippedProfilesAreGoodAndShort(t *testing.T) {
	files, err := filepath.Glob("../../profiles/*.yaml")
	if err != nil || len(files) < 4 {
		t.Fatalf("got %d profiles, %v", len(files), err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(string(b), "\n"); lines >= 25 || !strings.HasPrefix(string(b), "# ") {
			t.Errorf("%s: %d lines; want fewer than 25, the first a question", f, lines)
		}
		p, err := Parse(filepath.Base(f), b, Shipped(os.DirFS("../../profiles")))
		if err != nil {
			t.Error(err)
			continue
		}
		if p.Name+".yaml" != filepath.Base(f) {
			t.Errorf("%s: name is %s", f, p.Name)
		}
		if err := p.Check(); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
}

func TestFlagsOverrideTheProfile(t *testing.T) {
	demo := small + "warmup: 1s\n"
	ramp := strings.Replace(small, "[{target: 100/s}]", "[{duration: 10s, target: 100/s}, {duration: 20s, target: 100/s}, {duration: 5s, target: 0/s}], start: 0/s", 1)
	ramp = strings.Replace(ramp, "volume: {messages: 10}\n", "", 1)
	rate := func(r config.Rate) *config.Rate { return &r }
	for name, c := range map[string]struct {
		text     string
		o        Override
		end      time.Duration // of the schedule; Forever: the count ends it
		messages config.Count
		max      bool
	}{
		"nothing":                 {demo, Override{}, Forever, 10, false},
		"count":                   {demo, Override{Count: 500}, Forever, 500, false},
		"duration":                {demo, Override{Duration: time.Minute}, time.Minute, 0, false},
		"both":                    {demo, Override{Count: 500, Duration: time.Minute}, time.Minute, 500, false},
		"rate, volume kept":       {demo, Override{Rate: rate(config.Rate{PerSecond: 7})}, Forever, 10, false},
		"max":                     {demo, Override{Rate: rate(config.Rate{Max: true})}, Forever, 10, true},
		"curve as it is":          {ramp, Override{}, 35 * time.Second, 0, false},
		"rate instead of a curve": {ramp, Override{Rate: rate(config.Rate{PerSecond: 7})}, 35 * time.Second, 0, false},
		"more than a curve has":   {ramp, Override{Count: 1_000_000}, Forever, 1_000_000, false},
		"longer than a curve":     {ramp, Override{Duration: time.Hour}, time.Hour, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := mustParse(t, c.text)
			if err := p.Apply(c.o); err != nil {
				t.Fatal(err)
			}
			end := Forever
			c1, err := p.Curve(time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if s, ok := c1.(Planned); ok {
				end = s.End()
			}
			if p.Volume.Duration > 0 {
				end = min(end, time.Duration(p.Volume.Duration))
			}
			if end != c.end || p.Volume.Messages != c.messages || p.Rate.Max != c.max {
				t.Errorf("got end %v, %v messages, max %v; want %v, %v, %v", end, p.Volume.Messages, p.Rate.Max, c.end, c.messages, c.max)
			}
		})
	}
	p := mustParse(t, small)
	if err := p.Apply(Override{Topic: "other", Size: 400}); err != nil {
		t.Fatal(err)
	}
	if c, err := p.streams(); err != nil || p.Topic.Name != "other" || p.Table() != "other" || c[0].Spec.Size.Bytes != 400 {
		t.Errorf("got topic %s, table %s, size %v, %v", p.Topic.Name, p.Table(), p.Size, err)
	}
	p = mustParse(t, small+"warmup: 1m\nhooks: [{at: stage 1+5s, run: ls}, {at: 3s, run: ls}]\n")
	if err := p.Apply(Override{Rate: rate(config.Rate{PerSecond: 7}), Duration: 30 * time.Second}); err != nil || p.Hooks[0].At != "5s" || p.Hooks[1].At != "3s" {
		t.Errorf("hooks of a stage that is gone count from the start: got %+v, %v", p.Hooks, err)
	}
	p = mustParse(t, small+"warmup: 1m\n")
	if err := p.Apply(Override{Duration: 30 * time.Second}); err != nil || p.Warmup != config.Duration(15*time.Second) {
		t.Errorf("the warm-up is half of a shortened run at most: got %v, %v", p.Warmup, err)
	}
	if err := mustParse(t, small).Apply(Override{Topic: "not a topic"}); err == nil {
		t.Error("a bad topic name in a flag passed")
	}
}

func TestEditorsGetASchema(t *testing.T) {
	b, err := config.Schema(&Profile{}, "load profile")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"max_in_flight"`, `"max"`, `"arrival"`, `"lognormal"`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("the schema lacks %s:\n%s", want, b)
		}
	}
}
