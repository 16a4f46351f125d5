package main

import (
	"context"
	"path/filepath"
	"time"

	"weir/internal/etl"
	"weir/internal/job"
	"weir/internal/spark"
	"weir/internal/storage"
	"weir/minibatch"
)

// sparkETL finds the files, checks the expressions on the embedded engine and makes the table where there is none, in the same way
// as a run here; Spark checks the expressions once more, in its dialect.
func (s *site) sparkETL(ctx context.Context, j job.Job, c etl.Config, in minibatch.Interval) (*spark.ETL, error) {
	r := etl.Run{Interval: in}
	if !in.IsZero() {
		r.Day = in.Start.Format(time.DateOnly)
	}
	here, err := etl.New(ctx, j.Name, c, r, s.etlParts(j))
	if err != nil {
		return nil, err
	}
	found, err := here.Deliveries()
	if err != nil {
		return nil, err
	}
	f := c.Format.Resolved()
	out := &spark.ETL{
		Deliveries: []spark.Delivery{}, Where: c.Where, Mode: c.Mode, MaxRows: int64(c.Quarantine.MaxRows), MaxShare: float64(c.Quarantine.MaxShare),
		Format: spark.Format{
			Delimiter: f.Delimiter, Quote: f.Quote, Comment: f.Comment, Header: *f.Header, Latin1: f.Encoding == "latin-1", Null: f.Null, MaxField: int64(f.MaxField),
		},
	}
	if out.MaxRows == 0 {
		out.MaxRows = 10_000
	}
	if out.MaxShare == 0 {
		out.MaxShare = 0.01
	}
	for _, d := range found {
		x := spark.Delivery{Day: d.Day, Digest: d.Digest}
		for _, f := range d.Files {
			abs, err := filepath.Abs(f.Path)
			if err != nil {
				return nil, err
			}
			x.Files = append(x.Files, spark.File{URI: storage.URI(abs), Path: f.Path, Name: f.Name, SHA256: f.SHA256})
		}
		out.Deliveries = append(out.Deliveries, x)
	}
	for _, col := range c.Columns {
		out.Columns = append(out.Columns, spark.Column(col))
	}
	for _, x := range c.Select {
		out.Select = append(out.Select, spark.Select(x))
	}
	if len(out.Select) == 0 {
		for _, col := range c.Columns {
			out.Select = append(out.Select, spark.Select{Name: col.Name, SQL: "`" + col.Name + "`"})
		}
	}
	return out, nil
}
