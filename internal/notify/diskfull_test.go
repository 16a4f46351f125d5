package notify_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/internal/notify"
	"weir/internal/notify/intake"
	"weir/internal/outcome"
)

// A full disk is answered with 503 and nothing of the request is kept; once there is room again the sender's next try is told, once.
func TestAcceptance_DiskFullIsAnswered503AndNothingIsAccepted(t *testing.T) {
	if os.Getenv("WEIR_TEST_POSTGRES") != "" {
		t.Skip("this is about the file, not about PostgreSQL")
	}
	s, err := notify.Open(t.Context(), filepath.Join(t.TempDir(), "outbox.db"), notify.DefaultUnits(), notify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	server := httptest.NewServer(intake.Web{Notify: s}.Handler())
	defer server.Close()
	small := `{"specversion":"1.0","id":"1","source":"s","type":"io.weir.job.ready.v1","data":{"job":"small","run_id":"r1"}}`
	big := `{"specversion":"1.0","id":"2","source":"s","type":"io.weir.job.failed.v1","data":{"job":"big","run_id":"r2","todo":"` + strings.Repeat("x ", 50_000) + `"}}`
	parent := `{"eventType":"FAIL","eventTime":"2026-11-23T07:00:00Z","job":{"namespace":"n","name":"spark"},"producer":"p","schemaURL":"s","run":{"runId":"01902e5e-d2aa-7b8b-a1cd-5b2d3e0c1f7e",
		"facets":{"errorMessage":{"message":"` + strings.Repeat("y ", 50_000) + `","programmingLanguage":"x"}}}}`
	send := func(path, kind, body string) (int, string, http.Header) {
		t.Helper()
		resp, err := http.Post(server.URL+path, kind, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b), resp.Header
	}
	if err := s.Room(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	requests := []struct{ path, kind, body string }{
		{"/v1/events", "application/cloudevents-batch+json", "[" + small + "," + big + "]"},
		{"/api/v1/lineage", "application/json", parent},
	}
	for _, r := range requests {
		code, says, header := send(r.path, r.kind, r.body)
		if code != http.StatusServiceUnavailable || !strings.Contains(says, "disk is full") || !strings.Contains(says, "free some space") || header.Get("Retry-After") == "" {
			t.Errorf("%s: HTTP %d %v: %s", r.path, code, header, says)
		}
	}
	st, err := s.Status(t.Context(), 10)
	if err != nil || st.Unrouted != 0 || st.Waiting != 0 {
		t.Errorf("kept: %+v %v", st, err)
	}
	for _, id := range []string{"small", "big", "spark"} {
		if _, err := s.Explain(t.Context(), id); !errors.Is(err, notify.ErrNoEvent) {
			t.Errorf("%s is known: %v", id, err)
		}
	}

	if err := s.Room(t.Context(), 1<<20); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for _, r := range requests {
			if code, says, _ := send(r.path, r.kind, r.body); code != http.StatusAccepted {
				t.Fatalf("%s: HTTP %d: %s", r.path, code, says)
			}
		}
	}
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	if err := s.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	all, err := s.Outbox(t.Context(), notify.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]outcome.State{}
	for _, e := range all {
		got[e.Job] = e.Outcome
	}
	if len(all) != 3 || got["small"] != outcome.Ready || got["big"] != outcome.Failed || got["spark"] != outcome.Failed {
		t.Errorf("told %v in %d messages", got, len(all))
	}
}
