package hive

import (
	"fmt"
	"slices"
	"strings"

	"weir/internal/engine"
)

// A query is one SELECT and what in it has to be put in other words for the server.
type query struct {
	body   string // up to the semicolon that ends it
	refs   []ref
	params []token
}

// A ref is a table where the query reads it.
type ref struct {
	parts      []string
	start, end int
}

// parse finds the tables and parameters of a query. It knows as much of SQL as that takes; what is wrong besides is for the
// server to tell.
func parse(q string) (query, error) {
	tokens := lex(q)
	var statements [][]token
	begin := 0
	for i, t := range tokens {
		if t.is(";") || i == len(tokens)-1 {
			end := i
			if !t.is(";") {
				end = i + 1
			}
			if end > begin {
				statements = append(statements, tokens[begin:end])
			}
			begin = i + 1
		}
	}
	if len(statements) != 1 {
		return query{}, &engine.SQLError{Message: fmt.Sprintf("expected one SELECT, found %d statements", len(statements))}
	}
	s := statements[0]
	first := s[0]
	for i := 0; first.is("(") && i < len(s)-1; i++ {
		first = s[i+1]
	}
	if !first.is("SELECT", "WITH", "VALUES", "FROM", "TABLE") {
		return query{}, (&engine.SQLError{Message: "expected one SELECT: a query reads, and the job's table is where its result goes"}).At(q, s[0].start)
	}
	w := walker{tokens: s, ctes: map[string]bool{}}
	w.walk()
	out := query{body: q[:s[len(s)-1].end]}
	for _, t := range s {
		if t.kind == param {
			out.params = append(out.params, t)
		}
	}
	for _, r := range w.refs {
		if len(r.parts) > 1 || !w.ctes[strings.ToLower(r.parts[0])] {
			out.refs = append(out.refs, r)
		}
	}
	return out, nil
}

// name is a table as our catalog calls it.
func (r ref) name(catalog string) string {
	parts := r.parts
	if len(parts) > 2 && parts[0] == catalog {
		parts = parts[1:]
	}
	return strings.Join(parts, ".")
}

func (q query) tables(catalog string) []string {
	var names []string
	for _, r := range q.refs {
		names = append(names, r.name(catalog))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// level is what stands between two parentheses, or all of the query.
type level struct {
	query  bool // it begins with SELECT, WITH or FROM: FROM in it names tables. In extract(year FROM x) it does not
	with   bool // names of WITH may come
	from   bool // within FROM …
	expect bool // the next name is a table
}

// walker looks for the names behind FROM, JOIN and the commas between tables.
type walker struct {
	tokens []token
	refs   []ref
	ctes   map[string]bool // in lower case
}

func (w *walker) at(i int) token {
	if i < 0 || i >= len(w.tokens) {
		return token{kind: mark}
	}
	return w.tokens[i]
}

func (w *walker) walk() {
	levels := []level{{}}
	for i := 0; i < len(w.tokens); i++ {
		t := w.tokens[i]
		l := &levels[len(levels)-1]
		switch {
		case t.is("("):
			// A parenthesis where a table is expected holds a query or tables that are joined.
			n := level{from: l.expect, expect: l.expect, query: l.expect}
			l.expect = false
			levels = append(levels, n)
		case t.is(")"):
			if len(levels) > 1 {
				levels = levels[:len(levels)-1]
			}
		case t.is("SELECT", "WITH", "VALUES"):
			*l = level{query: true, with: t.is("WITH")}
		case t.is("FROM") && (l.query || w.starts(i)):
			*l = level{query: true, from: true, expect: true}
		case t.is("JOIN") && l.from:
			l.expect = true
		case t.is(",") && l.from:
			l.expect = true
		case t.is("WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "UNION", "EXCEPT", "INTERSECT", "WINDOW", "CLUSTER", "DISTRIBUTE", "SORT"),
			t.is("LATERAL") && w.at(i+1).is("VIEW"):
			l.from, l.expect = false, false
		case l.with && t.name() && w.at(i-1).is("WITH", "RECURSIVE", ",") && !t.is("RECURSIVE"):
			w.ctes[strings.ToLower(t.text)] = true
		case l.expect && t.name() && !t.is("LATERAL"):
			l.expect = false
			i = w.table(i)
		}
	}
}

// starts reports that a token is the first of its level: FROM t SELECT …, as Hive allows.
func (w *walker) starts(i int) bool { return i == 0 || w.at(i-1).is("(") && !w.at(i-2).name() }

// table reads the name that begins at token i, and gives the last of its tokens. Before a parenthesis it is a function.
func (w *walker) table(i int) int {
	r := ref{parts: []string{w.tokens[i].text}, start: w.tokens[i].start, end: w.tokens[i].end}
	for w.at(i+1).is(".") && w.at(i+2).name() {
		i += 2
		r.parts, r.end = append(r.parts, w.tokens[i].text), w.tokens[i].end
	}
	if !w.at(i + 1).is("(") {
		w.refs = append(w.refs, r)
	}
	return i
}
