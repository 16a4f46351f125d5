package main

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir/internal/fake/ci"
	"weir/internal/regress"
)

// gate is a repository with the examples of CI. Its build makes a loadgen that judges runs which are there already: those of a
// branch are as the file `speed` says. (test/real has pipelines that are really slower.)
func gate(t *testing.T) *ci.Site {
	t.Helper()
	prepared := t.TempDir()
	for name, worse := range map[string]float64{"same": 0, "slow": 0.3} {
		dir := filepath.Join(prepared, name)
		b, err := json.Marshal(regress.Comparison{Profile: "ci-compare", Runs: runs(7, "p99", worse)})
		if err == nil {
			err = os.Mkdir(dir, 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, comparisonFile), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	s := ci.Checkout(t, "../../examples/ci", "ci/performance", map[string]string{
		"speed":      "same",
		".gitignore": "performance/\n.weir/\n",
		"build":      fmt.Sprintf("#!/bin/sh\nprintf '#!/bin/sh\\nWEIR_TEST_ACTS_AS=loadgen exec %s \"$@\" --from %s/%%s\\n' \"$(cat speed)\" >\"$OUT/loadgen\"\nchmod +x \"$OUT/loadgen\"\n", os.Args[0], prepared),
	})
	s.Env["BUILD"] = "./build"
	return s
}

type failures struct {
	Failures int `xml:"failures,attr"`
	Suites   []struct {
		Cases []struct {
			Name string `xml:"name,attr"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

func (f *failures) read(t *testing.T, path string) {
	t.Helper()
	*f = failures{}
	b, err := os.ReadFile(path)
	if err == nil {
		err = xml.Unmarshal(b, f)
	}
	if err != nil || len(f.Suites) != 1 || len(f.Suites[0].Cases) < 8 {
		t.Fatalf("%s: %v\n%s", path, err, b)
	}
}

const marker = "<!-- loadgen:ci-compare -->\n"

// The GitHub workflow as it is shipped: a slower branch fails with loadgen's own exit code, with a summary, annotations, a JUnit file
// and a comment; the fix passes and replaces the comment.
func TestTheGitHubWorkflow(t *testing.T) {
	t.Parallel()
	s := gate(t)
	s.Say("a comment of a person")
	began := s.Head("main")
	s.Branch("fix")
	s.Commit(map[string]string{"speed": "slow"})
	s.Branch("main")
	s.Commit(map[string]string{"later": "not this branch's fault"})
	s.Branch("fix")
	run := func() ci.Job {
		return s.GitHub("ci/performance/github/performance.yml", map[string]string{
			"github.event.pull_request.base.sha": s.Head("main"), "github.token": "secret", "github.repository": "owner/name", "github.event.pull_request.number": "7",
		})
	}
	job := run()
	if job.Code != exitRegression || job.Failed != "Compare" || !strings.Contains(job.Output, "baseline "+began[:7]) {
		t.Fatalf("a slower branch: %q ends with %d\n%s", job.Failed, job.Code, job.Output)
	}
	if !strings.HasPrefix(job.Summary, marker) || !strings.Contains(job.Summary, "p99 30.0 % worse") || strings.Count(job.Summary, marker) != 1 {
		t.Errorf("the summary is\n%s", job.Summary)
	}
	if !strings.Contains(job.Output, "\n::error title=loadgen ci-compare p99::p99 30.0 %25 worse") {
		t.Errorf("no annotation in\n%s", job.Output)
	}
	if want := []string{"performance/benchmark.json", "performance/junit.xml", "performance/metrics.txt", "performance/report.html"}; !slices.Equal(job.Artifacts, want) {
		t.Errorf("artifacts %v, want %v", job.Artifacts, want)
	}
	var junit failures
	if junit.read(t, filepath.Join(s.Dir, "performance/junit.xml")); junit.Failures != 1 {
		t.Errorf("%d failures in JUnit, want 1", junit.Failures)
	}
	all, done := s.Comments()
	if len(all) != 2 || !strings.HasPrefix(all[1].Body, marker) || !strings.Contains(all[1].Body, "regressed") || done[len(done)-1] != "POST" {
		t.Fatalf("comments %v after %v", all, done)
	}

	s.Commit(map[string]string{"speed": "same"})
	if job = run(); job.Code != 0 || !strings.Contains(job.Summary, "unchanged") {
		t.Errorf("the fix: %q ends with %d\n%s", job.Failed, job.Code, job.Output)
	}
	if junit.read(t, filepath.Join(s.Dir, "performance/junit.xml")); junit.Failures != 0 {
		t.Errorf("%d failures in JUnit, want none", junit.Failures)
	}
	all, done = s.Comments()
	if len(all) != 2 || !strings.Contains(all[1].Body, "unchanged") || all[0].Body != "a comment of a person" || done[len(done)-1] != "PATCH 2" {
		t.Errorf("comments %v after %v", all, done)
	}
}

// A build that does not compile is no regression: nothing is compared, and nobody is told a verdict.
func TestTheGitHubWorkflowOfABrokenBuild(t *testing.T) {
	t.Parallel()
	s := gate(t)
	s.Branch("fix")
	s.Commit(map[string]string{"build": "#!/bin/sh\necho no such package >&2\nexit 1\n"})
	job := s.GitHub("ci/performance/github/performance.yml", map[string]string{
		"github.event.pull_request.base.sha": s.Head("main"), "github.token": "secret", "github.repository": "owner/name", "github.event.pull_request.number": "7",
	})
	if all, _ := s.Comments(); job.Code != 1 || job.Failed != "Build both" || job.Summary != "" || len(all) != 0 {
		t.Errorf("%q ends with %d, %d comments\n%s", job.Failed, job.Code, len(all), job.Output)
	}
}

// GitLab's job: JUnit and metrics reports, and a note that is replaced where a token allows it.
func TestTheGitLabJob(t *testing.T) {
	t.Parallel()
	s := gate(t)
	s.Branch("fix")
	s.Commit(map[string]string{"speed": "slow"})
	run := func(token string) ci.Job {
		return s.GitLab("ci/performance/gitlab/performance.yml", map[string]string{
			"CI_MERGE_REQUEST_DIFF_BASE_SHA": s.Head("main"), "CI_API_V4_URL": "https://gitlab.example.org/api/v4", "CI_PROJECT_ID": "5", "CI_MERGE_REQUEST_IID": "7", "GITLAB_TOKEN": token,
		})
	}
	job := run("")
	if all, _ := s.Comments(); job.Code != exitRegression || len(all) != 0 || !strings.Contains(job.Output, "no GITLAB_TOKEN") || strings.Contains(job.Output, "::error") {
		t.Fatalf("without a token: %d, %d notes\n%s", job.Code, len(all), job.Output)
	}
	if want := []string{"performance/junit.xml", "performance/metrics.txt", "performance/report.html"}; !slices.Equal(job.Artifacts, want) {
		t.Errorf("artifacts %v, want %v", job.Artifacts, want)
	}
	metrics, err := os.ReadFile(filepath.Join(s.Dir, "performance/metrics.txt"))
	if err != nil || !strings.Contains(string(metrics), `loadgen_change_ratio{profile="ci-compare",metric="p99",bound="estimate"} 0.3`) {
		t.Errorf("metrics: %v\n%s", err, metrics)
	}
	for i, want := range []string{"POST", "PUT 1"} {
		job = run("secret")
		if all, done := s.Comments(); job.Code != exitRegression || len(all) != 1 || !strings.HasPrefix(all[0].Body, marker) || done[i] != want {
			t.Errorf("time %d: %d, notes %v after %v\n%s", i+1, job.Code, all, done, job.Output)
		}
	}
}
