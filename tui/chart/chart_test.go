package chart

import (
	"flag"
	"math"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"weir/tui/style"
)

var update = flag.Bool("update", false, "rewrite the golden file")

func TestSpark(t *testing.T) {
	for _, tc := range []struct {
		name   string
		values []float64
		width  int
		top    float64
		want   string
	}{
		{"nothing", nil, 3, 0, "   "},
		{"now is at the right", []float64{1, 8}, 4, 0, "  ▁█"},
		{"scaled to a given top", []float64{1, 2}, 2, 8, "▁▂"},
		{"a peak survives", []float64{0, 0, 9, 0, 0, 0}, 3, 0, "▁█▁"},
		{"gaps", []float64{8, math.NaN(), 8}, 3, 0, "█ █"},
		{"zeros are values", []float64{0, 0}, 2, 0, "▁▁"},
	} {
		if got := Spark(tc.values, tc.width, tc.top, style.Braille); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestBar(t *testing.T) {
	for _, tc := range []struct {
		share float64
		want  string
	}{{0, "    "}, {1, "████"}, {0.5, "██  "}, {0.53, "██▏ "}, {7, "████"}, {-1, "    "}, {math.NaN(), "    "}} {
		if got := Bar(tc.share, 4, style.Blocks); got != tc.want {
			t.Errorf("bar %v: got %q, want %q", tc.share, got, tc.want)
		}
	}
}

// TestWidths: whatever goes in, what comes out has the size that was asked for.
func TestWidths(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		level := style.Level(rapid.IntRange(0, 2).Draw(t, "level"))
		w, h := rapid.IntRange(0, 40).Draw(t, "w"), rapid.IntRange(0, 10).Draw(t, "h")
		values := rapid.SliceOf(rapid.Float64()).Draw(t, "values")
		if n := utf8.RuneCountInString(Spark(values, w, rapid.Float64().Draw(t, "top"), level)); n != w {
			t.Fatalf("spark has %d cells, want %d", n, w)
		}
		if n := utf8.RuneCountInString(Bar(rapid.Float64().Draw(t, "share"), w, level)); n != w {
			t.Fatalf("bar has %d cells, want %d", n, w)
		}
		f := Figure{Top: rapid.Float64().Draw(t, "figure top"), Now: rapid.Float64().Draw(t, "now"), Plan: func(x float64) float64 { return x * 10 }}
		f.Peaks, f.Rule = rapid.Bool().Draw(t, "peaks"), rapid.Float64().Draw(t, "rule")
		f.Marks = rapid.SliceOf(rapid.Float64()).Draw(t, "marks")
		for _, v := range values {
			f.Got = append(f.Got, Point{X: rapid.Float64().Draw(t, "x"), Y: v})
			f.Beside = append(f.Beside, Point{X: rapid.Float64Range(-1, 2).Draw(t, "beside x"), Y: v})
		}
		if n := utf8.RuneCountInString(SparkAt(f.Beside, w, f.Top, level)); n != w {
			t.Fatalf("a spark of points has %d cells, want %d", n, w)
		}
		span := Span{rapid.Float64().Draw(t, "estimate"), rapid.Float64().Draw(t, "from"), rapid.Float64().Draw(t, "to"), rapid.Float64().Draw(t, "floor"), rapid.Float64().Draw(t, "scale")}
		if n := len(Interval(span, w, level)); n != w {
			t.Fatalf("an interval has %d cells, want %d", n, w)
		}
		rows := Plot(f, w, h, level)
		if len(rows) != h {
			t.Fatalf("%d rows, want %d", len(rows), h)
		}
		for _, r := range rows {
			if len(r) != w {
				t.Fatalf("a row of %d cells, want %d", len(r), w)
			}
		}
	})
}

func TestNice(t *testing.T) {
	for v, want := range map[float64]float64{0: 1, 0.7: 0.8, 1: 1, 12: 15, 510_000: 600_000, 999: 1000, math.NaN(): 1} {
		if got := Nice(v); math.Abs(got-want) > 1e-9*want {
			t.Errorf("nice %v: got %v, want %v", v, got, want)
		}
	}
}

func TestColumns(t *testing.T) {
	for _, tc := range []struct {
		name          string
		values        []float64
		width, height int
		level         style.Level
		want          string
	}{
		{"one column a value", []float64{0, 1, 8, 16}, 4, 2, style.Blocks, "   █| ▁██"},
		{"wide columns have gaps", []float64{8, 4}, 6, 1, style.Blocks, "██ ▄▄ "},
		{"a little is seen", []float64{1e9, 1}, 2, 1, style.Blocks, "█▁"},
		{"in ASCII", []float64{8, 4}, 6, 1, style.ASCII, "@@ == "},
		{"nothing", nil, 4, 1, style.Blocks, ""},
		{"odd", []float64{math.NaN(), math.Inf(1), 1}, 3, 1, style.Blocks, "  █"},
	} {
		if got := strings.Join(Columns(tc.values, tc.width, tc.height, tc.level), "|"); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

func text(cells []Cell) string {
	var b strings.Builder
	for _, k := range cells {
		if k.Mark == None {
			k.Rune = ' '
		}
		b.WriteRune(k.Rune)
	}
	return b.String()
}

func TestInterval(t *testing.T) {
	for _, tc := range []struct {
		name  string
		span  Span
		width int
		want  string
	}{
		{"around nought, within the floors", Span{0, -0.05, 0.05, 0.1, 0.2}, 21, "     ┊ ━━━●━━━ ┊     "},
		{"plainly worse", Span{0.15, 0.11, 0.18, 0.1, 0.2}, 21, "     ┊    │    ━━●━━ "},
		{"better", Span{-0.1, -0.15, -0.05, 0.03, 0.2}, 21, "   ━━●━━┊ │ ┊        "},
		{"nothing measured", Span{math.NaN(), 0, 0, 0.1, 0.2}, 21, "     ┊    │    ┊     "},
		{"beyond the scale", Span{9, -9, 9, 0.1, 0.2}, 11, "◀━━━━━━━━━▶"},
		{"no scale", Span{0, 0, 0, 0, 0}, 5, "     "},
		{"too narrow", Span{0, 0, 0, 0, 1}, 4, "    "},
	} {
		if got := text(Interval(tc.span, tc.width, style.Braille)); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

// A spike that shares its column with quiet seconds must not vanish from a curve of peaks.
func TestPeaksSurvive(t *testing.T) {
	points := make([]Point, 100)
	for i := range points {
		points[i] = Point{X: float64(i) / 100, Y: 1}
	}
	points[50].Y = 100
	if got := SparkAt(points, 10, 0, style.Braille); got != "▁▁▁▁▁█▁▁▁▁" {
		t.Errorf("got %q", got)
	}
	for _, peaks := range []bool{true, false} {
		top := Plot(Figure{Top: 100, Got: points, Peaks: peaks}, 10, 5, style.ASCII)[0]
		if seen := strings.Contains(text(top), "*"); seen != peaks {
			t.Errorf("peaks %v: the spike reaches the top line: %v", peaks, seen)
		}
	}
}

func TestRuleAndMarks(t *testing.T) {
	rows := Plot(Figure{Top: 100, Rule: 50, Marks: []float64{0.5, 1.5, math.NaN()}, Beside: []Point{{0, 90}, {1, 90}}}, 8, 4, style.Braille)
	want := []string{"· · · · ", "╌╌╌╌╌╌╌╌", "    ┊   ", "    ┊   "}
	for i, r := range rows {
		if got := text(r); got != want[i] {
			t.Errorf("line %d: got %q, want %q", i, got, want[i])
		}
	}
	if rows := Plot(Figure{Top: 100, Rule: 101}, 8, 4, style.Braille); text(rows[0]) != "        " {
		t.Error("a limit above the axis is drawn on it")
	}
}

// TestPlot: the same curve at the three levels, as people see it.
func TestPlot(t *testing.T) {
	f := Figure{Top: 100, Now: 0.7, Plan: func(x float64) float64 { return math.Min(90, 300*x) }}
	for x := 0.0; x <= 0.7; x += 0.01 {
		y := math.Min(88, 290*x)
		if x > 0.45 && x < 0.5 {
			y = 30
		}
		f.Got = append(f.Got, Point{x, y})
	}
	var b strings.Builder
	for name, level := range []style.Level{style.ASCII, style.Blocks, style.Braille} {
		b.WriteString([]string{"ascii\n", "blocks\n", "braille\n"}[name])
		for _, row := range Plot(f, 50, 8, level) {
			for _, k := range row {
				if k.Mark == None {
					k.Rune = ' '
				}
				b.WriteRune(k.Rune)
			}
			b.WriteString("|\n")
		}
	}
	const path = "testdata/plot.golden"
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
