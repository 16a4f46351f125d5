package registry

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/sr"

	"weir/internal/avro"
)

// maxReferences bounds what one schema may refer to, all levels counted.
const maxReferences = 200

// withReferences parses a schema whose types stand, in part, in versions of other subjects; get fetches one.
func withReferences(ctx context.Context, s sr.Schema, get func(ctx context.Context, subject string, version int) (sr.Schema, error)) (*avro.Schema, error) {
	var texts []string
	seen := map[sr.SchemaReference]bool{}
	var add func(refs []sr.SchemaReference) error
	add = func(refs []sr.SchemaReference) error {
		for _, r := range refs {
			key := sr.SchemaReference{Subject: r.Subject, Version: r.Version}
			if seen[key] { // two schemas may refer to a third
				continue
			}
			if seen[key] = true; len(seen) > maxReferences {
				return fmt.Errorf("it refers to more than %d other schemas", maxReferences)
			}
			got, err := get(ctx, r.Subject, r.Version)
			if err != nil {
				return fmt.Errorf("it refers to version %d of subject %s: %w", r.Version, r.Subject, err)
			}
			if err := add(got.References); err != nil {
				return err
			}
			texts = append(texts, got.Schema) // after those that it refers to
		}
		return nil
	}
	if err := add(s.References); err != nil {
		return nil, err
	}
	return avro.Parse(s.Schema, texts...)
}
