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
		Namer: func(t reflect.Type) string { // a struct named Size must not hide our Size
			if t.PkgPath() == reflect.TypeFor[Size]().PkgPath() {
				return "config." + t.Name()
			}
			return ""
		},
	}
	s := r.Reflect(v)
	s.Title = title
	return json.MarshalIndent(s, "", "  ")
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
