package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/cli"
	"weir/internal/kafka"
	"weir/internal/lake"
	"weir/internal/load"
	"weir/internal/project"
	"weir/internal/registry"
)

// runOptions are the flags of run.
type runOptions struct {
	overrides
	servers
	outputs
	out string
	shards
	recreation
}

func newRun(app *cli.App) *cobra.Command {
	var o runOptions
	c := &cobra.Command{
		Use: "run PROFILE", Short: "Run a profile: send, measure, judge", Args: cobra.ExactArgs(1),
		Example: "  loadgen run smoke\n  loadgen run average-load --rate 5k/s --duration 2m\n  loadgen run ci --brokers kafka:9092 --registry http://registry:8081 --json",
		RunE:    func(c *cobra.Command, args []string) error { return run(c.Context(), app, o, args[0]) },
	}
	o.overrides.flags(c.Flags())
	o.servers.flags(c.Flags())
	o.outputs.flags(c.Flags())
	c.Flags().StringVar(&o.out, "out", "", "directory for RUN.result.json, beside the one in HOME/load")
	o.shards.flags(c.Flags())
	o.recreation.flags(c.Flags())
	return c
}

func run(ctx context.Context, app *cli.App, o runOptions, name string) error {
	pr, err := project.Open(".", app.Home)
	if err != nil {
		return err
	}
	p, err := o.read(pr, name)
	if err != nil {
		return err
	}
	if err := o.recreation.allow(p, o.shard != ""); err != nil {
		return err
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
	shard, id, err := o.part(p)
	if err != nil {
		return err
	}
	live, tell, done := steerable(ctx, app, pr, brokers, id.String())
	defer done()
	holds, closeTable, err := tableRows(ctx, pr, p)
	if err != nil {
		return err
	}
	defer closeTable()
	k := newKeeper(ctx, pr, brokers, p, o.overrides, o.out)
	sum, err := load.Run(ctx, load.Options{
		Profile: p, Home: pr.Home, Run: id, Shard: shard, Log: app.Log, Register: reg.Register, Lookup: reg.Subject, Live: live, Holds: holds, Clocks: true, Pipeline: pipelineOf(pr),
		Connect:  func(opts ...kgo.Opt) (*kgo.Client, error) { return kafka.Connect(brokers, opts...) },
		Progress: func(p load.Progress) { show(p); tell(p) }, Keep: k.keep,
	})
	if err != nil {
		return err
	}
	return k.tell(app, &o.outputs, sum)
}

// tableRows counts the rows of the profile's table, if its volume asks for that.
func tableRows(ctx context.Context, pr *project.Project, p *load.Profile) (func(context.Context) (int64, error), func(), error) {
	if p.Volume.Until.Rows == 0 {
		return nil, func() {}, nil
	}
	l, err := lake.Open(ctx, pr.Lake())
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context) (int64, error) {
		t, err := l.Table(ctx, p.Table())
		if errors.Is(err, lake.ErrNoTable) { // its pipeline has not begun
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		plan, err := t.Plan(ctx)
		if err != nil {
			return 0, err
		}
		var rows int64
		for _, f := range plan.Files {
			rows += f.Rows
		}
		return rows, nil
	}, func() { _ = l.Close() }, nil
}

// servers are the flags that name broker and registry.
type servers struct{ brokers, registry string }

// connect resolves the addresses and makes sure that both answer: one clear line within seconds, not an endless retry.
func (s servers) connect(ctx context.Context, pr *project.Project) (kafka.Config, *registry.Client, error) {
	s.override(pr)
	k, r, err := pr.Resolve()
	if err != nil {
		return k, nil, err
	}
	cl, err := kafka.Connect(k)
	if err != nil {
		return k, nil, err
	}
	defer cl.Close()
	if err := kafka.Ping(ctx, cl); err != nil {
		return k, nil, err
	}
	reg, err := registry.New(r)
	return k, reg, err
}

// verdictError turns a verdict into the exit code.
func verdictError(s load.Summary) error {
	code := map[load.Verdict]int{
		load.VerdictSLO: exitSLO, load.VerdictInvalid: exitInvalid, load.VerdictFailed: cli.ExitFailed, load.VerdictInterrupted: cli.ExitInterrupted,
	}[s.Verdict]
	if code == 0 {
		return nil
	}
	hint := ""
	if s.Verdict == load.VerdictInterrupted {
		hint = fmt.Sprintf("what was sent is known: `loadgen verify %s`", s.Run)
	}
	return &cli.Error{Err: fmt.Errorf("run %s: %s: %s", s.Run, s.Verdict, s.Reason), Hint: hint, Exit: code}
}
