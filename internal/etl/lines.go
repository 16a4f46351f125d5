package etl

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"weir/minibatch"
)

// A record is a line of a file, or several where a quoted field holds line breaks.
type record struct {
	line   int64 // of its first line, from 1
	raw    []byte
	fields []field
	bad    *refusal // why it is no record; raw is then its first line alone
	torn   bool     // the file ends inside it, or without a line break behind it
}

type field struct {
	text   []byte
	quoted bool
}

// refusal says what is wrong with a line.
type refusal struct {
	reason string // one word, for programs
	column string // empty: the line as a whole
	text   string // for people
}

// scanner cuts a file into records: RFC 4180 with a chosen delimiter and quote.
//
// A quote inside an unquoted field is a character like others. Where a quoted field is not closed, or goes on behind its
// quote, only the first line is refused and the next line is looked at on its own: one bad quote must not swallow what
// follows it.
type scanner struct {
	in         *bufio.Reader
	delim      byte
	quote      byte // 0: none
	comment    byte // 0: none
	latin1     bool
	maxField   int
	line       int64    // lines taken from in
	lines      [][]byte // taken and not used yet, each with its line break
	ended      error    // io.EOF or what reading failed with
	rec        record
	text, join []byte
}

func newScanner(in io.Reader, f Format) *scanner {
	s := &scanner{in: bufio.NewReaderSize(in, 1<<18), delim: f.delimiter(), quote: f.quote(), latin1: f.Encoding == "latin-1", maxField: f.maxField()}
	if f.Comment != "" {
		s.comment = f.Comment[0]
	}
	return s
}

var errUTF16 = minibatch.Fatal(errors.New("the file begins like UTF-16: write it as utf-8 or latin-1"))

// next gives the next record, or io.EOF. The record is good until the next call.
func (s *scanner) next() (*record, error) {
	for {
		line, err := s.take(0)
		if err != nil {
			return nil, err
		}
		at := s.line - int64(len(s.lines)) + 1
		if at == 1 {
			if bytes.HasPrefix(line, []byte{0xff, 0xfe}) || bytes.HasPrefix(line, []byte{0xfe, 0xff}) {
				return nil, errUTF16
			}
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
			s.lines[0] = line
		}
		if blank := len(trimEnd(line)) == 0; blank || s.comment != 0 && line[0] == s.comment {
			s.lines = s.lines[1:]
			continue
		}
		s.rec = record{line: at, fields: s.rec.fields[:0]}
		used, bad := s.split()
		if bad != nil {
			s.rec.bad, used = bad, 1
		}
		s.rec.torn = s.ended != nil && used == len(s.lines) && !bytes.HasSuffix(s.lines[used-1], []byte{'\n'})
		s.rec.raw = s.lines[0]
		if used > 1 {
			s.join = s.join[:0]
			for _, l := range s.lines[:used] {
				s.join = append(s.join, l...)
			}
			s.rec.raw = s.join
		}
		s.rec.raw = trimEnd(s.rec.raw)
		s.lines = s.lines[used:]
		return &s.rec, nil
	}
}

// take gives line i of those that wait, and reads it if need be.
func (s *scanner) take(i int) ([]byte, error) {
	for len(s.lines) <= i {
		if s.ended != nil {
			return nil, s.ended
		}
		var line []byte
		for {
			part, err := s.in.ReadSlice('\n')
			line = append(line, part...)
			if err == nil {
				break
			}
			if !errors.Is(err, bufio.ErrBufferFull) {
				s.ended = err
				break
			}
			if len(line) > s.maxLine() { // the rest of it is thrown away; it will be refused
				line = append(line[:s.maxLine()], '\n')
				if err := s.skip(); err != nil {
					s.ended = err
				}
				break
			}
		}
		if len(line) == 0 {
			return nil, s.ended
		}
		s.line++
		s.lines = append(s.lines, line)
	}
	return s.lines[i], nil
}

func (s *scanner) maxLine() int { return 64 * s.maxField }

func (s *scanner) skip() error {
	for {
		if _, err := s.in.ReadSlice('\n'); !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

func trimEnd(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte{'\n'})
	return bytes.TrimSuffix(line, []byte{'\r'})
}

// split cuts the record that begins with the first waiting line, and says how many lines it has.
func (s *scanner) split() (lines int, bad *refusal) {
	line := trimEnd(s.lines[0])
	s.text = s.text[:0]
	for used := 1; ; {
		if s.quote == 0 || len(line) == 0 || line[0] != s.quote { // an unquoted field
			end := bytes.IndexByte(line, s.delim)
			text := line
			if end >= 0 {
				text = line[:end]
			}
			if bad := s.add(text, false); bad != nil {
				return used, bad
			}
			if end < 0 {
				return used, nil
			}
			line = line[end+1:]
			continue
		}
		start := len(s.text)
		line = line[1:]
		for {
			end := bytes.IndexByte(line, s.quote)
			if end < 0 { // goes on in the next line
				if len(s.text)-start+len(line) > s.maxField {
					return used, s.refuse("quote", "the quote of field %d is not closed within %d bytes", len(s.rec.fields)+1, s.maxField)
				}
				whole := s.lines[used-1]
				s.text = append(append(s.text, line...), whole[len(trimEnd(whole)):]...)
				more, err := s.take(used)
				if err != nil {
					return used, s.refuse("quote", "the quote of field %d is not closed", len(s.rec.fields)+1)
				}
				used++
				line = trimEnd(more)
				continue
			}
			s.text = append(s.text, line[:end]...)
			line = line[end+1:]
			if len(line) > 0 && line[0] == s.quote { // a doubled quote is one
				s.text, line = append(s.text, s.quote), line[1:]
				continue
			}
			break
		}
		if len(line) > 0 && line[0] != s.delim {
			return used, s.refuse("quote", "field %d goes on behind its closing quote", len(s.rec.fields)+1)
		}
		text := s.text[start:len(s.text):len(s.text)]
		if bad := s.add(text, true); bad != nil {
			return used, bad
		}
		if len(line) == 0 {
			return used, nil
		}
		line = line[1:]
	}
}

func (s *scanner) refuse(reason, format string, args ...any) *refusal {
	return &refusal{reason: reason, text: fmt.Sprintf(format, args...)}
}

func (s *scanner) add(text []byte, quoted bool) *refusal {
	n := len(s.rec.fields) + 1
	switch {
	case len(text) > s.maxField:
		return s.refuse("size", "field %d has more than %d bytes", n, s.maxField)
	case bytes.IndexByte(text, 0) >= 0:
		return s.refuse("encoding", "field %d holds a NUL byte", n)
	case s.latin1:
		text = fromLatin1(text)
	case !utf8.Valid(text):
		return s.refuse("encoding", "field %d is no UTF-8; is the file latin-1?", n)
	}
	s.rec.fields = append(s.rec.fields, field{text, quoted})
	return nil
}

// fromLatin1 writes ISO 8859-1 as UTF-8: each byte is its code point.
func fromLatin1(b []byte) []byte {
	i := 0
	for i < len(b) && b[i] < utf8.RuneSelf {
		i++
	}
	if i == len(b) {
		return b
	}
	out := append(make([]byte, 0, len(b)+8), b[:i]...)
	for _, c := range b[i:] {
		out = utf8.AppendRune(out, rune(c))
	}
	return out
}
