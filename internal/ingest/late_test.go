package ingest

import (
	"encoding/json"
	"errors"
	"testing"

	"weir/internal/quarantine"
	"weir/internal/topic"
	"weir/minibatch"
)

func (s *site) plan(j *Job) minibatch.Batch {
	s.t.Helper()
	at, err := j.sink.Position(s.t.Context(), "orders")
	s.ok(err)
	b, err := j.source.Plan(s.t.Context(), at, minibatch.Limits{Rows: 100, Bytes: 1 << 20, Parallel: 1})
	s.ok(err)
	b.Job = "orders"
	return b
}

// A late worker refuses what the next one, which knows the schema by now, has made rows of: the next one looks again before it commits
// them, and each record is in one place.
func TestALateWorkersRefusalsAreSeen(t *testing.T) {
	s := newSite(t)
	s.sendNumbers(0, 3)
	s.drain(lax)
	s.sendUnknown(3, 6)
	late, next := s.job(lax), s.job(lax)
	old := s.plan(late)
	refused := stageAll(t, late, old)
	s.learn()
	b := s.plan(next)
	rows := stageAll(t, next, b)
	s.ok(late.sink.starts(t.Context(), old))
	s.ok(late.sink.commitRefused(t.Context(), old, refused))
	if _, err := next.sink.Commit(t.Context(), b, rows); minibatch.ClassOf(err) != minibatch.Transient {
		t.Errorf("the next one: %v; want it to try again", err)
	}
	again := s.plan(next)
	_, err := next.sink.Commit(t.Context(), again, stageAll(t, next, again))
	s.ok(err)
	if _, err := late.sink.Commit(t.Context(), old, refused); err != nil && !errors.Is(err, minibatch.ErrMoved) {
		t.Errorf("the late one: %v", err)
	}
	if held := s.held(); len(held) != 3 {
		t.Errorf("%d are held, want 3", len(held))
	}
	if r := s.replay(Pick{Reason: quarantine.UnknownSchema}); r.Replayed != 3 {
		t.Errorf("replayed %+v", r)
	}
	s.wantNumbers(6)
}

// A person sets the position back to where a late worker began: its refusals stay out, as its rows do.
func TestALateWorkerIsFencedByADecision(t *testing.T) {
	s := newSite(t)
	s.sendNumbers(0, 3)
	s.drain(lax)
	s.sendUnknown(3, 6)
	late := s.job(lax)
	old := s.plan(late)
	refused := stageAll(t, late, old)
	s.learn()
	s.drain(lax)
	p, err := late.sink.table.Position(t.Context(), "orders")
	s.ok(err)
	had, err := topic.ToOffsets(old.From)
	s.ok(err)
	to, err := json.Marshal(topic.Cursor(had))
	s.ok(err)
	_, err = late.sink.table.Decide(t.Context(), "orders", p.Cursor, to, nil)
	s.ok(err)
	if _, err := late.sink.Commit(t.Context(), old, refused); !errors.Is(err, minibatch.ErrMoved) {
		t.Errorf("got %v, want that it has moved", err)
	}
	if held := s.held(); len(held) != 0 {
		t.Errorf("%d of a late worker are held", len(held))
	}
}
