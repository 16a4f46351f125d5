// Package desk is what a person does with load runs from a screen: profiles are listed, edited, previewed and saved, and runs,
// comparisons and capacity searches are started.
//
// Start with [New] on a project; [Desk.Verbs] are the verbs for a control API, [Desk.Watch] shows what was started.
//
// # Promises
//
// Only files of the project's profiles folder are read and written, whatever a name or a link says. A save is whole or not at
// all, and refused where the file is no longer the one that was read. Comments and order of a profile stay as its author wrote
// them. What is started is a process of its own, without a shell between; it goes on when the screens and their server end, and
// later servers of the home find it again.
package desk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"weir/internal/config"
	"weir/internal/control"
	"weir/internal/load"
	"weir/internal/project"
	"weir/profiles"
)

// A Desk serves one project. Its methods may be called from many goroutines.
type Desk struct {
	project *project.Project
	find    func() (string, error) // the program that makes load
	settled time.Duration
	saving  sync.Mutex
}

// New makes the desk of a project.
func New(p *project.Project) *Desk { return &Desk{project: p, find: findLoadgen, settled: settled} }

// Verbs for a control API; control names their arguments and results.
func (d *Desk) Verbs() map[string]control.Verb {
	return map[string]control.Verb{
		control.VerbProfiles:       func(context.Context, json.RawMessage) (any, error) { return d.List() },
		control.VerbProfileRead:    verb(func(_ context.Context, a struct{ Name string }) (any, error) { return d.Read(a.Name) }),
		control.VerbProfileEdit:    verb(func(_ context.Context, a Edit) (any, error) { return d.Edit(a) }),
		control.VerbProfilePreview: verb(func(ctx context.Context, a PreviewArgs) (any, error) { return d.Preview(ctx, a) }),
		control.VerbProfileSave:    verb(func(_ context.Context, a SaveArgs) (any, error) { return d.Save(a) }),
		control.VerbLoadStart:      verb(func(ctx context.Context, a LoadArgs) (any, error) { return d.StartLoad(ctx, a) }),
		control.VerbCompareStart:   verb(func(ctx context.Context, a CompareArgs) (any, error) { return d.StartCompare(ctx, a) }),
		control.VerbSearchStart:    verb(func(ctx context.Context, a SearchArgs) (any, error) { return d.StartSearch(ctx, a) }),
		control.VerbLaunchStop:     verb(func(_ context.Context, a struct{ ID string }) (any, error) { return d.Stop(a.ID) }),
	}
}

// verb decodes the arguments strictly.
func verb[A any](do func(context.Context, A) (any, error)) control.Verb {
	return func(ctx context.Context, args json.RawMessage) (any, error) {
		var a A
		if len(args) > 0 {
			dec := json.NewDecoder(bytes.NewReader(args))
			dec.DisallowUnknownFields()
			if err := dec.Decode(&a); err != nil {
				return nil, fmt.Errorf("arguments: %w", err)
			}
		}
		return do(ctx, a)
	}
}

// parse reads a profile's text as loadgen would.
func parse(file, text string) (*load.Profile, error) {
	p, err := load.Parse(file, []byte(text), load.Shipped(profiles.Files))
	if err != nil {
		return nil, err
	}
	if err := p.Check(); err != nil {
		return nil, p.Placed(err)
	}
	return p, nil
}

// problems are all complaints about a text, with their places.
func problems(file, text string) []control.Problem {
	_, err := parse(file, text)
	return problemsOf(file, err)
}

func problemsOf(file string, err error) []control.Problem {
	if err == nil {
		return nil
	}
	var several config.Problems
	if !errors.As(err, &several) {
		return []control.Problem{{File: file, Message: err.Error()}}
	}
	all := make([]control.Problem, len(several))
	for i, p := range several {
		all[i] = control.Problem{File: p.File, Line: p.Line, Col: p.Col, Message: p.Message}
	}
	return all
}
