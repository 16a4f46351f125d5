package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/config"
	"weir/internal/engine"
	"weir/internal/engine/duckdb"
	"weir/internal/etl"
	"weir/internal/job"
	"weir/internal/load"
	"weir/internal/notify"
	"weir/internal/project"
	"weir/internal/report"
	"weir/profiles"
)

func checkCommand(app *cli.App) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "check [FILES]",
		Short: "validate all files of the project, or the named ones, without touching a server",
		Long: `check reads weir.yaml, jobs/*.yaml with their queries, profiles/*.yaml and units.yaml, and says everything that is wrong with
them, with file, line and column; also which jobs cannot stand side by side: two that write one table, or that wait for each
other in a circle. It talks to no broker, registry or catalog.

    pipeline check
    pipeline check jobs/transactions.yaml

Exit code 2 if something is wrong. With --json the last line is {files, problems}.`,
		RunE: func(c *cobra.Command, args []string) error {
			files := args
			if len(files) == 0 {
				var err error
				if files, err = projectFiles(dir); err != nil {
					return err
				}
			}
			k := &checker{ctx: c.Context(), dir: dir}
			for _, f := range files {
				k.file(f)
			}
			k.jobsAgainstUnits()
			k.jobsTogether()
			if len(args) == 0 {
				k.waiting()
			}
			return k.result(app, len(files))
		},
	}
	c.Flags().StringVar(&dir, "project", ".", "directory of weir.yaml, jobs/, profiles/ and units.yaml")
	return c
}

func projectFiles(dir string) ([]string, error) {
	var files []string
	for _, name := range []string{"weir.yaml", "units.yaml"} {
		f := filepath.Join(dir, name)
		if _, err := os.Stat(f); err == nil {
			files = append(files, f)
		}
	}
	for _, sub := range []string{"jobs", "profiles"} {
		more, err := job.Files(filepath.Join(dir, sub))
		if err != nil {
			return nil, err
		}
		files = append(files, more...)
	}
	if len(files) == 0 {
		return nil, cli.Usage(fmt.Errorf("there are no files of weir in %s", dir), "`pipeline init` writes a set to start from")
	}
	return files, nil
}

type checker struct {
	ctx      context.Context
	dir      string
	problems []string
	jobs     []job.Job
	names    []string // of all jobs, also of those with mistakes
	flows    []job.Flow
	units    *notify.Units
}

func (k *checker) say(err error) {
	if err != nil {
		k.problems = append(k.problems, strings.Split(err.Error(), "\n")...)
	}
}

// file knows a file's kind by its name or folder, or else by its `kind:`.
func (k *checker) file(path string) {
	data, err := os.ReadFile(path)
	if err != nil {
		k.say(err)
		return
	}
	switch kindOf(path, data) {
	case "weir":
		k.say(config.Decode(path, data, new(project.Weir), config.WithoutExpansion()))
	case "units":
		u, err := notify.LoadUnits(path)
		k.say(err)
		if err == nil {
			k.units = &u
			failed, err := u.Test()
			k.say(err)
			for _, f := range failed {
				k.say(config.Place(path, data, fmt.Sprintf("tests[%d]", f.Index), f.String()))
			}
		}
	case "profile":
		p, err := load.Parse(path, data, load.Shipped(profiles.Files))
		if err == nil {
			if err = p.Check(); err != nil {
				err = p.Placed(err)
			}
		}
		k.say(err)
	case "job":
		j, err := job.Load(path, kinds, config.WithoutExpansion())
		k.say(err)
		k.names = append(k.names, j.Name)
		if err == nil {
			k.jobs = append(k.jobs, j)
			k.flow(j, data)
		}
	default:
		k.say(config.Problem{File: path, Line: 1, Col: 1, Message: "expected `kind: Weir`, `kind: Job` or `kind: LoadProfile`, or the name units.yaml"})
	}
}

func kindOf(path string, data []byte) string {
	switch filepath.Base(path) {
	case "weir.yaml":
		return "weir"
	case "units.yaml":
		return "units"
	}
	switch filepath.Base(filepath.Dir(path)) {
	case "jobs":
		return "job"
	case "profiles":
		return "profile"
	}
	for _, line := range strings.Split(string(data), "\n") {
		if v, ok := strings.CutPrefix(line, "kind:"); ok {
			return map[string]string{"Weir": "weir", "Job": "job", "LoadProfile": "profile"}[strings.TrimSpace(strings.SplitN(v, "#", 2)[0])]
		}
	}
	return ""
}

// expressions types those of an etl job.
func (k *checker) expressions(j job.Job, c etl.Config, data []byte) {
	bad, err := etl.Check(k.ctx, j.Name, c, etl.Parts{Engine: duckdb.New(duckdb.Options{}), Dir: filepath.Dir(j.File), File: j.File})
	k.say(err)
	for _, b := range bad {
		k.say(config.Place(j.File, data, "etl."+b.Path, b.Message))
	}
}

// flow finds what a job reads and writes, for which a report's SQL is parsed; whether its tables exist is for the run to find out.
func (k *checker) flow(j job.Job, data []byte) {
	if c, ok := j.Spec.(*etl.Config); ok {
		k.expressions(j, *c, data)
	}
	f, err := flow(k.ctx, j)
	if err == nil {
		k.flows = append(k.flows, f)
		return
	}
	if c, ok := j.Spec.(*report.Config); ok {
		_, file, _ := c.Text(filepath.Dir(j.File))
		var s *engine.SQLError
		switch {
		case errors.Is(err, fs.ErrNotExist):
			err = config.Place(j.File, data, "report.sql", fmt.Sprintf("there is no file %s", file))
		case errors.As(err, &s) && file == "":
			err = config.Place(j.File, data, "report.query", s.Error())
		case errors.As(err, &s):
			err = fmt.Errorf("%s:%w", file, s)
		}
	}
	k.say(err)
}

// placed says what is wrong with a value of a job file.
func placed(j job.Job, path, message string) error {
	data, err := os.ReadFile(j.File)
	if err != nil {
		return err
	}
	return config.Place(j.File, data, path, message)
}

// waiting says which jobs wait for one that is not there, or that never runs at their time.
func (k *checker) waiting() {
	for _, j := range k.jobs {
		if j.Schedule != nil && j.Schedule.Always && j.Kind != "ingest" {
			k.say(placed(j, "schedule.always", fmt.Sprintf("always: true is for streams (ingest), this is a job of kind %s: give it a cron", j.Kind)))
		}
		for n, up := range j.After {
			at, path := slices.IndexFunc(k.jobs, func(o job.Job) bool { return o.Name == up }), fmt.Sprintf("after[%d]", n)
			switch {
			case at < 0 && slices.Contains(k.names, up): // its file has mistakes of its own
			case at < 0:
				msg := fmt.Sprintf("no job is named %q", up)
				if near := config.Nearest(up, k.names); near != "" {
					msg += fmt.Sprintf("; did you mean %q?", near)
				}
				k.say(placed(j, path, msg))
			case j.Schedule != nil && k.jobs[at].Schedule == nil:
				k.say(placed(j, path, fmt.Sprintf("job %s has no schedule: there is no run of it to wait for (%s)", up, k.jobs[at].File)))
			}
		}
	}
}

// jobsTogether says which jobs cannot stand side by side.
func (k *checker) jobsTogether() {
	_, conflicts := job.Connect(k.flows)
	for _, c := range conflicts {
		data, err := os.ReadFile(c.File)
		if err != nil {
			continue
		}
		k.say(config.Place(c.File, data, "name", c.Message))
	}
}

func (k *checker) jobsAgainstUnits() {
	seen := map[string]string{}
	for _, j := range k.jobs {
		data, err := os.ReadFile(j.File)
		if err != nil {
			continue
		}
		if other, ok := seen[j.Name]; ok {
			k.say(config.Place(j.File, data, "name", fmt.Sprintf("%s has the name %q as well", other, j.Name)))
		}
		seen[j.Name] = j.File
		if k.units == nil || j.Unit == "" {
			continue
		}
		if _, ok := k.units.Units[j.Unit]; !ok {
			var names []string
			for n := range k.units.Units {
				names = append(names, n)
			}
			slices.Sort(names)
			msg := fmt.Sprintf("units.yaml has no unit %q; it has %s", j.Unit, strings.Join(names, ", "))
			if near := config.Nearest(j.Unit, names); near != "" {
				msg += fmt.Sprintf("; did you mean %q?", near)
			}
			k.say(config.Place(j.File, data, "unit", msg))
		}
	}
}

func (k *checker) result(app *cli.App, files int) error {
	if k.problems == nil {
		k.problems = []string{}
	}
	text := fmt.Sprintf("%d files are good\n", files)
	if len(k.problems) > 0 {
		text = strings.Join(k.problems, "\n") + "\n"
	}
	if err := app.Result(map[string]any{"files": files, "problems": k.problems}, text); err != nil {
		return err
	}
	if n := len(k.problems); n > 0 {
		return cli.Usage(fmt.Errorf("%d problems in %d files", n, files), "")
	}
	return nil
}
