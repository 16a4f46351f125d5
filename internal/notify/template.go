package notify

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"weir/internal/outcome"
)

// builtin is the name of the words in words.go.
const builtin = "builtin:business-v1"

// A Template replaces parts of the built-in message. {title}, {date}, {job}, {unit}, {run} and {cause} stand for the event's own.
type Template struct {
	Base   string `yaml:"-"` // builtin, or empty
	Title  Words  `yaml:"title" jsonschema:"description=What the job is called in the first line"`
	Why    Words  `yaml:"why" jsonschema:"description=Instead of the error's own words"`
	Todo   Words  `yaml:"todo" jsonschema:"description=What the reader should do"`
	Footer Words  `yaml:"footer" jsonschema:"description=The last line; technical"`
}

// UnmarshalYAML takes the name of a built-in template or a mapping of parts.
func (t *Template) UnmarshalYAML(decode func(any) error) error {
	if decode(&t.Base) == nil {
		return nil
	}
	t.Base = ""
	type plain Template
	return decode((*plain)(t))
}

// Words are a text for all states, under the empty name, or one for each state.
type Words map[string]string

// UnmarshalYAML takes a text or a mapping from state to text.
func (w *Words) UnmarshalYAML(decode func(any) error) error {
	var text string
	if decode(&text) == nil {
		*w = Words{"": text}
		return nil
	}
	return decode((*map[string]string)(w))
}

// of gives the text for a state, empty if there is none.
func (w Words) of(s outcome.State) string {
	if text, ok := w[string(s)]; ok {
		return text
	}
	return w[""]
}

var placeholders = []string{"title", "date", "job", "unit", "run", "cause"}

// fill puts the event's values in. The result is bounded: no value is filled twice.
func fill(text string, o outcome.Outcome) string {
	if !strings.Contains(text, "{") {
		return text
	}
	return strings.NewReplacer("{title}", titleOf(o), "{date}", o.BusinessDate(), "{job}", o.Job, "{unit}", o.Unit, "{run}", o.RunID, "{cause}", o.Cause.Text).Replace(text)
}

func (t Template) validate(path string, isDefault bool, no complain) {
	if t.Base != "" && (t.Base != builtin || !isDefault) {
		no(path, "%q is no template; write %s under default, or the parts title, why, todo, footer", t.Base, builtin)
	}
	states := valuesOf("state")
	for name, part := range map[string]Words{"title": t.Title, "why": t.Why, "todo": t.Todo, "footer": t.Footer} {
		for _, state := range slices.Sorted(maps.Keys(part)) {
			if state != "" && !slices.Contains(states, state) {
				no(path+"."+name+"."+state, "there is no state %q%s; one of %s", state, didYouMean(state, states), strings.Join(states, ", "))
			}
			if err := checkPlaceholders(part[state]); err != nil {
				at := path + "." + name
				if state != "" {
					at += "." + state
				}
				no(at, "%v", err)
			}
		}
	}
}

func checkPlaceholders(text string) error {
	for {
		_, after, found := strings.Cut(text, "{")
		if !found {
			return nil
		}
		name, rest, closed := strings.Cut(after, "}")
		if !closed || !slices.Contains(placeholders, name) {
			return fmt.Errorf("there is no {%s}%s; one of {%s}", name, didYouMean(name, placeholders), strings.Join(placeholders, "}, {"))
		}
		text = rest
	}
}
