package ingest

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/avro"
	"weir/internal/cli"
	"weir/internal/registry"
)

// Format says how messages are framed, and where the schema of a new table comes from.
type Format struct {
	Format      string `yaml:"format,omitempty" jsonschema:"enum=confluent,enum=glue,enum=avro,enum=json,enum=raw,description=what a message is: Avro with the header of Confluent (the default) or of AWS Glue or with none (avro); JSON; or raw: columns key and value as they came"`
	Schema      string `yaml:"schema,omitempty" jsonschema:"description=file with the Avro schema of messages that name none (formats avro and json), beside the job file (default: the newest schema of the subject when the run starts)"`
	Subject     string `yaml:"subject,omitempty" jsonschema:"description=registry subject (with glue: name of the schema) whose newest schema a new table is made from (default: as subject_name says; with glue: TOPIC)"`
	SubjectName string `yaml:"subject_name,omitempty" jsonschema:"enum=topic,enum=record,enum=topic-record,description=how the producer names its subjects: TOPIC-value (topic, the default), RECORD or TOPIC-RECORD"`
	Record      string `yaml:"record,omitempty" jsonschema:"description=full name of the record type for subject_name: record and topic-record, such as bank.core.Transaction"`
}

// Choices of format.
const (
	confluentFormat = "confluent"
	glueFormat      = "glue"
	avroFormat      = "avro"
	jsonFormat      = "json"
	rawFormat       = "raw"
)

func (f Format) validate(say func(path, format string, args ...any)) {
	switch f.Format {
	case "", confluentFormat, glueFormat, avroFormat, jsonFormat, rawFormat:
	default:
		say("format", "expected confluent, glue, avro, json or raw, got %q", f.Format)
	}
	if f.Schema != "" && f.Format != avroFormat && f.Format != jsonFormat {
		say("schema", "expected format: avro or json beside it: other messages name their schema themselves")
	}
	switch f.SubjectName {
	case "", "topic":
	case "record", "topic-record":
		if f.Record == "" {
			say("record", "expected the full name of the record type, such as bank.core.Transaction, for subject_name: %s", f.SubjectName)
		}
	default:
		say("subject_name", "expected topic, record or topic-record, got %q", f.SubjectName)
	}
}

// Subject is the registry's subject (with glue: its schema) that a new table is made from.
func (c Config) Subject() string {
	switch {
	case c.Format.Subject != "":
		return c.Format.Subject
	case c.Format.SubjectName == "record":
		return c.Format.Record
	case c.Format.SubjectName == "topic-record":
		return c.Topic + "-" + c.Format.Record
	case c.Format.Format == glueFormat:
		return c.Topic
	}
	return c.Topic + "-value"
}

// schemaRef names a message's schema; the zero value is the job's own.
type schemaRef struct {
	id   int
	uuid [16]byte
}

func (r schemaRef) String() string {
	if r.uuid != [16]byte{} {
		return registry.UUID(r.uuid)
	}
	return fmt.Sprint(r.id)
}

// A format takes messages apart. It is for one part of a batch.
type format interface {
	// split finds the schema and the datum, which is good until the next call. An error is the message's fault.
	split(r *kgo.Record) (schemaRef, []byte, error)
	schema(ctx context.Context, ref schemaRef) (*avro.Schema, error)
}

// errContent is a message whose frame is right, but not what is in it.
var errContent = errors.New("the value cannot be decoded")

// framing makes the formats of a job's parts.
type framing struct {
	parts Parts
	cfg   Config
	own   *avro.Schema // of messages that name none
}

// newFraming finds the schema of messages that name none.
func newFraming(ctx context.Context, c Config, p Parts) (*framing, error) {
	f := &framing{parts: p, cfg: c}
	var err error
	switch c.Format.Format {
	case glueFormat:
		if p.Glue == nil {
			err = cli.Usage(errors.New("format: glue needs the Glue Schema Registry"), "name it in weir.yaml: `registry: {glue: {region: eu-central-1}}`")
		}
	case avroFormat, jsonFormat:
		if f.own, err = f.file(); f.own == nil && err == nil {
			if f.own, err = f.newest(ctx); err != nil {
				err = fmt.Errorf("messages of format %s name no schema, and %w", c.Format.Format, err)
			}
		}
	case rawFormat:
		f.own, err = avro.Parse(`{"type":"record","name":"Message","fields":[{"name":"key","type":["null","bytes"]},{"name":"value","type":["null","bytes"]}]}`)
	}
	return f, err
}

func (f *framing) file() (*avro.Schema, error) {
	if f.cfg.Format.Schema == "" {
		return nil, nil
	}
	name := filepath.Join(f.parts.Dir, f.cfg.Format.Schema)
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, cli.Usage(fmt.Errorf("schema: %w", err), "")
	}
	s, err := avro.Parse(string(text))
	if err != nil {
		return nil, cli.Usage(fmt.Errorf("%s: %w", name, err), "")
	}
	return s, nil
}

// newest is the schema that a new table is made from.
func (f *framing) newest(ctx context.Context) (*avro.Schema, error) {
	if f.own != nil {
		return f.own, nil
	}
	var s *avro.Schema
	var err error
	subject := f.cfg.Subject()
	if f.cfg.Format.Format == glueFormat {
		s, err = f.parts.Glue.Newest(ctx, subject)
	} else {
		_, s, err = f.parts.Schemas.Latest(ctx, subject)
	}
	if err != nil {
		return nil, &cli.Error{
			Err:  fmt.Errorf("there is no schema to make it from: subject %s: %w", subject, err),
			Hint: "register the value schema (a producer does it at its first message; `loadgen run` too), or name its subject in the job: `subject: …`",
		}
	}
	return s, nil
}

// part makes the format of one part.
func (f *framing) part() format {
	switch f.cfg.Format.Format {
	case glueFormat:
		return &glueFrame{schemas: f.parts.Glue}
	case avroFormat:
		return bare{ownSchema{f.own}}
	case jsonFormat:
		return &jsonValues{ownSchema: ownSchema{f.own}}
	case rawFormat:
		return &rawBytes{ownSchema: ownSchema{f.own}}
	}
	return confluent{f.parts.Schemas}
}

type confluent struct{ schemas Schemas }

func (confluent) split(r *kgo.Record) (schemaRef, []byte, error) {
	id, datum, err := avro.SplitHeader(r.Value)
	return schemaRef{id: id}, datum, err
}

func (c confluent) schema(ctx context.Context, ref schemaRef) (*avro.Schema, error) {
	return c.schemas.Schema(ctx, ref.id)
}

// glueFrame is what AWS's serializers write: 0x03, how the rest is packed, 16 bytes of the schema version's id, the datum.
type glueFrame struct {
	schemas GlueSchemas
	in      bytes.Reader
	unzip   io.ReadCloser
	datum   bytes.Buffer
}

const (
	glueHeader = 18
	// maxUnpacked is the most that a packed message may become: a small one can stand for a thousand times its length.
	maxUnpacked = batchBytes
)

func (g *glueFrame) split(r *kgo.Record) (ref schemaRef, datum []byte, err error) {
	v := r.Value
	if len(v) > 0 && v[0] != 3 {
		return ref, nil, fmt.Errorf("the first byte is 0x%02x, not 0x03: the message has no Glue header", v[0])
	}
	if len(v) < glueHeader {
		return ref, nil, fmt.Errorf("%d bytes are too few for a Glue header (0x03, packing, 16 bytes of id)", len(v))
	}
	copy(ref.uuid[:], v[2:])
	switch v[1] {
	case 0:
		return ref, v[glueHeader:], nil
	case 5:
		datum, err = g.inflate(v[glueHeader:])
		return ref, datum, err
	}
	return ref, nil, fmt.Errorf("the second byte is 0x%02x: expected 0x00 (as it is) or 0x05 (zlib)", v[1])
}

func (g *glueFrame) inflate(packed []byte) ([]byte, error) {
	g.in.Reset(packed)
	var err error
	if g.unzip == nil {
		g.unzip, err = zlib.NewReader(&g.in)
	} else {
		err = g.unzip.(zlib.Resetter).Reset(&g.in, nil)
	}
	g.datum.Reset()
	if err == nil {
		var n int64
		if n, err = io.Copy(&g.datum, io.LimitReader(g.unzip, maxUnpacked+1)); n > maxUnpacked {
			err = fmt.Errorf("more than %d MiB", maxUnpacked>>20)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: it is packed with zlib: %w", errContent, err)
	}
	return g.datum.Bytes(), nil
}

func (g *glueFrame) schema(ctx context.Context, ref schemaRef) (*avro.Schema, error) {
	return g.schemas.Version(ctx, ref.uuid)
}

// ownSchema is for messages that name none.
type ownSchema struct{ s *avro.Schema }

func (o ownSchema) schema(context.Context, schemaRef) (*avro.Schema, error) { return o.s, nil }

type bare struct{ ownSchema }

func (bare) split(r *kgo.Record) (schemaRef, []byte, error) { return schemaRef{}, r.Value, nil }

type jsonValues struct {
	ownSchema
	datum []byte
}

func (j *jsonValues) split(r *kgo.Record) (schemaRef, []byte, error) {
	var err error
	if j.datum, err = j.s.AppendJSON(j.datum[:0], r.Value); err != nil {
		err = fmt.Errorf("%w: %w", errContent, err)
	}
	return schemaRef{}, j.datum, err
}

// rawBytes has key and value as two fields of a record.
type rawBytes struct {
	ownSchema
	datum []byte
}

func (b *rawBytes) split(r *kgo.Record) (schemaRef, []byte, error) {
	b.datum = b.datum[:0]
	for _, part := range [][]byte{r.Key, r.Value} {
		if part == nil {
			b.datum = append(b.datum, 0)
			continue
		}
		b.datum = append(binary.AppendVarint(append(b.datum, 2), int64(len(part))), part...)
	}
	return schemaRef{}, b.datum, nil
}
