package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/outcome"
	"weir/internal/project"
	"weir/internal/results"
	"weir/internal/results/output"
)

const historyFile = "load/history.ndjson"

func newHistory(app *cli.App) *cobra.Command {
	var file, unit, emit, otava string
	c := &cobra.Command{
		Use: "history [RUN…]", Short: "Add runs to a history and find the runs at which something changed",
		Long: `Add runs to a history and find the runs at which something changed. The history is a file with a line of few numbers for each run; all
results of this home that it lacks are added, or those that are named. Runs that say nothing (invalid, changed by hand) are left out.

The file may lie in a worktree of a git branch, or on S3: s3://bucket/history.ndjson where one job writes at a time, or a name that ends
with a slash, s3://bucket/history/, with a file for each run, to which any number of jobs add at once.

Change points are found with E-divisive (window 50, p 0.001). They never fail a build: it takes some runs after a change to see it.
With --emit the changes for the worse are written as outcomes, which ` + "`notify emit`" + ` tells a business unit, each of them once.`,
		Example: "  loadgen history --file perf/history.ndjson\n  loadgen history --file s3://perf/history/\n  loadgen history --emit - --unit PERF | notify emit -",
		RunE: func(c *cobra.Command, args []string) error {
			pr, err := project.Open(".", app.Home)
			if err != nil {
				return err
			}
			if file == "" {
				file = pr.In(historyFile)
			}
			add, err := entriesOf(app, pr, args)
			if err != nil {
				return err
			}
			log, err := openLog(c.Context(), pr, file)
			if err != nil {
				return err
			}
			added, err := log.add(c.Context(), add)
			if err != nil {
				return err
			}
			all, err := log.read(c.Context())
			if err != nil {
				return cli.Usage(err, "")
			}
			points := results.History(all)
			if otava != "" {
				b, err := output.Otava(all)
				if err == nil {
					err = os.WriteFile(otava, b, 0o644) //nolint:gosec // figures, for another program
				}
				if err != nil {
					return err
				}
			}
			if emit != "" {
				if err := emitChanges(app, emit, unit, points); err != nil || emit == "-" {
					return err
				}
			}
			if points == nil {
				points = []results.ChangePoint{}
			}
			return app.Result(map[string]any{"file": file, "runs": len(all), "added": added, "changes": points}, historyText(file, len(all), added, points))
		},
	}
	c.Flags().StringVar(&file, "file", "", "the history, also file:// or s3://bucket/path (default: HOME/"+historyFile+")")
	c.Flags().StringVar(&emit, "emit", "", "file for the changes for the worse as OpenLineage events, - for stdout")
	c.Flags().StringVar(&unit, "unit", "", "business unit of these events")
	c.Flags().StringVar(&otava, "otava", "", "file for the whole history as Apache Otava's CSV")
	return c
}

// entriesOf are those of the named runs, or of all of the home.
func entriesOf(app *cli.App, pr *project.Project, runs []string) ([]results.Entry, error) {
	named := len(runs) > 0
	if !named {
		var err error
		if runs, err = results.List(pr.Home); err != nil {
			return nil, err
		}
	}
	var all []results.Entry
	for _, run := range runs {
		r, err := results.Load(pr.Home, run)
		if err != nil {
			return nil, cli.Usage(err, "")
		}
		e, err := results.EntryOf(r)
		switch {
		case err == nil:
			all = append(all, e)
		case named:
			return nil, cli.Usage(err, "")
		default:
			app.Log.Info("left out", "run", run, "reason", r.Usable())
		}
	}
	return all, nil
}

func emitChanges(app *cli.App, path, unit string, points []results.ChangePoint) error {
	var b []byte
	for _, p := range points {
		if !p.Worse {
			continue
		}
		line, err := json.Marshal(outcome.FromOutcome(p.Outcome(unit)))
		if err != nil {
			return err
		}
		b = append(append(b, line...), '\n')
	}
	if path == "-" {
		_, err := app.Stdout.Write(b)
		return err
	}
	return os.WriteFile(path, b, 0o644) //nolint:gosec // for another program
}

func historyText(file string, runs, added int, points []results.ChangePoint) string {
	var b strings.Builder
	for _, p := range points {
		fmt.Fprintln(&b, p)
	}
	fmt.Fprintf(&b, "%d change points; %d runs in %s, %d of them new\n", len(points), runs, file, added)
	return b.String()
}
