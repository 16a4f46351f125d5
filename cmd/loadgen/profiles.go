package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/project"
)

func newProfiles(app *cli.App) *cobra.Command {
	c := &cobra.Command{
		Use: "profiles", Short: "List the profiles with the question that each answers", Args: cobra.NoArgs,
		Example: "  loadgen profiles\n  loadgen profiles show skew > profiles/mine.yaml",
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
	c.AddCommand(newProfilesShow(app))
	return c
}

func newProfilesShow(app *cli.App) *cobra.Command {
	whole := false
	c := &cobra.Command{
		Use: "show NAME", Short: "Print a profile, to copy and change", Args: cobra.ExactArgs(1),
		Example: "  loadgen profiles show skew > profiles/mine.yaml\n  loadgen profiles show skew --whole        with what it extends",
		RunE: func(_ *cobra.Command, args []string) error {
			pr, err := project.Open(".", app.Home)
			if err != nil {
				return err
			}
			file, b, err := findProfile(pr, args[0])
			if err != nil {
				return err
			}
			if whole {
				p, err := readProfile(pr, args[0])
				if err != nil {
					return err
				}
				b = []byte(p.Whole())
			}
			return app.Result(map[string]any{"name": nameOf(file), "question": questionOf(b), "text": string(b)}, string(b))
		},
	}
	c.Flags().BoolVar(&whole, "whole", false, "in one piece, with what it extends")
	return c
}
