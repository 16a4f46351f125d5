package schedule

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// A Job is what the loop knows of one.
type Job struct {
	Name   string
	Config Config
	After  []string // jobs whose run of the same time must be good first
	table  Timetable
}

// A Known run is one that the ledger has.
type Known struct {
	Slot  Slot
	State string // running, good, failed
}

// The states of known runs.
const (
	Running = "running"
	Good    = "good"
	Failed  = "failed"
)

// A Loop starts what is due. Fill it and call Do.
type Loop struct {
	Jobs  []Job
	Runs  func(ctx context.Context, job string) ([]Known, error)          // by the ledger, of all schedulers
	Run   func(ctx context.Context, job string, s Slot) error             // to its end, with all attempts
	Skip  func(ctx context.Context, job string, s Slot, why string) error // writes down that it cannot be run
	Limit int                                                             // runs at once; 0: 2
	Every time.Duration                                                   // between two looks; 0: 1 s, as cron knows minutes and users wait for seconds
	Log   *slog.Logger

	mu     sync.Mutex
	active map[string]bool // job + slot
	ended  map[string]bool // since the ledger was last read: what it said of them is old
	group  sync.WaitGroup
}

// Do serves until ctx ends, and then until the runs that it started have ended: they see the same ctx.
func (l *Loop) Do(ctx context.Context) error {
	for i, j := range l.Jobs {
		t, err := j.Config.Timetable()
		if err != nil {
			return fmt.Errorf("job %s: schedule: %w", j.Name, err)
		}
		l.Jobs[i].table = t
	}
	l.active = map[string]bool{}
	defer l.group.Wait()
	since := time.Now()
	tick := time.NewTicker(cmp.Or(l.Every, time.Second))
	defer tick.Stop()
	for {
		if err := l.look(ctx, since); err != nil && ctx.Err() == nil {
			l.Log.Warn("schedule not read", "error", err) // the ledger may be busy: the next look finds the same
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// state is what is known of a job at one look.
type state struct {
	runs   map[string]Known // slot -> what is known
	newest time.Time
	good   time.Time // end of the newest good interval
	failed time.Time
}

func (l *Loop) look(ctx context.Context, since time.Time) error {
	now := time.Now()
	l.mu.Lock()
	l.ended = map[string]bool{}
	l.mu.Unlock()
	states := map[string]state{}
	for _, j := range l.Jobs {
		runs, err := l.Runs(ctx, j.Name)
		if err != nil {
			return fmt.Errorf("job %s: %w", j.Name, err)
		}
		s := state{runs: map[string]Known{}}
		for _, r := range runs {
			s.runs[r.Slot.Key()] = r
			s.newest = later(s.newest, r.Slot.End)
			switch r.State {
			case Good:
				s.good = later(s.good, r.Slot.End)
			case Failed:
				s.failed = later(s.failed, r.Slot.End)
			}
		}
		states[j.Name] = s
	}
	for _, j := range l.Jobs {
		due := Due(j.Config, j.table, now, states[j.Name].newest, since)
		// A run whose process died is running in the ledger and nowhere else.
		for _, k := range states[j.Name].runs {
			if k.State == Running {
				due = append(due, k.Slot)
			}
		}
		slices.SortFunc(due, func(a, b Slot) int { return cmp.Compare(a.End.UnixNano(), b.End.UnixNano()) })
		for _, s := range due {
			if k, known := states[j.Name].runs[s.Key()]; known && k.State != Running {
				continue
			}
			wait, why := l.upstream(j, s, states)
			if wait {
				break
			}
			if !l.start(ctx, j, s, why) {
				break
			}
		}
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// upstream reports whether the run must still wait, and why it cannot be made at all.
func (l *Loop) upstream(j Job, s Slot, states map[string]state) (wait bool, why string) {
	for _, name := range j.After {
		up, scheduled := states[name]
		switch {
		case !scheduled, !up.good.Before(s.End):
		case !up.failed.Before(s.End):
			return false, "job " + name + ", whose tables it reads, has failed"
		default:
			return true, ""
		}
	}
	return false, ""
}

// start runs a slot in the background; false if there is no room now.
func (l *Loop) start(ctx context.Context, j Job, s Slot, skip string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := j.Name + " " + s.Key()
	if l.active[key] || l.ended[key] {
		return true
	}
	mine := 0
	for k := range l.active {
		if len(k) > len(j.Name) && k[:len(j.Name)+1] == j.Name+" " {
			mine++
		}
	}
	if mine >= max(1, j.Config.Parallel) || len(l.active) >= cmp.Or(l.Limit, 2) || ctx.Err() != nil {
		return false
	}
	l.active[key] = true
	l.group.Go(func() {
		var err error
		if skip != "" {
			err = l.Skip(ctx, j.Name, s, skip)
		} else {
			err = l.Run(ctx, j.Name, s)
		}
		if err != nil && ctx.Err() == nil {
			l.Log.Warn("run ended with an error", "job", j.Name, "interval", s.String(), "error", err)
		}
		l.mu.Lock()
		delete(l.active, key)
		l.ended[key] = true
		l.mu.Unlock()
	})
	return true
}
