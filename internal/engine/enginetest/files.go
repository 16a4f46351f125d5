package enginetest

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"weir/internal/engine"
)

var paySchema = schema(
	field(1, "id", arrow.PrimitiveTypes.Int64), field(2, "country", arrow.BinaryTypes.String), field(3, "amount", &arrow.Decimal128Type{Precision: 18, Scale: 2}),
	field(4, "ts", &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}), field(5, "day", arrow.FixedWidthTypes.Date32),
	field(6, "ok", arrow.FixedWidthTypes.Boolean), field(7, "ratio", arrow.PrimitiveTypes.Float64), field(8, "small", arrow.PrimitiveTypes.Int32),
	field(9, "note", arrow.BinaryTypes.String))

var payColumns = []engine.Column{
	{ID: 1, Name: "id", Type: "BIGINT"}, {ID: 2, Name: "country", Type: "VARCHAR"}, {ID: 3, Name: "amount", Type: "DECIMAL(18,2)"},
	{ID: 4, Name: "ts", Type: "TIMESTAMP WITH TIME ZONE"}, {ID: 5, Name: "day", Type: "DATE"}, {ID: 6, Name: "ok", Type: "BOOLEAN"},
	{ID: 7, Name: "ratio", Type: "DOUBLE"}, {ID: 8, Name: "small", Type: "INTEGER"}, {ID: 9, Name: "note", Type: "VARCHAR"},
}

// pay is the table bank.pay: four rows, the last of them all null but for its id.
func (s *suite) pay() []engine.Table {
	s.Helper()
	file := s.write("pay", paySchema, `[
		{"id": 1, "country": "DE", "amount": "1.50", "ts": "2026-11-20T01:30:00Z", "day": "2026-11-20", "ok": true, "ratio": 0.5, "small": 7, "note": "it's; -- a \"note\""},
		{"id": 2, "country": "FR", "amount": "-0.01", "ts": "2026-11-20T23:59:59.999999Z", "day": "2026-11-20", "ok": false, "ratio": -1, "small": -7, "note": ""},
		{"id": 3, "country": "DE", "amount": "2.50", "ts": "2026-11-21T00:00:00Z", "day": "2026-11-21", "ok": true, "ratio": 1e300, "small": 0, "note": "x"},
		{"id": 4}]`)
	return s.known([]engine.Table{{Name: "bank.pay", Files: []string{file}, Columns: payColumns}})
}

func field(id int, name string, t arrow.DataType) arrow.Field {
	return arrow.Field{Name: name, Type: t, Nullable: true, Metadata: arrow.NewMetadata([]string{"PARQUET:field_id"}, []string{strconv.Itoa(id)})}
}

func schema(f ...arrow.Field) *arrow.Schema { return arrow.NewSchema(f, nil) }

// write makes a Parquet file, as the table's writer does: by arrow-go, with field ids.
func (s *suite) write(name string, sc *arrow.Schema, rows string) string {
	s.Helper()
	path := filepath.Join(s.dir, "it's "+name+".parquet") // a path that has to be quoted
	rec, _, err := array.RecordFromJSON(memory.DefaultAllocator, sc, strings.NewReader(rows))
	s.ok(err)
	defer rec.Release()
	f, err := os.Create(path)
	s.ok(err)
	w, err := pqarrow.NewFileWriter(sc, f, parquet.NewWriterProperties(), pqarrow.DefaultWriterProps())
	s.ok(err)
	s.ok(w.Write(rec))
	s.ok(w.Close()) // closes f
	return path
}
