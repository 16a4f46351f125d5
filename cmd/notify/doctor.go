package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/notify"
	"weir/internal/notify/channel"
)

func doctorCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor [CHANNEL...]",
		Short: "Examine tokens, scopes, topics, mail servers and clocks, without sending a message",
		Long: `doctor asks each channel's far side whether messages would be taken, and says what to do where they would not: is the token
valid, has it the scopes, is the app in the channel, is the topic there and does anybody read it, does the mail server let us in, do
the clocks agree, and what becomes of a message whose result stays unknown.

It sends no message ('notify test CHANNEL' does), and exits with 1 if a channel does not work.`,
		RunE: func(c *cobra.Command, args []string) error {
			return p.with(c, func(ctx context.Context, s *notify.Service) error {
				found, err := s.Doctor(ctx, args...)
				if err != nil {
					return cli.Usage(err, "")
				}
				var bad []string
				for _, d := range found {
					if d.Bad() {
						bad = append(bad, d.Channel)
					}
				}
				if err := p.Result(map[string]any{"channels": found, "bad": len(bad)}, diagnoses(found)); err != nil {
					return err
				}
				if len(bad) > 0 {
					return &cli.Error{Err: errors.New("messages do not leave: " + strings.Join(bad, ", ")), Hint: "do what stands behind the arrows, then run notify doctor again"}
				}
				return nil
			})
		},
	}
}

var marks = map[channel.Level]string{channel.Good: "✔", channel.Note: "·", channel.Warn: "!", channel.Bad: "✖"}

func diagnoses(found []notify.Diagnosis) string {
	var b strings.Builder
	for _, d := range found {
		if d.Channel == "" {
			fmt.Fprintln(&b, "units.yaml")
		} else {
			fmt.Fprintf(&b, "%s (%s)\n", d.Channel, d.Kind)
		}
		for _, f := range d.Findings {
			fmt.Fprintf(&b, "  %s %-4s %-11s %s\n", marks[f.Level], f.Level, f.Check, f.Text)
			if f.Fix != "" {
				fmt.Fprintf(&b, "%20s→ %s\n", "", f.Fix)
			}
		}
	}
	return b.String()
}
