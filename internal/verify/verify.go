// Package verify proves from a table what became of the messages of a load run.
//
// Start with [Run]: it reads every row of the table, and of its quarantine, and compares them with the generator's claim.
//
// # Promises
//
// A message that the broker acknowledged and that is neither in the table nor in the quarantine is lost; one that is there more
// than once is doubled; one that stands behind a later message of the same sender in its partition is reordered; one whose
// columns are not what its number decides is altered. The first of each kind are named with topic, partition and offset.
// Messages whose sending has no known outcome are never called lost. A data file that the table lists and that is not there is named,
// and what it held is found missing.
//
// Memory is one bit for each message of the run and the buffers of the workers.
package verify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"runtime"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"weir/internal/lake"
	"weir/internal/quarantine"
)

// A Claim is what the generator says it has sent.
type Claim struct {
	Run    string // ULID, as it stands in the rows
	Shards []Shard
	Final  bool            // the run ended in order: nothing was sent beyond the shards' Sent
	Schema string          // Avro, that the values were written with
	Later  string          // Avro, of the values for which Evolved says so; empty: there is none
	Ends   map[int32]int64 // first offset behind the last acknowledged message, per partition; nil: not known
	// NewContent gives a function that appends the datum of a message that was due at µs since 1970. It is called once for each
	// worker.
	NewContent func() func(b []byte, shard int32, seq uint64, due int64) []byte
	// Fate says where a message must end; nil: all in the table. It is called by several workers at once.
	Fate func(shard int32, seq uint64) Fate
	// Evolved says that a message was written with the later schema, OutOfOrder that it was held back on purpose, behind later ones;
	// nil: none. They are called by several workers at once.
	Evolved, OutOfOrder func(shard int32, seq uint64) bool
}

// A Fate is where a message must end.
type Fate int

// Fates.
const (
	Row       Fate = iota // in the table
	Refused               // in the quarantine: it was made so that no table can hold it
	Elsewhere             // it went to another topic
	Aborted               // nowhere: its transaction was aborted
)

// A Shard is one sender's part of the claim.
type Shard struct {
	Sent     uint64                // seqs below have been sent
	Reserved uint64                // seqs from here on have certainly not been sent
	Acked    func(seq uint64) bool // the broker has it
}

// A Table is what verify needs of a lake table.
type Table interface {
	Schema() *arrow.Schema
	Plan(context.Context) (lake.Plan, error)
	Scan(context.Context, lake.Plan) iter.Seq2[lake.Chunk, error]
	Snapshots() []lake.SnapshotInfo
}

// Options of a proof.
type Options struct {
	Claim      Claim
	Table      Table
	Quarantine Table // nil: there is none
	// Moving says which of the quarantine's records are rows of the table already, because a replay is on its way, and how many
	// moves there have been: see quarantine.Pending. nil: nobody replays.
	Moving    func(context.Context) (quarantine.Positions, int64, error)
	Discarded Table // what was discarded from the quarantine; nil: nothing
	// Readable is when readers could first see a snapshot; where it does not know, or is nil, the snapshot's own time counts.
	Readable func(snapshot int64) (time.Time, bool)
	Workers  int // 0: one for each processor, at most 4
	Windows  Windows
}

// A Result is the proof. The keys up to quarantined are a contract with scripts.
type Result struct {
	Run         string `json:"run"`
	Sent        int64  `json:"sent"`
	Rows        int64  `json:"rows"` // of this run in the table
	Lost        int64  `json:"lost"`
	Doubled     int64  `json:"doubled"`
	Reordered   int64  `json:"reordered"`
	Altered     int64  `json:"altered"`
	Quarantined int64  `json:"quarantined"`

	// Poison are the messages that were wrong on purpose and must be in the quarantine; Unexplained are the others that are there.
	Poison      int64 `json:"poison"`
	Unexplained int64 `json:"quarantined_unexplained"`
	// OutOfOrder are those that stand behind later ones because they were held back on purpose: reordered does not count them.
	OutOfOrder     int64      `json:"out_of_order,omitempty"`
	Discarded      int64      `json:"discarded,omitempty"` // from the quarantine, by a person: neither lost nor anywhere else
	Aborted        int64      `json:"aborted,omitempty"`   // sent in transactions that were aborted on purpose: they must be nowhere
	Unknown        int64      `json:"unknown"`             // sending has no known outcome, and they are not there
	Table          string     `json:"table,omitempty"`
	Others         int64      `json:"other_rows"`
	Drained        bool       `json:"drained"` // the table has reached the last acknowledged message of each partition
	OrderUnchecked int64      `json:"order_unchecked,omitempty"`
	ReadableP50    float64    `json:"readable_p50_ms"` // from the intended send to the readable row
	ReadableP99    float64    `json:"readable_p99_ms"`
	ReadableMax    float64    `json:"readable_max_ms"`
	ReadableRows   int64      `json:"readable_rows"` // rows whose age is known: compaction hides it
	Snapshot       int64      `json:"snapshot"`
	Files          int        `json:"files"`
	Seconds        float64    `json:"seconds"`
	Gone           []Gone     `json:"gone,omitempty"` // data files that the table lists and that are not there
	Evidence       []Evidence `json:"evidence,omitempty"`
	Windows        []Window   `json:"windows,omitempty"`
	Tables         []Result   `json:"tables,omitempty"` // of a run into several; the figures above are their sums, of times the largest
}

// Gone is a data file that is not there.
type Gone struct {
	Path     string `json:"path"`
	Rows     int64  `json:"rows"` // that it held, by the table's word
	Snapshot int64  `json:"snapshot"`
}

func (g Gone) String() string {
	return fmt.Sprintf("gone: data file %s with %d rows, written by snapshot %d", g.Path, g.Rows, g.Snapshot)
}

// Good reports that the proof holds.
func (r *Result) Good() bool {
	return len(r.Gone) == 0 && r.Lost == 0 && r.Doubled == 0 && r.Reordered == 0 && r.Altered == 0 && r.Unexplained == 0 && r.OrderUnchecked == 0
}

// Sum adds the proofs of a run's tables up.
func Sum(all []Result) Result {
	if len(all) == 1 {
		return all[0]
	}
	sum := Result{Run: all[0].Run, Drained: true, Tables: all}
	for _, r := range all {
		sum.Sent, sum.Rows, sum.Lost, sum.Doubled = sum.Sent+r.Sent, sum.Rows+r.Rows, sum.Lost+r.Lost, sum.Doubled+r.Doubled
		sum.Reordered, sum.Altered, sum.Quarantined = sum.Reordered+r.Reordered, sum.Altered+r.Altered, sum.Quarantined+r.Quarantined
		sum.Poison, sum.Unexplained, sum.Unknown, sum.Others = sum.Poison+r.Poison, sum.Unexplained+r.Unexplained, sum.Unknown+r.Unknown, sum.Others+r.Others
		sum.Aborted, sum.OutOfOrder, sum.Discarded = sum.Aborted+r.Aborted, sum.OutOfOrder+r.OutOfOrder, sum.Discarded+r.Discarded
		sum.Gone = append(sum.Gone, r.Gone...)
		sum.OrderUnchecked, sum.ReadableRows = sum.OrderUnchecked+r.OrderUnchecked, sum.ReadableRows+r.ReadableRows
		sum.ReadableP50, sum.ReadableP99, sum.ReadableMax = max(sum.ReadableP50, r.ReadableP50), max(sum.ReadableP99, r.ReadableP99), max(sum.ReadableMax, r.ReadableMax)
		for i, w := range r.Windows {
			if i == len(sum.Windows) {
				sum.Windows = append(sum.Windows, Window{})
			}
			sum.Windows[i] = sum.Windows[i].join(w)
		}
		sum.Files, sum.Seconds, sum.Drained = sum.Files+r.Files, sum.Seconds+r.Seconds, sum.Drained && r.Drained
	}
	return sum
}

// Run reads the table and proves. The error is about reading; what is wrong with the rows is in the result.
func Run(ctx context.Context, o Options) (Result, error) {
	if o.Workers == 0 {
		o.Workers = min(4, runtime.GOMAXPROCS(0))
	}
	for try := 0; ; try++ {
		r, err := once(ctx, o)
		if err != nil {
			return Result{}, fmt.Errorf("verify run %s: %w", o.Claim.Run, err)
		}
		if len(r.Gone) == 0 || try == 3 || !moved(ctx, o, r.Snapshot) {
			return r, nil
		}
	}
}

// moved reports that the table has another snapshot now: one that lacks a file because it needs it no more is no damage.
func moved(ctx context.Context, o Options, snapshot int64) bool {
	plan, err := o.Table.Plan(ctx)
	return err == nil && plan.Snapshot != snapshot
}

func once(ctx context.Context, o Options) (Result, error) {
	start := time.Now()
	p, err := newProof(o)
	if err != nil {
		return Result{}, err
	}
	at, err := p.now(ctx)
	plan := at.rows
	if err == nil {
		p.learnTimes()
		err = p.each(ctx, o.Table, plan, func(w *worker, c lake.Chunk) error { return w.rows(c) })
	}
	if err != nil {
		return Result{}, err
	}
	if o.Quarantine != nil {
		if err := p.each(ctx, o.Quarantine, at.refused, func(w *worker, c lake.Chunk) error { return w.refused(c, at.moving) }); err != nil {
			return Result{}, fmt.Errorf("quarantine: %w", err)
		}
	}
	if o.Discarded != nil { // after the quarantine: a record is here before it leaves there
		gone, err := o.Discarded.Plan(ctx)
		if err == nil {
			err = p.each(ctx, o.Discarded, gone, func(w *worker, c lake.Chunk) error { return w.discarded(c) })
		}
		if err != nil {
			return Result{}, fmt.Errorf("discarded records: %w", err)
		}
	}
	if err := p.order(ctx, plan); err != nil {
		return Result{}, err
	}
	r := p.result()
	r.Snapshot, r.Files, r.Seconds = plan.Snapshot, len(plan.Files), time.Since(start).Seconds()
	return r, nil
}

// each reads the planned files with all workers, each file by one of them.
func (p *proof) each(ctx context.Context, t Table, plan lake.Plan, look func(*worker, lake.Chunk) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	files := make(chan lake.PlannedFile)
	var wg sync.WaitGroup
	for _, w := range p.workers {
		wg.Go(func() {
			for f := range files {
				one := plan
				one.Files = []lake.PlannedFile{f}
				for c, err := range t.Scan(ctx, one) {
					if err == nil {
						err = look(w, c)
					}
					if errors.Is(err, fs.ErrNotExist) {
						p.gone(f)
						break
					}
					if err != nil {
						stop(err)
						return
					}
				}
			}
		})
	}
	for _, f := range plan.Files {
		select {
		case files <- f:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(files)
	wg.Wait()
	return context.Cause(ctx)
}
