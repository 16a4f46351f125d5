package schedule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func table(t *testing.T, c Config) Timetable {
	t.Helper()
	if bad := c.Validate(); len(bad) > 0 {
		t.Fatal(bad)
	}
	tt, err := c.Timetable()
	if err != nil {
		t.Fatal(err)
	}
	return tt
}

func utc(s string) time.Time {
	v, err := time.Parse("2006-01-02 15:04", s)
	if err != nil {
		panic(err)
	}
	return v
}

// Whatever the cron and the zone, intervals follow each other without gap or overlap, also over summer time.
func TestIntervalsTileTime(t *testing.T) {
	for _, cron := range []string{"0 6 * * *", "30 2 * * *", "0 * * * *", "*/15 2 * * *", "0 0 1 * *", "15 3 * * 1-5", "@weekly"} {
		for _, zone := range []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"} {
			tt := table(t, Config{Cron: cron, Timezone: zone})
			all := tt.Between(utc("2026-01-01 00:00"), utc("2027-01-01 00:00"), 1e6)
			if len(all) < 11 {
				t.Fatalf("%s %s: %d intervals", cron, zone, len(all))
			}
			for i, s := range all {
				if !s.Start.Before(s.End) || i > 0 && !s.Start.Equal(all[i-1].End) {
					t.Fatalf("%s %s: %v after %v", cron, zone, s, all[max(0, i-1)])
				}
			}
			last, ok := tt.Last(all[7].End.Add(time.Second))
			if !ok || last.Key() != all[7].Key() {
				t.Errorf("%s %s: last %v, want %v", cron, zone, last, all[7])
			}
		}
	}
}

// Six o'clock in Berlin stays six o'clock there; the day of the change has 23 or 25 hours.
func TestSummerTime(t *testing.T) {
	tt := table(t, Config{Cron: "0 6 * * *", Timezone: "Europe/Berlin"})
	for day, hours := range map[string]float64{"2026-03-28": 23, "2026-10-24": 25, "2026-07-01": 24} {
		from, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		s := tt.Between(from, from.AddDate(0, 0, 3), 1)[0]
		if got := s.End.Sub(s.Start).Hours(); got != hours || s.End.In(tt.zone).Hour() != 6 {
			t.Errorf("%s: %v, %v hours, want %v", day, s, got, hours)
		}
	}
}

func TestDue(t *testing.T) {
	now, since := utc("2026-11-20 06:30"), utc("2026-11-20 03:00")
	for name, x := range map[string]struct {
		c      Config
		newest string
		want   string
	}{
		"a new job begins with the day that has ended": {Config{Cron: "0 6 * * *"}, "", "19"},
		"a new job with a first day, all":              {Config{Cron: "0 6 * * *", Start: "2026-11-17", CatchUp: "all"}, "", "17 18 19"},
		"a new job with a first day, the latest":       {Config{Cron: "0 6 * * *", Start: "2026-11-17"}, "", "19"},
		"nothing is due":                               {Config{Cron: "0 6 * * *"}, "2026-11-20 06:00", ""},
		"three were missed: the latest":                {Config{Cron: "0 6 * * *"}, "2026-11-17 06:00", "19"},
		"three were missed: all":                       {Config{Cron: "0 6 * * *", CatchUp: "all"}, "2026-11-17 06:00", "17 18 19"},
		"three were missed: none, but one ended since": {Config{Cron: "0 6 * * *", CatchUp: "none"}, "2026-11-17 06:00", "19"},
		"none of those before":                         {Config{Cron: "0 2 * * *", CatchUp: "none"}, "2026-11-17 02:00", ""},
		"hourly: what ended while we served stays":     {Config{Cron: "0 * * * *"}, "2026-11-20 01:00", "20 20 20"}, // 03-04, 04-05, 05-06; 01-03 were missed
	} {
		t.Run(name, func(t *testing.T) {
			var newest time.Time
			if x.newest != "" {
				newest = utc(x.newest)
			}
			var got []string
			for _, s := range Due(x.c, table(t, x.c), now, newest, since) {
				got = append(got, s.Start.Format("02"))
			}
			if strings.Join(got, " ") != x.want {
				t.Errorf("got %v, want %s", got, x.want)
			}
		})
	}
}

func parse(key string) (s Slot, err error) {
	a, b, _ := strings.Cut(key, "/")
	if s.Start, err = time.Parse(time.RFC3339, a); err == nil {
		s.End, err = time.Parse(time.RFC3339, b)
	}
	return s, err
}

// memory is a ledger in memory that several loops share.
type memory struct {
	mu    sync.Mutex
	runs  map[string]map[string]string // job -> slot -> state
	count map[string]int               // started, per job and slot
}

func newMemory() *memory {
	return &memory{runs: map[string]map[string]string{}, count: map[string]int{}}
}

func (m *memory) set(job string, s Slot, state string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.runs[job] == nil {
		m.runs[job] = map[string]string{}
	}
	m.runs[job][s.Key()] = state
	if state == Running {
		m.count[job+" "+s.Key()]++
	}
}

func (m *memory) known(_ context.Context, job string) ([]Known, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []Known
	for k, st := range m.runs[job] {
		s, err := parse(k)
		if err != nil {
			return nil, err
		}
		all = append(all, Known{s, st})
	}
	return all, nil
}

func (m *memory) loop(jobs []Job, work func(ctx context.Context, job string, s Slot) string) *Loop {
	return &Loop{
		Jobs: jobs, Every: time.Minute, Runs: m.known, Log: slog.New(slog.DiscardHandler),
		Skip: func(_ context.Context, job string, s Slot, why string) error {
			m.set(job, s, Failed)
			return errors.New(why)
		},
		Run: func(ctx context.Context, job string, s Slot) error {
			m.set(job, s, Running)
			if st := work(ctx, job, s); st != "" {
				m.set(job, s, st)
			}
			return nil
		},
	}
}

// A week of an hourly job, with the scheduler killed and started again at random: each hour has a run, and a good one.
func TestNoIntervalIsForgottenOrRunTwice(t *testing.T) {
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			m := newMemory()
			began := time.Now()
			finished := map[string]int{}
			var mu sync.Mutex
			jobs := []Job{{Name: "a", Config: Config{Cron: "0 * * * *", CatchUp: "all", Start: "2000-01-01"}}, {Name: "b", Config: Config{Cron: "30 * * * *", CatchUp: "all", Start: "2000-01-01", Parallel: 3}, After: []string{"a"}}}
			for time.Since(began) < 7*24*time.Hour {
				ctx, kill := context.WithTimeout(t.Context(), time.Duration(1+rnd.IntN(30))*time.Hour+time.Duration(rnd.IntN(3600))*time.Second)
				l := m.loop(slices.Clone(jobs), func(ctx context.Context, job string, s Slot) string {
					select {
					case <-ctx.Done():
						return "" // killed: the ledger still says running
					case <-time.After(time.Duration(rnd.IntN(50)) * time.Minute):
					}
					mu.Lock()
					finished[job+" "+s.Key()]++
					mu.Unlock()
					return Good
				})
				l.Every = 10 * time.Minute
				if err := l.Do(ctx); err != nil {
					t.Fatal(err)
				}
				kill()
				time.Sleep(time.Duration(rnd.IntN(300)) * time.Minute) // nobody serves
			}
			ctx, stop := context.WithTimeout(t.Context(), 48*time.Hour)
			defer stop()
			if err := m.loop(slices.Clone(jobs), func(context.Context, string, Slot) string { return Good }).Do(ctx); err != nil {
				t.Fatal(err)
			}
			for name, j := range map[string]Job{"a": jobs[0], "b": jobs[1]} {
				tt := table(t, j.Config)
				for _, s := range tt.Between(began.Add(time.Hour), began.Add(7*24*time.Hour), 1e6) {
					key := name + " " + s.Key()
					if m.runs[name][s.Key()] != Good || finished[key] > 1 {
						t.Fatalf("seed %d: %s is %q and was finished %d times", seed, key, m.runs[name][s.Key()], finished[key])
					}
				}
			}
		})
	}
}

func TestDependencies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		var order []string
		jobs := []Job{{Name: "report", Config: Config{Cron: "@hourly"}, After: []string{"load", "stream"}}, {Name: "load", Config: Config{Cron: "@hourly"}}}
		rounds := 0
		l := m.loop(jobs, func(_ context.Context, job string, s Slot) string {
			order = append(order, fmt.Sprint(job, s.End.Hour()))
			if job == "load" {
				time.Sleep(10 * time.Minute)
				if rounds++; rounds == 2 {
					return Failed
				}
			}
			return Good
		})
		ctx, stop := context.WithTimeout(t.Context(), 3*time.Hour+30*time.Minute)
		defer stop()
		if err := l.Do(ctx); err != nil {
			t.Fatal(err)
		}
		var reports, failed int
		for _, st := range m.runs["report"] {
			if st == Good {
				reports++
			} else {
				failed++
			}
		}
		// Four intervals ended (the one before the start, too); the second load failed, and its report with it.
		if reports != 3 || failed != 1 || order[0][:4] != "load" || order[1][:6] != "report" {
			t.Errorf("%d good reports, %d failed, order %v", reports, failed, order)
		}
	})
}
