package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/config"
	"weir/internal/job"
	"weir/internal/load"
	"weir/internal/notify"
	"weir/internal/project"
)

// fileKind is a sort of file with a JSON Schema.
type fileKind struct {
	name, title string
	blank       any
}

func fileKinds() []fileKind {
	return []fileKind{
		{"weir", "weir.yaml: connections", &project.Weir{}},
		{"job", "jobs/*.yaml: a job", job.Blank(kinds)},
		{"profile", "profiles/*.yaml: a load profile", &load.Profile{}},
		{"units", "units.yaml: who is told what", &notify.Units{}},
	}
}

func (k fileKind) schema() ([]byte, error) { return config.Schema(k.blank, k.title) }

func schemaCommand(app *cli.App) *cobra.Command {
	var names []string
	for _, k := range fileKinds() {
		names = append(names, k.name)
	}
	return &cobra.Command{
		Use:   "schema KIND",
		Short: "print the JSON Schema of a file kind, for editors",
		Long: fmt.Sprintf(`schema prints the JSON Schema of one kind of file: %s. "pipeline init" writes all of them to schema/.

    pipeline schema job > job.json     # then, as a file's first line: # yaml-language-server: $schema=job.json`, strings.Join(names, ", ")),
		Args:      cobra.ExactArgs(1),
		ValidArgs: names,
		RunE: func(_ *cobra.Command, args []string) error {
			for _, k := range fileKinds() {
				if k.name == args[0] {
					b, err := k.schema()
					if err != nil {
						return err
					}
					_, err = fmt.Fprintf(app.Stdout, "%s\n", b)
					return err
				}
			}
			return cli.Usage(fmt.Errorf("no kind of file is named %q", args[0]), "known: "+strings.Join(names, ", "))
		},
	}
}
