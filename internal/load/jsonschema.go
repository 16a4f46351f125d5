package load

import (
	"github.com/invopop/jsonschema"

	"weir/internal/config"
)

// Editors get a JSON Schema made from the profile's types; what follows are those that are written in a way of their own.

// Schema refuses what this version does not do.
func (later) Schema() *jsonschema.Schema { return &jsonschema.Schema{Not: &jsonschema.Schema{}} }

// Schema takes a word or a number.
func (text) Schema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string"}, {Type: "integer"}}}
}

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
	section := object("stages")
	section.Properties.Set("arrival", &jsonschema.Schema{Type: "string", Enum: []any{"uniform"}})
	section.Properties.Set("start", rate("Rate at the start of the first stage. Default: that stage's target"))
	section.Properties.Set("stages", &jsonschema.Schema{Type: "array", Items: stage})
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string", Enum: []any{"max"}}, section}}
}

func object(required ...string) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "object", Properties: jsonschema.NewProperties(), Required: required, AdditionalProperties: jsonschema.FalseSchema}
}
