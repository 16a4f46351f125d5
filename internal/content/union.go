package content

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hamba/avro/v2"
)

// nullShare of a nullable field whose settings do not say.
const nullShare = 0.1

// union draws one of the branches. f, if it is given, is the setting of the field; generate compiles it for one branch.
func (c *compiler) union(path string, u *avro.UnionSchema, f *Field, generate func(avro.Schema) (step, error)) (step, error) {
	types := u.Types()
	share, chosen := nullShare, map[string]float64(nil)
	if f != nil {
		if f.Null != nil {
			share = float64(*f.Null)
		}
		if chosen = f.Branches; chosen != nil {
			if err := c.branchNames(path, u, chosen); err != nil {
				return step{}, err
			}
		}
	}
	steps, weights := make([]step, len(types)), make([]float64, len(types))
	nullAt, fits, others := -1, 0, 0
	var misfit error
	for i, t := range types {
		t = deref(t)
		if t.Type() == avro.Null {
			nullAt = i
			steps[i] = constant(nil)
			continue
		}
		var err error
		if generate != nil {
			if steps[i], err = generate(t); err == nil {
				fits++
			} else if !errors.Is(err, errDeep) {
				misfit = err
				steps[i], err = c.typed(path, t, Lengths{0, 3})
			}
		} else {
			steps[i], err = c.value(path, t)
		}
		if errors.Is(err, errDeep) {
			steps[i] = step{}
			continue
		}
		if err != nil {
			return step{}, err
		}
		weights[i] = 1
		others++
	}
	if generate != nil && fits == 0 && misfit != nil {
		return step{}, misfit
	}
	if nullAt >= 0 {
		switch {
		case others == 0:
			weights[nullAt] = 1
		case share < 1:
			weights[nullAt] = share / (1 - share) * float64(others)
		default:
			clear(weights)
			weights[nullAt] = 1
		}
	} else if others == 0 {
		return step{}, errDeep
	}
	if chosen != nil {
		for i, t := range types {
			if steps[i].write != nil {
				weights[i] = chosen[branchName(u, t, chosen)]
			}
		}
	}
	if len(types) == 2 && nullAt >= 0 && chosen == nil && others == 1 {
		return optional(steps[1-nullAt], nullAt, share), nil
	}
	return oneBranch(steps, weights)
}

// oneBranch writes one of several; in lean mode the smallest.
func oneBranch(steps []step, weights []float64) (step, error) {
	which, smallest, all := newWeighted(weights), -1, step{least: 1 << 40}
	for i, s := range steps {
		if s.write == nil || weights[i] == 0 {
			continue
		}
		if smallest < 0 || s.lean < steps[smallest].lean {
			smallest = i
		}
		all.least, all.most = min(all.least, 1+s.least), max(all.most, 1+s.most)
	}
	if smallest < 0 {
		return step{}, errDeep
	}
	all.lean = 1 + steps[smallest].lean
	all.write = func(b []byte, d *draw) []byte {
		i := smallest
		if word := d.next(); !d.tight() {
			i = which.draw(word)
		}
		return steps[i].write(appendLong(b, int64(i)), d)
	}
	return all, nil
}

// branchName is the name by which the weights call a branch.
func branchName(u *avro.UnionSchema, t avro.Schema, weights map[string]float64) string {
	for _, name := range namesOf(t) {
		if _, ok := weights[name]; ok {
			return name
		}
	}
	return ""
}

func namesOf(s avro.Schema) []string {
	s = deref(s)
	names := []string{string(s.Type())}
	if n, ok := s.(avro.NamedSchema); ok {
		names = append(names, n.Name(), n.FullName())
	} else if l := logicalOf(s); l != "" {
		names = append(names, string(l), string(s.Type())+"."+string(l))
	}
	return names
}

func nameOf(s avro.Schema) string { all := namesOf(s); return all[len(all)-1] }

func (c *compiler) branchNames(path string, u *avro.UnionSchema, weights map[string]float64) error {
	var known []string
	for _, t := range u.Types() {
		known = append(known, namesOf(t)...)
	}
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		if !slices.Contains(known, name) {
			return fmt.Errorf("value.fields.%s: branches: the union has no %s; it has %s", path, name, strings.Join(known, ", "))
		}
	}
	return nil
}
