package control

import "time"

// States of a part, a limit or an attention: a word that the screen prints with a symbol and a colour.
const (
	OK   = "ok"
	Warn = "warn"
	Down = "down" // parts
	Bad  = "bad"  // limits and attention
	Wait = "wait" // a limit that cannot be judged yet
)

// States of a load, a stream, a report.
const (
	Preparing = "preparing"
	Running   = "running"
	Paused    = "paused"
	Draining  = "draining"
	Waiting   = "waiting"   // alive, but for the outside: the registry, new data
	CaughtUp  = "caught up" // nothing is left to read at the moment
	Stopped   = "stopped"   // on purpose
	Done      = "done"
	Failed    = "failed"
)

// A Snapshot is all that the screens know, at one moment. Treat one that you received as read-only.
type Snapshot struct {
	Seq     uint64    `json:"seq"` // grows with each change
	At      time.Time `json:"at"`  // when the program last changed something here
	Started time.Time `json:"started"`
	Version string    `json:"version"`
	Home    string    `json:"home"`
	PID     int       `json:"pid,omitempty"`

	Parts     []Part      `json:"parts,omitempty"`
	Attention []Attention `json:"attention,omitempty"` // the worst first
	Load      *Load       `json:"load,omitempty"`
	Streams   []Stream    `json:"streams,omitempty"`
	Reports   []Report    `json:"reports,omitempty"`
	Runs      []Run       `json:"runs,omitempty"` // the newest first
	Notify    *Notify     `json:"notify,omitempty"`
	Proof     *Proof      `json:"proof,omitempty"`
	Launches  []Launch    `json:"launches,omitempty"` // started by hand from a screen, the newest first

	Comparison *Comparison `json:"comparison,omitempty"`
	Search     *Search     `json:"search,omitempty"`

	Verbs  []string `json:"verbs,omitempty"`  // what POST /v1/do/{verb} offers; filled by the server
	Events []Event  `json:"events,omitempty"` // the newest last; filled by the hub
	Done   bool     `json:"done,omitempty"`   // the program has finished its work; nothing will move any more
}

// A Part is something that the installation stands on: kafka, registry, tables, notify.
type Part struct {
	Name   string `json:"name"`
	State  string `json:"state"` // OK, Warn, Down
	Detail string `json:"detail,omitempty"`
}

// An Attention is a line of "needs attention": what, since when, and what to do next.
type Attention struct {
	Level  string    `json:"level"` // Bad, Warn
	What   string    `json:"what"`  // one word: FAILED, LATE, LAG, BLOCKED
	Job    string    `json:"job,omitempty"`
	Unit   string    `json:"unit,omitempty"`
	Since  time.Time `json:"since"`
	Detail string    `json:"detail,omitempty"`
	Next   string    `json:"next,omitempty"` // a command or a setting

	Screen string `json:"screen,omitempty"` // where there is more of it; empty: Pipeline
	Item   string `json:"item,omitempty"`   // what to select there; empty: the job
}

// An Event is a line of the log strip.
type Event struct {
	At   time.Time `json:"at"`
	Kind string    `json:"kind"` // load, commit, report, notify, warn, error
	Text string    `json:"text"`
}

// A Report is the last run of a report job.
type Report struct {
	Job      string    `json:"job"`
	Title    string    `json:"title,omitempty"`
	Unit     string    `json:"unit,omitempty"`
	Table    string    `json:"table,omitempty"`
	State    string    `json:"state"`
	Interval string    `json:"interval,omitempty"` // the data interval in words
	Rows     int64     `json:"rows"`
	Seconds  float64   `json:"seconds"`
	Started  time.Time `json:"started"`
	Error    string    `json:"error,omitempty"`
	Hint     string    `json:"hint,omitempty"`
}

// Run is one entry of the run ledger.
type Run struct {
	Run         string    `json:"run"`
	Job         string    `json:"job"`
	Kind        string    `json:"kind,omitempty"`
	Title       string    `json:"title,omitempty"`
	Unit        string    `json:"unit,omitempty"`
	State       string    `json:"state"`
	Interval    string    `json:"interval,omitempty"` // in words
	Attempt     int       `json:"attempt"`
	MaxAttempts int       `json:"max_attempts"`
	Started     time.Time `json:"started"`
	Seconds     float64   `json:"seconds"`
	RowsIn      int64     `json:"rows_in"`
	RowsOut     int64     `json:"rows_out"`
	Rejected    int64     `json:"rejected"`
	Cause       string    `json:"cause,omitempty"`
	Todo        string    `json:"todo,omitempty"`
}

// A Proof is what the destination table says about the messages of one load run.
type Proof struct {
	At          time.Time `json:"at"`
	Source      string    `json:"source,omitempty"` // who published it; empty: this program
	Silent      bool      `json:"silent,omitempty"`
	Run         string    `json:"run"`
	Sent        int64     `json:"sent"`
	Rows        int64     `json:"rows"`
	InFlight    int64     `json:"in_flight"` // sent, not yet readable: neither good nor lost
	Lost        int64     `json:"lost"`
	Doubled     int64     `json:"doubled"`
	Reordered   int64     `json:"reordered"`
	Altered     int64     `json:"altered"`
	Quarantined int64     `json:"quarantined"`
	ReadableP50 float64   `json:"readable_p50_ms"` // intended send to readable row
	ReadableP99 float64   `json:"readable_p99_ms"`
	Done        bool      `json:"done"` // the run is over and every row was looked at
}

// Good reports that nothing is wrong so far.
func (p *Proof) Good() bool {
	return p.Lost == 0 && p.Doubled == 0 && p.Reordered == 0 && p.Altered == 0
}
