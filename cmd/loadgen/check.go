package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/load"
	"weir/internal/project"
)

type checkOptions struct {
	servers
	connect bool
	sets    []string
}

func newCheck(app *cli.App) *cobra.Command {
	var o checkOptions
	c := &cobra.Command{
		Use: "check [PROFILE…]", Short: "Validate profiles (default: all of the project); with --connect also the way to their servers",
		Long: `check reads profiles and says everything that is wrong with them, with file, line and column. It touches no server.

With --connect it walks the way that a run would go, and changes nothing: names, connections, TLS, login, the addresses of all
brokers; of each topic whether it is there or may be created, rights, largest message, retention; the registry, whether it takes the
schema, and the clocks. Each line is ✔, ✖ or ! (it works, but not as it was meant), with what to do.

Exit codes: 0 good, 1 a part fails, 2 a profile is wrong.`,
		Example: "  loadgen check\n  loadgen check profiles/mine.yaml --set rate.start=1k/s\n  loadgen check skew --connect",
		RunE:    func(c *cobra.Command, args []string) error { return o.run(c.Context(), app, args) },
	}
	f := c.Flags()
	f.BoolVar(&o.connect, "connect", false, "also look at broker, topics, registry and clocks")
	setFlag(f, &o.sets)
	o.servers.flags(f)
	return c
}

func (o *checkOptions) run(ctx context.Context, app *cli.App, names []string) error {
	if o.connect && len(names) == 0 {
		return cli.Usage(errors.New("--connect: expected a profile: its topics and schemas are asked for"), "as in `loadgen check smoke --connect`")
	}
	pr, err := project.Open(".", app.Home)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		all, err := listProfiles(pr)
		if err != nil {
			return err
		}
		for _, l := range all {
			if names = append(names, l.Name); l.File != "" {
				names[len(names)-1] = l.File
			}
		}
	}
	var good []string
	var profiles []*load.Profile
	var bad []error
	for _, name := range names {
		here := *pr // each profile may have a cluster of its own
		p, err := readProfile(&here, name, o.sets...)
		if err != nil {
			bad = append(bad, err)
			continue
		}
		good, profiles = append(good, name), append(profiles, p)
	}
	if o.connect && len(bad) == 0 {
		return o.examine(ctx, app, pr, profiles)
	}
	if err := app.Result(map[string]any{"checked": len(names), "good": len(good), "bad": len(bad)}, okLines(good)); err != nil {
		return err
	}
	if len(bad) > 0 {
		return cli.Usage(errors.Join(bad...), "")
	}
	return nil
}

// examine looks at the servers of each profile.
func (o *checkOptions) examine(ctx context.Context, app *cli.App, pr *project.Project, profiles []*load.Profile) error {
	var all []examined
	var text strings.Builder
	failed := 0
	for _, p := range profiles {
		here := *pr
		if err := here.Use(p.Cluster); err != nil {
			return err
		}
		e, err := examine(ctx, &here, p, o.servers)
		if err != nil {
			return err
		}
		if all = append(all, e); !e.Good {
			failed++
		}
		text.WriteString(e.String())
	}
	if err := app.Result(map[string]any{"profiles": all, "good": failed == 0}, text.String()); err != nil {
		return err
	}
	if failed > 0 {
		return &cli.Error{Err: fmt.Errorf("%d of %d profiles could not run as they are", failed, len(profiles)), Hint: "each ✖ has its remedy above"}
	}
	return nil
}

func okLines(names []string) string {
	var b strings.Builder
	for _, n := range names {
		fmt.Fprintf(&b, "ok %s\n", n)
	}
	return b.String()
}
