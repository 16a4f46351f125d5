package registry

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"
)

const (
	stepsOld = `{"type":"record","name":"R","fields":[{"name":"id","type":"string"}]}`
	stepsNew = `{"type":"record","name":"R","fields":[{"name":"id","type":"string"},{"name":"n","type":"long","default":0}]}`
	stepsBad = `{"type":"record","name":"R","fields":[{"name":"id","type":"string"},{"name":"n","type":"long"}]}`
)

// A schema is held against its subject without being registered.
func TestFitsRegistersNothing(t *testing.T) {
	e, err := ServeEmbedded(t.Context(), "127.0.0.1:0", filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	c, err := New(Config{URL: e.URL()})
	if err != nil {
		t.Fatal(err)
	}
	if level, err := c.Ping(t.Context()); err != nil || level != "BACKWARD" {
		t.Errorf("got level %q, %v", level, err)
	}
	for range 2 { // the first question must not have made the subject
		if fresh, err := c.Fits(t.Context(), "s", stepsOld); err != nil || !fresh {
			t.Errorf("got fresh %v, %v", fresh, err)
		}
	}
	if _, err := c.Register(t.Context(), "s", stepsOld); err != nil {
		t.Fatal(err)
	}
	if fresh, err := c.Fits(t.Context(), "s", stepsNew); err != nil || fresh {
		t.Errorf("a compatible schema: got fresh %v, %v", fresh, err)
	}
	if _, err := c.Fits(t.Context(), "s", stepsBad); !errors.Is(err, ErrIncompatible) {
		t.Errorf("a field without a default: got %v", err)
	}
	if ahead, known := c.Clock(t.Context()); !known || ahead.Abs() > 2*time.Second {
		t.Errorf("the clock of this machine: got %v, %v", ahead, known)
	}
}

func TestAnotherClockIsSeen(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(-time.Minute).UTC().Format(http.TimeFormat))
	}))
	defer s.Close()
	c, err := New(Config{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	if ahead, known := c.Clock(t.Context()); !known || ahead < 58*time.Second || ahead > 62*time.Second {
		t.Errorf("got %v, %v; want a minute", ahead, known)
	}
}
