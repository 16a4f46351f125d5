//go:build real

package real

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"weir/internal/fake"
	"weir/internal/lake"
	"weir/internal/lake/laketest"
	"weir/internal/storage"
	"weir/test/real/parts"
)

// Iceberg's own reference server is a catalog, on a disk and on S3, also behind a network that loses its answers.
func TestTheRESTCatalog(t *testing.T) {
	t.Run("disk", func(t *testing.T) {
		laketest.Run(t, lake.Config{Catalog: parts.RESTCatalog(t, nil)}, "suite")
	})
	t.Run("S3", func(t *testing.T) {
		s3 := parts.S3(t)
		front := fake.Before(parts.RESTCatalog(t, &s3))
		front.When = func(r *http.Request) bool { return r.Method == http.MethodPost && strings.Count(r.URL.Path, "/") == 5 }
		srv := httptest.NewServer(front)
		defer srv.Close()
		c := lake.Config{Catalog: srv.URL, Storage: s3Config(s3), Cache: t.TempDir()}
		laketest.Run(t, c, "suite")
		for space, fault := range map[string]fake.Fault{"failed": fake.Accept500, "cut": fake.AcceptCut} {
			laketest.Unconfirmed(t, c, space, func() { front.Next(fault) })
		}
	})
}

// Glue and S3 of an emulator of AWS. It takes updates of a version that has passed, which Glue refuses: fake.Glue before it does the same.
func TestGlueAndS3OfAnEmulator(t *testing.T) {
	moto := parts.Moto(t)
	bucket, err := http.NewRequestWithContext(t.Context(), http.MethodPut, moto+"/weir", nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := http.DefaultClient.Do(bucket)
	if err != nil || got.StatusCode != http.StatusOK {
		t.Fatalf("no bucket: %v, %v", got, err)
	}
	got.Body.Close()
	front := &fake.Front{To: &fake.Glue{To: fake.Before(moto)}, When: func(r *http.Request) bool { return strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".UpdateTable") }}
	srv := httptest.NewServer(front)
	defer srv.Close()
	c := lake.Config{
		Catalog: "glue://eu-central-1?endpoint=" + url.QueryEscape(srv.URL), Warehouse: "s3://weir/glue", Cache: t.TempDir(),
		Storage: storage.Config{S3: storage.S3{Endpoint: moto, Region: "us-east-1", AccessKey: "id", SecretKey: "key"}},
	}
	laketest.Run(t, c, "suite")
	for space, fault := range map[string]fake.Fault{"failed": fake.Accept500, "cut": fake.AcceptCut} {
		laketest.Unconfirmed(t, c, space, func() { front.Next(fault) })
	}
}
