package report

import (
	"fmt"
	"strings"

	"github.com/invopop/jsonschema"

	"weir/internal/config"
)

// Checks are what must hold of the rows that a run is about to publish.
type Checks struct {
	NotNull []string          `yaml:"not_null,omitempty" jsonschema:"description=columns without nulls"`
	Unique  []Key             `yaml:"unique,omitempty" jsonschema:"description=keys that stand in one row of the result only: [id] or [[country, day]]; keys with a null are not compared"`
	Rows    RowCount          `yaml:"rows,omitempty" jsonschema:"description=how many rows the result may have"`
	SQL     map[string]string `yaml:"sql,omitempty" jsonschema:"description=by name: a condition that is true of bad rows such as total < 0; or a SELECT that gives the number of bad rows; the rows are the table result"`
}

// RowCount is a range, both ends in it.
type RowCount struct {
	Min *config.Count `yaml:"min,omitempty" jsonschema:"description=fewest rows"`
	Max *config.Count `yaml:"max,omitempty" jsonschema:"description=most rows"`
}

// A Key is one or more columns.
type Key []string

// UnmarshalYAML takes a column or a list of columns.
func (k *Key) UnmarshalYAML(decode func(any) error) error {
	var v any
	if err := decode(&v); err != nil {
		return err
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, x := range list {
		s, ok := x.(string)
		if !ok {
			return fmt.Errorf("expected a column, or a list of columns that are unique together, got %v", x)
		}
		*k = append(*k, s)
	}
	return nil
}

// Schema is what editors are told.
func (Key) Schema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string"}, {Type: "array", Items: &jsonschema.Schema{Type: "string"}}}, Title: "a column or a list of columns"}
}

func (k Key) String() string { return strings.Join(k, ", ") }

func (c Checks) validate(at string) []config.Invalid {
	var bad []config.Invalid
	say := func(path, format string, args ...any) {
		bad = append(bad, config.Invalid{Path: at + "." + path, Message: fmt.Sprintf(format, args...)})
	}
	for i, name := range c.NotNull {
		if !columnName.MatchString(name) {
			say(fmt.Sprintf("not_null[%d]", i), "expected the name of a column of the result, got %q", name)
		}
	}
	for i, k := range c.Unique {
		if len(k) == 0 {
			say(fmt.Sprintf("unique[%d]", i), "expected at least one column")
		}
		for _, name := range k {
			if !columnName.MatchString(name) {
				say(fmt.Sprintf("unique[%d]", i), "expected names of columns of the result, got %q", name)
			}
		}
	}
	if r := c.Rows; r.Min != nil && r.Max != nil && *r.Min > *r.Max {
		say("rows", "expected min up to max, got %v and %v", *r.Min, *r.Max)
	}
	for name, text := range c.SQL {
		if strings.TrimSpace(text) == "" {
			say("sql."+name, "expected a condition that is true of bad rows, or a SELECT that gives their number")
		}
	}
	return bad
}
