package control

import "time"

// A Stream is an ingest job: a topic on its way into a table.
type Stream struct {
	At             time.Time     `json:"at"`
	Job            string        `json:"job"`
	Title          string        `json:"title,omitempty"`
	Unit           string        `json:"unit,omitempty"`
	Table          string        `json:"table"`
	Topic          string        `json:"topic"`
	State          string        `json:"state"`    // Running, CaughtUp, Waiting, Stopped, Failed, Done
	BehindSeconds  float64       `json:"behind_s"` // age of the oldest record not yet in the table; negative: not known
	BehindRecords  int64         `json:"behind_records"`
	BehindBytes    int64         `json:"behind_bytes"`       // estimated from the mean size of messages
	AtLeast        bool          `json:"at_least,omitempty"` // BehindSeconds may be more: part of what is left came before anybody looked
	Trend          string        `json:"trend,omitempty"`    // steady, growing, shrinking: over a quarter of an hour
	CatchUpSeconds float64       `json:"catch_up_s"`         // until nothing is left; negative: never, at the rates of the last minute
	Hot            *Hot          `json:"hot,omitempty"`
	InPerSec       float64       `json:"in_per_s"`
	OutPerSec      float64       `json:"out_per_s"`
	Rows           int64         `json:"rows"`
	Quarantined    int64         `json:"quarantined"`
	Commits        int64         `json:"commits"`
	LastCommit     time.Time     `json:"last_commit"`
	Snapshot       int64         `json:"snapshot,string"` // of the table; a string in JSON: 63 bits do not fit a JSON number
	BlockedSeconds float64       `json:"blocked_s"`       // in which a batch waited for its commit, since the start
	CommitMillis   float64       `json:"commit_ms"`
	CompleteUpTo   time.Time     `json:"complete_up_to"`
	Partitions     []Partition   `json:"partitions,omitempty"`
	History        []StreamPoint `json:"history,omitempty"`   // the oldest first
	WaitsFor       string        `json:"waits_for,omitempty"` // what holds it up now: WaitsForBroker, WaitsForCatalog, WaitsForMemory
	HeldBytes      int64         `json:"held_bytes"`          // messages in memory, read ahead of the batch in work
	MemoryBytes    int64         `json:"memory_bytes"`        // how many there may be
	Workers        int           `json:"workers"`
	Team           *Team         `json:"team,omitempty"` // of worker processes
	Error          string        `json:"error,omitempty"`
	Hint           string        `json:"hint,omitempty"`
}

// What a stream waits for.
const (
	WaitsForBroker  = "broker"  // it does not say where the topic ends
	WaitsForCatalog = "catalog" // a commit is not through yet
	WaitsForMemory  = "memory"  // so much is read ahead that partitions wait for their turn
)

// A Team is the worker processes of a stream, and why there are so many.
type Team struct {
	Wanted  int      `json:"wanted"`
	Reason  string   `json:"reason"`
	Verdict string   `json:"verdict,omitempty"` // what more workers would not help: hot partition, downstream is slow
	Workers []Worker `json:"workers,omitempty"`
}

// A Worker is one process of a team.
type Worker struct {
	ID         string  `json:"id"`
	PID        int     `json:"pid"`
	State      string  `json:"state"` // starting, reading, draining, lost
	Partitions int     `json:"partitions"`
	Rows       int64   `json:"rows"`
	Commits    int64   `json:"commits"`
	PerSec     float64 `json:"per_s"`   // while it waits for nothing
	Waiting    float64 `json:"waiting"` // share of time, for input
	Blocked    float64 `json:"blocked"` // share of time, for storage
	Reason     string  `json:"reason,omitempty"`
}

// A Partition of the topic: Position is the first offset not yet in the table, End the first not yet written.
type Partition struct {
	ID        int32   `json:"id"`
	Position  int64   `json:"position"`
	End       int64   `json:"end"`
	Bytes     int64   `json:"bytes"` // between the two, estimated
	Seconds   float64 `json:"behind_s"`
	AtLeast   bool    `json:"at_least,omitempty"`
	InPerSec  float64 `json:"in_per_s"`
	OutPerSec float64 `json:"out_per_s"`
}

// Hot is the partition that holds most of what is left, far more than its share.
type Hot struct {
	Partition int32   `json:"partition"`
	Share     float64 `json:"share"`
	InPerSec  float64 `json:"in_per_s"`
}

// Behind is how many offsets lie between the table and the end.
func (p Partition) Behind() int64 { return max(0, p.End-p.Position) }

// A StreamPoint of a stream's history.
type StreamPoint struct {
	T      time.Time `json:"t"`
	Behind float64   `json:"behind_s"`
	In     float64   `json:"in"`
	Out    float64   `json:"out"`
}
