//go:build real

package real

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/oklog/ulid/v2"

	"weir/internal/cli"
	"weir/internal/engine"
	"weir/internal/engine/duckdb"
	"weir/internal/engine/enginetest"
	"weir/internal/engine/hive"
	"weir/internal/lake"
	"weir/test/real/parts"
)

// shared is a lake whose catalog a Spark Thrift Server reads as well.
type shared struct {
	lake    *lake.Lake
	address string
}

func newShared(t *testing.T, auth string) *shared {
	t.Helper()
	dir := t.TempDir()
	catalog, warehouse := filepath.Join(dir, "catalog.db"), filepath.Join(dir, "warehouse")
	l, err := lake.Open(t.Context(), lake.Config{Catalog: catalog, Warehouse: warehouse})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &shared{lake: l, address: parts.SparkThrift(t, "jdbc:sqlite:"+catalog, warehouse, auth)}
}

func (s *shared) open(t testing.TB, auth string) *hive.Engine {
	t.Helper()
	e, err := hive.New(hive.Options{Address: s.address, Auth: auth})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// load makes tables hold the rows of their files.
func (s *shared) load(t testing.TB, tables []engine.Table) []engine.Table {
	t.Helper()
	for i, in := range tables {
		var fields []arrow.Field
		for _, c := range in.Columns {
			kind, err := duckdb.ToArrow(c.Type)
			if err != nil {
				t.Fatal(err)
			}
			fields = append(fields, arrow.Field{Name: c.Name, Type: kind, Nullable: true})
		}
		tbl, err := s.lake.Ensure(t.Context(), in.Name, arrow.NewSchema(fields, nil), lake.Options{})
		if err != nil {
			t.Fatal(err)
		}
		c := lake.Commit{Job: "load", ID: ulid.Make().String(), ReplaceAll: true}
		at, err := tbl.Position(t.Context(), "load")
		if err != nil {
			t.Fatal(err)
		}
		c.From, c.To = at.Cursor, []byte(`"`+c.ID+`"`)
		for _, f := range in.Files {
			to := filepath.Join(tbl.DataDir(), c.ID+".parquet")
			copyFile(t, f, to)
			files, err := tbl.Import(t.Context(), []string{to})
			if err != nil {
				t.Fatal(err)
			}
			c.Add = append(c.Add, files...)
		}
		if _, err := tbl.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		p, err := tbl.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		tables[i].Snapshot = p.Snapshot
	}
	return tables
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err == nil {
		defer in.Close()
		err = os.MkdirAll(filepath.Dir(to), 0o755)
	}
	if err == nil {
		var out *os.File
		if out, err = os.Create(to); err == nil {
			_, err = io.Copy(out, in)
			err = errors.Join(err, out.Close())
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheSparkThriftServerIsAnEngine(t *testing.T) {
	s := newShared(t, hive.NoSASL)
	enginetest.RunServer(t, enginetest.ServerConfig{
		Open: func(t testing.TB) engine.Server { return s.open(t, hive.NoSASL) }, Type: hive.ToArrow, Load: s.load,
	})
	t.Run("the wrong greeting names both modes", func(t *testing.T) { s.wrongAuth(t, hive.Plain) })
}

func TestTheSparkThriftServerWithSASL(t *testing.T) {
	s := newShared(t, hive.Plain)
	r, err := s.open(t, hive.Plain).Query(t.Context(), "SELECT 41 + 1 AS answer", nil, 0, nil)
	if err != nil || len(r.Rows) != 1 || r.Rows[0][0] != int32(42) {
		t.Errorf("got %v, %v", r.Rows, err)
	}
	s.wrongAuth(t, hive.NoSASL)
}

func (s *shared) wrongAuth(t *testing.T, auth string) {
	began := time.Now()
	_, err := s.open(t, auth).Query(t.Context(), "SELECT 1 AS a", nil, 0, nil)
	var c *cli.Error
	if !errors.As(err, &c) || !strings.Contains(err.Error(), "(EOF)") || !strings.Contains(c.Hint, "NONE (SASL PLAIN) or NOSASL") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("told after %v", took)
	}
}
