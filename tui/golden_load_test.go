package tui

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"weir/internal/control"
	"weir/tui/canvas"
	"weir/tui/style"
)

// loadStates are the moments of a load run that matter, beside one that goes well.
func loadStates() map[string]func(s *control.Snapshot) {
	over := func(s *control.Snapshot) { // a run that is over, and only what came of it is shown
		s.Load.State, s.Load.Elapsed, s.Load.Progress, s.Load.Verdict, s.Load.InFlight = control.Done, 7200, 1, "pass", 0
	}
	return map[string]func(s *control.Snapshot){
		"warm-up": func(s *control.Snapshot) {
			l := s.Load
			l.State, l.Stage, l.StageIndex, l.Elapsed, l.Progress = control.Preparing, "warm", 0, 31, 0.004
			l.Sent, l.Acked, l.Errors, l.Causes, l.ErrorsByCause, l.History, l.InFlight = 1_550_000, 1_549_100, 0, nil, nil, l.History[:3], 900
			l.Window, l.Whole, l.Spectrum, l.TargetRate, l.Rate, l.BytesPerSec, l.Verdict, l.Read = control.Latency{}, control.Latency{}, nil, 50_000, 49_980, 48e6, "", nil
			for i := range l.Limits {
				l.Limits[i].State, l.Limits[i].Got, l.Limits[i].Spare = control.Wait, "", ""
			}
			s.Proof = nil
		},
		"measuring": func(*control.Snapshot) {},
		"paused": func(s *control.Snapshot) {
			l := s.Load
			l.State, l.Rate, l.TargetRate, l.BytesPerSec, l.InFlight, l.Interactive, l.PausedS = control.Paused, 0, 0, 0, 0, true, 95
			l.Changes = []control.Change{{T: 1830, What: "mark: broker 2 restarted"}, {T: 3000, What: "rate times 1.05"}, {T: 4505, What: "paused"}}
		},
		"invalid": func(s *control.Snapshot) {
			l := s.Load
			l.LagP99, l.CPU, l.Verdict = 812, 3.9, "invalid"
			l.Reason = "the generator was 812 ms behind its schedule at the 99th percentile: use a stronger machine or a lower rate"
			l.Self.Invalid, l.Self.WindowFullS, l.Self.GCPauseP99 = l.Reason, 0, 18
			for i := range l.History {
				l.History[i].Lag = float64(i) * 2.7
			}
		},
		"broken-limit": func(s *control.Snapshot) {
			l := s.Load
			l.Limits[0] = control.Limit{Name: "response_ms p99", Want: "≤ 100 ms", Got: "381", State: control.Bad, Spare: "281% over"}
			l.Limits = append(l.Limits, control.Limit{Name: "service_ms p99.9 of hold over 1m0s", Want: "≤ 250 ms", Got: "240", State: control.Warn, Spare: "4% spare"}, control.Limit{Name: "error_ratio", Want: "≤ 0.001", Got: "0", State: control.OK})
			l.Whole.Response.P99, l.Spectrum[4].Response, l.Verdict, l.Reason = 381, 381, "slo", "response_ms p99 is 381, at most 100 was wanted"
			for i := 150; i < len(l.History); i++ {
				l.History[i].P99 = 500 + float64(i)
			}
		},
		"errors": func(s *control.Snapshot) {
			l := s.Load
			l.Errors, l.Dropped = 15_412, 1_204_112
			l.Causes = []control.Cause{{Text: "the request timed out after 10s waiting for the leader of partition 7", Count: 12_000, First: 1801, Last: 4598}, {Text: "not enough replicas", Count: 3_400, First: 1803, Last: 1890}, {Text: "message too large", Count: 12, First: 44, Last: 44}}
			l.Read.Error = "partition 7: offset out of range"
		},
		"resumed": func(s *control.Snapshot) { s.Load.Resumed, s.Load.Self.WindowFullS = 2, 14 },
		"mix": func(s *control.Snapshot) {
			l := s.Load
			l.Topic = "bank.orders, bank.refunds"
			l.Faults = []control.Fault{{Kind: "duplicate", Count: 1_998_204}, {Kind: "poison truncated", Count: 99_912}, {Kind: "poison unknown_schema_id", Count: 99_871}, {Kind: "late", Count: 39_000_000}}
			for i := range int32(6) {
				l.Partitions = append(l.Partitions, control.PartitionSent{Topic: "bank.refunds", Partition: i, Messages: 30_000_000})
			}
			s.Streams[0].Topic = "bank.refunds"
		},
		"draining": func(s *control.Snapshot) {
			l := s.Load
			l.State, l.Elapsed, l.Progress, l.Rate, l.TargetRate = control.Draining, 7200, 1, 0, 0
		},
		"verifying": func(s *control.Snapshot) { over(s) },
		"unproved":  func(s *control.Snapshot) { over(s); s.Proof = nil },
		"proof-of-another-run": func(s *control.Snapshot) {
			s.Proof = &control.Proof{At: s.At, Run: "01JD7QZ8ZZZZ", Sent: 10, Rows: 10, Done: true}
		},
		"comparison":      func(s *control.Snapshot) { s.Comparison = compared() },
		"comparison-done": func(s *control.Snapshot) { s.Load, s.Proof, s.Comparison = nil, nil, judged() },
		"comparison-failed": func(s *control.Snapshot) {
			s.Load, s.Proof, s.Comparison = nil, nil, compared()
			s.Comparison.State, s.Comparison.Error = control.Failed, "pair 4, baseline: the pipeline under test ended (exit status 3): no such job"
		},
		"calibration": func(s *control.Snapshot) {
			s.Load, s.Proof, s.Comparison = nil, nil, judged()
			s.Comparison.Kind, s.Comparison.Verdict, s.Comparison.Reason = control.Calibrate, "calibrated", ""
			for i := range s.Comparison.Findings {
				s.Comparison.Findings[i].Noise = 0.04 + 0.01*float64(i)
			}
		},
		"search":      func(s *control.Snapshot) { s.Search = searched() },
		"search-done": func(s *control.Snapshot) { s.Load, s.Proof, s.Search = nil, nil, found() },
		"search-silent": func(s *control.Snapshot) {
			s.Search = searched()
			s.Search.Silent, s.Search.At = true, at.Add(-31*time.Second)
		},
	}
}

// TestLoadStates draws each of them at three sizes.
func TestLoadStates(t *testing.T) {
	theme := style.Make(style.Braille, false)
	for name, change := range loadStates() {
		for _, size := range [][2]int{{80, 24}, {120, 40}, {160, 50}} {
			w, h := size[0], size[1]
			t.Run(fmt.Sprintf("%s-%dx%d", name, w, h), func(t *testing.T) {
				s := demo()
				change(s)
				m := fresh(t, theme, s, w, h)
				feed(m, key("2"))
				content := ansi.Strip(m.View().Content)
				fits(t, content, w, h)
				golden(t, fmt.Sprintf("state-load-%s-%dx%d", name, w, h), content)
			})
		}
	}
}

// A finger in each panel: alone on the screen at 80x24, all of them are within reach of tab, also those that this size does not show.
func TestEveryPanelOfALoadRunIsInReach(t *testing.T) {
	s := demo()
	s.Comparison, s.Search = judged(), found()
	m := fresh(t, style.Make(style.Braille, false), s, 80, 24)
	feed(m, key("2"), key("z"))
	var all []string
	for range m.screens[1].Panels(m.state()) {
		content := ansi.Strip(m.View().Content)
		fits(t, content, 80, 24)
		all = append(all, content)
		feed(m, key("tab"))
	}
	golden(t, "state-load-zoomed", strings.Join(all, "\n"))
	for _, want := range []string{"skew ", "≤  1.0 kB", "00:30:01 → 00:31:08", "GC pause", "p99.99", "candidate", "confidence"} {
		if !strings.Contains(strings.Join(all, "\n"), want) {
			t.Errorf("no panel shows %q", want)
		}
	}
}

// TestLoadWindow: the last minutes instead of the whole run, with what the screen itself has seen since it was opened.
func TestLoadWindow(t *testing.T) {
	m := fresh(t, style.Make(style.Braille, false), demo(), 120, 40)
	feed(m, key("2"))
	for i := range 120 { // a second each: two minutes in which the rate falls
		s := demo()
		s.Load.Elapsed, s.Load.Rate, s.Load.Window.Response.P99 = 4600+float64(i), 500_000-float64(i)*3000, 41+float64(i)
		feed(m, live(s))
	}
	st := m.state()
	st.Window = 5 * time.Minute
	c := canvas.New(110, 30, m.theme)
	panels := m.screens[1].Panels(st)
	panels[0].Draw(c.Sub(0, 0, 110, 15), st, false)
	for _, p := range panels {
		if p.Name == "p99 over the run" {
			p.Draw(c.Sub(0, 15, 110, 15), st, false)
		}
	}
	golden(t, "state-load-window", strings.TrimRight(c.Plain(), "\n"))
}

func TestStaleComparisonsAreGrey(t *testing.T) {
	s := demo()
	s.Load, s.Comparison = nil, compared()
	m := fresh(t, style.Make(style.Braille, true), s, 80, 24)
	feed(m, key("2"), tickMsg(at.Add(42*time.Second)), updateMsg{control.Update{Snapshot: s, Heard: at, Err: errors.New("the process has ended"), RetryAt: at.Add(45 * time.Second)}, at.Add(42 * time.Second)})
	body := strings.Join(strings.Split(m.View().Content, "\n")[2:20], "\n")
	if strings.Contains(body, "38;2;0;119;204") || !strings.Contains(ansi.Strip(m.View().Content), "42 s old") {
		t.Errorf("a dead server's comparison has colour, or no age:\n%s", body)
	}
}
