package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/project"
)

func newProfiles(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use: "profiles", Short: "List the profiles with the question that each answers", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			pr, err := project.Open(".", app.Home)
			if err != nil {
				return err
			}
			all, err := listProfiles(pr)
			if err != nil {
				return err
			}
			var b strings.Builder
			for _, l := range all {
				fmt.Fprintf(&b, "%-14s %s\n", l.Name, l.Question)
			}
			return app.Result(map[string]any{"profiles": all}, b.String())
		},
	}
}
