package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"weir/internal/cli"
	"weir/internal/control"
	"weir/internal/load"
	"weir/internal/regress"
	"weir/internal/show"
	"weir/tui/screen"
)

// A key of the Load screen that calls a verb which no program offers does nothing, and nobody notices.
func TestEveryKeyOfTheLoadScreenReachesAVerb(t *testing.T) {
	hub := control.NewHub("test", t.TempDir())
	offered := show.Steering(load.NewLive())
	maps.Copy(offered, show.Export(hub, t.TempDir()))
	pressed := map[string]bool{}
	for _, state := range []string{control.Preparing, control.Running, control.Paused, control.Draining, control.Done} {
		var ld screen.Load
		ld.Apply(&control.Snapshot{Load: &control.Load{State: state}})
		for _, k := range ld.Keys() {
			i := k.Do()
			if k.Verb == "" && i.Verb == "" { // it only shows something
				continue
			}
			if k.Verb == "" || i.Verb != k.Verb || offered[k.Verb] == nil {
				t.Errorf("%s: key %s is shown with %q and calls %q; offered are %v", state, k.Label, k.Verb, i.Verb, slices.Sorted(maps.Keys(offered)))
				continue
			}
			pressed[k.Verb] = true
			args := i.Args
			if i.Prompt != "" {
				args = i.Answer("30k/s")
			}
			b, err := json.Marshal(args)
			if err != nil {
				t.Fatal(err)
			}
			if args == nil {
				b = nil
			}
			// No run goes on: that must be all that is wrong with the call.
			if _, err := offered[k.Verb](t.Context(), b); err == nil || !strings.Contains(err.Error(), "the schedule does not run") && !strings.Contains(err.Error(), "there is no load run") {
				t.Errorf("%s: key %s sends %s %s: %v", state, k.Label, k.Verb, b, err)
			}
		}
	}
	for name := range offered {
		if !pressed[name] {
			t.Errorf("no key calls %s", name)
		}
	}
}

func TestExportWritesWhatIsShown(t *testing.T) {
	home := t.TempDir()
	hub := control.NewHub("test", home)
	hub.Update(func(s *control.Snapshot) { s.Load = &control.Load{Run: "01JD7QZ8M4T2", Sent: 4711} })
	got, err := show.Export(hub, home)["load.export"](t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(got.(string))
	if err != nil || !strings.Contains(string(b), `"sent": 4711`) {
		t.Errorf("%v: %v\n%s", got, err, b)
	}
	if runs, err := load.Runs(home); err != nil || len(runs) > 0 {
		t.Errorf("the file is taken for a run's manifest: %v, %v", runs, err)
	}
	hub.Update(func(s *control.Snapshot) { s.Load = &control.Load{Run: "../../evil"} })
	if _, err := show.Export(hub, home)["load.export"](t.Context(), nil); err == nil {
		t.Error("a published name of a run leads out of the home")
	}
}

// served is a control API of a home, as `pipeline run` has it, that remembers all it was shown.
type served struct {
	mu    sync.Mutex
	seen  []*control.Snapshot
	close func()
}

func serveIn(t *testing.T, path string) *served {
	t.Helper()
	hub := control.NewHub("test", filepath.Dir(path))
	srv, err := control.Start(t.Context(), path, hub, nil)
	if err != nil {
		t.Fatal(err)
	}
	changed, cancel := hub.Subscribe()
	s := &served{}
	ctx, end := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-changed:
				s.mu.Lock()
				s.seen = append(s.seen, hub.Snapshot())
				s.mu.Unlock()
			}
		}
	})
	s.close = sync.OnceFunc(func() {
		end()
		wg.Wait()
		cancel()
		s.seen = append(s.seen, hub.Snapshot())
		srv.Close()
	})
	t.Cleanup(s.close)
	return s
}

// Whoever looks at the home sees the trials as they are made, and the result.
func TestASearchShowsOnTheScreensOfItsHome(t *testing.T) {
	home, pr := installation(t)
	s := serveIn(t, pr.Socket())
	code, out, errs := loadgen(t.Context(), quick(home, "p99<30s, errors=0")...)
	if code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	s.close()
	trying, load := false, false
	for _, sn := range s.seen {
		if f := sn.Search; f != nil && f.State == control.Running && f.Trial != nil && f.Trial.Rate > 0 && f.SLO == "p99<30s, errors=0" {
			trying = true
			load = load || sn.Load != nil
		}
	}
	last := s.seen[len(s.seen)-1].Search
	if !trying || !load || last == nil || last.State != control.Done || last.Verdict != "at least" || last.HighestKept != 400 || len(last.Trials) != len(result(t, out)["trials"].([]any)) ||
		!strings.HasPrefix(last.Trials[0].Told, "p99 ") || last.Trials[0].Outcome != control.Kept || last.Ended.IsZero() || !strings.Contains(last.Headline, "at least 400/s") {
		t.Errorf("a trial shown %v, its load %v, at the end %+v", trying, load, last)
	}
	if left, _ := filepath.Glob(filepath.Join(home, "load", "*.sock*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	s = serveIn(t, pr.Socket())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, _ = loadgen(ctx, quick(home, "p99<30s")...)
	s.close()
	if f := s.seen[len(s.seen)-1].Search; f != nil && f.State == control.Running {
		t.Errorf("an interrupted search is shown as going on: %+v", f)
	}
}

// A comparison shows its pairs, and an estimate without a verdict until the last one is made.
func TestAComparisonShowsItsPairs(t *testing.T) {
	_, pr := installation(t)
	s := serveIn(t, pr.Socket())
	metrics := []regress.Metric{{Name: "drain", Floor: 0.1}, {Name: "p99", Unit: "ms", Better: regress.Low, Floor: 0.1, Gated: true}}
	made := runs(6, "p99", 0.3)
	made = slices.Insert(made, 2, regress.Run{Build: regress.Baseline, Pair: 2, Round: 1, Invalid: "late"}, regress.Run{Build: regress.Candidate, Pair: 2, Round: 1, Values: map[string]float64{"p99": 1}})
	app := &cli.App{Name: "loadgen", Log: slog.New(slog.DiscardHandler)}
	c := showComparison(t.Context(), app, pr, control.Compare, "c1", "ci", metrics, 6)
	begun := 0
	all := make([]regress.Run, 0, len(made))
	plan := regress.Plan{Metrics: metrics, Pairs: 6, Confirm: regress.Never, Make: c.making(func(_ context.Context, r regress.Run) (regress.Run, error) {
		i := slices.IndexFunc(made, func(x regress.Run) bool { return x.Pair == r.Pair && x.Build == r.Build })
		out := made[i]
		made = slices.Delete(made, i, i+1)
		begun++
		c.step("load")
		all = append(all, out)
		return out, nil
	})}
	got, err := plan.Do(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	running := c.now
	if running.State != control.Running || running.Verdict != "" || running.Findings[0].Metric != "p99" || running.Findings[0].Verdict != "" || running.Findings[0].Pairs != 6 || running.Findings[0].Estimate < 0.25 {
		t.Errorf("before the end: %+v", running)
	}
	if r := running.Runs; len(r) != begun || len(all) != begun || r[2].State != control.Warn && r[3].State != control.Warn {
		t.Errorf("runs %+v", r)
	}
	c.ended(got)
	c.close()
	s.close()
	last := s.seen[len(s.seen)-1].Comparison
	if last == nil || last.State != control.Done || last.Verdict != "regressed" || last.Findings[0].Verdict != "regressed" || last.Findings[0].Candidate <= last.Findings[0].Base || last.Left != 0 {
		t.Errorf("at the end: %+v", last)
	}
	c = showComparison(t.Context(), app, pr, control.Compare, "c2", "ci", metrics, 6)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c.failed(ctx, context.Canceled)
	c.close()
	if c.now.State != control.Stopped || c.now.Error != "" {
		t.Errorf("interrupted: %+v", c.now)
	}
}
