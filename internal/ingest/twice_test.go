package ingest

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/quarantine"
	"weir/internal/topic"
)

// newTopic makes the topic again, empty, and lets the job begin there.
func (s *site) newTopic() {
	s.t.Helper()
	other := newSite(s.t)
	s.kafka, s.cl = other.kafka, other.cl
	j := s.job(lax)
	p, err := j.sink.table.Position(s.t.Context(), "orders")
	s.ok(err)
	tp, err := j.source.Topic(s.t.Context())
	s.ok(err)
	to, err := json.Marshal(topic.Cursor(topic.Offsets{Cluster: tp.Cluster, Topic: tp.Name, TopicID: tp.ID, Next: map[int32]int64{0: 0, 1: 0, 2: 0}}))
	s.ok(err)
	_, err = j.sink.table.Decide(s.t.Context(), "orders", p.Cursor, to, nil)
	s.ok(err)
}

// values of the quarantine -> how often they were tried.
func (s *site) values() map[string]int32 {
	s.t.Helper()
	all := map[string]int32{}
	s.ok(quarantine.Each(s.t.Context(), s.lake, "shop.orders", func(r quarantine.Row) bool { all[string(r.Value)] = r.Attempt; return true }))
	return all
}

// A topic was made again, and at one position stand two different refused records: each leaves the quarantine for itself.
func TestTwoRecordsOfOnePosition(t *testing.T) {
	s := newSite(t)
	s.sendUnknown(0, 1)
	s.drain(lax)
	s.newTopic()
	s.send(&kgo.Record{Value: []byte("rubbish")})
	s.drain(lax)
	s.newTopic()
	s.send(&kgo.Record{Value: []byte("more rubbish")})
	s.drain(lax)
	if got := s.values(); len(got) != 3 {
		t.Fatalf("in quarantine %v, want three at one position", got)
	}
	if r := s.replay(Pick{Reason: quarantine.NotFramed}); r.Picked != 2 || r.Stayed != 2 {
		t.Errorf("both are refused again: %+v", r)
	}
	s.learn()
	if r := s.replay(Pick{}); r.Picked != 3 || r.Replayed != 1 || r.Stayed != 2 {
		t.Errorf("got %+v", r)
	}
	s.wantNumbers(1)
	if got, want := s.values(), (map[string]int32{"rubbish": 3, "more rubbish": 3}); !maps.Equal(got, want) {
		t.Errorf("in quarantine %v, want %v", got, want)
	}
	if n, err := Discard(t.Context(), "orders", lax, s.lake, Pick{}, "anna", "no use"); err != nil || n != 2 || len(s.values()) != 0 {
		t.Errorf("discarded %d, %v; %v stay", n, err, s.values())
	}
}

// A record that both topics have at one position was refused twice, and becomes a row as often as it was read.
func TestARecordThatWasRefusedTwiceIsReplayedTwice(t *testing.T) {
	s := newSite(t)
	s.sendUnknown(0, 1)
	s.drain(lax)
	s.newTopic()
	s.sendUnknown(0, 1)
	s.drain(lax)
	if r := s.replay(Pick{}); r.Picked != 2 || r.Stayed != 2 {
		t.Errorf("both are refused again: %+v", r)
	}
	s.learn()
	dry, err := Replay(t.Context(), "orders", lax, Parts{Schemas: s.reg, Lake: s.lake}, Pick{}, true)
	if r := s.replay(Pick{}); err != nil || r.Replayed != 2 || dry.Replayed != 2 {
		t.Errorf("got %+v; dry %+v, %v", r, dry, err)
	}
	if left := slices.Collect(maps.Keys(s.values())); len(left) != 0 {
		t.Errorf("%q stay", left)
	}
}
