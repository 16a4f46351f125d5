package output

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"slices"

	"weir/internal/regress"
	"weir/internal/results"
)

//go:embed report.html.tmpl
var reportText string

var report = template.Must(template.New("report").Funcs(template.FuncMap{
	"sign":  func(s results.State) string { return signs[s] },
	"sub":   func(a, b float64) float64 { return a - b },
	"inc":   func(i int) int { return i + 1 },
	"share": func(got, most float64) float64 { return min(100, max(0, 100*got/most)) },
	"tone":  func(v regress.Verdict) string { return tones[v] },
}).Parse(reportText))

// tones are the colours of verdicts.
var tones = map[regress.Verdict]string{regress.Improved: "good", regress.Unchanged: "plain", regress.Regressed: "bad", regress.Invalid: "bad", regress.Inconclusive: "unsure", regress.NoBaseline: "unsure", regress.SLO: "bad"}

// said are the verdicts in the words of a headline.
var said = map[string]string{
	"pass": "passed", "slo": "a limit is broken", "integrity": "the proof fails", "threshold": "a limit is broken", "failed": "messages failed",
	"no-baseline": "no baseline",
}

// page is what the template shows.
type page struct {
	results.Report
	Kind, Headline string
	Tone           string         // good, bad, unsure
	Shown          []results.Gate // those that no strip shows
	Figures        []figure
	Plots, Small   []plot
	Events         []figure
	StageHead      []string
	Stages         [][]string
	Machine        []figure
	Strips         []pairStrip
	Unit           string // of a strip's dots
	RunHead        []string
	Runs           [][]string
	When           string
	Profile        string
}

// HTML is one page that needs nothing else: no script, no request, light and dark, from a telephone to a wide screen.
func HTML(r results.Report) ([]byte, error) {
	p := page{Report: r, Kind: "load run", Headline: r.Verdict, Tone: "bad", StageHead: stageHead, When: r.At.UTC().Format("2006-01-02 15:04:05 MST")}
	if text, ok := said[r.Verdict]; ok {
		p.Headline = text
	}
	switch {
	case r.Good && r.Compare != nil && r.Compare.Advised(), r.Verdict == string(regress.Inconclusive), r.Verdict == string(regress.NoBaseline):
		p.Tone = "unsure"
	case r.Good:
		p.Tone = "good"
	}
	if r.Run != nil {
		if err := p.ofRun(r.Run); err != nil {
			return nil, err
		}
	}
	p.Shown = r.Gates
	if c := r.Compare; c != nil {
		p.Shown = slices.DeleteFunc(slices.Clone(r.Gates), func(g results.Gate) bool {
			return slices.ContainsFunc(c.Findings, func(f regress.Finding) bool {
				return g.Group == "compare" && g.Name == f.Metric.Name && len(f.Pairs) > 0
			})
		})
		p.Kind, p.Unit, p.Strips, p.Plots = "comparison of two builds", "pair of runs", stripsOf(c), duetPlots(c)
		p.RunHead, p.Runs = runTable(c)
		if c.Window > 0 {
			p.Kind, p.Unit = "duet of two builds", "window of time"
		}
	}
	var b bytes.Buffer
	if err := report.Execute(&b, p); err != nil {
		return nil, fmt.Errorf("html: %w", err)
	}
	return b.Bytes(), nil
}

func (p *page) ofRun(r *results.Result) error {
	all, err := plotsOf(r)
	if err != nil {
		return err
	}
	for _, x := range all {
		if x.Small {
			p.Small = append(p.Small, x)
		} else {
			p.Plots = append(p.Plots, x)
		}
	}
	for _, c := range r.Summary.Changes {
		p.Events = append(p.Events, figure{clock(c.At), c.What})
	}
	p.Figures, p.Profile = figures(r), r.Profile
	for _, s := range r.Stages {
		p.Stages = append(p.Stages, stageLine(s))
	}
	f := r.Fingerprint
	p.Machine = []figure{
		{"topic", r.Summary.Topic}, {"broker", f.Broker}, {"host", f.Host}, {"CPU", fmt.Sprintf("%d × %s", f.CPUs, f.CPU)}, {"system", f.OS + ", " + f.Kernel},
		{"loadgen", f.Build + ", " + f.Go}, {"profile", f.Profile}, {"fingerprint", f.Key()},
	}
	for _, flag := range r.Flags {
		p.Machine = append(p.Machine, figure{"flag", flag})
	}
	return nil
}
