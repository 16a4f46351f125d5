package landing

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"weir/internal/storage"
)

func zone(t *testing.T, dir, topic string) *Zone {
	t.Helper()
	z, err := Open(t.Context(), dir, storage.Config{}, topic, "id")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func land(t *testing.T, z *Zone, s Span) {
	t.Helper()
	f, err := z.File(s)
	if err != nil {
		t.Fatal(err)
	}
	for o := s.From; o < s.To; o++ {
		f.Append(Message{Offset: o, Time: time.UnixMilli(o), Value: bytes.Repeat([]byte("value"), 10_000)})
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// The same span is the same file; one that is there already is not opened again, one that a crash tore is mended.
func TestTheSameSpanIsTheSameFile(t *testing.T) {
	dir := t.TempDir()
	s := Span{0, 0, 50}
	name := filepath.Join(dir, "id", "orders-0-00000000000000000000-00000000000000000049.avro")
	land(t, zone(t, dir, "orders"), s)
	first, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-time.Hour)
	if err := os.Chtimes(name, long, long); err != nil {
		t.Fatal(err)
	}
	land(t, zone(t, dir, "orders"), s)
	if f, err := os.Stat(name); err != nil || time.Since(f.ModTime()) < 30*time.Minute {
		t.Errorf("it was written again: %v", err)
	}
	if err := os.WriteFile(name, first[:100], 0o600); err != nil {
		t.Fatal(err)
	}
	land(t, zone(t, dir, "orders"), s)
	if again, err := os.ReadFile(name); err != nil || !bytes.Equal(again, first) {
		t.Errorf("%d bytes, %v; want the %d of the first time", len(again), err, len(first))
	}
}

// A commit removes what reaches into it, and nothing else: not what lies behind it, no other partition's, no other topic's.
func TestSweepRemovesWhatTheCommitDecided(t *testing.T) {
	dir := t.TempDir()
	z, other := zone(t, dir, "a"), zone(t, dir, "a-0")
	for _, s := range []Span{{0, 0, 10}, {0, 10, 20}, {0, 5, 12}, {0, 15, 30}, {0, 10, 15}, {0, 20, 30}, {1, 12, 18}} {
		land(t, z, s)
	}
	land(t, other, Span{0, 12, 18})
	if err := z.Sweep(t.Context(), []Span{{0, 10, 20}}); err != nil {
		t.Fatal(err)
	}
	for _, k := range []struct {
		z    *Zone
		p    int32
		want []Span
	}{
		{z, 0, []Span{{0, 0, 10}, {0, 10, 20}, {0, 20, 30}}}, {z, 1, []Span{{1, 12, 18}}}, {other, 0, []Span{{0, 12, 18}}},
	} {
		got, err := k.z.Spans(t.Context(), k.p)
		if err != nil || !slices.Equal(got, k.want) {
			t.Errorf("%s %d: %v, %v; want %v", k.z.topic, k.p, got, err, k.want)
		}
	}
}
