package lake_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"weir/internal/cli"
	"weir/internal/fake"
	"weir/internal/lake"
	"weir/internal/lake/laketest"
	"weir/internal/storage"
)

// glueLake is a lake on a Glue behind a front that can lie about updates.
func glueLake(t *testing.T) (lake.Config, *fake.Front) {
	t.Helper()
	front := &fake.Front{To: &fake.Glue{}, When: func(r *http.Request) bool { return strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".UpdateTable") }}
	srv := httptest.NewServer(front)
	t.Cleanup(srv.Close)
	return lake.Config{
		Catalog: "glue://eu-central-1/111122223333?endpoint=" + url.QueryEscape(srv.URL), Warehouse: t.TempDir(),
		Storage: storage.Config{S3: storage.S3{AccessKey: "id", SecretKey: "key"}},
	}, front
}

func TestGlueOnDisk(t *testing.T) {
	c, _ := glueLake(t)
	laketest.Run(t, c, "bank")
}

// An update that Glue took and then did not confirm is found by its commit id: once in the table, and its files are all there.
func TestGlueTookACommitAndDidNotSaySo(t *testing.T) {
	for _, fault := range []fake.Fault{fake.Accept500, fake.AcceptCut} {
		t.Run(string(fault), func(t *testing.T) {
			c, front := glueLake(t)
			laketest.Unconfirmed(t, c, "bank", func() { front.Next(fault) })
			if n := front.Calls(); n != 3 {
				t.Errorf("%d updates were sent for 3 commits: one that landed was sent again", n)
			}
		})
	}
}

func TestGlueSaysWhatIsWrong(t *testing.T) {
	c, _ := glueLake(t)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"__type":"UnrecognizedClientException","message":"The security token included in the request is invalid."}`))
	}))
	defer srv.Close()
	for name, k := range map[string]struct{ address, text, hint string }{
		"a wrong key":  {"glue://eu-central-1?endpoint=" + url.QueryEscape(srv.URL), "UnrecognizedClientException: The security token", "AWS_ACCESS_KEY_ID"},
		"nobody there": {"glue://eu-central-1?endpoint=http://127.0.0.1:1", "connection refused", "endpoint in lake.uri"},
		"no address":   {"glue://eu-central-1/1/2", "expected glue://REGION", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c.Catalog = k.address
			_, err := lake.Open(t.Context(), c)
			var e *cli.Error
			if err == nil || !strings.Contains(err.Error(), k.text) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("got %v", err)
			}
			if errors.As(err, &e); !strings.Contains(e.Hint, k.hint) {
				t.Errorf("hint %q", e.Hint)
			}
		})
	}
}
