// Command walk serves a control socket with figures on a random walk, to look at the screens without a cluster:
//
//	go run ./tui/testdata/walk /tmp/walk.sock &      serve
//	go run ./tui/testdata/walk -attach /tmp/walk.sock   look
//	go run ./tui/testdata/walk -plain /tmp/walk.sock    the same as lines
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/signal"
	"time"

	"weir/internal/control"
	"weir/tui"
	"weir/tui/plain"
)

func main() {
	attach := flag.Bool("attach", false, "show the screens")
	lines := flag.Bool("plain", false, "show the lines")
	length := flag.Float64("seconds", 60, "how long the run lasts")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	client := control.Dial(flag.Arg(0))
	var err error
	switch {
	case *attach:
		err = tui.Run(ctx, client, os.Stdin, os.Stdout, tui.Options{QuitWhenDone: true})
	case *lines:
		err = plain.Follow(ctx, client, os.Stdout, 5*time.Second)
	default:
		err = serve(ctx, flag.Arg(0), *length)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "walk:", err)
	}
}

func serve(ctx context.Context, path string, length float64) error {
	hub := control.NewHub("0.1.0", ".weir")
	begin := time.Now()
	paused := false
	server, err := control.Start(ctx, path, hub, map[string]control.Verb{
		"pause": func(context.Context, json.RawMessage) (any, error) {
			paused = true
			hub.Event("load", "paused")
			return nil, nil
		},
		"resume": func(context.Context, json.RawMessage) (any, error) {
			paused = false
			hub.Event("load", "resumed")
			return nil, nil
		},
		"stop": func(context.Context, json.RawMessage) (any, error) {
			length = time.Since(begin).Seconds()
			return nil, nil
		},
	})
	if err != nil {
		return err
	}
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	sent, rows, committed, messages := 0.0, 0.0, begin, 0
	var history []control.Point
	var trend []control.StreamPoint
	for {
		select {
		case <-ctx.Done():
			return server.Wait()
		case now := <-tick.C:
			t := now.Sub(begin).Seconds()
			done := t >= length
			target := math.Min(20_000, 4_000*t)
			rate := target * (0.99 + 0.02*rand.Float64())
			p99 := 4 + 3*rand.Float64()
			if int(t)%17 == 16 {
				rate, p99 = rate*0.6, 180
			}
			if paused {
				target, rate = 0, 0
			}
			if !done {
				sent += rate / 4
				history = append(history, control.Point{T: t, Target: target, Rate: rate, P99: p99})
			}
			if now.Sub(committed) > 3*time.Second || done && rows < sent {
				rows, committed = sent, now
				hub.Event("commit", fmt.Sprintf("transactions: %.0f rows", rows))
			}
			behind := now.Sub(committed).Seconds()
			trend = append(trend[max(0, len(trend)-240):], control.StreamPoint{T: now, Behind: behind, In: rate, Out: rate})
			if done && messages == 0 {
				messages = 1
				hub.Event("notify", "FIN told on console")
			}
			hub.Update(func(s *control.Snapshot) {
				state, stage := control.Running, "ramp"
				if t > 5 {
					stage = "steady"
				}
				if paused {
					state = control.Paused
				}
				if done {
					state = control.Done
				}
				q := control.Quantiles{Count: int64(sent), P50: 1.4, P90: 2.9, P99: p99, P999: p99 * 1.8, Max: 204}
				s.Parts = []control.Part{{Name: "kafka", State: control.OK, Detail: "embedded"}, {Name: "registry", State: control.OK}, {Name: "tables", State: control.OK}, {Name: "notify", State: control.OK}}
				s.Load = &control.Load{At: now, Run: "01KAQ7Z8M4T2", Profile: "demo", Topic: "bank.transactions", State: state, Stage: stage, StageIndex: map[string]int{"ramp": 0, "steady": 1}[stage],
					Stages:  []control.Stage{{Name: "ramp", Duration: 5, Target: 20_000}, {Name: "steady", Duration: length - 5, Target: 20_000}},
					Elapsed: math.Min(t, length), Total: length, Progress: math.Min(t/length, 1), TargetRate: target, Rate: rate, BytesPerSec: rate * 263, Sent: int64(sent), Acked: int64(sent) - 40, InFlight: 40, MaxInFlight: 10_000,
					WindowS: 10, Window: control.Latency{Response: q, Service: q}, Whole: control.Latency{Response: q, Service: q}, LagP99: 0.08, Size: control.Quantiles{Count: 1, P50: 261, P99: 290, Max: 301}, CPU: 0.21, RSS: 61 << 20,
					History: history, Limits: []control.Limit{{Name: "p99", Want: "≤ 100 ms", Got: fmt.Sprintf("%.1f", p99), State: control.OK}}, Verdict: "pass"}
				s.Streams = []control.Stream{{At: now, Job: "transactions", Title: "Card transactions", Unit: "PAY", Table: "bank.transactions", Topic: "bank.transactions", State: control.Running, BehindSeconds: behind, BehindRecords: int64(sent - rows),
					InPerSec: rate, OutPerSec: rate, Rows: int64(rows), Commits: int64(t / 3), LastCommit: committed, Snapshot: 8482112345678901234, CommitMillis: 84, CompleteUpTo: committed, Workers: 1, History: trend,
					Partitions: []control.Partition{{ID: 0, Position: int64(rows / 4), End: int64(sent / 4)}, {ID: 1, Position: int64(rows / 4), End: int64(sent / 4)}, {ID: 2, Position: int64(rows / 4), End: int64(sent / 4)}, {ID: 3, Position: int64(rows / 4), End: int64(sent / 3)}}}}
				s.Proof = &control.Proof{At: now, Run: "01KAQ7Z8M4T2", Sent: int64(sent), Rows: int64(rows), InFlight: int64(sent) - int64(rows), ReadableP50: 1800, ReadableP99: 3100, Done: done}
				s.Notify = &control.Notify{At: now, Sent: int64(messages), Channels: []control.Channel{{Name: "console", State: control.OK}}}
				if done {
					s.Streams[0].State = control.CaughtUp
					s.Reports = []control.Report{{Job: "daily_totals", Title: "Daily totals per country", Unit: "FIN", Table: "bank.daily_totals", State: control.Done, Interval: "2026-11-23", Rows: 42, Seconds: 0.4, Started: begin.Add(time.Duration(length) * time.Second)}}
					s.Notify.Messages = []control.Message{{State: "sent", Title: "Daily totals per country ready", Unit: "FIN", Channel: "console", Try: 1, At: begin.Add(time.Duration(length) * time.Second), Text: "42 rows for 2026-11-23"}}
					s.Done = true
				}
			})
		}
	}
}
