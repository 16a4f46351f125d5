package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/internal/config"
)

func TestUnknown(t *testing.T) {
	e := serve(t, filepath.Join(t.TempDir(), "registry.json"))
	c := client(t, e.URL())
	if _, err := c.Schema(t.Context(), 4711); !errors.Is(err, ErrUnknownID) || errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "4711") {
		t.Errorf("got %v, want ErrUnknownID", err)
	}
	if _, _, err := c.Latest(t.Context(), "nobody-value"); !errors.Is(err, ErrNoSubject) || errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "nobody-value") {
		t.Errorf("got %v, want ErrNoSubject", err)
	}
	mustRegister(t, e.URL(), "orders-value", order)
	id := mustRegister(t, e.URL(), "orders-value", orderWithNote)
	if got, s, err := c.Latest(t.Context(), "orders-value"); err != nil || got != id || !strings.Contains(s.String(), "note") {
		t.Errorf("latest: %d, %v, %v", got, s, err)
	}
}

func answering(t *testing.T, code int, body string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestUnavailable(t *testing.T) {
	hangs := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hangs }))
	t.Cleanup(func() { close(hangs); slow.Close() })
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	down := "http://" + lis.Addr().String()
	lis.Close()
	for name, url := range map[string]string{
		"is down":           down,
		"hangs":             slow.URL,
		"no such host":      "http://registry.invalid:8081",
		"is broken":         answering(t, 500, `{"error_code":50001,"message":"store"}`),
		"is busy":           answering(t, 429, ``),
		"is a web page":     answering(t, 200, `<html>please log in</html>`),
		"is another server": answering(t, 404, `404 page not found`),
		"refuses the login": answering(t, 401, `{"error_code":40101,"message":"User cannot access"}`),
	} {
		t.Run(name, func(t *testing.T) {
			c, err := newClient(Config{URL: url}, 300*time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			_, schema := c.Schema(t.Context(), 7)
			_, _, latest := c.Latest(t.Context(), "orders-value")
			_, register := c.Register(t.Context(), "orders-value", order)
			for _, err := range []error{schema, latest, register} {
				if !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrUnknownID) || errors.Is(err, ErrNoSubject) || !strings.Contains(err.Error(), url) {
					t.Errorf("got %v, want ErrUnavailable with the address", err)
				}
			}
			if d := time.Since(began); d > 5*time.Second {
				t.Errorf("it took %v", d)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client(t, slow.URL).Schema(ctx, 7); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestPasswordIsNeverShown(t *testing.T) {
	const secret = "hunter2"
	for name, c := range map[string]Config{
		"in the address":                        {URL: "http://weir:" + secret + "@127.0.0.1:1"},
		"in an address that cannot be parsed":   {URL: "http://weir:" + secret + "@127.0.0.1:1/%zz"},
		"in an address without scheme":          {URL: "weir:" + secret + "@127.0.0.1:1"},
		"registry that is down":                 {URL: "http://127.0.0.1:1", User: "weir", Password: config.Secret(secret)},
		"registry that refuses it":              {URL: answering(t, 403, "Forbidden"), User: "weir", Password: config.Secret(secret)},
		"registry that answers what is no JSON": {URL: answering(t, 200, "x"), User: "weir", Password: config.Secret(secret)},
	} {
		t.Run(name, func(t *testing.T) {
			for _, text := range []string{fmt.Sprint(c.Validate()), fmt.Sprintf("%v %+v %#v", c.Password, c.Password, c.Password)} {
				if strings.Contains(text, secret) {
					t.Errorf("shown: %s", text)
				}
			}
			cl, err := New(c)
			if err == nil {
				_, err = cl.Register(t.Context(), "orders-value", order)
			}
			if err == nil || strings.Contains(err.Error(), secret) {
				t.Errorf("got %v", err)
			}
		})
	}
	var user, password string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ = r.BasicAuth()
		_, _ = io.WriteString(w, `{"schema":"\"int\""}`)
	}))
	defer s.Close()
	c, err := New(Config{URL: s.URL, User: "weir", Password: config.Secret(secret)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = c.Schema(t.Context(), 1); err != nil || user != "weir" || password != secret {
		t.Errorf("the registry got %q, %q: %v", user, password, err)
	}
}

func TestConflictWithoutTheJavaClass(t *testing.T) {
	url := answering(t, 409, `{"error_code":409,"message":"io.apicurio.registry.rules.violation.RuleViolationException: Incompatible artifact: orders-value [AVRO], num of incompatible diffs: {1}\nat io.x"}`)
	_, err := client(t, url).Register(t.Context(), "orders-value", order)
	want := "subject orders-value: the schema is not compatible with the subject's earlier ones: Incompatible artifact: orders-value [AVRO], num of incompatible diffs: {1}"
	if !errors.Is(err, ErrIncompatible) || err.Error() != want {
		t.Errorf("\ngot  %v\nwant %s", err, want)
	}
}

func TestSchemaIsAskedForOnce(t *testing.T) {
	n := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n++
		_, _ = io.WriteString(w, `{"schema":"\"int\"","id":7}`)
	}))
	defer s.Close()
	c := client(t, s.URL)
	for range 3 {
		if _, err := c.Schema(t.Context(), 7); err != nil {
			t.Fatal(err)
		}
	}
	if n != 1 {
		t.Errorf("%d requests for one id", n)
	}
	for text, want := range map[string]string{
		`{"schema":"syntax = \"proto3\";","schemaType":"PROTOBUF"}`:                    "schema 8 is PROTOBUF: only Avro is supported in this version",
		`{"schema":"\"x.Y\"","references":[{"name":"x.Y","subject":"y","version":1}]}`: "schema 8: avro schema: unknown type: x.Y",
	} {
		if _, err := client(t, answering(t, 200, text)).Schema(t.Context(), 8); err == nil || err.Error() != want || errors.Is(err, ErrUnavailable) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
