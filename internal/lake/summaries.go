package lake

// Summaries are the values that a job's commits gave under a key of their summary: of those whose snapshots are still kept, oldest first.
func (t *Table) Summaries(job, key string) []string {
	tbl, _ := t.current()
	var all []string
	for _, s := range tbl.Metadata().Snapshots() {
		if s.Summary != nil && s.Summary.Properties[summaryJob] == job && s.Summary.Properties[key] != "" {
			all = append(all, s.Summary.Properties[key])
		}
	}
	return all
}
