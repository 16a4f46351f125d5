package parts

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// TPCH makes the eight tables of TPC-H as CSV files (region.csv, …) at a scale such as "0.1", and gives their directory.
func TPCH(t testing.TB, scale string) (dir string) {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		missing(t)("TPC-H: python3 is not on the PATH")
	}
	if _, err := script(t, "tpchgen", fetchTime, nil, "fetch"); err != nil {
		missing(t)("TPC-H: not to be had: %v", err)
	}
	dir = filepath.Join(t.TempDir(), "tpch")
	if _, err := script(t, "tpchgen", startTime, nil, scale, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}
