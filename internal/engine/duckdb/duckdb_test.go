package duckdb

import (
	"testing"

	"weir/internal/engine"
	"weir/internal/engine/enginetest"
)

func TestDuckDB(t *testing.T) {
	enginetest.Run(t, enginetest.Config{
		Open: func(t testing.TB) engine.Engine { return New(Options{MemoryMB: 128, TempDir: t.TempDir()}) },
		Type: ToArrow,
	})
}
