package report

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/invopop/jsonschema"

	"weir/internal/cli"
	"weir/internal/lake"
)

// Incremental is `true` for all tables that the query reads, except the destination itself, or a list of tables.
type Incremental struct {
	All    bool
	Tables []string
}

// On reports whether anything is read incrementally.
func (i Incremental) On() bool { return i.All || len(i.Tables) > 0 }

// UnmarshalYAML takes true, false or a list of tables.
func (i *Incremental) UnmarshalYAML(decode func(any) error) error {
	var v any
	if err := decode(&v); err != nil {
		return err
	}
	switch v := v.(type) {
	case bool:
		i.All = v
		return nil
	case []any:
		for _, x := range v {
			s, ok := x.(string)
			if !ok || !tableName.MatchString(s) {
				return fmt.Errorf("expected tables with their namespace, such as bank.transactions, got %v", x)
			}
			i.Tables = append(i.Tables, s)
		}
		return nil
	}
	return fmt.Errorf("expected true, or a list of tables that the query reads")
}

// Schema is what editors are told.
func (Incremental) Schema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "boolean"}, {Type: "array", Items: &jsonschema.Schema{Type: "string"}}}, Title: "true or a list of tables"}
}

// seen is what a run had seen of a table. Snapshots expire within hours, so it is told by sequence numbers: files with a
// higher one are new, and as long as all rows of the others are still there nothing was taken away or changed. A compaction by weir
// keeps to both (lake.Table.Mark).
type seen struct {
	Table string `json:"table"` // uuid
	Seq   int64  `json:"seq"`
	Rows  int64  `json:"rows"`            // up to that number
	Files int    `json:"files,omitempty"` // the same, as cursors had it that do not have rows
}

func seenOf(p lake.Plan) seen {
	s := seen{Table: p.UUID}
	for _, f := range p.Files {
		s.Seq, s.Rows = max(s.Seq, f.Seq), s.Rows+f.Rows
	}
	return s
}

// since gives the files that came after what was seen, or why that cannot be told.
func (s seen) since(p lake.Plan) (files []lake.PlannedFile, why string) {
	if s.Table != p.UUID {
		return nil, "was dropped and made again"
	}
	var old seen
	for _, f := range p.Files {
		if f.Seq > s.Seq {
			files = append(files, f)
		} else {
			old.Files, old.Rows = old.Files+1, old.Rows+f.Rows
		}
	}
	switch {
	case s.Files > 0 && old.Files != s.Files:
		return nil, fmt.Sprintf("was rewritten: of %d files that the last run had seen %d are left", s.Files, old.Files)
	case s.Files == 0 && old.Rows != s.Rows:
		return nil, fmt.Sprintf("was rewritten: of %d rows that the last run had seen %d are left", s.Rows, old.Rows)
	}
	return files, ""
}

// delta lists the tables that are read incrementally.
func (j *Job) delta() []string {
	var names []string
	for _, n := range slices.Sorted(maps.Keys(j.plans)) {
		if j.cfg.Incremental.All && n != j.cfg.Table || slices.Contains(j.cfg.Incremental.Tables, n) {
			names = append(names, n)
		}
	}
	return names
}

// incremental refuses what cannot be meant.
func (j *Job) incremental() error {
	if !j.cfg.Incremental.On() {
		return nil
	}
	for _, n := range j.cfg.Incremental.Tables {
		if _, ok := j.plans[n]; !ok {
			return cli.Usage(fmt.Errorf("job %s: incremental names table %s, which the query does not read", j.name, n), "it reads "+strings.Join(slices.Sorted(maps.Keys(j.plans)), ", "))
		}
		if n == j.cfg.Table {
			return cli.Usage(fmt.Errorf("job %s: incremental names table %s, which the job itself writes", j.name, n), "")
		}
	}
	if len(j.delta()) == 0 {
		return cli.Usage(fmt.Errorf("job %s is incremental, but its query reads no table of others", j.name), "")
	}
	return nil
}

// narrow leaves of the inputs what is new since the cursor, and writes down what will have been seen then. It reports
// whether there is anything to do.
//
// Where rows that the destination already stands for are gone or changed, there is no telling which of its rows to mend:
// the run reads all, sees its own table as empty, and its result takes the place of all rows.
func (j *Job) narrow(first bool, d done, next *done) (news bool) {
	next.Seen = map[string]seen{}
	fresh, whys := map[string]lake.Plan{}, []string{}
	for _, n := range j.delta() {
		p := j.plans[n]
		next.Seen[n] = seenOf(p)
		last, ok := d.Seen[n]
		if !ok {
			whys = append(whys, fmt.Sprintf("table %s has not been read incrementally before", n))
			continue
		}
		files, why := last.since(p)
		if why != "" {
			whys = append(whys, fmt.Sprintf("table %s %s", n, why))
			continue
		}
		if len(files) == 0 { // what was seen stays as it was
			next.Seen[n] = last
		}
		news = news || len(files) > 0
		p.Files = files
		fresh[n] = p
	}
	j.whole = ""
	if len(whys) > 0 {
		fresh = map[string]lake.Plan{}
		if !first {
			j.whole = strings.Join(whys, "; ")
		}
	}
	if own, ok := j.plans[j.cfg.Table]; ok && j.whole != "" {
		own.Files = nil
		fresh[j.cfg.Table] = own
	}
	j.give(fresh)
	return news || len(whys) > 0
}

// give hands the tables to the query, some of them in another state than the planned one.
func (j *Job) give(instead map[string]lake.Plan) {
	j.inputs, j.rowsIn = nil, 0
	for _, n := range slices.Sorted(maps.Keys(j.plans)) {
		p, ok := instead[n]
		if !ok {
			p = j.plans[n]
		}
		for _, f := range p.Files {
			j.rowsIn += f.Rows
		}
		j.inputs = append(j.inputs, Input(p))
	}
}

// mark tells the tables how far this job has read, so that a compaction leaves what is new apart. Without it the next run after a
// compaction reads all, which is no error.
func (j *Job) mark(ctx context.Context, d done) {
	for _, name := range slices.Sorted(maps.Keys(d.Seen)) {
		if t, err := j.parts.Lake.Table(ctx, name); err == nil {
			_ = t.Mark(ctx, j.name, d.Seen[name].Seq)
		}
	}
}
