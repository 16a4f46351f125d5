package lake_test

import (
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"weir/internal/lake"
	"weir/internal/lake/laketest"
	"weir/internal/storage"
	"weir/internal/storage/storagetest"
)

func TestSQLiteOnDisk(t *testing.T) {
	home := t.TempDir()
	laketest.Run(t, lake.Config{Catalog: filepath.Join(home, "catalog.db"), Warehouse: filepath.Join(home, "ware#house")}, "bank")
}

// s3Server is an S3 in this process.
func s3Server(t *testing.T) storage.Config {
	t.Helper()
	mem := s3mem.New()
	if err := mem.CreateBucket("lake"); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(gofakes3.New(mem).Server())
	t.Cleanup(srv.Close)
	return storage.Config{S3: storage.S3{Endpoint: srv.URL, AccessKey: "id", SecretKey: "key"}}
}

func TestSQLiteOnS3(t *testing.T) {
	c := s3Server(t)
	storagetest.Run(t, "s3://lake/files", c.Properties())
	home := t.TempDir()
	laketest.Run(t, lake.Config{
		Catalog: filepath.Join(home, "catalog.db"), Warehouse: "s3://lake/warehouse", Storage: c, Cache: filepath.Join(home, "cache"),
	}, "bank")
}
