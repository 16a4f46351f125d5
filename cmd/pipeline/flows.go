package main

import (
	"context"
	"path/filepath"

	"weir/internal/engine/duckdb"
	"weir/internal/engine/hive"
	"weir/internal/etl"
	"weir/internal/ingest"
	"weir/internal/job"
	"weir/internal/lake"
	"weir/internal/quarantine"
	"weir/internal/report"
)

// flow is what a job reads and writes, found without a server. (Topics are no tables: nobody's table waits for them.)
func flow(ctx context.Context, j job.Job) (job.Flow, error) {
	f := job.Flow{Job: j.Name, File: j.File, After: j.After}
	switch c := j.Spec.(type) {
	case *ingest.Config:
		f.Writes = []string{c.Table, c.Table + quarantine.Suffix}
	case *etl.Config:
		f.Writes = []string{c.Table, c.Table + quarantine.Suffix}
	case *report.Config:
		f.Writes = []string{c.Table}
		query, _, err := c.Text(filepath.Dir(j.File))
		if err != nil {
			return f, err
		}
		if c.Engine == "hive" {
			f.Reads, err = hive.Tables(query, lake.CatalogName)
		} else {
			f.Reads, err = duckdb.New(duckdb.Options{}).References(ctx, query)
		}
		return f, err
	}
	return f, nil
}
