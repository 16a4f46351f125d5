package load

import (
	"github.com/invopop/jsonschema"

	"weir/internal/config"
)

// Editors get a JSON Schema made from the profile's types; what follows are those that are written in a way of their own.

// Schema takes a word or a number.
func (text) Schema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string"}, {Type: "integer"}}}
}

// JSONSchemaExtend lets a profile that extends another leave out what that one has.
func (Profile) JSONSchemaExtend(s *jsonschema.Schema) {
	s.Required = []string{"apiVersion", "kind", "name"}
	s.AnyOf = []*jsonschema.Schema{{Required: []string{"rate"}}, {Required: []string{"extends"}}}
}

// JSONSchemaExtend: the name may be in the profile that is extended.
func (Topic) JSONSchemaExtend(s *jsonschema.Schema) { s.Required = nil }

// Schema takes the word max or the section. It is written out, because the section's own schema would refer to definitions that
// are not at the top of the file.
func (Rate) Schema() *jsonschema.Schema {
	rate := func(about string) *jsonschema.Schema {
		return &jsonschema.Schema{Type: "string", Title: config.Rate{}.Expected(), Description: about}
	}
	stage := object("target")
	stage.Properties.Set("name", &jsonschema.Schema{Type: "string"})
	stage.Properties.Set("duration", &jsonschema.Schema{Type: "string", Title: config.Duration(0).Expected(), Description: "The last stage may leave it out: it then lasts until the volume is sent"})
	stage.Properties.Set("target", rate("Rate at the end of the stage, as 20k/s"))
	section := object()
	section.Properties.Set("arrival", &jsonschema.Schema{Type: "string", Enum: []any{"uniform", "poisson"}, Description: "How messages are spread in time. Default uniform"})
	section.Properties.Set("start", rate("Rate at the start of the first stage. Default: that stage's target"))
	section.Properties.Set("stages", &jsonschema.Schema{Type: "array", Items: stage})
	closed := object("in_flight")
	closed.Properties.Set("in_flight", &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string"}, {Type: "integer"}}, Description: "Messages on their way at a time; the next is sent when one is acknowledged"})
	section.Properties.Set("closed", closed)
	section.Properties.Set("shape", &jsonschema.Schema{Type: "string", Enum: words(shapeNames), Description: "A curve by its form, in place of stages"})
	for _, k := range shapeKeys {
		about := &jsonschema.Schema{Description: k.about, Type: "string"}
		if k.number {
			about = &jsonschema.Schema{Description: k.about, OneOf: []*jsonschema.Schema{{Type: "string"}, {Type: "number"}}}
		}
		section.Properties.Set(k.name, about)
	}
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string", Enum: []any{"max"}}, section}}
}

func object(required ...string) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "object", Properties: jsonschema.NewProperties(), Required: required, AdditionalProperties: jsonschema.FalseSchema}
}

func words(all []string) (out []any) {
	for _, w := range all {
		out = append(out, w)
	}
	return out
}
