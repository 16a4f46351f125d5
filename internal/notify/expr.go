package notify

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"weir/internal/outcome"
)

// The language of `when`:
//
//	unit = "FIN" and (state in ["failed", "warning"] or severity >= high) and not job ~ "tmp_*"
//
// Strings may stand without quotes if they are one word. An unknown field or a value that a field cannot have is an error,
// with its column: a route that can never match is how messages vanish.

// facts are what an expression can ask about an event.
type facts map[string]any // string or float64

// fields are their names; true: a number.
var fields = map[string]bool{
	"unit": false, "job": false, "kind": false, "state": false, "severity": false, "date": false, "run": false, "title": false, "cause": false,
	"attempt": true, "rows_in": true, "rows_out": true, "rejected": true, "filtered": true,
}

var severities = []string{"info", "low", "medium", "high", "critical"}

func factsOf(o outcome.Outcome) facts {
	return facts{
		"unit": o.Unit, "job": o.Job, "kind": o.Kind, "state": string(o.State), "severity": severityOf(o), "date": o.BusinessDate(), "run": o.RunID,
		"title": o.Title, "cause": o.Cause.Code, "attempt": float64(o.Attempt), "rows_in": float64(o.RowsIn), "rows_out": float64(o.RowsOut),
		"rejected": float64(o.Rejected), "filtered": float64(o.Filtered),
	}
}

// severityOf is what the event says, or what its state means.
func severityOf(o outcome.Outcome) string {
	if slices.Contains(severities, o.Severity) {
		return o.Severity
	}
	switch o.State {
	case outcome.Failed, outcome.Late, outcome.Missing:
		return "high"
	case outcome.Warning, outcome.Cancelled:
		return "medium"
	case outcome.Recovered, outcome.Replaced:
		return "low"
	}
	return "info"
}

// An expr is a parsed `when`.
type expr interface {
	// eval reports whether it matches, and if not, which part did not and what stood there.
	eval(f facts) (ok bool, why string)
	String() string
}

type all struct{}

func (all) eval(facts) (bool, string) { return true, "" }
func (all) String() string            { return "always" }

type and []expr

func (a and) eval(f facts) (bool, string) {
	for _, e := range a {
		if ok, why := e.eval(f); !ok {
			return false, why
		}
	}
	return true, ""
}

func (a and) String() string { return join(a, " and ") }

type or []expr

func (o or) eval(f facts) (bool, string) {
	var whys []string
	for _, e := range o {
		ok, why := e.eval(f)
		if ok {
			return true, ""
		}
		whys = append(whys, why)
	}
	return false, strings.Join(whys, "; ")
}

func (o or) String() string { return "(" + join(o, " or ") + ")" }

type not struct{ expr }

func (n not) eval(f facts) (bool, string) {
	ok, _ := n.expr.eval(f)
	if ok {
		return false, n.String() + ", but it is so"
	}
	return true, ""
}

func (n not) String() string { return "not " + n.expr.String() }

func join(es []expr, by string) string {
	s := make([]string, len(es))
	for i, e := range es {
		s[i] = e.String()
	}
	return strings.Join(s, by)
}

// compare is field op value(s).
type compare struct {
	field, op string
	values    []string
	number    float64 // of values[0], for a field that is a number
}

func (c compare) String() string {
	if c.op == "in" || c.op == "not in" {
		q := make([]string, len(c.values))
		for i, v := range c.values {
			q[i] = strconv.Quote(v)
		}
		return fmt.Sprintf("%s %s [%s]", c.field, c.op, strings.Join(q, ", "))
	}
	if fields[c.field] {
		return fmt.Sprintf("%s %s %s", c.field, c.op, c.values[0])
	}
	return fmt.Sprintf("%s %s %q", c.field, c.op, c.values[0])
}

func (c compare) eval(f facts) (bool, string) {
	if c.holds(f[c.field]) {
		return true, ""
	}
	return false, fmt.Sprintf("%s: %s is %s", c, c.field, show(f[c.field]))
}

func show(v any) string {
	switch v := v.(type) {
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case string:
		if v != "" {
			return strconv.Quote(v)
		}
	}
	return "not known"
}

func (c compare) holds(v any) bool {
	if n, ok := v.(float64); ok {
		return ordered(c.op, compareFloats(n, c.number))
	}
	s, _ := v.(string)
	switch c.op {
	case "=", "!=":
		return (s == c.values[0]) == (c.op == "=")
	case "~", "!~":
		return glob(c.values[0], s) == (c.op == "~")
	case "in", "not in":
		return slices.Contains(c.values, s) == (c.op == "in")
	}
	if c.field == "severity" {
		return ordered(c.op, slices.Index(severities, s)-slices.Index(severities, c.values[0]))
	}
	return ordered(c.op, strings.Compare(s, c.values[0])) // date
}

func compareFloats(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func ordered(op string, sign int) bool {
	switch op {
	case "=":
		return sign == 0
	case "!=":
		return sign != 0
	case ">=":
		return sign >= 0
	case "<=":
		return sign <= 0
	case ">":
		return sign > 0
	default:
		return sign < 0
	}
}

// glob matches * (any text) and ? (one character); everything else means itself.
func glob(pattern, s string) bool {
	p, r := []rune(pattern), []rune(s)
	i, j, star, mark := 0, 0, -1, 0
	for j < len(r) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == r[j]):
			i, j = i+1, j+1
		case star >= 0: // let the last * take one more
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}
