package hive

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/internal/engine"
)

// rendered is a query in the server's words, and the way back from a place in it.
type rendered struct {
	query string // as the user wrote it
	text  string
	edits []edit
}

// edit is a piece of the text that stands for another piece of the query.
type edit struct{ from, to, start, end int } // from, to in the text; start, end in the query

// render puts the tables' full names with their snapshots, and the arguments' literals, into a query.
func (q query) render(e *Engine, tables []engine.Table, args map[string]any) (rendered, error) {
	type piece struct {
		start, end int
		text       string
	}
	var pieces []piece
	for _, r := range q.refs {
		i := slices.IndexFunc(tables, func(t engine.Table) bool { return strings.EqualFold(t.Name, r.name(e.o.Catalog)) })
		if i < 0 { // also csv.`/a/file`, which Spark would read
			return rendered{}, (&engine.SQLError{Message: "there is no table " + r.name(e.o.Catalog)}).At(q.body, r.start)
		}
		name := e.ident(tables[i].Name)
		if tables[i].Snapshot != 0 {
			name += fmt.Sprintf(" VERSION AS OF %d", tables[i].Snapshot)
		}
		pieces = append(pieces, piece{r.start, r.end, name})
	}
	for _, p := range q.params {
		v, ok := args[p.text[1:]]
		if !ok {
			return rendered{}, missing(q.body, p, args)
		}
		lit, err := literal(v)
		if err != nil {
			return rendered{}, fmt.Errorf("parameter %s: %w", p.text, err)
		}
		pieces = append(pieces, piece{p.start, p.end, lit})
	}
	slices.SortFunc(pieces, func(a, b piece) int { return a.start - b.start })
	out := rendered{query: q.body}
	var b strings.Builder
	at := 0
	for _, p := range pieces {
		b.WriteString(q.body[at:p.start])
		from := b.Len()
		b.WriteString(p.text)
		out.edits = append(out.edits, edit{from, b.Len(), p.start, p.end})
		at = p.end
	}
	b.WriteString(q.body[at:])
	out.text = b.String()
	return out, nil
}

// place leads a byte of the text back to the query; -1 if it is outside.
func (r rendered) place(at int) int {
	if at < 0 || at > len(r.text) {
		return -1
	}
	shift := 0
	for _, e := range r.edits {
		if at < e.from {
			break
		}
		if at < e.to {
			return e.start
		}
		shift = e.end - e.to
	}
	return at + shift
}

func missing(body string, p token, args map[string]any) error {
	known := "there are none here"
	if len(args) > 0 {
		known = "known are $" + strings.Join(slices.Sorted(maps.Keys(args)), ", $")
	}
	return (&engine.SQLError{Message: fmt.Sprintf("there is no parameter %s; %s", p.text, known)}).At(body, p.start)
}

// literal writes a value as SQL of its type. Texts are safe whatever they hold: Spark's backslashes are doubled as well.
func literal(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "NULL", nil
	case bool:
		return strings.ToUpper(strconv.FormatBool(v)), nil
	case int:
		return strconv.FormatInt(int64(v), 10) + "L", nil
	case int32:
		return strconv.FormatInt(int64(v), 10), nil
	case int64:
		if v == -1<<63 { // the minus is no part of a literal, and the rest has no place in a long
			return "(-9223372036854775807L - 1L)", nil
		}
		return strconv.FormatInt(v, 10) + "L", nil
	case float64:
		return "CAST('" + strconv.FormatFloat(v, 'g', -1, 64) + "' AS DOUBLE)", nil
	case string:
		return quote(v), nil
	case []byte:
		return fmt.Sprintf("X'%X'", v), nil
	case time.Time:
		return "TIMESTAMP '" + v.UTC().Format("2006-01-02 15:04:05.000000") + "+00:00'", nil
	}
	return "", fmt.Errorf("a value of type %T has no literal", v)
}

var escapes = strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\x00", `\0`)

func quote(s string) string { return "'" + escapes.Replace(s) + "'" }
