//go:build real

package real

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/internal/regress"
	"weir/test/real/parts"
)

// What a browser is asked about a page. Text must have the contrast of WCAG 2.1 AA, lines and marks that of graphics.
const lookAround = `(() => {
	const luminance = c => c.slice(0, 3).map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0);
	const rgb = s => (s.match(/[\d.]+/g) || []).map(Number);
	const ground = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length === 3 || c[3] > 0) return c; } return rgb(getComputedStyle(document.documentElement).backgroundColor); };
	const contrast = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
	const seen = e => { const r = e.getBoundingClientRect(); return r.width > 0 && r.height > 0; };
	const out = {overflow: document.scrollingElement.scrollWidth - innerWidth, pale: [], small: [], over: [], outside: [], figures: [], dots: document.querySelectorAll('.dot').length, strips: document.querySelectorAll('.strip').length};
	for (const e of document.querySelectorAll('body *')) {
		const text = [...e.childNodes].filter(n => n.nodeType === 3).map(n => n.textContent.trim()).join('');
		if (!text || !seen(e) || e.closest('svg')) continue;
		const style = getComputedStyle(e), size = parseFloat(style.fontSize), c = contrast(rgb(style.color), ground(e));
		if (c < (size >= 24 || size >= 18.6 && style.fontWeight >= 700 ? 3 : 4.5)) out.pale.push(text.slice(0, 40) + ' ' + c.toFixed(2));
		if (size < 11) out.small.push(text.slice(0, 40) + ' ' + size);
		const box = e.getBoundingClientRect();
		if (!e.closest('.wide') && !e.closest('pre') && (box.right > innerWidth + 0.5 || box.left < -0.5)) out.outside.push(text.slice(0, 40));
	}
	for (const e of document.querySelectorAll('svg path:not(.grid), .dot, .interval')) {
		const style = getComputedStyle(e), c = rgb(e.tagName === 'path' ? style.stroke : e.className === 'dot' ? style.borderTopColor : style.backgroundColor);
		if (contrast(c, ground(e.parentElement)) < 3) out.pale.push((e.getAttribute('class') || '') + ' line');
	}
	for (const axis of document.querySelectorAll('.xaxis, .yaxis, .lane')) {
		const boxes = [...axis.querySelectorAll('.axis')].map(e => [e.textContent, e.getBoundingClientRect()]);
		boxes.forEach(([t, a], i) => boxes.slice(i + 1).forEach(([u, b]) => { if (a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom) out.over.push(t + ' over ' + u); }));
	}
	for (const f of document.querySelectorAll('figure')) {
		const area = f.querySelector('.area').getBoundingClientRect(), shapes = [...f.querySelectorAll('svg path:not(.grid):not(.limit), svg rect')];
		const inside = shapes.filter(s => { const b = s.getBoundingClientRect(); return b.width + b.height > 1 && b.right > area.left && b.left < area.right && b.bottom > area.top - 1 && b.top < area.bottom + 1; });
		out.figures.push({title: f.querySelector('figcaption').firstChild.textContent.trim(), unit: f.querySelector('figcaption span').textContent.trim(), shapes: inside.length, width: area.width,
			x: f.querySelectorAll('.xaxis .axis').length, y: f.querySelectorAll('.yaxis .axis').length, xtitle: f.querySelector('.xtitle').textContent.trim(), lines: f.querySelectorAll('svg path:not(.grid):not(.limit)').length, legend: f.querySelectorAll('.legend span').length});
	}
	return JSON.stringify(out);
})()`

// seenPage is what it answers.
type seenPage struct {
	Overflow                   float64
	Pale, Small, Over, Outside []string
	Dots, Strips               int
	Figures                    []seenFigure
}

type seenFigure struct {
	Title, Unit, XTitle         string
	Shapes, X, Y, Lines, Legend int
	Width                       float64
}

// The report of a run, of a comparison and of a duet, as people see them: on a telephone and on a wide screen, by day and by night.
func TestReportsInABrowser(t *testing.T) {
	browser := parts.Chromium(t)
	dir := t.TempDir()
	if keep := os.Getenv("WEIR_SHOTS"); keep != "" { // pictures for people
		dir = keep
	}
	b := newBench(t, "embedded", "embedded")
	reports := map[string]struct {
		file  string
		plots []string
		dots  int
	}{
		"run":     {b.reportRun(dir), []string{"Rate", "Response time", "All response times", "Spectrum", "Generator", "Sizes", "Partitions"}, 0},
		"compare": {b.reportComparison(dir, "compare", 7), nil, 8 * 7},
		"duet":    {b.reportComparison(dir, "duet", 14), []string{"fresh_p50", "fresh_p99", "cpu"}, 3 * 14},
	}
	for name, r := range reports {
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int64{360, 1400} {
				t.Run(fmt.Sprintf("%s %s %d", name, scheme, width), func(t *testing.T) {
					p := browser.Open("file://"+r.file, width, scheme)
					shot := p.Shot()
					if os.Getenv("WEIR_SHOTS") != "" {
						if err := os.WriteFile(fmt.Sprintf("%s-%s-%d.png", strings.TrimSuffix(r.file, ".html"), scheme, width), shot, 0o600); err != nil {
							t.Fatal(err)
						}
					}
					var s seenPage
					if err := json.Unmarshal([]byte(parts.Eval[string](p, lookAround)), &s); err != nil {
						t.Fatal(err)
					}
					if all := slices.DeleteFunc(p.Requests(), func(u string) bool { return strings.HasPrefix(u, "data:") }); len(all) != 1 {
						t.Errorf("it asks for %v", all)
					}
					if e := p.Errors(); len(e) > 0 {
						t.Errorf("it complains: %v", e)
					}
					if dark := parts.Eval[bool](p, "matchMedia('(prefers-color-scheme: dark)').matches"); dark != (scheme == "dark") {
						t.Fatalf("the browser shows the other scheme")
					}
					if s.Overflow > 0 {
						t.Errorf("it is %v px wider than the screen", s.Overflow)
					}
					if len(s.Pale)+len(s.Small)+len(s.Over)+len(s.Outside) > 0 {
						t.Errorf("hard to read: too pale %v, too small %v, one over another %v, outside of the screen %v", s.Pale, s.Small, s.Over, s.Outside)
					}
					if s.Dots != r.dots {
						t.Errorf("the pair strips have %d dots, want %d", s.Dots, r.dots)
					}
					var titles []string
					for _, f := range s.Figures {
						titles = append(titles, f.Title)
						if f.Shapes == 0 || f.Unit == "" || f.XTitle == "" || f.X < 2 || f.Y < 2 || f.Width < 200 || f.Lines > 1 && f.Legend < f.Lines {
							t.Errorf("plot %+v: want a drawing, units, axes and a legend", f)
						}
					}
					if !slices.Equal(titles, r.plots) {
						t.Errorf("plots %v, want %v", titles, r.plots)
					}
				})
			}
		}
	}
}

// reportRun makes a run of two stages with a mark, a limit and a proof.
func (b *bench) reportRun(dir string) (file string) {
	b.t.Helper()
	file = filepath.Join(dir, "run.html")
	b.write("profiles/seen.yaml", `apiVersion: weir/v1
kind: LoadProfile
name: seen
warmup: 1s
rate: {arrival: poisson, start: 100/s, stages: [{name: ramp, duration: 3s, target: 600/s}, {name: steady, duration: 5s, target: 600/s}]}
topic: {name: bank.transactions, partitions: 12}
size: {distribution: lognormal, median: 500, p99: 3000, max: 20000}
thresholds: [{metric: response_ms, stat: p99, stage: steady, max: 60000}, {metric: lost, max: 0}]
verify: {destination: {drain_timeout: 1m}}
`)
	pipeline, _, _ := b.start("pipeline", "run", "transactions")
	time.Sleep(3 * time.Second) // real time: it serves the broker
	run, out, errs := b.start("loadgen", "run", "seen", "--json")
	time.Sleep(5 * time.Second) // real time: the run is under way
	mark, _, _ := b.start("loadgen", "tell", "mark", "a pod was restarted, which is a rather long text for a mark")
	_ = mark.Wait()
	var sent struct{ Run string }
	b.finish(run, out, errs, &sent, 0, 6) // a busy machine keeps no schedule, and has a report, too
	var proof struct{ Rows int64 }
	c, out, errs := b.start("loadgen", "verify", sent.Run, "--json", "--html", file)
	b.finish(c, out, errs, &proof, 0)
	_ = pipeline.Process.Signal(syscall.SIGINT)
	_ = pipeline.Wait()
	return file
}

// reportComparison judges made-up runs: a candidate that is slower in some metrics and scatters in others.
func (b *bench) reportComparison(dir, kind string, n int) (file string) {
	b.t.Helper()
	file = filepath.Join(dir, kind+".html")
	c := regress.Comparison{Profile: "ci-compare"}
	wave := func(i, k int) float64 { return 1 + 0.02*math.Sin(float64(5*i+3*k)) }
	values := func(build string, i int) map[string]float64 {
		v := map[string]float64{"p50": 4.2, "p99": 31, "p99.9": 80, "max": 140, "fresh_p50": 610, "fresh_p99": 1240, "cpu": 18.2, "drain": 1.1}
		for k, m := range []string{"p50", "p99", "p99.9", "max", "fresh_p50", "fresh_p99", "cpu", "drain"} {
			v[m] *= wave(i, k+len(build))
		}
		if build == regress.Candidate {
			v["fresh_p99"] *= 1.31
			v["cpu"] *= 0.9
			v["max"] *= 1 + 0.4*math.Sin(float64(i))
		}
		return v
	}
	if kind == "duet" {
		c.Window, c.Advisory = 10, "nothing proves that this machine treats both sides alike: `loadgen calibrate --duet` proves it, and --noise names its file"
	}
	for i := range n {
		for _, build := range []string{regress.Baseline, regress.Candidate} {
			v := values(build, i)
			if kind == "compare" {
				c.Runs = append(c.Runs, regress.Run{Build: build, Pair: i + 1, Round: 1, Values: v, Proven: true})
				continue
			}
			if i == 0 {
				c.Runs = append(c.Runs, regress.Run{Build: build, Round: 1, Values: map[string]float64{"fresh_p50": 610, "fresh_p99": 1240, "cpu": 18}, Windows: map[string][]float64{}, Proven: true})
			}
			r := &c.Runs[slices.Index([]string{regress.Baseline, regress.Candidate}, build)]
			for _, m := range []string{"fresh_p50", "fresh_p99", "cpu"} {
				r.Windows[m] = append(r.Windows[m], v[m])
			}
		}
	}
	text, err := json.Marshal(c)
	if err != nil {
		b.t.Fatal(err)
	}
	b.write(kind+"/comparison.json", string(text))
	var verdict struct{ Verdict string }
	cmd, out, errs := b.start("loadgen", "compare", "--from", kind, "--json", "--html", file)
	b.finish(cmd, out, errs, &verdict, 0, 4)
	if verdict.Verdict != "regressed" {
		b.t.Fatalf("%s: %s", kind, out)
	}
	return file
}
