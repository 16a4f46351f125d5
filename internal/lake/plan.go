package lake

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
)

// A Plan is what a reader needs to read one snapshot of a table by itself.
type Plan struct {
	Table    string
	UUID     string // another one if the table was dropped and made again
	Snapshot int64  // 0 if the table has none yet
	Files    []PlannedFile
	Columns  []Column
}

// A PlannedFile is a data file of a snapshot.
type PlannedFile struct {
	File
	Snapshot int64 // that added it
	// Seq is the number of the commit that brought the rows; it grows with each commit of the table, also past expired snapshots.
	// A file that a compaction made has the highest of those that it took the place of.
	Seq int64
}

// Plan lists the files of the table's newest snapshot.
func (t *Table) Plan(ctx context.Context) (Plan, error) {
	tbl, err := t.load(ctx)
	if err != nil {
		return Plan{}, err
	}
	p := Plan{Table: t.name, UUID: tbl.Metadata().TableUUID().String(), Columns: columns(tbl.Schema())}
	if s := tbl.CurrentSnapshot(); s != nil {
		p.Snapshot = s.SnapshotID
	}
	_, fs := t.current()
	entries, err := dataFiles(tbl, fs)
	if err != nil {
		return Plan{}, fmt.Errorf("plan table %s: %w", t.name, err)
	}
	for _, e := range entries {
		p.Files = append(p.Files, PlannedFile{File: fileOf(e.df), Snapshot: e.snapshot, Seq: e.seq})
	}
	return p, nil
}

// OfDay keeps the files that may hold rows with a day in a date column, by what the manifests say of their values.
func (p Plan) OfDay(column int, day time.Time) Plan {
	want := int32(day.Unix() / 86400)
	files := p.Files[:0:0]
	for _, f := range p.Files {
		low, high := f.data.LowerBoundValues()[column], f.data.UpperBoundValues()[column]
		if len(low) == 4 && len(high) == 4 && (int32(binary.LittleEndian.Uint32(low)) > want || int32(binary.LittleEndian.Uint32(high)) < want) {
			continue
		}
		files = append(files, f)
	}
	p.Files = files
	return p
}

type entry struct {
	df            iceberg.DataFile
	snapshot, seq int64
}

// dataFiles lists the live data files of the head.
func dataFiles(tbl *table.Table, fs iceio.IO) ([]entry, error) {
	s := tbl.CurrentSnapshot()
	if s == nil {
		return nil, nil
	}
	manifests, err := s.Manifests(fs)
	if err != nil {
		return nil, err
	}
	var all []entry
	for _, m := range manifests {
		if m.ManifestContent() != iceberg.ManifestContentData {
			return nil, errors.New("the table has delete files, which weir does not read yet: rewrite its data files (Spark: CALL system.rewrite_data_files)")
		}
		for e, err := range m.Entries(fs, true) {
			if err != nil {
				return nil, err
			}
			all = append(all, entry{e.DataFile(), e.SnapshotID(), e.SequenceNum()})
		}
	}
	return all, nil
}

// A Chunk is some rows of one file, in the order of the file.
type Chunk struct {
	Batch arrow.RecordBatch // released when the loop goes on
	File  PlannedFile
}

// Scan reads the files of a plan one after the other, all columns, in the table's present schema.
func (t *Table) Scan(ctx context.Context, p Plan) iter.Seq2[Chunk, error] {
	return func(yield func(Chunk, error) bool) {
		for _, f := range p.Files {
			tbl, _ := t.current()
			if !t.scanFile(ctx, tbl, f, yield) {
				return
			}
		}
	}
}

func (t *Table) scanFile(ctx context.Context, tbl *table.Table, f PlannedFile, yield func(Chunk, error) bool) bool {
	for b, err := range t.readFile(ctx, tbl, f) {
		if err != nil {
			return yield(Chunk{}, err)
		}
		if !yield(Chunk{Batch: b, File: f}, nil) {
			return false
		}
	}
	return true
}

// SnapshotInfo is one entry of the table's history.
type SnapshotInfo struct {
	ID      int64
	At      time.Time         // when its metadata were made, a little before readers could see it
	Summary map[string]string // with "operation": append, overwrite, delete or replace (a compaction)
}

// Snapshots lists the history that has not been expired, oldest first.
func (t *Table) Snapshots() []SnapshotInfo {
	var all []SnapshotInfo
	tbl, _ := t.current()
	for _, s := range tbl.Metadata().Snapshots() {
		i := SnapshotInfo{ID: s.SnapshotID, At: time.UnixMilli(s.TimestampMs), Summary: map[string]string{}}
		if s.Summary != nil {
			for k, v := range s.Summary.Properties {
				i.Summary[k] = v
			}
			i.Summary["operation"] = string(s.Summary.Operation)
		}
		all = append(all, i)
	}
	return all
}
