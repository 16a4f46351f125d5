package load

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"weir/internal/config"
)

const base = `apiVersion: weir/v1
kind: LoadProfile
name: base
rate:
  start: 0/s
  stages:
    - {name: ramp, duration: 1m, target: 100/s}
    - {name: steady, duration: 5m, target: 100/s}
topic: {name: orders, partitions: 12}
key: {field: account_id, cardinality: 5k}
size: {distribution: lognormal, median: 400, p99: 4KiB, max: 8KiB}
thresholds:
  - {metric: lost, max: 0}
  - {metric: response_ms, stat: p99, stage: steady, max: 10}
`

// folder writes files and gives the path of the first.
func folder(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, files[i])), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, files[0])
}

func parseFile(t *testing.T, file string, opt ...ParseOption) (*Profile, error) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return Parse(file, b, opt...)
}

var shippedBase = Shipped(fstest.MapFS{"base.yaml": {Data: []byte(base)}, "up.yaml": {Data: []byte("extends: base\nname: up\nwarmup: 5s\n")}})

// What a profile does not say is as in the one that it extends; lists, and sections that make another choice, are replaced.
func TestAProfileExtendsAnother(t *testing.T) {
	file := folder(t, "mine.yaml", "name: mine\nextends: up\nkey: {distribution: zipf}\nsize: {distribution: constant, bytes: 300}\nrate: {shape: step, from: 1/s, to: 3/s, by: 1/s, every: 1m}\nthresholds: [{metric: lost, max: 5}]\n")
	p, err := parseFile(t, file, shippedBase)
	if err != nil {
		t.Fatal(err)
	}
	if p.Name != "mine" || p.Topic.Name != "orders" || p.Topic.Partitions != 12 || p.Warmup != config.Duration(5*time.Second) {
		t.Errorf("got %s, %+v, warm-up %v", p.Name, p.Topic, p.Warmup)
	}
	if p.Key.Field != "account_id" || p.Key.Distribution != "zipf" || p.Key.Cardinality != 5000 {
		t.Errorf("sections are merged: got key %+v", p.Key)
	}
	if p.Size.P99 != 0 || p.Size.Bytes != 300 || len(p.Rate.Stages) != 0 || p.Rate.Start != nil || len(p.Thresholds) != 1 {
		t.Errorf("another choice replaces: got size %+v, rate %+v, %d thresholds", p.Size, p.Rate, len(p.Thresholds))
	}
	if err := p.Check(); err != nil {
		t.Error(err)
	}
	if got := p.Extended(); len(got) != 2 || !strings.HasPrefix(got[0], "up.yaml") || !strings.HasPrefix(got[1], "base.yaml") {
		t.Errorf("got %v", got)
	}
	again, err := Parse("again.yaml", []byte(p.Text()))
	if err != nil {
		t.Fatalf("the text that results keep must stand alone: %v\n%s", err, p.Text())
	}
	if again.Key.Cardinality != 5000 || again.Size.Bytes != 300 || again.Extends != "" {
		t.Errorf("got %+v of\n%s", again, p.Text())
	}
}

// A file of one's own may take the name of the shipped profile that it extends, and paths count from the file that has them.
func TestNamesAndPathsOfExtendedProfiles(t *testing.T) {
	schema := `{"type":"record","name":"R","fields":[{"name":"id","type":"string"}]}`
	file := folder(t,
		"base.yaml", "extends: base\nname: base\n",
		"deep/sub/top.yaml", "extends: ../low.yaml\nname: top\n",
		"deep/low.yaml", strings.Replace(base, "name: base", "name: low", 1)+"value: {schema: {file: r.avsc}}\n",
		"deep/r.avsc", schema)
	if p, err := parseFile(t, file, shippedBase); err != nil || p.Topic.Name != "orders" {
		t.Errorf("got %v", err)
	}
	p, err := parseFile(t, filepath.Join(filepath.Dir(file), "deep/sub/top.yaml"), Setting("key=", "size="))
	if err == nil {
		err = p.Check()
	}
	if err != nil {
		t.Errorf("the schema lies beside the file that names it: %v", err)
	}
	t.Chdir(filepath.Join(filepath.Dir(file), "deep"))
	p, err = Parse("x/y.yaml", []byte(base), Setting("value.schema.file=r.avsc", "key=", "size="))
	if err == nil {
		err = p.Check()
	}
	if err != nil {
		t.Errorf("a flag's path counts from the working directory: %v", err)
	}
}

func TestMistakesOfExtendedProfilesHaveTheirPlace(t *testing.T) {
	for name, c := range map[string]struct {
		files []string
		sets  []string
		want  string
	}{
		"a circle":                  {[]string{"a.yaml", "name: a\nextends: b\n", "b.yaml", "extends: a\nname: b\n"}, nil, "b.yaml:1:10: extends: want a profile that does not lead back here, got a.yaml -> b.yaml -> a.yaml"},
		"itself":                    {[]string{"a.yaml", "name: a\nextends: a.yaml\n"}, nil, "a.yaml:2:10: extends: want a profile that does not lead back here, got a.yaml -> a.yaml"},
		"a misspelt name":           {[]string{"a.yaml", "name: a\nextends: bsae\n"}, nil, `a.yaml:2:10: extends: there is no profile bsae; did you mean "base"?`},
		"nobody's name":             {[]string{"a.yaml", "name: a\nextends: zzzzzzzz\n"}, nil, "a.yaml:2:10: extends: there is no profile zzzzzzzz; give the name of a file beside this one"},
		"no name of its own":        {[]string{"a.yaml", "extends: base\n"}, nil, "a.yaml:1:10: name: want a name of its own beside extends"},
		"a value below":             {[]string{"a.yaml", "name: a\nextends: b\n", "b.yaml", strings.Replace(base, "100/s}", "quick}", 1)}, nil, `b.yaml:7:42: "quick" is no rate`},
		"a threshold's stage below": {[]string{"a.yaml", "name: a\nextends: base\nrate:\n  stages: [{target: 1/s, duration: 1m}]\n"}, nil, `base.yaml (comes with loadgen):14:45: stage: "steady" is none of stage 1`},
		"two forms of content":      {[]string{"a.yaml", "name: a\nextends: base\nmix: [{name: b, weight: 1, topic: {name: b}}]\n"}, nil, `a.yaml:3:6: mix: topic, value, key and size belong to its parts, not beside it; topic: without a value takes away what is extended`},
		"a flag without a value":    {[]string{"a.yaml", base}, []string{"rate.start"}, "--set rate.start: want PATH=VALUE, as rate.stages[1].target=30k/s"},
		"a flag's rate":             {[]string{"a.yaml", base}, []string{"rate.stages[1].target=fast"}, `--set rate.stages[1].target=fast: "fast" is no rate; write 20k/s, 12MiB/s or max`},
		"a flag's stage":            {[]string{"a.yaml", base}, []string{"rate.stages[4].target=1/s"}, `--set rate.stages[4].target=1/s: rate.stages has 2 items, the last is [1]; got [4]`},
		"a flag's key":              {[]string{"a.yaml", base}, []string{"sise.bytes=1KiB"}, `--set sise.bytes=1KiB: unknown key "sise"; did you mean "size"?`},
		"what a flag breaks":        {[]string{"a.yaml", base}, []string{"size.median=9KiB"}, `size: lognormal wants median < p99 <= max`},
		"what the schema refuses":   {[]string{"a.yaml", base}, []string{"key.field=nobody"}, `--set key.field=nobody: key.field: the schema has no field nobody`},
	} {
		t.Run(name, func(t *testing.T) {
			file := folder(t, c.files...)
			p, err := parseFile(t, file, shippedBase, Setting(c.sets...))
			if err == nil {
				if err = p.Check(); err != nil {
					err = p.Placed(err)
				}
			}
			got := ""
			if err != nil {
				got = strings.ReplaceAll(err.Error(), filepath.Dir(file)+"/", "")
			}
			if !strings.Contains(got, c.want) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// Two environments make two texts, so that their results are not compared as if they were of one load; no value is shown.
func TestTheEnvironmentIsPartOfAProfile(t *testing.T) {
	read := func(secret string) string {
		t.Setenv("WEIR_TEST_RATE", secret)
		p, err := Parse("p.yaml", []byte(strings.Replace(small, "name: small", "name: ${WEIR_TEST_RATE:-small}", 1)))
		if err != nil {
			t.Fatal(err)
		}
		if secret != "" && strings.Contains(p.Text(), secret) {
			t.Errorf("the value is shown:\n%s", p.Text())
		}
		return p.Text()
	}
	if a, b, again := read("one-name"), read("other-name"), read("one-name"); a == b || a != again {
		t.Errorf("got\n%s\n%s\n%s", a, b, again)
	}
	if read("") == read("one-name") {
		t.Error("a default is another value")
	}
}

func FuzzParse(f *testing.F) {
	all, _ := filepath.Glob("../../profiles/*.yaml")
	for _, name := range all {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b), "rate.stages[0].target", "30k/s")
	}
	f.Add(base, "size", "{distribution: constant}")
	f.Add("extends: up\nname: x\n", `value.fields["a.b"]`, "{fake: email}")
	f.Add("extends: [a]\n", "", "")
	f.Add(small+"hooks: [{at: 1s, run: x}]\nmix: [{}]\n", "mix[0].weight", "1")
	f.Fuzz(func(t *testing.T, text, path, value string) {
		dir := t.TempDir()
		file := filepath.Join(dir, "p.yaml")
		p, err := Parse(file, []byte(text), shippedBase, Setting(path+"="+value))
		if err == nil {
			if p.Rate.Shape == "csv" || p.Rate.Shape == "replay" || len(p.Text()) > 1<<16 {
				return
			}
			if err = p.Check(); err != nil {
				err = p.Placed(err)
			}
		}
		problems, ok := err.(config.Problems) //nolint:errorlint // nothing wraps it
		if err != nil && !ok {
			t.Fatalf("no place: %v", err)
		}
		for _, x := range problems {
			placed := x.Line > 0 && x.Col > 0 || strings.HasPrefix(x.File, "--set ")
			if !placed || x.Message == "" {
				t.Errorf("no place: %+v", x)
			}
		}
	})
}
