package load

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/internal/config"
	"weir/internal/content"
)

// A Part is what one topic gets: a profile has one, or several in its mix.
type Part struct {
	Topic     Topic             `yaml:"topic,omitempty"`
	Value     Value             `yaml:"value,omitempty" jsonschema:"description=What messages hold. Default the built-in bank-transaction"`
	Key       Key               `yaml:"key,omitempty" jsonschema:"description=Field that is the message's key; it decides the partition"`
	Size      content.Size      `yaml:"size,omitempty" jsonschema:"description=Size of the whole Kafka value. Default schema: whatever the data gives"`
	Headers   map[string]string `yaml:"headers,omitempty" jsonschema:"description=Kafka headers of every message"`
	EventTime content.EventTime `yaml:"event_time,omitempty" jsonschema:"description=Field that tells when the event happened: when the message was due, or earlier"`
	Faults    content.Faults    `yaml:"faults,omitempty" jsonschema:"description=What is wrong on purpose; each is counted, and the proof knows it"`
	Table     string            `yaml:"table,omitempty" jsonschema:"description=Of a mix: the table that must hold these messages. Default: the topic's name"`
}

// A MixPart is one of several topics that share the rate by their weights.
type MixPart struct {
	Name   string  `yaml:"name" jsonschema:"required"`
	Weight float64 `yaml:"weight" jsonschema:"required"`
	Part   `yaml:",inline"`
}

// Topic is where messages go.
type Topic struct {
	Name       string       `yaml:"name" jsonschema:"required"`
	Partitions config.Count `yaml:"partitions,omitempty" jsonschema:"description=Of a topic that the run creates. Default 6"`
	Create     string       `yaml:"create,omitempty" jsonschema:"enum=if_missing,enum=never,enum=recreate,description=Default if_missing. recreate deletes the topic with what is in it and makes it again: it wants loadgen run --yes-recreate"`

	deletable bool // somebody has said so
}

// Value is what messages hold.
type Value struct {
	Builtin string                   `yaml:"builtin,omitempty" jsonschema:"enum=bank-transaction"`
	Schema  SchemaSpec               `yaml:"schema,omitempty"`
	Fields  map[string]content.Field `yaml:"fields,omitempty" jsonschema:"description=How fields are drawn, by path: items of a list are path[] and values of a map path{}"`
	Depth   int                      `yaml:"depth,omitempty" jsonschema:"description=How often a recursive type contains itself. Default 2"`
	Evolve  Evolve                   `yaml:"evolve,omitempty" jsonschema:"description=A second schema of the same subject that takes over in the middle of the run"`
}

// Evolve is a schema change in the middle of a run.
type Evolve struct {
	From   config.Count             `yaml:"from,omitempty" jsonschema:"description=Number of the first message with the second schema, as 50k"`
	File   string                   `yaml:"file,omitempty" jsonschema:"description=The second Avro schema (JSON); the path is relative to the profile"`
	Fields map[string]content.Field `yaml:"fields,omitempty" jsonschema:"description=How fields are drawn that the first schema lacks"`
}

func (e Evolve) given() bool { return e.File != "" || e.From != 0 || len(e.Fields) > 0 }

// SchemaSpec says where an Avro schema is.
type SchemaSpec struct {
	File    string `yaml:"file,omitempty" jsonschema:"description=Avro schema (JSON); the path is relative to the profile"`
	Subject string `yaml:"subject,omitempty" jsonschema:"description=Subject of the registry that has the schema"`
	Version text   `yaml:"version,omitempty" jsonschema:"description=Of the subject: latest or a number. Default latest"`

	found string // the subject's schema
	id    int
}

// Key is the message's key.
type Key struct {
	Field       string       `yaml:"field,omitempty" jsonschema:"description=Path of a string or int or long field. Without one keys are key-0 and so on and stand in no field"`
	Cardinality config.Count `yaml:"cardinality,omitempty" jsonschema:"description=Number of different keys, as 5M"`
	From        string       `yaml:"from,omitempty" jsonschema:"description=Name of another part of the mix: its keys are used, so that joins find something"`

	content.Choice `yaml:",inline"`
}

// parts are the topics of the profile, one or several.
func (p *Profile) parts() []MixPart {
	if len(p.Mix) == 0 {
		return []MixPart{{Weight: 1, Part: p.Part}}
	}
	return p.Mix
}

// ErrNeedsRegistry means that a schema is in the registry, which nobody has asked yet.
var ErrNeedsRegistry = errors.New("the schema is in the registry")

// Compile makes the run's content. It reads the files of schemas and sizes; schemas of subjects must have been [Profile.Resolve]d.
func (p *Profile) Compile() (*content.Mix, error) {
	streams, err := p.streams()
	if err != nil {
		return nil, err
	}
	return content.NewMix(p.seed(), streams)
}

func (p *Profile) streams() ([]content.Stream, error) {
	parts := p.parts()
	all := make([]content.Stream, len(parts))
	for i := range parts {
		spec, err := p.spec(&parts[i].Part)
		if err != nil {
			if len(p.Mix) > 0 {
				err = fmt.Errorf("mix[%d].%w", i, err)
			}
			return nil, err
		}
		all[i] = content.Stream{Name: parts[i].Name, Weight: parts[i].Weight, Spec: spec}
	}
	for i := range parts {
		if from := parts[i].Key.From; from != "" {
			j := slices.IndexFunc(parts, func(m MixPart) bool { return m.Name == from })
			source := all[j].Spec
			all[i].Spec.From = &source
		}
	}
	return all, nil
}

func (p *Profile) spec(part *Part) (c content.Spec, err error) {
	c = content.Spec{
		Seed: p.seed(), Pad: part.Size.Pad, Key: part.Key.Field, Keys: uint64(part.Key.Cardinality), Choice: part.Key.Choice, Size: part.Size,
		Fields: part.Value.Fields, Event: part.EventTime, Faults: part.Faults, Depth: part.Value.Depth,
	}
	for _, f := range part.Value.Fields {
		if f.Pool != "" {
			c.Pools = p.Pools
		}
	}
	switch s := &part.Value.Schema; {
	case s.Subject != "" && s.found == "":
		return c, fmt.Errorf("value.schema.subject: %w", ErrNeedsRegistry)
	case s.Subject != "":
		c.Schema = s.found
	case s.File != "":
		b, err := os.ReadFile(p.path(s.File))
		if err != nil {
			return c, fileError("value.schema.file", s.File, err)
		}
		c.Schema = string(b)
	}
	if e := part.Value.Evolve; e.given() {
		b, err := os.ReadFile(p.path(e.File))
		if err != nil {
			return c, fmt.Errorf("value.evolve.file: %w", err)
		}
		c.Evolve = &content.Evolution{From: uint64(e.From), Schema: string(b), Fields: e.Fields}
	}
	if part.Size.Distribution == "learned" && len(part.Size.Sizes) > 0 {
		sizes := make([]int, len(part.Size.Sizes))
		for i, b := range part.Size.Sizes {
			sizes[i] = int(b)
		}
		c.Size = content.Learn(sizes)
		c.Size.Pad = part.Size.Pad
	}
	if f := part.Size.File; f != "" {
		learned, err := p.learn(f)
		if err != nil {
			return c, fileError("size.file", f, err)
		}
		learned.File, learned.Pad = f, part.Size.Pad
		c.Size = learned
	}
	return c, nil
}

// fileError says of a file that is not there from where its path counts.
func fileError(at, file string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: there is no file %s; a path counts from the folder of the profile", at, file)
	}
	return fmt.Errorf("%s: %w", at, err)
}

func (p *Profile) path(file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(p.dir, file)
}

// learn reads observed sizes: a capture, or one in each line.
func (p *Profile) learn(file string) (content.Size, error) {
	if seen, is, err := ReadCapture(p.path(file)); is {
		sizes := make([]int, len(seen))
		for i, m := range seen {
			sizes[i] = max(1, m.Size)
		}
		return content.Learn(sizes), err
	}
	b, err := os.ReadFile(p.path(file))
	if err != nil {
		return content.Size{}, err
	}
	var all []int
	for i, line := range strings.Split(string(b), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		v, err := strconv.Atoi(line)
		if err != nil || v <= 0 {
			return content.Size{}, fmt.Errorf("%s:%d: want a size in bytes, got %q", file, i+1, line)
		}
		all = append(all, v)
	}
	if len(all) == 0 {
		return content.Size{}, fmt.Errorf("%s has no sizes", file)
	}
	return content.Learn(all), nil
}

// Check compiles all that a run would need, without a server: of a schema in the registry it can say nothing.
func (p *Profile) Check() error {
	if _, err := p.Curve(time.Now()); err != nil {
		return err
	}
	_, err := p.Compile()
	if errors.Is(err, ErrNeedsRegistry) {
		return nil
	}
	return err
}

func sortedHeaders(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// table is where the rows of a part must arrive.
func (p *Profile) table(part *Part) string {
	switch {
	case part.Table != "":
		return part.Table
	case len(p.Mix) == 0 && p.Verify.Destination.Table != "":
		return p.Verify.Destination.Table
	}
	return part.Topic.Name
}

// subject is where the part's schema is registered.
func (part *Part) subject() string {
	if part.Value.Schema.Subject != "" {
		return part.Value.Schema.Subject
	}
	return part.Topic.Name + "-value"
}

// largest is the size of the part's largest message, 0 if nothing says so.
func (part *Part) largest() int {
	n := max(int(part.Size.Bytes), int(part.Size.Max), part.Faults.Largest())
	for _, b := range part.Size.Buckets {
		n = max(n, int(b.Bytes), int(b.Max))
	}
	for _, b := range part.Size.Sizes {
		n = max(n, int(b))
	}
	return max(n, int(part.Size.Mean+6*part.Size.StdDev))
}

func (p *Profile) largest() (n int) {
	for _, m := range p.parts() {
		n = max(n, m.largest())
	}
	return n
}

// topics names where the run's messages go.
func (p *Profile) topics() string {
	var all []string
	for _, m := range p.parts() {
		all = append(all, m.Topic.Name)
	}
	return strings.Join(all, ", ")
}
