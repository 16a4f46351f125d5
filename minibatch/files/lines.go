package files

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"weir/minibatch"
)

// maxLine bounds the memory that one line can take.
const maxLine = 16 << 20

// Lines gives each line without its end, as text.
func Lines() Format[string] {
	return Format[string]{lines: true, cut: func(in io.Reader, file string, from, to int64, yield func(Record[string], error) bool) error {
		return eachLine(in, file, from, to, func(o Origin, line []byte) bool {
			return yield(Record[string]{string(line), o}, nil)
		})
	}}
}

// JSON reads each line as a JSON value (NDJSON). Lines without any text are passed over.
func JSON[T any]() Format[T] {
	return Format[T]{lines: true, cut: func(in io.Reader, file string, from, to int64, yield func(Record[T], error) bool) error {
		return eachLine(in, file, from, to, func(o Origin, line []byte) bool {
			if len(bytes.TrimSpace(line)) == 0 {
				return true
			}
			r := Record[T]{Origin: o}
			if err := json.Unmarshal(line, &r.Value); err != nil {
				return yield(Record[T]{}, refuse(o, line, sayJSON(err)))
			}
			return yield(r, nil)
		})
	}}
}

func sayJSON(err error) error {
	var typ *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &typ) && typ.Field != "":
		return fmt.Errorf("field %s: expected %s, got %s", typ.Field, typ.Type, typ.Value)
	case errors.As(err, &typ):
		return fmt.Errorf("expected %s, got %s", typ.Type, typ.Value)
	case errors.As(err, &syntax):
		return fmt.Errorf("no JSON: column %d: %w", syntax.Offset, err)
	}
	return err
}

var bom = []byte("\xef\xbb\xbf")

// eachLine gives the lines that begin in [from, to) of a file. in begins one byte before from, unless that is 0.
func eachLine(in io.Reader, file string, from, to int64, each func(Origin, []byte) bool) error {
	r := bufio.NewReaderSize(in, 64<<10)
	o := Origin{File: file, Offset: from, Line: 1}
	if from > 0 {
		o.Line = 0
		_, n, err := readLine(r, nil, o)
		if err != nil || n == 0 {
			return err
		}
		o.Offset += n - 1
	}
	var keep []byte
	for o.Offset < to {
		line, n, err := readLine(r, keep[:0], o)
		if err != nil || n == 0 {
			return err
		}
		keep = line
		if o.Offset == 0 {
			line = bytes.TrimPrefix(line, bom)
		}
		if !each(o, bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))) {
			return nil
		}
		o.Offset += n
		if o.Line > 0 {
			o.Line++
		}
	}
	return nil
}

// readLine appends a line with its end to buf; n is 0 at the end of the file.
func readLine(r *bufio.Reader, buf []byte, o Origin) (line []byte, n int64, err error) {
	for {
		some, err := r.ReadSlice('\n')
		buf = append(buf, some...)
		switch {
		case len(buf) > maxLine:
			return nil, 0, minibatch.Fatal(fmt.Errorf("%s: the line is longer than %d MiB: is it a file of lines?", o, maxLine>>20))
		case errors.Is(err, bufio.ErrBufferFull):
		case err == nil || errors.Is(err, io.EOF):
			return buf, int64(len(buf)), nil
		default:
			return nil, 0, fmt.Errorf("%s: %w", o, err)
		}
	}
}
