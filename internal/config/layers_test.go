package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	lower = "name: base\nwait: 1m\nstages:\n  - {target: 1/s, for: 1m}\n  - {target: 2/s, for: 2m}\nlabels:\n  a: low\n  b: low\ninner:\n  mode: fast\n"
	upper = "labels:\n  b: high\n  a.b: dotted\nwait:\n"
)

func decodeOver(t *testing.T, above, below string, opt ...Option) (sample, error) {
	t.Helper()
	var s sample
	err := Decode("above.yaml", []byte(above), &s, append([]Option{WithEnv(env), Under(nil, Layer{"below.yaml", []byte(below)})}, opt...)...)
	return s, err
}

// Sections are merged, lists replaced, and a key without a value takes away what lies below.
func TestAFileLiesOnAnother(t *testing.T) {
	s, err := decodeOver(t, upper, lower)
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "base" || s.Wait != 0 || len(s.Stages) != 2 || s.Inner.Mode != "fast" {
		t.Errorf("got %+v", s)
	}
	if d := cmp.Diff(map[string]string{"a": "low", "b": "high", "a.b": "dotted"}, s.Labels); d != "" {
		t.Error(d)
	}
	if s, err = decodeOver(t, "stages: [{target: 9/s, for: 1s}]\n", lower); err != nil || len(s.Stages) != 1 || s.Stages[0].Target.PerSecond != 9 {
		t.Errorf("a list is replaced: got %+v, %v", s.Stages, err)
	}
	var whole sample
	err = Decode("above.yaml", []byte("labels: {c: c}\nname: x\n"), &whole, Under(func(path string, keys []string) bool { return path == "labels" && keys[0] == "c" }, Layer{"below.yaml", []byte(lower)}))
	if err != nil || len(whole.Labels) != 1 {
		t.Errorf("a section that replaces: got %v, %v", whole.Labels, err)
	}
	flat, err := Flat("above.yaml", []byte("wait: ${W:-2m}\n"), Under(nil, Layer{"below.yaml", []byte(lower)}))
	var again sample
	if err != nil || !strings.HasPrefix(string(flat), "wait: ${W:-2m}\nname: base\n") {
		t.Fatalf("got %v\n%s", err, flat)
	}
	if err := Decode("flat.yaml", flat, &again); err != nil || len(again.Stages) != 2 || again.Labels["a"] != "low" {
		t.Errorf("what Flat writes must be read back: %+v, %v", again, err)
	}
}

// A complaint names the text in which the value stands: the file, the one below, or the flag.
func TestComplaintsNameTheirLayer(t *testing.T) {
	bad := strings.Replace(lower, "mode: fast", "mode: odd", 1)
	for name, c := range map[string]struct {
		above, below string
		opt          []Option
		want         string
	}{
		"a value below":           {upper, bad, nil, `below.yaml:10:9: expected fast or slow, got "odd"`},
		"a key below":             {upper, lower + "extra: 1\n", nil, `below.yaml:11:1: unknown key "extra"`},
		"an item below":           {upper, strings.Replace(lower, "2/s", "quick", 1), nil, `below.yaml:5:14: "quick" is no rate`},
		"what Validate says":      {upper, strings.Replace(lower, "for: 2m", "for: 0s", 1), nil, `below.yaml:5:24: expected a duration above 0`},
		"a value above":           {"wait: soon\n", lower, nil, `above.yaml:1:7: "soon" is no duration`},
		"a value that lies over":  {"inner: {mode: odd}\n", lower, nil, `above.yaml:1:15: expected fast or slow, got "odd"`},
		"no YAML below":           {upper, "name: [\n", nil, `below.yaml:1:`},
		"a flag's value":          {upper, lower, []Option{Set("--set wait=soon", "wait", "soon")}, `--set wait=soon: "soon" is no duration; write 90s or 1h30m`},
		"a flag's item":           {upper, lower, []Option{Set("-s", "stages[1].target", "quick")}, `-s: "quick" is no rate`},
		"a flag's key":            {upper, lower, []Option{Set("-s", "inner.mod", "fast")}, `-s: unknown key "mod"; did you mean "mode"?`},
		"a flag's new section":    {"name: x\n", "rows: 1\n", []Option{Set("-s", "inner.mode", "odd")}, `-s: expected fast or slow, got "odd"`},
		"an item too many":        {upper, lower, []Option{Set("-s", "stages[2].target", "1/s")}, `-s: stages has 2 items, the last is [1]; got [2]`},
		"no such list":            {upper, lower, []Option{Set("-s", "stagse[0].target", "1/s")}, `-s: the file has no list stagse; did you mean "stages"?`},
		"a list that is none":     {upper, lower, []Option{Set("-s", "inner[0]", "1/s")}, `-s: inner is no list, so it has no [0]`},
		"a section that is none":  {upper, lower, []Option{Set("-s", "name.x", "1")}, `-s: name is "base", no section with keys`},
		"a path that is none":     {upper, lower, []Option{Set("-s", "a..b", "1")}, `-s: "a..b" is no path`},
		"a value that is no YAML": {upper, lower, []Option{Set("-s", "name", "[a")}, `-s: this is not YAML`},
		"a reference in a flag":   {upper, lower, []Option{Set("-s", "name", "${NOPE}")}, `-s: the environment has no variable NOPE; set it, or write ${NOPE:-DEFAULT}`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decodeOver(t, c.above, c.below, c.opt...)
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestFlagsSetValues(t *testing.T) {
	s, err := decodeOver(t, upper, lower, Set("a", "stages[1].target", "30k/s"), Set("b", "labels.a.b", "x"), Set("c", `labels["c.d"]`, "y"), Set("d", "any", "[1, {x: true}]"),
		Set("e", "inner.mode", "slow"), Set("f", "rows", ""), Set("g", "labels.b", "${TOKEN}"))
	if err != nil {
		t.Fatal(err)
	}
	if s.Stages[1].Target.PerSecond != 30_000 || s.Stages[0].Target.PerSecond != 1 || s.Inner.Mode != "slow" {
		t.Errorf("got %+v", s)
	}
	if d := cmp.Diff(map[string]string{"a": "low", "b": "hunter2", "a.b": "x", "c.d": "y"}, s.Labels); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]any{1, map[string]any{"x": true}}, s.Any); d != "" {
		t.Error(d)
	}
}

func TestReferencesHaveDefaults(t *testing.T) {
	for text, want := range map[string]string{
		"${TOKEN}": "hunter2", "${TOKEN:-x}": "hunter2", "${NOPE:-x y}": "x y", "${NOPE:-}": "", "${env:NOPE:-x}": "x", "${env:TOKEN:-x}": "hunter2", "${NOPE:-a:b}/c": "a:b/c",
		"${EMPTY:-x}": "x", "${EMPTY}": "", "$${NOPE}": "${NOPE}",
	} {
		var s sample
		err := Decode("a.yaml", []byte("name: x\ninner:\nlabels:\n  a: "+text+"\n"), &s, WithEnv(func(n string) (string, bool) {
			if n == "EMPTY" {
				return "", true
			}
			return env(n)
		}))
		if err != nil || s.Labels["a"] != want {
			t.Errorf("%s: got %q, %v; want %q", text, s.Labels["a"], err, want)
		}
	}
	var s sample
	if err := Decode("a.yaml", []byte("name: ${A:-${B}}\n"), &s, WithEnv(env)); err == nil || !strings.Contains(err.Error(), "a.yaml:1:7: expected no reference within a reference") {
		t.Errorf("got %v", err)
	}
	if err := Decode("a.yaml", []byte("name: x\nlabels: {a: ${B:-c}}\n"), &s, WithEnv(env)); err == nil || !strings.Contains(err.Error(), `a reference stands in quotes`) {
		t.Errorf("got %v", err)
	}
}

func TestLookupReadsOneValue(t *testing.T) {
	text, at, ok, err := Lookup("a.yaml", []byte("x: 1\nextends: ${B:-smoke}\n"), "extends")
	if text != "smoke" || at.Line != 2 || at.Col != 10 || !ok || err != nil {
		t.Errorf("got %q at %v, %v, %v", text, at, ok, err)
	}
	for _, none := range []string{"x: 1\n", "extends:\n", "extends: [a]\n"} {
		if _, _, ok, err := Lookup("a.yaml", []byte(none), "extends"); ok || err != nil {
			t.Errorf("%q: got %v, %v", none, ok, err)
		}
	}
}

func FuzzEveryComplaintOfALayerHasAPlace(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.yaml")
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(upper), b, "stages[0].target", "1/s")
		f.Add(b, []byte(lower), `labels["x"]`, "{a: 1}")
	}
	f.Add([]byte("? a\n: b"), []byte("&a name: *a"), "a.b.c", "")
	f.Fuzz(func(t *testing.T, above, below []byte, path, value string) {
		var s sample
		err := Decode("above.yaml", above, &s, WithEnv(env), Under(nil, Layer{"below.yaml", below}), Set("--set", path, value))
		var p Problems
		if err != nil && !errors.As(err, &p) {
			t.Fatalf("not Problems: %v", err)
		}
		for _, x := range p {
			placed := x.File == "above.yaml" || x.File == "below.yaml"
			if x.Message == "" || placed && (x.Line < 1 || x.Col < 1) || !placed && x.File != "--set" {
				t.Errorf("no place: %+v", x)
			}
		}
	})
}
