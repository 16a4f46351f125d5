// Package ci runs the jobs of GitHub and GitLab as their runners do, without them: the scripts of a workflow file in a checkout, and a
// `gh` and a `curl` that remember the comments which a job makes.
//
// Start with [Checkout], then [Site.GitHub] or [Site.GitLab]. What a runner would download (`uses:`) is not run.
package ci

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// A Site is a checkout on a runner, and the forge that it talks to.
type Site struct {
	t     testing.TB
	Dir   string            // the checkout
	Env   map[string]string // of every step, in place of what the file says
	bin   string
	store string
}

// Checkout makes a repository with files and commits them to main; scripts are copied into it. The programs gh, curl and jq of the
// site are what its scripts find.
func Checkout(t testing.TB, scripts, into string, files map[string]string) *Site {
	t.Helper()
	for _, tool := range []string{"git", "bash", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the scripts of a runner need %s", tool)
		}
	}
	s := &Site{t: t, Dir: t.TempDir(), bin: t.TempDir(), store: t.TempDir(), Env: map[string]string{}}
	for name, text := range map[string]string{"gh": gh, "curl": curl} {
		if err := os.WriteFile(filepath.Join(s.bin, name), []byte(text), 0o700); err != nil { //nolint:gosec // a program
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(filepath.Join(s.Dir, into), os.DirFS(scripts)); err != nil {
		t.Fatal(err)
	}
	s.git("init", "--quiet", "--initial-branch", "main")
	s.Commit(files)
	return s
}

// Commit writes files and commits them.
func (s *Site) Commit(files map[string]string) {
	s.t.Helper()
	for name, text := range files {
		path := filepath.Join(s.Dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			s.t.Fatal(err)
		}
		mode := os.FileMode(0o600)
		if strings.HasPrefix(text, "#!") {
			mode = 0o700
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			s.t.Fatal(err)
		}
	}
	s.git("add", "--all")
	s.git("commit", "--quiet", "--allow-empty", "--message", "change")
}

// Branch begins a branch, or goes back to one.
func (s *Site) Branch(name string) {
	s.t.Helper()
	if err := s.command("git", "rev-parse", "--verify", "--quiet", name).Run(); err == nil {
		s.git("checkout", "--quiet", name)
		return
	}
	s.git("checkout", "--quiet", "-b", name)
}

// Head is the commit of a branch.
func (s *Site) Head(branch string) string { return strings.TrimSpace(s.git("rev-parse", branch)) }

func (s *Site) git(args ...string) string {
	s.t.Helper()
	c := s.command("git", args...)
	out, err := c.CombinedOutput()
	if err != nil {
		s.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (s *Site) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Dir = s.Dir
	c.Env = []string{"PATH=" + s.bin + ":" + os.Getenv("PATH"), "HOME=" + s.bin, "CI=true", "STORE=" + s.store, "GIT_CONFIG_NOSYSTEM=1", "TMPDIR=" + os.TempDir()}
	for _, who := range []string{"AUTHOR", "COMMITTER"} {
		c.Env = append(c.Env, "GIT_"+who+"_NAME=a", "GIT_"+who+"_EMAIL=a@example.org")
	}
	return c
}

// bash runs a script as a runner does.
func (s *Site) bash(script string, env map[string]string, out *bytes.Buffer) int {
	s.t.Helper()
	c := s.command("bash", "-euo", "pipefail", "-c", script)
	for _, k := range slices.Sorted(maps.Keys(env)) {
		c.Env = append(c.Env, k+"="+env[k])
	}
	for _, k := range slices.Sorted(maps.Keys(s.Env)) {
		c.Env = append(c.Env, k+"="+s.Env[k])
	}
	c.Stdout, c.Stderr = out, out
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return c.ProcessState.ExitCode()
}

// A Job is what became of one.
type Job struct {
	Code      int // of the step that failed, or 0
	Failed    string
	Output    string
	Summary   string
	Artifacts []string // that were asked for, as far as they are there
}

type step struct {
	Name, ID, If, Uses, Run string
	Env                     map[string]string
	With                    map[string]any
	Goes                    bool `yaml:"continue-on-error"`
}

var expression = regexp.MustCompile(`\$\{\{\s*([^}]*?)\s*\}\}`)

// GitHub runs the only job of a workflow. about is what its expressions mean: github.repository → owner/name.
func (s *Site) GitHub(workflow string, about map[string]string) Job {
	s.t.Helper()
	var w struct {
		Env  map[string]string
		Jobs map[string]struct {
			Env   map[string]string
			Steps []step
		}
	}
	s.read(workflow, &w)
	about = maps.Clone(about)
	fill := func(text string) string {
		return expression.ReplaceAllStringFunc(text, func(m string) string {
			name := expression.FindStringSubmatch(m)[1]
			v, ok := about[name]
			if !ok {
				s.t.Fatalf("%s: nobody says what ${{ %s }} is", workflow, name)
			}
			return v
		})
	}
	if len(w.Jobs) != 1 {
		s.t.Fatalf("%s: %d jobs, want one", workflow, len(w.Jobs))
	}
	var job Job
	var out bytes.Buffer
	summary := filepath.Join(s.bin, "summary.md")
	_ = os.Remove(summary)
	for _, j := range w.Jobs {
		for i, x := range j.Steps {
			if !s.runs(x.If, job.Code != 0, about) {
				continue
			}
			if x.Uses != "" {
				if strings.HasPrefix(x.Uses, "actions/upload-artifact") {
					job.Artifacts = append(job.Artifacts, s.found(strings.Fields(fmt.Sprint(x.With["path"])))...)
				}
				continue
			}
			outputs := filepath.Join(s.bin, fmt.Sprintf("output-%d", i))
			_ = os.Remove(outputs)
			env := map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": summary, "GITHUB_OUTPUT": outputs, "GITHUB_EVENT_NAME": "pull_request"}
			for _, more := range []map[string]string{w.Env, j.Env, x.Env} {
				for k, v := range more {
					env[k] = fill(v)
				}
			}
			code := s.bash(fill(x.Run), env, &out)
			if b, err := os.ReadFile(outputs); err == nil {
				for _, l := range strings.Split(strings.TrimSpace(string(b)), "\n") {
					k, v, _ := strings.Cut(l, "=")
					about["steps."+x.ID+".outputs."+k] = v
				}
			}
			if code != 0 && job.Code == 0 && !x.Goes {
				job.Code, job.Failed = code, x.Name
			}
		}
	}
	job.Output = out.String()
	if b, err := os.ReadFile(summary); err == nil {
		job.Summary = string(b)
	}
	return job
}

// runs decides an `if:` of the few forms that our workflows have.
func (s *Site) runs(condition string, failed bool, about map[string]string) bool {
	if condition == "" {
		return !failed
	}
	always := false
	for _, part := range strings.Split(condition, "&&") {
		part = strings.TrimSpace(part)
		name, is := strings.CutSuffix(part, " != ''")
		switch {
		case part == "always()":
			always = true
		case is:
			if about[name] == "" {
				return false
			}
		default:
			s.t.Fatalf("if: %s: this runner does not know %q", condition, part)
		}
	}
	return always || !failed
}

// GitLab runs the only job of a file with GitLab's own variables.
func (s *Site) GitLab(file string, variables map[string]string) Job {
	s.t.Helper()
	var jobs map[string]struct {
		Variables map[string]string
		Script    []string
		After     []string `yaml:"after_script"`
		Artifacts struct {
			When    string
			Paths   []string
			Reports map[string]string
		}
	}
	s.read(file, &jobs)
	if len(jobs) != 1 {
		s.t.Fatalf("%s: %d jobs, want one", file, len(jobs))
	}
	var job Job
	var out bytes.Buffer
	for name, j := range jobs {
		env := maps.Clone(variables)
		maps.Copy(env, j.Variables)
		env["GITLAB_CI"] = "true"
		if job.Code = s.bash(strings.Join(j.Script, "\n"), env, &out); job.Code != 0 {
			job.Failed = name
		}
		if code := s.bash(strings.Join(j.After, "\n"), env, &out); code != 0 { // it decides nothing, and is no less wrong
			s.t.Errorf("%s: after_script ends with %d\n%s", file, code, out.String())
		}
		if j.Artifacts.When == "always" || job.Code == 0 {
			job.Artifacts = s.found(append(slices.Sorted(maps.Values(j.Artifacts.Reports)), j.Artifacts.Paths...))
		}
	}
	job.Output = out.String()
	return job
}

func (s *Site) read(file string, into any) {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.Dir, file))
	if err == nil {
		err = yaml.Unmarshal(b, into)
	}
	if err != nil {
		s.t.Fatalf("%s: %v", file, err)
	}
}

// found are the files that are there.
func (s *Site) found(paths []string) []string {
	var all []string
	for _, p := range paths {
		m, err := filepath.Glob(filepath.Join(s.Dir, p))
		if err != nil {
			s.t.Fatal(err)
		}
		for _, f := range m {
			all = append(all, strings.TrimPrefix(f, s.Dir+"/"))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// A Comment of the forge.
type Comment struct {
	ID   int    `json:"id"`
	Body string `json:"body"`
}

// Comments are those under the request, and what was done to them: "POST", "PATCH 1".
func (s *Site) Comments() (all []Comment, done []string) {
	s.t.Helper()
	files, err := filepath.Glob(filepath.Join(s.store, "*.json"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range files {
		var c Comment
		b, err := os.ReadFile(f)
		if err == nil {
			err = json.Unmarshal(b, &c)
		}
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, c)
	}
	if b, err := os.ReadFile(filepath.Join(s.store, "log")); err == nil {
		done = strings.Split(strings.TrimSpace(string(b)), "\n")
	}
	return all, done
}

// Say puts somebody's comment there.
func (s *Site) Say(body string) {
	s.t.Helper()
	if code := s.bash(`put POST "$BODY"`, map[string]string{"BODY": body, "BASH_ENV": s.functions()}, &bytes.Buffer{}); code != 0 {
		s.t.Fatalf("a comment: %d", code)
	}
}

func (s *Site) functions() string {
	path := filepath.Join(s.bin, "forge.bash")
	if err := os.WriteFile(path, []byte(forge), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}
