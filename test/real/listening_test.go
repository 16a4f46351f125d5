//go:build real

package real

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// listening is a notify that takes lineage events; what it tells the unit FIN stands in a file, and all else in another.
type listening struct {
	dir, url, token string
	said            *bytes.Buffer
}

// notifyListens starts it for as long as the test runs. units is more of its units.yaml.
func notifyListens(t *testing.T, units string) listening {
	t.Helper()
	bin, dir := t.TempDir(), t.TempDir()
	if out, err := exec.Command("go", "build", "-o", bin, "weir/cmd/notify").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := listening{dir: dir, url: "http://" + l.Addr().String(), token: "let-engines-in", said: &bytes.Buffer{}}
	for name, text := range map[string]string{
		"weir.yaml": fmt.Sprintf("apiVersion: weir/v1\nkind: Weir\nnotify: {listen: %q, token: \"${env:NOTIFY_TOKEN}\"}\n", l.Addr()),
		"units.yaml": "version: 1\ndefaults: {timezone: Europe/Berlin}\nchannels: {all: {console: {path: told.txt}}, other: {console: {path: other.txt}}}\n" + units +
			"\nroutes: [{when: 'unit = \"FIN\"', to: [all]}]\ndefault: [other]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_ = l.Close()
	serve := exec.Command(filepath.Join(bin, "notify"), "serve")
	serve.Dir, serve.Env, serve.Stderr = dir, append(os.Environ(), "NOTIFY_TOKEN="+n.token), n.said
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = serve.Process.Kill()
		_ = serve.Wait()
		if t.Failed() {
			t.Log(n.said.String())
		}
	})
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) { // real time: a program starts
		if resp, err := http.Get(n.url + "/healthz"); err == nil {
			_ = resp.Body.Close()
			return n
		}
		if time.Now().After(end) {
			t.Fatalf("notify does not answer: %s", n.said.String())
		}
	}
}

// told waits until a text stands in what FIN was told, and gives all of that.
func (n listening) told(t *testing.T, want string) string {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(100 * time.Millisecond) { // real time: programs
		text, _ := os.ReadFile(filepath.Join(n.dir, ".weir", "told.txt"))
		if strings.Contains(string(text), want) {
			return string(text)
		}
		if time.Now().After(end) {
			t.Fatalf("no %q in\n%s\n%s", want, text, n.said.String())
		}
	}
}
