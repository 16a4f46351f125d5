package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	order = `{"type":"record","name":"Order","fields":[{"name":"id","type":"long"}]}`
	// A reader with this schema can read an Order, and the other way round.
	orderWithNote = `{"type":"record","name":"Order","fields":[{"name":"id","type":"long"},{"name":"note","type":["null","string"],"default":null}]}`
	// A reader with this one cannot read an Order, but an Order's reader can read what it writes.
	orderWithAmount = `{"type":"record","name":"Order","fields":[{"name":"id","type":"long"},{"name":"amount","type":"long"}]}`
	orderAsText     = `{"type":"record","name":"Order","fields":[{"name":"id","type":"string"}]}`
)

func serve(t *testing.T, state string) *Embedded {
	t.Helper()
	e, err := ServeEmbedded(t.Context(), "127.0.0.1:0", state)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func client(t *testing.T, url string) *Client {
	t.Helper()
	c, err := New(Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustRegister(t *testing.T, url, subject, schema string) int {
	t.Helper()
	id, err := client(t, url).Register(t.Context(), subject, schema)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// call sends a request as curl would.
func call(t *testing.T, method, url string, body any) (int, map[string]any) {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	out := map[string]any{}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	_ = json.Unmarshal(text, &out) // a list stays empty
	return resp.StatusCode, out
}

func versions(t *testing.T, e *Embedded, subject string) int {
	t.Helper()
	cl, err := e.client()
	if err != nil {
		t.Fatal(err)
	}
	all, _ := cl.Schemas(t.Context(), subject)
	return len(all)
}

func TestRestartKeepsIDs(t *testing.T) {
	state := filepath.Join(t.TempDir(), "registry.json")
	first := serve(t, state)
	other := mustRegister(t, first.URL(), "other-value", orderAsText)
	id := mustRegister(t, first.URL(), "orders-value", order)
	next := mustRegister(t, first.URL(), "orders-value", orderWithNote)
	slashed := mustRegister(t, first.URL(), "a/b c-value", orderWithNote) // the same schema, hence the same id
	if slashed != next || id == next || id == other {
		t.Fatalf("ids %d, %d, %d, %d", other, id, next, slashed)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	second := serve(t, state)
	for want, fields := range map[int]int{other: 1, id: 1, next: 2} {
		s, err := client(t, second.URL()).Schema(t.Context(), want)
		if err != nil || strings.Count(s.String(), `"type"`) < fields {
			t.Errorf("schema %d after the restart: %v, %v", want, s, err)
		}
	}
	if got := mustRegister(t, second.URL(), "orders-value", order); got != id {
		t.Errorf("registered again after the restart: id %d, was %d", got, id)
	}
	if got := mustRegister(t, second.URL(), "a/b c-value", orderWithNote); got != slashed || versions(t, second, "a/b c-value") != 1 {
		t.Errorf("subject with a slash: id %d, was %d; %d versions", got, slashed, versions(t, second, "a/b c-value"))
	}
	fresh := strings.Replace(order, "Order", "Brand", 1)
	if got := mustRegister(t, second.URL(), "fresh-value", fresh); got == id || got == next || got == other {
		t.Errorf("a new schema took the id %d of an old one", got)
	}
}

func TestRefusesWhatIsIncompatible(t *testing.T) {
	e := serve(t, filepath.Join(t.TempDir(), "registry.json"))
	mustRegister(t, e.URL(), "orders-value", order)
	for _, subject := range []string{"orders-value", "a/b-value"} {
		mustRegister(t, e.URL(), subject, order)
		_, err := client(t, e.URL()).Register(t.Context(), subject, orderWithAmount)
		if !errors.Is(err, ErrIncompatible) || errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "subject "+subject) || !strings.Contains(err.Error(), "amount") {
			t.Errorf("got %v, want ErrIncompatible that names subject and field", err)
		}
		if n := versions(t, e, subject); n != 1 {
			t.Errorf("%s has %d versions, want 1", subject, n)
		}
	}
	code, answer := call(t, "POST", e.URL()+"/subjects/orders-value/versions", map[string]string{"schema": orderWithAmount})
	if code != 409 || answer["error_code"] != 409.0 {
		t.Errorf("HTTP %d, %v; want 409", code, answer)
	}
	if code, answer = call(t, "POST", e.URL()+"/compatibility/subjects/orders-value/versions/latest", map[string]string{"schema": orderWithAmount}); code != 200 || answer["is_compatible"] != false {
		t.Errorf("check of an incompatible schema: HTTP %d, %v", code, answer)
	}
	if code, answer = call(t, "POST", e.URL()+"/compatibility/subjects/orders-value/versions/latest", map[string]string{"schema": orderWithNote}); code != 200 || answer["is_compatible"] != true {
		t.Errorf("check of a compatible schema: HTTP %d, %v", code, answer)
	}
	if n := versions(t, e, "orders-value"); n != 1 {
		t.Errorf("a check has registered something: %d versions", n)
	}
	mustRegister(t, e.URL(), "orders-value", orderWithNote)
	if got := mustRegister(t, e.URL(), "orders-value", " "+order); got != 1 || versions(t, e, "orders-value") != 2 {
		t.Errorf("an old schema again: id %d, %d versions", got, versions(t, e, "orders-value"))
	}
}

func TestLevels(t *testing.T) {
	state := filepath.Join(t.TempDir(), "registry.json")
	e := serve(t, state)
	for _, c := range []struct {
		level  string
		before []string
		next   string
		want   error
	}{
		{"BACKWARD", []string{order}, orderWithAmount, ErrIncompatible},
		{"FORWARD", []string{order}, orderWithAmount, nil},
		{"FORWARD", []string{orderWithAmount}, order, ErrIncompatible},
		{"FULL", []string{order}, orderWithAmount, ErrIncompatible},
		{"FULL", []string{order}, orderWithNote, nil},
		{"NONE", []string{order}, orderAsText, nil},
		{"BACKWARD", []string{orderAsText, order}, orderWithNote, nil},              // only the latest counts
		{"BACKWARD", []string{orderAsText, order, orderWithNote}, orderAsText, nil}, // it is there already
		{"BACKWARD_TRANSITIVE", []string{orderAsText, order}, orderWithNote, ErrIncompatible},
	} {
		subject := fmt.Sprintf("%s-%d", c.level, len(c.before))
		if c.want != nil {
			subject += "-no"
		}
		set := func(level string) {
			if code, answer := call(t, "PUT", e.URL()+"/config/"+subject, map[string]string{"compatibility": level}); code != 200 || answer["compatibility"] != level {
				t.Fatalf("PUT config: HTTP %d, %v", code, answer)
			}
		}
		set("NONE")
		for _, s := range c.before {
			mustRegister(t, e.URL(), subject, s)
		}
		set(c.level)
		if _, err := client(t, e.URL()).Register(t.Context(), subject, c.next); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", subject, err, c.want)
		}
	}
	if code, _ := call(t, "PUT", e.URL()+"/config", map[string]string{"compatibility": "SOMETIMES"}); code != 422 {
		t.Errorf("an unknown level: HTTP %d, want 422", code)
	}
	if code, _ := call(t, "PUT", e.URL()+"/config", map[string]string{"compatibility": "FULL"}); code != 200 {
		t.Errorf("the global level: HTTP %d", code)
	}
	_ = e.Close()
	e = serve(t, state)
	for subject, want := range map[string]string{"NONE-1": "NONE", "FORWARD-1": "FORWARD", "never-seen": "FULL"} {
		if _, answer := call(t, "GET", e.URL()+"/config/"+subject, nil); answer["compatibilityLevel"] != want {
			t.Errorf("%s after a restart: %v, want %s", subject, answer, want)
		}
	}
	call(t, "DELETE", e.URL()+"/config/NONE-1", nil)
	if _, answer := call(t, "GET", e.URL()+"/config/NONE-1", nil); answer["compatibilityLevel"] != "FULL" {
		t.Errorf("after DELETE the global level counts, got %v", answer)
	}
}

// Messages refer to schemas by id: nothing may make one vanish, or come in beside the check.
func TestNothingVanishes(t *testing.T) {
	e := serve(t, filepath.Join(t.TempDir(), "registry.json"))
	id := mustRegister(t, e.URL(), "orders-value", order)
	for _, path := range []string{"/subjects/orders-value", "/subjects/orders-value/versions/1", "/subjects/orders-value?permanent=true"} {
		if code, _ := call(t, "DELETE", e.URL()+path, nil); code != 405 {
			t.Errorf("DELETE %s: HTTP %d, want 405", path, code)
		}
	}
	if code, _ := call(t, "POST", e.URL()+"/contexts/.x/subjects/orders-value/versions", map[string]string{"schema": orderAsText}); code != 404 {
		t.Errorf("a context: HTTP %d, want 404", code)
	}
	if _, err := client(t, e.URL()).Schema(t.Context(), id); err != nil {
		t.Error(err)
	}
}

func TestInvalidSchema(t *testing.T) {
	e := serve(t, filepath.Join(t.TempDir(), "registry.json"))
	bad := `{"type":"record","name":"Order","fields":[{"name":"id","type":"lng"}]}`
	if _, err := client(t, e.URL()).Register(t.Context(), "orders-value", bad); err == nil || !strings.Contains(err.Error(), "lng") || errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v, want an error that names the unknown type", err)
	}
	for body, want := range map[string]int{
		`{"schema":"{\"type\":\"lng\"}"}`:              422,
		`{"schema":"\"int\"","schemaType":"PROTOBUF"}`: 422,
		`no JSON`: 400,
	} {
		resp, err := http.Post(e.URL()+"/subjects/orders-value/versions", contentType, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: HTTP %d, want %d", body, resp.StatusCode, want)
		}
	}
}

// answering is a registry that always gives the same answer.
func TestListensOnLoopbackOnly(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "10.0.0.1:0", "example.com:80", "127.0.0.1", ""} {
		e, err := ServeEmbedded(t.Context(), addr, filepath.Join(t.TempDir(), "registry.json"))
		if err == nil {
			_ = e.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "loopback") {
			t.Errorf("%q: got %v", addr, err)
		}
	}
}

// An id is only answered once it is on disk, and a failing write leaves the old state whole.
func TestStateSurvivesAFailingWrite(t *testing.T) {
	state := filepath.Join(t.TempDir(), "registry.json")
	e := serve(t, state)
	id := mustRegister(t, e.URL(), "orders-value", order)
	before := readFile(t, state)
	if err := os.Mkdir(state+".new", 0o700); err != nil { // the write fails from now on
		t.Fatal(err)
	}
	if _, err := client(t, e.URL()).Register(t.Context(), "orders-value", orderWithNote); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "could not be saved") {
		t.Errorf("got %v, want an error: a restart would forget the id", err)
	}
	if readFile(t, state) != before {
		t.Error("the state file has changed")
	}
	if err := os.Remove(state + ".new"); err != nil {
		t.Fatal(err)
	}
	// What a kill in the middle of a write leaves is overwritten.
	if err := os.WriteFile(state+".new", []byte(`{"schemas":[{"subj`), 0o600); err != nil {
		t.Fatal(err)
	}
	_ = e.Close()
	e = serve(t, state)
	if got := mustRegister(t, e.URL(), "orders-value", order); got != id {
		t.Errorf("id %d, was %d", got, id)
	}
	next := mustRegister(t, e.URL(), "orders-value", orderWithNote)
	_ = e.Close()
	if got := mustRegister(t, serve(t, state).URL(), "orders-value", orderWithNote); got != next {
		t.Errorf("id %d, was %d", got, next)
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestBrokenStateIsNamed(t *testing.T) {
	for _, text := range []string{
		`{"schemas":[{"subj`,
		`{"schemas":[{"subject":"a","version":1,"id":1,"schema":"\"int\""},{"subject":"a","version":1,"id":2,"schema":"\"long\""}]}`,
		`{"schemas":[{"subject":"a","version":1,"id":1,"schema":"\"int\""},{"subject":"b","version":1,"id":1,"schema":"\"long\""}]}`,
	} {
		state := filepath.Join(t.TempDir(), "registry.json")
		if err := os.WriteFile(state, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		e, err := ServeEmbedded(t.Context(), "127.0.0.1:0", state)
		if err == nil {
			_ = e.Close()
		}
		if err == nil || !strings.Contains(err.Error(), state) {
			t.Errorf("%s: got %v, want an error that names the file", text, err)
		}
	}
}
