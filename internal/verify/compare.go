package verify

import (
	"bytes"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// comparer says whether value i of got is value j of want. Types must have the same values, not the same names: a reader may
// call a list's element otherwise.
func comparer(got, want arrow.Array) (func(i, j int) bool, error) {
	inner, err := values(got, want)
	if err != nil {
		return nil, err
	}
	return func(i, j int) bool {
		if got.IsNull(i) || want.IsNull(j) {
			return got.IsNull(i) && want.IsNull(j)
		}
		return inner(i, j)
	}, nil
}

// plainValues is an array whose values Go can compare.
type plainValues[T comparable] interface {
	arrow.Array
	Value(int) T
}

func same[T comparable](got plainValues[T], want arrow.Array) (func(i, j int) bool, error) {
	w, ok := want.(plainValues[T])
	if !ok {
		return nil, mismatch(got, want)
	}
	return func(i, j int) bool { return got.Value(i) == w.Value(j) }, nil
}

func mismatch(got, want arrow.Array) error {
	return fmt.Errorf("the table has %s, the messages %s", got.DataType(), want.DataType())
}

// floats compares bits: a NaN is itself, and 0 is not -0.
func floats(got, want arrow.Array) (func(i, j int) bool, error) {
	g, w := got.Data().Buffers()[1], want.Data().Buffers()[1]
	if got.DataType().ID() != want.DataType().ID() || g == nil || w == nil {
		return nil, mismatch(got, want)
	}
	size := got.DataType().(arrow.FixedWidthDataType).Bytes()
	gb, wb := g.Bytes()[got.Data().Offset()*size:], w.Bytes()[want.Data().Offset()*size:]
	return func(i, j int) bool { return bytes.Equal(gb[i*size:][:size], wb[j*size:][:size]) }, nil
}

func values(got, want arrow.Array) (func(i, j int) bool, error) {
	switch g := got.(type) {
	case *array.Null:
		return func(int, int) bool { return true }, nil
	case *array.Boolean:
		return same[bool](g, want)
	case *array.Int32:
		return same[int32](g, want)
	case *array.Int64:
		return same[int64](g, want)
	case *array.Float32, *array.Float64:
		if got.Len() == 0 || want.Len() == 0 {
			return func(int, int) bool { return false }, nil
		}
		return floats(got, want)
	case *array.String:
		return same[string](g, want)
	case *array.LargeString:
		return same[string](g, want)
	case *array.Date32:
		return same[arrow.Date32](g, want)
	case *array.Time64:
		return same[arrow.Time64](g, want)
	case *array.Timestamp:
		return same[arrow.Timestamp](g, want)
	case *array.Decimal128:
		w, ok := want.(*array.Decimal128)
		if !ok || g.DataType().(*arrow.Decimal128Type).Scale != w.DataType().(*arrow.Decimal128Type).Scale {
			return nil, mismatch(got, want)
		}
		return func(i, j int) bool { return g.Value(i) == w.Value(j) }, nil
	case *array.Struct:
		return structs(g, want)
	case *array.Map:
		return maps(g, want)
	case array.ListLike:
		return lists(g, want)
	case interface{ Value(int) []byte }: // binary, large or fixed
		w, ok := want.(interface{ Value(int) []byte })
		if !ok {
			return nil, mismatch(got, want)
		}
		return func(i, j int) bool { return bytes.Equal(g.Value(i), w.Value(j)) }, nil
	}
	return nil, fmt.Errorf("values of type %s cannot be compared in this version", got.DataType())
}

func structs(got *array.Struct, want arrow.Array) (func(i, j int) bool, error) {
	w, ok := want.(*array.Struct)
	if !ok {
		return nil, mismatch(got, want)
	}
	var all []func(i, j int) bool
	for k, f := range w.DataType().(*arrow.StructType).Fields() {
		i, ok := got.DataType().(*arrow.StructType).FieldIdx(f.Name)
		if !ok {
			return nil, fmt.Errorf("field %s is not in the table", f.Name)
		}
		c, err := comparer(got.Field(i), w.Field(k))
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", f.Name, err)
		}
		all = append(all, c)
	}
	return func(i, j int) bool {
		for _, c := range all {
			if !c(i, j) {
				return false
			}
		}
		return true
	}, nil
}

func lists(got array.ListLike, want arrow.Array) (func(i, j int) bool, error) {
	w, ok := want.(array.ListLike)
	if !ok {
		return nil, mismatch(got, want)
	}
	item, err := comparer(got.ListValues(), w.ListValues())
	if err != nil {
		return nil, fmt.Errorf("item: %w", err)
	}
	return func(i, j int) bool {
		gs, ge := got.ValueOffsets(i)
		ws, we := w.ValueOffsets(j)
		if ge-gs != we-ws {
			return false
		}
		for k := range ge - gs {
			if !item(int(gs+k), int(ws+k)) {
				return false
			}
		}
		return true
	}, nil
}

// maps are equal if they have the same entries: their order means nothing.
func maps(got *array.Map, want arrow.Array) (func(i, j int) bool, error) {
	w, ok := want.(*array.Map)
	if !ok {
		return nil, mismatch(got, want)
	}
	key, err := comparer(got.Keys(), w.Keys())
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	item, err := comparer(got.Items(), w.Items())
	if err != nil {
		return nil, fmt.Errorf("value: %w", err)
	}
	return func(i, j int) bool {
		gs, ge := got.ValueOffsets(i)
		ws, we := w.ValueOffsets(j)
		if ge-gs != we-ws {
			return false
		}
		for a := gs; a < ge; a++ {
			found := false
			for b := ws; b < we && !found; b++ {
				found = key(int(a), int(b)) && item(int(a), int(b))
			}
			if !found {
				return false
			}
		}
		return true
	}, nil
}
