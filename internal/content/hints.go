package content

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hamba/avro/v2"
)

// A Hint proposes how a field of a schema is drawn: what a person would write who has read its name and its type.
type Hint struct {
	Path  string
	Type  string
	Field string // for value.fields, in YAML's flow style; empty: what the type gives by itself is right
	Why   string
}

// Hints are what a new profile of a schema begins with.
type Hints struct {
	Name   string // of the schema's type
	Fields []Hint
	Key    string // field that could be the message's key; empty: none
	Owner  bool   // many messages have the same: it names what they belong to
	Event  string // timestamp that tells when the event happened
	Pad    string // field that could grow to a size
	Floor  int    // smallest size of a value
}

// mostHints bounds what is proposed for a wide schema.
const mostHints = 200

// Describe reads a schema for [Hints].
func Describe(schema string) (Hints, error) {
	s, err := parseSchema(schema)
	if err != nil {
		return Hints{}, err
	}
	h := Hints{Name: lastName(nameOf(deref(s)))}
	if r, ok := deref(s).(*avro.RecordSchema); ok {
		w := hinter{hints: &h, open: map[string]bool{}}
		w.record("", r, true)
		h.Key, h.Owner = w.key, w.keyAt > 1
	}
	spec := Spec{Schema: schema, Size: Size{Distribution: "uniform", Min: 1 << 20, Max: 1 << 20}}
	if g, err := NewGenerator(spec); err == nil {
		h.Pad, h.Floor = g.Grows(), g.Floor()
	}
	return h, nil
}

type hinter struct {
	hints  *Hints
	open   map[string]bool
	key    string
	keyAt  int // how good the key is
	timeAt int
}

// record looks at the fields of a record; plain: no list, map or union is on the way to it, so that its fields can serve.
func (w *hinter) record(path string, r *avro.RecordSchema, plain bool) {
	if w.open[r.FullName()] {
		return
	}
	w.open[r.FullName()] = true
	defer delete(w.open, r.FullName())
	for _, f := range r.Fields() {
		w.field(join(path, f.Name()), f.Type(), plain)
	}
}

func (w *hinter) field(path string, s avro.Schema, plain bool) {
	if len(w.hints.Fields) >= mostHints {
		return
	}
	s = deref(s)
	switch t := s.(type) {
	case *avro.RecordSchema:
		w.record(path, t, plain)
		return
	case *avro.UnionSchema:
		w.union(path, t)
		return
	case *avro.ArraySchema:
		w.say(path, s, "{length: {min: 0, max: 3}}", "so many items")
		w.field(path+"[]", t.Items(), false)
		return
	case *avro.MapSchema:
		w.say(path, s, "{length: {min: 0, max: 3}}", "so many entries")
		w.field(path+"{}", t.Values(), false)
		return
	}
	if plain {
		w.serve(path, s)
	}
	field, why := propose(path, s)
	w.say(path, s, field, why)
}

func (w *hinter) say(path string, s avro.Schema, field, why string) {
	w.hints.Fields = append(w.hints.Fields, Hint{path, describe(s), field, why})
}

// union proposes the share of nulls, and for a nullable type what that type would get.
func (w *hinter) union(path string, u *avro.UnionSchema) {
	inner := unNull(u)
	if _, still := inner.(*avro.UnionSchema); still {
		var names []string
		for _, t := range u.Types() {
			names = append(names, fmt.Sprintf("%s: 1", nameOf(t)))
		}
		w.say(path, u, "{branches: {"+strings.Join(names, ", ")+"}}", "weights of the types")
		return
	}
	w.serveTime(path, inner)
	field, why := propose(path, inner)
	if field == "" {
		field = "{null: 10%}"
	} else {
		field = "{null: 10%, " + strings.TrimPrefix(field, "{")
	}
	if why != "" {
		why = ", " + why
	}
	switch t := inner.(type) {
	case *avro.RecordSchema:
		w.say(path, u, field, "share of nulls")
		w.record(path, t, false)
	case *avro.ArraySchema:
		w.say(path, u, "{null: 10%, length: {min: 0, max: 3}}", "share of nulls, so many items")
		w.field(path+"[]", t.Items(), false)
	case *avro.MapSchema:
		w.say(path, u, "{null: 10%, length: {min: 0, max: 3}}", "share of nulls, so many entries")
		w.field(path+"{}", t.Values(), false)
	default:
		w.say(path, u, field, "share of nulls"+why)
	}
}

// serve notes the field as the key or as the event's time if it fits better than those before it.
func (w *hinter) serve(path string, s avro.Schema) {
	w.serveTime(path, s)
	if !slices.Contains([]avro.Type{avro.String, avro.Int, avro.Long}, s.Type()) || decimalOf(s) != nil || logicalOf(s) != "" && logicalOf(s) != avro.UUID || !isID(lastName(path)) {
		return
	}
	rank := 1
	parts := nameParts(lastName(path))
	if len(parts) > 1 && slices.Contains(owners, parts[0]) {
		rank = 2
	}
	if rank > w.keyAt {
		w.key, w.keyAt = path, rank
	}
}

// owners are what many messages belong to: a key by one of them keeps their order.
var owners = []string{"account", "customer", "user", "client", "device", "sensor", "session", "card", "tenant", "patient", "vehicle", "driver", "host", "product", "item", "store", "merchant"}

func (w *hinter) serveTime(path string, s avro.Schema) {
	if strings.ContainsAny(path, "[{") {
		return
	}
	rank := 0
	name := strings.Join(nameParts(lastName(path)), "")
	named := slices.Contains([]string{"createdat", "eventtime", "timestamp", "ts", "time", "occurredat", "bookedat", "eventtimestamp", "created", "orderedat", "measuredat", "placedat"}, name)
	switch stamp := isStamp(s); {
	case stamp && named:
		rank = 3
	case stamp:
		rank = 2
	case named && s.Type() == avro.Long && logicalOf(s) == "": // milliseconds, by an old habit
		rank = 1
	}
	if rank > w.timeAt {
		w.hints.Event, w.timeAt = path, rank
	}
}

func isStamp(s avro.Schema) bool {
	return slices.Contains([]avro.LogicalType{avro.TimestampMillis, avro.TimestampMicros, avro.LocalTimestampMillis, avro.LocalTimestampMicros}, logicalOf(s))
}

// propose gives the setting of a field, by its name and its type.
func propose(path string, s avro.Schema) (field, why string) {
	name := strings.Join(nameParts(lastName(path)), "")
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(name, w) })
	}
	switch {
	case logicalOf(s) == avro.Date:
		return "{uniform: {min: 2026-01-01, max: 2026-12-31}}", ""
	case isStamp(s):
		return "", "a week of January 2026; event_time gives the time of the event"
	}
	if e, ok := s.(*avro.EnumSchema); ok {
		var weights []string
		for i, symbol := range e.Symbols()[:min(len(e.Symbols()), 12)] {
			weights = append(weights, fmt.Sprintf("%s: %d", symbol, max(1, 8>>i)))
		}
		return "{weights: {" + strings.Join(weights, ", ") + "}}", "the first ones often"
	}
	if n, ok := numeric(s); ok {
		whole := n.whole != nil
		switch {
		case s.Type() == avro.String:
		case has("latitude"), name == "lat":
			if !whole {
				return "{uniform: {min: -90, max: 90}}", ""
			}
		case has("longitude"), name == "lon", name == "lng":
			if !whole {
				return "{uniform: {min: -180, max: 180}}", ""
			}
		case isID(lastName(path)):
			return "", "each message has its own"
		case has("quantity", "qty", "count", "items"):
			return "{zipf: {n: 100}}", "small ones often"
		case has("amount", "price", "total", "cost", "fee", "balance", "sum", "value"):
			if limit := decimalTop(s); limit < 900 {
				return fmt.Sprintf("{uniform: {min: 0, max: %d}}", limit), ""
			}
			return "{lognormal: {median: 25, p99: 900}}", "a few are large"
		case has("percent", "pct"):
			return "{uniform: {min: 0, max: 100}}", ""
		case has("score", "ratio", "share", "probability", "risk"):
			if !whole {
				return "{uniform: {min: 0, max: 1}}", ""
			}
		case name == "age":
			return "{normal: {mean: 42, stddev: 15, min: 18, max: 95}}", ""
		case has("temperature"), name == "temp":
			return "{normal: {mean: 20, stddev: 6}}", ""
		case has("duration", "latency", "elapsed", "millis"):
			return "{lognormal: {median: 100, p99: 2000}}", "a few are long"
		}
		return "", "any value of the type"
	}
	if s.Type() == avro.String && logicalOf(s) == "" {
		parts := nameParts(lastName(path))
		for i := range parts {
			if kind, ok := fakeOf[strings.Join(parts[i:], "")]; ok {
				return "{fake: " + kind + "}", ""
			}
		}
		if isID(lastName(path)) {
			return "", "each message has its own"
		}
		return "", "letters; also fake, pattern, weights"
	}
	if logicalOf(s) == avro.UUID {
		return "", "each message has its own"
	}
	return "", "any value of the type"
}

// decimalTop is the largest whole number that a decimal can hold.
func decimalTop(s avro.Schema) int {
	d := decimalOf(s)
	if d == nil {
		return 1 << 30
	}
	digits := d.Precision() - d.Scale()
	if f, ok := s.(*avro.FixedSchema); ok {
		digits = min(digits, 2*f.Size()-d.Scale()-1) // a byte has two digits and something
	}
	if digits > 9 {
		return 1 << 30
	}
	top := 1
	for range digits {
		top *= 10
	}
	return top - 1
}
