// Program pipeline streams Kafka topics into tables, makes report tables, and shows all of weir in a terminal.
package main

import (
	"os"

	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/tui"
)

var version = "dev"

func main() { os.Exit(cli.Main("pipeline", newCommand)) }

func newCommand(app *cli.App) *cobra.Command {
	root := &cobra.Command{
		Use:   "pipeline",
		Short: "Kafka into Iceberg tables, exactly once; reports from tables; all of it in one terminal",
		Long: `pipeline streams Avro from Kafka into Iceberg tables exactly once, makes report tables from them with SQL, and tells
business units what became of their jobs.

To see all of it work on this machine:   pipeline demo
To make an installation of your own:     pipeline init bank && cd bank && pipeline check

Exit codes: 0 good, 1 failed run, 2 wrong usage or configuration, 130 interrupted.`,
		Version: version,
		RunE: func(c *cobra.Command, _ []string) error {
			if app.Interactive() {
				return attach(c.Context(), app, tui.Options{})
			}
			return c.Help()
		},
		Args: cobra.NoArgs,
	}
	root.AddCommand(demoCommand(app), runCommand(app), workerCommand(app), submitCommand(app), serveCommand(app), lagCommand(app), backfillCommand(app), runsCommand(app), rerunCommand(app), cancelCommand(app), airflowCommand(app), resumeCommand(app), offsetsCommand(app), sqlCommand(app), tuiCommand(app), statusCommand(app), checkCommand(app), initCommand(app), schemaCommand(app), tablesCommand(app), maintainCommand(app), quarantineCommand(app))
	return root
}
