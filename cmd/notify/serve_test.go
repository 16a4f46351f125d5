package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/internal/cli"
	"weir/internal/fake"
)

const event = `{"specversion":"1.0","id":"%[1]s","source":"s","type":"io.weir.job.ready.v1","data":{"job":"%[1]s","run_id":"%[1]s","business_date":"2026-11-20"}}`

// A listener that other machines could reach asks for a token or a client's certificate, over TLS; the spool works beside it.
func TestServeOverTLS(t *testing.T) {
	authority := fake.NewAuthority(t)
	server, client := authority.Local(t), authority.Issue(t, time.Now().Add(time.Hour))
	dir := t.TempDir()
	t.Setenv("NOTIFY_TOKEN", "sesame")
	conf := fmt.Sprintf("apiVersion: weir/v1\nkind: Weir\nnotify: {listen: '0.0.0.0:0', tls: {cert: %s, key: %s, client_ca: %s}, token: '${env:NOTIFY_TOKEN}', spool: %s}\n",
		server.Cert, server.Key, authority.File, filepath.Join(dir, "in"))
	if err := os.WriteFile(filepath.Join(dir, "weir.yaml"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	said := &watched{seen: make(chan string, 1)}
	done := make(chan int, 1)
	go func() {
		done <- cli.Run(ctx, "notify", cli.Env{Args: []string{"serve", "--home", "home", "--json"}, Stdout: &said.out, Stderr: said, Getenv: os.Getenv}, newCommand)
	}()
	_, port, _ := strings.Cut(strings.TrimSuffix(<-said.seen, "/api/v1/lineage"), "]:")
	url := "https://127.0.0.1:" + port + "/v1/events"
	send := func(name, token string, certs ...tls.Certificate) (int, error) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(fmt.Sprintf(event, name)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/cloudevents+json")
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		c := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authority.Pool(), Certificates: certs}, DisableKeepAlives: true}}
		resp, err := c.Do(r)
		if err != nil {
			return 0, err
		}
		resp.Body.Close()
		return resp.StatusCode, nil
	}
	shown, err := tls.LoadX509KeyPair(client.Cert, client.Key)
	if err != nil {
		t.Fatal(err)
	}
	stranger := fake.NewAuthority(t).Issue(t, time.Now().Add(time.Hour))
	strange, err := tls.LoadX509KeyPair(stranger.Cert, stranger.Key)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		token string
		certs []tls.Certificate
		code  int
	}{"nobody": {"", nil, 401}, "guesser": {"sesam", nil, 401}, "holder": {"sesame", nil, 202}, "shower": {"", []tls.Certificate{shown}, 202}} {
		if code, err := send(name, c.token, c.certs...); code != c.code {
			t.Errorf("%s: HTTP %d, want %d (%v)", name, code, c.code, err)
		}
	}
	if code, err := send("stranger", "sesame", strange); err == nil && code != http.StatusUnauthorized {
		t.Errorf("a certificate of another authority: HTTP %d", code) // Go's client does not even show it
	}
	if code, stdout, stderr := run(t.Context(), "elsewhere", "emit", "--spool", "in", "--job", "dropped", "--state", "ready"); code != 0 {
		t.Fatal(stdout, stderr)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); ; <-tick.C {
		b, _ := os.ReadFile(filepath.Join("home", "notifications.txt"))
		if bytes.Contains(b, []byte("holder")) && bytes.Contains(b, []byte("shower")) && bytes.Contains(b, []byte("dropped")) {
			if bytes.Contains(b, []byte("nobody")) || bytes.Contains(b, []byte("guesser")) {
				t.Errorf("told:\n%s", b)
			}
			break
		}
		if time.Now().After(end) {
			t.Fatalf("told so far:\n%s", b)
		}
	}
	stop()
	if code := <-done; code != 0 {
		t.Errorf("exit %d", code)
	}
}
