package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/internal/cli"
)

var layout = []string{"CREATE TABLE t (v INTEGER NOT NULL) STRICT", "ALTER TABLE t ADD COLUMN w TEXT"}

func open2(t *testing.T, path string, migrations []string) *DB {
	t.Helper()
	d, err := Open(t.Context(), path, "run ledger", migrations)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestMigratesFromAnyVersionAndSyncsEachCommit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new dir?#%", "ledger.db") // what a URL would trip over
	old := open2(t, path, layout[:1])
	if err := insert(t.Context(), old, 1); err != nil {
		t.Fatal(err)
	}
	d := open2(t, path, layout)
	if err := d.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec("UPDATE t SET w = 'x'")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	var version, sync int
	var mode string
	for pragma, v := range map[string]any{"user_version": &version, "synchronous": &sync, "journal_mode": &mode} {
		if err := d.writer.QueryRow("PRAGMA " + pragma).Scan(v); err != nil {
			t.Fatal(err)
		}
	}
	if version != 2 || sync != 2 || mode != "wal" {
		t.Errorf("version %d, synchronous %d (2 is FULL), journal %s", version, sync, mode)
	}
}

func insert(ctx context.Context, d *DB, v int) error {
	return d.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO t (v) VALUES (?)", v)
		return err
	})
}

func count(t *testing.T, d *DB) (n int) {
	t.Helper()
	if err := d.Read().QueryRow("SELECT count(*) FROM t").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAFailedWriteHasNoEffect(t *testing.T) {
	d := open2(t, filepath.Join(t.TempDir(), "l.db"), layout)
	mine := errors.New("mine")
	err := d.Write(t.Context(), func(tx *sql.Tx) error {
		if _, err := tx.Exec("INSERT INTO t (v) VALUES (1)"); err != nil {
			return err
		}
		return mine
	})
	if !errors.Is(err, mine) || count(t, d) != 0 {
		t.Errorf("%v, %d rows", err, count(t, d))
	}
	if _, err := d.Read().Exec("INSERT INTO t (v) VALUES (1)"); err == nil {
		t.Error("the reader can write")
	}
}

func TestFullDisk(t *testing.T) {
	d := open2(t, filepath.Join(t.TempDir(), "l.db"), layout)
	if err := insert(t.Context(), d, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := d.writer.Exec("PRAGMA max_page_count = 3"); err != nil { // what SQLite does when the disk is full
		t.Fatal(err)
	}
	err := d.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT INTO t (v, w) VALUES (2, ?)", strings.Repeat("x", 100_000))
		return err
	})
	var e *cli.Error
	if !errors.Is(err, ErrFull) || !errors.As(err, &e) || !strings.Contains(e.Hint, "free some space") {
		t.Errorf("got %v", err)
	}
	if count(t, d) != 1 {
		t.Error("half of it is there")
	}
}

func TestOpenSaysWhatToDo(t *testing.T) {
	dir := t.TempDir()
	newer, garbage, file := filepath.Join(dir, "newer.db"), filepath.Join(dir, "garbage.db"), filepath.Join(dir, "file")
	open2(t, newer, append(layout, "CREATE TABLE u (x)"))
	for path, text := range map[string]string{garbage: strings.Repeat("this is no database ", 1000), file: "x"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]error{newer: ErrNewer, garbage: ErrForeign, filepath.Join(file, "l.db"): ErrReadOnly} {
		d, err := Open(t.Context(), path, "run ledger", layout)
		if err == nil {
			t.Errorf("%s opens: %v", path, d.Close())
			continue
		}
		var e *cli.Error
		if !errors.Is(err, want) || !errors.As(err, &e) || e.Hint == "" || !strings.HasPrefix(err.Error(), "run ledger "+path) {
			t.Errorf("%s: %v, want %v with a hint", path, err, want)
		}
	}
}

// TestWriterChild is another process that writes to the same file; it does nothing otherwise.
func TestWriterChild(t *testing.T) {
	path := os.Getenv("WEIR_DB_CHILD")
	if path == "" {
		t.Skip("only as a child of TestProcessesShareAFile")
	}
	d := open2(t, path, layout)
	for i := range 50 {
		if err := insert(t.Context(), d, i); err != nil {
			t.Fatal(err)
		}
	}
}

func TestProcessesShareAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l.db")
	var g errgroup.Group
	for range 4 {
		g.Go(func() error { // they also make the file and migrate it side by side
			cmd := exec.Command(os.Args[0], "-test.run=^TestWriterChild$")
			cmd.Env = append(os.Environ(), "WEIR_DB_CHILD="+path)
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if n := count(t, open2(t, path, layout)); n != 200 {
		t.Errorf("%d rows, want 200", n)
	}
}

func TestTimes(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	if got := Time(Micros(now)); !got.Equal(now) || Micros(time.Time{}) != 0 || !Time(0).IsZero() {
		t.Errorf("got %v", got)
	}
}
