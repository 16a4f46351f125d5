package files

import (
	"bytes"
	"encoding"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/minibatch"
)

// A Dialect says how a CSV file is written. Zero is the RFC's: commas.
type Dialect struct {
	Comma   rune     // between fields
	Comment rune     // lines that begin with it are passed over
	Header  []string // names of the columns where the file's first record does not tell them
}

// CSV reads each record into a struct whose exported fields are the columns, named by a `csv:"name"` tag or else by their own
// name in any case: string, bool, integers, floats, time.Time (RFC 3339), what has UnmarshalText, and pointers to them, nil
// where the field is empty. A column that T does not name is passed over; one that the file does not have stops the job.
func CSV[T any](dialect ...Dialect) Format[T] {
	var d Dialect
	if len(dialect) > 0 {
		d = dialect[0]
	}
	cols, err := csvColumns(reflect.TypeFor[T]())
	return Format[T]{err: err, cut: func(in io.Reader, file string, _, _ int64, yield func(Record[T], error) bool) error {
		c := &csvReader{src: in, file: file, d: d, line: 1}
		c.skipBOM()
		at, err := c.header(cols)
		if err != nil {
			return err
		}
		for {
			fields, o, raw, err := c.next()
			switch {
			case errors.Is(err, io.EOF):
				return nil
			case errors.As(err, new(*csv.ParseError)):
				err = refuse(o, raw, sayCSV(err))
			case err != nil:
				return fmt.Errorf("%s: %w", o, err)
			}
			r := Record[T]{Origin: o}
			if err == nil {
				err = fill(reflect.ValueOf(&r.Value).Elem(), cols, at, c.width, fields)
				if err != nil {
					err = refuse(o, raw, err)
				}
			}
			if !yield(r, err) {
				return nil
			}
		}
	}}
}

func sayCSV(err error) error {
	var p *csv.ParseError
	switch {
	case !errors.As(err, &p):
		return err
	case p.Column == 0:
		return p.Err
	}
	return fmt.Errorf("character %d: %w", p.Column, p.Err)
}

// csvReader is encoding/csv that knows the bytes of each record, and that takes up again behind a quote that is never closed.
type csvReader struct {
	src    io.Reader
	file   string
	d      Dialect
	r      *csv.Reader
	seen   []byte // read from src, from the beginning of the record on
	at     int64  // offset of seen in the file
	base   int64  // offset in the file where r began
	line   int64  // of the beginning of seen
	width  int    // columns
	failed error  // of src
}

// maxRecord bounds the memory that one record can take, and how far a quote that is never closed reaches.
const maxRecord = 1 << 20

var errOpen = errors.New("the quote is not closed, or what follows its end is no comma")

var errEndless = fmt.Errorf("the quote is not closed, or the record is longer than %d MiB", maxRecord>>20)

// Read keeps what csv reads.
func (c *csvReader) Read(p []byte) (int, error) {
	if len(c.seen) > maxRecord {
		return 0, errEndless
	}
	n, err := c.src.Read(p)
	c.seen = append(c.seen, p[:n]...)
	if err != nil && !errors.Is(err, io.EOF) {
		c.failed = err
	}
	return n, err
}

func (c *csvReader) skipBOM() {
	head := make([]byte, len(bom))
	n, err := io.ReadFull(c.src, head)
	rest := bytes.NewReader(bytes.TrimPrefix(head[:n], bom))
	c.at = int64(n) - rest.Size()
	if err == nil {
		c.src = io.MultiReader(rest, c.src)
	} else if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		c.src = rest
	} else {
		c.src = io.MultiReader(rest, broken{err})
	}
	c.begin()
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

func (c *csvReader) begin() {
	c.base = c.at
	c.r = csv.NewReader(c)
	c.r.FieldsPerRecord = -1
	if c.d.Comma != 0 {
		c.r.Comma = c.d.Comma
	}
	c.r.Comment = c.d.Comment
}

// next gives a record, where it began, and its bytes. After a *csv.ParseError the next call goes on behind the bad record.
func (c *csvReader) next() (fields []string, o Origin, raw []byte, err error) {
	fields, err = c.r.Read()
	n := int(c.base + c.r.InputOffset() - c.at)
	o = Origin{File: c.file, Line: c.line, Offset: c.at}
	if c.failed != nil {
		return nil, o, nil, c.failed
	}
	if errors.Is(err, io.EOF) {
		return nil, o, nil, err
	}
	if errors.Is(err, errEndless) {
		if n = len(c.seen); bytes.IndexByte(c.seen, '\n') < 0 {
			return nil, o, nil, minibatch.Fatal(errEndless)
		}
		err = &csv.ParseError{Err: errEndless}
	}
	raw = c.seen[:n]
	skip := c.passedOver(raw)
	o.Line, o.Offset = o.Line+int64(bytes.Count(raw[:skip], []byte("\n"))), o.Offset+int64(skip)
	again := false
	if err != nil {
		if first := bytes.IndexByte(raw[skip:], '\n') + 1; first > 0 && skip+first < n {
			n, again = skip+first, true // only its first line is refused: a quote may have swallowed good ones
			err = &csv.ParseError{Err: errOpen}
		}
	}
	raw = bytes.Clone(bytes.TrimRight(raw[skip:n], "\r\n"))
	c.line += int64(bytes.Count(c.seen[:n], []byte("\n")))
	c.at += int64(n)
	c.seen = c.seen[:copy(c.seen, c.seen[n:])]
	if again {
		left := bytes.NewReader(bytes.Clone(c.seen))
		c.src, c.seen = io.MultiReader(left, c.src), c.seen[:0]
		c.begin()
	}
	return fields, o, raw, err
}

// passedOver is how many bytes of empty lines and comments precede a record.
func (c *csvReader) passedOver(raw []byte) int {
	n := 0
	for {
		end := bytes.IndexByte(raw[n:], '\n') + 1
		line := raw[n : n+end]
		if end == 0 || len(bytes.TrimRight(line, "\r\n")) > 0 && (c.d.Comment == 0 || !bytes.HasPrefix(line, []byte(string(c.d.Comment)))) {
			return n
		}
		n += end
	}
}

// header gives where each column of the struct is.
func (c *csvReader) header(cols []csvColumn) ([]int, error) {
	names := c.d.Header
	if names == nil {
		fields, o, _, err := c.next()
		if errors.Is(err, io.EOF) {
			return nil, nil // nothing but empty lines
		}
		if err != nil {
			return nil, minibatch.Fatal(fmt.Errorf("%s: the header: %w", o, sayCSV(err)))
		}
		names = fields
	}
	c.width = len(names)
	at := make([]int, len(cols))
	for i, col := range cols {
		at[i] = slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(strings.TrimSpace(n), col.name) })
		if at[i] < 0 {
			return nil, minibatch.Fatal(fmt.Errorf("%s:1: there is no column %q, only %s", c.file, col.name, strings.Join(names, ", ")))
		}
	}
	return at, nil
}

type csvColumn struct {
	name    string
	field   int
	pointer bool
}

var timeType = reflect.TypeFor[time.Time]()

func csvColumns(t reflect.Type) ([]csvColumn, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("files: a CSV record must be a struct, not %s", t)
	}
	var all []csvColumn
	for i := range t.NumField() {
		f := t.Field(i)
		c := csvColumn{name: f.Name, field: i}
		if tag := f.Tag.Get("csv"); tag == "-" || !f.IsExported() {
			continue
		} else if tag != "" {
			c.name = tag
		}
		typ := f.Type
		if typ.Kind() == reflect.Pointer {
			c.pointer, typ = true, typ.Elem()
		}
		if err := put(reflect.New(typ).Elem(), ""); errors.Is(err, errType) {
			return nil, fmt.Errorf("files: field %s of %s: a CSV column cannot be %s: use string, bool, an integer, a float, time.Time, what has UnmarshalText, or a pointer to one", f.Name, t, f.Type)
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("files: %s has no exported field", t)
	}
	return all, nil
}

func fill(row reflect.Value, cols []csvColumn, at []int, width int, fields []string) error {
	if len(fields) != width {
		return fmt.Errorf("expected %d fields, got %d", width, len(fields))
	}
	for i, c := range cols {
		text, f := fields[at[i]], row.Field(c.field)
		if c.pointer {
			if text == "" {
				continue
			}
			f.Set(reflect.New(f.Type().Elem()))
			f = f.Elem()
		}
		if err := put(f, text); err != nil {
			return fmt.Errorf("column %s: expected %w, got %q", c.name, err, text)
		}
	}
	return nil
}

var errType = errors.New("a type")

// put parses a field; its error says what was expected.
func put(f reflect.Value, text string) error {
	var err error
	bits := func() int { return f.Type().Bits() }
	switch u, ok := f.Addr().Interface().(encoding.TextUnmarshaler); {
	case f.Type() == timeType:
		var t time.Time
		if t, err = time.Parse(time.RFC3339, text); err != nil {
			return errors.New("a time such as 2026-11-20T10:00:00Z")
		}
		f.Set(reflect.ValueOf(t))
	case ok:
		return u.UnmarshalText([]byte(text))
	case f.Kind() == reflect.String:
		f.SetString(text)
	case f.Kind() == reflect.Bool:
		var b bool
		if b, err = strconv.ParseBool(text); err != nil {
			return errors.New("true or false")
		}
		f.SetBool(b)
	case f.CanInt():
		var n int64
		if n, err = strconv.ParseInt(text, 10, bits()); err != nil {
			return fmt.Errorf("an integer of %d bits", bits())
		}
		f.SetInt(n)
	case f.CanUint():
		var n uint64
		if n, err = strconv.ParseUint(text, 10, bits()); err != nil {
			return fmt.Errorf("an integer of %d bits, not below 0", bits())
		}
		f.SetUint(n)
	case f.CanFloat():
		var x float64
		if x, err = strconv.ParseFloat(text, bits()); err != nil {
			return errors.New("a number")
		}
		f.SetFloat(x)
	default:
		return errType
	}
	return nil
}
