package lake

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/iceberg-go"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
)

// dataFile is what Iceberg wants to know of a file that it has not written.
func dataFile(ctx context.Context, tbl *table.Table, from iceio.IO, name string) (iceberg.DataFile, error) {
	df, err := table.FileToDataFile(ctx, from, name, tbl.Schema(), tbl.Spec(), 0, tbl.Properties())
	if err != nil {
		return nil, err
	}
	if spec := tbl.Spec(); !spec.IsUnpartitioned() {
		silent, err := untold(from, name)
		if err != nil {
			return nil, err
		}
		for _, f := range spec.Fields() {
			if silent[f.SourceID()] || silent[noID] {
				column, _ := tbl.Schema().FindColumnName(f.SourceID())
				return nil, fmt.Errorf("its statistics do not tell the least and the greatest value of column %s, by which the table is partitioned", column)
			}
		}
	}
	return trusted(tbl, from, df)
}

// trusted leaves out the bounds of the columns that are untold in a row group: iceberg-go would give the file the bounds of the other
// row groups, and readers would pass over rows that it has.
func trusted(tbl *table.Table, from iceio.IO, df iceberg.DataFile) (iceberg.DataFile, error) {
	if len(df.SplitOffsets()) < 2 { // a file of one row group has that one's bounds, or none
		return df, nil
	}
	silent, err := untold(from, df.FilePath())
	if err != nil || len(silent) == 0 {
		return df, err
	}
	out := func(id int, _ []byte) bool { return silent[id] || silent[noID] }
	least, greatest := df.LowerBoundValues(), df.UpperBoundValues()
	maps.DeleteFunc(least, out)
	maps.DeleteFunc(greatest, out)
	b, err := iceberg.NewDataFileBuilder(tbl.Spec(), df.ContentType(), df.FilePath(), df.FileFormat(), df.Partition(), nil, nil, df.Count(), df.FileSizeBytes())
	if err != nil {
		return nil, err
	}
	b.ColumnSizes(df.ColumnSizes()).ValueCounts(df.ValueCounts()).NullValueCounts(df.NullValueCounts()).NaNValueCounts(df.NaNValueCounts())
	b.LowerBoundValues(least).UpperBoundValues(greatest).SplitOffsets(df.SplitOffsets())
	if id := df.SortOrderID(); id != nil {
		b.SortOrderID(*id)
	}
	return b.Build(), nil
}

// noID stands for columns that do not say which of the table's they are.
const noID = -1

// untold are the ids of the columns that have values in a row group whose statistics do not say the least and the greatest of them.
func untold(from iceio.IO, name string) (map[int]bool, error) {
	in, err := from.Open(name)
	if err != nil {
		return nil, err
	}
	r, err := file.NewParquetReader(in)
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	ids := map[int]bool{}
	for g := range r.NumRowGroups() {
		for c := range r.MetaData().Schema.NumColumns() {
			if !told(r.MetaData(), g, c) {
				ids[max(noID, int(r.MetaData().Schema.Column(c).SchemaNode().FieldID()))] = true
			}
		}
	}
	return ids, r.Close()
}

// told asks arrow-go for what it takes for the limits of a column chunk, and the file for whether it has both of them: where one is left
// out, arrow-go takes the empty value for it.
func told(m *metadata.FileMetaData, group, column int) bool {
	chunk, err := m.RowGroup(group).ColumnChunk(column)
	if err != nil {
		return false
	}
	s := m.RowGroups[group].Columns[column].MetaData.Statistics
	if s == nil || chunk.NumValues() == s.GetNullCount() {
		return s != nil || chunk.NumValues() == 0
	}
	limits, err := chunk.Statistics()
	return err == nil && limits != nil && limits.HasMinMax() && (s.MinValue != nil && s.MaxValue != nil || s.Min != nil && s.Max != nil)
}
