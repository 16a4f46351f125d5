package content

import (
	"fmt"
	"strings"

	"github.com/hamba/avro/v2"
)

// parseSchema parses in a cache of its own: two schemas may define the same name differently.
func parseSchema(text string) (avro.Schema, error) {
	s, err := avro.ParseWithCache(text, "", &avro.SchemaCache{})
	if err != nil {
		return nil, fmt.Errorf("value.schema: %w", err)
	}
	return s, nil
}

// deref follows a reference to a type that was defined before.
func deref(s avro.Schema) avro.Schema {
	if r, ok := s.(*avro.RefSchema); ok {
		return r.Schema()
	}
	return s
}

func logicalSchema(s avro.Schema) avro.LogicalSchema {
	switch t := s.(type) {
	case *avro.PrimitiveSchema:
		return t.Logical()
	case *avro.FixedSchema:
		return t.Logical()
	}
	return nil
}

func logicalOf(s avro.Schema) avro.LogicalType {
	if l := logicalSchema(s); l != nil {
		return l.Type()
	}
	return ""
}

func decimalOf(s avro.Schema) *avro.DecimalLogicalSchema {
	d, _ := logicalSchema(s).(*avro.DecimalLogicalSchema)
	return d
}

func describe(s avro.Schema) string {
	if u, ok := s.(*avro.UnionSchema); ok {
		names := make([]string, 0, len(u.Types()))
		for _, t := range u.Types() {
			names = append(names, string(t.Type()))
		}
		return "[" + strings.Join(names, ", ") + "]"
	}
	if l := logicalOf(s); l != "" {
		return fmt.Sprintf("%s (%s)", l, s.Type())
	}
	return string(s.Type())
}

func fieldNames(r *avro.RecordSchema) string {
	names := make([]string, 0, len(r.Fields()))
	for _, f := range r.Fields() {
		names = append(names, f.Name())
	}
	return strings.Join(names, ", ")
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
