package db

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestSharedWritesStandForThemselves(t *testing.T) {
	d := open2(t, filepath.Join(t.TempDir(), "l.db"), layout)
	mine := errors.New("mine")
	var all sync.WaitGroup
	results := make([]error, 300)
	gate := make(chan struct{})
	for i := range results {
		all.Go(func() {
			<-gate
			results[i] = d.Share(t.Context(), func(tx *sql.Tx) error {
				if _, err := tx.Exec("INSERT INTO t (v) VALUES (?)", i); err != nil {
					return err
				}
				if i%10 == 0 {
					return fmt.Errorf("%d is %w", i, mine)
				}
				return nil
			})
		})
	}
	close(gate)
	all.Wait()
	for i, err := range results {
		if (i%10 == 0) != errors.Is(err, mine) || i%10 == 0 && err.Error() != fmt.Sprintf("%d is mine", i) {
			t.Errorf("write %d: %v", i, err)
		}
	}
	var n, sum int
	if err := d.Read().QueryRow("SELECT count(*), sum(v) FROM t").Scan(&n, &sum); err != nil {
		t.Fatal(err)
	}
	if n != 270 || sum != 300*299/2-10*30*29/2 {
		t.Errorf("%d rows with the sum %d", n, sum)
	}
}

// A write that fills the disk takes the transaction down that it shares; the others are made all the same.
func TestAFullDiskFailsOnlyWhatDoesNotFit(t *testing.T) {
	d := open2(t, filepath.Join(t.TempDir(), "l.db"), layout)
	if err := insert(t.Context(), d, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := d.writer.Exec("PRAGMA max_page_count = 3"); err != nil {
		t.Fatal(err)
	}
	group := make([]*shared, 3)
	for i := range group {
		group[i] = &shared{t.Context(), func(tx *sql.Tx) error {
			_, err := tx.Exec("INSERT INTO t (v, w) VALUES (?, ?)", i, strings.Repeat("x", i%2*100_000))
			return err
		}, make(chan error, 1)}
	}
	d.together(group)
	for i, w := range group {
		if err := <-w.result; (i == 1) != errors.Is(err, ErrFull) || i != 1 && err != nil {
			t.Errorf("write %d: %v", i, err)
		}
	}
	if n := count(t, d); n != 3 {
		t.Errorf("%d rows, want 3", n)
	}
}
