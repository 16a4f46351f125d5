package storage_test

import (
	"os"
	"path/filepath"
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

func TestLinksAreFollowedOnce(t *testing.T) {
	dir := t.TempDir()
	fs, err := storage.Open(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := fs.WriteFile(dir+"/in/real/a.csv", []byte("a")); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"in/b.csv": "real/a.csv", "in/real/loop": "..", "in/other": "real", "in/dead.csv": "nowhere"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for pattern, want := range map[string]string{"in/*.csv": "in/b.csv", "in/**/*.csv": "in/b.csv in/real/a.csv", "in/*/*.csv": "in/other/a.csv in/real/a.csv"} {
		found, err := fs.List(t.Context(), dir+"/"+pattern)
		var got []string
		for _, e := range found {
			got = append(got, strings.TrimPrefix(e.Name, dir+"/"))
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: got %v, %v; want %s", pattern, got, err, want)
		}
	}
}

func TestCheckOfPatterns(t *testing.T) {
	for pattern, want := range map[string]string{
		"in/*.csv": "", "/a/b.csv": "", "s3://bucket/in/**/*.json": "", "hdfs://nn:8020/in/*": "",
		"":                "expected a",
		"in/":             "expected a pattern of files, such as in/*.csv",
		"s3://buck*t/x":   "no wildcard before it",
		"s3://bucket":     "no wildcard before it",
		"in/[a-.csv":      "expected a pattern such as *.csv",
		"gs://bucket/a*":  "expected a directory, s3://",
		"hdfs:///in/*":    "expected the name node",
		"file:///in/*.js": "",
	} {
		err := storage.CheckPattern(pattern)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", pattern, err, want)
		}
	}
}
