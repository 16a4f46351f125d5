package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"weir/internal/cli"
	"weir/internal/config"
	"weir/internal/load"
	"weir/internal/project"
	"weir/profiles"
)

// overrides are the flags that replace parts of a profile.
type overrides struct {
	topic, rate, size, count string
	duration                 time.Duration
	sets                     []string
}

func (o *overrides) flags(f *pflag.FlagSet) {
	f.StringVar(&o.topic, "topic", "", "topic, in place of the profile's")
	f.StringVar(&o.rate, "rate", "", "constant rate as 20k/s, or max, in place of the profile's curve")
	f.StringVar(&o.size, "size", "", "constant size of a value in bytes, as 1KiB")
	f.StringVar(&o.count, "count", "", "number of messages, as 200k, in place of the profile's volume")
	f.DurationVar(&o.duration, "duration", 0, "length of the schedule, as 30s, in place of the profile's volume; the warm-up takes half of it at most")
	setFlag(f, &o.sets)
}

// setFlag is that of all verbs that read a profile.
func setFlag(f *pflag.FlagSet, to *[]string) {
	f.StringArrayVar(to, "set", nil, "any value of the profile, as rate.stages[1].target=30k/s; may be repeated, empty takes a key away")
}

// read reads a profile and changes it as the flags want.
func (o *overrides) read(pr *project.Project, name string) (*load.Profile, error) {
	p, err := readProfile(pr, name, o.sets...)
	if err != nil {
		return nil, err
	}
	if err := o.apply(p); err != nil {
		return nil, err
	}
	if err := p.Check(); err != nil {
		return nil, cli.Usage(fmt.Errorf("profile %s with these flags: %w", p.Name, err), "")
	}
	return p, nil
}

// apply reads the flags' values as a profile's values are read.
func (o *overrides) apply(p *load.Profile) error {
	change := load.Override{Topic: o.topic, Duration: o.duration}
	if o.rate != "" {
		change.Rate = &config.Rate{}
		if err := change.Rate.UnmarshalText([]byte(o.rate)); err != nil {
			return cli.Usage(fmt.Errorf("--rate: %w", err), "")
		}
	}
	if o.size != "" {
		if err := change.Size.UnmarshalText([]byte(o.size)); err != nil || change.Size <= 0 {
			return cli.Usage(fmt.Errorf("--size: %q is no size; write 512 or 4KiB", o.size), "")
		}
	}
	if o.count != "" {
		if err := change.Count.UnmarshalText([]byte(o.count)); err != nil || change.Count <= 0 {
			return cli.Usage(fmt.Errorf("--count: %q is no number of messages; write 500, 200k or 1M", o.count), "")
		}
	}
	if o.duration < 0 {
		return cli.Usage(fmt.Errorf("--duration: want more than 0s"), "")
	}
	if err := p.Apply(change); err != nil {
		return cli.Usage(fmt.Errorf("profile %s with these flags: %w", p.Name, err), "")
	}
	return nil
}

// readProfile finds a profile by its file, by its name in the project, or among those that come with loadgen, with values set by
// --set. From then on the project's connections are those of the profile's cluster.
func readProfile(pr *project.Project, name string, sets ...string) (*load.Profile, error) {
	file, b, err := findProfile(pr, name)
	if err != nil {
		return nil, err
	}
	p, err := load.Parse(file, b, load.Shipped(profiles.Files), load.Setting(sets...))
	if err != nil {
		return nil, err
	}
	if err := pr.Use(p.Cluster); err != nil {
		return nil, p.At("cluster", err.Error())
	}
	if err := p.Check(); err != nil {
		return nil, p.Placed(err)
	}
	return p, nil
}

func findProfile(pr *project.Project, name string) (file string, b []byte, err error) {
	file = name
	b, err = os.ReadFile(file)
	if err != nil && filepath.Base(name) == name && filepath.Ext(name) == "" {
		file = filepath.Join(pr.ProfilesDir(), name+".yaml")
		if b, err = os.ReadFile(file); errors.Is(err, fs.ErrNotExist) {
			file = name + ".yaml"
			b, err = profiles.Files.ReadFile(file)
		}
	}
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("there is no profile %s%s", name, meant(pr, name))
		}
		return "", nil, cli.Usage(err, "`loadgen profiles` lists the names; a path to a file is good too")
	}
	return file, b, nil
}

// meant is the name that is closest to a misspelt one.
func meant(pr *project.Project, name string) string {
	all, err := listProfiles(pr)
	if err != nil {
		return ""
	}
	names := make([]string, len(all))
	for i, l := range all {
		names[i] = l.Name
	}
	if near := config.Nearest(name, names); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// listed is a profile that can be named.
type listed struct {
	Name     string `json:"name"`
	Question string `json:"question"`
	File     string `json:"file,omitempty"` // empty: comes with loadgen
}

// listProfiles lists the project's profiles and the shipped ones that they do not hide.
func listProfiles(pr *project.Project) ([]listed, error) {
	var all []listed
	own, err := filepath.Glob(filepath.Join(pr.ProfilesDir(), "*.yaml"))
	if err != nil {
		return nil, err
	}
	for _, f := range own {
		b, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		all = append(all, listed{nameOf(f), questionOf(b), f})
	}
	shipped, err := fs.Glob(profiles.Files, "*.yaml")
	if err != nil {
		return nil, err
	}
	for _, f := range shipped {
		b, err := profiles.Files.ReadFile(f)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(all, func(l listed) bool { return l.Name == nameOf(f) }) {
			all = append(all, listed{nameOf(f), questionOf(b), ""})
		}
	}
	slices.SortFunc(all, func(a, b listed) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

func nameOf(file string) string { return strings.TrimSuffix(filepath.Base(file), ".yaml") }

func questionOf(b []byte) string {
	line, _, _ := strings.Cut(string(b), "\n")
	return strings.TrimSpace(strings.TrimPrefix(line, "#"))
}
