package main

import (
	"weir/internal/etl"
	"weir/internal/ingest"
	"weir/internal/job"
	"weir/internal/report"
)

// kinds are the sorts of jobs that this program runs; execute in run.go has a case for each.
var kinds = []job.Kind{
	{Name: "ingest", New: func() any { return new(ingest.Config) }},
	{Name: "etl", New: func() any { return new(etl.Config) }},
	{Name: "report", New: func() any { return new(report.Config) }},
}
