package notify_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/notify"
)

// pager is a channel of a team's own.
type pager struct{ down bool }

func (p *pager) Send(_ context.Context, post notify.Post) (notify.Receipt, error) {
	if p.down {
		return notify.Receipt{}, &notify.Failure{Class: notify.Blocked, Code: "no_power", Err: errors.New("the pager is off")}
	}
	fmt.Println(post.Message.First())
	return notify.Receipt{Ref: post.ID}, nil
}

const pagers = `version: 1
channels: {pager: {console: {path: stdout}}}
units: {FIN: {title: Finance}}
routes:
  - {when: 'unit = "FIN" and state = "failed"', to: [pager]}
default: [pager]
`

func open(dir string, p *pager) (*notify.Box, error) {
	units := filepath.Join(dir, "units.yaml")
	if err := os.WriteFile(units, []byte(pagers), 0o600); err != nil {
		return nil, err
	}
	return notify.Open(context.Background(), notify.Config{Outbox: filepath.Join(dir, "outbox.db"), Units: units, Channels: map[string]notify.Channel{"pager": p}})
}

func failed() notify.Outcome {
	day := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	return notify.Outcome{
		RunID: "r1", Job: "gl_report", Title: "General ledger report", Unit: "FIN", State: notify.Failed, At: day.Add(30 * time.Hour),
		Interval: notify.Interval{Start: day, End: day.AddDate(0, 0, 1)}, Cause: notify.Cause{Text: "no input came"},
	}
}

// A program tells an outcome, twice by mistake, over a channel of its own.
func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	box, err := open(dir, &pager{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer box.Close()
	ctx := context.Background()
	for range 2 {
		if _, err := box.Tell(ctx, failed()); err != nil {
			fmt.Println(err)
			return
		}
	}
	if err := box.Drain(ctx); err != nil {
		fmt.Println(err)
	}
	// Output: ✖ FAILED  General ledger report for Fri 20 Nov 2026: not usable
}

// What a blocked channel does not take waits in the outbox, is explained, and leaves through the next program that opens it.
func TestWhatIsToldSurvivesItsProgram(t *testing.T) {
	dir := t.TempDir()
	first, err := open(dir, &pager{down: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Tell(t.Context(), failed()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Second)
	defer stop()
	_ = first.Drain(ctx) // it cannot: the pager is off
	x, err := first.Explain(t.Context(), "gl_report")
	if err != nil || !strings.Contains(x.Text(), "no_power") {
		t.Errorf("explained: %s, %v", x.Text(), err)
	}
	if _, err := first.Explain(t.Context(), "nobody"); !errors.Is(err, notify.ErrNoEvent) {
		t.Errorf("explains what is not there: %v", err)
	}
	if text, err := first.Preview(failed(), "text"); err != nil || !strings.Contains(text, "no input came") {
		t.Errorf("preview: %q, %v", text, err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	next, err := open(dir, &pager{})
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	st, err := next.Status(t.Context(), 5)
	if err != nil || st.Waiting != 1 || st.Channels[0].State != "blocked" {
		t.Errorf("status: %+v, %v", st, err)
	}
}

// A mistake in the units is told with its place.
func TestOpenSaysWhatIsWrong(t *testing.T) {
	units := filepath.Join(t.TempDir(), "units.yaml")
	if err := os.WriteFile(units, []byte("version: 1\nchanels: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := notify.Open(t.Context(), notify.Config{Outbox: filepath.Join(t.TempDir(), "o.db"), Units: units})
	if err == nil || !strings.Contains(err.Error(), "units.yaml:2:1") {
		t.Errorf("got %v", err)
	}
}
