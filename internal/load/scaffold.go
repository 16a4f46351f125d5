package load

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"weir/internal/config"
	"weir/internal/content"
)

// A Scaffold is what a new profile is written from.
type Scaffold struct {
	Topic   string
	Subject string // of the registry, or
	Version string // of the subject: latest or a number
	File    string // of the schema, as the profile shall name it
	Schema  string // its text
	Dir     string // of the profile: File counts from it
}

// Write gives a whole profile with comments, for a person to change. It is good as it is: what the schema does not allow is left out.
func (s Scaffold) Write() (string, error) {
	if !topicForm.MatchString(s.Topic) {
		return "", fmt.Errorf("topic: %q is no topic name: want letters, digits, . _ -; --topic gives another", s.Topic)
	}
	h, err := content.Describe(s.Schema)
	if err != nil {
		return "", err
	}
	skip := map[string]bool{}
	for range len(h.Fields) + 3 {
		text := s.text(h, skip)
		p, err := Parse(filepath.Join(s.Dir, "profile.yaml"), []byte(text))
		if err != nil {
			return "", err
		}
		p.found(s.Schema)
		if err = p.Check(); err == nil {
			return text, nil
		}
		if !drop(err, &h, skip) {
			return "", err
		}
	}
	return "", errors.New("no profile fits this schema")
}

// found gives the schema that a registry has.
func (p *Profile) found(schema string) {
	if p.Value.Schema.Subject != "" {
		p.Value.Schema.found, p.Value.Schema.id = schema, 1
	}
}

var proposed = regexp.MustCompile(`^(?:value\.fields\.)(.+?): `)

// drop leaves out what the schema does not allow after all.
func drop(err error, h *content.Hints, skip map[string]bool) bool {
	text := err.Error()
	switch m := proposed.FindStringSubmatch(text); {
	case m != nil && !skip[m[1]]:
		skip[m[1]] = true
	case strings.HasPrefix(text, "key.") && h.Key != "":
		h.Key = ""
	case strings.HasPrefix(text, "event_time.") && h.Event != "":
		h.Event = ""
	default:
		return false
	}
	return true
}

var notInNames = regexp.MustCompile(`[^a-z0-9_-]+`)

func (s Scaffold) text(h content.Hints, skip map[string]bool) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	// told puts a comment behind a line, where comments begin.
	told := func(text, comment string) { line("%-62s # %s", text, comment) }
	name := strings.Trim(notInNames.ReplaceAllString(strings.ToLower(s.Topic), "-"), "-_")
	if name == "" {
		name = "load"
	}
	source := "subject " + s.Subject
	if s.Subject == "" {
		source = s.File
	}
	line("# How does what reads %s bear a steady load? Messages of %s.", s.Topic, source)
	line("apiVersion: weir/v1")
	line("kind: LoadProfile")
	told("name: "+name[:min(len(name), 63)], "stands in reports")
	told("warmup: 10s", "the first part of the schedule: sent and proven, but not timed")
	line("")
	told("rate:", "or rate: max; or a shape: step, spike, sine, diurnal, csv, replay")
	told("  arrival: uniform", "or poisson: as independent users send")
	line("  start: 0/s")
	told("  stages:", "a target is reached at the end of its stage; the same target again holds it")
	line("    - {name: ramp, duration: 30s, target: 1k/s}")
	line("    - {name: steady, duration: 2m, target: 1k/s}")
	told("# volume: {messages: 1M}", "also bytes, duration, until: the first bound that is reached ends the run")
	line("")
	told(fmt.Sprintf("topic: {name: %s, partitions: %d, create: if_missing}", quoted(s.Topic), defaultPartitions), "create: never, or recreate (run --yes-recreate deletes it first)")
	line("value:")
	if s.Subject != "" {
		told(fmt.Sprintf("  schema: {subject: %s, version: %s}", quoted(s.Subject), cmp.Or(s.Version, "latest")), "latest or a number; or file: orders.avsc")
	} else {
		told(fmt.Sprintf("  schema: {file: %s}", quoted(s.File)), "counts from this profile; registered as "+s.Topic+"-value")
	}
	s.fields(h, skip, line)
	switch {
	case h.Key != "" && !h.Owner:
		told(fmt.Sprintf("key: {field: %s}", h.Key), "each message has its own; cardinality: 100k, distribution: zipf, hot: {share: 20%, keys: 1}")
	case h.Key != "":
		told(fmt.Sprintf("key: {field: %s, cardinality: 100k, distribution: uniform}", h.Key), "or zipf, sequential, none; hot: {share: 20%, keys: 1}")
	default:
		told("key: {cardinality: 100k}", "field: NAME takes the key from the record")
	}
	if h.Pad != "" {
		least := config.Size(max(1024, 2*h.Floor))
		told(fmt.Sprintf("# size: {distribution: lognormal, median: %v, p99: %v, max: 900KiB}", least, max(16<<10, 4*least)), "of the whole value; "+h.Pad+" grows. Without it: as large as the data is")
	}
	if h.Event != "" {
		told(fmt.Sprintf("event_time: {field: %s}", h.Event), "when the message is due; late: {share: 5%, by: {exponential: {mean: 1h, max: 48h}}}")
	}
	told("# faults: {duplicate: 0.1%, poison: {share: 0.01%}}", "wrong on purpose; counted, and the proof knows them")
	line("")
	told("producer: {acks: all, compression: none, linger: 5ms}", "transaction: {messages: 500, abort: 1%}")
	told("verify: {destination: {drain_timeout: 1m}}", "how long `loadgen verify` waits for the last rows; table: NAME, if not the topic's")
	line("thresholds:")
	told("  - {metric: response_ms, stat: p99, stage: steady, max: 500}", "from when a message was due to its acknowledgement")
	told("  - {metric: lost, max: 0}", "from the table")
	line("  - {metric: duplicated, max: 0}")
	told("  # - {metric: freshness_s, stat: p99, max: 60}", "until the row can be read")
	return b.String()
}

// fields writes a line for each field of the schema: a setting, or a comment that says what it gets without one.
func (s Scaffold) fields(h content.Hints, skip map[string]bool, line func(string, ...any)) {
	var lines []string
	set := 0
	for _, f := range h.Fields {
		told := f.Type
		if f.Why != "" {
			told += "; " + f.Why
		}
		switch {
		case f.Path == "" || f.Path == h.Key || f.Path == h.Event:
		case f.Field == "" || skip[f.Path]:
			lines = append(lines, fmt.Sprintf("%-62s # %s", "    # "+quoted(f.Path)+":", told))
		default:
			set++
			lines = append(lines, fmt.Sprintf("%-62s # %s", "    "+quoted(f.Path)+": "+f.Field, told))
		}
	}
	switch {
	case len(lines) == 0:
		return
	case set == 0:
		line("  # fields:")
	default:
		line("%-62s # %s", "  fields:", "how they are drawn; what is not here comes from the type and the name")
	}
	for _, l := range lines {
		line("%s", l)
	}
}

// quoted puts into quotes what YAML would take for something else.
func quoted(s string) string {
	if plainForm.MatchString(s) && !slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(s)) {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

var plainForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_./-]*$`)
