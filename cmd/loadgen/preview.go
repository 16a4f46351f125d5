package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/kafka"
	"weir/internal/load"
	"weir/internal/project"
)

type previewOptions struct {
	overrides
	servers
	online, offline bool
	samples         int
}

func newPreview(app *cli.App) *cobra.Command {
	var o previewOptions
	c := &cobra.Command{
		Use: "preview PROFILE", Short: "Say what a run would do, with sample records; no server needed", Args: cobra.ExactArgs(1),
		Long: `preview draws the curve of a profile, adds its messages and bytes up, makes a few of them, and warns of what such a run could not
measure, or what would not hold it.

Where weir.yaml or the running pipeline of this home names a broker, it is asked too, for two seconds at most: retention, largest
message, partitions. A broker that does not answer then is left out; with --online it is an error, with --offline none is asked.`,
		Example: "  loadgen preview demo\n  loadgen preview mine --rate 50k/s --samples 1\n  loadgen preview skew --online",
		RunE:    func(c *cobra.Command, args []string) error { return preview(c.Context(), app, o, args[0]) },
	}
	o.overrides.flags(c.Flags())
	o.servers.flags(c.Flags())
	c.Flags().IntVar(&o.samples, "samples", 3, "number of sample records")
	c.Flags().BoolVar(&o.online, "online", false, "ask the broker, and fail where it does not answer")
	c.Flags().BoolVar(&o.offline, "offline", false, "ask no broker")
	return c
}

func preview(ctx context.Context, app *cli.App, o previewOptions, name string) error {
	pr, err := project.Open(".", app.Home)
	if err != nil {
		return err
	}
	if o.online && o.offline {
		return cli.Usage(errors.New("--online and --offline: expected one of them"), "")
	}
	if o.samples < 0 {
		return cli.Usage(fmt.Errorf("--samples: expected 0 or more, got %d", o.samples), "")
	}
	p, err := o.read(pr, name)
	if err != nil {
		return err
	}
	if err := p.Resolve(ctx, lookup(pr, o.registry)); err != nil {
		return err
	}
	v, err := load.NewPreview(p, o.samples)
	if err != nil {
		return cli.Usage(fmt.Errorf("profile %s: %w", p.Name, err), "")
	}
	v.Warnings = append(v.Warnings, roomFor(pr, v)...)
	if !o.offline {
		told, err := o.ask(ctx, pr, p, &v)
		if err != nil && o.online {
			return err
		}
		v.Warnings = append(v.Warnings, told...)
	}
	return app.Result(v, previewText(v))
}

// askWithin bounds how long a preview waits for a broker.
const askWithin = 2 * time.Second

// ask holds the profile against the broker, where one is named.
func (o *previewOptions) ask(ctx context.Context, pr *project.Project, p *load.Profile, v *load.Preview) (warnings []string, err error) {
	o.override(pr)
	brokers, _, err := pr.Resolve()
	if err != nil {
		return nil, err
	}
	if !o.online {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, askWithin)
		defer cancel()
	}
	cl, err := kafka.Connect(brokers)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	if err := kafka.Ping(ctx, cl); err != nil {
		return nil, err
	}
	v.Asked = brokers.Brokers.String()
	for _, s := range p.Findings(p.Ask(ctx, cl), v) {
		if !s.OK || s.Warn {
			warnings = append(warnings, fmt.Sprintf("topic %s; %s", s.Said, s.Hint))
		}
	}
	return warnings, nil
}

// roomFor warns where the run's bytes would not fit on the disk that holds the tables, and the embedded broker's topics too.
func roomFor(pr *project.Project, v load.Preview) []string {
	dir := pr.Lake().Warehouse
	if strings.Contains(dir, "://") {
		return nil
	}
	for { // it is made by the first table
		if _, err := os.Stat(dir); err == nil || filepath.Dir(dir) == dir {
			break
		}
		dir = filepath.Dir(dir)
	}
	var disk syscall.Statfs_t
	if err := syscall.Statfs(dir, &disk); err != nil {
		return nil
	}
	if free := int64(disk.Bavail) * disk.Bsize; v.Bytes > free {
		return []string{fmt.Sprintf("the run sends %s, the disk of %s has %s free: tables are smaller than messages, but perhaps not by so much", volume(float64(v.Bytes)), pr.Lake().Warehouse, volume(float64(free)))}
	}
	return nil
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
		for _, l := range chart(v) {
			line("", "%s", l)
		}
	}
	messages, lasts := "not known beforehand", "not known beforehand"
	if v.Messages > 0 {
		messages = fmt.Sprintf("%s messages, %s", count(float64(v.Messages)), volume(float64(v.Bytes)))
	}
	if v.Duration > 0 {
		lasts = short(v.Duration)
	}
	line("volume", "%s", messages)
	if v.Warmup > 0 {
		lasts += fmt.Sprintf(", of which %s are the warm-up: sent and proven, but not timed", short(v.Warmup))
	}
	line("lasts", "%s", lasts)
	for _, p := range v.Parts {
		if len(v.Parts) > 1 {
			line("part", "%s into %s: %.1f %% of the messages", p.Name, p.Topic, 100*p.Of)
		}
		line("size", "p50 %.0f B, p99 %.0f B, max %.0f B (whole Kafka values, of %d sampled)", p.Size.P50, p.Size.P99, p.Size.Max, p.Size.Count)
		if p.Keys > 0 {
			line("keys", "%s different ones of %s sampled; the fullest of %d partitions gets %.1f %%  %s", count(float64(p.Keys)), count(float64(p.Size.Count)), p.Partitions, 100*p.Share, bars(p.Shares))
		} else {
			line("keys", "none")
		}
		if len(p.Faults) > 0 {
			line("faults", "%s of %s sampled (on purpose)", faults(p.Faults), count(float64(p.Size.Count)))
		}
	}
	if v.Asked != "" {
		line("asked", "the broker at %s", v.Asked)
	}
	line("cost", "%.0f ns to make a record, %s/s on one core", v.NsRecord, count(1e9/v.NsRecord))
	for _, w := range v.Warnings {
		line("warning", "%s", w)
	}
	for _, s := range v.Samples {
		fmt.Fprintf(&b, "\nmessage %d%s, key %q, %d bytes\n", s.Number, labelOf(s), s.Key, s.Bytes)
		if s.Record != nil {
			fmt.Fprintf(&b, "  %s\n", clipped(string(s.Record), "json"))
		}
		fmt.Fprintf(&b, "  %s\n", clipped(s.Hex, "hex"))
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

// mostShown of a record are letters that a person reads; --json has all of it.
const mostShown = 640

func clipped(s, what string) string {
	if len(s) <= mostShown {
		return s
	}
	return fmt.Sprintf("%s … (%s letters of %s; --json has all)", strings.ToValidUTF8(s[:mostShown], ""), count(float64(len(s))), what)
}
