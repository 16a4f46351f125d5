package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/notify"
)

func outboxCommand(p *program) *cobra.Command {
	var f notify.Filter
	var redrive int64
	c := &cobra.Command{
		Use:   "outbox",
		Short: "What has been sent, what waits, what is dead",
		Long: `outbox shows the figures, the channels and the last messages. States: ready, retry, sending, unknown, sent, held, dead,
superseded, suppressed, expired, dropped; 'waiting' is all that will still leave.

    notify outbox --state dead
    notify outbox --redrive 17       try a dead, held or expired message again`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.with(c, func(ctx context.Context, s *notify.Service) error {
				if redrive != 0 {
					if err := s.Redrive(ctx, redrive); err != nil {
						return err
					}
					return p.Result(map[string]any{"redriven": redrive}, fmt.Sprintf("delivery %d is tried again; `notify serve` sends it\n", redrive))
				}
				st, err := s.Status(ctx, 0)
				if err != nil {
					return err
				}
				if st.Messages, err = s.Outbox(ctx, f); err != nil {
					return err
				}
				return p.Result(st, figures(st, s.Zone()))
			})
		},
	}
	fs := c.Flags()
	fs.StringVar(&f.State, "state", "", "only this state")
	fs.StringVar(&f.Channel, "channel", "", "only this channel")
	fs.StringVar(&f.Unit, "unit", "", "only this unit")
	fs.StringVar(&f.Job, "job", "", "only this job")
	fs.IntVar(&f.Limit, "limit", 20, "at most so many, the newest first")
	fs.Int64Var(&redrive, "redrive", 0, "try this dead or held delivery again")
	return c
}

// figures shows the outbox as plain lines; zone is for what belongs to no unit.
func figures(st notify.Status, zone *time.Location) string {
	var b strings.Builder
	fmt.Fprintf(&b, "sent %d   waiting %d   unknown %d   held %d   dead %d", st.Sent, st.Waiting, st.Unknown, st.Held, st.Dead)
	if st.Unrouted > 0 {
		fmt.Fprintf(&b, "   accepted, not routed yet %d", st.Unrouted)
	}
	if st.OldestWait > 0 {
		fmt.Fprintf(&b, "   oldest waits %s", st.OldestWait.Round(time.Second))
	}
	b.WriteString("\n")
	for _, c := range st.Channels {
		fmt.Fprintf(&b, "channel %-14s %s", c.Name, c.State)
		if c.Reason != "" {
			fmt.Fprintf(&b, ": %s", c.Reason)
		}
		if c.Waiting > 0 {
			fmt.Fprintf(&b, ", %d wait", c.Waiting)
		}
		if c.Fix != "" {
			fmt.Fprintf(&b, "; %s", c.Fix)
		}
		for _, p := range c.Pauses {
			fmt.Fprintf(&b, "; asks for no %s before %s", p.Method, p.Until.In(zone).Format("15:04:05 MST"))
		}
		b.WriteString("\n")
	}
	for _, e := range st.Messages {
		fmt.Fprintf(&b, "%6d  %s  %s\n", e.Delivery, e.Created.Format("2006-01-02 15:04:05 MST"), line(e))
	}
	return b.String()
}

func explainCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "explain EVENT|RUN|JOB",
		Short: "Why somebody did, or did not, get a message",
		Long: `explain shows the way of an event: when it was accepted, each route that was tried and what did not match, each call to a
channel with its answer, and where it stands. With a job it shows the job's last event.

    notify explain daily_totals`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return p.with(c, func(ctx context.Context, s *notify.Service) error {
				x, err := s.Explain(ctx, args[0])
				if errors.Is(err, notify.ErrNoEvent) {
					return &cli.Error{Err: err, Hint: "`notify outbox` lists what is there; what is settled leaves after `keep` of units.yaml (90d)"}
				}
				if err != nil {
					return err
				}
				return p.Result(x, x.Text())
			})
		},
	}
}
