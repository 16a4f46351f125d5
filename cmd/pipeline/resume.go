package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/ingest"
	"weir/internal/job"
	"weir/internal/lake"
	"weir/internal/project"
	"weir/internal/report"
)

func resumeCommand(app *cli.App) *cobra.Command {
	var fromTable, keepCursor bool
	var dir string
	c := &cobra.Command{
		Use:   "resume JOB",
		Short: "decide from where a job goes on after its table was rolled back",
		Long: `resume ends the stop of a job whose table somebody has rolled back: the table's property and its history then name two
different positions, and going on from either could lose or double rows. A human decides:

    pipeline resume transactions --from-table     read again what the rollback took out: the newest snapshot's position
    pipeline resume transactions --keep-cursor    leave out what the rollback took out: the position reached before it

The decision is kept in the table's history (summary weir.resolved).`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if fromTable == keepCursor {
				return cli.Usage(errors.New("expected one of --from-table and --keep-cursor"), "`pipeline resume --help` says what each means")
			}
			p, err := project.Open(dir, app.Home)
			if err != nil {
				return err
			}
			j, err := job.Find(p.JobsDir(), args[0], kinds)
			if err != nil {
				return err
			}
			l, err := lake.Open(c.Context(), p.Lake())
			if err != nil {
				return err
			}
			defer l.Close()
			t, err := l.Table(c.Context(), tableOf(j))
			if err != nil {
				return err
			}
			pos, err := t.Resolve(c.Context(), j.Name, keepCursor)
			if err != nil {
				return err
			}
			return app.Result(map[string]any{"job": j.Name, "table": t.Name(), "cursor": pos.Cursor}, fmt.Sprintf("%s goes on from %s\n", j.Name, pos.Cursor))
		},
	}
	c.Flags().BoolVar(&fromTable, "from-table", false, "go on from the position of the newest snapshot that is left")
	c.Flags().BoolVar(&keepCursor, "keep-cursor", false, "go on from the position that was reached before the rollback")
	c.Flags().StringVar(&dir, "project", ".", "directory of weir.yaml and jobs/")
	return c
}

func tableOf(j job.Job) string {
	switch c := j.Spec.(type) {
	case *ingest.Config:
		return c.Table
	case *report.Config:
		return c.Table
	}
	return ""
}

// resolvable adds the commands that end a stop after a rollback.
func resolvable(job string, err error) error {
	var rolled *lake.RolledBackError
	if !errors.As(err, &rolled) {
		return err
	}
	return &cli.Error{Err: err, Hint: fmt.Sprintf("`pipeline resume %s --from-table` reads again what was rolled back, `pipeline resume %s --keep-cursor` leaves it out", job, job)}
}
