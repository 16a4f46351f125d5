package intake

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/internal/config"
	"weir/internal/notify"
	"weir/internal/notify/channel"
)

// unit is a business unit's channel: it can edit, so that one message tells of one job and date.
type unit struct {
	mu    sync.Mutex
	posts []channel.Post
}

func (u *unit) take(p channel.Post) (channel.Receipt, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.posts = append(u.posts, p)
	return channel.Receipt{Ref: "1"}, nil
}

func (u *unit) Send(_ context.Context, p channel.Post) (channel.Receipt, error) { return u.take(p) }

func (u *unit) Edit(_ context.Context, _ string, p channel.Post) (channel.Receipt, error) {
	return u.take(p)
}

func (u *unit) Reply(context.Context, string, channel.Post) (channel.Receipt, error) {
	return channel.Receipt{Ref: "2"}, nil
}

// told are the first lines of what the unit was shown, in their order.
func (u *unit) told() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	var out []string
	for _, p := range u.posts {
		out = append(out, p.Message.First())
	}
	return out
}

func (u *unit) last(t *testing.T) channel.Message {
	t.Helper()
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.posts) == 0 {
		t.Fatal("the unit was told nothing")
	}
	return u.posts[len(u.posts)-1].Message
}

const unitsYAML = `
version: 1
defaults: {timezone: Europe/Berlin}
channels:
  fin: {console: {path: stdout}}
  rest: {console: {path: stdout}}
units:
  FIN: {title: Finance, jobs: [by_name, "emr-serverless/*/by_place"]}
routes:
  - {when: unit = "FIN", to: [fin]}
default: [rest]
fallback: [rest]
`

// service opens an outbox; fin is what the unit FIN reads, rest what nobody's is.
func service(t *testing.T) (s *notify.Service, fin, rest *unit) {
	t.Helper()
	return serviceAt(t, filepath.Join(t.TempDir(), "outbox.db"))
}

func serviceAt(t *testing.T, path string) (s *notify.Service, fin, rest *unit) {
	t.Helper()
	var u notify.Units
	if err := config.Decode("units.yaml", []byte(unitsYAML), &u); err != nil {
		t.Fatal(err)
	}
	fin, rest = &unit{}, &unit{}
	s, err := notify.Open(t.Context(), path, u, notify.Options{Extra: map[string]channel.Channel{"fin": fin, "rest": rest}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, fin, rest
}

func drain(t *testing.T, s *notify.Service) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	if err := s.Drain(ctx); err != nil {
		t.Fatal(err)
	}
}

// recorded are the events of a real run, as its engine sent them.
func recorded(t *testing.T, name string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(b)), "\n")
}

func call(h http.Handler, path, kind, body string, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8095"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
