package notify

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"weir/internal/notify/channel"
	"weir/internal/outcome"
)

// builtin is the name of the words in package words.
const builtin = "builtin:business-v1"

// A Template replaces parts of the built-in message; a place like {job} stands for the event's own value, see places. Nothing
// in it can loop, and a part that cannot be used leaves the built-in words where they are: no message is lost for it.
type Template struct {
	Base   string `yaml:"-"` // builtin, or empty
	Title  Words  `yaml:"title" jsonschema:"description=What the job is called in the first line"`
	Why    Words  `yaml:"why" jsonschema:"description=Instead of the error's own words"`
	Todo   Words  `yaml:"todo" jsonschema:"description=What the reader should do"`
	Footer Words  `yaml:"footer" jsonschema:"description=The last line; technical"`
	Links  Links  `yaml:"links" jsonschema:"description=Addresses that stand in the message"`

	name string // its key in templates
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

// of gives the text for a state and the key it stands under; both are empty if there is none.
func (w Words) of(s outcome.State) (text, key string) {
	if text, ok := w[string(s)]; ok {
		return text, string(s)
	}
	return w[""], ""
}

// under is where the text of a key stands in units.yaml.
func under(path, key string) string {
	if key == "" {
		return path
	}
	return path + "." + key
}

// templates are the unit's own words, then everybody's.
func (s *Service) templates(unit string) []Template {
	var all []Template
	for _, name := range []string{unit, "default"} {
		if t, ok := s.units.Templates[name]; ok {
			t.name = name
			all = append(all, t)
		}
	}
	return all
}

// dress puts the unit's own words over the built-in ones. It gives what could not be used, and why.
func (t telling) dress(m *channel.Message) (unused []Decision) {
	if isNotice(t.Outcome) {
		return nil
	}
	part := func(name string, words func(Template) Words) (string, bool) {
		for _, own := range t.Templates {
			text, key := words(own).of(t.Outcome.State)
			if text == "" {
				continue
			}
			s, err := t.fill(text, asText)
			if err == nil {
				return s, true
			}
			unused = append(unused, Decision{Path: under("templates."+own.name+"."+name, key), Action: "not used", Reason: err.Error() + "; other words stand in its place"})
		}
		return "", false
	}
	if s, ok := part("title", func(t Template) Words { return t.Title }); ok {
		m.Subject = s + t.span()
	}
	if t.Outcome.State != outcome.Ready && t.Outcome.State != outcome.Running {
		if s, ok := part("why", func(t Template) Words { return t.Why }); ok {
			m.Why = s
		}
	}
	if s, ok := part("todo", func(t Template) Words { return t.Todo }); ok {
		m.Todo = s
	}
	if s, ok := part("footer", func(t Template) Words { return t.Footer }); ok {
		m.Footer = s
	}
	t.link(m, func(name string, of func(Links) string) (string, bool) {
		for _, own := range t.Templates {
			text := of(own.Links)
			if text == "" {
				continue
			}
			s, err := t.fill(text, asAddress)
			if err == nil && len(s) > mostAddress {
				err = fmt.Errorf("with its values it is longer than %d characters", mostAddress)
			}
			if err == nil {
				return s, true
			}
			unused = append(unused, Decision{Path: "templates." + own.name + ".links." + name, Action: "not used", Reason: err.Error()})
		}
		return "", false
	})
	return unused
}

// The longest text in characters: as it is written, and with its values.
const mostWritten, mostFilled = 1000, 2000

// fill puts the event's values in: once, so that no value brings another one, and within mostFilled.
func (t telling) fill(text string, escape func(string) string) (s string, err error) {
	defer func() {
		if r := recover(); r != nil {
			s, err = "", fmt.Errorf("it cannot be filled in: %v", r)
		}
	}()
	var b strings.Builder
	err = eachPlace(text, func(before string, p *place) error {
		b.WriteString(before)
		if p == nil {
			return nil
		}
		v := p.value(t)
		if v == "" {
			return fmt.Errorf("{%s} is not known", p.name)
		}
		b.WriteString(escape(v))
		if b.Len() > 4*mostFilled { // bytes: no character has more than four
			return fmt.Errorf("with its values it is longer than %d characters", mostFilled)
		}
		return nil
	})
	if err == nil && utf8.RuneCountInString(b.String()) > mostFilled {
		err = fmt.Errorf("with its values it is longer than %d characters", mostFilled)
	}
	if err != nil {
		return "", err
	}
	return b.String(), nil
}

// eachPlace walks over a text: what stands before each place, and the place; at the end nil.
func eachPlace(text string, do func(before string, p *place) error) error {
	for {
		before, after, found := strings.Cut(text, "{")
		if !found {
			return do(text, nil)
		}
		name, rest, closed := strings.Cut(after, "}")
		i := slices.IndexFunc(places, func(p place) bool { return p.name == name })
		if !closed || i < 0 {
			names := placeNames()
			return fmt.Errorf("there is no {%s}%s; one of {%s}", name, didYouMean(name, names), strings.Join(names, "}, {"))
		}
		if err := do(before, &places[i]); err != nil {
			return err
		}
		text = rest
	}
}

func (t Template) validate(path string, isDefault bool, no complain) {
	if t.Base != "" && (t.Base != builtin || !isDefault) {
		no(path, "%q is no template; write %s under default, or the parts title, why, todo, footer, links", t.Base, builtin)
	}
	t.Links.validate(path+".links", no)
	states := valuesOf("state")
	for name, part := range map[string]Words{"title": t.Title, "why": t.Why, "todo": t.Todo, "footer": t.Footer} {
		for _, state := range slices.Sorted(maps.Keys(part)) {
			at := under(path+"."+name, state)
			if state != "" && !slices.Contains(states, state) {
				no(at, "there is no state %q%s; one of %s", state, didYouMean(state, states), strings.Join(states, ", "))
			}
			if n := utf8.RuneCountInString(part[state]); n > mostWritten {
				no(at, "it has %d characters; at most %d", n, mostWritten)
			}
			if err := checkPlaces(part[state], outcome.State(state)); err != nil {
				no(at, "%v", err)
			}
		}
	}
}

// checkPlaces complains about places that there are not, or that a message about this state can never fill in.
func checkPlaces(text string, state outcome.State) error {
	return eachPlace(text, func(_ string, p *place) error {
		if p == nil || state == "" || p.in == nil || slices.Contains(p.in, state) {
			return nil
		}
		return fmt.Errorf("{%s} is never known when something is %s, only for %s", p.name, state, joinStates(p.in))
	})
}

func joinStates(states []outcome.State) string {
	var s []string
	for _, state := range states {
		s = append(s, string(state))
	}
	return strings.Join(s, ", ")
}
