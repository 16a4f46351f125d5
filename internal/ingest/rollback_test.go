package ingest

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"weir/internal/avro"
	"weir/internal/cli"
	"weir/internal/lake"
	"weir/internal/quarantine"
	"weir/minibatch"
)

// head is the newest snapshot of a table.
func (s *site) head(table string) int64 {
	s.t.Helper()
	t, err := s.lake.Table(s.t.Context(), table)
	s.ok(err)
	p, err := t.Plan(s.t.Context())
	s.ok(err)
	return p.Snapshot
}

// resume does what `pipeline resume --from-table` does; nothing of the stream's position may have been rolled back.
func (s *site) resume() {
	s.t.Helper()
	t, err := s.lake.Table(s.t.Context(), "shop.orders")
	s.ok(err)
	if did, err := quarantine.Forget(s.t.Context(), s.lake, "shop.orders", "orders"); err != nil || !did {
		s.t.Fatalf("did %v, %v", did, err)
	}
	_, err = t.Position(s.t.Context(), "orders")
	if rolled := (*lake.RolledBackError)(nil); errors.As(err, &rolled) {
		_, err = t.Resolve(s.t.Context(), "orders", false, func(_, _ json.RawMessage) map[string]string { return nil })
	}
	s.ok(err)
}

// What was replayed is rolled back with the stream: the stream runs on its own decision, and replays say what to type.
func TestTheStreamRunsAfterAReplayWasRolledBack(t *testing.T) {
	s := newSite(t)
	s.sendNumbers(0, 9)
	s.drain(lax)
	first := s.head("shop.orders")
	s.sendNumbers(9, 18)
	s.sendUnknown(18, 21)
	s.drain(lax)
	s.learn()
	if r := s.replay(Pick{}); r.Replayed != 3 {
		t.Fatalf("replayed %+v", r)
	}
	s.rollBack(first)
	table, err := s.lake.Table(t.Context(), "shop.orders")
	s.ok(err)
	_, err = table.Resolve(t.Context(), "orders", false, func(_, _ json.RawMessage) map[string]string { return nil })
	s.ok(err)
	if _, err := quarantine.Groups(t.Context(), s.lake, "shop.orders", func(quarantine.Row) bool { return true }); err != nil {
		t.Errorf("the list: %v", err)
	}
	r, err := s.job(lax).Run(t.Context(), minibatch.Drain, nil)
	s.ok(err)
	if r.RowsIn != 12 || r.RowsOut != 12 { // by now the registry knows their schema
		t.Errorf("the stream: %+v", r)
	}
	s.wantNumbers(21)
	for what, err := range map[string]error{
		"replay": func() error {
			_, err := Replay(t.Context(), "orders", lax, Parts{Schemas: s.reg, Lake: s.lake}, Pick{}, false)
			return err
		}(),
		"discard": func() error {
			_, err := Discard(t.Context(), "orders", lax, s.lake, Pick{}, "anna", "no use")
			return err
		}(),
	} {
		var said *cli.Error
		if !errors.As(err, &said) || !strings.Contains(said.Hint, "pipeline resume orders") || minibatch.ClassOf(err) != minibatch.Permanent {
			t.Errorf("%s: %v; want a final error with the command", what, err)
		}
	}
	s.resume()
	s.sendAs(otherType, map[string]any{"id": "abc"})
	c := lax
	c.NewSchema = quarantined
	s.drain(c)
	if r := s.replay(Pick{}); r.Picked != 1 || r.Stayed != 1 {
		t.Errorf("after it was resumed: %+v", r)
	}
	s.wantNumbers(21)
}

// The replay alone is rolled back, before its rows were cut out of the quarantine: they stay there, and are replayed again.
func TestARolledBackReplayThatWasNotFinishedKeepsItsRecords(t *testing.T) {
	s := newSite(t)
	s.sendNumbers(0, 9)
	s.sendUnknown(9, 12)
	s.drain(lax)
	s.learn()
	before := s.head("shop.orders")
	parsed, err := avro.Parse(orderSchema)
	s.ok(err)
	for step := 1; ; step++ {
		s.diesAt(step, func(l *lake.Lake) error {
			_, err := Replay(t.Context(), "orders", lax, Parts{Schemas: known{s.id + 1: parsed}, Lake: l}, Pick{}, false)
			return err
		})
		if moving, _, err := s.pending("shop.orders"); err != nil || len(moving) > 0 {
			s.ok(err)
			break
		}
	}
	s.rollBack(before)
	s.resume()
	if held := s.held(); len(held) != 3 {
		t.Errorf("%d are held, want 3", len(held))
	}
	if r := s.replay(Pick{}); r.Replayed != 3 {
		t.Errorf("replayed %+v", r)
	}
	s.wantNumbers(12)
}

// Both tables are rolled back to the time before a replay: it is made again.
func TestBothTablesAreRolledBack(t *testing.T) {
	s := newSite(t)
	s.sendNumbers(0, 9)
	s.sendUnknown(9, 12)
	s.drain(lax)
	s.learn()
	table, refused := s.head("shop.orders"), s.head(quarantine.Table("shop.orders"))
	if r := s.replay(Pick{}); r.Replayed != 3 {
		t.Errorf("replayed %+v", r)
	}
	s.rollBack(table)
	s.rollBackTable(quarantine.Table("shop.orders"), refused)
	s.resume()
	if r := s.replay(Pick{}); r.Replayed != 3 {
		t.Errorf("replayed again %+v", r)
	}
	s.wantNumbers(12)
}
