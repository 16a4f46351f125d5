package load

import (
	"context"
	"fmt"

	"weir/internal/content"
)

// A Lookup gives a subject's schema and its id; version is latest or a number.
type Lookup func(ctx context.Context, subject, version string) (id int, schema string, err error)

// Resolve asks the registry for the schemas that the profile names by their subject.
func (p *Profile) Resolve(ctx context.Context, lookup Lookup) error {
	all := []*Part{&p.Part}
	for i := range p.Mix {
		all = append(all, &p.Mix[i].Part)
	}
	for _, part := range all {
		s := &part.Value.Schema
		if s.Subject == "" || s.found != "" {
			continue
		}
		if lookup == nil {
			return fmt.Errorf("value.schema.subject: %w", ErrNeedsRegistry)
		}
		version := string(s.Version)
		if version == "" {
			version = "latest"
		}
		var err error
		if s.id, s.found, err = lookup(ctx, s.Subject, version); err != nil {
			return err
		}
	}
	return nil
}

// A Subject is what became of the question for a part's schema.
type Subject struct {
	Said string
	Err  error
}

// Subjects asks the registry about each part's schema: whether it is there, or could be registered. Nothing is registered. fits is
// asked about schemas that the profile brings along.
func (p *Profile) Subjects(ctx context.Context, lookup Lookup, fits func(ctx context.Context, subject, schema string) (fresh bool, err error)) []Subject {
	var all []Subject
	for _, m := range p.parts() {
		subject := m.subject()
		if m.Value.Schema.Subject != "" {
			version := string(m.Value.Schema.Version)
			if version == "" {
				version = "latest"
			}
			id, _, err := lookup(ctx, subject, version)
			all = append(all, Subject{fmt.Sprintf("subject %s version %s has id %d", subject, version, id), err})
			continue
		}
		spec, err := p.spec(&m.Part)
		if err != nil {
			all = append(all, Subject{Err: err})
			continue
		}
		spec.From = nil // keys of another stream do not change the schema
		g, err := content.NewGenerator(spec)
		if err != nil {
			all = append(all, Subject{Err: err})
			continue
		}
		s := Subject{Said: fmt.Sprintf("subject %s takes the profile's schema", subject)}
		fresh, err := fits(ctx, subject, g.Schema())
		if s.Err = err; fresh {
			s.Said = fmt.Sprintf("subject %s is new; the run would register its schema", subject)
		}
		all = append(all, s)
	}
	return all
}
