package main

import (
	"os"
	"testing"

	"weir/internal/cli"
)

// TestMain is the program itself where a test asks for it in a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv("WEIR_TEST_MAIN") == "pipeline" {
		os.Exit(cli.Main("pipeline", newCommand))
	}
	os.Exit(m.Run())
}
