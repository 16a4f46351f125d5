package files

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"strings"
	"unicode/utf8"

	"weir/internal/storage"
	"weir/minibatch"
)

// Refused is what the quarantine holds of a record that could not be decoded.
type Refused struct {
	File   string
	Line   int64 `json:",omitempty"`
	Offset int64
	Text   string `json:",omitempty"`
	Bytes  []byte `json:",omitempty"` // instead of Text where it is no UTF-8
}

func refuse(o Origin, raw []byte, why error) error {
	r := Refused{File: o.File, Line: o.Line, Offset: o.Offset}
	if utf8.Valid(raw) {
		r.Text = string(raw)
	} else {
		r.Bytes = append([]byte{}, raw...)
	}
	return minibatch.Poison(r, fmt.Sprintf("%s: %v", o, why))
}

// A Format cuts files into values.
type Format[T any] struct {
	lines bool // a file can be read from any line on
	err   error
	// cut reads the values that begin in [from, to), where in begins with from, or with the byte before it.
	cut func(in io.Reader, file string, from, to int64, yield func(Record[T], error) bool) error
}

func (f Format[T]) check() error {
	if f.err == nil && f.cut == nil {
		return errors.New("files: no format: expected files.Lines, files.JSON, files.CSV, files.Avro or files.Whole")
	}
	return f.err
}

// Whole is a format of your own: it is handed each file from its beginning, unpacked, and returns with what yield returned
// false for. An error ends the batch; [Bad] refuses one record and goes on.
func Whole[T any](cut func(in io.Reader, file string, yield func(Record[T], error) bool) error) Format[T] {
	return Format[T]{cut: func(in io.Reader, file string, _, _ int64, yield func(Record[T], error) bool) error {
		return cut(in, file, yield)
	}}
}

// Bad is the error to yield in place of a record that cannot be decoded.
func Bad(o Origin, raw []byte, why error) error { return refuse(o, raw, why) }

var errChanged = errors.New("the file changed since the batch was planned")

// Open reads the records of a part, those of a file in their order.
func (s *Source[T]) Open(ctx context.Context, p minibatch.Part) iter.Seq2[Record[T], error] {
	return func(yield func(Record[T], error) bool) {
		var spans []span
		err := json.Unmarshal(p.Spec, &spans)
		more := true
		for i := 0; i < len(spans) && more && err == nil; i++ {
			err = s.read(ctx, spans[i], func(r Record[T], err error) bool {
				more = yield(r, err)
				return more
			})
		}
		if err != nil && more {
			yield(Record[T]{}, err)
		}
	}
}

// read yields the records of a span; what it returns has not been yielded.
func (s *Source[T]) read(ctx context.Context, x span, yield func(Record[T], error) bool) (err error) {
	r, err := s.fs.OpenAt(ctx, x.File, max(0, x.From-1))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if err := unchanged(r, x); err != nil {
		return err
	}
	in := io.Reader(bufio.NewReaderSize(r, 256<<10))
	if strings.HasSuffix(x.File, ".gz") {
		z, err := gzip.NewReader(in)
		if err != nil {
			return minibatch.Fatal(fmt.Errorf("%s: no gzip: %w", x.File, err))
		}
		in, x.To = &unpacked{z, x.File}, math.MaxInt64
	}
	err = s.format.cut(in, x.File, x.From, x.To, yield)
	return cmp.Or(unchanged(r, x), err) // what is wrong with a file that changed meanwhile says nothing
}

func unchanged(r storage.Reader, x span) error {
	e, err := r.Entry()
	if err == nil && !e.Same(x.entry()) {
		err = fmt.Errorf("%s: %w", x.File, errChanged)
	}
	return err
}

// unpacked says of errors whose they are.
type unpacked struct {
	io.Reader
	file string
}

func (u *unpacked) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = minibatch.Fatal(fmt.Errorf("%s: the gzip file is cut or broken: %w", u.file, err))
	}
	return n, err
}
