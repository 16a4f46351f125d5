// Package job reads job files: their common part, and the section of their kind.
//
// A file holds exactly one section of a kind, such as `ingest:` or `report:`. Kinds are handed in by the program; this package
// knows none of them.
package job

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"weir/internal/cli"
	"weir/internal/config"
	"weir/internal/schedule"
)

// A Kind is a sort of job.
type Kind struct {
	Name string     // of its section: ingest
	New  func() any // pointer to an empty config
}

// A Job is a job file.
type Job struct {
	File  string
	Name  string
	Unit  string // business unit that is told
	Title string // what the business calls it
	Kind  string
	Spec  any // pointer to the kind's config, as Kind.New made it

	Owner    string
	Schedule *schedule.Config
	Retry    schedule.Retry
	Timeout  time.Duration // 0: none
	After    []string      // jobs that must be good first, besides those whose tables it reads
}

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// Load reads one file.
func Load(file string, kinds []Kind, opt ...config.Option) (Job, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return Job{}, err
	}
	// The struct of a job file depends on the kinds of the program, so it is made here.
	t := fileType(kinds)
	v := reflect.New(t)
	err = config.Decode(file, data, v.Interface(), opt...)
	j := Job{File: file, Name: text(v, "Name"), Unit: text(v, "Unit"), Title: text(v, "Title"), Owner: text(v, "Owner")}
	j.Schedule, _ = v.Elem().FieldByName("Schedule").Interface().(*schedule.Config)
	if r, ok := v.Elem().FieldByName("Retry").Interface().(*schedule.Retry); ok && r != nil {
		j.Retry = *r
	}
	j.Retry = j.Retry.WithDefaults()
	j.Timeout = time.Duration(v.Elem().FieldByName("Timeout").Int())
	j.After, _ = v.Elem().FieldByName("After").Interface().([]string)
	var problems config.Problems
	errors.As(err, &problems)
	say := func(path, format string, args ...any) {
		problems = append(problems, config.Place(file, data, path, fmt.Sprintf(format, args...)))
	}
	if api := text(v, "APIVersion"); api != "" && api != "weir/v1" {
		say("apiVersion", "expected weir/v1, got %q", api)
	}
	if k := text(v, "Kind"); k != "" && k != "Job" {
		say("kind", "expected Job, got %q", k)
	}
	if j.Name != "" && !nameForm.MatchString(j.Name) {
		say("name", "expected a name of lower-case letters, digits and _, got %q", j.Name)
	}
	var names []string
	for i, k := range kinds {
		names = append(names, k.Name)
		spec := v.Elem().Field(firstKind + i)
		if spec.IsNil() {
			continue
		}
		if j.Kind != "" {
			say(k.Name, "a file holds one job: it has %s: and %s:", j.Kind, k.Name)
		}
		j.Kind, j.Spec = k.Name, spec.Interface()
	}
	if j.Kind == "" && len(problems) == 0 {
		say("", "expected one of the sections %s:", strings.Join(names, ":, "))
	}
	if len(problems) > 0 {
		return j, problems
	}
	return j, nil
}

const firstKind = 10 // fields before those of the kinds

func fileType(kinds []Kind) reflect.Type {
	str := reflect.TypeFor[string]()
	fields := []reflect.StructField{
		{Name: "APIVersion", Type: str, Tag: `yaml:"apiVersion" jsonschema:"required,enum=weir/v1,description=weir/v1"`},
		{Name: "Kind", Type: str, Tag: `yaml:"kind" jsonschema:"required,enum=Job,description=Job"`},
		{Name: "Name", Type: str, Tag: `yaml:"name" jsonschema:"required,description=name of the job: lower-case letters and digits and _"`},
		{Name: "Unit", Type: str, Tag: `yaml:"unit,omitempty" jsonschema:"description=business unit that is told what becomes of it (units.yaml)"`},
		{Name: "Title", Type: str, Tag: `yaml:"title,omitempty" jsonschema:"description=what the business calls it"`},
		{Name: "Owner", Type: str, Tag: `yaml:"owner,omitempty" jsonschema:"description=who looks after the job"`},
		{Name: "Schedule", Type: reflect.TypeFor[*schedule.Config](), Tag: `yaml:"schedule,omitempty" jsonschema:"description=when pipeline serve runs it"`},
		{Name: "Retry", Type: reflect.TypeFor[*schedule.Retry](), Tag: `yaml:"retry,omitempty" jsonschema:"description=what becomes of a run that failed"`},
		{Name: "Timeout", Type: reflect.TypeFor[config.Duration](), Tag: `yaml:"timeout,omitempty" jsonschema:"description=end a run after so long: 2h"`},
		{Name: "After", Type: reflect.TypeFor[[]string](), Tag: `yaml:"after,omitempty" jsonschema:"description=jobs whose run of the same time must be good first; those whose tables it reads are known"`},
	}
	for _, k := range kinds {
		fields = append(fields, reflect.StructField{
			Name: strings.ToUpper(k.Name[:1]) + k.Name[1:], Type: reflect.TypeOf(k.New()), Tag: reflect.StructTag(`yaml:"` + k.Name + `,omitempty"`),
		})
	}
	return reflect.StructOf(fields)
}

// Blank is a pointer to the struct of a job file, for its JSON Schema.
func Blank(kinds []Kind) any { return reflect.New(fileType(kinds)).Interface() }

func text(v reflect.Value, field string) string { return v.Elem().FieldByName(field).String() }

// Files lists the job files of a directory; none if there is no such directory.
func Files(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); !e.IsDir() && (ext == ".yaml" || ext == ".yml") {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	return files, nil
}

// Find loads a job by its name, or by its file.
func Find(dir, nameOrFile string, kinds []Kind) (Job, error) {
	if strings.ContainsAny(nameOrFile, "./") {
		return Load(nameOrFile, kinds)
	}
	files, err := Files(dir)
	if err != nil {
		return Job{}, err
	}
	var names []string
	for _, f := range files {
		j, err := Load(f, kinds)
		if j.Name == nameOrFile {
			return j, err
		}
		if j.Name != "" {
			names = append(names, j.Name)
		}
	}
	slices.Sort(names)
	hint := "there are no jobs in " + dir + ": `pipeline init` writes examples"
	if len(names) > 0 {
		hint = "known jobs: " + strings.Join(names, ", ")
		if n := config.Nearest(nameOrFile, names); n != "" {
			hint = fmt.Sprintf("did you mean %q? %s", n, hint)
		}
	}
	return Job{}, cli.Usage(fmt.Errorf("no job is named %q", nameOrFile), hint)
}
