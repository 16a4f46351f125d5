package main

import (
	"context"

	"weir/internal/cli"
	"weir/internal/job"
	"weir/internal/lake"
	"weir/internal/project"
)

// withLake runs f with the tables of a project.
func withLake(ctx context.Context, app *cli.App, dir string, f func(*project.Project, *lake.Lake) error) error {
	p, err := project.Open(dir, app.Home)
	if err != nil {
		return err
	}
	l, err := lake.Open(ctx, p.Lake())
	if err != nil {
		return err
	}
	defer l.Close()
	return f(p, l)
}

// jobsOf are the job of a name, or all of the project.
func jobsOf(p *project.Project, names []string) ([]job.Job, error) {
	if len(names) > 0 {
		j, err := job.Find(p.JobsDir(), names[0], kinds)
		return []job.Job{j}, err
	}
	files, err := job.Files(p.JobsDir())
	if err != nil {
		return nil, err
	}
	var all []job.Job
	for _, f := range files {
		j, err := job.Load(f, kinds)
		if err != nil {
			return nil, err
		}
		all = append(all, j)
	}
	return all, nil
}
