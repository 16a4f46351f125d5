package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	mistakeHead = "apiVersion: weir/v1\nkind: LoadProfile\nname: bad\n"
	mistakeGood = mistakeHead + "rate: {stages: [{name: steady, target: 100/s}]}\nvolume: {messages: 10}\ntopic: {name: orders}\n"
)

// told is how a complaint begins: file, line, column.
var complaint = regexp.MustCompile(`^loadgen: error: bad\.yaml:\d+:\d+: .`)

// advice are the words by which a complaint says what was expected, or what to do.
var advice = regexp.MustCompile(`want|expected|did you mean|write|it has|none of|only|give|missing key|there are|fields:|belongs?|no such file|path counts|make|put it|remove|wants?|cannot|second time|not YAML|has no|one of`)

// Each mistake is told with its place, what was expected and what to do; run refuses the file as check does, and both with exit code 2.
func TestBadProfilesAreToldWhatToDo(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(goldens, "mistakes.txt"))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	home := t.TempDir()
	var told strings.Builder
	cases := strings.Split(string(b), "\n=== ")[1:]
	if len(cases) < 70 {
		t.Fatalf("only %d mistakes", len(cases))
	}
	for _, c := range cases {
		name, text, _ := strings.Cut(c, "\n")
		text = strings.NewReplacer("GOOD\n", mistakeGood, "HEAD\n", mistakeHead).Replace(text + "\n")
		if err := os.WriteFile("bad.yaml", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		code, out, errs := loadgen(t.Context(), "check", "bad.yaml", "--home", home)
		again, _, same := loadgen(t.Context(), "run", "bad.yaml", "--home", home)
		if code != 2 || out != "" || again != 2 || same != errs {
			t.Errorf("%s: check ends with %d, run with %d:\n%s%s%s", name, code, again, out, errs, same)
		}
		for _, line := range strings.Split(strings.TrimSpace(errs), "\n") {
			if !complaint.MatchString(line) || !advice.MatchString(line) {
				t.Errorf("%s: no place, or nothing to do: %s", name, line)
			}
		}
		told.WriteString("=== " + name + "\n" + strings.ReplaceAll(errs, "loadgen: error: ", ""))
	}
	file := filepath.Join(goldens, "mistakes.golden")
	if *update {
		if err := os.WriteFile(file, []byte(told.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), told.String()); d != "" {
		t.Errorf("%s (-want +got):\n%s", file, d)
	}
}
