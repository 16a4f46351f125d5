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

func wantSpans(t *testing.T, z *Zone, p int32, want ...Span) {
	t.Helper()
	got, err := z.Spans(t.Context(), p)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%s %d: %v, %v; want %v", z.topic, p, got, err, want)
	}
}

// A file goes when committed ones hold all of it, and no other: not one that holds a position more, no other partition's, no other topic's.
func TestSweepRemovesWhatCommittedFilesHold(t *testing.T) {
	dir := t.TempDir()
	z, other := zone(t, dir, "a"), zone(t, dir, "a-0")
	for _, s := range []Span{{0, 0, 10}, {0, 10, 20}, {0, 5, 12}, {0, 15, 30}, {0, 10, 15}, {0, 20, 30}, {1, 12, 18}} {
		land(t, z, s)
	}
	land(t, other, Span{0, 12, 18})
	if err := z.Sweep(t.Context(), []Span{{0, 10, 20}}); err != nil {
		t.Fatal(err)
	}
	wantSpans(t, z, 0, Span{0, 0, 10}, Span{0, 5, 12}, Span{0, 10, 20}, Span{0, 15, 30}, Span{0, 20, 30})
	if err := z.Sweep(t.Context(), []Span{{0, 10, 20}, {0, 0, 10}}); err != nil {
		t.Fatal(err)
	}
	wantSpans(t, z, 0, Span{0, 0, 10}, Span{0, 10, 20}, Span{0, 15, 30}, Span{0, 20, 30})
	wantSpans(t, z, 1, Span{1, 12, 18})
	wantSpans(t, other, 0, Span{0, 12, 18})
}

// A committed file that is gone stands for nothing: what it held may be in the other one only.
func TestSweepKeepsWhatOnlyAMissingFileHeld(t *testing.T) {
	z := zone(t, t.TempDir(), "a")
	land(t, z, Span{0, 2, 5})
	land(t, z, Span{0, 6, 8})
	if err := z.Sweep(t.Context(), []Span{{0, 6, 8}, {0, 0, 6}}); err != nil {
		t.Fatal(err)
	}
	wantSpans(t, z, 0, Span{0, 2, 5}, Span{0, 6, 8})
}

// Where spans overlap the newer ones count; of an older one that reaches further nothing is lost.
func TestSweepKeepsOlderFilesThatReachFurther(t *testing.T) {
	z := zone(t, t.TempDir(), "a")
	for _, s := range []Span{{0, 0, 4}, {0, 4, 9}, {0, 2, 5}, {0, 2, 4}} {
		land(t, z, s)
	}
	committed := []Span{{0, 2, 5}, {0, 2, 4}, {0, 4, 9}, {0, 0, 4}}
	for range 2 {
		if err := z.Sweep(t.Context(), committed); err != nil {
			t.Fatal(err)
		}
		wantSpans(t, z, 0, Span{0, 0, 4}, Span{0, 2, 5}, Span{0, 4, 9})
	}
	land(t, z, Span{0, 5, 9})
	if err := z.Sweep(t.Context(), append([]Span{{0, 5, 9}}, committed...)); err != nil {
		t.Fatal(err)
	}
	wantSpans(t, z, 0, Span{0, 0, 4}, Span{0, 2, 5}, Span{0, 5, 9})
}

// A try that died with a big batch is overtaken by small ones, of which the table has forgotten the first before the last comes.
func TestSweepRemembersWhatTheTableForgets(t *testing.T) {
	z := zone(t, t.TempDir(), "a")
	land(t, z, Span{0, 0, 8})
	for n := range int64(4) {
		s := Span{0, n * 2, n*2 + 2}
		land(t, z, s)
		if z.Quiet([]Span{s}) {
			t.Errorf("%v needs no look", s)
		}
		if err := z.Sweep(t.Context(), []Span{s}); err != nil {
			t.Fatal(err)
		}
	}
	wantSpans(t, z, 0, Span{0, 0, 2}, Span{0, 2, 4}, Span{0, 4, 6}, Span{0, 6, 8})
	if !z.Quiet([]Span{{0, 8, 10}}) || z.Quiet([]Span{{0, 8, 10}, {1, 0, 1}}) {
		t.Error("a look is needed where Sweep has not looked yet, and only there")
	}
	z.Forget()
	if z.Quiet([]Span{{0, 8, 10}}) {
		t.Error("after a try was given up a look is needed")
	}
}
