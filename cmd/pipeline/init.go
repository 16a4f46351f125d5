package main

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"weir/internal/cli"
)

// templates are what `pipeline init` writes, and what the demo runs on.
//
//go:embed template
var templates embed.FS

func initCommand(app *cli.App) *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:   "init [DIR]",
		Short: "write a commented set of files to start from",
		Long: `init writes weir.yaml, jobs/, profiles/ and units.yaml, each with comments, and their JSON Schemas for editors (schema/).
It never overwrites a file unless --force says so.

    pipeline init bank`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			files, err := writeTemplates(dir, force)
			if err != nil {
				return err
			}
			in := ""
			if dir != "." {
				in = "cd " + dir + "\n    "
			}
			text := fmt.Sprintf("wrote %d files to %s\n\nnext:\n    %spipeline check\n    pipeline run transactions        # in one terminal\n    loadgen run first                # in a second one\n    pipeline tui                     # in a third one\n", len(files), dir, in)
			return app.Result(map[string]any{"dir": dir, "files": files}, text)
		},
	}
	c.Flags().BoolVar(&force, "force", false, "overwrite files that are there")
	return c
}

func writeTemplates(dir string, force bool) ([]string, error) {
	content := map[string][]byte{}
	var order []string
	err := fs.WalkDir(templates, "template", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel("template", path)
		if err != nil {
			return err
		}
		order = append(order, rel)
		content[rel], err = templates.ReadFile(path)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, k := range fileKinds() {
		b, err := k.schema()
		if err != nil {
			return nil, err
		}
		name := filepath.Join("schema", k.name+".json")
		order = append(order, name)
		content[name] = append(b, '\n')
	}
	if !force {
		for _, name := range order {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				return nil, cli.Usage(fmt.Errorf("%s is there already: nothing was written", filepath.Join(dir, name)), "choose another directory, or --force to overwrite")
			} else if !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
		}
	}
	for _, name := range order {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, content[name], 0o644); err != nil { //nolint:gosec // for people to read and edit
			return nil, err
		}
	}
	return order, nil
}
