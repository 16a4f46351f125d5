package desk

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"weir/internal/control"
	"weir/internal/project"
)

// loadgen puts a program in loadgen's place: a shell script.
func loadgen(t *testing.T, d *Desk, script string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "loadgen")
	write(t, file, "#!/bin/sh\n"+script)
	if err := os.Chmod(file, 0o755); err != nil {
		t.Fatal(err)
	}
	d.find, d.settled = func() (string, error) { return file, nil }, time.Millisecond
}

// goesOn says its arguments and waits for an interrupt.
const goesOn = `for a in "$@"; do echo "arg $a"; done
trap 'echo stopped with its results; exit 130' INT
echo ready
while :; do sleep 0.05; done
`

// until waits for something that another process does.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick, limit := time.NewTicker(5*time.Millisecond), time.After(10*time.Second)
	defer tick.Stop()
	for !is() {
		select {
		case <-limit:
			t.Fatal("never: " + what)
		case <-tick.C:
		}
	}
}

func last(d *Desk) string {
	all := d.Launches()
	if len(all) == 0 {
		return ""
	}
	return all[0].Last
}

func TestAStartedRunIsAProcessOfItsOwnThatOthersFindAndStop(t *testing.T) {
	d := open(t)
	loadgen(t, d, goesOn)
	l, err := d.StartLoad(t.Context(), LoadArgs{Profile: "mine"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(l.PID, syscall.SIGKILL) })
	until(t, "ready", func() bool { return last(d) == "ready" })
	b, err := os.ReadFile(l.Log)
	if err != nil {
		t.Fatal(err)
	}
	if want := "arg run\narg --home=" + d.project.Home + "\narg --\narg ./profiles/mine.yaml\nready\n"; string(b) != want {
		t.Errorf("it was given\n%s\nwant\n%s", b, want)
	}
	if st, err := os.Stat(l.Log); err != nil || st.Mode().Perm() != 0o600 || filepath.Dir(l.Log) != d.project.In("load") {
		t.Errorf("its log %s: %v, %v", l.Log, st.Mode(), err)
	}
	if stat, err := os.ReadFile("/proc/" + strconv.Itoa(l.PID) + "/stat"); err == nil { // field 6 is the session
		f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+2:]))
		if f[3] != strconv.Itoa(l.PID) {
			t.Errorf("its session is %s, want its own: a closed terminal would take it along", f[3])
		}
	}
	later := New(d.project) // a server that came after the one that started it
	if all := later.Launches(); len(all) != 1 || all[0].State != control.Running || all[0].Profile != "mine" || all[0].Kind != "load" || all[0].PID != l.PID {
		t.Fatalf("later servers see %+v", all)
	}
	if _, err := later.Stop(l.ID); err != nil {
		t.Fatal(err)
	}
	until(t, "ended", func() bool { return later.Launches()[0].State == control.Done })
	if last(later) != "stopped with its results" {
		t.Errorf("it ended with %q", last(later))
	}
	if _, err := later.Stop(l.ID); err == nil || !strings.Contains(err.Error(), "has ended already") {
		t.Errorf("stopped twice: %v", err)
	}
	for _, id := range []string{"", "../../x", "01JD7QZ8M4T20000000000000A"} {
		if _, err := later.Stop(id); err == nil {
			t.Errorf("stopped %q", id)
		}
	}
}

func TestTypedTextIsArgumentsNeverACommand(t *testing.T) {
	d := open(t)
	loadgen(t, d, `for a in "$@"; do echo "arg $a"; done`)
	evil := "./pipeline run x; touch pwned $(touch pwned2) `touch pwned3` --pairs=99"
	l, err := d.StartCompare(t.Context(), CompareArgs{Profile: "mine", Baseline: evil, Candidate: "--from=/etc", Pairs: 6})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "ended", func() bool { return d.Launches()[0].State == control.Done })
	b, _ := os.ReadFile(l.Log)
	if want := "arg compare\narg --home=" + d.project.Home + "\narg --baseline=" + evil + "\narg --candidate=--from=/etc\narg --pairs=6\narg --\narg ./profiles/mine.yaml\n"; string(b) != want {
		t.Errorf("got\n%s\nwant\n%s", b, want)
	}
	for _, dir := range []string{".", d.project.Dir} {
		if found, _ := filepath.Glob(filepath.Join(dir, "pwned*")); len(found) > 0 {
			t.Errorf("a shell has read it: %v", found)
		}
	}
	l, err = d.StartSearch(t.Context(), SearchArgs{Profile: "smoke", SLO: "p99<100ms, lost=0", From: "500/s", MaxTime: "1d"})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "ended", func() bool {
		return !slices.ContainsFunc(d.Launches(), func(l control.Launch) bool { return l.State == control.Running })
	})
	b, _ = os.ReadFile(l.Log)
	if want := "arg search\narg --home=" + d.project.Home + "\narg --slo=p99<100ms, lost=0\narg --from=500/s\narg --max-time=24h0m0s\narg --\narg smoke\n"; string(b) != want {
		t.Errorf("got\n%s\nwant\n%s", b, want)
	}
}

func TestWrongArgumentsStartNothing(t *testing.T) {
	d := open(t)
	loadgen(t, d, "echo started")
	write(t, filepath.Join(d.project.ProfilesDir(), "broken.yaml"), strings.Replace(mine, "25s", "long", 1))
	write(t, filepath.Join(d.project.Dir, "smoke"), "a file that loadgen would take for the profile")
	ctx := t.Context()
	for name, err := range map[string]error{
		"a profile that cannot run": start(d.StartLoad(ctx, LoadArgs{Profile: "broken"})),
		"a hidden one":              start(d.StartLoad(ctx, LoadArgs{Profile: "smoke"})),
		"no command":                start(d.StartCompare(ctx, CompareArgs{Profile: "mine", Candidate: "x"})),
		"two lines":                 start(d.StartCompare(ctx, CompareArgs{Profile: "mine", Baseline: "a\nb", Candidate: "x"})),
		"too many pairs":            start(d.StartCompare(ctx, CompareArgs{Profile: "mine", Baseline: "a", Candidate: "x", Pairs: 99})),
		"no limits":                 start(d.StartSearch(ctx, SearchArgs{Profile: "mine"})),
		"odd limits":                start(d.StartSearch(ctx, SearchArgs{Profile: "mine", SLO: "speed>3"})),
		"an odd rate":               start(d.StartSearch(ctx, SearchArgs{Profile: "mine", SLO: "lost=0", From: "fast"})),
		"an odd time":               start(d.StartSearch(ctx, SearchArgs{Profile: "mine", SLO: "lost=0", Trial: "--x"})),
	} {
		if err == nil {
			t.Errorf("%s: started", name)
		}
	}
	if all := d.Launches(); len(all) > 0 {
		t.Errorf("started %+v", all)
	}
}

func start(_ *control.Launch, err error) error { return err }

func TestCommandsOfWeirYAMLAreUsedWhereNothingIsTyped(t *testing.T) {
	d := open(t)
	loadgen(t, d, `for a in "$@"; do echo "arg $a"; done`)
	d.project.Weir.Compare = project.Compare{Baseline: "./old run x", Candidate: "./new run x"}
	l, err := d.StartCompare(t.Context(), CompareArgs{Profile: "mine", Candidate: "./newer run x"})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "ended", func() bool { return d.Launches()[0].State == control.Done })
	if b, _ := os.ReadFile(l.Log); !strings.Contains(string(b), "--baseline=./old run x\narg --candidate=./newer run x\n") {
		t.Errorf("got\n%s", b)
	}
}

func TestAProgramThatEndsAtOnceSaysWhy(t *testing.T) {
	d := open(t)
	loadgen(t, d, "echo 'loadgen: error: nothing serves the embedded broker'; echo 'loadgen: hint: start it with pipeline run JOB'; exit 1")
	d.settled = 10 * time.Second
	_, err := d.StartLoad(t.Context(), LoadArgs{Profile: "mine"})
	if err == nil || err.Error() != "nothing serves the embedded broker" || hint(err) != "start it with pipeline run JOB" {
		t.Errorf("got %v, hint %q", err, hint(err))
	}
	loadgen(t, d, "exit 3")
	d.settled = 10 * time.Second
	if _, err = d.StartLoad(t.Context(), LoadArgs{Profile: "mine"}); err == nil || !strings.Contains(err.Error(), "ended at once: exit status 3") || !strings.Contains(hint(err), ".log") {
		t.Errorf("got %v, hint %q", err, hint(err))
	}
}

func TestNoLoadgenSaysWhatToDo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := open(t).StartLoad(t.Context(), LoadArgs{Profile: "mine"})
	if err == nil || !strings.Contains(err.Error(), "neither in ") || !strings.Contains(hint(err), "make install") {
		t.Errorf("got %v, hint %q", err, hint(err))
	}
}

func TestWatchShowsWhatWasStartedAndItsEnd(t *testing.T) {
	d := open(t)
	loadgen(t, d, goesOn)
	l, err := d.StartLoad(t.Context(), LoadArgs{Profile: "mine"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(l.PID, syscall.SIGKILL) })
	hub := control.NewHub("test", d.project.Home)
	ctx, stop := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() { d.Watch(ctx, hub) })
	defer watching.Wait()
	defer stop()
	changed, cancel := hub.Subscribe()
	defer cancel()
	see := func(what string, is func(*control.Snapshot) bool) {
		t.Helper()
		limit := time.After(10 * time.Second)
		for !is(hub.Snapshot()) {
			select {
			case <-changed:
			case <-limit:
				t.Fatalf("never: %s: %+v", what, hub.Snapshot().Launches)
			}
		}
	}
	see("running", func(s *control.Snapshot) bool { return len(s.Launches) == 1 && s.Launches[0].Last == "ready" })
	if _, err := d.Stop(l.ID); err != nil {
		t.Fatal(err)
	}
	see("done", func(s *control.Snapshot) bool { return s.Launches[0].State == control.Done })
	see("an event", func(s *control.Snapshot) bool {
		return len(s.Events) > 0 && s.Events[len(s.Events)-1].Text == "load of mine has ended: stopped with its results"
	})
}
