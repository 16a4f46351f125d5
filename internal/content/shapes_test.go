package content

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hamba/avro/v2"
)

// shapes are schemas of the kinds that people have: nested, recursive, of all logical types, change events, spans, payments.
func shapes(tb testing.TB) map[string]string {
	tb.Helper()
	files, err := filepath.Glob("testdata/schemas/*.avsc")
	if err != nil || len(files) < 25 {
		tb.Fatalf("%d schemas, %v", len(files), err)
	}
	all := map[string]string{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			tb.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(f), ".avsc")] = string(b)
	}
	return all
}

// Each shape is read by another implementation and written by it again: the same bytes.
func TestShapesAreReadAndWrittenAgain(t *testing.T) {
	for name, text := range shapes(t) {
		t.Run(name, func(t *testing.T) {
			g := mustGenerator(t, Spec{Seed: 11, Schema: text})
			w, seen := g.Writer(), map[string]bool{}
			for n := range uint64(500) {
				b := w.Append(nil, n)
				if seen[string(b)] && g.Unique() {
					t.Fatalf("message %d is not the first of its kind", n)
				}
				seen[string(b)] = true
				var v any
				r := avro.NewReader(bytes.NewReader(b), len(b)+1)
				if r.ReadVal(g.schema, &v); r.Error != nil {
					t.Fatalf("message %d: %v\n%x", n, r.Error, b)
				}
			}
			if len(seen) < 300 { // a JSON value is null or true now and then
				t.Errorf("only %d different records of 500", len(seen))
			}
		})
	}
}

// Each shape that can grow meets its size to the byte.
func TestShapesGrow(t *testing.T) {
	grown := 0
	for name, text := range shapes(t) {
		c := Spec{Schema: text, Size: uniform(1<<20, 1<<20)}
		if _, err := NewGenerator(c); err != nil {
			continue
		}
		grown++
		for _, size := range []int{300, 1000, 5000, 70_000} {
			c.Size = Constant(size)
			g, err := NewGenerator(c)
			if err != nil {
				continue // below the smallest
			}
			w := g.Writer()
			for n := range uint64(50) {
				if got := HeaderSize + len(w.Append(nil, n)); got != size {
					t.Fatalf("%s: message %d has %d B, want %d (grows %s)", name, n, got, size, g.Grows())
				}
			}
		}
	}
	if grown < 20 {
		t.Errorf("only %d schemas could grow", grown)
	}
}
