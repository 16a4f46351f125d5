package load

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"weir/internal/config"
)

// text is a word that may look like a number: acks: 1.
type text string

// Expected says how it is written.
func (text) Expected() string { return "a word or a number" }

// UnmarshalText takes the scalar as it is written.
func (t *text) UnmarshalText(b []byte) error {
	*t = text(strings.TrimSpace(string(b)))
	return nil
}

// complaints collects what is wrong, with the path of the field.
type complaints []config.Invalid

func (c *complaints) add(path, format string, args ...any) {
	*c = append(*c, config.Invalid{Path: path, Message: fmt.Sprintf(format, args...)})
}

// oneOf refuses a word that is not in a list; words that the format knows but this version does not are told apart.
func (c *complaints) oneOf(path, got string, known []string, others ...string) {
	switch {
	case got == "" || slices.Contains(known, got):
	case slices.Contains(others, got):
		c.add(path, "%s: %s is not supported in this version; it has %s", lastOf(path), got, strings.Join(known, ", "))
	default:
		c.add(path, "%s: %q is none of %s", lastOf(path), got, strings.Join(known, ", "))
	}
}

func lastOf(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

var (
	nameForm  = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	topicForm = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)
)

// Validate names everything that is wrong with the profile; config gives each complaint its place in the file.
func (p *Profile) Validate() []config.Invalid {
	var c complaints
	if p.APIVersion != "weir/v1" {
		c.add("apiVersion", "apiVersion: want weir/v1, got %q", p.APIVersion)
	}
	if p.Kind != "LoadProfile" {
		c.add("kind", "kind: want LoadProfile, got %q", p.Kind)
	}
	if !nameForm.MatchString(p.Name) {
		c.add("name", "name: %q: want lower-case letters, digits, - and _", p.Name)
	}
	p.Rate.validate(&c, p.Volume)
	p.validateBounds(&c)
	p.validateHooks(&c)
	p.validateParts(&c)
	p.Producer.validate(&c)
	c.oneOf("verify.identity", p.Verify.Identity, []string{"header", "none"}, "fields")
	if p.Verify.Identity == "none" {
		p.validateUnmarked(&c)
	}
	c.oneOf("verify.destination.engine", p.Verify.Destination.Engine, []string{"duckdb"}, "spark")
	if g := p.Verify.Consumer.Group; len(g) > 249 || strings.ContainsFunc(g, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		c.add("verify.consumer.group", "group: %q is no name of a consumer group: want up to 249 letters, digits, . _ -", g)
	}
	for i, t := range p.Thresholds {
		t.validate(&c, fmt.Sprintf("thresholds[%d]", i))
		p.stageNamed(&c, fmt.Sprintf("thresholds[%d].stage", i), t.Stage)
	}
	return c
}

// validateUnmarked: what has to know the messages again cannot be had without their identity.
func (p *Profile) validateUnmarked(c *complaints) {
	if p.Verify.Consumer.Group != "" {
		c.add("verify.consumer", "consumer: cannot know messages again that carry no identity: remove it, or verify.identity: none")
	}
	for i, t := range p.Thresholds {
		if !t.ofRun() && t.Metric != "" {
			c.add(fmt.Sprintf("thresholds[%d].metric", i), "metric: %s cannot be proven of messages that carry no identity: remove it, or verify.identity: none", t.Metric)
		}
	}
}

func (p *Profile) validateBounds(c *complaints) {
	if p.Warmup < 0 {
		c.add("warmup", "warmup: want 0s or more")
	}
	if p.Volume.Messages < 0 {
		c.add("volume.messages", "messages: want 1 or more")
	}
	if p.Volume.Bytes < 0 {
		c.add("volume.bytes", "bytes: want 1 or more")
	}
	if p.Volume.Duration < 0 {
		c.add("volume.duration", "duration: want more than 0s")
	}
	if p.Volume.Until.Rows < 0 || p.Volume.Until.Every < 0 {
		c.add("volume.until", "until: want rows, as 10M, and every, as 2s")
	}
	c.oneOf("on_saturation", p.OnSaturation, []string{"lag", "drop"})
	if p.OnSaturation == "drop" && p.Rate.flat() {
		c.add("on_saturation", "on_saturation: nothing is due at a time with this rate, so nothing can be dropped: remove it")
	}
	if p.MaxInFlight < 0 || p.MaxInFlight > 50_000_000 {
		c.add("max_in_flight", "max_in_flight: want 1 to 50M")
	}
}

func (p Producer) validate(c *complaints) {
	c.oneOf("producer.acks", string(p.Acks), []string{"all", "1", "0"}, "-1")
	c.oneOf("producer.compression", p.Compression, []string{"none", "gzip", "snappy", "lz4", "zstd"})
	if p.Idempotent != nil && *p.Idempotent && p.Acks != "" && p.Acks != "all" {
		c.add("producer.idempotent", "idempotent: wants acks: all")
	}
	p.validateTransaction(c)
	if p.Linger != nil && *p.Linger < 0 {
		c.add("producer.linger", "linger: want 0s or more")
	}
	if p.Batch < 0 || p.Batch > 100<<20 {
		c.add("producer.batch", "batch: want 1KiB to 100MiB")
	}
	if p.Timeout < 0 {
		c.add("producer.delivery_timeout", "delivery_timeout: want more than 0s")
	}
}

func (t Threshold) validate(c *complaints, path string) {
	known := []string{"response_ms", "service_ms", "error_ratio", memoryMetric, growthMetric, "freshness_s", "lost", "duplicated"}
	if c.oneOf(path+".metric", t.Metric, known, "lag", "drain_s"); t.Metric != "" && !slices.Contains(known, t.Metric) {
		return
	}
	stats := []string{"p50", "p90", "p99", "p99.9", "max"}
	switch t.Metric {
	case "":
		c.add(path, "threshold: want a metric")
	case "lost", "duplicated", "error_ratio", memoryMetric, growthMetric:
		if t.Stat != "" {
			c.add(path+".stat", "stat: %s is one figure, it has none: remove it", t.Metric)
		}
	case "freshness_s":
		stats = []string{"p50", "p99", "max"}
		fallthrough
	default:
		if t.Stat == "" {
			c.add(path, "threshold: %s wants a stat: %s", t.Metric, strings.Join(stats, ", "))
		}
		c.oneOf(path+".stat", t.Stat, stats)
	}
	if t.Max < 0 {
		c.add(path+".max", "max: want 0 or more")
	}
	if t.Metric == "error_ratio" && t.Max > 1 {
		c.add(path+".max", "max: want a share of 0 to 1: 0.01 is 1 %%")
	}
	t.validateWindow(c, path)
}

// validateWindow: what is only known after the run cannot end it, and has no stages.
func (t Threshold) validateWindow(c *complaints, path string) {
	if t.Process != "" && !t.ofMemory() {
		c.add(path+".process", "process: belongs to %s and %s, not to %s", memoryMetric, growthMetric, t.Metric)
	}
	if !t.ofRun() && t.Metric != "" {
		for i, given := range []bool{t.Stage != "", t.Over != 0, t.Abort, t.After != 0} {
			if key := []string{"stage", "over", "abort", "after"}[i]; given {
				c.add(path+"."+key, "%s: %s is only known from the table, after the run: it is judged as a whole: remove it", key, t.Metric)
			}
		}
		return
	}
	if t.Over != 0 && (time.Duration(t.Over) < time.Second || time.Duration(t.Over) > 24*time.Hour) {
		c.add(path+".over", "over: want 1s to 24h")
	}
	if t.Over != 0 && (t.Metric == "error_ratio" || t.ofMemory()) {
		c.add(path+".over", "over: %s is judged over the whole run: remove it", t.Metric)
	}
	if t.Stage != "" && t.ofMemory() {
		c.add(path+".stage", "stage: %s is judged over the whole run: remove it", t.Metric)
	}
	switch {
	case t.After < 0:
		c.add(path+".after", "after: want 0s or more")
	case t.After > 0 && !t.Abort && t.Over == 0 && !t.ofMemory():
		c.add(path+".after", "after: only tells when abort or over begin to count: give abort: true or over: 1m")
	}
}

// stageNamed refuses a stage that the rate does not have.
func (p *Profile) stageNamed(c *complaints, path, name string) {
	if names := p.stageNames(); name != "" && names != nil && !slices.Contains(names, name) {
		c.add(path, "stage: %q is none of %s", name, strings.Join(names, ", "))
	}
}

// stageNames are those that a threshold can name; nil if the rate is not right.
func (p *Profile) stageNames() []string {
	if !p.Rate.flat() && p.Rate.Shape == "" && len(p.Rate.Stages) == 0 {
		return nil
	}
	curve, err := p.Curve(time.Now())
	if err != nil {
		return nil
	}
	var names []string
	for _, s := range stagesOf(curve) {
		names = append(names, s.Name)
	}
	return names
}
