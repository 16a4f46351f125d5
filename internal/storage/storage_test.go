package storage_test

import (
	"strings"
	"testing"

	"weir/internal/storage"
	"weir/internal/storage/storagetest"
)

func TestDisk(t *testing.T) { storagetest.Run(t, t.TempDir(), nil) }

func TestDiskByURI(t *testing.T) { storagetest.Run(t, "file://"+t.TempDir(), nil) }

func TestCheckOfWarehouses(t *testing.T) {
	for uri, want := range map[string]string{
		"warehouse":           "",
		"/srv/warehouse":      "",
		"file:/srv/warehouse": "",
		"s3://bucket/a":       "",
		"s3a://bucket":        "",
		"hdfs://nn:8020/a":    "",
		"hdfs:///a":           "expected the name node",
		"s3:///a":             "expected the bucket",
		"gs://bucket/a":       "expected a directory, s3://",
		"ftp://x/a":           "expected a directory, s3://",
	} {
		err := storage.Check(uri)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", uri, err, want)
		}
	}
}

func TestLocalNamesAreOnePath(t *testing.T) {
	for name, want := range map[string]string{
		"/a/b": "/a/b", "file:/a/b": "/a/b", "file:///a/b": "/a/b", "file:///a%23b": "/a#b", "s3://x/y": "s3://x/y",
	} {
		if got := storage.Path(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}
