package registry

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"weir/internal/cli"
	"weir/internal/config"
	"weir/internal/fake"
	"weir/internal/tlsfile"
)

// over serves a registry of one schema over TLS; clients without a certificate of mutual are refused.
func over(t *testing.T, cert tls.Certificate, mutual *fake.Authority) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"schema":"\"int\""}`) }))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	if mutual != nil {
		s.TLS.ClientAuth, s.TLS.ClientCAs = tls.RequireAndVerifyClientCert, mutual.Pool()
	}
	s.Config.ErrorLog = nil
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

func TestTheWayToTheRegistry(t *testing.T) {
	a, wrong := fake.NewAuthority(t), fake.NewAuthority(t)
	cert := a.Local(t)
	ours := a.Local(t)
	good := over(t, cert.TLS, nil)
	mutual := over(t, cert.TLS, a)
	for name, c := range map[string]struct {
		Config
		want, hint string
	}{
		"own authority":                        {Config{URL: good, TLS: &tlsfile.Config{CA: a.File}}, "", ""},
		"mTLS":                                 {Config{URL: mutual, TLS: &tlsfile.Config{CA: a.File, Cert: ours.Cert, Key: ours.Key}}, "", ""},
		"mTLS without our certificate":         {Config{URL: mutual, TLS: &tlsfile.Config{CA: a.File}}, "it wants to see a certificate of ours", "registry.tls: {cert: FILE"},
		"an authority that is not known":       {Config{URL: good}, "signed by an authority that is not trusted here", "registry.tls: {ca: FILE}"},
		"another authority":                    {Config{URL: good, TLS: &tlsfile.Config{CA: wrong.File}}, "signed by an authority that is not trusted here", "registry.tls: {ca: FILE}"},
		"an expired certificate":               {Config{URL: over(t, a.Issue(t, time.Date(2026, 1, 31, 12, 30, 0, 0, time.UTC), "127.0.0.1").TLS, nil), TLS: &tlsfile.Config{CA: a.File}}, "its certificate expired on 2026-01-31 12:30 UTC", "new certificate"},
		"another host's certificate":           {Config{URL: over(t, a.Issue(t, time.Now().Add(time.Hour), "registry.example").TLS, nil), TLS: &tlsfile.Config{CA: a.File}}, "127.0.0.1", "server_name"},
		"TLS to a registry without":            {Config{URL: strings.Replace(answering(t, 200, "{}"), "http:", "https:", 1), TLS: &tlsfile.Config{CA: a.File}}, "it does not speak TLS on this port", "http://"},
		"no TLS to a registry that speaks TLS": {Config{URL: strings.Replace(good, "https:", "http:", 1)}, "it speaks only TLS on this port", "https://"},
	} {
		t.Run(name, func(t *testing.T) {
			cl, err := New(c.Config)
			if err != nil {
				t.Fatal(err)
			}
			_, err = cl.Schema(t.Context(), 1)
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var e *cli.Error
			if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), c.want) || !errors.As(err, &e) || !strings.Contains(e.Hint, c.hint) {
				t.Errorf("got  %v\nwant %s (hint: …%s…)", err, c.want, c.hint)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %v", err)
			}
		})
	}
}

func TestABearerTokenIsSentAndNotShown(t *testing.T) {
	var got string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization")
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer s.Close()
	c, err := New(Config{URL: s.URL, Token: "t0ken"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Schema(t.Context(), 1)
	if got != "Bearer t0ken" || err == nil || strings.Contains(err.Error(), "t0ken") || !strings.Contains(err.Error(), "HTTP 401") {
		t.Errorf("the registry got %q; error %v", got, err)
	}
}

func TestMistakesHaveAPlace(t *testing.T) {
	for yaml, want := range map[string]string{
		"registry:\n  url: registry:8081":                                   "weir.yaml:2:8: expected the word embedded or an address such as https://registry:8081",
		"registry:\n  url: https://u:p@registry":                            "weir.yaml:2:8: expected no user and password in the address: use the keys user and password",
		"registry:\n  url: https://r\n  user: u\n  password: p\n  token: t": "weir.yaml:5:10: expected either a token or user and password",
		"registry:\n  url: https://r\n  password: p":                        "weir.yaml:3:13: expected `user` beside it",
		"registry:\n  url: http://r\n  tls: {ca: f}":                        "weir.yaml:3:9: expected an address with https:// beside it",
		"registry:\n  url: https://r\n  tls: {cert: f}":                     "weir.yaml:3:15: expected `key` beside it: the file with the certificate's private key",
		"registry:\n  url: https://r\n  tls: {cacert: f}":                   `weir.yaml:3:9: unknown key "cacert"; did you mean "cert"?`,
	} {
		var f struct {
			Registry Config `yaml:"registry"`
		}
		err := config.Decode("weir.yaml", []byte(yaml), &f)
		if err == nil || err.Error() != want {
			t.Errorf("%s\ngot  %v\nwant %s", yaml, err, want)
		}
	}
	var f struct {
		Registry Config `yaml:"registry"`
	}
	if err := config.Decode("weir.yaml", []byte("registry: {url: '${env:URL}'}"), &f, config.WithoutExpansion()); err != nil {
		t.Errorf("an address by reference on another machine: %v", err)
	}
}
