package expect

import "github.com/invopop/jsonschema"

// Schema for editors.
func (d Deadline) Schema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Title: d.Expected(), Pattern: `^([0-9]{1,2}:[0-9]{2}|([0-9.]+(h|m|s))+)$`}
}

// Schema for editors.
func (s Spread) Schema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Title: s.Expected(), Pattern: `^[0-9.]+ *mad$`}
}
