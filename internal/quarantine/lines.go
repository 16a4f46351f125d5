package quarantine

import (
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// A Line is one refused line of a file.
type Line struct {
	Reason string // columns, quote, encoding, size, value, expression
	Error  string // one line for people
	File   string
	Line   int64 // from 1; the first of the record's lines
	Column string
	Raw    []byte
	Day    string // business date 2026-11-20, or empty
	SHA256 string // of the file
	At     time.Time
}

// LineSchema is the schema of a quarantine table for files.
var LineSchema = arrow.NewSchema([]arrow.Field{
	field("reason", arrow.BinaryTypes.String),
	field("error", arrow.BinaryTypes.String),
	field("file", arrow.BinaryTypes.String),
	field("line", arrow.PrimitiveTypes.Int64),
	field("column", arrow.BinaryTypes.String),
	field("raw", arrow.BinaryTypes.Binary),
	field("business_date", arrow.FixedWidthTypes.Date32),
	field("sha256", arrow.BinaryTypes.String),
	field("quarantined_at", micros),
}, nil)

// LineBatch makes an Arrow batch of lines, in the schema of the table as it was made.
func LineBatch(s *arrow.Schema, lines []Line) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, s)
	defer b.Release()
	text := func(i int, s string) {
		if s == "" {
			b.Field(i).AppendNull()
			return
		}
		b.Field(i).(*array.StringBuilder).Append(s)
	}
	for _, l := range lines {
		text(0, l.Reason)
		text(1, l.Error)
		text(2, l.File)
		b.Field(3).(*array.Int64Builder).Append(l.Line)
		text(4, l.Column)
		b.Field(5).(*array.BinaryBuilder).Append(l.Raw)
		if day, err := time.Parse(time.DateOnly, l.Day); err == nil {
			b.Field(6).(*array.Date32Builder).Append(arrow.Date32FromTime(day))
		} else {
			b.Field(6).AppendNull()
		}
		text(7, l.SHA256)
		b.Field(8).(*array.TimestampBuilder).Append(arrow.Timestamp(l.At.UnixMicro()))
	}
	return b.NewRecordBatch()
}
