package main

import (
	"path/filepath"

	"weir/internal/engine/duckdb"
	"weir/internal/engine/hive"
	"weir/internal/job"
	"weir/internal/report"
)

// reportParts are what a report runs on: the embedded engine, and the server if its job names one.
func (s *site) reportParts(j job.Job, c report.Config) (report.Parts, error) {
	p := report.Parts{
		Lake: s.lake, Dir: filepath.Dir(j.File), File: j.File,
		Engine: duckdb.New(duckdb.Options{MemoryMB: c.MemoryMB(), TempDir: s.tempDir()}), Type: duckdb.ToArrow,
	}
	if c.Engine != "hive" {
		return p, nil
	}
	to, err := s.project.Weir.Hive.Connection(c.Connection)
	if err != nil {
		return p, err
	}
	e, err := hive.New(hive.Options{Address: to.Address, Auth: to.Auth, User: to.User, Password: to.Password.Reveal(), Catalog: to.Catalog})
	if err != nil {
		return p, err
	}
	p.Server, p.ServerType = e, hive.ToArrow
	return p, nil
}
