package tui

import (
	"context"
	"math"
	"time"

	"weir/internal/control"
)

// at is the moment of all goldens.
var at = time.Date(2026, 11, 20, 14, 2, 11, 0, time.UTC)

// demo is a realistic snapshot: a run in its second stage, three streams of which one is in trouble, a report, messages.
func demo() *control.Snapshot {
	ago := func(d time.Duration) time.Time { return at.Add(-d) }
	s := &control.Snapshot{
		Seq: 4711, At: ago(time.Second), Started: ago(80 * time.Minute), Version: "0.1.0", Home: "/srv/weir/prod", PID: 4242,
		Parts: []control.Part{
			{Name: "kafka", State: control.OK, Detail: "3 brokers"}, {Name: "registry", State: control.Warn, Detail: "4 s late"},
			{Name: "tables", State: control.OK}, {Name: "notify", State: control.OK},
		},
		Attention: []control.Attention{
			{Level: control.Bad, What: "FAILED", Job: "card_settlements", Unit: "FIN", Since: ago(12 * time.Minute), Detail: "2026-11-20 try 3/3: column amount: decimal(12,2) does not hold 18 digits", Next: "pipeline runs card_settlements"},
			{Level: control.Warn, What: "LAG", Job: "orders", Unit: "OPS", Since: ago(18 * time.Minute), Detail: "18 min behind, growing 40k/s", Next: "pipeline run orders --workers 12"},
			{Level: control.Warn, What: "LATE", Job: "risk_positions", Unit: "RSK", Since: ago(32 * time.Minute), Detail: "due 13:30"},
		},
		Load:    demoLoad(),
		Streams: demoStreams(),
		Runs: []control.Run{
			{Run: "daily_totals@20261119T0000Z-20261120T0000Z", Job: "daily_totals", Kind: "report", Title: "Daily totals per country", Unit: "FIN", State: "running", Interval: "2026-11-19", Attempt: 2, MaxAttempts: 3, Started: at.Add(-20 * time.Second), Seconds: 20},
			{Run: "orders@20261119T0000Z-20261120T0000Z", Job: "orders", Kind: "etl", Title: "Orders of the day", Unit: "FIN", State: "failed", Interval: "2026-11-19", Attempt: 3, MaxAttempts: 3, Started: at.Add(-9 * time.Minute), Seconds: 131.5,
				Cause: "job orders: plan: no file in incoming is orders_{date}.csv of 2026-11-19", Todo: "Data team: the delivery has not come yet, or files.pattern does not fit its name"},
			{Run: "01K8ZJ9V4T8QH0M6W2X3Y5A7BC", Job: "transactions", Kind: "ingest", Unit: "PAY", State: "running", Interval: "all data", Attempt: 1, MaxAttempts: 1, Started: at.Add(-2 * time.Hour), Seconds: 7200, RowsOut: 4_000_000},
			{Run: "orders@20261118T0000Z-20261119T0000Z", Job: "orders", Kind: "etl", Title: "Orders of the day", Unit: "FIN", State: "warning", Interval: "2026-11-18", Attempt: 1, MaxAttempts: 3, Started: at.Add(-24 * time.Hour), Seconds: 12.2, RowsIn: 18_204, RowsOut: 18_201, Rejected: 3},
			{Run: "daily_totals@20261118T0000Z-20261119T0000Z", Job: "daily_totals", Kind: "report", Title: "Daily totals per country", Unit: "FIN", State: "recovered", Interval: "2026-11-18", Attempt: 2, MaxAttempts: 3, Started: at.Add(-24 * time.Hour), Seconds: 3.4, RowsOut: 108},
		},
		Reports: []control.Report{
			{Job: "daily_totals", Title: "Daily totals per country", Unit: "FIN", Table: "bank.daily_totals", State: control.Done, Interval: "2026-11-19", Rows: 1204, Seconds: 2.1, Started: ago(4 * time.Minute)},
			{Job: "card_settlements", Unit: "FIN", Table: "bank.settlements", State: control.Failed, Interval: "2026-11-20", Seconds: 0.4, Started: ago(12 * time.Minute),
				Error: "column amount: decimal(12,2) does not hold 123456789012345678", Hint: "widen the column in jobs/settlements.sql: cast(amount as decimal(18,2))"},
		},
		Notify: demoNotify(),
		Proof:  &control.Proof{At: ago(time.Second), Run: "01JD7QZ8M4T2", Sent: 1_998_204_112, Rows: 1_998_142_660, InFlight: 61_440, Quarantined: 12, ReadableP50: 4100, ReadableP99: 9200},
		Verbs:  []string{"load.abort", "load.export", "load.mark", "load.next", "load.pause", "load.rate", "load.resume", "load.stop"},
	}
	for i, e := range []control.Event{
		{Kind: "load", Text: "stage ramp done, hold begins at 500k/s"}, {Kind: "warn", Text: "rebalance of weir-orders (w-07 joined)"}, {Kind: "load", Text: "p99 back under 50 ms"},
		{Kind: "report", Text: "daily_totals: 1,204 rows for 2026-11-19"}, {Kind: "notify", Text: "FIN told on #fin-daily"}, {Kind: "commit", Text: "trades: 200,000 rows, snapshot 8482112345678901234"},
	} {
		e.At = ago(time.Duration(6-i) * 37 * time.Second)
		s.Events = append(s.Events, e)
	}
	return s
}

// demoNotify has a message in each state that matters, a blocked channel, what is expected today.
func demoNotify() *control.Notify {
	ago := func(d time.Duration) time.Time { return at.Add(-d) }
	clock := func(h, m int) time.Time { return time.Date(2026, 11, 20, h, m, 0, 0, time.UTC) }
	return &control.Notify{
		At: ago(time.Second), Zone: "Europe/Berlin", Sender: "process 4243", Sent: 118, Waiting: 2, Held: 4, Dead: 1, OldestWait: 130,
		Channels: []control.Channel{
			{Name: "fin-daily", State: control.OK}, {Name: "fin-topic", State: control.OK, Detail: "asks for no Publish before 15:03:10"},
			{Name: "rsk-alerts", State: control.Down, Detail: "not_in_channel", Fix: "invite the app to the channel", Since: ago(11 * time.Minute), Waiting: 2},
			{Name: "old-hook", State: control.Warn, Detail: "it is not in units.yaml", Fix: "name it there again", Waiting: 1},
		},
		Messages: []control.Message{
			{ID: 127, State: "sent", Title: "✅ READY  Daily totals per country for Thu 19 Nov 2026: usable", Job: "daily_totals", Date: "2026-11-19", Outcome: "ready", Unit: "FIN", Channel: "fin-daily", At: ago(4 * time.Minute), Created: ago(4 * time.Minute), Text: "1,204 rows for 2026-11-19, 3 more than usual"},
			{ID: 126, State: "sending", Title: "✖ FAILED  Card settlements for Fri 20 Nov 2026: not usable", Job: "card_settlements", Date: "2026-11-20", Outcome: "failed", Unit: "FIN", Channel: "fin-daily", Created: ago(2 * time.Second)},
			{ID: 125, State: "retry", Title: "◷ LATE  Risk positions for Fri 20 Nov 2026: not ready yet", Job: "risk_positions", Date: "2026-11-20", Outcome: "late", Unit: "RSK", Channel: "rsk-alerts", Try: 2, Created: ago(11 * time.Minute), NextAt: at.Add(time.Minute), Why: "waits for channel rsk-alerts: not_in_channel"},
			{ID: 124, State: "held", Gate: "quiet", Title: "✅ READY  Clicks of the web shop for Fri 20 Nov 2026: usable", Job: "clicks", Date: "2026-11-20", Outcome: "ready", Unit: "MKT", Channel: "mkt-data", Created: ago(20 * time.Minute), NextAt: at.Add(17 * time.Hour), Why: "quiet hours until Sat 21 Nov 08:00 CET"},
			{ID: 123, State: "dead", Title: "✖ FAILED  General ledger report for Thu 19 Nov 2026: not usable", Job: "gl_report", Date: "2026-11-19", Outcome: "failed", Unit: "FIN", Channel: "fin-topic", Try: 1, Created: ago(24 * time.Minute), Why: "refused: message has 271 KiB, SNS takes 256"},
			{ID: 122, State: "sent", Reply: true, Title: "◷ late at 14:30", Job: "trades", Date: "2026-11-20", Outcome: "late", Unit: "RSK", Channel: "rsk-daily", At: ago(32 * time.Minute), Created: ago(32 * time.Minute)},
			{ID: 121, State: "unknown", Title: "✅ READY  Invoices for Thu 19 Nov 2026: usable", Job: "invoices", Date: "2026-11-19", Outcome: "ready", Unit: "FIN", Channel: "fin-daily", Created: ago(40 * time.Minute), NextAt: at.Add(2 * time.Second), Why: "no answer: it is looked up"},
			{ID: 120, State: "suppressed", Gate: "silence", Title: "! READY WITH WARNING  Fx rates for Fri 20 Nov 2026: usable with care", Job: "fx_rates", Date: "2026-11-20", Outcome: "warning", Unit: "FIN", Channel: "fin-daily", Created: ago(50 * time.Minute), Why: "silence 3 of anna until 18:00: migration"},
			{ID: 119, State: "sent", Notice: true, Title: "✖ BLOCKED  Channel rsk-alerts: messages wait there", Job: "rsk-alerts", Outcome: "failed", Channel: "platform", At: ago(11 * time.Minute), Created: ago(11 * time.Minute)},
		},
		Expected: []control.Expected{
			{Job: "settlements_daily", Unit: "FIN", State: "done", Due: clock(6, 30), Ready: clock(6, 12)}, {Job: "gl_report", Unit: "FIN", State: "failed", Due: clock(8, 0)},
			{Job: "risk_positions", Unit: "RSK", State: "late", Due: clock(12, 30), Usual: clock(12, 10), Again: clock(14, 30)}, {Job: "fx_rates", Unit: "FIN", State: "running", Due: clock(15, 0), Usual: clock(14, 40)},
			{Job: "clicks", Unit: "MKT", State: "to come", Due: clock(21, 0)}, {Job: "treasury", Unit: "FIN", State: "not today", Why: "Buß- und Bettag"},
		},
		Silences: []control.Silence{{ID: 3, Match: `job = "fx_rates"`, Owner: "anna", Reason: "migration of the feed", Until: at.Add(3 * time.Hour), Kept: 1}},
	}
}

func demoLoad() *control.Load {
	l := &control.Load{
		At: at.Add(-time.Second), Run: "01JD7QZ8M4T2", Profile: "nightly-soak", Topic: "orders", State: control.Running, Stage: "hold", StageIndex: 2,
		Stages:  []control.Stage{{Name: "warm", Duration: 300, Target: 50_000}, {Name: "ramp", Duration: 600, Target: 500_000}, {Name: "hold", Duration: 5400, Target: 500_000}, {Name: "step", Duration: 900, Target: 550_000}},
		Elapsed: 4600, Total: 7200, Progress: 0.64, Planned: 2_600_000_000, TargetRate: 500_000, Rate: 499_812, BytesPerSec: 488e6,
		Sent: 1_998_204_112, Acked: 1_998_142_672, Errors: 12, ErrorsByCause: map[string]int64{"timeout": 9, "not leader": 3}, InFlight: 61_440, MaxInFlight: 100_000, WindowS: 10,
		Window: control.Latency{Response: control.Quantiles{Count: 4_998_120, P50: 3.1, P90: 8.8, P99: 41, P999: 88.2, Max: 131}, Service: control.Quantiles{Count: 4_998_120, P50: 2.8, P90: 8.1, P99: 39, P999: 84, Max: 120}},
		Whole:  control.Latency{Response: control.Quantiles{Count: 1_998_142_672, P50: 3, P90: 8.1, P99: 38.7, P999: 85, Max: 402.1}, Service: control.Quantiles{Count: 1_998_142_672, P50: 2.8, P90: 7.9, P99: 37, P999: 80.2, Max: 388}},
		LagP99: 0.4, Size: control.Quantiles{Count: 1, P50: 980, P90: 2000, P99: 4096, P999: 9000, Max: 16384}, CPU: 1.31, RSS: 234 << 20,
		Limits: []control.Limit{
			{Name: "p99", Want: "≤ 100 ms", Got: "38.7", State: control.OK, Spare: "61% spare"}, {Name: "p99.9", Want: "≤ 250 ms", Got: "85.0", State: control.OK, Spare: "66% spare"},
			{Name: "loss", Want: "= 0", Got: "0", State: control.Wait}, {Name: "rate", Want: "≥ 99.9%", Got: "99.96%", State: control.OK},
		},
		Verdict: "pass",
	}
	for t := 0.0; t <= l.Elapsed; t += 15 {
		target := 500_000.0
		switch {
		case t < 300:
			target = 50_000
		case t < 900:
			target = 50_000 + 450_000*(t-300)/600
		}
		p := control.Point{T: t, Target: target, Rate: target * (0.995 + 0.004*math.Sin(t/40)), P99: 30 + 9*math.Sin(t/200)}
		if t > 1800 && t < 1900 { // a rebalance
			p.Rate, p.P99 = target*0.7, 380
		}
		l.History = append(l.History, p)
	}
	return told(l)
}

func demoStreams() []control.Stream {
	stream := func(job, title, unit, state string, behind float64, records int64, in, out float64, commit time.Duration, workers int) control.Stream {
		s := control.Stream{At: at.Add(-time.Second), Job: job, Title: title, Unit: unit, Table: "bank." + job, Topic: "bank." + job, State: state, BehindSeconds: behind, BehindRecords: records,
			InPerSec: in, OutPerSec: out, Rows: int64(out) * 3600, Commits: 411, LastCommit: at.Add(-commit), Snapshot: 8482112345678901234, CommitMillis: 212, CompleteUpTo: at.Add(-time.Duration(behind) * time.Second), Workers: workers}
		for i := range 60 {
			s.History = append(s.History, control.StreamPoint{T: at.Add(time.Duration(i-60) * 15 * time.Second), Behind: behind * (0.3 + 0.7*float64(i)/60), In: in, Out: out * (0.9 + 0.1*math.Sin(float64(i)/5))})
		}
		for i := range int32(6) {
			lag := records / 6
			if i == 0 {
				lag = records
			}
			s.Partitions = append(s.Partitions, control.Partition{ID: i, Position: 1_000_000, End: 1_000_000 + lag, Bytes: 263 * lag, Seconds: behind * float64(lag) / float64(records)})
			s.BehindBytes += 263 * lag
		}
		s.CatchUpSeconds, s.Trend, s.MemoryBytes = -1, "growing", 64<<20
		if out >= in {
			s.Trend = "steady"
			s.CatchUpSeconds = 5
		}
		return s
	}
	orders := stream("orders", "Orders of the web shop", "OPS", control.Running, 1082, 16_600_000, 92_100, 52_000, 6*time.Second, 12)
	orders.Quarantined = 1204
	orders.Hot, orders.HeldBytes = &control.Hot{Partition: 0, Share: 0.55, InPerSec: 21_900}, 41<<20
	orders.Team = &control.Team{Wanted: 4, Reason: "hot partition 0: 21.9k rec/s > capacity 19.9k rec/s; add partitions or split the key", Verdict: "hot partition", Workers: []control.Worker{
		{ID: "w1", PID: 4101, State: "reading", Partitions: 2, Rows: 61_200_000, PerSec: 19_900, Waiting: 0.02, Blocked: 0.11},
		{ID: "w2", PID: 4102, State: "reading", Partitions: 2, Rows: 58_900_000, PerSec: 19_700, Waiting: 0.31, Blocked: 0.10},
		{ID: "w3", PID: 4103, State: "draining", Partitions: 1, Rows: 3_100_000, PerSec: 1_900, Waiting: 0, Blocked: 0.09, Reason: "worker w3 does 1.9k rec/s, its peers do 19.9k rec/s: a new one takes its place"},
		{ID: "w4", PID: 4104, State: "reading", Partitions: 1, Rows: 64_000_000, PerSec: 20_100, Waiting: 0.28, Blocked: 0.12},
		{ID: "w5", PID: 4188, State: "starting"},
	}}
	invoices := stream("invoices", "Invoices", "FIN", control.Failed, 7860, 410_000, 0, 0, 2*time.Hour, 0)
	invoices.Error = "quarantine is full: 10,000 of 10,000 rows refused; last: field total: expected double, wire has string at offset 88123 of partition 3"
	invoices.Hint = "pipeline quarantine invoices lists them; raise quarantine.max_rows or mend the producer"
	return []control.Stream{stream("trades", "Trades", "RSK", control.CaughtUp, 3, 1_402, 310_400, 310_400, 4*time.Second, 16), orders, invoices}
}

// done is the demo after its end.
func done() *control.Snapshot {
	s := demo()
	s.Attention, s.Done = nil, true
	s.Load.State, s.Load.Elapsed, s.Load.Progress, s.Load.Verdict = control.Done, 7200, 1, "pass"
	s.Proof = &control.Proof{At: s.At, Run: s.Load.Run, Sent: 1_000_000, Rows: 999_998, Quarantined: 2, ReadableP50: 612, ReadableP99: 1432, Done: true}
	return s
}

// still is a source that never says anything: tests hand messages to the model themselves.
type still struct {
	called  []string
	refresh int
	err     error
}

func (s *still) Stream(ctx context.Context) <-chan control.Update {
	c := make(chan control.Update)
	context.AfterFunc(ctx, func() { close(c) })
	return c
}
func (s *still) Do(_ context.Context, verb string, _, _ any) error {
	s.called = append(s.called, verb)
	return s.err
}
func (s *still) Refresh() { s.refresh++ }
