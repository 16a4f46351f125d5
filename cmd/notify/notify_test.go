package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"weir/internal/cli"
	"weir/internal/fake"
	"weir/internal/ledger"
	"weir/internal/outcome"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"notify": main})
}

// Each script in testdata is a story that somebody types.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", Setup: func(env *testscript.Env) error {
		slack := fake.NewSlack("xoxb-right")
		env.Defer(slack.Close)
		env.Setenv("SLACK_URL", slack.URL())
		return nil
	}})
}

// run starts the program inside the test.
func run(ctx context.Context, home string, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = cli.Run(ctx, "notify", cli.Env{Args: append(args, "--home", home), Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs,
		Getenv: func(string) string { return "" }}, newCommand)
	return code, out.String(), errs.String()
}

func TestServeTakesOverFromTheLedgerAndFromHTTP(t *testing.T) {
	home := t.TempDir()
	l, err := ledger.Open(t.Context(), filepath.Join(home, "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Start(t.Context(), ledger.Run{RunID: "r1", Job: "daily_totals"}); err != nil {
		t.Fatal(err)
	}
	if err := l.Finish(t.Context(), "r1", outcome.Outcome{State: outcome.Ready}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	pr := &watched{seen: make(chan string, 1)}
	done := make(chan int, 1)
	go func() {
		done <- cli.Run(ctx, "notify", cli.Env{Args: []string{"serve", "--listen", "127.0.0.1:0", "--home", home, "--json"}, Stdout: &pr.out, Stderr: pr,
			Getenv: func(string) string { return "" }}, newCommand)
	}()
	url := <-pr.seen
	body, err := json.Marshal(outcome.FromOutcome(outcome.Outcome{RunID: "r2", Job: "spark_job", State: outcome.Failed, At: time.Now()}))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(url, "application/json", bytes.NewReader(body))
	if err != nil || resp.StatusCode != http.StatusAccepted {
		t.Fatalf("%v %v", resp, err)
	}
	resp.Body.Close()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(5 * time.Second); ; <-tick.C {
		b, _ := os.ReadFile(filepath.Join(home, "notifications.txt"))
		if strings.Contains(string(b), "READY  daily_totals") && strings.Contains(string(b), "FAILED  spark_job") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("told so far:\n%s", b)
		}
	}
	stop()
	if code := <-done; code != 0 || !strings.Contains(pr.out.String(), `"sent":2`) {
		t.Errorf("exit %d: %s", code, pr.out.String())
	}
	if left, err := l.Unreported(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("the ledger still has %v, %v", left, err)
	}
}

// watched finds the address in what the program says on stderr.
type watched struct {
	out  bytes.Buffer
	seen chan string
	once bool
}

var address = regexp.MustCompile(`https?://\S+`)

func (w *watched) Write(b []byte) (int, error) {
	if m := address.Find(b); m != nil && !w.once {
		w.once = true
		w.seen <- string(m)
	}
	return len(b), nil
}

func TestJSONIsTheLastLineOfStdout(t *testing.T) {
	home := t.TempDir()
	for _, args := range [][]string{
		{"emit", "--job", "j", "--state", "ready", "--json"}, {"outbox", "--json"}, {"explain", "j", "--json"}, {"check", "--json"},
		{"preview", "--job", "j", "--state", "failed", "--json"}, {"test", "console", "--json"}, {"doctor", "--json"}, {"explain", "nope", "--json"},
	} {
		_, out, errs := run(t.Context(), home, args...)
		lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		var v map[string]any
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &v); err != nil || len(lines) != 1 {
			t.Errorf("%v: %v\nstdout %s\nstderr %s", args, err, out, errs)
		}
	}
}
