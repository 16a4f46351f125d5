package config

import (
	"encoding/json"
	"reflect"

	"github.com/invopop/jsonschema"
)

// Schema is the JSON Schema of a file kind, for editors. v is the struct that the file is decoded into.
func Schema(v any, title string) ([]byte, error) {
	r := &jsonschema.Reflector{
		FieldNameTag:               "yaml",
		RequiredFromJSONSchemaTags: true,
		Anonymous:                  true,
		Mapper:                     mapped,
		Namer:                      name,
	}
	s := r.Reflect(v)
	s.Title = title
	takeReferences(s, map[*jsonschema.Schema]bool{})
	return json.MarshalIndent(s, "", "  ")
}

// takeReferences lets ${NAME} stand where a number or one of some words is wanted.
func takeReferences(s *jsonschema.Schema, seen map[*jsonschema.Schema]bool) {
	if s == nil || seen[s] || s == jsonschema.TrueSchema || s == jsonschema.FalseSchema {
		return
	}
	seen[s] = true
	for _, list := range [][]*jsonschema.Schema{s.OneOf, s.AnyOf, s.AllOf} { // of scalars one takes a text already
		for _, x := range list {
			if x.Properties != nil || x.Items != nil {
				takeReferences(x, seen)
			}
		}
	}
	takeReferences(s.Items, seen)
	takeReferences(s.AdditionalProperties, seen)
	for _, d := range s.Definitions {
		takeReferences(d, seen)
	}
	if s.Properties != nil {
		for p := s.Properties.Oldest(); p != nil; p = p.Next() {
			if takeReferences(p.Value, seen); p.Value.Ref != "" || p.Value.Type == "array" { // a key without a value is the same as no key
				p.Value = &jsonschema.Schema{AnyOf: []*jsonschema.Schema{p.Value, {Type: "null"}}, Description: p.Value.Description}
			}
		}
	}
	plain := len(s.OneOf)+len(s.AnyOf) == 0
	switch words := len(s.Enum) > 0 && s.Type == "string"; {
	case !plain || !words && s.Type != "integer" && s.Type != "number" && s.Type != "boolean":
		return
	}
	own := &jsonschema.Schema{Type: s.Type, Enum: s.Enum, Minimum: s.Minimum, Maximum: s.Maximum}
	s.AnyOf = []*jsonschema.Schema{own, {Type: "string", Pattern: `\$\{.+\}`}}
	s.Type, s.Enum, s.Minimum, s.Maximum = "", nil, "", ""
}

// name keeps our own types apart from those of features that are called the same: a Size is not a size.
func name(t reflect.Type) string {
	if t.PkgPath() == reflect.TypeFor[Size]().PkgPath() {
		return "config" + t.Name()
	}
	return t.Name()
}

// mapped says how our own types are written; the reflector would show their insides.
func mapped(t reflect.Type) *jsonschema.Schema {
	v := reflect.New(t).Interface()
	switch v.(type) {
	case *Count, *Size:
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "integer"}, {Type: "string"}}, Title: describe(t)}
	case *Duration, *Percent, *Rate, *Secret:
		return &jsonschema.Schema{Type: "string", Title: describe(t)}
	}
	if s, ok := v.(interface{ Schema() *jsonschema.Schema }); ok {
		return s.Schema()
	}
	return nil
}
