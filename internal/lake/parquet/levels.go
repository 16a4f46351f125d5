package parquet

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// slots are the places of a column in some rows, as Parquet counts them: one for each value, and one for each null and each empty list
// on the way to it. Nil slices stand for the usual case, in which nothing is done for each row.
type slots struct {
	n         int
	rep       []byte  // nil: all 0
	def       []byte  // nil: all are level
	level     byte    // where def is nil
	at        []int32 // index into the array of each slot, -1 where there is no value; nil: from, from+1, …
	from      int
	maxDef    byte
	maxRep    byte
	valueless int // slots whose at is -1
}

// leaf is a column without children, with its places.
type leaf struct {
	slots
	values arrow.Array
}

// shred takes the array of a field apart into its leaves, in the order of the Parquet schema.
func shred(name string, f arrow.Field, a arrow.Array, s slots, out []leaf) ([]leaf, error) {
	var err error
	if f.Nullable {
		s = s.optional(a)
	} else if s.broken(a) {
		return nil, fmt.Errorf("column %s is required and has a null", name)
	}
	switch a := a.(type) {
	case *array.Struct:
		for i, child := range f.Type.(*arrow.StructType).Fields() {
			if out, err = shred(name+"."+child.Name, child, a.Field(i), s, out); err != nil {
				return nil, err
			}
		}
		return out, nil
	case *array.List:
		return shred(name+".element", f.Type.(*arrow.ListType).ElemField(), a.ListValues(), s.repeated(a), out)
	case *array.Map:
		entries, dt := s.repeated(a), f.Type.(*arrow.MapType)
		key := dt.KeyField()
		key.Nullable = false // by the format, whatever the schema of the array says
		if out, err = shred(name+".key", key, a.Keys(), entries, out); err != nil {
			return nil, err
		}
		return shred(name+".value", dt.ItemField(), a.Items(), entries, out)
	}
	return append(out, leaf{s, a}), nil
}

// broken reports a null where none may be.
func (s slots) broken(a arrow.Array) bool {
	if a.NullN() == 0 {
		return false
	}
	for k := range s.n {
		if i := s.index(k); i >= 0 && a.IsNull(i) {
			return true
		}
	}
	return false
}

func (s *slots) index(k int) int {
	if s.at == nil {
		return s.from + k
	}
	return int(s.at[k])
}

// optional goes down to an array that may have nulls.
func (s slots) optional(a arrow.Array) slots {
	s.maxDef++
	nulls := a.NullN() > 0
	if !nulls && s.def == nil {
		s.level++
		return s
	}
	def := make([]byte, s.n)
	for k := range def {
		if s.def == nil {
			def[k] = s.level
		} else {
			def[k] = s.def[k]
		}
		if s.index(k) >= 0 {
			def[k]++
		}
	}
	if nulls {
		at := make([]int32, s.n)
		for k := range at {
			at[k] = int32(s.index(k))
			if at[k] >= 0 && a.IsNull(int(at[k])) {
				at[k] = -1
				def[k]--
				s.valueless++
			}
		}
		s.at = at
	}
	s.def = def
	return s
}

// repeated goes down to the items of lists.
func (s slots) repeated(a array.ListLike) slots {
	to := slots{maxDef: s.maxDef + 1, maxRep: s.maxRep + 1}
	size := s.n
	if s.n > 0 && s.at == nil {
		first, _ := a.ValueOffsets(s.from)
		_, last := a.ValueOffsets(s.from + s.n - 1)
		size = int(last - first)
	}
	to.rep, to.def, to.at = make([]byte, 0, size), make([]byte, 0, size), make([]int32, 0, size)
	for k := range s.n {
		rep, def, i := byte(0), s.level, s.index(k)
		if s.rep != nil {
			rep = s.rep[k]
		}
		if s.def != nil {
			def = s.def[k]
		}
		var from, end int64
		if i >= 0 {
			from, end = a.ValueOffsets(i)
		}
		if from == end {
			to.rep, to.def, to.at = append(to.rep, rep), append(to.def, def), append(to.at, -1)
			to.valueless++
			continue
		}
		for j := from; j < end; j++ {
			to.rep, to.def, to.at = append(to.rep, rep), append(to.def, def+1), append(to.at, int32(j))
			rep = to.maxRep
		}
	}
	to.n = len(to.at)
	return to
}

// dense is the places that have values, without the others.
func (s *slots) dense() (at []int32, from, n int) {
	if s.at == nil {
		return nil, s.from, s.n
	}
	at = s.at
	if s.valueless > 0 {
		at = make([]int32, 0, s.n-s.valueless)
		for _, i := range s.at {
			if i >= 0 {
				at = append(at, i)
			}
		}
	}
	return at, 0, len(at)
}
