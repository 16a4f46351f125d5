package notify

import "github.com/invopop/jsonschema"

// The JSON Schema of the types that read themselves, for editors.

// Schema: where a secret is.
func (Ref) Schema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: `^(env|file):.+|^\$\{(env|file):.+\}$`, Title: "where the secret is: env:NAME or file:PATH"}
}

// Schema: a text, or one for each state.
func (Words) Schema() *jsonschema.Schema {
	states := jsonschema.NewProperties()
	for _, s := range valuesOf("state") {
		states.Set(s, &jsonschema.Schema{Type: "string"})
	}
	return &jsonschema.Schema{Title: "a text; or one for each state", OneOf: []*jsonschema.Schema{
		{Type: "string"}, {Type: "object", Properties: states, AdditionalProperties: jsonschema.FalseSchema},
	}}
}

// Schema: the name of a built-in template, or parts.
func (Template) Schema() *jsonschema.Schema {
	parts := jsonschema.NewProperties()
	for _, p := range []string{"title", "why", "todo", "footer"} {
		parts.Set(p, Words{}.Schema())
	}
	links := jsonschema.NewProperties()
	for _, l := range []string{"run", "rejected", "runbook"} {
		links.Set(l, &jsonschema.Schema{Type: "string", Title: "an address, like https://wiki.bank.example/{job}"})
	}
	parts.Set("links", &jsonschema.Schema{Type: "object", Properties: links, AdditionalProperties: jsonschema.FalseSchema})
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
		{Type: "string", Enum: []any{builtin}}, {Type: "object", Properties: parts, AdditionalProperties: jsonschema.FalseSchema},
	}}
}
