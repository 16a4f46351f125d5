package ingest

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"weir/minibatch"
)

// What lies in the topic before anybody looks is dated by its records, in bytes and seconds; a table that has all is complete up to now.
func TestAWatchDatesABacklogByItsRecords(t *testing.T) {
	s := newSite(t)
	c := Config{Topic: "orders", Table: "shop.orders", Start: "earliest"}
	old := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	s.send(&kgo.Record{Partition: 0, Value: s.value(1), Timestamp: old}, &kgo.Record{Partition: 1, Value: s.value(2), Timestamp: old.Add(time.Minute)},
		&kgo.Record{Partition: 1, Value: s.value(3), Timestamp: time.Now()})
	w, err := NewWatch(t.Context(), "orders", c, Parts{Kafka: s.kafka, Schemas: s.reg, Lake: s.lake})
	s.ok(err)
	defer w.Close()
	at, err := w.Position(t.Context())
	s.ok(err)
	f, err := w.Look(t.Context(), at)
	s.ok(err)
	if f.Records != 3 || f.Bytes < 3*int64(len(s.value(1)))-10 || f.AtLeast || f.Age < time.Hour || f.Age > time.Hour+time.Minute || !f.UpTo.Equal(old) {
		t.Errorf("got %+v, want 3 records, an hour behind, complete up to %v", f, old)
	}
	if _, err := s.job(c).Run(t.Context(), minibatch.Drain, nil); err != nil {
		t.Fatal(err)
	}
	if at, err = w.Position(t.Context()); err != nil {
		t.Fatal(err)
	}
	if f, err = w.Look(t.Context(), at); err != nil || f.Records != 0 || f.Age != 0 || !f.UpTo.Equal(f.At) {
		t.Errorf("got %+v, %v; want nothing left", f, err)
	}
}

// A record that says it is of the year 0 or of the far future dates nothing.
func TestAWatchBelievesNoImpossibleTimestamp(t *testing.T) {
	s := newSite(t)
	s.send(&kgo.Record{Partition: 0, Value: s.value(1), Timestamp: time.UnixMilli(0)}, &kgo.Record{Partition: 2, Value: s.value(2), Timestamp: time.Now().AddDate(300, 0, 0)})
	w, err := NewWatch(t.Context(), "orders", Config{Topic: "orders", Table: "shop.orders", Start: "earliest"}, Parts{Kafka: s.kafka, Schemas: s.reg, Lake: s.lake})
	s.ok(err)
	defer w.Close()
	f, err := w.Look(t.Context(), minibatch.Cursor{})
	s.ok(err)
	if !f.AtLeast || !f.UpTo.IsZero() || f.Age < 0 || f.Age > time.Minute {
		t.Errorf("got %+v, want at least something", f)
	}
}
