//go:build real

package real

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"weir/internal/avro"
	"weir/internal/engine/duckdb"
	"weir/internal/lake"
	"weir/test/real/parts"
	"weir/test/real/readback"
)

// publicSchemas are Go modules that ship Avro schemas; they are fetched, and stay where Go keeps modules.
var publicSchemas = []struct{ module, licence string }{
	{"github.com/actgardner/gogen-avro/v10@v10.2.1", "MIT"}, // 52: unions, recursion, maps, fixed, names of several namespaces, aliases
	{"github.com/linkedin/goavro/v2@v2.13.1", "Apache-2.0"}, // 2: events, nested records
	{"github.com/hamba/avro/v2@v2.31.0", "MIT"},             // 8: logical types, unions of records
}

// What has no columns, or is no whole schema by itself.
var noRecord = regexp.MustCompile(`expected a record|unknown type|avro schema: `)

// The Avro schemas that ship with public projects, random data of each: read back by our reader, DuckDB and Spark, equal.
func TestPublicSchemasAreReadBackByThreeReaders(t *testing.T) {
	dir := t.TempDir()
	catalog, warehouse := filepath.Join(dir, "catalog.db"), filepath.Join(dir, "warehouse")
	lk, err := lake.Open(t.Context(), lake.Config{Catalog: catalog, Warehouse: warehouse})
	if err != nil {
		t.Fatal(err)
	}
	defer lk.Close()
	duck := duckdb.New(duckdb.Options{MemoryMB: 500, TempDir: dir})
	var tables []*readback.Table
	var names, queries []string
	count := 0
	for _, m := range publicSchemas {
		root := module(t, m.module)
		err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".avsc" {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			name := strings.TrimPrefix(path, root)
			s, err := avro.Parse(string(text))
			if err == nil {
				_, err = avro.ArrowSchema(s)
			}
			if err != nil {
				if !noRecord.MatchString(err.Error()) {
					t.Errorf("%s: %v", name, err)
				}
				return nil
			}
			t.Run(name, func(t *testing.T) {
				count++
				table := fmt.Sprintf("public.t%d", count)
				x := readback.Make(t, lk, table, string(text), avro.Layout{})
				x.Scan(t)
				x.DuckDB(t, duck)
				if x.HasTimes() {
					t.Log("not by Spark: it reads no times of day")
					return
				}
				tables, names, queries = append(tables, x), append(names, name), append(queries, fmt.Sprintf("select %d t, row_no, to_json(struct(*)) j from weir.%s", len(queries), table))
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(tables) < 25 {
		t.Fatalf("only %d schemas of public projects", len(tables))
	}
	out := parts.SparkSubmit(t, "sql.py", parts.SparkCatalog("jdbc:sqlite:"+catalog, warehouse), strings.Join(queries, " union all ")+" order by t, row_no")
	lines := make([][]string, len(tables))
	for d := json.NewDecoder(strings.NewReader(out)); ; {
		var row struct {
			T int
			J string
		}
		if err := d.Decode(&row); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		lines[row.T] = append(lines[row.T], row.J)
	}
	for i, x := range tables {
		t.Run("Spark"+names[i], func(t *testing.T) { x.Compare(t, lines[i]) })
	}
	t.Logf("%d schemas, %d of them also by Spark", count, len(tables))
}

// module is where Go keeps a module, fetched if need be.
func module(t *testing.T, version string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", version)
	cmd.Dir = t.TempDir()
	out, err := cmd.Output()
	var got struct{ Dir, Error string }
	if e := json.Unmarshal(out, &got); err != nil || e != nil || got.Dir == "" {
		t.Fatalf("%s: %v %v %s", version, err, e, got.Error)
	}
	return got.Dir
}
