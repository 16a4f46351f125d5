package load

import (
	"context"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"weir/internal/config"
	"weir/internal/stamp"
)

// What comes back from the topic is told apart from what was acknowledged, aborted messages and all; the group's offsets show it.
func TestWhatComesBack(t *testing.T) {
	for name, change := range map[string]func(*Profile){
		"plain":        func(*Profile) {},
		"transactions": func(p *Profile) { p.Producer.Transaction = TransactionSpec{Messages: 100, Abort: 0.3} },
	} {
		t.Run(name, func(t *testing.T) {
			c, p := broker(t), profile("4000", 3000)
			p.Verify.Consumer.Group = "back"
			change(p)
			var last Progress
			sum, err := Run(t.Context(), Options{Profile: p, Home: t.TempDir(), Connect: connect(c), Register: register, Progress: func(g Progress) { last = g }})
			if err != nil {
				t.Fatal(err)
			}
			want := sum.Acked - sum.Aborted
			if r := sum.Read; r == nil || r.Messages != want || r.Missing != 0 || r.Doubled != 0 || r.Error != "" || sum.Verdict == VerdictFailed {
				t.Fatalf("got %+v, verdict %s %s; want %d read back", r, sum.Verdict, sum.Reason, want)
			}
			if sum.Read.Latency.Count == 0 || sum.Read.Latency.P50 < sum.Service.P50/2 {
				t.Errorf("from the send to the consumer p50 %v ms, to the acknowledgement %v ms", sum.Read.Latency.P50, sum.Service.P50)
			}
			if last.Read == nil || last.Read.Messages != want || len(last.Partitions) != 3 || len(last.Sizes) == 0 || len(last.Spectrum) == 0 {
				t.Errorf("progress: got %+v", last)
			}
			cl, err := connect(c)()
			if err != nil {
				t.Fatal(err)
			}
			defer cl.Close()
			offsets, err := kadm.NewClient(cl).FetchOffsets(t.Context(), "back")
			if err != nil || len(offsets["bank.transactions"]) != 3 {
				t.Errorf("offsets of the group: %v, %v", offsets, err)
			}
		})
	}
}

// A message that comes twice fails the run, whoever has doubled it.
func TestAMessageThatComesTwiceFailsTheRun(t *testing.T) {
	c, p := broker(t), profile("2000", 2000)
	p.Verify.Consumer.Group = "back"
	cl, err := connect(c)()
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	sent := false
	home := t.TempDir()
	sum, err := Run(t.Context(), Options{Profile: p, Home: home, Connect: connect(c), Register: register, Senders: 1, Progress: func(g Progress) {
		if sent || g.Elapsed < 300*time.Millisecond {
			return
		}
		sent = true
		m, err := ReadManifest(home, g.Run)
		if err != nil {
			t.Error(err)
			return
		}
		st := stamp.Stamp{Run: mustULID(t, m.Run), Seq: 20, Intended: time.Now().UnixMicro()}
		if err := cl.ProduceSync(context.Background(), &kgo.Record{Topic: "bank.transactions", Headers: []kgo.RecordHeader{{Key: stamp.Key, Value: st.Append(nil)}}}).FirstErr(); err != nil {
			t.Error(err)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Verdict != VerdictFailed || sum.Read.Doubled != 1 || !strings.Contains(sum.Reason, "1 came twice") {
		t.Errorf("got %s %s, %+v", sum.Verdict, sum.Reason, sum.Read)
	}
}

// The broker's clock lies within what is told, whatever the ways took, and a longer way makes that wider.
func TestClocksAreCompared(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		offset := time.Duration(rapid.Int64Range(-5_000_000, 5_000_000).Draw(t, "offset µs")) * time.Microsecond
		at := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
		var all []*probe
		shortest := time.Hour
		for range rapid.IntRange(1, 8).Draw(t, "probes") {
			there := time.Duration(rapid.Int64Range(1, 20_000).Draw(t, "there µs")) * time.Microsecond
			back := time.Duration(rapid.Int64Range(1, 20_000).Draw(t, "back µs")) * time.Microsecond
			all = append(all, &probe{at, at.Add(there + back), at.Add(there + offset).Truncate(time.Millisecond)})
			at, shortest = at.Add(there+back), min(shortest, there+back)
		}
		c, err := between(all)
		if err != nil {
			t.Fatal(err)
		}
		if off := math.Abs(c.Offset - millis(offset)); off > c.Error+0.002 || c.Error > (millis(shortest)+1)/2+0.002 {
			t.Fatalf("got %+v for %v, the shortest way took %v", c, offset, shortest)
		}
	})
	if _, err := between([]*probe{{time.UnixMilli(0), time.UnixMilli(2), time.UnixMilli(900)}, {time.UnixMilli(5), time.UnixMilli(7), time.UnixMilli(20)}}); err == nil {
		t.Error("a clock that was set in between is told as one that stands still")
	}
}

// Where the clocks cannot be compared the run says why, and makes no topic that its profile does not allow.
func TestClocksThatCannotBeCompared(t *testing.T) {
	c := broker(t, kfake.SeedTopics(3, "bank.transactions"))
	p := profile("500", 100)
	p.Topic.Create = "never"
	sum, err := Run(t.Context(), Options{Profile: p, Home: t.TempDir(), Connect: connect(c), Register: register, Clocks: true})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Generator.Clock != nil || !strings.Contains(sum.Generator.ClockWhy, "makes no topics") || sum.Verdict == VerdictFailed {
		t.Errorf("got %+v, %q, %s", sum.Generator.Clock, sum.Generator.ClockWhy, sum.Verdict)
	}
}

// A generator that was itself the limit says so, and so does one whose clock says nothing of other machines.
func TestAGeneratorThatIsTheLimit(t *testing.T) {
	fresh := []Threshold{{Metric: "freshness_s", Stat: "p99", Max: 30}}
	for name, c := range map[string]struct {
		h     Health
		limit []Threshold
		want  string
	}{
		"well":                  {Health{Cores: 2, CPUShare: 0.5, Clock: &Clock{Offset: 2900, Error: 10}}, fresh, ""},
		"no core left":          {Health{Cores: 2, CPUShare: 0.9}, nil, "has used 90 % of its 2 cores"},
		"collecting garbage":    {Health{Cores: 2, GCShare: 0.06}, nil, "stood still for garbage collection for 6 % of the time"},
		"another time":          {Health{Clock: &Clock{Offset: -3200, Error: 100}}, fresh, "the broker's clock is -3200 ms off ours"},
		"maybe another time":    {Health{Clock: &Clock{Offset: 3200, Error: 300}}, fresh, ""},
		"nobody asks for times": {Health{Clock: &Clock{Offset: 99_000, Error: 1}}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.h.ahead(c.limit)
			if got == "" {
				got = c.h.busy()
			}
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	p := newPauses()
	runtime.GC()
	if n, p99, most, sum := p.since(); n < 1 || p99 <= 0 || most < p99 || sum < most {
		t.Errorf("after a collection: %d pauses, p99 %v, max %v, sum %v", n, p99, most, sum)
	}
}

// Bars hold each value once, in rising order, none above its bar.
func TestSizeBars(t *testing.T) {
	h, want := newHistogram(), map[int64]int64{}
	for _, v := range []int64{5, 5, 260, 261, 299, 4096, 900_000} {
		record(h, v)
		want[v]++
	}
	bars := sizeBars(h)
	var total, last int64
	for _, b := range bars {
		if b.Bytes <= last {
			t.Errorf("%d follows %d", b.Bytes, last)
		}
		last = b.Bytes
		total += b.Count
	}
	if total != 7 || bars[0].Count != 2 || bars[0].Bytes < 5 || bars[0].Bytes > 8 || bars[len(bars)-1].Bytes < 900_000 {
		t.Errorf("got %v", bars)
	}
}

// Thresholds are judged while the run goes on, and looking at them changes nothing.
func TestThresholdsAreShownWhileTheRunGoesOn(t *testing.T) {
	c, p := broker(t), profile("1000", 2500)
	p.Thresholds = []Threshold{{Metric: "response_ms", Stat: "p99", Max: 60_000}, {Metric: "response_ms", Stat: "max", Over: config.Duration(time.Hour), Max: 0.000001}}
	var early []Check
	sum, err := Run(t.Context(), Options{Profile: p, Home: t.TempDir(), Connect: connect(c), Register: register, Progress: func(g Progress) {
		if g.Final == nil && len(g.Checks) == 2 && g.Checks[0].Measured {
			early = g.Checks
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(early) != 2 || !early[0].OK || early[1].OK || early[0].Margin < 0.5 {
		t.Errorf("while it ran: %+v", early)
	}
	if sum.Thresholds[1].Got < early[1].Got {
		t.Errorf("the worst window is %v, a look had seen %v", sum.Thresholds[1].Got, early[1].Got)
	}
}

func mustULID(t *testing.T, s string) ulid.ULID {
	t.Helper()
	id, err := ulid.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// A run that waits for its transactions says so, and does not blame the window.
func TestTransactionsThatTakeTooLongAreNamed(t *testing.T) {
	c, p := broker(t), profile("2000", 600)
	p.Producer.Transaction = TransactionSpec{Messages: 20}
	c.ControlKey(26 /* EndTxn */, func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		c.SleepControl(func() { time.Sleep(40 * time.Millisecond) }) // real time: the broker's
		return nil, nil, false
	})
	sum, err := Run(t.Context(), Options{Profile: p, Home: t.TempDir(), Connect: connect(c), Register: register})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Verdict != VerdictInvalid || !strings.Contains(sum.Reason, "for transactions of 20 messages to end; larger ones keep the schedule") {
		t.Errorf("got %s: %s", sum.Verdict, sum.Reason)
	}
}

// What screens say of a run that goes on is what its end would say.
func TestStanding(t *testing.T) {
	some := Quantiles{Count: 1}
	broken := []Check{{Name: "response_ms p99", Metric: "response_ms", Max: 10, Got: 20, Measured: true}}
	ratio := []Check{{Name: "error_ratio", Metric: "error_ratio", Max: 0.1, Got: 0.01, OK: true, Measured: true}}
	for name, c := range map[string]struct {
		p    Progress
		want Verdict
	}{
		"nothing measured":          {Progress{Checks: broken}, ""},
		"well":                      {Progress{Response: some}, VerdictPass},
		"a limit broken":            {Progress{Response: some, Checks: broken}, VerdictSLO},
		"late, so no limit counts":  {Progress{Response: some, Checks: broken, Invalid: behind(101)}, VerdictInvalid},
		"lost messages":             {Progress{Response: some, Errors: 1, Sent: 100, Invalid: "busy"}, VerdictFailed},
		"as many lost as may be":    {Progress{Response: some, Errors: 1, Sent: 100, Checks: ratio}, VerdictPass},
		"at the edge of its limits": {Progress{Response: some, Invalid: behind(100)}, VerdictPass},
	} {
		if got, reason := c.p.Standing(); got != c.want || (reason == "") != (got == "" || got == VerdictPass) {
			t.Errorf("%s: got %q %q, want %q", name, got, reason, c.want)
		}
	}
}
