package content

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/hamba/avro/v2"
	"pgregory.net/rapid"

	"weir/internal/config"
)

func uniform(least, most int) Size {
	return Size{Distribution: "uniform", Min: config.Size(least), Max: config.Size(most)}
}

func mustGenerator(tb testing.TB, c Spec) *Generator {
	tb.Helper()
	g, err := NewGenerator(c)
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

// everything has each type of the contract, nested and nullable, and its filler in the middle.
const everything = `{"type":"record","name":"All","fields":[
 {"name":"flag","type":"boolean"},{"name":"i","type":"int"},{"name":"l","type":"long"},{"name":"f","type":"float"},{"name":"d","type":"double"},
 {"name":"nothing","type":"null"},{"name":"raw","type":"bytes"},{"name":"hash","type":{"type":"fixed","name":"Hash","size":11}},
 {"name":"sub","type":{"type":"record","name":"Sub","fields":[{"name":"fill","type":"string"},{"name":"again","type":"Hash"},{"name":"who","type":"string"}]}},
 {"name":"kind","type":{"type":"enum","name":"Kind","symbols":["A","B","C"]}},
 {"name":"list","type":{"type":"array","items":{"type":"record","name":"Item","fields":[{"name":"x","type":["null","long"]},{"name":"k","type":"Kind"}]}}},
 {"name":"dict","type":{"type":"map","values":"double"}},
 {"name":"optional","type":["string","null"]},{"name":"optional_sub","type":["null","Sub"]},{"name":"alone","type":["null"]},
 {"name":"money","type":{"type":"fixed","name":"Money","size":12,"logicalType":"decimal","precision":20,"scale":4}},
 {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}},
 {"name":"day","type":{"type":"int","logicalType":"date"}},{"name":"tm","type":{"type":"int","logicalType":"time-millis"}},
 {"name":"tu","type":{"type":"long","logicalType":"time-micros"}},{"name":"tsm","type":{"type":"long","logicalType":"timestamp-millis"}},
 {"name":"tsu","type":{"type":"long","logicalType":"timestamp-micros"}},{"name":"lsm","type":{"type":"long","logicalType":"local-timestamp-millis"}},
 {"name":"lsu","type":{"type":"long","logicalType":"local-timestamp-micros"}},{"name":"id","type":{"type":"string","logicalType":"uuid"}}]}`

func TestEveryRecordIsReadByAnotherImplementation(t *testing.T) {
	for name, c := range map[string]Spec{
		"bank transaction":          {Seed: 1},
		"bank transaction, 300 B":   {Seed: 1, Size: Constant(300)},
		"every type":                {Seed: 2, Schema: everything},
		"every type, filler inside": {Seed: 2, Schema: everything, Pad: "sub.fill", Size: uniform(500, 9000), Key: "sub.who"},
		"the filler is a bytes":     {Seed: 3, Schema: everything, Pad: "raw", Size: Constant(2000), Key: "l"},
	} {
		t.Run(name, func(t *testing.T) {
			g := mustGenerator(t, c)
			w := g.Writer()
			schema, err := parseSchema(g.Schema())
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]uint64{}
			for n := range uint64(2000) {
				b := w.Append(nil, n)
				r := avro.NewReader(bytes.NewReader(b), len(b)+1)
				var v any
				r.ReadVal(schema, &v)
				if r.Error != nil {
					t.Fatalf("message %d: %v", n, r.Error)
				}
				if r.Peek(); r.Error == nil {
					t.Fatalf("message %d: bytes are left behind the record", n)
				}
				if before, twice := seen[string(b)]; twice {
					t.Fatalf("messages %d and %d are equal", before, n)
				}
				seen[string(b)] = n
			}
		})
	}
}

func TestContentFollowsSeedAndNumberOnly(t *testing.T) {
	g := mustGenerator(t, Spec{Seed: 42, Size: uniform(280, 600)})
	forward, backward := g.Writer(), mustGenerator(t, Spec{Seed: 42, Size: uniform(280, 600)}).Writer()
	other := mustGenerator(t, Spec{Seed: 43, Size: uniform(280, 600)}).Writer()
	want := map[uint64][]byte{}
	for n := range uint64(500) {
		want[n] = forward.Append(nil, n)
	}
	for n := uint64(499); n < 500; n-- {
		if got := backward.Append([]byte("something before"), n); !bytes.Equal(got[16:], want[n]) {
			t.Fatalf("message %d: got other bytes when asked in another order", n)
		}
		if bytes.Equal(other.Append(nil, n), want[n]) {
			t.Fatalf("message %d is the same with another seed", n)
		}
	}
	// The content is a promise to runs that were recorded before: their proof recomputes it.
	if got := fmt.Sprintf("%x", mix(streamHash(want))); got != goldenContent {
		t.Errorf("content has changed: got %s, want %s; old runs can no longer be verified", got, goldenContent)
	}
}

const goldenContent = "cbcbb3a0e146bc24"

func streamHash(records map[uint64][]byte) (h uint64) {
	for n := range uint64(len(records)) {
		for _, c := range records[n] {
			h = mix(h ^ uint64(c))
		}
	}
	return h
}

func TestSizesAreExactToTheByte(t *testing.T) {
	schemas := []Spec{{}, {Schema: everything, Pad: "sub.fill"}, {Schema: everything, Pad: "raw"}}
	rapid.Check(t, func(t *rapid.T) {
		c := schemas[rapid.IntRange(0, 2).Draw(t, "schema")]
		floor := func() int { g, _ := NewGenerator(c); return g.Floor() }()
		c.Seed = rapid.Uint64().Draw(t, "seed")
		// Around a filler of 64, 8,192 and 1,048,576 bytes its length takes a byte more: the hard places.
		near := rapid.SampledFrom([]int{0, 64, 8192, 1 << 20}).Draw(t, "near")
		want := floor + max(0, near+rapid.IntRange(-150, 150).Draw(t, "off"))
		c.Size = Constant(want)
		g, err := NewGenerator(c)
		if err != nil {
			t.Fatal(err)
		}
		w := g.Writer()
		for n := range uint64(8) {
			if got := HeaderSize + len(w.Append(nil, n)); got != want {
				t.Fatalf("message %d: got %d B, want %d B", n, got, want)
			}
		}
	})
}

func TestKeyIsTheField(t *testing.T) {
	g := mustGenerator(t, Spec{Schema: everything, Pad: "sub.fill", Key: "sub.who", Keys: 5, Size: uniform(500, 900)})
	w, schema := g.Writer(), mustSchema(t, everything)
	keys := map[string]int{}
	for n := range uint64(1000) {
		b := w.Append([]byte("12345"), n)
		var v map[string]any
		if err := avro.Unmarshal(schema, b[5:], &v); err != nil {
			t.Fatal(err)
		}
		if got, want := string(w.Key(b)), v["sub"].(map[string]any)["who"]; got != want {
			t.Fatalf("message %d: key %q, field %q", n, got, want)
		}
		keys[string(w.Key(b))]++
	}
	if len(keys) != 5 {
		t.Errorf("got %d different keys, want 5", len(keys))
	}
	number := mustGenerator(t, Spec{Schema: everything, Key: "i"}).Writer()
	b := number.Append(nil, 7)
	var v map[string]any
	if err := avro.Unmarshal(schema, b, &v); err != nil {
		t.Fatal(err)
	}
	if got, want := string(number.Key(b)), fmt.Sprint(v["i"]); got != want {
		t.Errorf("key %q, field %s", got, want)
	}
}

func mustSchema(tb testing.TB, text string) avro.Schema {
	tb.Helper()
	s, err := parseSchema(text)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestBankTransactionIsAbout260Bytes(t *testing.T) {
	w := mustGenerator(t, Spec{Seed: 1}).Writer()
	total := 0
	for n := range uint64(10_000) {
		total += HeaderSize + len(w.Append(nil, n))
	}
	if mean := total / 10_000; mean < 255 || mean > 265 {
		t.Errorf("mean size of a value: got %d B, want about 260 B", mean)
	}
	// Every value of a field is drawn: a plan that always takes the same branch would pass all other tests.
	schema := mustSchema(t, bankSchema)
	nulls, currencies, tags := 0, map[string]bool{}, map[int]bool{}
	for n := range uint64(2000) {
		var v map[string]any
		if err := avro.Unmarshal(schema, w.Append(nil, n), &v); err != nil {
			t.Fatal(err)
		}
		if v["fee"] == nil {
			nulls++
		}
		currencies[v["currency"].(string)] = true
		tags[len(v["tags"].([]any))] = true
		booked, value := v["booked_at"].(time.Time), v["value_date"].(time.Time)
		if late := value.Sub(booked); late < -24*time.Hour || late > 48*time.Hour {
			t.Fatalf("message %d: booked %v, value date %v", n, booked, value)
		}
	}
	if nulls < 1300 || nulls > 1500 || len(currencies) != 8 || len(tags) != 4 {
		t.Errorf("got %d of 2000 fees null, %d currencies, %d lengths of tags; want about 1400, 8, 4", nulls, len(currencies), len(tags))
	}
}

func TestGeneratorAllocatesNothing(t *testing.T) {
	w := mustGenerator(t, Spec{Seed: 1, Size: Constant(400)}).Writer()
	buf, n := make([]byte, 0, 4096), uint64(0)
	if got := testing.AllocsPerRun(1000, func() {
		b := w.Append(buf, n)
		_ = w.Key(b)
		n++
	}); got != 0 {
		t.Errorf("got %v allocations a record, want 0", got)
	}
}

func TestBadContentIsNamed(t *testing.T) {
	record := func(fields string) string { return `{"type":"record","name":"R","fields":[` + fields + `]}` }
	for name, c := range map[string]struct {
		content Spec
		want    string
	}{
		"no schema at all":      {Spec{Schema: `{"type":`}, "value.schema: "},
		"endless recursion":     {Spec{Schema: record(`{"name":"next","type":"R"}`)}, "value.schema: type R contains itself without an end"},
		"filler that is absent": {Spec{Schema: record(`{"name":"a","type":"int"}`), Pad: "b"}, "size.pad: the schema has no field b (fields: a)"},
		"filler of a number":    {Spec{Schema: record(`{"name":"a","type":"int"}`), Pad: "a"}, "size.pad: field a is a int, which cannot serve here"},
		"key that is the pad":   {Spec{Key: "reference"}, "key.field: reference is the filler, it cannot be the key as well"},
		"size without a pad":    {Spec{Schema: record(`{"name":"a","type":"int"}`), Size: Constant(900)}, "size.pad: the schema has no string, bytes or list that is free to grow to a size"},
		"too small":             {Spec{Size: Constant(100)}, "size: 100 B cannot be reached with this schema: its smallest value that can be promised has 1"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewGenerator(c.content)
			if err == nil || !bytes.HasPrefix([]byte(err.Error()), []byte(c.want)) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
}
