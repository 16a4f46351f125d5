//go:build real

package real

import (
	"path/filepath"
	"testing"

	"weir/internal/config"
	"weir/internal/lake"
	"weir/internal/lake/laketest"
	"weir/internal/storage"
	"weir/internal/storage/storagetest"
	"weir/test/real/parts"
)

func s3Config(s parts.ObjectStore) storage.Config {
	return storage.Config{S3: storage.S3{Endpoint: s.Endpoint, AccessKey: config.Secret(s.Key), SecretKey: config.Secret(s.Secret)}}
}

// Every storage and every catalog, each for real, passes the suite that the embedded ones pass.
func TestStoragesAndCatalogs(t *testing.T) {
	s3, hdfs := s3Config(parts.S3(t)), parts.HDFS(t)
	metastore, postgres := parts.Metastore(t), parts.Postgres(t)
	t.Run("files on S3", func(t *testing.T) { storagetest.Run(t, "s3://weir/files", s3.Properties()) })
	t.Run("files on HDFS", func(t *testing.T) { storagetest.Run(t, hdfs+"/files", nil) })
	for name, c := range map[string]lake.Config{
		"sqlite and hdfs": {Catalog: filepath.Join(t.TempDir(), "catalog.db"), Warehouse: hdfs + "/w1"},
		"postgres and s3": {Catalog: postgres, Warehouse: "s3://weir/w2", Storage: s3},
		"hive and disk":   {Catalog: metastore, Warehouse: t.TempDir()},
		"hive and s3":     {Catalog: metastore, Warehouse: "s3://weir/w4", Storage: s3},
		"hive and hdfs":   {Catalog: metastore, Warehouse: hdfs + "/w5"},
	} {
		c.Cache = t.TempDir()
		t.Run(name, func(t *testing.T) {
			laketest.Run(t, c, "suite_"+filepath.Base(c.Warehouse))
		})
	}
}
