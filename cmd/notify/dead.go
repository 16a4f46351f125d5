package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/notify"
)

func deadCommand(p *program) *cobra.Command {
	c := &cobra.Command{
		Use:   "dead",
		Short: "Messages that could not be delivered: list, show, redrive, drop",
		Long: `dead shows the messages that were given up, with each try; sends them again, or drops them for good with a reason.

    notify dead list
    notify dead redrive 17
    notify dead drop 17 --reason "told by telephone"`,
	}
	show := p.deadVerb("show ID", "One of them with its text and each try", func(ctx context.Context, s *notify.Service, id int64) (any, string, error) {
		d, err := s.Delivery(ctx, id)
		if err != nil {
			return nil, "", err
		}
		var b strings.Builder
		b.WriteString(line(d.Entry) + "\n\n" + d.Text + "\n")
		for _, a := range d.Attempts {
			b.WriteString(a.At.In(d.Created.Location()).Format("2006-01-02 15:04:05 MST") + "  " + a.String() + "\n")
		}
		return d, b.String(), nil
	})
	redrive := p.deadVerb("redrive ID", "Try it again, as if it were new", func(ctx context.Context, s *notify.Service, id int64) (any, string, error) {
		return map[string]any{"redriven": id}, fmt.Sprintf("delivery %d is tried again; `notify serve` sends it\n", id), s.Redrive(ctx, id)
	})
	var by, reason string
	drop := p.deadVerb("drop ID", "Give it up for good; the reason is written down", func(ctx context.Context, s *notify.Service, id int64) (any, string, error) {
		return map[string]any{"dropped": id}, fmt.Sprintf("delivery %d is dropped; `notify explain` says why\n", id), s.Drop(ctx, id, p.who(by), reason)
	})
	drop.Flags().StringVar(&reason, "reason", "", "why (required)")
	drop.Flags().StringVar(&by, "by", "", "who drops it (default $USER)")
	c.AddCommand(deadList(p), show, redrive, drop)
	return c
}

func deadList(p *program) *cobra.Command {
	f := notify.Filter{State: "dead"}
	c := &cobra.Command{
		Use:   "list",
		Short: "All of them, the newest first",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.with(c, func(ctx context.Context, s *notify.Service) error {
				all, err := s.Outbox(ctx, f)
				if err != nil {
					return err
				}
				var b strings.Builder
				for _, e := range all {
					fmt.Fprintf(&b, "%6d  %s  %s\n", e.Delivery, e.Created.Format("2006-01-02 15:04:05 MST"), line(e))
				}
				if len(all) == 0 {
					b.WriteString("no dead letters\n")
				}
				return p.Result(all, b.String())
			})
		},
	}
	c.Flags().StringVar(&f.Channel, "channel", "", "only this channel")
	c.Flags().StringVar(&f.Unit, "unit", "", "only this unit")
	c.Flags().IntVar(&f.Limit, "limit", 100, "at most so many")
	return c
}

func (p *program) deadVerb(use, short string, do func(ctx context.Context, s *notify.Service, id int64) (any, string, error)) *cobra.Command {
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				return cli.Usage(fmt.Errorf("%q is no number of a delivery", args[0]), "`notify dead list` shows them")
			}
			return p.with(c, func(ctx context.Context, s *notify.Service) error {
				v, plain, err := do(ctx, s, id)
				if err != nil {
					return &cli.Error{Err: err, Hint: "`notify dead list` shows what is dead"}
				}
				return p.Result(v, plain)
			})
		},
	}
}
