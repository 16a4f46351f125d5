package outcome

import (
	"cmp"
	"strings"
	"time"
)

// Tags by which a producer that is not ours can say what the standard facets have no word for: tags of the run, or else of the job.
const (
	TagDate     = "business_date" // 2026-11-20
	TagUnit     = "unit"
	TagTitle    = "title"
	TagSeverity = "severity"
)

// maxDatasets of an event are kept; a query that reads thousands of files is told by its rows.
const maxDatasets = 200

type parent struct {
	base
	Run  RunRef `json:"run"`
	Job  JobRef `json:"job"`
	Root *struct {
		Run RunRef `json:"run"`
		Job JobRef `json:"job"`
	} `json:"root,omitempty"`
}

type tagged struct {
	base
	Tags []struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	} `json:"tags"`
}

// Own reports whether the event is weir's: its facet gives the whole outcome.
func (e RunEvent) Own() bool {
	var own weirRun
	return e.Run.Facets.get("weir", &own) && own.Job != "" && own.State != ""
}

// Parents are the runs that this one is a part of, the nearest first; none for a run that stands for itself.
func (e RunEvent) Parents() []string {
	var p parent
	if !e.Run.Facets.get("parent", &p) {
		return nil
	}
	var out []string
	if id := p.Run.RunID; id != "" && id != e.Run.RunID {
		out = append(out, id)
	}
	if p.Root != nil && p.Root.Run.RunID != "" && p.Root.Run.RunID != e.Run.RunID && p.Root.Run.RunID != p.Run.RunID {
		out = append(out, p.Root.Run.RunID)
	}
	return out
}

// Owners are the names that may be a business unit: a unit tag, owners that call themselves a unit, then the others. "team:FIN"
// means FIN.
func (e RunEvent) Owners() []string {
	var out, others []string
	add := func(to *[]string, name string) {
		if _, after, ok := strings.Cut(name, ":"); ok {
			name = after
		}
		if name != "" {
			*to = append(*to, name)
		}
	}
	add(&out, e.tag(TagUnit))
	var w ownership
	if e.Job.Facets.get("ownership", &w) {
		for _, o := range w.Owners {
			if strings.EqualFold(o.Type, "unit") {
				add(&out, o.Name)
			} else {
				add(&others, o.Name)
			}
		}
	}
	return append(out, others...)
}

func (e RunEvent) tag(key string) string {
	for _, f := range []Facets{e.Run.Facets, e.Job.Facets} {
		var t tagged
		if !f.get("tags", &t) {
			continue
		}
		for _, x := range t.Tags {
			name, value := x.Key, x.Value
			if name == value { // Airflow's tags are single words: unit:FIN
				name, value, _ = strings.Cut(name, ":")
			}
			if strings.EqualFold(name, key) {
				return strings.TrimSpace(value)
			}
		}
	}
	return ""
}

// Outcome says what the event means. Our own facet gives all of it; for other producers the standard facets and tags do.
func (e RunEvent) Outcome() Outcome {
	var own weirRun
	if e.Run.Facets.get("weir", &own) && own.Job != "" && own.State != "" {
		return own.Outcome.Scrubbed()
	}
	o := Outcome{RunID: e.Run.RunID, Job: e.Job.Name, Namespace: e.Job.Namespace, At: e.EventTime, State: foreignState(e.EventType), Interval: e.interval()}
	if o.Namespace == namespace {
		o.Namespace = ""
	}
	switch {
	case o.State.Terminal():
		o.Ended = e.EventTime
	case e.EventType == Start:
		o.Started = e.EventTime
	default:
		// RUNNING may come many times for one run: the time makes each an event of its own.
		o.Revision = int(e.EventTime.Unix())
	}
	var m errorMessage
	if e.Run.Facets.get("errorMessage", &m) || e.Run.Facets.get("spark.exception", &m) {
		o.Cause.Text = reason(m.Message)
	}
	if owners := e.Owners(); len(owners) > 0 {
		o.Unit = owners[0]
	}
	var d documentation
	_ = e.Job.Facets.get("documentation", &d)
	o.Title = cmp.Or(e.tag(TagTitle), firstLine(d.Description))
	o.Severity = strings.ToLower(e.tag(TagSeverity))
	var t jobType
	if e.Job.Facets.get("jobType", &t) {
		o.Kind = strings.ToLower(t.Type)
	}
	for _, in := range e.Inputs[:min(len(e.Inputs), maxDatasets)] {
		rows := rowCount(in.Input, "inputStatistics")
		o.Inputs = append(o.Inputs, Dataset{in.Namespace, in.Name, rows})
		o.RowsIn += rows
	}
	for _, out := range e.Outputs[:min(len(e.Outputs), maxDatasets)] {
		rows := rowCount(out.Output, "outputStatistics")
		o.Outputs = append(o.Outputs, Dataset{out.Namespace, out.Name, rows})
		o.RowsOut += rows
	}
	return o.Scrubbed()
}

// interval is the day that a tag names, or else the nominal time.
func (e RunEvent) interval() (i Interval) {
	if day, err := time.Parse(time.DateOnly, e.tag(TagDate)); err == nil {
		return Interval{Start: day, End: day.AddDate(0, 0, 1)}
	}
	var n nominalTime
	if e.Run.Facets.get("nominalTime", &n) {
		i.Start, _ = time.Parse(time.RFC3339Nano, n.Start)
		i.End, _ = time.Parse(time.RFC3339Nano, n.End)
		if !i.End.After(i.Start) { // a moment, not a span: Airflow's timetables by cron send it
			i.End = time.Time{}
		}
	}
	return i
}

func foreignState(eventType string) State {
	switch strings.ToUpper(eventType) {
	case Complete:
		return Ready
	case Fail:
		return Failed
	case Abort:
		return Cancelled
	default:
		return Running
	}
}
func rowCount(f Facets, name string) int64 {
	var s statistics
	if f.get(name, &s) && s.Rows != nil {
		return *s.Rows
	}
	return 0
}

// firstLine keeps stack traces out of messages to people.
func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return strings.TrimSpace(line)
}

// reason is the line of an error that says why: Java's deepest cause, Python's last line.
func reason(s string) string {
	if i := strings.LastIndex(s, "Caused by: "); i >= 0 {
		s = s[i+len("Caused by: "):]
	}
	_, below, python := strings.Cut(s, "Traceback (most recent call last):")
	if !python {
		return firstLine(s)
	}
	for line := range strings.Lines(below) { // what is indented is the stack
		if t := strings.TrimSpace(line); t != "" && line[0] != ' ' && line[0] != '\t' {
			return t
		}
	}
	return firstLine(s)
}
