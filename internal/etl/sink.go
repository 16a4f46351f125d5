package etl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"weir/internal/cli"
	"weir/internal/engine"
	"weir/internal/lake"
	"weir/internal/quarantine"
	"weir/minibatch"
)

// sink puts typed lines through the expressions into files of the table, and commits a business date.
//
// Refused lines are committed into the quarantine table just before the rows. A crash between the two leaves the quarantine
// ahead: the next try finds the delivery in its cursor and leaves it out.
type sink struct{ j *Job }

// staged is the sink's share of minibatch.Staged.
type staged struct {
	files   []lake.File
	refused []quarantine.Line
}

func (s sink) Position(ctx context.Context, job string) (minibatch.Cursor, error) {
	p, err := s.j.table.Position(ctx, job)
	if err != nil {
		var rolled *lake.RolledBackError
		if errors.As(err, &rolled) {
			err = minibatch.Fatal(err)
		}
		return minibatch.Cursor{}, err
	}
	return fromTable(p.Cursor)
}

func (s sink) Stage(ctx context.Context, p minibatch.Part, in iter.Seq2[chunk, error]) (out minibatch.Staged, err error) {
	var x part
	if err := json.Unmarshal(p.Spec, &x); err != nil {
		return out, err
	}
	dir, err := s.j.scratch()
	if err != nil {
		return out, operator(err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var st staged
	typed := filepath.Join(dir, "typed.parquet")
	rows, err := s.j.writeTyped(typed, in, &st)
	if err != nil {
		return out, operator(err)
	}
	if rows > 0 {
		filtered, err := s.j.transform(ctx, x, typed, rows, &st)
		if err != nil {
			return out, operator(errors.Join(err, s.j.table.Drop(st.files)))
		}
		minibatch.Filter(ctx, filtered)
	}
	out.Value, out.Quarantined = st, int64(len(st.refused))
	for _, f := range st.files {
		out.Rows, out.Bytes = out.Rows+f.Rows, out.Bytes+f.Bytes
	}
	return out, nil
}

// writeTyped puts rows into a file for the engine and keeps what was refused.
func (j *Job) writeTyped(path string, in iter.Seq2[chunk, error], st *staged) (rows int64, err error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	w, err := pqarrow.NewFileWriter(j.raw, f,
		parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Snappy), parquet.WithDictionaryDefault(false), parquet.WithMaxRowGroupLength(122_880)),
		pqarrow.DefaultWriterProps())
	if err != nil {
		return 0, errors.Join(err, f.Close())
	}
	most := int64(j.cfg.Quarantine.MaxRows)
	if most == 0 {
		most = 10_000
	}
	for c, err := range in {
		if err == nil && c.rows != nil {
			rows += c.rows.NumRows()
			err = w.WriteBuffered(c.rows)
			c.rows.Release()
		}
		st.refused = append(st.refused, c.refused...)
		if err == nil && int64(len(st.refused)) > most {
			last := st.refused[len(st.refused)-1]
			err = fmt.Errorf("%w: more than %d lines of %s, the last one line %d: %s", minibatch.ErrTooManyRefused, most, last.File, last.Line, last.Error)
		}
		if err != nil {
			return rows, errors.Join(err, w.Close())
		}
	}
	return rows, w.Close()
}

// Commit adds a date's rows, or lets them take the place of the date's rows.
func (s sink) Commit(ctx context.Context, b minibatch.Batch, parts []minibatch.Staged) (minibatch.Receipt, error) {
	var x part
	if err := json.Unmarshal(b.Parts[0].Spec, &x); err != nil {
		return minibatch.Receipt{}, err
	}
	c := lake.Commit{Job: b.Job, ID: b.ID(), Summary: map[string]string{"weir.business-date": x.Day}}
	var err error
	if c.From, c.To, err = cursors(b); err != nil {
		return minibatch.Receipt{}, err
	}
	var refused []quarantine.Line
	for _, p := range parts {
		st := p.Value.(staged)
		c.Add, refused = append(c.Add, st.files...), append(refused, st.refused...)
	}
	now, err := s.Position(ctx, b.Job)
	if err != nil {
		return minibatch.Receipt{}, err
	}
	if !now.Equal(b.From) && !now.Equal(b.To) { // nothing goes to quarantine for a batch that will be refused
		return minibatch.Receipt{}, fmt.Errorf("%w: it holds %s", minibatch.ErrMoved, now.Value)
	}
	if err := s.j.quarantine(ctx, b, refused); err != nil {
		return minibatch.Receipt{}, operator(err)
	}
	if err := s.j.replaced(ctx, x.Day, &c); err != nil {
		return minibatch.Receipt{}, operator(err)
	}
	rc, err := s.j.table.Commit(ctx, c)
	if errors.Is(err, lake.ErrMoved) {
		err = fmt.Errorf("%w (%w)", minibatch.ErrMoved, err)
	}
	return minibatch.Receipt{ID: c.ID, Snapshot: rc.Snapshot, At: rc.At, Already: rc.Already}, operator(err)
}

func cursors(b minibatch.Batch) (from, to json.RawMessage, err error) {
	if to, err = json.Marshal(b.To); err == nil && !b.From.IsZero() {
		from, err = json.Marshal(b.From)
	}
	return from, to, err
}

// quarantine commits refused lines, once for a delivery.
func (j *Job) quarantine(ctx context.Context, b minibatch.Batch, lines []quarantine.Line) error {
	if len(lines) == 0 {
		return nil
	}
	q, err := j.parts.Lake.Ensure(ctx, quarantine.Table(j.table.Name()), quarantine.LineSchema, lake.Options{})
	if err != nil {
		return err
	}
	at, err := q.Position(ctx, j.name)
	if err != nil {
		return err
	}
	c := lake.Commit{Job: j.name, ID: b.ID(), From: at.Cursor}
	if at.Commit == c.ID {
		return nil
	}
	if _, c.To, err = cursors(b); err != nil {
		return err
	}
	if same, err := fromTable(at.Cursor); err == nil && same.Equal(b.To) { // of a try of the other engine
		return nil
	}
	now := time.Now()
	c.Add, err = q.Write(ctx, func(yield func(arrow.RecordBatch, error) bool) {
		for from := 0; from < len(lines); from += 1024 {
			some := lines[from:min(from+1024, len(lines))]
			for i := range some {
				some[i].At = now
			}
			if !yield(quarantine.LineBatch(q.Schema(), some), nil) {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	_, err = q.Commit(ctx, c)
	if errors.Is(err, lake.ErrMoved) {
		if !errors.Is(err, lake.ErrUnknown) {
			err = errors.Join(err, q.Drop(c.Add))
		}
		err = fmt.Errorf("%w (%w)", minibatch.ErrMoved, err)
	}
	return err
}

func (s sink) Abort(_ context.Context, parts []minibatch.Staged) error {
	var errs []error
	for _, p := range parts {
		if st, ok := p.Value.(staged); ok {
			errs = append(errs, s.j.table.Drop(st.files))
		}
	}
	return errors.Join(errs...)
}

// operator marks what no retry mends.
func operator(err error) error {
	if err != nil && lake.Operator(err) {
		return minibatch.Fatal(err)
	}
	return err
}

// engineError: errors of the embedded engine are of the expressions, the data or the machine; none passes by itself.
func (j *Job) engineError(ctx context.Context, err error) error {
	switch {
	case err == nil || ctx.Err() != nil:
		return err
	case errors.Is(err, engine.ErrMemory):
		return minibatch.Fatal(&cli.Error{Err: fmt.Errorf("%s: %w", j.source(), err), Hint: "let the expressions build smaller values"})
	}
	return minibatch.Fatal(fmt.Errorf("%s: %w", j.source(), err))
}

// sweep removes what processes that are dead left behind.
func sweep(dir string) {
	found, _ := filepath.Glob(filepath.Join(dir, "etl-*"))
	for _, f := range found {
		var pid int
		if _, err := fmt.Sscanf(strings.TrimPrefix(filepath.Base(f), "etl-"), "%d-", &pid); err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.RemoveAll(f)
		}
	}
}
