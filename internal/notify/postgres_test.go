package notify

import (
	"context"
	"fmt"
	"hash/fnv"
	"os"
	"testing"

	"weir/internal/db"
)

// fileOnly skips what is about SQLite's file.
func fileOnly(t *testing.T) {
	t.Helper()
	if os.Getenv("WEIR_TEST_POSTGRES") != "" {
		t.Skip("this is about the file, not about PostgreSQL")
	}
}

// With WEIR_TEST_POSTGRES, the address of a server, the tests of this package have their outboxes there: a schema for each file.
func init() {
	server := os.Getenv("WEIR_TEST_POSTGRES")
	if server == "" {
		return
	}
	openDB = func(ctx context.Context, path, name string, migrations []string) (*db.DB, error) {
		h := fnv.New64a()
		_, _ = h.Write([]byte(path))
		d, err := db.Open(ctx, fmt.Sprintf("%s&search_path=t%x", server, h.Sum64()), name, migrations)
		if err == nil {
			d.UseOwnClock()
		}
		return d, err
	}
}
