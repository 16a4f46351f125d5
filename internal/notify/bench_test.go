package notify

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/internal/db"
	"weir/internal/notify/channel"
	"weir/internal/outcome"
)

// BenchmarkAccept takes over 10,000 events, each on the disk before it is answered, from one caller and from sixteen at once, beside a
// bare table in which each row has a transaction of its own: the same SQLite, the same disk, in turns.
func BenchmarkAccept(b *testing.B) {
	for _, callers := range []int{1, 16} {
		b.Run(fmt.Sprintf("%d_callers", callers), func(b *testing.B) {
			const events = 10_000
			s, err := Open(b.Context(), filepath.Join(b.TempDir(), "outbox.db"), DefaultUnits(), Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			bare, err := db.Open(b.Context(), filepath.Join(b.TempDir(), "bare.db"), "bare table", []string{"CREATE TABLE t (id TEXT PRIMARY KEY, doc TEXT NOT NULL) STRICT"})
			if err != nil {
				b.Fatal(err)
			}
			defer bare.Close()
			round := 0
			var ours, theirs time.Duration
			var took []time.Duration
			for b.Loop() {
				round++
				wall, each := spread(b, callers, events, func(i int) error {
					o := outcome.Outcome{RunID: fmt.Sprintf("%d/%d", round, i), Job: "settlements_daily", Unit: "FIN", State: outcome.Ready, RowsIn: 4_182_331, RowsOut: 4_182_310, At: time.Now()}
					_, err := s.Accept(b.Context(), o)
					return err
				})
				ours, took = ours+wall, append(took, each...)
				wall, _ = spread(b, callers, events, func(i int) error {
					return bare.Write(b.Context(), func(tx *sql.Tx) error {
						_, err := tx.Exec("INSERT INTO t (id, doc) VALUES (?, ?)", fmt.Sprintf("%d/%d", round, i), strings.Repeat("x", 600))
						return err
					})
				})
				theirs += wall
			}
			slices.Sort(took)
			n := float64(b.N * events)
			b.ReportMetric(n/ours.Seconds(), "accepts/s")
			b.ReportMetric(n/theirs.Seconds(), "bare-commits/s")
			b.ReportMetric(theirs.Seconds()/ours.Seconds(), "x-bare")
			b.ReportMetric(1000*took[len(took)*99/100].Seconds(), "p99-ms")
		})
	}
}

// spread calls do n times from several goroutines and gives the time of all and of each.
func spread(b *testing.B, callers, n int, do func(i int) error) (wall time.Duration, each []time.Duration) {
	b.Helper()
	each = make([]time.Duration, n)
	var all sync.WaitGroup
	start := time.Now()
	for c := range callers {
		all.Go(func() {
			for i := c; i < n; i += callers {
				t := time.Now()
				if err := do(i); err != nil {
					b.Error(err)
					return
				}
				each[i] = time.Since(t)
			}
		})
	}
	all.Wait()
	return time.Since(start), each
}

// sink is a channel that takes everything at once.
type sink struct{}

func (sink) Send(context.Context, channel.Post) (channel.Receipt, error) {
	return channel.Receipt{}, nil
}

// BenchmarkDrain delivers a backlog to a channel that takes a message as soon as it comes, beside the same outbox with a tenth of it:
// the time for a message, and the memory, must not follow the backlog. WEIR_BENCH_EVENTS is its size; 100,000 take four minutes.
func BenchmarkDrain(b *testing.B) {
	events := 20_000
	if n, err := strconv.Atoi(os.Getenv("WEIR_BENCH_EVENTS")); err == nil {
		events = n
	}
	var per [2]time.Duration
	var peak int64
	for b.Loop() {
		for i, events := range []int{events / 10, events} {
			took := drained(b, events)
			per[i] += took / time.Duration(events)
		}
		peak = max(peak, resident(b))
	}
	b.ReportMetric(float64(b.N)/per[1].Seconds(), "messages/s")
	b.ReportMetric(per[0].Seconds()/per[1].Seconds(), "x-tenth")
	b.ReportMetric(float64(peak)/1024, "MiB")
}

func drained(b *testing.B, events int) time.Duration {
	b.Helper()
	u := DefaultUnits()
	u.Channels["console"] = ChannelCfg{Console: &ConsoleCfg{Path: "never"}}
	s, err := Open(b.Context(), filepath.Join(b.TempDir(), "outbox.db"), u, Options{Extra: map[string]channel.Channel{"console": sink{}}})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for from := 0; from < events; from += 100 {
		all := make([]Arrival, 100)
		for i := range all {
			all[i].Outcome = outcome.Outcome{RunID: fmt.Sprint(from + i), Job: fmt.Sprintf("job%d", (from+i)%500), Unit: "FIN", State: outcome.Ready, At: time.Now()}
		}
		if _, err := s.AcceptAll(b.Context(), all); err != nil {
			b.Fatal(err)
		}
	}
	runtime.GC()
	start := time.Now()
	if err := s.Drain(b.Context()); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

// resident is the most memory that the process has had, KiB.
func resident(b *testing.B) int64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("no /proc here")
	}
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	var kib int64
	if _, err := fmt.Sscan(after, &kib); err != nil {
		b.Fatal(err)
	}
	return kib
}
