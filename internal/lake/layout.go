package lake

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// A LayoutError is a partition or sort expression that a table cannot have.
type LayoutError struct {
	Path    string // of the expression in Options: "partition[1]", "sort[0]"
	Message string
}

func (e *LayoutError) Error() string { return e.Path + ": " + e.Message }

// A term is one partition or sort expression, read but not yet held against columns.
type term struct {
	column    string
	transform iceberg.Transform
	desc      bool   // only in a sort order
	at        string // where it stands: "partition[1]"
}

var (
	applied = regexp.MustCompile(`^([a-z]+)\(\s*(?:([0-9]+)\s*,\s*)?([^\s(),]+)\s*\)$`)
	ordered = regexp.MustCompile(`^([^\s(),]+)(?:\s+(asc|desc))?$`)
)

const (
	partitionForms = "expected a column, year(c), month(c), day(c), hour(c), bucket(16, c) or truncate(8, c)"
	sortForms      = "expected a column, or one with its direction: account_id, booked_at desc"
)

// ReadLayout checks the partition and sort expressions of Options as far as it can be done without the table: each error is a
// *LayoutError.
func ReadLayout(o Options) []error {
	_, bad := terms("partition", o.Partition, partitionTerm)
	_, worse := terms("sort", o.Sort, sortTerm)
	return append(bad, worse...)
}

func terms(key string, texts []string, read func(string) (term, error)) (all []term, bad []error) {
	for i := 0; i < len(texts); i++ {
		at, text := fmt.Sprintf("%s[%d]", key, i), texts[i]
		for strings.Count(text, "(") > strings.Count(text, ")") && i+1 < len(texts) { // YAML takes [bucket(16, c)] for two values
			i++
			text += ", " + texts[i]
		}
		t, err := read(strings.TrimSpace(text))
		if err != nil {
			bad = append(bad, &LayoutError{at, fmt.Sprintf("%v, got %q", err, text)})
		}
		t.at = at
		all = append(all, t)
	}
	return all, bad
}

func partitionTerm(text string) (term, error) {
	m := applied.FindStringSubmatch(text)
	if m == nil {
		if m := ordered.FindStringSubmatch(text); m != nil && m[2] == "" {
			return term{column: text, transform: iceberg.IdentityTransform{}}, nil
		}
		return term{}, errors.New(partitionForms)
	}
	name := m[1]
	switch n, err := strconv.ParseInt(m[2], 10, 31); {
	case slices.Contains([]string{"year", "month", "day", "hour"}, name) && m[2] == "":
	case (name == "bucket" || name == "truncate") && err == nil && n > 0:
		name += "[" + m[2] + "]"
	default:
		return term{}, errors.New(partitionForms)
	}
	t, err := iceberg.ParseTransform(name)
	if err != nil {
		return term{}, err
	}
	return term{column: m[3], transform: t}, nil
}

func sortTerm(text string) (term, error) {
	m := ordered.FindStringSubmatch(text)
	if m == nil {
		return term{}, errors.New(sortForms)
	}
	return term{column: m[1], transform: iceberg.IdentityTransform{}, desc: m[2] == "desc"}, nil
}

// A layout is what Options ask for, for the columns of one schema.
type layout struct {
	spec iceberg.PartitionSpec
	sort table.SortOrder
}

// layoutFor holds the expressions against the columns.
func layoutFor(s *iceberg.Schema, o Options) (layout, error) {
	if bad := ReadLayout(o); len(bad) > 0 {
		return layout{}, errors.Join(bad...)
	}
	if err := keyColumns(s, o.Key); len(o.Key) > 0 && err != nil {
		return layout{}, err
	}
	l := layout{spec: iceberg.NewPartitionSpecID(0), sort: table.UnsortedSortOrder}
	parts, _ := terms("partition", o.Partition, partitionTerm)
	var fields []iceberg.PartitionField
	for i, t := range parts {
		source, err := columnFor(s, t)
		if err != nil {
			return l, err
		}
		f := iceberg.PartitionField{SourceIDs: []int{source.ID}, FieldID: firstPartitionField + i, Transform: t.transform}
		if f.Name, err = iceberg.GeneratePartitionFieldName(s, f); err != nil {
			return l, &LayoutError{t.at, err.Error()}
		}
		f.Name = strings.ReplaceAll(f.Name, ".", "_") // of a nested column
		if other, ok := s.FindFieldByName(f.Name); ok && other.ID != source.ID {
			f.Name += "_part"
		}
		for _, g := range fields {
			_, a := f.Transform.(iceberg.TimeTransform)
			_, b := g.Transform.(iceberg.TimeTransform)
			if g.SourceID() == source.ID && (a && b || f.Transform.Equals(g.Transform)) {
				return l, &LayoutError{t.at, fmt.Sprintf("column %s is there already: the finer of two parts of a time is enough", t.column)}
			}
		}
		fields = append(fields, f)
	}
	if len(fields) > 0 {
		l.spec = iceberg.NewPartitionSpecID(0, fields...)
	}
	order, _ := terms("sort", o.Sort, sortTerm)
	var by []table.SortField
	for _, t := range order {
		source, err := columnFor(s, t)
		if err != nil {
			return l, err
		}
		if strings.Contains(t.column, ".") {
			return l, &LayoutError{t.at, fmt.Sprintf("column %s lies within another one: rows are sorted by columns of the table itself", t.column)}
		}
		f := table.SortField{SourceIDs: []int{source.ID}, Transform: t.transform, Direction: table.SortASC, NullOrder: table.NullsFirst}
		if t.desc {
			f.Direction, f.NullOrder = table.SortDESC, table.NullsLast
		}
		by = append(by, f)
	}
	var err error
	if len(by) > 0 {
		l.sort, err = table.NewSortOrder(1, by)
	}
	return l, err
}

const firstPartitionField = 1000 // Iceberg numbers partition fields from there

func columnFor(s *iceberg.Schema, t term) (iceberg.NestedField, error) {
	f, ok := s.FindFieldByName(t.column)
	if !ok {
		return f, &LayoutError{t.at, fmt.Sprintf("the table has no column %s; it has %s", t.column, strings.Join(primitives(s), ", "))}
	}
	if _, ok := f.Type.(iceberg.PrimitiveType); !ok || !t.transform.CanTransform(f.Type) || withinMany(s, t.column) {
		return f, &LayoutError{t.at, fmt.Sprintf("column %s is %s: no %s can be taken of it", t.column, f.Type, t.transform)}
	}
	return f, nil
}

// withinMany reports that a column lies in a list or a map, so that a row has many values of it.
func withinMany(s *iceberg.Schema, name string) bool {
	for i, c := range name {
		if c == '.' {
			if f, ok := s.FindFieldByName(name[:i]); ok {
				if _, ok := f.Type.(*iceberg.StructType); !ok {
					return true
				}
			}
		}
	}
	return false
}

// primitives are the names of the columns that can be in a layout.
func primitives(s *iceberg.Schema) []string {
	var all []string
	var walk func(prefix string, fields []iceberg.NestedField)
	walk = func(prefix string, fields []iceberg.NestedField) {
		for _, f := range fields {
			switch t := f.Type.(type) {
			case *iceberg.StructType:
				walk(prefix+f.Name+".", t.FieldList)
			case iceberg.PrimitiveType:
				all = append(all, prefix+f.Name)
			}
		}
	}
	walk("", s.Fields())
	return all
}

// Arranged checks that the table is laid out as Options say; without partition and sort they say nothing. The table's own layout is never
// changed: files that are there would have to be written anew.
func (t *Table) Arranged(o Options) error {
	tbl, _ := t.current()
	want, err := layoutFor(tbl.Schema(), o)
	if err != nil {
		return err
	}
	if err := t.sameKey(o.Key, tbl.Properties()[keyProperty]); err != nil {
		return err
	}
	have := Options{Partition: partitionTexts(tbl.Schema(), tbl.Spec()), Sort: sortTexts(tbl.Schema(), tbl.SortOrder())}
	ask := Options{Partition: partitionTexts(tbl.Schema(), want.spec), Sort: sortTexts(tbl.Schema(), want.sort)}
	for _, c := range []struct {
		key       string
		ask, have []string
	}{{"partition", ask.Partition, have.Partition}, {"sort", ask.Sort, have.Sort}} {
		if len(c.ask) > 0 && !slices.Equal(c.ask, c.have) {
			return &LayoutError{c.key, fmt.Sprintf("table %s exists and has %s [%s], not [%s]: leave the key out to use the table's, or name another table",
				t.name, c.key, strings.Join(c.have, ", "), strings.Join(c.ask, ", "))}
		}
	}
	return nil
}

// keyProperty names the key columns of a table that has one row for each of their values.
const keyProperty = "weir.key"

func (t *Table) sameKey(want []string, have string) error {
	switch {
	case strings.Join(want, ",") == have:
		return nil
	case have == "":
		return &LayoutError{"key", fmt.Sprintf("table %s exists and may have several rows of a key, because no upsert job made it: name another table, or remove the doubles and set its property '%s' to '%s'",
			t.name, keyProperty, strings.Join(want, ","))}
	}
	return t.onlyUpsert(have)
}

func (t *Table) onlyUpsert(have string) error {
	return &LayoutError{"table", fmt.Sprintf("table %s has one row for each %s: only a job with `write: upsert` and `key: [%s]` may write to it",
		t.name, have, strings.ReplaceAll(have, ",", ", "))}
}

// Layout says how the table is partitioned and sorted, in the words of Options.
func (t *Table) Layout() (partition, sort []string) {
	tbl, _ := t.current()
	return partitionTexts(tbl.Schema(), tbl.Spec()), sortTexts(tbl.Schema(), tbl.SortOrder())
}

func partitionTexts(s *iceberg.Schema, spec iceberg.PartitionSpec) []string {
	var all []string
	for _, f := range spec.Fields() {
		name, _ := s.FindColumnName(f.SourceID())
		switch t := f.Transform.(type) {
		case iceberg.IdentityTransform:
			all = append(all, name)
		case iceberg.BucketTransform:
			all = append(all, fmt.Sprintf("bucket(%d, %s)", t.NumBuckets, name))
		case iceberg.TruncateTransform:
			all = append(all, fmt.Sprintf("truncate(%d, %s)", t.Width, name))
		default:
			all = append(all, fmt.Sprintf("%s(%s)", t, name))
		}
	}
	return all
}

func sortTexts(s *iceberg.Schema, o table.SortOrder) []string {
	var all []string
	for _, f := range o.Fields() {
		name, _ := s.FindColumnName(f.SourceID())
		if _, plain := f.Transform.(iceberg.IdentityTransform); !plain {
			name = fmt.Sprintf("%s(%s)", f.Transform, name)
		}
		if f.Direction == table.SortDESC {
			name += " desc"
		}
		all = append(all, name)
	}
	return all
}
