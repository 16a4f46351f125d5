package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/internal/load"
)

// A run is changed from another process while it goes on, and tells of it.
func TestARunIsChangedByHand(t *testing.T) {
	home, _ := installation(t)
	type ended struct {
		code      int
		out, errs string
	}
	done := make(chan ended, 1)
	go func() {
		code, out, errs := loadgen(t.Context(), "run", "ci", "--home", home, "--rate", "2k/s", "--duration", "1m", "--json")
		done <- ended{code, out, errs}
	}()
	tell := func(want int, args ...string) string {
		t.Helper()
		code, out, errs := loadgen(t.Context(), append(append([]string{"tell"}, args...), "--home", home)...)
		if code != want {
			t.Errorf("tell %v: exit code %d, want %d\n%s", args, code, want, errs)
		}
		return out + errs
	}
	for code := 1; code != 0; { // until the run takes orders
		select {
		case e := <-done:
			t.Fatalf("the run ended with %d\n%s", e.code, e.errs)
		default:
		}
		code, _, _ = loadgen(t.Context(), "tell", "mark", "first", "--home", home)
	}
	tell(0, "faster", "50%")
	tell(0, "pause")
	if got := tell(1, "pause"); !strings.Contains(got, "the run is paused already") {
		t.Errorf("a second pause: %s", got)
	}
	tell(0, "resume")
	tell(0, "rate", "1k/s")
	tell(0, "rate", "profile")
	if got := tell(1, "next"); !strings.Contains(got, "this is the last stage") {
		t.Errorf("next: %s", got)
	}
	if got := tell(1, "rate", "1MiB/s"); !strings.Contains(got, "the profile's rates are in messages/s") {
		t.Errorf("another unit: %s", got)
	}
	if got := tell(1, "rate", "quick"); !strings.Contains(got, "is no rate; write 20k/s") {
		t.Errorf("no rate: %s", got)
	}
	tell(0, "stop")
	e := <-done
	var sum load.Summary
	lines := strings.Split(strings.TrimSpace(e.out), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &sum); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, c := range sum.Changes {
		all = append(all, c.What)
	}
	want := "mark: first; rate times 1.5; paused; resumed; rate held at 1k/s; back to the profile's rate; stopped by hand"
	if got := strings.Join(all, "; "); e.code != 130 || !sum.Interactive || got != want || sum.Sent != sum.Acked {
		t.Errorf("exit code %d, interactive %v, %d of %d acknowledged\ngot  %s\nwant %s", e.code, sum.Interactive, sum.Acked, sum.Sent, got, want)
	}
	if left, _ := filepath.Glob(filepath.Join(home, "load", "*.sock*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if got := tell(1, "pause"); !strings.Contains(got, "no load runs in home") {
		t.Errorf("after the run: %s", got)
	}
	for _, x := range []struct {
		args []string
		want string
	}{
		{[]string{"quicker"}, `tell: expected pause, resume, faster, slower, rate, next, mark, stop, abort, got "quicker"`},
		{[]string{"mark"}, "tell mark: expected a text"},
		{[]string{"rate"}, "tell rate: expected a rate such as 30k/s, or profile"},
		{[]string{"slower", "100%"}, `tell slower: expected a share such as 5%, got "100%"`},
		{[]string{"pause", "now"}, "tell pause: expected nothing behind it"},
	} {
		if got := tell(2, x.args...); !strings.Contains(got, x.want) {
			t.Errorf("got %s, want %s", got, x.want)
		}
	}
}

// An abort waits for nothing, and keeps what is known.
func TestARunIsAborted(t *testing.T) {
	home, _ := installation(t)
	type ended struct {
		code      int
		out, errs string
	}
	done := make(chan ended, 1)
	go func() {
		code, out, errs := loadgen(t.Context(), "run", "ci", "--home", home, "--rate", "2k/s", "--duration", "1m", "--json")
		done <- ended{code, out, errs}
	}()
	for code := 1; code != 0; { // until the run takes orders
		select {
		case e := <-done:
			t.Fatalf("the run ended with %d\n%s", e.code, e.errs)
		default:
		}
		code, _, _ = loadgen(t.Context(), "tell", "mark", "first", "--home", home)
	}
	if code, _, errs := loadgen(t.Context(), "tell", "abort", "--home", home); code != 0 {
		t.Fatalf("exit code %d\n%s", code, errs)
	}
	e := <-done
	var sum load.Summary
	lines := strings.Split(strings.TrimSpace(e.out), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &sum); err != nil {
		t.Fatal(err)
	}
	if n := len(sum.Changes); e.code != 130 || !sum.Interactive || n != 2 || sum.Changes[1].What != "aborted by hand" || sum.Sent != sum.Acked+sum.Errors {
		t.Errorf("exit code %d, %+v", e.code, sum)
	}
}

// What was on a topic is captured, and played again twice as fast into another.
func TestATopicIsPlayedAgain(t *testing.T) {
	home, _ := installation(t)
	if code, _, errs := loadgen(t.Context(), "run", "ci", "--home", home, "--rate", "1k/s", "--count", "3k", "--topic", "bank.live"); code != 0 {
		t.Fatal(errs)
	}
	file := filepath.Join(t.TempDir(), "live.cap.gz")
	code, out, errs := loadgen(t.Context(), "capture", "bank.live", "--out", file, "--home", home, "--json")
	if code != 0 || result(t, out)["messages"] != 3000.0 {
		t.Fatalf("exit code %d: %s%s", code, out, errs)
	}
	profile := filepath.Join(t.TempDir(), "again.yaml")
	text := "apiVersion: weir/v1\nkind: LoadProfile\nname: again\nrate: {shape: replay, capture: " + file + ", speed: 2x}\ntopic: {name: bank.again}\nsize: {distribution: learned, file: " + file + "}\n"
	if err := os.WriteFile(profile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	code, out, errs = loadgen(t.Context(), "run", profile, "--home", home, "--json")
	sum := result(t, out)
	sent, warm := sum["sent"].(float64), sum["warmup"].(float64)
	if code != 0 || sent-warm != 3000 {
		t.Fatalf("exit code %d, %v\n%s", code, sum, errs)
	}
	if rate := sum["rate"].(float64); rate < 1700 || time.Since(began) > 10*time.Second {
		t.Errorf("%.0f/s, want about 2000", rate)
	}
	for _, x := range [][]string{
		{"2", "--count: \"none\" is no number of messages", "capture", "bank.live", "--out", file, "--count", "none"},
		{"1", "topic bank.nothing does not exist", "capture", "bank.nothing", "--out", file},
		{"2", `required flag(s) "out" not set`, "capture", "bank.live"},
	} {
		if code, _, errs := loadgen(t.Context(), append(x[2:], "--home", home)...); x[0][0]-'0' != byte(code) || !strings.Contains(errs, x[1]) {
			t.Errorf("%v: exit code %d\n%s", x[2:], code, errs)
		}
	}
}
