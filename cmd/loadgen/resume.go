package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/cli"
	"weir/internal/control"
	"weir/internal/kafka"
	"weir/internal/load"
	"weir/internal/project"
)

// resumeOptions are the flags of resume.
type resumeOptions struct {
	servers
	outputs
	out string
}

func newResume(app *cli.App) *cobra.Command {
	var o resumeOptions
	c := &cobra.Command{
		Use: "resume [RUN]", Short: "Go on with a run whose generator was killed or stopped", Args: cobra.MaximumNArgs(1),
		Long: `resume goes on with a run of this home, the newest one if none is named, after its generator was killed, stopped or lost its machine.

It reads in the topics what of the run has arrived, sends what had been handed over and never arrived, and goes on with the schedule
where it stood, as after a pause. Afterwards each message is in its topic once and in order, and ` + "`loadgen verify`" + ` knows of all.
The figures of time are those of the part that is sent now: such a run is no baseline.`,
		Example: "  loadgen resume\n  loadgen resume 01K8ZJ9V4T8QH0M6W2X3Y5A7BC --brokers kafka:9092",
		RunE: func(c *cobra.Command, args []string) error {
			return o.run(c.Context(), app, strings.Join(append(args, "last")[:1], ""))
		},
	}
	o.servers.flags(c.Flags())
	o.outputs.flags(c.Flags())
	c.Flags().StringVar(&o.out, "out", "", "directory for RUN.result.json, beside the one in HOME/load")
	return c
}

func (o *resumeOptions) run(ctx context.Context, app *cli.App, name string) error {
	pr, err := project.Open(".", app.Home)
	if err != nil {
		return err
	}
	m, err := load.ReadManifest(pr.Home, name)
	if errors.Is(err, load.ErrNoRun) {
		return cli.Usage(err, "`loadgen run PROFILE` makes one; --home or WEIR_HOME says where")
	}
	if err != nil {
		return err
	}
	if c, err := running(ctx, pr, m.Run); err == nil {
		c.Close()
		return cli.Usage(fmt.Errorf("run %s is still going on", m.Run), "`loadgen attach` shows it, `loadgen tell stop` ends it")
	}
	p, err := load.ResumedProfile(m)
	if err != nil {
		return err
	}
	if err := pr.Use(p.Cluster); err != nil {
		return cli.Usage(fmt.Errorf("run %s: %w", m.Run, err), "")
	}
	brokers, reg, err := o.connect(ctx, pr)
	if err != nil {
		return err
	}
	if err := preflight(ctx, p, brokers, reg); err != nil {
		return err
	}
	show, end := watch(ctx, app, pr, brokers)
	defer end()
	live, tell, done, err := owned(ctx, app, pr, brokers, m.Run)
	if errors.Is(err, control.ErrServed) { // it does not answer, but it lives: stopped, for instance
		return cli.Usage(fmt.Errorf("run %s: its generator is still there: %w", m.Run, err), "two generators of one run would send messages twice: kill that one first")
	}
	if err != nil {
		return err
	}
	defer done()
	holds, closeTable, err := tableRows(ctx, pr, p)
	if err != nil {
		return err
	}
	defer closeTable()
	k := newKeeper(ctx, pr, brokers, p, overrides{}, o.out)
	sum, err := load.Resume(ctx, load.Options{
		Home: pr.Home, Log: app.Log, Register: reg.Register, Lookup: reg.Subject, Live: live, Holds: holds, Clocks: true, Pipeline: pipelineOf(pr),
		Connect:  func(opts ...kgo.Opt) (*kgo.Client, error) { return kafka.Connect(brokers, opts...) },
		Progress: func(p load.Progress) { show(p); tell(p) }, Keep: k.keep,
	}, m)
	if errors.Is(err, load.ErrOver) {
		return cli.Usage(err, "`loadgen verify "+m.Run+"` proves it")
	}
	if err != nil {
		return err
	}
	return k.tell(app, &o.outputs, sum)
}
