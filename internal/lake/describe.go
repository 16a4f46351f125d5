package lake

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
)

// Jobs are the jobs that have committed to the table, with how far each has come, as the table was at the last Refresh. A table that
// was rolled back shows what its properties say; Position tells.
func (t *Table) Jobs() (map[string]Position, error) {
	tbl, _ := t.current()
	jobs := map[string]Position{}
	for k, v := range tbl.Properties() {
		job, ok := strings.CutPrefix(k, cursorProperty(""))
		if !ok {
			continue
		}
		var p Position
		if err := json.Unmarshal([]byte(v), &p); err != nil {
			return nil, fmt.Errorf("table %s: property %s: %w", t.name, k, err)
		}
		jobs[job] = p
	}
	return jobs, nil
}

// Properties are the table's, without the jobs' cursors.
func (t *Table) Properties() map[string]string {
	tbl, _ := t.current()
	props := maps.Clone(map[string]string(tbl.Properties()))
	maps.DeleteFunc(props, func(k, _ string) bool { return strings.HasPrefix(k, cursorProperty("")) })
	return props
}

// Columns are the table's.
func (t *Table) Columns() []Column {
	tbl, _ := t.current()
	return columns(tbl.Schema())
}

// Location is where the table's files lie.
func (t *Table) Location() string {
	tbl, _ := t.current()
	return tbl.Location()
}
