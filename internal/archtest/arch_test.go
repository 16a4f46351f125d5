// Package archtest holds the rules of ARCHITECTURE.md and CONTRIBUTING.md as tests: who may import whom, and habits that a
// reader would otherwise have to watch for.
package archtest

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// pkg is what `go list` says of a package, without the module's name.
type pkg struct {
	ImportPath, Dir, Doc               string
	GoFiles, TestGoFiles, XTestGoFiles []string
	Imports, TestImports, XTestImports []string
	name                               string // internal/lake
}

func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Doc,GoFiles,TestGoFiles,XTestGoFiles,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		p.name = strings.TrimPrefix(p.ImportPath, "weir/")
		all = append(all, p)
	}
}

// ours keeps the imports of this module.
func ours(imports []string) []string {
	var out []string
	for _, i := range imports {
		if r, ok := strings.CutPrefix(i, "weir/"); ok {
			out = append(out, r)
		}
	}
	return out
}

// floors are the layers of the house, from the ground up: a room imports rooms of lower floors only, and of its own floor only
// those named in neighbours.
var floors = [][]string{
	{"internal/config", "internal/telemetry", "internal/stamp", "internal/scale", "internal/freshness", "internal/regress", "internal/search", "internal/produce", "internal/calendar", "internal/protocol", "internal/fault", "profiles"},
	{"internal/cli", "internal/storage", "internal/schedule", "internal/tlsfile"},
	{"internal/emr", "internal/db", "internal/avro", "internal/kafka", "internal/lake", "internal/landing", "internal/engine"},
	{"internal/registry", "internal/quarantine", "internal/audit", "internal/outcome", "internal/content"},
	{"internal/ledger", "internal/job", "internal/project", "internal/control"},
	{"minibatch"},
	{"internal/topic"},
	{"minibatch/files", "minibatch/kafka", "minibatch/table", "minibatch/minibatchtest"},
	{"internal/load", "internal/verify", "internal/ingest", "internal/report", "internal/etl", "internal/notify", "internal/airflow", "internal/spark", "internal/workers"},
	{"notify", "internal/show", "internal/desk", "internal/prove", "internal/results", "internal/notify/intake"},
	{"tui"},
	{"cmd", "examples"},
}

// strangers must not know of each other or of more than is listed; the floors alone would allow it.
var only = map[string][]string{
	"minibatch":         {},
	"minibatch/files":   {"minibatch", "internal/storage", "internal/config"},
	"tui":               {"tui", "internal/control"},
	"internal/control":  {"internal/cli"},
	"internal/desk":     {"internal/control", "internal/load", "internal/content", "internal/project", "internal/registry", "internal/search", "internal/config", "internal/cli", "profiles"},
	"internal/content":  {"internal/config"},
	"internal/load":     {"internal/produce", "internal/config", "internal/cli", "internal/content", "internal/stamp", "internal/kafka", "internal/avro", "internal/registry", "internal/telemetry"},
	"internal/verify":   {"internal/lake", "internal/avro", "internal/quarantine", "internal/stamp"},
	"internal/notify":   {"internal/notify", "internal/calendar", "internal/config", "internal/cli", "internal/db", "internal/outcome"},
	"notify":            {"internal/notify", "internal/outcome"},
	"internal/report":   {"internal/config", "internal/cli", "internal/engine", "internal/lake", "minibatch"},
	"internal/lake":     {"internal/fault", "internal/protocol", "internal/config", "internal/cli", "internal/storage", "internal/schedule", "internal/tlsfile"},
	"internal/storage":  {"internal/fault", "internal/config"},
	"internal/landing":  {"internal/storage"},
	"internal/airflow":  {},
	"internal/spark":    {"internal/cli"},
	"internal/emr":      {"internal/config", "internal/cli"},
	"examples":          {"minibatch"},
	"internal/topic":    {"internal/protocol", "internal/cli", "internal/kafka", "minibatch"},
	"internal/etl":      {"internal/config", "internal/cli", "internal/engine", "internal/lake", "internal/quarantine", "minibatch"},
	"internal/avro":     {},
	"internal/config":   {},
	"internal/tlsfile":  {"internal/config"},
	"internal/stamp":    {},
	"internal/scale":    {},
	"internal/protocol": {},
	"internal/fault":    {},
	"internal/audit":    {"internal/lake"},
	"internal/regress":  {},
	"internal/results":  {"internal/load", "internal/verify", "internal/regress", "internal/config", "internal/outcome"},
	"internal/search":   {},
	"internal/workers":  {"internal/scale"},
	"internal/outcome":  {},
	"internal/calendar": {},
	"internal/engine":   {"internal/cli"},
	"internal/ledger":   {"internal/db", "internal/outcome", "internal/cli"},
	"internal/project":  {"internal/config", "internal/cli", "internal/emr", "internal/kafka", "internal/registry", "internal/lake", "internal/storage"},
	"internal/job":      {"internal/config", "internal/cli", "internal/schedule"},
	"internal/schedule": {"internal/config"},

	"internal/notify/intake": {"internal/notify", "internal/cli", "internal/outcome", "internal/kafka"},
}

func within(room, of string) bool { return room == of || strings.HasPrefix(room, of+"/") }

// floorOf is the floor of the room that names a package closest: minibatch/kafka stands above minibatch.
func floorOf(name string) int {
	room := roomOf(name)
	return slices.IndexFunc(floors, func(f []string) bool { return slices.Contains(f, room) })
}

func roomOf(name string) string {
	room := name
	best := 0
	for _, f := range floors {
		for _, r := range f {
			if within(name, r) && len(r) > best {
				room, best = r, len(r)
			}
		}
	}
	return room
}

func TestImportsGoDown(t *testing.T) {
	for _, p := range list(t) {
		if strings.HasSuffix(p.name, "test") || within(p.name, "internal/fake") || within(p.name, "test") || strings.Contains(p.name, "testdata") {
			continue
		}
		at := floorOf(p.name)
		if at < 0 {
			t.Errorf("%s has no floor: name it in floors here and in ARCHITECTURE.md", p.name)
			continue
		}
		for _, i := range ours(p.Imports) {
			switch to := floorOf(i); {
			case within(i, "internal/fake"):
				if !strings.HasSuffix(p.name, "test") {
					t.Errorf("%s imports %s: only tests may", p.name, i)
				}
			case to < 0:
				t.Errorf("%s imports %s, which has no floor", p.name, i)
			case to > at, to == at && roomOf(i) != roomOf(p.name):
				t.Errorf("%s imports %s: imports go down, never sideways or up", p.name, i)
			}
			if allowed, ok := only[roomOf(p.name)]; ok && roomOf(i) != roomOf(p.name) && !slices.ContainsFunc(allowed, func(a string) bool { return within(i, a) }) {
				t.Errorf("%s imports %s: it must not know of it (ARCHITECTURE.md)", p.name, i)
			}
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for _, p := range list(t) {
		if p.Doc == "" && len(p.GoFiles) > 0 && !strings.Contains(p.name, "testdata") {
			t.Errorf("%s has no package comment", p.name)
		}
	}
}

func TestArchitectureNamesEveryRoom(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, f := range floors {
		for _, r := range f {
			if !strings.Contains(text, "`"+r) && !strings.Contains(text, "`"+strings.TrimPrefix(r, "internal/")+"`") {
				t.Errorf("ARCHITECTURE.md does not name %s", r)
			}
			if _, err := os.Stat(filepath.Join(root, r)); err != nil {
				t.Errorf("floors name %s: %v", r, err)
			}
		}
	}
	for _, m := range regexp.MustCompile("`(internal/[a-z]+)").FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
			t.Errorf("ARCHITECTURE.md names %s, which does not exist", m[1])
		}
	}
}

func TestReadmeHasBothCommands(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []string{"    make demo", "    make test"} {
		if !strings.Contains(string(b), c) {
			t.Errorf("README.md lacks the command%s", c)
		}
	}
}

// A rule about the text of files. in and not are prefixes of paths.
type rule struct {
	name    string
	pattern *regexp.Regexp
	files   func(path string) bool
	unless  string // a line with this is let through
}

func test(path string) bool { return strings.HasSuffix(path, "_test.go") }

func program(path string) bool {
	return !test(path) && !strings.Contains(path, "testdata/") && !strings.HasPrefix(path, "internal/fake/") && !strings.HasPrefix(path, "test/")
}

var rules = []rule{
	{
		"the process (exit, arguments, standard streams) belongs to cmd and internal/cli", regexp.MustCompile(`\bos\.(Exit|Args|Stdout|Stderr|Stdin)\b|\blog\.Fatal`),
		func(p string) bool { return program(p) && !strings.HasPrefix(p, "cmd/") && p != "internal/cli/cli.go" }, "// process:",
	},
	{"a test does not sleep in real time", regexp.MustCompile(`\btime\.Sleep\(`), func(p string) bool { return test(p) }, "// real time:"},
	{"bubbletea, lipgloss and bubbles are v2 (charm.land)", regexp.MustCompile(`"github.com/charmbracelet/(bubbletea|lipgloss|bubbles)`), func(string) bool { return true }, ""},
	{"unfinished work is no comment but a note of its session", regexp.MustCompile(`\b(TODO|FIXME|XXX)\b`), func(p string) bool { return !strings.HasPrefix(p, "internal/archtest/") }, ""},
	{"no path of one machine", regexp.MustCompile(`"/(root|work|home/[a-z]+)/`), func(string) bool { return true }, ""},
}

func TestHabits(t *testing.T) {
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == ".git" || d.Name() == ".weir") {
			return filepath.SkipDir
		}
		if rel, _ := filepath.Rel(root, path); strings.HasSuffix(rel, ".go") {
			return habits(t, path, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func habits(t *testing.T, path, rel string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	virtual := false // within a bubble of testing/synctest
	n := 0
	for s := bufio.NewScanner(f); s.Scan(); {
		n++
		line := s.Text()
		if strings.HasPrefix(line, "func ") {
			virtual = false
		}
		virtual = virtual || strings.Contains(line, "synctest.Test(")
		for _, r := range rules {
			if !r.files(rel) || !r.pattern.MatchString(line) || r.unless != "" && strings.Contains(line, r.unless) {
				continue
			}
			if r.unless == "// real time:" && virtual {
				continue
			}
			t.Errorf("%s:%d: %s: %s", rel, n, r.name, strings.TrimSpace(line))
		}
	}
	if n > 600 {
		t.Errorf("%s has %d lines: is it one idea?", rel, n)
	}
	return nil
}
