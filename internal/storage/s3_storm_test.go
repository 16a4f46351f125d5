package storage_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"weir/internal/fake"
	"weir/internal/storage"
)

// stormy is an S3 in this process behind a front that can refuse and lose answers.
func stormy(t *testing.T, c storage.S3) (*fake.Front, storage.FS) {
	t.Helper()
	mem := s3mem.New()
	if err := mem.CreateBucket("lake"); err != nil {
		t.Fatal(err)
	}
	front := &fake.Front{To: gofakes3.New(mem).Server()}
	srv := httptest.NewServer(front)
	t.Cleanup(srv.Close)
	c.Endpoint, c.AccessKey, c.SecretKey = srv.URL, "id", "key"
	fs, err := storage.Open(t.Context(), "s3://lake/x", storage.Config{S3: c}.Properties())
	if err != nil {
		t.Fatal(err)
	}
	return front, fs
}

// work writes and reads files side by side.
func work(t *testing.T, fs storage.FS) {
	t.Helper()
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			name, want := fmt.Sprintf("s3://lake/x/%d", i), bytes.Repeat([]byte{byte(i)}, 1000+i)
			if err := fs.WriteFile(name, want); err != nil {
				t.Error(err)
				return
			}
			if got, err := fs.ReadFile(name); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %d bytes, %v", name, len(got), err)
			}
		})
	}
	all.Wait()
}

// While S3 refuses a third of all requests and loses the answers of more, every file arrives, and it is asked at most three times as much.
func TestAStormOfSlowDowns(t *testing.T) {
	front, fs := stormy(t, storage.S3{})
	work(t, fs)
	calm := front.Calls()
	front.Random(1, map[fake.Fault]float64{fake.SlowDown: 0.3, fake.Accept500: 0.05, fake.AcceptCut: 0.05})
	work(t, fs)
	if storm := front.Calls() - calm; storm > 3*calm || storm <= calm {
		t.Errorf("%d requests in the storm, %d without", storm, calm)
	}
}

// A server that is down altogether is not asked without end by many at once: the client's budget of retries is one for all.
func TestAnOutageIsNotHammered(t *testing.T) {
	front, fs := stormy(t, storage.S3{})
	front.Random(1, map[fake.Fault]float64{fake.Refuse500: 1})
	const files = 200
	var all sync.WaitGroup
	for i := range files {
		all.Go(func() {
			if err := fs.WriteFile(fmt.Sprintf("s3://lake/x/%d", i), []byte("x")); err == nil {
				t.Error("it was written")
			}
		})
	}
	all.Wait()
	if n := front.Calls(); n > 3*files {
		t.Errorf("%d requests for %d files", n, files)
	}
}

func TestEncryptionAndPartsOfLargeFiles(t *testing.T) {
	for _, c := range []storage.S3{{SSE: "AES256"}, {SSE: "aws:kms", KMSKey: "arn:aws:kms:eu-central-1:1:key/k"}} {
		t.Run(c.SSE, func(t *testing.T) {
			front, fs := stormy(t, c)
			var mu sync.Mutex
			var begun, parts int
			front.When = func(r *http.Request) bool {
				mu.Lock()
				defer mu.Unlock()
				q := r.URL.Query()
				if q.Has("partNumber") {
					parts++
					return true
				}
				if r.Method == http.MethodPut || q.Has("uploads") {
					begun++
					if got, key := r.Header.Get("X-Amz-Server-Side-Encryption"), r.Header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"); got != c.SSE || key != c.KMSKey {
						t.Errorf("%s %s: encryption %q, key %q", r.Method, r.URL, got, key)
					}
				}
				return false
			}
			front.Next(fake.AcceptCut, fake.SlowDown) // of the first parts
			large := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
			for name, data := range map[string][]byte{"s3://lake/x/large": large, "s3://lake/x/small": []byte("x")} {
				if err := fs.WriteFile(name, data); err != nil {
					t.Fatal(err)
				}
				if got, err := fs.ReadFile(name); err != nil || !bytes.Equal(got, data) {
					t.Errorf("%s: %d bytes, %v", name, len(got), err)
				}
			}
			if begun != 2 || parts < 4 {
				t.Errorf("%d files were begun, with %d parts of the large one", begun, parts)
			}
		})
	}
}
