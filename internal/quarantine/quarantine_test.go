package quarantine

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/quick"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/oklog/ulid/v2"

	"weir/internal/lake"
	"weir/internal/stamp"
)

var full = Row{
	Reason: Misfit, Error: "no such column", SchemaID: 7, Topic: "orders", Partition: 2, Offset: 1 << 40, Timestamp: time.UnixMicro(1_700_000_000_000_001).UTC(),
	Key: []byte{0xff, 0}, Value: []byte{}, Headers: []Header{{"h", []byte("v")}, {"none", nil}, {"h", []byte{}}},
	Stamp: stamp.Stamp{Run: ulid.Make(), Shard: 3, Seq: 9, Intended: 77}, Stamped: true, At: time.UnixMicro(1_700_000_000_000_002).UTC(), Attempt: 4, LastTried: time.UnixMicro(5).UTC(),
}

func TestARowIsReadAsItWasWritten(t *testing.T) {
	bare := Row{Reason: NoValue, Topic: "orders", Timestamp: full.Timestamp, At: full.At, Attempt: 1}
	want := []Row{full, bare}
	rec := Batch(Schema, want)
	defer rec.Release()
	got := Rows(rec)
	for i := range got[0].Headers { // a header's nothing and its empty text are one to Kafka's clients
		if len(got[0].Headers[i].Value) == 0 {
			got[0].Headers[i].Value = full.Headers[i].Value
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestPositionsAreReadAsTheyWereWritten(t *testing.T) {
	law := func(offsets []uint16, far []int64, parts []int8) bool {
		p := Positions{}
		for i, o := range offsets {
			x := Position{Topic: "orders", Offset: int64(o % 300)}
			if len(parts) > 0 {
				x.Partition = int32(parts[i%len(parts)]) & 3
			}
			if len(far) > 0 && i%7 == 0 {
				x.Offset, x.Topic = far[i%len(far)]&(1<<50-1), "others"
			}
			p[x] = true
		}
		b, err := json.Marshal(p)
		if err != nil {
			return false
		}
		var back Positions
		return json.Unmarshal(b, &back) == nil && reflect.DeepEqual(p, back)
	}
	if err := quick.Check(law, &quick.Config{MaxCount: 2000}); err != nil {
		t.Error(err)
	}
	run := Positions{}
	for o := range int64(Round) {
		run[Position{"orders", 0, o * 2}] = true
	}
	if b, _ := json.Marshal(run); len(b) > 5*Round {
		t.Errorf("%d positions take %d bytes of the table's metadata", Round, len(b))
	}
}

// A preview is one printable line, whatever the bytes are.
func FuzzPreview(f *testing.F) {
	for _, s := range []string{"", "text", "\xff\x1b[2J", strings.Repeat("ä", 200), "a\x00b", "\u202e", "\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, s := range []string{Preview(b), Plain(string(b))} {
			if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\u202e' }) {
				t.Errorf("%q is shown as %q", b, s)
			}
		}
	})
}

// A quarantine of an earlier version gets the columns that it lacks with its next row, and its rows count as tried once.
func TestAnOldQuarantineGoesOn(t *testing.T) {
	dir := t.TempDir()
	l, err := lake.Open(t.Context(), lake.Config{Catalog: filepath.Join(dir, "catalog.db"), Warehouse: filepath.Join(dir, "warehouse")})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	one := func(rec arrow.RecordBatch) func(func(arrow.RecordBatch, error) bool) {
		return func(yield func(arrow.RecordBatch, error) bool) { yield(rec, nil) }
	}
	old := arrow.NewSchema(Schema.Fields()[:9], nil)
	q, err := l.Ensure(t.Context(), Table("shop.orders"), old, lake.Options{})
	ok(err)
	rec := Batch(Schema, []Row{full})
	files, err := q.Write(t.Context(), one(cut(q.Schema(), rec)))
	ok(err)
	_, err = q.Commit(t.Context(), lake.Commit{Job: "orders", ID: "1", To: json.RawMessage("1"), Add: files})
	ok(err)
	next := full
	next.Offset++
	q, shape, err := Ensure(t.Context(), l, "shop.orders")
	ok(err)
	files, err = q.WriteShape(t.Context(), shape, one(Batch(shape.Schema(), []Row{next})))
	ok(err)
	_, err = q.Commit(t.Context(), lake.Commit{Job: "orders", ID: "2", From: json.RawMessage("1"), To: json.RawMessage("2"), Add: files})
	ok(err)
	attempts := map[int64]int32{}
	ok(Each(t.Context(), l, "shop.orders", func(r Row) bool { attempts[r.Offset] = r.Attempt; return true }))
	if len(attempts) != 2 || attempts[full.Offset] != 0 || attempts[next.Offset] != 4 {
		t.Errorf("attempts by offset: %v", attempts)
	}
	groups, err := Groups(t.Context(), l, "shop.orders", func(Row) bool { return true })
	ok(err)
	if len(groups) != 1 || groups[0].Records != 2 || groups[0].Attempts != 4 || groups[0].Sample != full.Error {
		t.Errorf("%+v", groups)
	}
}

// cut is a batch without the columns that a schema lacks.
func cut(s *arrow.Schema, rec arrow.RecordBatch) arrow.RecordBatch {
	var cols []arrow.Array
	for _, f := range s.Fields() {
		c := rec.Column(rec.Schema().FieldIndices(f.Name)[0])
		cols = append(cols, c)
	}
	return array.NewRecordBatch(s, cols, rec.NumRows())
}
