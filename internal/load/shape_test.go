package load

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// curveOf is the curve of a profile with that rate.
func curveOf(t *testing.T, rate string, now time.Time) Planned {
	t.Helper()
	p, err := Parse("p.yaml", []byte(strings.Replace(small, "{stages: [{target: 100/s}]}", "{"+rate+"}", 1)))
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.Curve(now)
	if err != nil {
		t.Fatal(err)
	}
	return c.(Planned)
}

// What a person would draw on paper, at some moments.
func TestShapes(t *testing.T) {
	type at map[time.Duration]float64
	morning := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC) // 04:00 in Berlin
	for name, c := range map[string]struct {
		rate  string
		rates at
		due   float64 // of the whole curve, or of an hour
		end   time.Duration
	}{
		"step":          {"shape: step, from: 5k/s, to: 20k/s, by: 5k/s, every: 2m", at{0: 5000, 2*time.Minute - 1: 5000, 2 * time.Minute: 10000, 7 * time.Minute: 20000}, 120 * 50000, 8 * time.Minute},
		"step by share": {"shape: step, from: 100/s, to: 120/s, by: 10%, every: 10s", at{5 * time.Second: 100, 15 * time.Second: 110, 25 * time.Second: 120}, 3300, 30 * time.Second},
		"step down":     {"shape: step, from: 30/s, to: 5/s, by: 10/s, every: 1s", at{0: 30, time.Second: 20, 2 * time.Second: 10, 3 * time.Second: 5}, 65, 4 * time.Second},
		"spike": {"shape: spike, base: 100/s, peak: 1000/s, before: 1m, rise: 10s, hold: 2m", at{30 * time.Second: 100, 65 * time.Second: 550, 2 * time.Minute: 1000, 195 * time.Second: 550, 4 * time.Minute: 100},
			2*6000 + 2*5500 + 120000, 260 * time.Second},
		"sine":          {"shape: sine, mean: 20k/s, amplitude: 8k/s, period: 20m", at{0: 20000, 5 * time.Minute: 28000, 15 * time.Minute: 12000, 65 * time.Minute: 28000}, 3600 * 20000, Forever},
		"day":           {"shape: diurnal, peak: 40k/s, trough: 4k/s, period: 1h", at{10 * time.Minute: 4000, 40 * time.Minute: 40000, 25 * time.Minute: 22000}, 3600 * 22000, Forever},
		"day of a zone": {"shape: diurnal, peak: 40k/s, trough: 4k/s, timezone: Europe/Berlin", at{0: 4000, 12 * time.Hour: 40000, 24 * time.Hour: 4000}, 0, Forever},
		"bytes":         {"start: 0MiB/s, stages: [{target: 2MiB/s, duration: 10s}]", at{5 * time.Second: 1 << 20}, 10 << 20, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			curve := curveOf(t, c.rate, morning)
			for at, want := range c.rates {
				if got := curve.Rate(at); math.Abs(got-want) > want*0.001 {
					t.Errorf("at %v: got %.1f/s, want %.1f/s", at, got, want)
				}
			}
			if curve.End() != c.end {
				t.Errorf("end: got %v, want %v", curve.End(), c.end)
			}
			if got := curve.Due(min(c.end, time.Hour)); c.due > 0 && math.Abs(got-c.due) > c.due*1e-6 {
				t.Errorf("got %.1f messages, want %.1f", got, c.due)
			}
			// When each is due agrees with how many are due by then, also across rounds.
			last := time.Duration(-1)
			for x := 0.0; x < 3*c.due; x += 1 + c.due/97 {
				due := curve.At(x)
				if due == Forever {
					if x < c.due-1 {
						t.Fatalf("message %.0f is never due", x)
					}
					break
				}
				if due < last || math.Abs(curve.Due(due)-x) > 0.01+x*1e-6 {
					t.Fatalf("message %.0f is due at %v (the one before at %v), by when %.3f are", x, due, last, curve.Due(due))
				}
				last = due
			}
		})
	}
}

func TestCurveOfAFile(t *testing.T) {
	dir := t.TempDir()
	read := func(text string, scale float64) (Curve, error) {
		f := filepath.Join(dir, "monday.csv")
		if err := os.WriteFile(f, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return readCurve(f, scale)
	}
	c, err := read("time,rate\n# quiet\n08:00,1k/s\n08:00:10,2000\n\n08:01,2k/s\n", 1.5)
	if err != nil {
		t.Fatal(err)
	}
	p := c.(Planned)
	if p.Rate(0) != 1500 || p.Rate(5*time.Second) != 2250 || p.Rate(30*time.Second) != 3000 || p.End() != time.Minute || p.Due(time.Minute) != 22500+150000 {
		t.Errorf("got %v, %v, %v until %v, %v in all", p.Rate(0), p.Rate(5*time.Second), p.Rate(30*time.Second), p.End(), p.Due(time.Minute))
	}
	if s := p.Stages(); len(s) != 1 || s[0].Over != time.Minute {
		t.Errorf("stages: got %+v, want one of a minute", s)
	}
	for text, want := range map[string]string{
		"":                              "monday.csv: want two lines",
		"0,1\n":                         "monday.csv: want two lines",
		"0,0\n10,0\n":                   "monday.csv: the rate is 0/s all the time",
		"0,1\n10\n":                     "monday.csv:2: want a time and a rate",
		"0,1\nsoon,5\n":                 "monday.csv:2: want a time and a rate",
		"0,1\n10,fast\n":                "monday.csv:2:4: want a rate in messages/s",
		"0,1\n10,1MiB/s\n":              "monday.csv:2:4: want a rate in messages/s",
		"10:00,1\n09:00,5\n":            "monday.csv:2: want a time behind 09:00's",
		"0,1\n10,5\n10,6\n":             "monday.csv:3: want a time behind 10's",
		"not,at all\nanything,at all\n": "monday.csv:2: want a time and a rate",
	} {
		if _, err := read(text, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func TestCaptureIsPlayedAgain(t *testing.T) {
	for _, name := range []string{"a.cap", "a.cap.gz"} {
		file := filepath.Join(t.TempDir(), name)
		var all []Captured
		for i := range 3000 { // 1000/s, then 2000/s
			at := time.Duration(i) * time.Millisecond
			if i > 1000 {
				at = time.Second + time.Duration(i-1000)*time.Millisecond/2
			}
			all = append(all, Captured{at, 100 + i%7, uint64(i % 5)})
		}
		if err := WriteCapture(file, "test", all); err != nil {
			t.Fatal(err)
		}
		got, is, err := ReadCapture(file)
		if err != nil || !is || len(got) != 3000 || got[2999] != all[2999] || got[5].Key != 0 {
			t.Fatalf("%s: got %d, %v, %v", name, len(got), is, err)
		}
		c := curveOf(t, "shape: replay, speed: 2x, capture: "+file, time.Time{})
		if c.At(1000) != 500*time.Millisecond || c.At(2000) != 750*time.Millisecond || c.At(3000) != Forever || c.Due(500*time.Millisecond) != 1000 {
			t.Errorf("message 1000 at %v, 2000 at %v, 3000 at %v; %v before 0.5 s", c.At(1000), c.At(2000), c.At(3000), c.Due(500*time.Millisecond))
		}
		if math.Abs(c.Peak()-2999) > 5 || c.End() <= c.At(2999) {
			t.Errorf("peak %v, end %v", c.Peak(), c.End())
		}
		size := mustParse(t, small+"size: {distribution: learned, file: "+file+"}\n")
		if _, err := size.Compile(); err == nil || !strings.Contains(err.Error(), "smallest") {
			t.Errorf("sizes of a capture below the smallest record: got %v", err)
		}
	}
	file := filepath.Join(t.TempDir(), "b.cap")
	for text, want := range map[string]string{
		captureHead + "\n":             "the capture has no messages",
		captureHead + "\n1,2\n":        "b.cap:2: want microseconds,bytes,key",
		captureHead + "\n1,2,zz\n":     "b.cap:2: want microseconds,bytes,key",
		captureHead + "\n5,2,\n4,2,\n": "b.cap:3: this message is before the one above it",
		"something else\n":             "",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, is, err := ReadCapture(file)
		if want == "" && (is || err != nil) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %v, %v, want %s", text, is, err, want)
		}
	}
}
