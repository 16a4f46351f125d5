package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
	"github.com/spf13/cobra"

	"weir/internal/airflow"
	"weir/internal/cli"
	"weir/internal/job"
	"weir/internal/project"
)

func airflowCommand(app *cli.App) *cobra.Command {
	o := airflowOptions{}
	c := &cobra.Command{
		Use:   "airflow JOB…",
		Short: "write an Airflow DAG for jobs",
		Long: `airflow writes a DAG file for Airflow 2.9 and later and 3: one task for each job, with its data interval, retries and
dependencies. A report comes after the jobs that write the tables which it reads. The file goes to stdout, or to --out.

    pipeline airflow transactions daily_totals --cron "0 6 * * *" --timezone Europe/Berlin --out dags/weir_bank.py

Tasks call "pipeline run" on the worker, or with --to emr "pipeline submit", which submits to EMR and follows the job: a task that is
tried again follows the one that still runs there. A task that runs twice for an interval adds nothing.

    pipeline airflow transactions daily_totals --to emr --out dags/weir_bank.py     as EMR steps`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), app, args) },
	}
	f := c.Flags()
	f.StringVar(&o.id, "dag", "", "DAG id (default: weir_ and the first job's name)")
	f.StringVar(&o.cron, "cron", "", "when a data interval ends and its run starts: five fields, or @hourly, @daily, … (default: the jobs' own schedule, or else 0 6 * * *)")
	f.StringVar(&o.zone, "timezone", "", "time zone of the schedule (default: that of the jobs' schedule, or else UTC)")
	f.StringVar(&o.start, "start", "", "first day (default: today)")
	f.BoolVar(&o.catchUp, "catch-up", false, "run the intervals since --start that are past, too")
	f.IntVar(&o.retries, "retries", 3, "how often a failed task is tried again")
	f.DurationVar(&o.delay, "retry-delay", time.Minute, "wait before the first retry; it doubles")
	f.DurationVar(&o.timeout, "timeout", 2*time.Hour, "end a task after so long; 0: never")
	f.StringVar(&o.to, "to", toLocal, "where jobs run: local (on the worker), thrift, emr, emr-serverless (see `pipeline submit`)")
	f.StringVar(&o.program, "program", "pipeline", "the program on the workers")
	f.StringVar(&o.out, "out", "", "file to write (default: stdout)")
	f.StringVar(&o.project, "project", ".", "directory of weir.yaml, jobs/ and units.yaml")
	return c
}

type airflowOptions struct {
	id, cron, zone, start, to, program, out, project string
	catchUp                                          bool
	retries                                          int
	delay, timeout                                   time.Duration
}

func (o airflowOptions) run(ctx context.Context, app *cli.App, names []string) error {
	if !slices.Contains(submitTargets, o.to) {
		return cli.Usage(fmt.Errorf("--to: expected %s, got %q", strings.Join(submitTargets, ", "), o.to), "")
	}
	if _, err := cron.ParseStandard(o.cron); o.cron != "" && err != nil {
		return cli.Usage(fmt.Errorf("--cron: expected five fields such as \"0 6 * * *\", got %q: %w", o.cron, err), "")
	}
	p, err := project.Open(o.project, app.Home)
	if err != nil {
		return err
	}
	var jobs []job.Job
	for _, n := range names {
		j, err := job.Find(p.JobsDir(), n, kinds)
		if err != nil {
			return err
		}
		jobs = append(jobs, j)
	}
	if err := o.schedule(app, jobs); err != nil {
		return err
	}
	d, err := o.dag(ctx, p, jobs)
	if err != nil {
		return err
	}
	var b strings.Builder
	if err := airflow.Write(&b, d); err != nil {
		return cli.Usage(err, "")
	}
	if o.out == "" {
		_, err := fmt.Fprint(app.Stdout, b.String())
		return err
	}
	if err := os.WriteFile(o.out, []byte(b.String()), 0o644); err != nil {
		return err
	}
	return app.Result(map[string]any{"dag": d.ID, "file": o.out, "tasks": len(d.Tasks)}, fmt.Sprintf("%s: DAG %s with %d tasks\n", o.out, d.ID, len(d.Tasks)))
}

// schedule fills in what no flag says: a DAG has one schedule, its jobs' own.
func (o *airflowOptions) schedule(app *cli.App, jobs []job.Job) error {
	if _, err := time.LoadLocation(o.zone); err != nil {
		return cli.Usage(fmt.Errorf("--timezone: expected a name such as Europe/Berlin, got %q", o.zone), "")
	}
	asked := o.cron != ""
	var by *job.Job
	for i, j := range jobs {
		if j.Schedule == nil || asked {
			continue
		}
		if j.Schedule.Always {
			return cli.Usage(placed(j, "schedule.always", "a stream that always runs has no interval for a task of Airflow: leave it out, or give --cron"), "")
		}
		if by != nil && (by.Schedule.Cron != j.Schedule.Cron || by.Schedule.Timezone != j.Schedule.Timezone) {
			return cli.Usage(placed(j, "schedule", fmt.Sprintf("it has another schedule than job %s (%s), and a DAG has one", by.Name, by.File)), "write a DAG for each, or say with --cron and --timezone which it is")
		}
		by = &jobs[i]
		o.cron = j.Schedule.Cron
	}
	if by != nil && o.zone == "" {
		o.zone = by.Schedule.Timezone
	}
	if o.zone == "" {
		o.zone = "UTC"
	}
	if o.cron == "" {
		o.cron = "0 6 * * *"
		fmt.Fprintf(app.Stderr, "pipeline: no job here has a schedule: the DAG runs at %q, %s; --cron and --timezone say otherwise\n", o.cron, o.zone)
	}
	return nil
}

func (o airflowOptions) dag(ctx context.Context, p *project.Project, jobs []job.Job) (airflow.DAG, error) {
	dir, err := filepath.Abs(p.Dir)
	if err != nil {
		return airflow.DAG{}, err
	}
	d := airflow.DAG{
		ID: o.id, Cron: o.cron, Timezone: o.zone, Start: time.Now().UTC(), CatchUp: o.catchUp, Project: dir, Home: p.Home, Program: o.program, To: o.to,
	}
	if d.ID == "" {
		d.ID = "weir_" + jobs[0].Name
	}
	if o.start != "" {
		if d.Start, err = time.Parse(time.DateOnly, o.start); err != nil {
			return d, cli.Usage(fmt.Errorf("--start: expected a date such as 2026-11-20, got %q", o.start), "")
		}
	}
	after, err := readsFrom(ctx, jobs)
	if err != nil {
		return d, err
	}
	for _, j := range jobs {
		d.Tasks = append(d.Tasks, airflow.Task{
			Job: j.Name, Kind: j.Kind, Title: j.Title, Unit: j.Unit, After: after[j.Name], Retries: o.retries, RetryDelay: o.delay, Timeout: o.timeout,
		})
	}
	return d, nil
}

// readsFrom says of each job which of the others write the tables that it reads.
func readsFrom(ctx context.Context, jobs []job.Job) (map[string][]string, error) {
	var flows []job.Flow
	for _, j := range jobs {
		f, err := flow(ctx, j)
		if err != nil {
			return nil, cli.Usage(fmt.Errorf("job %s: %w", j.Name, err), "`pipeline check` says where")
		}
		flows = append(flows, f)
	}
	g, conflicts := job.Connect(flows)
	if len(conflicts) > 0 {
		return nil, cli.Usage(conflicts[0], "")
	}
	return g.After, nil
}

// spanOf is a data interval as Airflow and other schedulers hand it over: two times with a slash between (ISO 8601).
func spanOf(s string) (start, end time.Time, err error) {
	a, b, ok := strings.Cut(s, "/")
	start, err = time.Parse(time.RFC3339, a)
	if err == nil && ok {
		end, err = time.Parse(time.RFC3339, b)
	}
	if err != nil || !ok || !start.Before(end) {
		return start, end, cli.Usage(fmt.Errorf("--interval: expected start/end, such as 2026-11-20T00:00:00Z/2026-11-21T00:00:00Z, got %q", s), "")
	}
	return start, end, nil // in their zone: it tells the business date
}
