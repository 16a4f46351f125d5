package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/load"
	"weir/internal/project"
)

type initOptions struct {
	servers
	subject, schema, version, topic, out string
	force                                bool
}

func newInit(app *cli.App) *cobra.Command {
	var o initOptions
	c := &cobra.Command{
		Use: "init --subject SUBJECT | --schema FILE", Short: "Write a whole profile with comments for a schema, to be changed", Args: cobra.NoArgs,
		Long: `init writes a profile for a subject of the schema registry, or for a schema file: rate, topic, a line for each field with a proposal by
its name and type, key, time of the event, thresholds. It runs as it is; what does not fit is changed or removed.

    loadgen init --subject orders-value                    profiles/orders.yaml, for topic orders
    loadgen init --schema orders.avsc --topic shop.orders --out -
    loadgen preview orders && loadgen run orders`,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context(), app) },
	}
	f := c.Flags()
	f.StringVar(&o.subject, "subject", "", "subject of the registry, as orders-value")
	f.StringVar(&o.schema, "schema", "", "Avro schema file, in place of a subject")
	f.StringVar(&o.version, "version", "latest", "of the subject: latest or a number")
	f.StringVar(&o.topic, "topic", "", "topic (default: the subject without -value, or the file's name)")
	f.StringVar(&o.out, "out", "", "file to write, - for stdout (default: profiles/TOPIC.yaml)")
	f.BoolVar(&o.force, "force", false, "replace a file that is there")
	o.servers.flags(f)
	return c
}

func (o *initOptions) run(ctx context.Context, app *cli.App) error {
	if (o.subject == "") == (o.schema == "") {
		return cli.Usage(errors.New("expected --subject or --schema"), "as in `loadgen init --subject orders-value`")
	}
	pr, err := project.Open(".", app.Home)
	if err != nil {
		return err
	}
	s := load.Scaffold{Topic: o.topic, Subject: o.subject, Version: o.version}
	if o.subject != "" {
		if s.Topic == "" {
			s.Topic = strings.TrimSuffix(o.subject, "-value")
		}
		o.override(pr)
		if _, s.Schema, err = lookup(pr, o.registry)(ctx, o.subject, o.version); err != nil {
			return &cli.Error{Err: err, Hint: "is --subject right, and registry in weir.yaml (or --registry)? --schema FILE needs none"}
		}
	} else {
		b, err := os.ReadFile(o.schema)
		if err != nil {
			return cli.Usage(fmt.Errorf("--schema: %w", err), "")
		}
		if s.Schema = string(b); s.Topic == "" {
			s.Topic = strings.TrimSuffix(filepath.Base(o.schema), filepath.Ext(o.schema))
		}
	}
	file := o.out
	if file == "" {
		file = filepath.Join(pr.ProfilesDir(), filepath.Base(s.Topic)+".yaml")
	}
	if o.schema != "" {
		if s.Dir, s.File, err = fromProfile(file, o.schema); err != nil {
			return err
		}
	}
	text, err := s.Write()
	if err != nil {
		return cli.Usage(fmt.Errorf("%s%s: %w", o.subject, o.schema, err), "")
	}
	if file == "-" {
		return app.Result(map[string]any{"topic": s.Topic, "text": text}, text)
	}
	if err := o.write(file, text); err != nil {
		return err
	}
	return app.Result(map[string]any{"file": file, "topic": s.Topic}, fmt.Sprintf("wrote %s; `loadgen preview %s` shows what it does\n", file, file))
}

// fromProfile is the schema's path as a profile in file names it.
func fromProfile(file, schema string) (dir, path string, err error) {
	dir = filepath.Dir(file)
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", "", err
	}
	there, err := filepath.Abs(schema)
	if err != nil {
		return "", "", err
	}
	path, err = filepath.Rel(abs, there)
	return dir, path, err
}

func (o *initOptions) write(file, text string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if o.force {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(file, flags, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return cli.Usage(fmt.Errorf("%s is there already", file), "--force replaces it, --out names another, --out - prints it")
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
