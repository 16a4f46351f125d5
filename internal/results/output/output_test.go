package output

import (
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/google/go-cmp/cmp"

	"weir/internal/load"
	"weir/internal/regress"
	"weir/internal/results"
	"weir/internal/verify"
)

var update = flag.Bool("update", false, "rewrite testdata/*.golden")

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// sampleRun is a run of 40 s whose broker stalls in the second half of its second stage.
func sampleRun(tb testing.TB) *results.Result {
	tb.Helper()
	hist := func() *hdrhistogram.Histogram { return hdrhistogram.New(1, 3_600_000_000, 3) }
	rec := &load.Record{Started: noon, Ended: noon.Add(41 * time.Second), Every: time.Second, Response: hist(), Service: hist(), Lag: hist(), Size: hist()}
	for s := range 40 {
		packed := hdrhistogram.NewPacked(1, 3_600_000_000, 3)
		base := int64(3000)
		if s >= 30 && s < 34 {
			base = 400_000 - 90_000*int64(s-30)
		}
		for i := range int64(100) {
			v := base + i*i*3
			_ = packed.RecordValue(v)
			_ = rec.Response.RecordValue(v)
			_ = rec.Service.RecordValue(min(v, 34_000))
			_ = rec.Lag.RecordValue(20 + i)
			_ = rec.Size.RecordValue(240 + i)
		}
		p99 := float64(packed.ValueAtPercentile(99)) / 1000
		rec.Intervals = append(rec.Intervals, load.Interval{Start: time.Duration(s) * time.Second, End: time.Duration(s+1) * time.Second, Response: packed})
		rec.Seconds = append(rec.Seconds, load.Second{T: float64(s + 1), Target: 100, Rate: 100, Acked: 99, Count: 100, P50: float64(base) / 1000, P99: p99, P999: p99, Max: p99, Service: 34, Lag: 0.1, InFlight: 3})
	}
	rec.Limits = []load.Threshold{{Metric: "response_ms", Stat: "p99", Max: 100, Stage: "steady"}, {Metric: "lost"}, {Metric: "freshness_s", Stat: "p99", Max: 10}}
	rec.Partitions = []load.PartitionCount{{Topic: "orders", Partition: 0, Messages: 3000}, {Topic: "orders", Partition: 1, Messages: 1000}}
	q := func(p50, p99, most float64) load.Quantiles {
		return load.Quantiles{Count: 4000, P50: p50, P90: p50 * 2, P99: p99, P999: most, Max: most}
	}
	rec.Stages = []load.StageSummary{
		{Name: "ramp", Seconds: 20, Target: 100, Rate: 100, Sent: 2000, Response: q(10.5, 32.4, 32.4), Service: q(10.5, 32.4, 32.4)},
		{Name: "steady", StartS: 20, Seconds: 20, Target: 100, Rate: 99.5, Sent: 2000, Response: q(10.5, 410, 429), Service: q(10.5, 34, 34)},
	}
	rec.Summary = load.Summary{
		Run: "01K8ZJ9V4T8QH0M6W2X3Y5A7BC", Profile: "average-load", Topic: "orders", Sent: 4000, Acked: 4000, Rate: 99.8, Target: 100, MBs: 0.029, Seconds: 40, CPU: 0.31,
		P50: 10.5, P99: 380, Max: 429, Response: q(10.5, 380, 429), Service: q(10.5, 34, 34), Lag: q(0.07, 0.12, 0.12), Size: q(290, 338, 339), LatencyOf: "response from the intended send to the acknowledgement",
		Verdict: load.VerdictSLO, Reason: "response_ms p99 of steady is 410, the profile allows 100",
		Thresholds: []load.Check{
			{Name: "response_ms p99 of ramp", Metric: "response_ms", Stat: "p99", Stage: "ramp", Max: 100, Got: 32.4, Margin: 0.676, OK: true, Measured: true},
			{Name: "response_ms p99 of steady", Metric: "response_ms", Stat: "p99", Stage: "steady", Max: 100, Got: 410, Margin: -3.1, Measured: true},
		},
		Changes: []load.Change{{At: 30, What: "mark: <script>alert(1)</script> | 50 %"}},
	}
	r, err := results.New(rec, "name: average-load # <b>\n", []string{"--rate 100/s"}, results.Fingerprint{Host: "m7g.large", CPU: "Some CPU", CPUs: 2, OS: "linux/arm64", Kernel: "6.1.0", Broker: "v3.9", Go: "go1.26", Build: "abc"})
	if err != nil {
		tb.Fatal(err)
	}
	r.Proof = &verify.Result{Run: r.Run, Sent: 4000, Rows: 3999, Lost: 1, ReadableRows: 3999, ReadableP50: 4000, ReadableP99: 9000, ReadableMax: 9900}
	return r
}

// sampleComparison: p99 is 30 % worse, cpu the same, drain scatters.
func sampleComparison(tb testing.TB) *regress.Comparison {
	tb.Helper()
	var runs []regress.Run
	for i := range 6 {
		for _, build := range []string{regress.Baseline, regress.Candidate} {
			v := map[string]float64{"p99": 100 + float64(i*3%5), "cpu": 5 + 0.01*float64(i%3), "drain": 2 + 0.5*float64(i*7%4)}
			if build == regress.Candidate {
				v["p99"] *= 1.3 + 0.01*float64(i)
				v["drain"] = 3 - 0.3*float64(i%3)
			}
			runs = append(runs, regress.Run{Build: build, Pair: i + 1, Round: 1, Values: v, Proven: true})
		}
	}
	c, err := regress.Judge([]regress.Metric{
		{Name: "p99", Unit: "ms", Better: regress.Low, Floor: 0.1, Absolute: 5, Gated: true}, {Name: "cpu", Unit: "s/M", Better: regress.Low, Floor: 0.03, Gated: true},
		{Name: "drain", Unit: "s", Better: regress.Low, Floor: 0.1, Absolute: 0.1},
	}, runs)
	if err != nil {
		tb.Fatal(err)
	}
	return &c
}

func reports(tb testing.TB) map[string]results.Report {
	return map[string]results.Report{"run": results.OfRun(sampleRun(tb)), "compare": results.OfComparison("ci", "compare/7", noon, sampleComparison(tb))}
}

func TestFormats(t *testing.T) {
	formats := map[string]func(results.Report) ([]byte, error){
		"junit.xml": JUnit, "md": Markdown, "annotations": Annotations, "openmetrics": OpenMetrics, "hlog": HLog, "bench": BenchFmt, "bench.json": BenchJSON, "html": HTML,
	}
	for name, r := range reports(t) {
		for ext, format := range formats {
			got, err := format(r)
			if errors.Is(err, ErrNoRun) && name == "compare" && ext == "hlog" {
				continue
			}
			if err != nil {
				t.Fatalf("%s of %s: %v", ext, name, err)
			}
			golden(t, name+"."+ext, got)
		}
	}
	e, err := results.EntryOf(sampleRun(t))
	if err != nil {
		t.Fatal(err)
	}
	other := e
	other.Run, other.At, other.Values = "01K8ZJ9V4T8QH0M6W2X3Y5A7BD", noon.Add(time.Hour), map[string]float64{"p50": 11}
	got, err := Otava([]results.Entry{e, other})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "otava.csv", got)
	if rows, err := csv.NewReader(bytes.NewReader(got)).ReadAll(); err != nil || len(rows) != 3 {
		t.Errorf("otava: %d rows, %v", len(rows), err)
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (-want +got):\n%s", file, d)
	}
}

// The sums that a CI server shows are those of the gates, and a text of a profile stays a text.
func TestJUnitCounts(t *testing.T) {
	r := results.OfRun(sampleRun(t))
	r.Gates = append(r.Gates, results.Gate{Group: "threshold", Name: `a "<name>"`, State: results.Invalid, Text: "]]> & \x01 nothing"})
	b, err := JUnit(r)
	if err != nil {
		t.Fatal(err)
	}
	var s junitSuites
	if err := xml.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	// one threshold and one lost row fail
	if s.Tests != len(r.Gates) || s.Failures != 2 || s.Errors != 1 || len(s.Suites[0].Cases) != len(r.Gates) {
		t.Errorf("got %d tests, %d failures, %d errors of %d gates\n%s", s.Tests, s.Failures, s.Errors, len(r.Gates), b)
	}
	if last := s.Suites[0].Cases[len(r.Gates)-1]; last.Name != `a "<name>"` || last.Error == nil || !strings.HasPrefix(last.Error.Text, "]]> & ") {
		t.Errorf("got %+v", last)
	}
}

func TestMarkdownIsHarmless(t *testing.T) {
	r := results.OfRun(sampleRun(t))
	r.Reason = "see @team\n| <img src=x> |"
	b, err := Markdown(r)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(b); !strings.HasPrefix(got, "<!-- loadgen:average-load -->\n") || strings.Contains(got, "<img") || strings.Contains(got, "@team") || strings.Contains(got, "\n| <") {
		t.Errorf("got %s", got)
	}
	if m := Marker("a --> <b>"); strings.Count(m, "-->") != 1 {
		t.Errorf("got %s", m)
	}
}

// A generator that took the whole machine may be what was measured: such a run is no baseline, and its report warns.
func TestAStrainedGenerator(t *testing.T) {
	r := sampleRun(t)
	r.Summary.Verdict = "pass"
	if why := r.Usable(); why != "" {
		t.Errorf("with CPU to spare: %s", why)
	}
	r.Summary.CPU = 0.9 * 2 * r.Summary.Seconds // of two
	if why := r.Usable(); !strings.HasPrefix(why, "the generator took 90 % of this machine's CPU") {
		t.Errorf("got %q", why)
	}
	if b, err := Annotations(results.OfRun(r)); err != nil || !strings.Contains(string(b), "::warning title=loadgen average-load the generator had CPU to spare::") {
		t.Errorf("%v\n%s", err, b)
	}
	r.Summary.Seconds, r.Summary.CPU = 0.5, 5
	if why := r.Usable(); why != "" {
		t.Errorf("a run of half a second: %s", why)
	}
}

// A change for the worse that fails no build is neither a success nor a failure.
func TestAdviceLooksLikeAdvice(t *testing.T) {
	c := sampleComparison(t)
	c.Advisory = "not calibrated"
	r := results.OfComparison("ci", "7", noon, c)
	md, err := Markdown(r)
	if err != nil || !r.Good || !strings.Contains(string(md), "### loadgen ci: ⚠️ regressed") || !strings.Contains(string(md), "it fails no build: not calibrated") {
		t.Errorf("good %v, %v\n%s", r.Good, err, md)
	}
	lines, err := Annotations(r)
	if err != nil || strings.Contains(string(lines), "::error") || !strings.Contains(string(lines), "::warning title=loadgen ci p99::") {
		t.Errorf("%v\n%s", err, lines)
	}
	junit, err := JUnit(r)
	if err != nil || !strings.Contains(string(junit), `failures="0"`) {
		t.Errorf("%v\n%s", err, junit)
	}
}

func TestAnnotationsStayOnTheirLine(t *testing.T) {
	r := results.Report{Name: "a,b:c", Gates: []results.Gate{{Name: "x", State: results.Fail, Text: "100 %\n::error::fake"}}}
	b, err := Annotations(r)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(b), "::error title=loadgen a%2Cb%3Ac x::100 %25%0A::error::fake\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A .hlog is read back by the library's reader: every message of every interval is there.
func TestHLogIsReadBack(t *testing.T) {
	run := sampleRun(t)
	b, err := HLog(results.OfRun(run))
	if err != nil {
		t.Fatal(err)
	}
	reader := hdrhistogram.NewHistogramLogReader(bytes.NewReader(b))
	whole, n := hdrhistogram.New(1, 3_600_000_000, 3), 0
	for {
		h, err := reader.NextIntervalHistogram()
		if errors.Is(err, io.EOF) || h == nil {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		whole.Merge(h)
		n++
	}
	want, err := run.Histogram(results.Response)
	if err != nil {
		t.Fatal(err)
	}
	if n != 40 || whole.TotalCount() != want.TotalCount() || whole.ValueAtPercentile(99) != want.ValueAtPercentile(99) || whole.Max() != want.Max() {
		t.Errorf("got %d intervals with %d messages, p99 %d; want 40, %d, %d", n, whole.TotalCount(), whole.ValueAtPercentile(99), want.TotalCount(), want.ValueAtPercentile(99))
	}
}

// One page, nothing to fetch, no script, and what a mark says is a text.
func TestHTMLNeedsNothing(t *testing.T) {
	for name, r := range reports(t) {
		b, err := HTML(r)
		if err != nil {
			t.Fatal(err)
		}
		s := string(b)
		for _, bad := range []string{"<script", "http://", "https://", "src=", "@import", "url(", "ZgotmplZ", "NaN", "Inf"} {
			if strings.Contains(s, bad) {
				t.Errorf("%s: it holds %q", name, bad)
			}
		}
		for _, href := range regexp.MustCompile(`href="[^"]*"`).FindAllString(s, -1) {
			if !strings.HasPrefix(href, `href="data:`) {
				t.Errorf("%s: it links %s", name, href)
			}
		}
		for _, tag := range []string{"figure", "svg", "table", "div", "span", "dl"} {
			if a, b := strings.Count(s, "<"+tag+" ")+strings.Count(s, "<"+tag+">"), strings.Count(s, "</"+tag+">"); a != b {
				t.Errorf("%s: %d <%s> and %d </%s>", name, a, tag, b, tag)
			}
		}
		if !strings.Contains(s, "prefers-color-scheme: dark") || !strings.Contains(s, `name="viewport"`) {
			t.Errorf("%s: it does not fit the reader's screen", name)
		}
	}
	run, err := HTML(results.OfRun(sampleRun(t)))
	if err != nil {
		t.Fatal(err)
	}
	for _, title := range []string{"Rate", "Response time", "All response times", "Spectrum", "Sizes", "Partitions", "Generator"} {
		if !bytes.Contains(run, []byte("<figcaption>"+title+" ")) {
			t.Errorf("the report has no plot %s", title)
		}
	}
	if n := bytes.Count(run, []byte(`class="heat"`)); n < 80 {
		t.Errorf("the heat map has %d cells", n)
	}
}

// A run of which nothing was timed still has a page.
func TestAnEmptyRunHasAllFormats(t *testing.T) {
	hist := func() *hdrhistogram.Histogram { return hdrhistogram.New(1, 3_600_000_000, 3) }
	r, err := results.New(&load.Record{Response: hist(), Service: hist(), Lag: hist(), Size: hist()}, "", nil, results.Fingerprint{})
	if err != nil {
		t.Fatal(err)
	}
	for name, format := range map[string]func(results.Report) ([]byte, error){"junit": JUnit, "md": Markdown, "annotations": Annotations, "openmetrics": OpenMetrics, "hlog": HLog, "bench": BenchFmt, "bench.json": BenchJSON, "html": HTML} {
		b, err := format(results.OfRun(r))
		if err != nil || bytes.Contains(b, []byte("NaN")) {
			t.Errorf("%s: %v\n%s", name, err, b)
		}
	}
	if _, err := results.EntryOf(r); err == nil {
		t.Error("a run without a figure has an entry")
	}
}

func TestScales(t *testing.T) {
	for _, v := range []float64{0.003, 0.9, 1, 7, 99, 1234, 5e7} {
		if s := linear(v); s.high < v || s.high > 2.6*v {
			t.Errorf("linear to %v ends at %v", v, s.high)
		}
		if n := len(linear(v).ticks(short)); n < 3 || n > 8 {
			t.Errorf("linear to %v has %d ticks", v, n)
		}
		if s := logarithmic(v/50, v); s.low > max(v/50, 1e-3) || s.high < v {
			t.Errorf("logarithmic to %v: %+v", v, s)
		}
	}
	if got := line(3, func(i int) float64 { return float64(i) }, func(i int) float64 { return []float64{1, math.NaN(), 2}[i] }); got != "M0.0 1.0M2.0 2.0" {
		t.Errorf("a gap is drawn as %s", got)
	}
	if got := strings.Join([]string{short(1234), short(0.5), short(2.5e6)}, " "); got != "1.23k 0.5 2.5M" {
		t.Errorf("got %s", got)
	}
}
