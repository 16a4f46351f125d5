package config

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite testdata/*.golden")

type sample struct {
	Name   string            `yaml:"name" jsonschema:"required,description=what it is called"`
	Wait   Duration          `yaml:"wait"`
	Size   Size              `yaml:"size"`
	Rows   Count             `yaml:"rows"`
	Share  Percent           `yaml:"share"`
	Rate   Rate              `yaml:"rate"`
	Key    Secret            `yaml:"key"`
	On     *bool             `yaml:"on"`
	N      int               `yaml:"n"`
	Stages []stage           `yaml:"stages"`
	Labels map[string]string `yaml:"labels"`
	Inner  inner             `yaml:"inner"`
	Any    any               `yaml:"any"`
}

type stage struct {
	Target Rate     `yaml:"target"`
	For    Duration `yaml:"for"`
}

type inner struct {
	Mode string `yaml:"mode"`
}

func (i inner) Validate() []Invalid {
	if i.Mode != "" && i.Mode != "fast" && i.Mode != "slow" {
		return []Invalid{{"mode", fmt.Sprintf("expected fast or slow, got %q", i.Mode)}}
	}
	return nil
}

func (s sample) Validate() []Invalid {
	var bad []Invalid
	if s.Name == "" {
		bad = append(bad, Invalid{"name", "expected a name"})
	}
	for i, st := range s.Stages {
		if st.For == 0 {
			bad = append(bad, Invalid{fmt.Sprintf("stages[%d].for", i), "expected a duration above 0"})
		}
	}
	return bad
}

func env(name string) (string, bool) {
	v, ok := map[string]string{"TOKEN": "hunter2", "N": "7", "BAD": "s3cret"}[name]
	return v, ok
}

func TestEveryKeyIsRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var got sample
	err := Decode("a.yaml", []byte(`# a comment
name: orders ${env:TOKEN} $${x}
wait: 1h30m
size: 4KiB
rows: 200k
share: 0.5%
rate: 12MiB/s
key: ${file:`+file+`}
on: false
n: ${env:N}
stages:
  - {target: 20k/s, for: 5m}
  - target: max
    for: 7d
labels: {a: b, "c": 'd'}
inner:
  mode: fast
any: [1, {x: true}]
`), &got, WithEnv(env))
	if err != nil {
		t.Fatal(err)
	}
	off := false
	want := sample{
		Name: "orders hunter2 ${x}", Wait: Duration(90 * time.Minute), Size: 4096, Rows: 200_000, Share: 0.005, Rate: Rate{PerSecond: 12 << 20, Bytes: true},
		Key: "from a file", On: &off, N: 7, Stages: []stage{{Rate{PerSecond: 20_000}, Duration(5 * time.Minute)}, {Rate{Max: true}, Duration(7 * 24 * time.Hour)}},
		Labels: map[string]string{"a": "b", "c": "d"}, Inner: inner{"fast"}, Any: []any{1, map[string]any{"x": true}},
	}
	if d := cmp.Diff(want, got, cmp.Comparer(func(a, b Secret) bool { return a.Reveal() == b.Reveal() })); d != "" {
		t.Error(d)
	}
}

// Each file in testdata is a mistake, or several; the golden file beside it is what its author is told.
func TestMistakes(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			var s sample
			err = Decode(filepath.Base(f), data, &s, WithEnv(env))
			var p Problems
			if !errors.As(err, &p) {
				t.Fatalf("got %v, want problems", err)
			}
			golden := strings.TrimSuffix(f, ".yaml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(err.Error()+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), p.Error()+"\n"); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestASecretShowsNowhere(t *testing.T) {
	s := struct{ Key Secret }{"hunter2"}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", s.Key, "all", s)
	j, _ := s.Key.MarshalJSON()
	x, _ := s.Key.MarshalText()
	all := fmt.Sprintf("%v %+v %#v %s %q %d %x", s, s, s, s.Key, s.Key, s.Key, s.Key) + log.String() + string(j) + string(x)
	if strings.Contains(all, "hunter2") || strings.Contains(all, "68756e") {
		t.Errorf("shown: %s", all)
	}
	if s.Key.Reveal() != "hunter2" {
		t.Error("Reveal must give it")
	}
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(0, 1<<50).Draw(t, "n")
		b := []byte(Size(n).String())
		var s Size
		if err := s.UnmarshalText(b); err != nil || int64(s) != n {
			t.Fatalf("size %d -> %s -> %d, %v", n, b, s, err)
		}
		b = []byte(Count(n).String())
		var c Count
		if err := c.UnmarshalText(b); err != nil || int64(c) != n {
			t.Fatalf("count %d -> %s -> %d, %v", n, b, c, err)
		}
		r := Rate{PerSecond: float64(n), Bytes: rapid.Bool().Draw(t, "bytes") && n%1024 == 0 && n > 0}
		var got Rate
		if err := got.UnmarshalText([]byte(r.String())); err != nil || got != r {
			t.Fatalf("rate %+v -> %s -> %+v, %v", r, r, got, err)
		}
	})
}

func FuzzEveryComplaintHasAPlace(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.yaml")
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("name: [a\nx: {"))
	f.Add([]byte("? a\n: b"))
	f.Add([]byte("&a name: *a"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var s sample
		err := Decode("f.yaml", data, &s, WithEnv(env))
		var p Problems
		if err != nil && !errors.As(err, &p) {
			t.Fatalf("not Problems: %v", err)
		}
		for _, x := range p {
			if x.Line < 1 || x.Col < 1 || x.Message == "" {
				t.Errorf("no place: %+v", x)
			}
		}
	})
}

func TestSchemaKnowsOurTypes(t *testing.T) {
	b, err := Schema(&sample{}, "sample")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"required"`, "a duration such as 90s", "what it is called", `"additionalProperties": false`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("the schema lacks %s:\n%s", want, b)
		}
	}
}
