package output

import (
	"fmt"
	"strings"

	"weir/internal/results"
)

// Marker is the hidden line by which a bot finds the comment that it has to replace.
func Marker(name string) string {
	return "<!-- loadgen:" + strings.NewReplacer("--", "", "<", "", ">", "").Replace(name) + " -->"
}

// Markdown is for a job's summary and for one comment that is replaced: it begins with the [Marker] of the profile.
func Markdown(r results.Report) ([]byte, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n### loadgen %s: %s %s\n\n", Marker(r.Name), md(r.Name), icon(r), md(r.Verdict))
	if r.Reason != "" {
		fmt.Fprintf(&b, "%s\n\n", md(r.Reason))
	}
	b.WriteString("| | gate | |\n| --- | --- | --- |\n")
	for _, g := range r.Gates {
		fmt.Fprintf(&b, "| %s | %s: %s | %s |\n", signs[g.State], md(g.Group), md(g.Name), md(g.Text))
	}
	if r.Run != nil {
		b.WriteString("\n| figure | |\n| --- | ---: |\n")
		for _, f := range figures(r.Run) {
			fmt.Fprintf(&b, "| %s | %s |\n", md(f.Name), md(f.Value))
		}
		markdownStages(&b, r.Run)
	}
	if c := r.Compare; c != nil && len(c.Findings) > 0 {
		fmt.Fprintf(&b, "\n<details><summary>%d runs</summary>\n\n| metric | baseline | candidate | change | interval |\n| --- | ---: | ---: | ---: | --- |\n", len(c.Runs))
		for _, f := range c.Findings {
			base, cand := medians(f.Pairs)
			fmt.Fprintf(&b, "| %s%s | %.4g %s | %.4g %s | %+.1f %% | %+.1f %% to %+.1f %% |\n", md(f.Metric.Name), map[bool]string{true: " *"}[f.Metric.Gated], base, md(f.Metric.Unit), cand, md(f.Metric.Unit), 100*f.Estimate, 100*f.From, 100*f.To)
		}
		b.WriteString("\nChange: positive is worse. * decides.\n\n</details>\n")
	}
	fmt.Fprintf(&b, "\n<sub>`%s`, %s</sub>\n", strings.ReplaceAll(r.ID, "`", ""), r.At.UTC().Format("2006-01-02 15:04 MST"))
	return []byte(b.String()), nil
}

// icon is what is seen first: a change for the worse that fails no build is no good news either.
func icon(r results.Report) string {
	switch {
	case !r.Good:
		return "❌"
	case r.Compare != nil && r.Compare.Advised():
		return "⚠️"
	}
	return "✅"
}

func markdownStages(b *strings.Builder, r *results.Result) {
	if len(r.Stages) < 2 {
		return
	}
	fmt.Fprintf(b, "\n<details><summary>%d stages</summary>\n\n| %s |\n|%s\n", len(r.Stages), strings.Join(stageHead, " | "), strings.Repeat(" --- |", len(stageHead)))
	for _, s := range r.Stages {
		cells := stageLine(s)
		for i := range cells {
			cells[i] = md(cells[i])
		}
		fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
	}
	b.WriteString("\n</details>\n")
}

var mdEscape = strings.NewReplacer(`\`, `\\`, "|", `\|`, "<", "&lt;", ">", "&gt;", "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "@", "@\u200b")

// md makes text harmless: no table, no markup, nobody mentioned.
func md(s string) string { return mdEscape.Replace(oneLine(s)) }
