package avro

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// HeaderSize is the length of the Confluent header: a zero byte and the schema id, big endian.
const HeaderSize = 5

// SplitHeader takes the Confluent header off a message.
func SplitHeader(value []byte) (schema int, datum []byte, err error) {
	if len(value) < HeaderSize {
		return 0, nil, fmt.Errorf("%d bytes are too few for a schema header (0x00 and a 4-byte id)", len(value))
	}
	if value[0] != 0 {
		return 0, nil, fmt.Errorf("the first byte is 0x%02x, not 0x00: the message has no schema header", value[0])
	}
	return int(binary.BigEndian.Uint32(value[1:])), value[HeaderSize:], nil
}

// An Error says where in the datum and in which field decoding ended.
type Error struct {
	Field  string // path, such as merchant.city
	Offset int    // in the datum
	Err    error
}

func (e *Error) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("byte %d: %v", e.Offset, e.Err)
	}
	return fmt.Sprintf("field %s, byte %d: %v", e.Field, e.Offset, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// fieldError is an error on its way up; each record adds its field.
type fieldError struct {
	path string
	err  error
}

func (e *fieldError) Error() string { return "field " + e.path + ": " + e.err.Error() }
func (e *fieldError) Unwrap() error { return e.err }

func inField(name string, err error) error {
	if f, ok := err.(*fieldError); ok { //nolint:errorlint // only our own, never wrapped
		return &fieldError{name + "." + f.path, f.err}
	}
	return &fieldError{name, err}
}

var (
	errShort    = errors.New("the datum ends here")
	errVarint   = errors.New("a number of more than 10 bytes")
	errInt      = errors.New("a number that does not fit an int")
	errLength   = errors.New("a length beyond the end of the datum")
	errBool     = errors.New("a boolean that is neither 0 nor 1")
	errBlock    = errors.New("a block with more items than bytes")
	errUTF8     = errors.New("text that is not UTF-8")
	errDigits   = errors.New("a decimal with more digits than its type has")
	errInexact  = errors.New("a number that the column's floating point cannot hold exactly")
	errDeep     = errors.New("a type lies in itself more often than the table has columns for")
	errNested   = errors.New("a value nested deeper than 1000 levels")
	errTime     = errors.New("a time beyond what microseconds can hold")
	errFull     = errors.New("with this datum a column has more than 2 GiB of text")
	errTrailing = errors.New("bytes are left after the datum")
)

// wire is a datum that is being read.
type wire struct {
	buf     []byte
	pos     int
	scratch []byte // for what is read and not kept
}

func (w *wire) long() (int64, error) {
	// One byte is the most frequent case: lengths, branches, enums.
	if w.pos < len(w.buf) && w.buf[w.pos] < 0x80 {
		v := w.buf[w.pos]
		w.pos++
		return int64(v>>1) ^ -int64(v&1), nil
	}
	v, n := binary.Uvarint(w.buf[w.pos:])
	if n <= 0 {
		if n < 0 || len(w.buf)-w.pos >= binary.MaxVarintLen64 {
			return 0, errVarint
		}
		return 0, errShort
	}
	w.pos += n
	return int64(v>>1) ^ -int64(v&1), nil
}

// maxInt is the most bytes that an int takes; all readers refuse longer ones, whatever their value.
const maxInt = 5

func (w *wire) int() (int32, error) {
	start := w.pos
	v, err := w.long()
	if err == nil && (v > math.MaxInt32 || v < math.MinInt32 || w.pos-start > maxInt) {
		err = errInt
	}
	return int32(v), err
}

// take gives the next n bytes; they belong to the datum.
func (w *wire) take(n int64) ([]byte, error) {
	if n < 0 || n > int64(len(w.buf)-w.pos) {
		return nil, errLength
	}
	b := w.buf[w.pos : w.pos+int(n)]
	w.pos += int(n)
	return b, nil
}

func (w *wire) bytes() ([]byte, error) {
	n, err := w.long()
	if err != nil {
		return nil, err
	}
	return w.take(n)
}

// block reads the head of a block of an array or map: 0 ends it. least is the fewest bytes that an item takes.
func (w *wire) block(least int) (int64, error) {
	n, err := w.long()
	if err != nil {
		return 0, err
	}
	sized := n < 0
	if sized {
		n = -n
	}
	if n < 0 || n > int64(len(w.buf)-w.pos)/int64(max(least, 1)) {
		// Items of no bytes (a null) would let one number stand for any amount of memory. -2^63 stays negative.
		return 0, errBlock
	}
	if sized { // the size in bytes follows, for readers that skip
		_, err = w.long()
	}
	return n, err
}
