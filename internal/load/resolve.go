package load

import (
	"context"
	"fmt"
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
