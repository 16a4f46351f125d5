package db

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// onServer opens a schema of its own on the server that WEIR_TEST_POSTGRES names.
func onServer(t *testing.T, more string) func() *DB {
	t.Helper()
	server := os.Getenv("WEIR_TEST_POSTGRES")
	if server == "" {
		t.Skip("WEIR_TEST_POSTGRES names no PostgreSQL server; make test-real starts one")
	}
	address := fmt.Sprintf("%s&search_path=t%d%s", server, time.Now().UnixNano(), more)
	return func() *DB {
		t.Helper()
		return open2(t, address, []string{`CREATE TABLE "row" (v BIGINT)`})
	}
}

func write(d *DB) error {
	return d.Write(context.Background(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO "row" VALUES (1)`)
		return err
	})
}

// A sender that is frozen inside a transaction keeps the lock of all writers: the server has to end it.
func TestAWriterThatStallsKeepsNobodyOut(t *testing.T) {
	open := onServer(t, "")
	stalled, other := open(), open()
	inside, goOn, result := make(chan bool), make(chan bool), make(chan error)
	go func() {
		once := true
		result <- stalled.Write(context.Background(), func(tx *sql.Tx) error {
			_, err := tx.Exec(`INSERT INTO "row" VALUES (2)`)
			if once {
				once = false
				inside <- true
				<-goOn
			}
			return err
		})
	}()
	<-inside
	if err := write(other); err != nil {
		t.Errorf("the other writer: %v", err)
	}
	close(goOn)
	if err := <-result; err == nil {
		return // it was tried once more, in a transaction of its own
	} else if !strings.Contains(err.Error(), other.Path()) {
		t.Errorf("does not name the server: %v", err)
	}
	var n int
	if err := other.Read().QueryRow(`SELECT count(*) FROM "row" WHERE v = 2`).Scan(&n); err != nil || n != 0 {
		t.Errorf("failed, and yet %d rows (%v)", n, err)
	}
}

// Whatever the server's default isolation is, a writer sees what was committed while it waited for its turn.
func TestAWriterSeesTheOneBefore(t *testing.T) {
	open := onServer(t, "&default_transaction_isolation=repeatable%20read")
	a, b := open(), open()
	inside, seen := make(chan bool), make(chan int, 1)
	go func() {
		<-inside
		_ = b.Write(context.Background(), func(tx *sql.Tx) error {
			var n int
			err := tx.QueryRow(`SELECT count(*) FROM "row"`).Scan(&n)
			seen <- n
			return err
		})
	}()
	if err := a.Write(context.Background(), func(tx *sql.Tx) error {
		close(inside)
		for waiting := 0; waiting == 0; time.Sleep(5 * time.Millisecond) { // real time: a server
			if err := a.Read().QueryRow("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory'").Scan(&waiting); err != nil {
				return err
			}
		}
		_, err := tx.Exec(`INSERT INTO "row" VALUES (1)`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if n := <-seen; n != 1 {
		t.Errorf("sees %d rows of the writer before", n)
	}
}

func TestTablesLieInTheFirstSchemaOfThePath(t *testing.T) {
	open := onServer(t, "b,public")
	d := open()
	if err := write(d); err != nil {
		t.Fatal(err)
	}
	var schema string
	if err := d.Read().QueryRow("SELECT current_schema()").Scan(&schema); err != nil || !strings.HasSuffix(schema, "b") {
		t.Errorf("%q %v", schema, err)
	}
}
