package control

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/cli"
)

func TestVerbs(t *testing.T) {
	hub, _, c := start(t, map[string]Verb{
		"rate": func(_ context.Context, args json.RawMessage) (any, error) {
			var a struct{ Factor float64 }
			if err := json.Unmarshal(args, &a); err != nil {
				return nil, err
			}
			return map[string]float64{"rate": 100 * a.Factor}, nil
		},
		"stop": func(context.Context, json.RawMessage) (any, error) { return nil, nil },
		"fail": func(context.Context, json.RawMessage) (any, error) {
			return nil, &cli.Error{Err: errors.New("no run"), Hint: "start one"}
		},
		"panic": func(context.Context, json.RawMessage) (any, error) { panic("boom") },
		"far":   func(context.Context, json.RawMessage) (any, error) { return nil, &Error{Message: "far: too far"} },
	})
	var out struct{ Rate float64 }
	if err := c.Do(t.Context(), "rate", map[string]float64{"factor": 1.05}, &out); err != nil || out.Rate != 105 {
		t.Errorf("rate: got %v, %v", out, err)
	}
	if err := c.Do(t.Context(), "stop", nil, nil); err != nil {
		t.Errorf("stop: %v", err)
	}
	for _, tc := range []struct{ verb, text, hint string }{
		{"fail", "fail: no run", "start one"},
		{"far", "far: too far", ""}, // another server's answer, passed on
		{"fly", "fly: not offered here", "offered: fail, far, panic, rate, stop"},
		{"panic", "/v1/do/panic: internal error: boom", "this is a bug of weir; the work itself goes on"},
	} {
		err := c.Do(t.Context(), tc.verb, nil, nil)
		if err == nil || err.Error() != tc.text || hintOf(err) != tc.hint {
			t.Errorf("%s: got %q, hint %q; want %q, hint %q", tc.verb, err, hintOf(err), tc.text, tc.hint)
		}
	}
	events := hub.Events()
	if len(events) != 1 || !strings.Contains(events[0].Text, "boom") {
		t.Errorf("a panic leaves no trace: %v", events)
	}
	if err := c.Do(t.Context(), "stop", strings.Repeat("x", maxVerbBody), nil); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("a body over the limit: got %v", err)
	}
}

func TestMetricsAndHealth(t *testing.T) {
	_, _, c := start(t, nil, WithMetrics(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "weir_up 1\n") })))
	for path, want := range map[string]string{"/metrics": "weir_up 1", "/healthz": `"ok":true`, "/nothing": "no such path"} {
		res, err := c.request(t.Context(), http.MethodGet, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if !strings.Contains(string(b), want) {
			t.Errorf("GET %s: got %s, want %s", path, b, want)
		}
	}
}

func TestPublisherShowsItsSectionElsewhere(t *testing.T) {
	hub, _, c := start(t, nil)
	p := NewPublisher(t.Context(), c)
	for i := range int64(1000) {
		p.Load(&Load{Run: "r1", State: Running, Source: "loadgen", Sent: i + 1})
	}
	p.Load(&Load{Run: "r1", State: Done, Source: "loadgen", Sent: 1001})
	p.Proof(&Proof{Run: "r1", Done: true})
	p.Comparison(&Comparison{ID: "c1", State: Running})
	p.Search(&Search{ID: "s1", State: Running})
	p.Close()
	s := hub.Snapshot()
	if s.Load == nil || s.Load.Sent != 1001 || s.Load.State != Done || s.Load.Source != "loadgen" {
		t.Errorf("the last state did not arrive: %+v", s.Load)
	}
	if s.Proof == nil || !s.Proof.Done || s.Proof.Source == "" {
		t.Errorf("the proof did not arrive: %+v", s.Proof)
	}
	if s.Comparison == nil || s.Comparison.ID != "c1" || s.Comparison.Source == "" || s.Search == nil || s.Search.ID != "s1" || s.Search.Source == "" {
		t.Errorf("comparison and search did not arrive: %+v, %+v", s.Comparison, s.Search)
	}
}

// Between two runs of a comparison nothing changes for longer than silence is borne.
func TestAComparisonThatGoesOnIsNotSilent(t *testing.T) {
	p := &Publisher{}
	going, over := &Comparison{State: Running}, &Search{State: Done}
	p.comparison.last, p.search.last = going, over
	p.repeat()
	if p.comparison.next != going || p.search.next != nil {
		t.Errorf("repeated %v and %v, want the comparison that goes on and not the search that is over", p.comparison.next, p.search.next)
	}
	newer := &Comparison{State: Done}
	p.comparison.next, p.comparison.last = newer, newer
	p.repeat()
	if p.comparison.next != newer {
		t.Error("an older state was put in front of the newest")
	}
}

func TestPublisherWithoutServer(t *testing.T) {
	p := NewPublisher(t.Context(), Dial(filepath.Join(t.TempDir(), "none")))
	p.Load(&Load{})
	p.Close() // and nothing else happens
}

func TestSilentPublisherShows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := NewHub("test", "home")
		hub.publishLoad(&Load{Run: "r", State: Running})
		time.Sleep(SilentAfter)
		hub.expire(time.Now())
		if hub.Snapshot().Load.Silent {
			t.Error("silent too early")
		}
		at := hub.Snapshot().At
		time.Sleep(time.Second)
		hub.expire(time.Now())
		s := hub.Snapshot()
		if !s.Load.Silent {
			t.Error("not marked silent")
		}
		if !s.At.Equal(at) {
			t.Error("marking silence made the data look fresh")
		}
		hub.publishLoad(&Load{Run: "r", State: Done})
		time.Sleep(time.Hour)
		hub.expire(time.Now())
		if hub.Snapshot().Load.Silent {
			t.Error("a run that is over has nothing more to say")
		}
		hub.Update(func(s *Snapshot) { s.Load = &Load{State: Running} })
		time.Sleep(time.Hour)
		hub.expire(time.Now())
		if hub.Snapshot().Load.Silent {
			t.Error("the program's own section was taken for a publisher's")
		}
		hub.publishComparison(&Comparison{State: Running})
		hub.publishSearch(&Search{State: Running})
		time.Sleep(SilentAfter + time.Second)
		hub.publishSearch(&Search{State: Running}) // one of them goes on
		hub.expire(time.Now())
		if s := hub.Snapshot(); !s.Comparison.Silent || s.Search.Silent {
			t.Errorf("silent: comparison %v, search %v; want the comparison only", s.Comparison.Silent, s.Search.Silent)
		}
	})
}

func TestEventsAreARing(t *testing.T) {
	hub := NewHub("test", "home")
	for range eventsKept + 50 {
		hub.Event("load", "old")
	}
	hub.Event("load", "newest")
	e := hub.Events()
	if len(e) != eventsKept || e[len(e)-1].Text != "newest" {
		t.Errorf("kept %d, last %q", len(e), e[len(e)-1].Text)
	}
	if s := hub.Snapshot(); len(s.Events) != eventsShown || s.Events[eventsShown-1].Text != "newest" {
		t.Errorf("the snapshot shows %d events", len(s.Events))
	}
}

// full has something in every field that a reader could share with a writer.
func full() Snapshot {
	at := time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC)
	return Snapshot{
		Parts:     []Part{{Name: "kafka", State: OK, Detail: "3 brokers"}},
		Attention: []Attention{{Level: Bad, What: "FAILED", Job: "j", Unit: "FIN", Since: at, Detail: "d", Next: "n"}},
		Load: &Load{At: at, Run: "r", Profile: "p", State: Running, Stages: []Stage{{Name: "ramp", Duration: 1, Target: 2}}, ErrorsByCause: map[string]int64{"timeout": 2},
			Window: Latency{Response: Quantiles{1, 2, 3, 4, 5, 6}}, History: []Point{{T: 1, Target: 2, Rate: 3, P99: 4}}, Limits: []Limit{{Name: "p99", Want: "≤ 1", Got: "0.4", State: OK}}},
		Streams: []Stream{{Job: "j", Table: "a.b", Topic: "t", State: Running, Snapshot: 8482112345678901234, Partitions: []Partition{{ID: 1, Position: 2, End: 3}}, History: []StreamPoint{{T: at, Behind: 1}}}},
		Reports: []Report{{Job: "daily", State: Done, Rows: 7, Started: at}},
		Notify:  &Notify{At: at, Sent: 1, Channels: []Channel{{Name: "#x", State: OK}}, Messages: []Message{{State: "sent", Title: "t"}}},
		Proof:   &Proof{At: at, Run: "r", Sent: 10, Rows: 10, Done: true},
		Comparison: &Comparison{At: at, ID: "c", Kind: Compare, State: Running, Pairs: 6, Round: 1, Runs: []PairRun{{Build: "baseline", Pair: 1, State: Done}},
			Findings: []Finding{{Metric: "p99", Gated: true, Floor: 0.1, Estimate: 0.02, From: -0.01, To: 0.05}}},
		Search: &Search{At: at, ID: "s", SLO: "p99<100ms", State: Running, Trials: []Trial{{Rate: 1000, Outcome: Kept}}, Trial: &Trial{Rate: 2000, Phase: "step up"}, Reasons: []string{"why"}},
	}
}
