package etl

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"iter"
	"os"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"weir/internal/cli"
	"weir/internal/quarantine"
	"weir/minibatch"
)

// source plans one business date after the other.
type source struct{ j *Job }

// part is one file of a delivery.
type part struct {
	Day  string     `json:"day"`
	File sourceFile `json:"file"`
}

func (s source) Plan(_ context.Context, after minibatch.Cursor, _ minibatch.Limits) (minibatch.Batch, error) {
	had, err := toLoaded(after)
	if err != nil {
		return minibatch.Batch{}, err
	}
	all, err := s.j.found()
	if err != nil {
		return minibatch.Batch{}, err
	}
	for _, d := range all {
		old, known := had.Days[d.Day]
		if old == d.digest() {
			continue
		}
		if known && s.j.cfg.Mode == "append" && d.Day != "" {
			return minibatch.Batch{}, minibatch.Fatal(&cli.Error{
				Err:  fmt.Errorf("the files of %s are others than those that were loaded", d.Day),
				Hint: "with mode: replace a corrected delivery takes the place of its date",
			})
		}
		if s.j.cfg.Mode == "append" && !known && had.forgotten(d.Day) {
			return minibatch.Batch{}, minibatch.Fatal(&cli.Error{
				Err:  fmt.Errorf("%s is older than the %d dates whose files are remembered: they may be in the table already", d.Day, keepDays),
				Hint: "with mode: replace a date can be loaded again at any time",
			})
		}
		b := minibatch.Batch{From: after, To: had.with(d).cursor(), Interval: s.j.run.Interval}
		for i, f := range d.Files {
			spec, err := json.Marshal(part{d.Day, f})
			if err != nil {
				return b, err
			}
			b.Parts = append(b.Parts, minibatch.Part{Index: i, Spec: spec})
			b.Bytes += f.Size
		}
		return b, nil
	}
	return minibatch.Batch{From: after, To: after}, nil
}

// found are the deliveries that the run is for, loaded or not.
func (j *Job) found() ([]delivery, error) {
	all, err := find(j.dir, j.pattern, j.wanted)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, minibatch.Fatal(cli.Usage(err, ""))
	}
	if err == nil && len(all) == 0 && j.run.Day != "" {
		err = minibatch.Fatal(&cli.Error{
			Err:  fmt.Errorf("no file in %s is %s of %s", j.dir, j.cfg.Files.Pattern, j.run.Day),
			Hint: "the delivery has not come yet, or files.pattern does not fit its name",
		})
	}
	return all, err
}

// chunk is some lines of a file: those that are rows, and those that were refused.
type chunk struct {
	rows    arrow.RecordBatch // nil: none
	refused []quarantine.Line
}

// NumRows counts lines.
func (c chunk) NumRows() int64 {
	n := int64(len(c.refused))
	if c.rows != nil {
		n += c.rows.NumRows()
	}
	return n
}

const chunkRows = 8192

func (s source) Open(ctx context.Context, p minibatch.Part) iter.Seq2[chunk, error] {
	return func(yield func(chunk, error) bool) {
		var x part
		if err := json.Unmarshal(p.Spec, &x); err != nil {
			yield(chunk{}, err)
			return
		}
		if err := s.j.read(ctx, x, yield); err != nil {
			yield(chunk{}, err)
		}
	}
}

// open opens a file, unpacks it if it is gzip, and hashes what it reads.
func open(f sourceFile) (io.Reader, hash.Hash, io.Closer, error) {
	file, err := os.Open(f.Path)
	if err != nil {
		return nil, nil, nil, err
	}
	h := sha256.New()
	raw := io.TeeReader(file, h)
	if !strings.HasSuffix(f.Name, ".gz") {
		return raw, h, file, nil
	}
	z, err := gzip.NewReader(raw)
	if err != nil {
		return nil, nil, nil, errors.Join(minibatch.Fatal(fmt.Errorf("%s: no gzip: %w", f.Path, err)), file.Close())
	}
	return &unpacked{z, f.Path}, h, file, nil
}

// unpacked says of errors whose they are.
type unpacked struct {
	io.Reader
	path string
}

func (u *unpacked) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = minibatch.Fatal(fmt.Errorf("%s: the gzip file is cut or broken: %w", u.path, err))
	}
	return n, err
}

// read parses a file and yields it in chunks. It ends with an error if the file is not the one that was planned.
func (j *Job) read(ctx context.Context, p part, yield func(chunk, error) bool) error {
	in, h, closer, err := open(p.File)
	if err != nil {
		return err
	}
	defer closer.Close()
	l, err := j.newLoader(p, in)
	if err != nil {
		return err
	}
	defer l.b.Release()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		c, err := l.chunk()
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("%s: %w", p.File.Path, err)
		}
		if c.NumRows() > 0 && !yield(c, nil) {
			return nil
		}
		if err != nil {
			break
		}
	}
	if _, err := io.Copy(io.Discard, in); err != nil { // what stands behind the last line, such as the end of a gzip
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != p.File.SHA256 {
		return fmt.Errorf("%s: %w", p.File.Path, errChanged)
	}
	return nil
}

// loader makes typed rows of one file's records.
type loader struct {
	j       *Job
	p       part
	s       *scanner
	at      []int // per column, its field in the record
	fields  int   // of each record
	parsers []parser
	row1    []value // the line in work
	b       *array.RecordBuilder
	nulls   [][]byte
}

func (j *Job) newLoader(p part, in io.Reader) (*loader, error) {
	l := &loader{j: j, p: p, s: newScanner(in, j.cfg.Format), fields: len(j.cfg.Columns), row1: make([]value, len(j.cfg.Columns))}
	for _, n := range j.cfg.Format.nulls() {
		l.nulls = append(l.nulls, []byte(n))
	}
	for i, c := range j.cfg.Columns {
		parse, err := c.parser()
		if err != nil {
			return nil, err
		}
		l.parsers, l.at = append(l.parsers, parse), append(l.at, i)
	}
	if j.cfg.Format.header() {
		if err := l.header(); err != nil {
			return nil, err
		}
	}
	l.b = array.NewRecordBuilder(memory.DefaultAllocator, j.raw)
	return l, nil
}

// header finds the columns by their names in the first line.
func (l *loader) header() error {
	r, err := l.s.next()
	if errors.Is(err, io.EOF) {
		return minibatch.Fatal(fmt.Errorf("%s: the file is empty: expected a header; an empty delivery is a header without lines, or set format.header: false", l.p.File.Path))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", l.p.File.Path, err)
	}
	if r.bad != nil {
		return minibatch.Fatal(fmt.Errorf("%s:%d: header: %s", l.p.File.Path, r.line, r.bad.text))
	}
	names := map[string]int{}
	var known []string
	for i, f := range r.fields {
		name := strings.TrimSpace(string(f.text))
		names[strings.ToLower(name)] = i
		known = append(known, name)
	}
	for i, c := range l.j.cfg.Columns {
		at, ok := names[strings.ToLower(c.inFile())]
		if !ok {
			return minibatch.Fatal(cli.Usage(fmt.Errorf("%s:%d: the header has no column %s; it has %s", l.p.File.Path, r.line, c.inFile(), strings.Join(known, ", ")),
				"name the header's column with `source:`, or mend format.delimiter"))
		}
		l.at[i] = at
	}
	l.fields = len(r.fields)
	return nil
}

// chunk parses the next lines. With io.EOF come the last ones.
func (l *loader) chunk() (chunk, error) {
	var c chunk
	n := 0
	for ; n < chunkRows && len(c.refused) < chunkRows; n++ {
		r, err := l.s.next()
		if err != nil {
			c.rows = l.batch()
			return c, err
		}
		bad := r.bad
		if bad == nil {
			bad = l.row(r)
		}
		if bad != nil {
			c.refused = append(c.refused, l.refuse(r, bad))
		}
	}
	c.rows = l.batch()
	return c, nil
}

func (l *loader) batch() arrow.RecordBatch {
	if l.b.Field(0).Len() == 0 {
		return nil
	}
	return l.b.NewRecordBatch()
}

// maxRaw is how much of a refused line is kept.
const maxRaw = 64 << 10

func (l *loader) refuse(r *record, bad *refusal) quarantine.Line {
	raw := bytes.Clone(r.raw[:min(len(r.raw), maxRaw)])
	return quarantine.Line{
		Reason: bad.reason, Error: bad.text, File: l.p.File.Name, Line: r.line, Column: bad.column, Raw: raw, Day: l.p.Day, SHA256: l.p.File.SHA256,
	}
}

// row appends a record to the columns, all of it or nothing.
func (l *loader) row(r *record) *refusal {
	if len(r.fields) != l.fields {
		why := fmt.Sprintf("%d fields, expected %d", len(r.fields), l.fields)
		if r.torn {
			why += ": the file ends inside this line"
		}
		return &refusal{reason: "columns", text: why}
	}
	for i, c := range l.j.cfg.Columns {
		f, v := r.fields[l.at[i]], &l.row1[i]
		var err error
		if v.null = l.null(f); v.null && c.Required {
			err = errors.New("has no value, and is required")
		} else if !v.null {
			err = l.parsers[i](v, f.text)
		}
		if err != nil {
			return &refusal{reason: "value", column: c.Name, text: fmt.Sprintf("%s %s: %s", c.Name, quoted(f.text), err)}
		}
	}
	for i := range l.row1 {
		l.row1[i].put(l.b.Field(i))
	}
	k := len(l.row1)
	l.b.Field(k).(*array.StringBuilder).Append(l.p.File.Name)
	l.b.Field(k + 1).(*array.Int64Builder).Append(r.line)
	return nil
}

// null: a quoted empty text is a text.
func (l *loader) null(f field) bool {
	if f.quoted {
		return false
	}
	for _, n := range l.nulls {
		if bytes.Equal(f.text, n) {
			return true
		}
	}
	return false
}

func quoted(text []byte) string {
	const most = 40
	s := string(text)
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return fmt.Sprintf("%q", s)
}
