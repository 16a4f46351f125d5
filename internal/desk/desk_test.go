package desk

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"weir/internal/cli"
	"weir/internal/control"
	"weir/internal/project"
	"weir/profiles"
)

const mine = `# Is my pipeline fast enough?
apiVersion: weir/v1
kind: LoadProfile
name: mine
rate:
  stages:             # targets are reached at the end
    - {name: ramp, duration: 5s, target: 1k/s}
    - {name: steady, duration: 25s, target: 1k/s} # as long as it takes
topic: {name: bank.transactions}
size: {distribution: lognormal, median: 300, p99: 2KiB, max: 16KiB}
thresholds:
  - {metric: response_ms, stat: p99, max: 250}
`

// open makes a project with one profile of its own.
func open(t *testing.T) *Desk {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "profiles", "mine.yaml"), mine)
	p, err := project.Open(dir, filepath.Join(dir, ".weir"))
	if err != nil {
		t.Fatal(err)
	}
	return New(p)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func hint(err error) string {
	var e *cli.Error
	if errors.As(err, &e) {
		return e.Hint
	}
	return ""
}

func TestListHasTheProjectsProfilesFirstAndSaysWhatIsWrong(t *testing.T) {
	d := open(t)
	write(t, filepath.Join(d.project.ProfilesDir(), "broken.yaml"), "# Why?\nname: [\n")
	write(t, filepath.Join(d.project.ProfilesDir(), "smoke.yaml"), strings.Replace(mine, "mine", "smoke", 1))
	write(t, filepath.Join(d.project.ProfilesDir(), "README.md"), "no profile")
	all, err := d.List()
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, p := range all {
		names = append(names, p.Name)
	}
	if want := []string{"broken", "mine", "smoke", "average-load"}; !slices.Equal(names[:4], want) {
		t.Errorf("got %v, want %v first", names, want)
	}
	shipped, _ := profiles.Files.ReadDir(".")
	if len(all) != len(shipped)+2 {
		t.Errorf("%d profiles, want %d: a shipped one that the project hides is not there twice", len(all), len(shipped)+2)
	}
	if b := all[0].Problem; b == nil || b.Line != 2 || b.Col == 0 || !strings.Contains(b.Message, "not YAML") {
		t.Errorf("the broken one says %+v", b)
	}
	if m := all[1]; m.Question != "Is my pipeline fast enough?" || m.Problem != nil || m.File == "" || m.Hash == "" {
		t.Errorf("got %+v", m)
	}
	if !all[2].Hides || all[3].File != "" {
		t.Errorf("got %+v and %+v", all[2], all[3])
	}
}

func TestNoNameLeavesTheFolder(t *testing.T) {
	d := open(t)
	outside := filepath.Join(d.project.Dir, "secret.yaml")
	write(t, outside, mine)
	for link, to := range map[string]string{"link.yaml": "../secret.yaml", "absolute.yaml": outside} {
		if err := os.Symlink(to, filepath.Join(d.project.ProfilesDir(), link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"../secret", "..", ".", "", "/etc/passwd", "a/b", "mine.yaml", "Mine", "-x", "link", "absolute", "mine\x00", strings.Repeat("a", 64), "nothing"} {
		if p, err := d.Read(name); err == nil {
			t.Errorf("read %q: %v", name, p)
		}
		if _, err := d.Preview(t.Context(), PreviewArgs{Name: name}); err == nil {
			t.Errorf("preview %q", name)
		}
		if name == "nothing" {
			continue
		}
		if _, err := d.Save(SaveArgs{Name: name, Text: mine}); err == nil {
			t.Errorf("saved %q", name)
		}
		if _, err := d.StartLoad(t.Context(), LoadArgs{Profile: name}); err == nil {
			t.Errorf("started %q", name)
		}
	}
	if b, err := os.ReadFile(outside); err != nil || string(b) != mine {
		t.Errorf("the file outside is %q, %v", b, err)
	}
}

func TestFieldsHaveTheSchemasHelp(t *testing.T) {
	p, err := open(t).Read("mine")
	if err != nil {
		t.Fatal(err)
	}
	at := func(path string) control.ProfileField {
		t.Helper()
		for _, f := range p.Fields {
			if f.Path == path {
				return f
			}
		}
		t.Fatalf("no field %q", path)
		return control.ProfileField{}
	}
	if f := at("rate.stages[1].target"); f.Value != "1k/s" || f.Line != 8 || f.Col != 45 || f.Depth != 3 || !f.Required || !strings.Contains(f.Help, "end of the stage") || !strings.Contains(f.Expected, "20k/s") {
		t.Errorf("got %+v", f)
	}
	if f := at("size.distribution"); !slices.Contains(f.Options, "pareto") {
		t.Errorf("got %+v", f)
	}
	if f := at("rate.stages"); f.Kind != "list" || len(f.Adds) != 1 || f.Value != "ramp 5s 1k/s, steady 25s 1k/s" {
		t.Errorf("got %+v", f)
	}
	has := func(f control.ProfileField, key string) bool {
		return slices.ContainsFunc(f.Adds, func(a control.ProfileAddition) bool { return a.Key == key })
	}
	if f := at(""); !has(f, "producer") || !has(f, "mix") || has(f, "rate") || !has(f, "cluster") {
		t.Errorf("the top offers %+v", f.Adds)
	}
	if f := at("thresholds[0]"); !has(f, "stage") || !has(f, "abort") || has(f, "metric") {
		t.Errorf("a threshold offers %+v", f.Adds)
	}
}

// TestEverythingThatIsOfferedCanBeAdded: whatever the screen offers leads to a text that is YAML, and what it begins with is a
// value that the format takes (what else it then needs is told as a problem elsewhere).
func TestEverythingThatIsOfferedCanBeAdded(t *testing.T) {
	d := open(t)
	p, err := d.Read("mine")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, f := range p.Fields {
		for _, a := range f.Adds {
			op, path := "put", a.Path
			if a.Key == "" {
				op, path = "add", f.Path
			} else if a.Kind == "value" {
				op = "set"
			}
			got, err := d.Edit(Edit{Name: "mine", Text: mine, Op: op, Path: path, Value: a.Start})
			if err != nil {
				t.Errorf("%s: %v", a.Path, err)
				continue
			}
			seen++
			if a.Start == "" {
				continue // a text, which the user has to give
			}
			if len(got.Fields) <= len(p.Fields)-1 || got.At == "" {
				t.Errorf("%s: nothing was added:\n%s", a.Path, got.Text)
			}
			for _, bad := range got.Problems {
				if strings.Contains(bad.Message, "unknown key") || strings.HasPrefix(bad.Message, "expected a ") || strings.Contains(bad.Message, "not YAML") {
					t.Errorf("%s begins with %q: %v", a.Path, a.Start, bad.Message)
				}
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d additions", seen)
	}
}

func TestEditTellsWhatIsWrongWithTheValue(t *testing.T) {
	d := open(t)
	p, err := d.Edit(Edit{Name: "mine", Text: mine, Op: "set", Path: "rate.stages[1].target", Value: "fast"})
	if err != nil {
		t.Fatal(err)
	}
	if p.Edited == nil || p.Edited.Line != 8 || p.Edited.Col != 45 || !strings.Contains(p.Edited.Message, `"fast" is no rate`) || !strings.HasSuffix(p.Edited.File, "profiles/mine.yaml") {
		t.Errorf("got %+v", p.Edited)
	}
	p, err = d.Edit(Edit{Name: "mine", Text: mine, Op: "set", Path: "rate.stages[1].target", Value: "2k/s"})
	if err != nil || p.Edited != nil || len(p.Problems) > 0 {
		t.Fatalf("got %+v, %v", p, err)
	}
	if want := strings.Replace(mine, "duration: 25s, target: 1k/s", "duration: 25s, target: 2k/s", 1); p.Text != want {
		t.Errorf("got\n%s", p.Text)
	}
	if b, err := os.ReadFile(filepath.Join(d.project.ProfilesDir(), "mine.yaml")); err != nil || string(b) != mine {
		t.Error("an edit has written the file")
	}
	if _, err = d.Edit(Edit{Name: "mine", Text: "name: [\n", Op: "set", Path: "name", Value: "x"}); err == nil || !strings.Contains(err.Error(), "profiles/mine.yaml:1:7: this is not YAML") {
		t.Errorf("a change of a text that is no YAML: %v", err)
	}
	if p, err = d.Edit(Edit{Name: "mine", Text: "a: [", Op: ""}); err != nil || len(p.Problems) != 1 || p.Problems[0].Line == 0 || p.Fields != nil {
		t.Errorf("a text that is no YAML: %+v, %v", p, err)
	}
}

func TestSaveIsCompareAndSet(t *testing.T) {
	d := open(t)
	file := filepath.Join(d.project.ProfilesDir(), "mine.yaml")
	p, err := d.Read("mine")
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(mine, "25s", "26s", 1)
	saved, err := d.Save(SaveArgs{Name: "mine", Text: changed, Hash: p.Hash})
	if err != nil || saved.Text != changed || saved.Hash == p.Hash {
		t.Fatalf("got %+v, %v", saved, err)
	}
	if _, err := d.Save(SaveArgs{Name: "mine", Text: mine, Hash: p.Hash}); err == nil || !strings.Contains(err.Error(), "has changed on disk") || hint(err) == "" {
		t.Errorf("an old hash: %v", err)
	}
	if _, err := d.Save(SaveArgs{Name: "mine", Text: mine}); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("a new file over an old one: %v", err)
	}
	if b, _ := os.ReadFile(file); string(b) != changed {
		t.Errorf("the file is %q", b)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Save(SaveArgs{Name: "mine", Text: mine, Hash: saved.Hash}); err == nil || !strings.Contains(err.Error(), "gone from the disk") {
		t.Errorf("a file that is gone: %v", err)
	}
	var e *cli.Error
	if _, err := d.Save(SaveArgs{Name: "mine", Text: strings.Replace(mine, "25s", "long", 1)}); !errors.As(err, &e) || !strings.Contains(err.Error(), "profiles/mine.yaml:8:32: ") {
		t.Errorf("a profile that cannot run: %v", err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("it was written")
	}
}

func TestAShippedProfileIsSavedAsACopy(t *testing.T) {
	d := open(t)
	if err := os.RemoveAll(d.project.ProfilesDir()); err != nil {
		t.Fatal(err)
	}
	p, err := d.Read("smoke")
	if err != nil || !p.Shipped || p.Hash != "" {
		t.Fatalf("got %+v, %v", p, err)
	}
	saved, err := d.Save(SaveArgs{Name: "my-smoke", Text: p.Text, Rename: true})
	if err != nil || saved.Shipped || saved.Text != strings.Replace(p.Text, "name: smoke", "name: my-smoke", 1) {
		t.Fatalf("got %+v, %v", saved, err)
	}
	left, err := os.ReadDir(d.project.ProfilesDir())
	if err != nil || len(left) != 1 || left[0].Name() != "my-smoke.yaml" {
		t.Errorf("the folder has %v, %v", left, err)
	}
}

// TestOneOfManySavesWins: of many that have read the same text, one is saved, whole; the others are told.
func TestOneOfManySavesWins(t *testing.T) {
	d := open(t)
	p, err := d.Read("mine")
	if err != nil {
		t.Fatal(err)
	}
	var won sync.Map
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			other := New(d.project) // another server of the same project
			text := strings.Replace(mine, "max: 250", "max: "+strings.Repeat("9", i+1), 1)
			if _, err := other.Save(SaveArgs{Name: "mine", Text: text, Hash: p.Hash}); err == nil {
				won.Store(text, true)
			}
		})
	}
	wg.Wait()
	b, err := os.ReadFile(filepath.Join(d.project.ProfilesDir(), "mine.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	won.Range(func(text, _ any) bool {
		n++
		if text != string(b) {
			t.Errorf("the file is not what the winner saved:\n%s", b)
		}
		return true
	})
	if n != 1 {
		t.Errorf("%d saves were told that they won, want 1", n)
	}
}

func TestPreviewOfEveryProfileThatComesWithWeir(t *testing.T) {
	d := open(t)
	all, err := d.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		v, err := d.Preview(t.Context(), PreviewArgs{Name: p.Name, Samples: 2})
		if err != nil || v.Error != "" {
			t.Errorf("%s: %v %s", p.Name, err, v.Error)
			continue
		}
		var sum int64
		for _, b := range v.Sizes {
			sum += b.Count
		}
		if v.Hash != p.Hash || sum == 0 || len(v.Samples) == 0 || v.Samples[0].Record == "" || v.Messages == 0 || v.Bytes == 0 {
			t.Errorf("%s: %+v", p.Name, v)
		}
		if len(v.Curve) > 0 && (v.Peak <= 0 || v.PeakB <= v.Peak || v.Cores <= 0) {
			t.Errorf("%s needs %g messages/s, %g bytes/s, %g cores", p.Name, v.Peak, v.PeakB, v.Cores)
		}
	}
	v, err := d.Preview(t.Context(), PreviewArgs{Name: "mine", Text: strings.Replace(mine, "25s", "long", 1)})
	if err != nil || !strings.Contains(v.Error, "profiles/mine.yaml:8:32: ") {
		t.Errorf("a profile that cannot run: %+v, %v", v, err)
	}
}

func TestVerbsRefuseWhatTheyDoNotKnow(t *testing.T) {
	verbs := open(t).Verbs()
	for name, args := range map[string]string{
		control.VerbProfileRead: `{"name": "mine", "file": "/etc/passwd"}`, control.VerbLoadStart: `{"profile": "mine", "args": ["--x"]}`,
		control.VerbProfileEdit: `{"name": "mine", "text": "a: 1", "op": "eval"}`, control.VerbProfileSave: `[]`,
	} {
		if out, err := verbs[name](t.Context(), json.RawMessage(args)); err == nil {
			t.Errorf("%s %s: %v", name, args, out)
		}
	}
}
