package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/control"
	"weir/internal/db"
	"weir/internal/desk"
	"weir/internal/notify"
	"weir/internal/project"
	"weir/internal/show"
	"weir/tui"
	"weir/tui/plain"
)

func tuiCommand(app *cli.App) *cobra.Command {
	var opt tui.Options
	c := &cobra.Command{
		Use:   "tui",
		Short: "watch and drive what runs in this home; q detaches and stops nothing",
		Long: `tui shows what the programs of this home do, live: overview, load, pipeline, reports, profiles. It is a client of their control
API: closing it stops nothing. Where nothing serves the home it edits profiles and starts load runs all the same; they go on when
it is closed. Where there is no terminal it prints plain lines.

    pipeline tui
    pipeline tui --plain`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return attach(c.Context(), app, opt) },
	}
	c.Flags().BoolVar(&opt.ReadOnly, "read-only", false, "change nothing: no run is started, steered or stopped, no profile saved, no message sent again")
	c.Flags().BoolVar(&opt.NoMouse, "no-mouse", false, "leave the mouse to the terminal")
	return c
}

// attach shows the screens of whatever process serves the control API of the home.
func attach(ctx context.Context, app *cli.App, opt tui.Options) error {
	p, err := project.Open(".", app.Home)
	if err != nil {
		return err
	}
	client := control.Dial(p.Socket())
	defer client.Close()
	if !app.Interactive() {
		return plain.Follow(ctx, client, app.Stdout, 10*time.Second)
	}
	d := desk.New(p)
	outbox := &show.OwnOutbox{By: who(app),
		There: func() bool { return db.IsPostgres(p.Outbox()) || exists(p.Outbox()) },
		Open: func(ctx context.Context) (*notify.Service, error) {
			return openOutbox(ctx, app, p, nil) // what a test message echoes would tear the screen
		},
	}
	verbs := d.Verbs()
	maps.Copy(verbs, outbox.Verbs())
	own, end, err := show.Own(ctx, version, p.Home, verbs, d.Watch, outbox.Watch)
	if err != nil {
		return fmt.Errorf("control API: %w", err)
	}
	opt.Getenv = app.Getenv
	err = tui.Run(ctx, control.Either(client, own), app.Stdin, app.Stdout, opt)
	return errors.Join(err, end())
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func statusCommand(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "print what runs in this home now",
		Long: `status prints one look at what the programs of this home do. With --json it is the whole snapshot of the control API.

    pipeline status`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := project.Open(".", app.Home)
			if err != nil {
				return err
			}
			client := control.Dial(p.Socket())
			defer client.Close()
			sn, err := client.Snapshot(c.Context())
			if errors.Is(err, control.ErrNotServed) {
				return &cli.Error{Err: errors.New("nothing runs in home " + p.Home), Hint: "`pipeline run JOB` or `pipeline demo` starts something"}
			}
			if err != nil {
				return err
			}
			text := ""
			for _, l := range plain.Summary(sn, time.Now()) {
				text += l + "\n"
			}
			return app.Result(sn, text)
		},
	}
}
