package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/notify"
)

type checked struct {
	File     string              `json:"file"`
	Units    int                 `json:"units"`
	Channels int                 `json:"channels"`
	Routes   int                 `json:"routes"`
	Tests    int                 `json:"tests"`
	Failed   []notify.FailedTest `json:"failed"`
}

func checkCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "check [FILE]",
		Short: "Validate units.yaml and run its tests, without touching any server",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				if err := c.Flags().Set("units", args[0]); err != nil {
					return err
				}
			}
			u, err := p.units(c)
			if err != nil {
				return err
			}
			failed, err := u.Test()
			if err != nil {
				return err
			}
			r := checked{p.unitsFile, len(u.Units), len(u.Channels), len(u.Routes), len(u.Tests), failed}
			var b strings.Builder
			fmt.Fprintf(&b, "%s: %d units, %d channels, %d routes, %d tests, %d of them failed\n", r.File, r.Units, r.Channels, r.Routes, r.Tests, len(failed))
			for _, f := range failed {
				b.WriteString(f.String())
			}
			if err := p.Result(r, b.String()); err != nil {
				return err
			}
			if len(failed) > 0 {
				return &cli.Error{Err: fmt.Errorf("%s: %d of %d tests failed", r.File, len(failed), r.Tests), Hint: "change the routes, or what the tests expect"}
			}
			return nil
		},
	}
}

func testCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "test CHANNEL",
		Short: "Send a test message to one channel now",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return p.with(c, func(ctx context.Context, s *notify.Service) error {
				r, err := s.Try(ctx, args[0])
				if err != nil {
					return &cli.Error{Err: err, Hint: notify.Advice(err)}
				}
				plain := "channel " + args[0] + " took the message"
				if r.Ref != "" {
					plain += "; there it is " + r.Ref
				}
				return p.Result(map[string]any{"channel": args[0], "ref": r.Ref}, plain+"\n")
			})
		},
	}
}

func previewCommand(p *program) *cobra.Command {
	var f outcomeFlags
	var as string
	c := &cobra.Command{
		Use:   "preview [FILE]",
		Short: "Show the message about an outcome, without sending it",
		Long: `preview takes the same flags or file as emit and shows the message as text or as what its channel gets.

    notify preview --job daily_totals --date 2026-11-20 --state failed --cause "no input" --as slack`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			outcomes, err := p.outcomes(&f, c.Flags(), args)
			if err != nil {
				return err
			}
			u, err := p.units(c)
			if err != nil {
				return err
			}
			var all []string
			for _, o := range outcomes {
				text, unused, err := notify.Preview(u, o, as)
				if err != nil {
					return cli.Usage(err, "")
				}
				for _, d := range unused {
					fmt.Fprintln(p.Stderr, d)
				}
				all = append(all, text)
			}
			return p.Result(map[string]any{"as": as, "messages": all}, strings.Join(all, "\n"))
		},
	}
	f.add(c.Flags())
	c.Flags().StringVar(&as, "as", "text", strings.Join(notify.Formats(), ", "))
	return c
}
