package main

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"weir/internal/load"
)

// Three processes with homes of their own send one run; merged, one proof covers it.
func TestShardsAreMergedAndProven(t *testing.T) {
	home, pr := installation(t)
	k, r, err := pr.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(3 * time.Second).UTC().Truncate(time.Second).Format(time.RFC3339)
	homes, outs := []string{t.TempDir(), t.TempDir(), t.TempDir()}, make([]string, 3)
	var all sync.WaitGroup
	for i, h := range homes {
		all.Go(func() {
			code, out, errs := loadgen(t.Context(), "run", "ci", "--home", h, "--brokers", k.Brokers[0], "--registry", r.URL, "--rate", "3k/s", "--count", "4k", "--topic", "bank.parts",
				"--shard", string(rune('0'+i))+"/3", "--start-at", at, "--json")
			if outs[i] = out; code != 0 {
				t.Errorf("shard %d: exit code %d\n%s", i, code, errs)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
	run := result(t, outs[0])["run"].(string)
	var files []string
	for _, h := range homes {
		mine, err := load.ShardManifests(h, run)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, mine...)
	}
	if code, _, errs := loadgen(t.Context(), "verify", run, "--home", homes[0]); code != 2 || !strings.Contains(errs, "of "+run+" there are 1 shards, not merged yet") {
		t.Errorf("verify of a shard: exit code %d\n%s", code, errs)
	}
	code, out, errs := loadgen(t.Context(), append([]string{"merge", "--home", home, "--json"}, files...)...)
	if sum := result(t, out); code != 0 || sum["sent"] != 4000.0 || sum["senders"] != 3.0 {
		t.Fatalf("merge: exit code %d, %v\n%s", code, sum, errs)
	}
	write(t, pr, "bank.parts", fill(t, pr, "bank.parts", 4000))
	code, out, errs = loadgen(t.Context(), "verify", run, "--home", home, "--json")
	if proof := result(t, out); code != 0 || proof["rows"] != 4000.0 || proof["lost"] != 0.0 || proof["drained"] != true {
		t.Errorf("verify: exit code %d, %v\n%s", code, proof, errs)
	}
	for _, x := range []struct {
		want string
		args []string
	}{
		{"--shard and --start-at belong together", []string{"run", "ci", "--shard", "0/3"}},
		{`--shard: expected i/n such as 0/4, got "third"`, []string{"run", "ci", "--shard", "third", "--start-at", "2099-01-01T00:00:00Z"}},
		{"--shard: expected i/n with i from 0 to n-1", []string{"run", "ci", "--shard", "3/3", "--start-at", "2099-01-01T00:00:00Z"}},
		{"--start-at: expected a time such as ", []string{"run", "ci", "--shard", "0/3", "--start-at", "noon"}},
		{"--start-at: 2020-01-01T00:00:00Z is past", []string{"run", "ci", "--shard", "0/3", "--start-at", "2020-01-01T00:00:00Z"}},
		{"of 3 shards of run " + run + " 1 are missing: 1", []string{"merge", files[0], files[2]}},
		{"no shard of 01NONE is in", []string{"merge", "01NONE"}},
		{"--shards: expected 1 to 10000, got 0", []string{"kubernetes", "ci", "--shards", "0", "--image", "x"}},
	} {
		if code, _, errs := loadgen(t.Context(), append(x.args, "--home", home)...); code != 2 || !strings.Contains(errs, x.want) {
			t.Errorf("%v: exit code %d, want 2\ngot  %swant %s", x.args, code, errs, x.want)
		}
	}
}

// What Kubernetes gets is YAML, runs as many pods as there are shards, and holds a profile that loadgen reads.
func TestTheKubernetesJobIsWhole(t *testing.T) {
	home, _ := installation(t)
	code, out, errs := loadgen(t.Context(), "kubernetes", "average-load", "--shards", "20", "--image", "weir:1", "--home", home)
	if code != 0 {
		t.Fatal(errs)
	}
	var config struct {
		Data map[string]string `yaml:"data"`
	}
	var job struct {
		Spec struct {
			CompletionMode           string `yaml:"completionMode"`
			Completions, Parallelism int
			Template                 struct {
				Spec struct {
					Containers []struct{ Command []string }
				}
			}
		}
	}
	docs := strings.Split(out, "\n---\n")
	if len(docs) != 2 {
		t.Fatalf("%d documents", len(docs))
	}
	if err := yaml.Unmarshal([]byte(docs[0]), &config); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(docs[1]), &job); err != nil {
		t.Fatal(err)
	}
	if _, err := load.Parse("profile.yaml", []byte(config.Data["profile.yaml"])); err != nil {
		t.Errorf("the profile: %v", err)
	}
	s := job.Spec
	if s.CompletionMode != "Indexed" || s.Completions != 20 || s.Parallelism != 20 {
		t.Errorf("got %+v", s)
	}
	command := s.Template.Spec.Containers[0].Command
	at, err := time.Parse(time.RFC3339, command[6])
	if err != nil || time.Until(at) < 2*time.Minute || command[4] != "$(JOB_COMPLETION_INDEX)/20" {
		t.Errorf("command %v, %v", command, err)
	}
}
