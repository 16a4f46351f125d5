package console

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"weir/internal/notify/channel"
	"weir/internal/notify/channeltest"
)

var ends = regexp.MustCompile(`(?m)^-- (\S+) --$`)

func TestConformance(t *testing.T) {
	channeltest.Run(t, channeltest.Config{Open: func(t *testing.T) channeltest.Far {
		dir := t.TempDir()
		path := filepath.Join(dir, "sub", "notifications.txt")
		return channeltest.Far{
			Channel: New(Config{Path: path}),
			NoAuth: func(refuse bool) { // root may write anywhere: a file in the way stops it, too
				sub := filepath.Join(dir, "sub")
				if !refuse {
					if err := os.Remove(sub); err != nil {
						t.Fatal(err)
					}
				} else if err := os.WriteFile(sub, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			},
			Arrived: func() (ids []string) {
				b, _ := os.ReadFile(path)
				for _, m := range ends.FindAllStringSubmatch(string(b), -1) {
					ids = append(ids, m[1])
				}
				return ids
			},
		}
	}})
}

func TestStreamShowsTheMessageAndMayRepeat(t *testing.T) {
	var b strings.Builder
	ch := New(Config{Stream: &b})
	if _, err := ch.Send(t.Context(), channeltest.Post("a")); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(b.String(), "✖ FAILED  Daily card settlements") {
		t.Errorf("got %q", b.String())
	}
	if !ch.(channel.Repeater).Repeatable(time.Hour) {
		t.Error("the terminal cannot be asked, so it must be repeatable")
	}
}

func TestACutBlockDoesNotCountAsArrived(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n.txt")
	if err := os.WriteFile(path, []byte(channeltest.Post("a").Message.Text()+"-- a"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, found, err := New(Config{Path: path}).(channel.Finder).Find(t.Context(), "a", "", time.Time{}); found || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
}
