package avro

import (
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/hamba/avro/v2"
)

// A Plan is the compiled way from a writer's schema to the columns of a target. It may be used by several goroutines.
type Plan struct {
	root   *recordNode
	target *arrow.Schema
}

// Compile is [Layout.Compile] of the default layout.
func Compile(writer *Schema, target *arrow.Schema) (*Plan, error) {
	return Layout{}.Compile(writer, target)
}

// Compile matches the writer's fields with the target's columns, by name, else by alias. A column that the writer lacks becomes null: the
// table shows what was written, so no default of a schema fills it. A field that the target lacks and that says anything, or whose type
// does not fit, is an error that names it. Numbers widen by Avro's rules as far as they stay exact.
func (l Layout) Compile(writer *Schema, target *arrow.Schema) (*Plan, error) {
	r, ok := writer.root.(*avro.RecordSchema)
	if !ok {
		return nil, fmt.Errorf("expected a record, got %s", writer.root.Type())
	}
	n, err := newLander(l).compileRecord(r, target.Fields())
	if err != nil {
		return nil, err
	}
	return &Plan{n, target}, nil
}

// CompileFor is for who knows the table, but not the layout that it was made with.
func CompileFor(writer *Schema, target *arrow.Schema) (*Plan, error) {
	p, err := Compile(writer, target)
	for _, l := range []Layout{{JSONUnions: true}, {Recursion: 1}, {JSONUnions: true, Recursion: 1}} { // how deep shows in the columns
		if err == nil {
			break
		}
		if q, e := l.Compile(writer, target); e == nil {
			p, err = q, nil
		}
	}
	return p, err
}

// A node decodes one value of the writer's type and appends it to its column.
type node interface {
	decode(w *wire, c column) error
	least() int // no value takes fewer bytes on the wire
}

func (l *lander) compileRecord(r *avro.RecordSchema, cols []arrow.Field) (*recordNode, error) {
	l.open = append(l.open, r.FullName())
	defer func() { l.open = l.open[:len(l.open)-1] }()
	n, used := &recordNode{}, make([]bool, len(cols))
	for k, i := range columnsOf(r, cols) {
		f := r.Fields()[k]
		var child node
		var err error
		if i >= 0 {
			used[i] = true
			child, err = l.compile(f.Type(), cols[i].Type)
		} else {
			child, err = l.without(f.Type())
		}
		if err != nil {
			return nil, inField(f.Name(), err)
		}
		n.fields = append(n.fields, fieldNode{f.Name(), child, i})
		n.min += child.least()
	}
	for i := range cols {
		if !used[i] {
			n.missing = append(n.missing, i)
		}
	}
	return n, nil
}

// without is for a field that has no column: its value says nothing, or lies too deep to be kept.
func (l *lander) without(s avro.Schema) (node, error) {
	switch _, kind, err := l.anew(s); {
	case err != nil:
		return nil, err
	case kind == nothing:
		return skipNode{newTexter().of(s)}, nil
	case kind == beyond:
		return l.deep(s), nil
	}
	return nil, errNoColumn
}

func (l *lander) compile(s avro.Schema, t arrow.DataType) (node, error) {
	s = deref(s)
	if l.isText(s, t) {
		return jsonNode{newTexter().of(s)}, nil
	}
	if i := asBranch(s, t); i >= 0 {
		n, err := l.compile(s, structFields(t)[i].Type)
		return branchNode{n, i}, err
	}
	switch s := s.(type) {
	case *avro.RecordSchema:
		st, ok := t.(*arrow.StructType)
		if !ok {
			return nil, misfit(s, t)
		}
		return l.compileRecord(s, st.Fields())
	case *avro.UnionSchema:
		return l.compileUnion(s, t)
	case *avro.ArraySchema:
		to, ok := t.(*arrow.ListType)
		if !ok {
			return nil, misfit(s, t)
		}
		n, err := l.compile(s.Items(), to.Elem())
		if err != nil {
			return nil, inField("element", err)
		}
		return arrayNode{n}, nil
	case *avro.MapSchema:
		m, ok := t.(*arrow.MapType)
		if !ok || m.KeyType().ID() != arrow.STRING {
			return nil, misfit(s, t)
		}
		n, err := l.compile(s.Values(), m.ItemType())
		if err != nil {
			return nil, inField("value", err)
		}
		return mapNode{n}, nil
	case *avro.EnumSchema:
		if t.ID() != arrow.STRING {
			return nil, misfit(s, t)
		}
		var n enumNode
		for _, sym := range s.Symbols() {
			n = append(n, []byte(sym))
		}
		return n, nil
	case *avro.FixedSchema:
		return compileFixed(s, t)
	case *avro.PrimitiveSchema:
		return compilePrimitive(s, t)
	}
	return nullNode{}, nil
}

// isText reports that a value goes into a text column as JSON.
func (l *lander) isText(s avro.Schema, t arrow.DataType) bool {
	if t.ID() != arrow.STRING {
		return false
	}
	switch s := s.(type) {
	case *avro.UnionSchema:
		if types, null := branches(s); len(types) == 1 && null >= 0 {
			_, k, err := l.anew(types[0])
			return k == nothing && err == nil
		} else if len(types) > 1 {
			return l.JSONUnions
		}
		return false
	case *avro.RecordSchema:
		if len(l.open) > 0 && l.loops(s) {
			return true // of any depth, whatever the job says now: the table is laid out so
		}
	case *avro.ArraySchema, *avro.MapSchema:
		to, _, err := l.anew(s)
		return err == nil && to != nil && to.ID() == arrow.STRING
	case *avro.FixedSchema:
	default:
		return false
	}
	_, k, err := l.anew(s)
	return k == nothing && err == nil
}

func misfit(s avro.Schema, t arrow.DataType) error {
	name := string(s.Type())
	if p, ok := s.(*avro.PrimitiveSchema); ok && logical(p) != "" {
		name = s.String()
	}
	return fmt.Errorf("%s does not fit a column of type %s", name, t)
}

var errNoColumn = errors.New("there is no such column in the table")
