package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/audit"
	"weir/internal/cli"
	"weir/internal/ingest"
	"weir/internal/job"
	"weir/internal/lake"
	"weir/internal/project"
	"weir/internal/quarantine"
	"weir/internal/report"
	"weir/internal/topic"
)

func resumeCommand(app *cli.App) *cobra.Command {
	var fromTable, keepCursor bool
	var dir, why string
	c := &cobra.Command{
		Use:   "resume JOB",
		Short: "decide from where a job goes on after its table was rolled back",
		Long: `resume ends the stop of a job whose table somebody has rolled back: the table's property and its history then name two
different positions, and going on from either could lose or double rows. A human decides:

    pipeline resume transactions --from-table     read again what the rollback took out: the newest snapshot's position
    pipeline resume transactions --keep-offsets   leave out what the rollback took out: the position reached before it

The decision is kept in the table NAME__audit.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if fromTable == keepCursor {
				return cli.Usage(errors.New("expected one of --from-table and --keep-offsets"), "`pipeline resume --help` says what each means")
			}
			return withLake(c.Context(), app, dir, func(p *project.Project, l *lake.Lake) error {
				j, err := job.Find(p.JobsDir(), args[0], kinds)
				if err != nil {
					return err
				}
				t, err := l.Table(c.Context(), tableOf(j))
				if err != nil {
					return err
				}
				forgot := false
				if cfg, ok := j.Spec.(*ingest.Config); ok { // replays of its quarantine may have been rolled back, too, or alone
					if forgot, err = quarantine.Forget(c.Context(), l, cfg.Table, j.Name); err != nil {
						return err
					}
				}
				if pos, err := t.Position(c.Context(), j.Name); forgot && err == nil {
					return app.Result(map[string]any{"job": j.Name, "table": t.Name(), "cursor": pos.Cursor}, fmt.Sprintf("%s goes on from %s, and replays of its quarantine can be made again\n", j.Name, pos.Cursor))
				}
				pos, err := t.Resolve(c.Context(), j.Name, keepCursor, func(property, snapshot json.RawMessage) map[string]string {
					return resolved(app, j.Name, keepCursor, why, property, snapshot).Note()
				})
				if err != nil {
					return err
				}
				if err := audit.Keep(c.Context(), l, t, j.Name); err != nil {
					return err
				}
				return app.Result(map[string]any{"job": j.Name, "table": t.Name(), "cursor": pos.Cursor}, fmt.Sprintf("%s goes on from %s\n", j.Name, pos.Cursor))
			})
		},
	}
	c.Flags().BoolVar(&fromTable, "from-table", false, "go on from the position of the newest snapshot that is left")
	c.Flags().BoolVar(&keepCursor, "keep-offsets", false, "go on from the position that was reached before the rollback")
	c.Flags().BoolVar(&keepCursor, "keep-cursor", false, "the older name of --keep-offsets")
	_ = c.Flags().MarkHidden("keep-cursor")
	c.Flags().StringVar(&why, "why", "", "the reason, for the audit table")
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

// resolved is the decision after a rollback. A job without offsets has one move, without positions.
func resolved(app *cli.App, job string, keep bool, why string, property, snapshot json.RawMessage) audit.Decision {
	d := audit.Decision{Job: job, At: time.Now().UTC(), Who: who(app), Why: why, Before: property, After: snapshot}
	action := audit.FromTable
	if keep {
		d.After, action = property, audit.KeepCursor
	}
	was, is := positions(snapshot), positions(property) // what the rollback took out lies between
	for _, p := range slices.Sorted(maps.Keys(is)) {
		if was[p] != is[p] {
			d.Moves = append(d.Moves, audit.Move{Partition: p, From: was[p], To: is[p], Action: action})
		}
	}
	if len(d.Moves) == 0 {
		d.Moves = []audit.Move{{Action: action}}
	}
	return d
}

// positions of a cursor, if it has any.
func positions(raw json.RawMessage) map[int32]int64 {
	o, err := topic.StoredOffsets(raw)
	if err != nil {
		return nil
	}
	return o.Next
}

// resolvable adds the commands that end a stop about a job's position.
func resolvable(job string, err error) error {
	var rolled *lake.RolledBackError
	if !errors.As(err, &rolled) {
		return undecided(job, err)
	}
	return &cli.Error{Err: err, Hint: fmt.Sprintf("`pipeline resume %s --from-table` reads again what was rolled back, `pipeline resume %s --keep-offsets` leaves it out", job, job)}
}
