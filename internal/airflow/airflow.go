// Package airflow writes DAG files for Airflow: weir's jobs as tasks, for teams whose schedule lives there.
//
// Start with [Write]. The file is plain Python for Airflow 2.9 and later and 3, meant to be read; it needs nothing of weir but
// its program on the worker's PATH.
//
// # Promises
//
// Each task runs one job for the data interval of its DAG run, and running it again for the same interval adds nothing: a
// retry, a cleared task and a backfill are safe. A task ends as the job does, and the last line that it prints is the job's
// result, which Airflow keeps as XCom.
package airflow

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"
)

// A DAG is what becomes one file.
type DAG struct {
	ID       string
	Cron     string // five fields, or @daily and its like
	Timezone string // IANA name
	Start    time.Time
	CatchUp  bool // run the intervals between Start and now too
	Project  string
	Home     string
	Program  string // pipeline, or the path of it on the workers
	To       string // where jobs run, as `pipeline submit` names it; empty or local: `pipeline run` on the worker
	Tasks    []Task
}

// A Task is a job.
type Task struct {
	Job, Kind, Title, Unit, Owner string
	After                         []string // jobs of the same DAG that write what this one reads
	Retries                       int
	RetryDelay, Timeout           time.Duration
}

//go:embed dag.py.tmpl
var text string

var form = template.Must(template.New("dag.py").Funcs(template.FuncMap{
	"py":      strconv.Quote, // Go's escapes are Python's
	"seconds": func(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) },
	"list":    list,
	"bool": func(b bool) string {
		if b {
			return "True"
		}
		return "False"
	},
	"open":    func() string { return "{{" }, // Airflow's own templates
	"close":   func() string { return "}}" },
	"command": command,
	"line": func(s string) string {
		return strings.Join(strings.Fields(strings.NewReplacer(`\`, " ", `"`, "'").Replace(s)), " ")
	},
}).Parse(text))

func list(words []string) string {
	q := make([]string, len(words))
	for i, w := range words {
		q[i] = strconv.Quote(w)
	}
	return strings.Join(q, ", ")
}

// command is the line that a task runs, up to its data interval.
func command(d DAG, t Task) (string, error) {
	words := []string{d.Program, "run", t.Job}
	if d.To != "" && d.To != "local" {
		words = []string{d.Program, "submit", t.Job, "--to", d.To}
	} else if t.Kind == "ingest" {
		words = append(words, "--until-caught-up")
	}
	if d.Home != "" {
		words = append(words, "--home", d.Home)
	}
	words = append(words, "--project", d.Project, "--json", "--interval")
	for i, w := range words {
		if strings.Contains(w, "{{") || strings.Contains(w, "{%") {
			return "", fmt.Errorf("%q holds what Airflow would take for a template", w)
		}
		words[i] = shell(w)
	}
	return strings.Join(words, " ") + " ", nil
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_./:=@%+-]+$`)

// shell quotes a word for bash.
func shell(w string) string {
	if plain.MatchString(w) {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}

var idForm = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,250}$`)

// Write writes the file. Tasks come in the order in which they may run.
func Write(w io.Writer, d DAG) error {
	if !idForm.MatchString(d.ID) {
		return fmt.Errorf("dag id: expected letters, digits, _ . and -, got %q", d.ID)
	}
	if _, err := time.LoadLocation(d.Timezone); err != nil {
		return fmt.Errorf("timezone: expected a name such as Europe/Berlin, got %q", d.Timezone)
	}
	var err error
	if d.Tasks, err = ordered(d.Tasks); err != nil {
		return err
	}
	var b strings.Builder
	if err := form.Execute(&b, d); err != nil {
		return err
	}
	_, err = io.WriteString(w, b.String())
	return err
}

// ordered puts each task behind those that it comes after.
func ordered(tasks []Task) ([]Task, error) {
	var out []Task
	left := slices.Clone(tasks)
	for len(left) > 0 {
		i := slices.IndexFunc(left, func(t Task) bool {
			return !slices.ContainsFunc(left, func(o Task) bool { return slices.Contains(t.After, o.Job) })
		})
		if i < 0 {
			names := make([]string, len(left))
			for i, t := range left {
				names[i] = t.Job
			}
			return nil, errors.New("these jobs wait for each other: " + strings.Join(names, ", "))
		}
		out, left = append(out, left[i]), slices.Delete(left, i, i+1)
	}
	return out, nil
}

// Units are the business units of the DAG's jobs, each once.
func (d DAG) Units() []string {
	var units []string
	for _, t := range d.Tasks {
		if t.Unit != "" && !slices.Contains(units, "unit:"+t.Unit) {
			units = append(units, "unit:"+t.Unit)
		}
	}
	return units
}

// Schedule is Airflow's cron, without the presets that its timetable does not know.
func (d DAG) Schedule() string {
	presets := map[string]string{"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *"}
	if c, ok := presets[d.Cron]; ok {
		return c
	}
	return d.Cron
}
