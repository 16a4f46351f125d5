package ingest

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/fake"
	"weir/internal/lake"
	"weir/internal/quarantine"
	"weir/internal/registry"
	"weir/minibatch"
)

// bareDatum is order n without a header.
func (s *site) bareDatum(n int64) []byte { return s.value(n)[5:] }

// reasons of the quarantine, as they came.
func (s *site) reasons() []string {
	var out []string
	s.scan(quarantine.Table("shop.orders"), func(c lake.Chunk) {
		for i := range int(c.Batch.NumRows()) {
			out = append(out, c.Batch.Column(0).(*array.String).Value(i)+": "+c.Batch.Column(1).(*array.String).Value(i))
		}
	})
	return out
}

func (s *site) wantReasons(want ...string) {
	s.t.Helper()
	got := s.reasons()
	for i, w := range want {
		if len(got) != len(want) || !strings.Contains(got[i], w) {
			s.t.Fatalf("refused %q, want %q", got, want)
		}
	}
}

func packed(b []byte) []byte {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

func TestGlueFrames(t *testing.T) {
	s, server := newSite(t), fake.NewGlueSchemas(t)
	id := [16]byte{1, 2, 3, 15: 9}
	server.Put("orders", registry.UUID(id), orderSchema)
	frame := func(id [16]byte, pack byte, datum []byte) *kgo.Record {
		return &kgo.Record{Value: append(append([]byte{3, pack}, id[:]...), datum...)}
	}
	bomb := packed(make([]byte, maxUnpacked+1))
	s.send(
		frame(id, 0, s.bareDatum(0)), frame(id, 5, packed(s.bareDatum(1))), frame(id, 5, packed(s.bareDatum(2))),
		&kgo.Record{Value: s.value(3)}, &kgo.Record{Value: []byte{3, 0, 1}}, frame(id, 1, nil),
		frame(id, 5, s.bareDatum(4)), frame(id, 5, bomb), frame([16]byte{7}, 0, s.bareDatum(5)), frame(id, 0, s.bareDatum(6)[1:]),
		frame(id, 5, packed(s.bareDatum(3))),
	)
	c := Config{Topic: "orders", Table: "shop.orders", Start: "earliest", Format: Format{Format: "glue"}}
	if _, err := New(t.Context(), "orders", c, Parts{Kafka: s.kafka, Schemas: s.reg, Lake: s.lake}); err == nil || !strings.Contains(err.Error(), "needs the Glue Schema Registry") {
		t.Errorf("without a registry: %v", err)
	}
	j, err := New(t.Context(), "orders", c, Parts{Kafka: s.kafka, Lake: s.lake, Glue: registry.NewGlue(registry.GlueConfig{Region: "eu-central-1", Endpoint: server.URL})})
	s.ok(err)
	defer j.Close()
	r, err := j.Run(t.Context(), minibatch.Drain, nil)
	if err != nil || r.RowsOut != 4 || r.Quarantined != 7 {
		t.Fatalf("got %+v, %v", r, err)
	}
	s.wantNumbers(4)
	s.wantReasons("not_framed: the first byte is 0x00, not 0x03", "not_framed: 3 bytes are too few", "not_framed: the second byte is 0x01",
		"undecodable: the value cannot be decoded: it is packed with zlib: zlib: invalid header", "packed with zlib: more than 32 MiB",
		"unknown_schema: schema version 07000000-0000-0000-0000-000000000000", "undecodable: ")
}

func TestAvroWithoutHeader(t *testing.T) {
	for name, c := range map[string]Format{"newest of the subject": {Format: "avro"}, "file": {Format: "avro", Schema: "order.avsc", Subject: "nobody"}} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.ok(os.WriteFile(filepath.Join(s.home, "order.avsc"), []byte(orderSchema), 0o600))
			s.send(&kgo.Record{Value: s.bareDatum(0)}, &kgo.Record{Value: s.value(1)}, &kgo.Record{Value: s.bareDatum(1)}, &kgo.Record{Value: nil})
			s.drained(c, 2, 2)
			s.wantNumbers(2)
			s.wantReasons("undecodable: ", "no_value: ")
		})
	}
	s := newSite(t)
	_, err := New(t.Context(), "orders", Config{Topic: "orders", Table: "shop.orders", Start: "earliest", Format: Format{Format: "avro", Subject: "nobody"}}, Parts{Kafka: s.kafka, Schemas: s.reg, Lake: s.lake})
	if !errors.Is(err, registry.ErrNoSubject) || !strings.Contains(err.Error(), "messages of format avro name no schema, and there is no schema to make it from: subject nobody") {
		t.Errorf("got %v", err)
	}
}

// drained runs a job of a format, whose files lie in the site's home.
func (s *site) drained(f Format, rows, refused int64) {
	s.t.Helper()
	j, err := New(s.t.Context(), "orders", Config{Topic: "orders", Table: "shop.orders", Start: "earliest", Format: f}, Parts{Kafka: s.kafka, Schemas: s.reg, Lake: s.lake, Dir: s.home})
	s.ok(err)
	defer j.Close()
	r, err := j.Run(s.t.Context(), minibatch.Drain, nil)
	if err != nil || r.RowsOut != rows || r.Quarantined != refused {
		s.t.Fatalf("got %+v, %v", r, err)
	}
}

func TestJSONMessages(t *testing.T) {
	s := newSite(t)
	var recs []*kgo.Record
	for n := range 4 {
		note := fmt.Sprintf(`,"note":"note %d"`, n)
		if n%3 == 0 {
			note = ""
		}
		recs = append(recs, &kgo.Record{Value: fmt.Appendf(nil, `{"id":%d%s,"tags":["a"]}`, n, note)})
	}
	for _, bad := range []string{`{"id":"4","tags":[]}`, `{"id":5}`, `{"id":6,"tags":[],"more":1}`, `{"id":7,`, ``} {
		recs = append(recs, &kgo.Record{Value: []byte(bad)})
	}
	s.send(recs...)
	s.drained(Format{Format: "json"}, 4, 5)
	s.wantNumbers(4)
	s.wantReasons(`undecodable: the value cannot be decoded: field id, byte 0: expected long, got "4"`, "field tags, byte 0: it is missing", "field more, byte 0: the schema has no such field", "no JSON", "no JSON")
}

// Raw bytes have no schema and refuse nothing, not even a tombstone.
func TestRawBytes(t *testing.T) {
	s := newSite(t)
	s.send(&kgo.Record{Key: []byte("k\xff"), Value: []byte{0, 1, 2}}, &kgo.Record{Value: []byte{}}, &kgo.Record{Key: []byte{}})
	s.drained(Format{Format: "raw"}, 3, 0)
	var got []string
	s.scan("shop.orders", func(c lake.Chunk) {
		for i := range int(c.Batch.NumRows()) {
			for k := range 2 {
				b := c.Batch.Column(k).(*array.Binary)
				got = append(got, fmt.Sprintf("%s %v %x", c.Batch.ColumnName(k), b.IsNull(i), b.Value(i)))
			}
		}
	})
	want := []string{"key false 6bff", "value false 000102", "key true ", "value false ", "key false ", "value true "}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q", got)
	}
}

func TestKeysOfFormat(t *testing.T) {
	for _, c := range []struct {
		f    Format
		want string // subject, or the path of what is wrong
	}{
		{Format{}, "t-value"},
		{Format{SubjectName: "topic"}, "t-value"},
		{Format{SubjectName: "record", Record: "a.B"}, "a.B"},
		{Format{SubjectName: "topic-record", Record: "a.B"}, "t-a.B"},
		{Format{Subject: "s", SubjectName: "record", Record: "a.B"}, "s"},
		{Format{Format: "glue"}, "t"},
		{Format{Format: "avro", Schema: "f"}, "t-value"},
		{Format{SubjectName: "record"}, "record"},
		{Format{SubjectName: "value"}, "subject_name"},
		{Format{Format: "protobuf"}, "format"},
		{Format{Schema: "f"}, "schema"},
	} {
		cfg := Config{Topic: "t", Table: "a.b", Start: "latest", Format: c.f}
		got := cfg.Subject()
		for _, bad := range cfg.Validate() {
			got = bad.Path
		}
		if got != c.want {
			t.Errorf("%+v: got %s, want %s", c.f, got, c.want)
		}
	}
}
