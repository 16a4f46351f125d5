//go:build real

package real

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"weir/test/real/parts"
)

// The tests of the outbox, the kill storm among them, with a PostgreSQL in the place of the file.
func TestOutboxKeepsItsPromisesOnPostgres(t *testing.T) {
	cmd := exec.Command("go", "test", "-count=1", "weir/internal/db", "weir/internal/notify", "weir/internal/notify/intake")
	cmd.Env = append(os.Environ(), "WEIR_TEST_POSTGRES="+parts.Postgres(t))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, tail(string(out), 60))
	}
}

func tail(s string, lines int) string {
	all := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// Two machines share one outbox. The one that sends stops as if its machine had stalled; the other takes over within the lease and
// its look-ups, and what wakes up later sends nothing any more.
func TestStandbyTakesOverOnPostgres(t *testing.T) {
	at := parts.Postgres(t)
	var mu sync.Mutex
	got, first := map[string]int{}, time.Time{}
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got[r.Header.Get("Webhook-Id")]++
		if first.IsZero() {
			first = time.Now()
		}
	}))
	defer receiver.Close()
	arrived := func() (n, twice int) {
		mu.Lock()
		defer mu.Unlock()
		for _, k := range got {
			n++
			if k > 1 {
				twice++
			}
		}
		return n, twice
	}
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", bin, "weir/cmd/notify").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	bare := strings.Replace(at, "weir:weir@", "weir@", 1)
	machine := func(name string) string {
		dir := filepath.Join(t.TempDir(), name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for file, text := range map[string]string{
			"weir.yaml":  fmt.Sprintf("apiVersion: weir/v1\nkind: Weir\nnotify: {outbox: %q}\n", bare),
			"units.yaml": fmt.Sprintf("version: 1\nchannels: {hook: {webhook: {url: %q, secret: env:HOOK, receiver_dedups: true}}}\ndefault: [hook]\n", receiver.URL),
		} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	program := func(dir string, args ...string) *exec.Cmd {
		c := exec.Command(filepath.Join(bin, "notify"), args...)
		c.Dir, c.Env = dir, append(os.Environ(), "PGPASSWORD=weir", "HOOK=whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 32)))
		return c
	}
	serve := func(dir string) *exec.Cmd {
		c := program(dir, "serve")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = c.Process.Kill()
			_ = c.Wait()
		})
		return c
	}
	a, b := machine("a"), machine("b")
	sent := 0
	emit := func(n int) {
		t.Helper()
		for range n {
			sent++
			cmd := program(b, "emit", "--no-send", "--json", "--job", fmt.Sprintf("job%d", sent), "--run", fmt.Sprintf("r%d", sent), "--state", "ready")
			stop := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() }) // a stalled sender must not keep it waiting
			out, err := cmd.CombinedOutput()
			stop.Stop()
			if err != nil || !json.Valid(out) {
				t.Fatalf("%v: %s", err, out)
			}
		}
	}
	await := func(within time.Duration) {
		t.Helper()
		for end := time.Now().Add(within); ; time.Sleep(50 * time.Millisecond) { // real time: programs
			n, twice := arrived()
			if n == sent && twice == 0 {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%d of %d messages have arrived, %d of them twice", n, sent, twice)
			}
		}
	}
	leader := serve(a)
	emit(5)
	await(20 * time.Second)
	serve(b)
	if err := leader.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	first = time.Time{}
	mu.Unlock()
	stopped := time.Now()
	emit(10)
	await(40 * time.Second)
	mu.Lock()
	took := first.Sub(stopped)
	mu.Unlock()
	t.Logf("taken over after %v", took.Round(100*time.Millisecond))
	if took > 22*time.Second { // the lease is 15 s
		t.Errorf("taken over after %v", took)
	}
	if err := leader.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	emit(10)
	await(20 * time.Second)
}
