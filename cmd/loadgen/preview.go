package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/load"
	"weir/internal/project"
)

type previewOptions struct {
	overrides
	registry string
}

func newPreview(app *cli.App) *cobra.Command {
	var o previewOptions
	var samples int
	c := &cobra.Command{
		Use: "preview PROFILE", Short: "Say what a run would do, with sample records; no server needed", Args: cobra.ExactArgs(1),
		Example: "  loadgen preview demo\n  loadgen preview mine --rate 50k/s --samples 1",
		RunE:    func(c *cobra.Command, args []string) error { return preview(c.Context(), app, o, samples, args[0]) },
	}
	o.flags(c.Flags())
	c.Flags().StringVar(&o.registry, "registry", "", "registry that has the profile's schemas, in place of weir.yaml's")
	c.Flags().IntVar(&samples, "samples", 3, "number of sample records")
	return c
}

func preview(ctx context.Context, app *cli.App, o previewOptions, samples int, name string) error {
	pr, err := project.Open(".", app.Home)
	if err != nil {
		return err
	}
	p, err := readProfile(pr, name)
	if err != nil {
		return err
	}
	if err := o.apply(p); err != nil {
		return err
	}
	if err := p.Resolve(ctx, lookup(pr, o.registry)); err != nil {
		return err
	}
	v, err := load.NewPreview(p, samples)
	if err != nil {
		return cli.Usage(fmt.Errorf("profile %s: %w", p.Name, err), "")
	}
	return app.Result(v, previewText(v))
}

func previewText(v load.Preview) string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-9s %s\n", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(&b, "%s into %s\n", v.Profile, v.Topic)
	for i, s := range v.Stages {
		name := ""
		if i == 0 {
			name = "rate"
		}
		if i == mostStages {
			line("", "and %d more stages", len(v.Stages)-i)
			break
		}
		length := "until the volume is sent"
		if !s.Open {
			length = "in " + short(s.Over)
		}
		line(name, "%-10s %9s -> %9s %s", s.Name, rateText(s.From, v.Unit), rateText(s.To, v.Unit), length)
	}
	if v.Curve == nil {
		line("rate", "as fast as acknowledgements allow")
	} else {
		line("", "%s", sparkline(v))
	}
	messages, lasts := "not known beforehand", "not known beforehand"
	if v.Messages > 0 {
		messages = fmt.Sprintf("%s messages, %s", count(float64(v.Messages)), volume(float64(v.Bytes)))
	}
	if v.Duration > 0 {
		lasts = short(v.Duration)
	}
	line("volume", "%s", messages)
	line("lasts", "%s", lasts)
	for _, p := range v.Parts {
		if len(v.Parts) > 1 {
			line("part", "%s into %s: %.1f %% of the messages", p.Name, p.Topic, 100*p.Of)
		}
		line("size", "p50 %.0f B, p99 %.0f B, max %.0f B (whole Kafka values, of %d sampled)", p.Size.P50, p.Size.P99, p.Size.Max, p.Size.Count)
		if p.Keys > 0 {
			line("keys", "%s different ones of %s sampled; the fullest of %d partitions gets %.1f %%", count(float64(p.Keys)), count(float64(p.Size.Count)), p.Partitions, 100*p.Share)
		} else {
			line("keys", "none")
		}
		if len(p.Faults) > 0 {
			line("faults", "%s of %s sampled (on purpose)", faults(p.Faults), count(float64(p.Size.Count)))
		}
	}
	line("cost", "%.0f ns to make a record, %s/s on one core", v.NsRecord, count(1e9/v.NsRecord))
	for _, w := range v.Warnings {
		line("warning", "%s", w)
	}
	for _, s := range v.Samples {
		fmt.Fprintf(&b, "\nmessage %d%s, key %q, %d bytes\n", s.Number, labelOf(s), s.Key, s.Bytes)
		if s.Record != nil {
			fmt.Fprintf(&b, "  %s\n", s.Record)
		}
		fmt.Fprintf(&b, "  %s\n", s.Hex)
	}
	return b.String()
}

// mostStages is how many a preview names.
const mostStages = 12

func rateText(r float64, unit string) string {
	if unit == "bytes/s" {
		return volume(r) + "/s"
	}
	return count(r) + "/s"
}

// labelOf says which part of a mix a sample is from, and what is wrong with it.
func labelOf(s load.Sample) (label string) {
	if s.Stream != "" {
		label = " of " + s.Stream
	}
	if s.Fault != "" {
		label += " (" + string(s.Fault) + ")"
	}
	return label
}

// sparkline draws the curve over its length in one line.
func sparkline(v load.Preview) string {
	const width, bars = 48, "▁▂▃▄▅▆▇█"
	end, peak := v.Duration, v.Curve.Peak()
	if end == 0 || peak == 0 {
		return ""
	}
	var b strings.Builder
	for i := range width {
		level := v.Curve.Rate(end*time.Duration(i)/(width-1)) / peak
		b.WriteString(string([]rune(bars)[min(7, int(level*8))]))
	}
	return b.String()
}
