package output

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"

	"weir/internal/regress"
	"weir/internal/results"
)

//go:embed report.html.tmpl
var reportText string

var report = template.Must(template.New("report").Funcs(template.FuncMap{
	"sign":   func(s results.State) string { return signs[s] },
	"number": number,
	"sub":    func(a, b float64) float64 { return a - b },
}).Parse(reportText))

// page is what the template shows.
type page struct {
	results.Report
	Figures   []figure
	Plots     []plot
	StageHead []string
	Stages    [][]string
	Machine   []figure
	Strips    []pairStrip
	Runs      []regress.Run
	When      string
	Profile   string
}

// HTML is one page that needs nothing else: no script, no request, light and dark, from a telephone to a wide screen.
func HTML(r results.Report) ([]byte, error) {
	p := page{Report: r, StageHead: stageHead, When: r.At.UTC().Format("2006-01-02 15:04:05 MST")}
	if r.Run != nil {
		var err error
		if p.Plots, err = plotsOf(r.Run); err != nil {
			return nil, err
		}
		p.Figures, p.Profile = figures(r.Run), r.Run.Profile
		for _, s := range r.Run.Stages {
			p.Stages = append(p.Stages, stageLine(s))
		}
		f := r.Run.Fingerprint
		p.Machine = []figure{
			{"topic", r.Run.Summary.Topic}, {"broker", f.Broker}, {"host", f.Host}, {"CPU", fmt.Sprintf("%d × %s", f.CPUs, f.CPU)}, {"system", f.OS + ", " + f.Kernel},
			{"loadgen", f.Build + ", " + f.Go}, {"profile", f.Profile}, {"fingerprint", f.Key()},
		}
		for _, flag := range r.Run.Flags {
			p.Machine = append(p.Machine, figure{"flag", flag})
		}
	}
	if r.Compare != nil {
		p.Strips, p.Runs = stripsOf(r.Compare), r.Compare.Runs
	}
	var b bytes.Buffer
	if err := report.Execute(&b, p); err != nil {
		return nil, fmt.Errorf("html: %w", err)
	}
	return b.Bytes(), nil
}
