package load

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Commands run at their time, leave marks, and one that fails makes the run invalid; what it started ends with the run.
func TestHooksRunAtTheirTime(t *testing.T) {
	c, dir := broker(t), t.TempDir()
	text := strings.Replace(small, "[{target: 100/s}]", "[{name: up, target: 500/s, duration: 300ms}, {name: hold, target: 500/s, duration: 700ms}]", 1)
	text = strings.Replace(text, "volume: {messages: 10}\n", "", 1)
	run := func(hooks string) Summary {
		t.Helper()
		p, err := Parse(filepath.Join(dir, "p.yaml"), []byte(text+"hooks: ["+hooks+"]\n"))
		if err != nil {
			t.Fatal(err)
		}
		sum, err := Run(t.Context(), Options{Profile: p, Home: t.TempDir(), Connect: connect(c), Register: register})
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	sum := run(`{at: hold+100ms, mark: kill, run: "echo $WEIR_RUN $WEIR_HOOK > out.txt"}, {at: 100ms, every: 200ms, run: "true", mark: nothing}, {at: 0s, run: "sleep 600 & wait", mark: long}`)
	b, err := os.ReadFile(filepath.Join(dir, "out.txt"))
	if err != nil || string(b) != sum.Run+" kill\n" {
		t.Errorf("the command wrote %q, %v", b, err)
	}
	at := map[string]float64{}
	for _, c := range sum.Changes {
		at[c.What] = c.At
	}
	if got := at["hook: kill"]; got < 0.4 || got > 0.7 || sum.Interactive || sum.Verdict != VerdictPass {
		t.Errorf("the hook ran at %.2f s, interactive %v, %s (%s)", got, sum.Interactive, sum.Verdict, sum.Reason)
	}
	if what := at["hook: nothing (no command)"]; what == 0 {
		t.Errorf("a hook without a command is called so: %v", at)
	}
	if h := sum.Hooks; len(h) != 3 || h[0].Ran != 1 || h[1].Ran < 3 || h[1].Ran > 5 || h[2].Failed > 0 {
		t.Errorf("got %+v", h)
	}
	sum = run(`{at: 100ms, run: "echo no such pod; exit 3", mark: pod}`)
	if sum.Verdict != VerdictInvalid || sum.Reason != "hook pod failed: exit status 3: no such pod" {
		t.Errorf("got %s (%s)", sum.Verdict, sum.Reason)
	}
	began := time.Now()
	sum = run(`{at: 0s, run: "sleep 600", timeout: 200ms, mark: slow}`)
	if sum.Verdict != VerdictInvalid || sum.Reason != "hook slow failed: killed after 200ms" || time.Since(began) > 10*time.Second {
		t.Errorf("got %s (%s)", sum.Verdict, sum.Reason)
	}
}
