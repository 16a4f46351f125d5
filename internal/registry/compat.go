package registry

import (
	"errors"
	"fmt"

	hamba "github.com/hamba/avro/v2"
	"github.com/twmb/franz-go/pkg/sr"

	"weir/internal/avro"
)

// compatible holds a new schema against a subject's earlier ones, newest last, as its level demands.
func compatible(level sr.CompatibilityLevel, next *avro.Schema, earlier []*avro.Schema) error {
	if level == sr.CompatNone || len(earlier) == 0 {
		return nil
	}
	switch level {
	case sr.CompatBackward, sr.CompatForward, sr.CompatFull:
		earlier = earlier[len(earlier)-1:]
	}
	for i, old := range earlier {
		if err := readable(level, next, old); err != nil {
			return fmt.Errorf("level %s, against version %d: %w", level, i+1, err)
		}
	}
	return nil
}

func readable(level sr.CompatibilityLevel, next, old *avro.Schema) error {
	var c hamba.SchemaCompatibility // one for each call: it caches by fingerprint for ever
	var errs []error
	switch level {
	case sr.CompatBackward, sr.CompatBackwardTransitive, sr.CompatFull, sr.CompatFullTransitive:
		if err := c.Compatible(next.Hamba(), old.Hamba()); err != nil {
			errs = append(errs, fmt.Errorf("the new schema cannot read what was written with the old one: %w", err))
		}
	}
	switch level {
	case sr.CompatForward, sr.CompatForwardTransitive, sr.CompatFull, sr.CompatFullTransitive:
		if err := c.Compatible(old.Hamba(), next.Hamba()); err != nil {
			errs = append(errs, fmt.Errorf("the old schema cannot read what is written with the new one: %w", err))
		}
	}
	return errors.Join(errs...)
}
