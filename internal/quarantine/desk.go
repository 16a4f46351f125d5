package quarantine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/oklog/ulid/v2"

	"weir/internal/lake"
)

// Round is the most rows that leave in one move: their positions stand in the destination's metadata until the next one.
const Round = 2000

// mover is the name in the tables' cursors under which moves stand; no job can have it.
const mover = "weir/quarantine"

// Kinds of a move.
const (
	Replayed  = "replayed"  // the records are rows of the destination
	Discarded = "discarded" // a person has decided that nobody wants them
)

// ErrMoved means that another one has moved rows meanwhile: look again. Nothing was done.
var ErrMoved = lake.ErrMoved

// A Move takes records out of the quarantine. It stands in the destination's cursor, so that it is decided in one commit: with the
// rows, if it is a replay. From then on its records are not in quarantine any more, wherever their rows still stand.
type Move struct {
	N     int64     `json:"n"`    // 1, 2, …
	Prev  int64     `json:"prev"` // number that the quarantine's cursor had before; it has N once the rows are out
	UUID  string    `json:"uuid"` // of the quarantine table
	Kind  string    `json:"kind"`
	At    time.Time `json:"at"`
	By    string    `json:"by,omitempty"`
	Why   string    `json:"why,omitempty"`
	Takes Positions `json:"takes"`          // one row at each of them
	Sums  []Record  `json:"sums,omitempty"` // which row, where different records have the position
}

// has reports that the move takes this row, as far as the cursor tells.
func (m Move) has(r Row) bool {
	if !m.Takes[r.Position()] {
		return false
	}
	for _, x := range m.Sums {
		if x.Position == r.Position() {
			return x == r.Record()
		}
	}
	return true
}

// Desk takes rows out of the quarantine of one destination.
//
// # The protocol
//
// Two tables have no commit in common, so a move has steps, and each is a compare-and-set:
//
//  1. the destination's cursor goes from move n to move n+1, in the commit of the replayed rows if there are any. It names the
//     positions that it takes. Who starts from another n fails with ErrMoved: of two that replay at once, one does;
//  2. a discard only: what is known of each record goes to the table of [Discards], whose cursor goes to n+1;
//  3. the rows at these positions are cut out of the quarantine's files, and its cursor goes to n+1.
//
// A move takes one row of a position: the record that was picked is known by its bytes. Where the quarantine has another one of the same
// position, the cursor says which.
//
// Whoever comes next finds the quarantine's cursor behind the destination's, and does steps 2 and 3, before anything else: all that
// they need stands in the cursor and in the quarantine. So a crash anywhere, or a second helper, changes nothing. Between steps 1 and 3 a
// record is in both tables; [Pending] says which, and a reader leaves those out. It is never in neither.
type Desk struct {
	lake  *lake.Lake
	to    *lake.Table
	q     *lake.Table
	shape *lake.Shape
}

// Open opens the quarantine of a destination; lake.ErrNoTable if it has none.
func Open(ctx context.Context, l *lake.Lake, destination string) (*Desk, error) {
	to, err := l.Table(ctx, destination)
	if err != nil {
		return nil, err
	}
	if _, err := l.Table(ctx, Table(destination)); err != nil {
		return nil, err
	}
	q, shape, err := Ensure(ctx, l, destination)
	if err != nil {
		return nil, err
	}
	return &Desk{lake: l, to: to, q: q, shape: shape}, nil
}

// Ensure opens the quarantine table of a destination, and makes it where there is none. The shape is that of the rows to write: a table
// of an earlier version gets the columns that it lacks with them.
func Ensure(ctx context.Context, l *lake.Lake, destination string) (*lake.Table, *lake.Shape, error) {
	t, err := l.Table(ctx, Table(destination))
	if errors.Is(err, lake.ErrNoTable) {
		t, err = l.Ensure(ctx, Table(destination), Schema, lake.Options{})
	}
	if err != nil {
		return nil, nil, err
	}
	s, err := t.Widen(Schema)
	return t, s, err
}

// Destination is the table whose quarantine this is.
func (d *Desk) Destination() *lake.Table { return d.to }

// State is where the moves stand; what Take starts from.
type State struct {
	raw  json.RawMessage
	last Move
	n    int64 // of the quarantine
	uuid string
}

// Settle finishes what another one has begun, and says where the moves stand.
func (d *Desk) Settle(ctx context.Context) (State, error) {
	for try := 0; ; try++ {
		st, err := look(ctx, d.to, d.q)
		if err != nil {
			return State{}, err
		}
		switch {
		case st.settled():
			return st, nil
		case st.pending():
			if err := d.finish(ctx, st.last, nil, nil); err != nil {
				return State{}, err
			}
		case try > 5: // else another one has moved between the two looks
			return State{}, fmt.Errorf("quarantine %s is at move %d and table %s at move %d, which came after move %d: one of them was rolled back without the other; roll both back to the same time",
				d.q.Name(), st.n, d.to.Name(), st.last.N, st.last.Prev)
		}
	}
}

func (s State) settled() bool { return s.last.UUID != s.uuid || s.n == s.last.N }
func (s State) pending() bool { return s.last.UUID == s.uuid && s.n == s.last.Prev && s.n != s.last.N }

// look reads the two cursors, the destination's first: the other one follows it.
func look(ctx context.Context, to, q *lake.Table) (st State, err error) {
	at, err := to.Position(ctx, mover)
	if err != nil {
		return st, err
	}
	st.raw = at.Cursor
	if err := read(st.raw, &st.last); err != nil {
		return st, fmt.Errorf("table %s: cursor of %s: %w", to.Name(), mover, err)
	}
	plan, err := q.Plan(ctx)
	if err != nil {
		return st, err
	}
	st.uuid = plan.UUID
	at, err = q.Position(ctx, mover)
	if err != nil {
		return st, err
	}
	var c counted
	err = read(at.Cursor, &c)
	st.n = c.N
	return st, err
}

// counted is the cursor of the quarantine and of the audit table.
type counted struct {
	N    int64  `json:"n"`
	UUID string `json:"uuid,omitempty"` // of the quarantine, where it is not the table itself
}

// Pending are the positions of a replay whose rows still stand in the quarantine too: who reads both tables leaves them out there.
// The number is that of the last move.
func Pending(ctx context.Context, to, q *lake.Table) (Positions, int64, error) {
	m, err := pending(ctx, to, q)
	return m.Takes, m.N, err
}

// pending is the last move, without what it takes if that stands in one table only.
func pending(ctx context.Context, to, q *lake.Table) (Move, error) {
	st, err := look(ctx, to, q)
	if err != nil {
		return Move{}, err
	}
	if !st.pending() || st.last.Kind != Replayed {
		st.last.Takes = nil
	}
	return st.last, nil
}

// Rows reads the rows of the quarantine, a file after the other.
func (d *Desk) Rows(ctx context.Context) iter.Seq2[Row, error] { return rowsOf(ctx, d.q) }

func rowsOf(ctx context.Context, t *lake.Table) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		p, err := t.Plan(ctx)
		if err != nil {
			yield(Row{}, err)
			return
		}
		for c, err := range t.Scan(ctx, p) {
			if err != nil {
				yield(Row{}, err)
				return
			}
			for _, r := range Rows(c.Batch) {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

// Replay decides that some records, no two of one position, are now rows of the destination, in these files, and then takes them out of
// the quarantine. tried are others that were tried in vain: their rows say so afterwards. ErrMoved: the files are not in the table.
func (d *Desk) Replay(ctx context.Context, st State, takes map[Record]bool, files []lake.File, tried map[Record]Row) (lake.Receipt, error) {
	return d.take(ctx, st, Move{Kind: Replayed}, takes, files, tried)
}

// Discard decides that nobody wants some records, no two of one position, and takes them out of the quarantine; what is known of them but their
// bytes stays in the table of Discards.
func (d *Desk) Discard(ctx context.Context, st State, takes map[Record]bool, by, why string) error {
	_, err := d.take(ctx, st, Move{Kind: Discarded, By: by, Why: why}, takes, nil, nil)
	return err
}

func (d *Desk) take(ctx context.Context, st State, m Move, takes map[Record]bool, files []lake.File, tried map[Record]Row) (lake.Receipt, error) {
	m, rc, err := d.decide(ctx, st, m, takes, files)
	if err != nil {
		return rc, err
	}
	return rc, d.finish(ctx, m, takes, tried)
}

func (d *Desk) decide(ctx context.Context, st State, m Move, takes map[Record]bool, files []lake.File) (Move, lake.Receipt, error) {
	m.Takes = Positions{}
	for x := range takes {
		m.Takes[x.Position] = true
	}
	there, err := d.standing(ctx, m.Takes)
	if err != nil {
		return m, lake.Receipt{}, errors.Join(err, d.to.Drop(files))
	}
	for x := range takes {
		if len(there[x.Position]) > 1 {
			m.Sums = append(m.Sums, x)
		}
	}
	m.N, m.Prev, m.UUID, m.At = max(st.n, st.last.N)+1, st.n, st.uuid, time.Now().UTC()
	to, err := json.Marshal(m)
	if err != nil {
		return m, lake.Receipt{}, err
	}
	rc, err := d.to.Commit(ctx, lake.Commit{
		Job: mover, ID: fmt.Sprintf("%s-%d-%s", m.Kind, m.N, ulid.Make()), From: st.raw, To: to, Add: files,
		Summary: map[string]string{"weir.quarantine": fmt.Sprintf("%s %d", m.Kind, len(m.Takes))},
	})
	return m, rc, err
}
