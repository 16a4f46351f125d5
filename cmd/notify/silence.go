package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/config"
	"weir/internal/notify"
)

func silenceCommand(p *program) *cobra.Command {
	c := &cobra.Command{
		Use:   "silence",
		Short: "Keep messages back for a time: add, list, end",
		Long: `A silence keeps messages back and writes each of them down with its reason. It has an owner, a reason and an end; what is still
broken when it ends is told then.

    notify silence add --match 'unit = "FIN" and job ~ "gl_*"' --for 4h --owner anna --reason "migration of the ledger"`,
	}
	c.AddCommand(silenceAdd(p), silenceList(p), silenceEnd(p))
	return c
}

func silenceAdd(p *program) *cobra.Command {
	var x notify.Silence
	var long string
	c := &cobra.Command{
		Use:   "add",
		Short: "Begin a silence",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var d config.Duration
			if err := d.UnmarshalText([]byte(long)); err != nil {
				return cli.Usage(fmt.Errorf("--for: %w", err), "write --for 4h or --for 2d")
			}
			return p.with(c, func(ctx context.Context, s *notify.Service) error {
				x.Until = time.Now().Add(time.Duration(d))
				made, err := s.AddSilence(ctx, x)
				if err != nil {
					return cli.Usage(fmt.Errorf("silence: %w", err), "`notify silence add --help` shows one")
				}
				return p.Result(made, silenceLine(made, s.Zone()))
			})
		},
	}
	fs := c.Flags()
	fs.StringVar(&x.Match, "match", "", `which events, in the words of routes: unit = "FIN" and job ~ "gl_*" (required)`)
	fs.StringVar(&long, "for", "", "how long: 4h, 2d; silences_max of units.yaml at most (required)")
	fs.StringVar(&x.Owner, "owner", "", "whose silence it is (required)")
	fs.StringVar(&x.Reason, "reason", "", "why; it stands at each message that is kept back (required)")
	return c
}

func silenceList(p *program) *cobra.Command {
	var past bool
	c := &cobra.Command{
		Use:   "list",
		Short: "The silences in force",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.with(c, func(ctx context.Context, s *notify.Service) error {
				all, err := s.Silences(ctx, past)
				if err != nil {
					return err
				}
				var b strings.Builder
				for _, x := range all {
					b.WriteString(silenceLine(x, s.Zone()))
				}
				if len(all) == 0 {
					b.WriteString("no silence is in force\n")
				}
				return p.Result(all, b.String())
			})
		},
	}
	c.Flags().BoolVar(&past, "all", false, "also those that have ended")
	return c
}

func silenceEnd(p *program) *cobra.Command {
	var by string
	c := &cobra.Command{
		Use:   "end ID",
		Short: "End a silence before its time",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			id, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				return cli.Usage(fmt.Errorf("%q is no id of a silence", args[0]), "`notify silence list` shows them")
			}
			return p.with(c, func(ctx context.Context, s *notify.Service) error {
				if err := s.EndSilence(ctx, id, p.who(by)); err != nil {
					return &cli.Error{Err: err, Hint: "`notify silence list` shows those in force; --by says who you are"}
				}
				return p.Result(map[string]any{"ended": id}, fmt.Sprintf("silence %d has ended; `notify serve` tells what is still broken\n", id))
			})
		},
	}
	c.Flags().StringVar(&by, "by", "", "who ends it (default $USER)")
	return c
}

// who is the person at the terminal.
func (p *program) who(by string) string {
	if by == "" {
		by = p.Getenv("USER")
	}
	return by
}

func silenceLine(x notify.Silence, zone *time.Location) string {
	state := "until " + x.Until.In(zone).Format("2006-01-02 15:04 MST")
	switch {
	case !x.Ended.IsZero():
		state = "ended " + x.Ended.In(zone).Format("2006-01-02 15:04 MST") + " by " + x.EndedBy
	case !x.Active:
		state = "ended " + x.Until.In(zone).Format("2006-01-02 15:04 MST")
	}
	s := fmt.Sprintf("%4d  %s  %s  %s: %s", x.ID, state, x.Match, x.Owner, x.Reason)
	if x.Kept > 0 {
		s += fmt.Sprintf("  (keeps %d back)", x.Kept)
	}
	return s + "\n"
}
