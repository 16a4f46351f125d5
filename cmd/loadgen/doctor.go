package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/cli"
	"weir/internal/kafka"
	"weir/internal/load"
	"weir/internal/project"
	"weir/internal/registry"
)

// examined is a profile with what was found on the way to its servers.
type examined struct {
	Profile  string       `json:"profile"`
	Brokers  string       `json:"brokers"`
	Registry string       `json:"registry"`
	Good     bool         `json:"good"`
	Checks   []kafka.Step `json:"checks"`
}

// examineWithin bounds all of it.
const examineWithin = 30 * time.Second

// examine walks the way that a run of the profile would go, and changes nothing on it.
func examine(ctx context.Context, pr *project.Project, p *load.Profile, s servers) (examined, error) {
	ctx, cancel := context.WithTimeout(ctx, examineWithin)
	defer cancel()
	out := examined{Profile: p.Name}
	s.override(pr)
	k, r, err := pr.Resolve()
	if err != nil {
		return out, err
	}
	out.Brokers, out.Registry = k.Brokers.String(), r.URL
	steps, cl := kafka.Steps(ctx, k)
	out.Checks = steps
	reg, asked := examineRegistry(ctx, r, p)
	if cl != nil {
		defer cl.Close()
		out.Checks = append(out.Checks, examineTopics(ctx, cl, p, reg)...)
	}
	out.Checks = append(out.Checks, asked...)
	out.Good = true
	for _, c := range out.Checks {
		out.Good = out.Good && c.OK
	}
	return out, nil
}

// examineTopics needs the sizes of messages: a schema of the registry that cannot be had leaves those out.
func examineTopics(ctx context.Context, cl *kgo.Client, p *load.Profile, reg *registry.Client) []kafka.Step {
	var v *load.Preview
	if reg != nil && p.Resolve(ctx, reg.Subject) == nil {
		if made, err := load.NewPreview(p, 0); err == nil {
			v = &made
		}
	}
	return p.Findings(p.Ask(ctx, cl), v)
}

// examineRegistry looks at the registry, the subjects and the clocks; the client is nil if it does not answer.
func examineRegistry(ctx context.Context, c registry.Config, p *load.Profile) (*registry.Client, []kafka.Step) {
	reg, err := registry.New(c)
	level := ""
	if err == nil {
		level, err = reg.Ping(ctx)
	}
	if err != nil {
		return nil, []kafka.Step{unwell("registry", err, "start it, or correct registry.url in weir.yaml (or --registry)")}
	}
	steps := []kafka.Step{{Name: "registry", OK: true, Said: fmt.Sprintf("%s answers; compatibility %s", c.URL, level)}}
	for _, s := range p.Subjects(ctx, reg.Subject, reg.Fits) {
		if s.Err != nil {
			hint := "give the profile the subject's schema (value: {schema: {subject: …}}), or another topic with --topic"
			if errors.Is(s.Err, registry.ErrNoSubject) {
				hint = "correct value.schema.subject, or register the schema first"
			}
			steps = append(steps, unwell("schema", s.Err, hint))
			continue
		}
		steps = append(steps, kafka.Step{Name: "schema", OK: true, Said: s.Said})
	}
	return reg, append(steps, clocks(ctx, reg)...)
}

// clockOff is how far clocks may be apart: freshness is measured by those of two machines.
const clockOff = 2 * time.Second

func clocks(ctx context.Context, reg *registry.Client) []kafka.Step {
	ahead, known := reg.Clock(ctx)
	switch {
	case !known:
		return nil
	case ahead.Abs() > clockOff:
		return []kafka.Step{{Name: "clock", OK: true, Warn: true, Said: fmt.Sprintf("this machine's clock is %v off the registry's: times between machines would be off as much", ahead.Abs().Round(time.Second)), Hint: "let NTP set both clocks"}}
	}
	return []kafka.Step{{Name: "clock", OK: true, Said: "agrees with the registry's to about a second"}}
}

func unwell(name string, err error, hint string) kafka.Step {
	s := kafka.Step{Name: name, Said: err.Error(), Hint: hint}
	var e *cli.Error
	if errors.As(err, &e) && e.Hint != "" {
		s.Hint = e.Hint
	}
	return s
}

func (e examined) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s on %s\n", e.Profile, e.Brokers)
	for _, c := range e.Checks {
		sign := "✔"
		switch {
		case !c.OK:
			sign = "✖"
		case c.Warn:
			sign = "!"
		}
		fmt.Fprintf(&b, "  %s %-9s %s\n", sign, c.Name, c.Said)
		if c.Hint != "" {
			fmt.Fprintf(&b, "    %9s → %s\n", "", c.Hint)
		}
	}
	return b.String()
}

// preflightWithin bounds what a run asks before it begins.
const preflightWithin = 5 * time.Second

// preflight ends a run that cannot go well with one line, before anything is made or sent.
func preflight(ctx context.Context, p *load.Profile, brokers kafka.Config, reg *registry.Client) error {
	ctx, cancel := context.WithTimeoutCause(ctx, preflightWithin, fmt.Errorf("no answer in %v", preflightWithin))
	defer cancel()
	cl, err := kafka.Connect(brokers)
	if err != nil {
		return err
	}
	defer cl.Close()
	for _, s := range p.Findings(p.Ask(ctx, cl), nil) {
		if !s.OK {
			return &cli.Error{Err: fmt.Errorf("%s %s", s.Name, s.Said), Hint: s.Hint + "; `loadgen check --connect` shows the whole way"}
		}
	}
	if _, err := reg.Ping(ctx); err != nil {
		s := unwell("registry", err, "start it, or correct registry.url in weir.yaml (or --registry)")
		return &cli.Error{Err: err, Hint: s.Hint}
	}
	return nil
}
