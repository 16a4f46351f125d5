package show

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"testing"

	"weir/internal/control"
)

func TestOwnServesVerbsAndSweepsWhatKilledScreensHaveLeft(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	left := filepath.Join(os.TempDir(), ownPrefix+"left")
	if err := os.Mkdir(left, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(left, control.SocketName)})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false) // as a killed process leaves it
	l.Close()
	watched := make(chan struct{})
	verbs := map[string]control.Verb{"files": func(context.Context, json.RawMessage) (any, error) { return "read", nil }}
	client, end, err := Own(t.Context(), "test", t.TempDir(), verbs, func(context.Context, *control.Hub) { close(watched) })
	if err != nil {
		t.Fatal(err)
	}
	<-watched
	var out string
	if err := client.Do(t.Context(), "files", nil, &out); err != nil || out != "read" {
		t.Errorf("got %q, %v", out, err)
	}
	other, endOther, err := Own(t.Context(), "test", t.TempDir(), verbs, func(context.Context, *control.Hub) {})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); err == nil {
		t.Error("what was left is still there")
	}
	if err := client.Do(t.Context(), "files", nil, &out); err != nil {
		t.Errorf("screens that live were swept away: %v", err)
	}
	if _, err := other.Snapshot(t.Context()); err != nil {
		t.Error(err)
	}
	for _, f := range []func() error{end, endOther} {
		if err := f(); err != nil {
			t.Error(err)
		}
	}
	if dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), ownPrefix+"*")); len(dirs) > 0 {
		t.Errorf("left %v", dirs)
	}
}
