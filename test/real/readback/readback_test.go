package readback

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"weir/internal/avro"
	"weir/internal/engine/duckdb"
	"weir/internal/lake"
)

// shapes are the schemas of people's kinds in internal/content, and those that ship with the Avro library (MIT), read where Go keeps it.
func shapes(t *testing.T) map[string]string {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/hamba/avro/v2").Output()
	if err != nil {
		t.Fatal(err)
	}
	hamba := strings.TrimSpace(string(dir))
	all := map[string]string{}
	for _, pattern := range []string{"../../../internal/content/testdata/schemas/*.avsc", hamba + "/testdata/superhero.avsc", hamba + "/gen/testdata/golden.avsc", hamba + "/gen/testdata/uniontype.avsc"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no files, %v", pattern, err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			all[strings.TrimSuffix(filepath.Base(f), ".avsc")] = string(b)
		}
	}
	return all
}

// Random data of each shape comes back from a table as it was decoded, by our own reader and by DuckDB, however its types land.
func TestEveryShapeIsReadBackFromATable(t *testing.T) {
	home := t.TempDir()
	lk, err := lake.Open(t.Context(), lake.Config{Catalog: filepath.Join(home, "catalog.db"), Warehouse: filepath.Join(home, "warehouse")})
	if err != nil {
		t.Fatal(err)
	}
	defer lk.Close()
	duck := duckdb.New(duckdb.Options{MemoryMB: 500, TempDir: home})
	all := shapes(t)
	if len(all) < 30 {
		t.Fatalf("only %d shapes", len(all))
	}
	for name, text := range all {
		for i, layout := range []avro.Layout{{}, {JSONUnions: true}, {Recursion: 1, LongNanos: true}} {
			t.Run(fmt.Sprint(name, i), func(t *testing.T) {
				x := Make(t, lk, fmt.Sprintf("shapes.t%d_%s", i, strings.ReplaceAll(name, "-", "_")), text, layout)
				x.Scan(t)
				x.DuckDB(t, duck)
			})
		}
	}
}
