package ingest

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/hamba/avro/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	weiravro "weir/internal/avro"
	"weir/internal/config"
	"weir/internal/lake"
	"weir/internal/topic"
	"weir/minibatch"
	"weir/minibatch/minibatchtest"
)

var byID = Config{Write: upsert, Key: []string{"id"}}

// put is an order with a note, in the partition of its key.
func (s *site) put(id int64, note string) *kgo.Record {
	datum, err := avro.Marshal(s.schema, order{ID: id, Note: &note, Tags: []string{"a"}})
	s.ok(err)
	return &kgo.Record{Partition: int32(id % 3), Key: fmt.Append(nil, id), Value: framed(s.id, datum)}
}

// gone is a tombstone, whose key is what the given function makes of the id.
func (s *site) gone(id int64, key func(int64) []byte) *kgo.Record {
	return &kgo.Record{Partition: int32(id % 3), Key: key(id)}
}

func textOf(id int64) []byte { return fmt.Append(nil, id) }

// avroKeys registers a schema for keys.
func (s *site) avroKeys(subject, schema string, value func(int64) any) func(int64) []byte {
	id, err := s.reg.Register(s.t.Context(), subject, schema)
	s.ok(err)
	parsed := avro.MustParse(schema)
	return func(n int64) []byte {
		datum, err := avro.Marshal(parsed, value(n))
		s.ok(err)
		return framed(id, datum)
	}
}

// notesIn reads id -> note, and fails where an id is there twice.
func (s *site) notesIn(name string) map[int64]string {
	out := map[int64]string{}
	s.scan(name, func(c lake.Chunk) {
		ids, notes := c.Batch.Column(0).(*array.Int64), c.Batch.Column(1).(*array.String)
		for i := range ids.Len() {
			if _, twice := out[ids.Value(i)]; twice {
				s.t.Errorf("order %d is there twice", ids.Value(i))
			}
			out[ids.Value(i)] = notes.Value(i)
		}
	})
	return out
}

// Whatever comes, in whatever batches, over restarts and over new columns: the table holds the last record of each key.
func TestAnUpsertedTableHoldsTheLastOfEachKey(t *testing.T) {
	s := newSite(t)
	keys := []func(int64) []byte{
		textOf,
		s.avroKeys("orders-key", `"long"`, func(id int64) any { return id }),
		s.avroKeys("orders-record-key", `{"type":"record","name":"K","fields":[{"name":"id","type":"long"}]}`, func(id int64) any { return map[string]any{"id": id} }),
	}
	r, want := rand.New(rand.NewPCG(1, 2)), map[int64]string{}
	c := byID
	c.Partition, c.Sort = []string{"bucket(2, id)"}, []string{"note"}
	var in, out, filtered int64
	for round := range 6 {
		var recs []*kgo.Record
		for i := range 200 {
			id := r.Int64N(60)
			if r.IntN(4) == 0 {
				recs = append(recs, s.gone(id, keys[r.IntN(len(keys))]))
				delete(want, id)
				continue
			}
			note := fmt.Sprint("note ", round, " ", i)
			recs = append(recs, s.put(id, note))
			want[id] = note
		}
		if round == 3 { // a schema with more columns
			s.sendAs(withFee, fee(99, 7))
			want[99] = ""
		}
		s.send(recs...)
		c.Commit.Rows = config.Count(20 + r.IntN(300))
		rep := s.drain(c)
		in, out, filtered = in+rep.RowsIn, out+rep.RowsOut, filtered+rep.Filtered
		if got := s.notesIn("shop.orders"); !maps.Equal(got, want) {
			t.Fatalf("after round %d the table holds\n%v\nwant\n%v", round, got, want)
		}
	}
	if in != 1201 || in != out+filtered || filtered == 0 {
		t.Errorf("read %d, written %d, left out %d", in, out, filtered)
	}
}

// A record whose key cannot be told is kept beside the table, and says why.
func TestRecordsWithoutAKeyAreRefused(t *testing.T) {
	s := newSite(t)
	c := Config{Write: upsert, Key: []string{"note"}}
	c.Quarantine.MaxShare = 1
	wrong := s.avroKeys("wrong-key", `{"type":"record","name":"K","fields":[{"name":"other","type":"long"}]}`, func(id int64) any { return map[string]any{"other": id} })
	datum, err := avro.Marshal(s.schema, order{ID: 1})
	s.ok(err)
	s.send(s.put(5, "five"), s.put(6, "six"),
		&kgo.Record{Value: framed(s.id, datum)}, // no note, so no key
		s.gone(7, wrong), s.gone(8, func(int64) []byte { return nil }), s.gone(9, func(int64) []byte { return []byte{0, 1} }),
		&kgo.Record{Partition: 2, Key: []byte("five")})
	if r := s.drain(c); r.Quarantined != 4 || r.RowsOut != 1 || r.Filtered != 2 {
		t.Errorf("got %+v", r)
	}
	if got := s.notesIn("shop.orders"); !maps.Equal(got, map[int64]string{6: "six"}) {
		t.Errorf("the table holds %v", got)
	}
	reasons := map[string]int{}
	s.scan("shop.orders__quarantine", func(c lake.Chunk) {
		col := c.Batch.Column(c.Batch.Schema().FieldIndices("reason")[0]).(*array.String)
		for i := range col.Len() {
			reasons[col.Value(i)]++
		}
	})
	if reasons["no_key"] != 4 {
		t.Errorf("reasons: %v", reasons)
	}
}

// Each call of source and sink fails, before and after its effect, and ends the process there: the table ends up the same.
func TestAnUpsertSurvivesEveryCrash(t *testing.T) {
	s := newSite(t)
	var recs []*kgo.Record
	want := map[int64]string{}
	for i := range int64(40) {
		id := i * 7 % 9
		if i%5 == 4 {
			recs = append(recs, s.gone(id, textOf))
			delete(want, id)
		} else {
			want[id] = fmt.Sprint("note ", i)
			recs = append(recs, s.put(id, want[id]))
		}
	}
	s.send(recs...)
	trial := 0
	minibatchtest.Crash(t, func() minibatchtest.Trial[topic.Records, decoded] {
		trial++
		c := byID
		c.Topic, c.Table, c.Start = "orders", fmt.Sprint("shop.t", trial), "earliest"
		c.Commit.Rows = 15
		return minibatchtest.Trial[topic.Records, decoded]{
			Job: func() minibatch.Job[topic.Records, decoded] {
				j, err := New(t.Context(), "orders", c, Parts{Kafka: s.kafka, Schemas: s.reg, Lake: s.lake})
				s.ok(err)
				t.Cleanup(j.Close)
				return j.batches(t.Context(), nil)
			},
			Rows: func() []string {
				var rows []string
				for id, note := range s.notesIn(c.Table) {
					if want[id] == note { // an older one is right until the next batch
						rows = append(rows, fmt.Sprint(id, " ", note))
					}
				}
				slices.Sort(rows)
				return rows
			},
		}
	})
	for i := range trial {
		if got := s.notesIn(fmt.Sprint("shop.t", i+1)); !maps.Equal(got, want) {
			t.Errorf("trial %d ends with %v, want %v", i+1, got, want)
		}
	}
}

// What says nothing, or is said of a table that is not kept so, is an error and not silence.
func TestUpsertSettingsThatDoNothing(t *testing.T) {
	good := Config{Topic: "orders", Table: "shop.orders", Start: "earliest"}
	for _, x := range []struct {
		change func(*Config)
		path   string
	}{
		{func(c *Config) { c.Key = []string{"id"} }, "key"},
		{func(c *Config) { c.Write = upsert }, "write"},
		{func(c *Config) { c.Write = "merge" }, "write"},
		{func(c *Config) { c.Write, c.Key, c.Workers = upsert, []string{"id"}, 2 }, "workers"},
		{func(c *Config) { c.Write, c.Key, c.Processes.Max = upsert, []string{"id"}, 2 }, "processes"},
	} {
		c := good
		x.change(&c)
		if bad := c.Validate(); len(bad) != 1 || bad[0].Path != x.path {
			t.Errorf("%+v: %v", c, bad)
		}
	}
	s := newSite(t)
	s.sendNumbers(0, 3)
	s.drain(Config{})
	refused := func(c Config, say string) {
		t.Helper()
		c.Topic, c.Start = "orders", "earliest"
		_, err := New(t.Context(), "other", c, Parts{Kafka: s.kafka, Schemas: s.reg, Lake: s.lake})
		if err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("%+v: %v, want %q", c, err, say)
		}
	}
	refused(Config{Table: "shop.orders", Write: upsert, Key: []string{"id"}}, "no upsert job made it")
	refused(Config{Table: "shop.kept", Write: upsert, Key: []string{"it"}}, "no column it; it has id, note")
	refused(Config{Table: "shop.kept", Write: upsert, Key: []string{"tags"}}, "can be taken")
	parsed, err := weiravro.Parse(orderSchema)
	s.ok(err)
	columns, err := tableSchema(parsed, Config{})
	s.ok(err)
	_, err = s.lake.Ensure(t.Context(), "shop.kept", columns, lake.Options{Key: []string{"id"}})
	s.ok(err)
	refused(Config{Table: "shop.kept"}, "only a job with `write: upsert`")
	refused(Config{Table: "shop.kept", Write: upsert, Key: []string{"note"}}, "one row for each id")
}

// A key that might be taken for another one deletes nothing: it is refused.
func TestATombstoneIsNotGuessed(t *testing.T) {
	own, err := weiravro.Parse(`{"type":"record","name":"A","fields":[{"name":"id","type":"long"},{"name":"s","type":"string"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	schema := arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, {Name: "s", Type: arrow.BinaryTypes.String, Nullable: true}}, nil)
	for key, d := range map[string]*decoder{
		"0":            {format: bare{ownSchema{own}}, latest: newLatest([]string{"id"})}, // id 24 as Avro writes it
		"\x06abc":      {format: confluent{}, latest: newLatest([]string{"s"})},
		`{"s": "abc"}`: {format: confluent{}, latest: newLatest([]string{"s"})},
	} {
		d.schema = schema
		if _, _, err := d.keyRow(t.Context(), &kgo.Record{Key: []byte(key)}); !errors.Is(err, errKey) {
			t.Errorf("%q: got %v, want that it is refused", key, err)
		}
	}
	plain := &decoder{format: confluent{}, schema: schema, latest: newLatest([]string{"s"})}
	if row, _, err := plain.keyRow(t.Context(), &kgo.Record{Key: []byte("abc")}); err != nil || row.Column(0).ValueStr(0) != "abc" {
		t.Errorf("a plain text: %v, %v", row, err)
	}
}
