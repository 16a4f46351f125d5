package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/notify"
)

func expectCommand(p *program) *cobra.Command {
	c := &cobra.Command{
		Use:   "expect",
		Short: "Which runs are expected, and how they stand",
		Long: `units.yaml says under expect when a job must have started and be ready. 'notify serve' tells by its own clock what does not come, also
where nothing has run at all.

    notify expect list`,
	}
	var today bool
	list := &cobra.Command{
		Use:   "list",
		Short: "The runs of today, and what is overdue from before",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.with(c, func(ctx context.Context, s *notify.Service) error {
				all, err := s.ExpectationsToday(ctx)
				if err != nil {
					return err
				}
				return p.Result(map[string]any{"expectations": all}, expectTable(all, s.Zone()))
			})
		},
	}
	list.Flags().BoolVar(&today, "today", true, "today's, which are all that there are")
	c.AddCommand(list)
	return c
}

// expectTable is the list for people.
func expectTable(all []notify.ExpectationStatus, zone *time.Location) string {
	if len(all) == 0 {
		return "nothing is expected: units.yaml has no expect\n"
	}
	hour := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.In(zone).Format("15:04")
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "STATE\tJOB\tUNIT\tDATE\tSTART BY\tDUE\tUSUALLY\tREADY\tNOTE")
	for _, e := range all {
		note := e.Reason
		if !e.NextUpdate.IsZero() {
			note = "told again " + hour(e.NextUpdate)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", e.State, e.Job, or(e.Unit), or(e.BusinessDate), hour(e.StartBy), hour(e.Due), hour(e.Usual), hour(e.Ready), note)
	}
	_ = w.Flush() // into memory
	return b.String()
}

func or(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
