package edit

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const text = `# Is it fast enough?
name: fürst            # ä comment
rate:
  start: 5k/s
  stages:              # a target is reached at the end
    - {name: ramp, duration: 2s, target: "65k/s"}
    # the long one
    - name: steady     # until the volume is sent
      target: 65k/s

volume: {messages: 1M} # bounds
kinds: [a, 'b c', d]
note: |
  two
  lines
empty:
# the end
`

func TestChangesKeepEverythingElse(t *testing.T) {
	for _, tc := range []struct {
		name     string
		do       func(string) (string, error)
		old, new string // the only difference
	}{
		{"a value before a comment", func(s string) (string, error) { return Set(s, "name", "first") }, "fürst  ", "first  "},
		{"a value in quotes keeps them", func(s string) (string, error) { return Set(s, "rate.stages[0].target", "1k/s") }, `"65k/s"`, `"1k/s"`},
		{"a value in braces", func(s string) (string, error) { return Set(s, "volume.messages", "2M") }, "1M}", "2M}"},
		{"a value that needs quotes in braces", func(s string) (string, error) { return Set(s, "volume.messages", "2, 3") }, "1M}", `"2, 3"}`},
		{"a value that needs quotes", func(s string) (string, error) { return Set(s, "rate.start", "a: b # c") }, "start: 5k/s", `start: "a: b # c"`},
		{"an element", func(s string) (string, error) { return Set(s, "kinds[1]", "it's") }, "'b c'", "'it''s'"},
		{"a key that is not there yet", func(s string) (string, error) { return Set(s, "rate.arrival", "poisson") },
			"      target: 65k/s\n", "      target: 65k/s\n  arrival: poisson\n"},
		{"a key in braces that is not there yet", func(s string) (string, error) { return Set(s, "volume.bytes", "1GiB") }, "1M}", "1M, bytes: 1GiB}"},
		{"a key without a value", func(s string) (string, error) { return Set(s, "empty", "1") }, "empty:\n", "empty: 1\n"},
		{"a section below a key without a value", func(s string) (string, error) { return Put(s, "empty.a", "1") }, "empty:\n", "empty:\n  a: 1\n"},
		{"a block", func(s string) (string, error) { return Put(s, "limits", "\n  - {metric: lost, max: 0}") },
			"empty:\n", "empty:\nlimits:\n  - {metric: lost, max: 0}\n"},
		{"one more stage is a copy with a name of its own", func(s string) (string, error) { return Add(s, "rate.stages", "") },
			"      target: 65k/s\n", "      target: 65k/s\n    - name: steady-2     # until the volume is sent\n      target: 65k/s\n"},
		{"one more kind", func(s string) (string, error) { return Add(s, "kinds", "") }, "d]", "d, d]"},
		{"a stage less", func(s string) (string, error) { return Remove(s, "rate.stages[0]") }, "    - {name: ramp, duration: 2s, target: \"65k/s\"}\n", ""},
		{"a stage less of several lines", func(s string) (string, error) { return Remove(s, "rate.stages[1]") },
			"    - name: steady     # until the volume is sent\n      target: 65k/s\n", ""},
		{"the first key of an element", func(s string) (string, error) { return Remove(s, "rate.stages[1].name") },
			"name: steady     # until the volume is sent\n      target", "target"},
		{"a key in braces", func(s string) (string, error) { return Remove(s, "rate.stages[0].duration") }, "duration: 2s, ", ""},
		{"the last key in braces", func(s string) (string, error) { return Remove(s, "rate.stages[0].target") }, `, target: "65k/s"`, ""},
		{"the only key in braces", func(s string) (string, error) { return Remove(s, "volume.messages") }, "{messages: 1M}", "{}"},
		{"lines of text", func(s string) (string, error) { return Remove(s, "note") }, "note: |\n  two\n  lines\n", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := tc.do(text)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Count(text, tc.old) != 1 {
				t.Fatalf("the text has %q %d times", tc.old, strings.Count(text, tc.old))
			}
			if want := strings.Replace(text, tc.old, tc.new, 1); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestTheOnlyElementLeavesAnEmptyList(t *testing.T) {
	got, err := Remove("a: 1\nl: # list\n  - {x: 1}\nb: 2\n", "l[0]")
	if err != nil || got != "a: 1\nl: [] # list\nb: 2\n" {
		t.Fatalf("got %q, %v", got, err)
	}
	if got, err = Add(got, "l", "{x: 2}"); err != nil || got != "a: 1\nl: [{x: 2}] # list\nb: 2\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestWhatCannotBeChangedInPlaceIsRefused(t *testing.T) {
	odd := "a: &x {b: 1}\nc: *x\nd: one\n  two\ne: |\n  x\nf: !!str 5\n"
	for name, err := range map[string]error{
		"within an anchor":       second(Set(odd, "a.b", "2")),
		"an alias":               second(Set(odd, "c", "2")),
		"a text over two lines":  second(Set(odd, "d", "2")),
		"lines of text":          second(Set(odd, "e", "2")),
		"a tag":                  second(Set(odd, "f", "2")),
		"a section":              second(Set(text, "volume", "2")),
		"a value of two lines":   second(Set(text, "name", "a\nb")),
		"an element that is not": second(Set(text, "kinds[7]", "2")),
		"below nothing":          second(Set(text, "nothing.here", "2")),
		"a key that is there":    second(Put(text, "volume", "{}")),
		"nothing":                second(Remove(text, "nothing")),
		"the whole":              second(Remove(text, "")),
		"no list":                second(Add(text, "volume", "1")),
		"no YAML":                second(Set("a: [", "a", "1")),
		"a block within braces":  second(Put(text, "volume.x", "\n  - 1")),
	} {
		if err == nil {
			t.Errorf("%s: changed", name)
		}
	}
	if err := second(Remove(text, "nothing")); !errors.Is(err, ErrPlace) {
		t.Errorf("got %v, want ErrPlace", err)
	}
}

func second(_ string, err error) error { return err }

// TestAnyValueOfAnyProfileCanBeChanged is the law: whatever is typed is read again as it was typed, all else is as it was, and
// every comment is still there.
func TestAnyValueOfAnyProfileCanBeChanged(t *testing.T) {
	files, err := filepath.Glob("../../../profiles/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d profiles, %v", len(files), err)
	}
	texts := []string{text}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(b))
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SampledFrom(texts).Draw(t, "text")
		root, err := Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		var paths []string
		root.Walk(func(n *Node) {
			if n.Kind == Value && !n.fixed {
				paths = append(paths, n.Path)
			}
		})
		path := rapid.SampledFrom(paths).Draw(t, "path")
		value := rapid.OneOf(rapid.StringMatching(`[ -~]{0,12}`), rapid.SampledFrom([]string{"", "~", "null", "true", "- a", "{", "a: b", "x #y", "'", `"`, "日本", "*a", "&a", "!x", "%", "@", "0x1", "1e3", "? a", "|", "> x", "[1]", "a,b", " lead", "trail "})).Draw(t, "value")
		got, err := Set(s, path, value)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		after, err := Parse(got)
		if err != nil {
			t.Fatal(err)
		}
		want := root.leaves()
		want[path] = value
		if !maps.Equal(want, after.leaves()) {
			t.Fatalf("%s = %q:\n%s", path, value, got)
		}
		if a, b := comments(s), comments(got); !slices.Equal(a, b) && !strings.Contains(value, "#") {
			t.Fatalf("comments %q, were %q", b, a)
		}
	})
}

func comments(s string) (all []string) {
	for _, l := range strings.Split(s, "\n") {
		if i := strings.Index(l, "#"); i >= 0 {
			all = append(all, l[i:])
		}
	}
	return all
}

// TestRemoveThenNothingElseIsGone takes away every place of every profile in turn.
func TestRemoveThenNothingElseIsGone(t *testing.T) {
	files, err := filepath.Glob("../../../profiles/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		root, err := Parse(string(b))
		if err != nil {
			t.Fatal(err)
		}
		root.Walk(func(n *Node) {
			out, err := Remove(string(b), n.Path)
			if err != nil {
				refused++
				t.Logf("%s %s: %v", filepath.Base(f), n.Path, err)
				return
			}
			after, err := Parse(out)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := len(after.leaves()), len(root.leaves())-len(n.leaves()); got != want {
				t.Errorf("%s without %s: %d values, want %d", f, n.Path, got, want)
			}
			if !strings.Contains(out, strings.SplitN(string(b), "\n", 2)[0]) {
				t.Errorf("%s without %s: the question is gone", f, n.Path)
			}
		})
	}
	if refused > 0 {
		t.Errorf("%d refused", refused)
	}
}

// FuzzChanges: no text makes a change panic, and a change that was made is the one that was asked for.
func FuzzChanges(f *testing.F) {
	f.Add(text)
	f.Add("a: 1\n")
	f.Add("{a: [1, {b: 2}]}")
	f.Add("? 0")
	f.Fuzz(func(t *testing.T, s string) {
		root, err := Parse(s)
		if err != nil {
			return
		}
		root.Walk(func(n *Node) {
			if out, err := Set(s, n.Path, "x: #"); err == nil {
				after, err := Parse(out)
				if err != nil || after.Find(n.Path) == nil || after.Find(n.Path).Text != "x: #" {
					t.Fatalf("%s of %q became %q", n.Path, s, out)
				}
			}
			_, _ = Remove(s, n.Path)
			_, _ = Add(s, n.Path, "y")
			_, _ = Put(s, n.Path+".z", "y")
		})
	})
}
