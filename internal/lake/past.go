package lake

import (
	"context"
	"encoding/json"
)

// A Past commit of a job: the cursor that it left, and the summary of its snapshot.
type Past struct {
	Cursor  json.RawMessage
	Summary map[string]string
}

// Past lists a job's commits that the newest state of the table rests on and whose snapshots are still kept, newest first. What was rolled
// back is not among them.
func (t *Table) Past(ctx context.Context, job string) ([]Past, error) {
	tbl, err := t.load(ctx)
	if err != nil {
		return nil, err
	}
	var all []Past
	for s := range line(tbl) {
		if s.Summary != nil && s.Summary.Properties[summaryJob] == job {
			all = append(all, Past{Cursor: fromSummary(s).Cursor, Summary: s.Summary.Properties})
		}
	}
	return all, nil
}
