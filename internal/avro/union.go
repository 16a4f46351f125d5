package avro

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/hamba/avro/v2"
)

// asBranch finds the child for a type that stands alone where the table, for an earlier or later schema, has a union's struct; -1: none.
func asBranch(s avro.Schema, t arrow.DataType) int {
	cols := structFields(t)
	if _, ok := s.(*avro.UnionSchema); ok || len(cols) == 0 || s.Type() == avro.Null {
		return -1
	}
	if f, ok := s.(*avro.FixedSchema); ok && durationInto(cols) != nil && isDuration(f) {
		return -1
	}
	if r, ok := s.(*avro.RecordSchema); ok {
		for _, to := range columnsOf(r, cols) {
			if to >= 0 {
				return -1
			}
		}
	}
	return branchColumns([]avro.Schema{s}, cols)[0]
}

func (l *lander) compileUnion(s *avro.UnionSchema, t arrow.DataType) (node, error) {
	types, null := branches(s)
	if len(types) == 0 {
		return oneOf{nullNode{}}, nil
	}
	if len(types) == 1 {
		n, err := l.compile(types[0], t)
		return unionNode{n, int32(null), int32(len(s.Types()))}, err
	}
	into := func(s avro.Schema, _ int) (node, error) { return l.compile(s, t) } // each in the column itself, such as int or long in a long
	if cols := structFields(t); cols != nil {
		to := branchColumns(types, cols)
		into = func(s avro.Schema, i int) (node, error) {
			if to[i] < 0 {
				if _, kind, err := l.anew(s); err != nil || kind == beyond {
					return deepNode{}, err
				}
				return nil, errNoColumn // also of a type that says nothing: that it is this branch would be lost
			}
			n, err := l.compile(s, cols[to[i]].Type)
			return branchNode{n, to[i]}, err
		}
	}
	names := branchNames(types)
	var out oneOf
	for i, s := range types {
		if len(out) == null {
			out = append(out, nullNode{})
		}
		n, err := into(s, i)
		if err != nil && structFields(t) == nil {
			return nil, fmt.Errorf("a union of several types does not fit a column of type %s", t)
		}
		if err != nil {
			return nil, inField(names[i], err)
		}
		out = append(out, n)
	}
	if len(out) == null {
		out = append(out, nullNode{})
	}
	return out, nil
}

// unionNode is [null, T], [T, null] or [T]; null is its branch or -1.
type unionNode struct {
	inner    node
	null     int32
	branches int32
}

func (n unionNode) least() int { return 1 }

func (n unionNode) decode(w *wire, c column) error {
	b, err := w.int()
	switch {
	case err != nil:
		return err
	case b < 0 || b >= n.branches:
		return noBranch(b, int(n.branches))
	case b == n.null:
		c.null()
		return nil
	}
	return n.inner.decode(w, c)
}

func noBranch(b int32, of int) error { return fmt.Errorf("branch %d of a union of %d", b, of) }

// oneOf is any other union, a node for each branch.
type oneOf []node

func (oneOf) least() int { return 1 }

func (n oneOf) decode(w *wire, c column) error {
	b, err := w.int()
	if err != nil {
		return err
	}
	if b < 0 || int(b) >= len(n) {
		return noBranch(b, len(n))
	}
	return n[b].decode(w, c)
}

// branchNode is a value in one child of a struct, the others of which are null.
type branchNode struct {
	inner node
	to    int
}

func (n branchNode) least() int { return n.inner.least() }

func (n branchNode) decode(w *wire, c column) error {
	s := c.(*structs)
	for i, ch := range s.children {
		if i != n.to {
			ch.null()
		} else if err := n.inner.decode(w, ch); err != nil {
			return err
		}
	}
	s.n++
	return nil
}

// nullNode is the type null in whatever column there is, or in none.
type nullNode struct{}

func (nullNode) least() int { return 0 }

func (nullNode) decode(_ *wire, c column) error {
	if c != nil {
		c.null()
	}
	return nil
}

// skipNode reads what says nothing.
type skipNode struct{ text text }

func (n skipNode) least() int { return n.text.least() }

func (n skipNode) decode(w *wire, _ column) (err error) {
	w.scratch, err = n.text.append(w, w.scratch[:0], 0)
	return err
}

// deep is for a value below the deepest level: there must be none.
func (l *lander) deep(s avro.Schema) node {
	switch s := deref(s).(type) {
	case *avro.UnionSchema:
		_, null := branches(s)
		out := make(oneOf, len(s.Types()))
		for i, t := range s.Types() {
			switch {
			case i == null:
				out[i] = nullNode{}
			case null >= 0:
				out[i] = deepNode{}
			default:
				out[i] = l.deep(t)
			}
		}
		return out
	case *avro.ArraySchema, *avro.MapSchema:
		return noItems{}
	case *avro.RecordSchema:
		depth := 0
		for _, name := range l.open {
			if name == s.FullName() {
				depth++
			}
		}
		if depth > l.Recursion {
			return deepNode{}
		}
		if n, err := l.compileRecord(s, nil); err == nil {
			return bare{n}
		}
	}
	return deepNode{}
}

type (
	deepNode struct{}
	noItems  struct{}
	bare     struct{ *recordNode } // a record without a column
)

func (deepNode) least() int                     { return 0 }
func (deepNode) decode(_ *wire, _ column) error { return errDeep }

func (noItems) least() int { return 1 }
func (noItems) decode(w *wire, _ column) error {
	n, err := w.block(1)
	if err == nil && n != 0 {
		err = errDeep
	}
	return err
}

func (n bare) decode(w *wire, _ column) error { return n.into(w, nil) }
