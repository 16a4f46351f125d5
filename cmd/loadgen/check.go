package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/project"
)

func newCheck(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use: "check [PROFILE…]", Short: "Validate profiles without touching a server (default: all of the project)",
		Example: "  loadgen check\n  loadgen check profiles/mine.yaml",
		RunE:    func(_ *cobra.Command, args []string) error { return check(app, args) },
	}
}

func check(app *cli.App, names []string) error {
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
	var bad []error
	for _, name := range names {
		if _, err := readProfile(pr, name); err != nil {
			bad = append(bad, err)
			continue
		}
		good = append(good, name)
	}
	if err := app.Result(map[string]any{"checked": len(names), "good": len(good), "bad": len(bad)}, okLines(good)); err != nil {
		return err
	}
	if len(bad) > 0 {
		return cli.Usage(errors.Join(bad...), "")
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
