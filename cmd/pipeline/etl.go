package main

import (
	"context"
	"path/filepath"
	"time"

	"weir/internal/control"
	"weir/internal/engine/duckdb"
	"weir/internal/etl"
	"weir/internal/job"
	"weir/internal/outcome"
	"weir/minibatch"
)

// etlMemoryMB is for the expressions; rows are streamed.
const etlMemoryMB = 256

func (s *site) etlParts(j job.Job) etl.Parts {
	return etl.Parts{
		Lake: s.lake, Engine: duckdb.New(duckdb.Options{MemoryMB: etlMemoryMB, TempDir: s.tempDir()}), Type: duckdb.ToArrow, Dir: filepath.Dir(j.File), File: j.File, Temp: s.tempDir(),
	}
}

// etl loads the files of the run's day, or of each day that is not loaded yet.
func (s *site) etl(ctx context.Context, j job.Job, c etl.Config, x execution) (told, error) {
	began := time.Now()
	sr := control.Report{Job: j.Name, Title: j.Title, Unit: j.Unit, Table: c.Table, State: control.Running, Started: began, Interval: inWords(x.interval)}
	s.showReport(sr)
	t, err := s.load(ctx, j, c, x, func(rows int64) {
		sr.Rows, sr.Seconds = rows, time.Since(began).Seconds()
		s.showReport(sr)
	})
	sr.State, sr.Rows, sr.Seconds = control.Done, t.rowsOut, time.Since(began).Seconds()
	if err != nil {
		sr.State, sr.Error = control.Failed, err.Error()
		s.attention("FAILED", j, err)
	}
	s.showReport(sr)
	return t, err
}

func (s *site) load(ctx context.Context, j job.Job, c etl.Config, x execution, progress func(rows int64)) (told, error) {
	r := etl.Run{ID: x.id, Interval: x.interval}
	if !x.interval.IsZero() {
		r.Day = x.interval.Start.Format(time.DateOnly)
	}
	in, err := etl.New(ctx, j.Name, c, r, s.etlParts(j))
	if err != nil {
		return told{}, err
	}
	rep, err := in.Run(ctx, func(e minibatch.Event) {
		if e.Kind == minibatch.Committed {
			progress(e.Report.RowsOut)
		}
	})
	return told{
		rowsIn: rep.RowsIn, rowsOut: rep.RowsOut, rejected: rep.Quarantined, filtered: rep.Filtered, retries: rep.Retries, stopped: rep.Stopped,
		inputs:  []outcome.Dataset{{Namespace: "file", Name: filepath.Join(c.Files.Dir, c.Files.Pattern), Rows: rep.RowsIn}},
		outputs: []outcome.Dataset{{Name: c.Table, Rows: rep.RowsOut}},
	}, err
}
