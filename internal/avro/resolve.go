package avro

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/hamba/avro/v2"
)

// columnsOf finds the column of each of a writer's fields: that of its name, else that of an alias, the first that no other field has;
// -1 where there is none. So a field that was renamed goes on in the column of its old name.
func columnsOf(r *avro.RecordSchema, cols []arrow.Field) []int {
	names, aliases := make([]string, len(r.Fields())), make([][]string, len(r.Fields()))
	for i, f := range r.Fields() {
		names[i], aliases[i] = f.Name(), f.Aliases()
	}
	return match(names, aliases, cols)
}

func match(names []string, aliases [][]string, cols []arrow.Field) []int {
	index, taken := make(map[string]int, len(cols)), make([]bool, len(cols))
	for i, c := range cols {
		index[c.Name] = i
	}
	to := make([]int, len(names))
	for i, name := range names {
		to[i] = -1
		if at, ok := index[name]; ok {
			to[i], taken[at] = at, true
		}
	}
	for i := range names {
		for _, a := range aliases[i] {
			if at, ok := index[a]; ok && to[i] < 0 && !taken[at] {
				to[i], taken[at] = at, true
			}
		}
	}
	return to
}

// branches are the types of a union without null; null is its branch, or -1.
func branches(u *avro.UnionSchema) (types []avro.Schema, null int) {
	null = -1
	for i, s := range u.Types() {
		if s.Type() == avro.Null {
			null = i
		} else {
			types = append(types, deref(s))
		}
	}
	return types, null
}

func deref(s avro.Schema) avro.Schema {
	if r, ok := s.(*avro.RefSchema); ok {
		return r.Schema()
	}
	return s
}

// branchNames are the names of a union's branches as columns: the type's, without its namespace. Where two are alike, for engines that
// do not tell capitals from small letters, those types have their full names, with _ for the dots; and where that does not help, a number.
func branchNames(types []avro.Schema) []string {
	short, full := make([]string, len(types)), make([]string, len(types))
	for i, s := range types {
		short[i] = string(s.Type())
		full[i] = short[i]
		if n, ok := s.(avro.NamedSchema); ok {
			short[i], full[i] = n.Name(), strings.ReplaceAll(n.FullName(), ".", "_")
		}
	}
	names := apart(short, full)
	numbered := make([]string, len(names))
	for i, n := range names {
		numbered[i] = fmt.Sprintf("%s_%d", n, i+1)
	}
	return apart(names, numbered)
}

// apart takes the second choice for those of the first that are alike.
func apart(first, second []string) []string {
	out := make([]string, len(first))
	for i, name := range first {
		out[i] = name
		for k, other := range first {
			if k != i && strings.EqualFold(name, other) {
				out[i] = second[i]
			}
		}
	}
	return out
}

// branchColumns finds the column of each branch, as columnsOf does for fields: a type may have aliases too.
func branchColumns(types []avro.Schema, cols []arrow.Field) []int {
	aliases := make([][]string, len(types))
	for i, s := range types {
		if n, ok := s.(avro.NamedSchema); ok {
			for _, a := range n.Aliases() {
				aliases[i] = append(aliases[i], a[strings.LastIndexByte(a, '.')+1:], strings.ReplaceAll(a, ".", "_"))
			}
		}
	}
	return match(branchNames(types), aliases, cols)
}
