package lake_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"weir/internal/cli"
	"weir/internal/fake"
	"weir/internal/fake/icerest"
	"weir/internal/lake"
	"weir/internal/lake/laketest"
)

// restServer is a REST catalog behind a front that can lie about commits.
func restServer(t *testing.T) (*icerest.Server, *fake.Front, string) {
	t.Helper()
	s, err := icerest.New(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	front := &fake.Front{To: s, When: func(r *http.Request) bool {
		return r.Method == http.MethodPost && strings.Count(r.URL.Path, "/") == 5 // /v1/namespaces/NS/tables/NAME
	}}
	srv := httptest.NewServer(front)
	t.Cleanup(func() {
		srv.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, front, srv.URL
}

func TestRESTOnDisk(t *testing.T) {
	s, _, address := restServer(t)
	s.Client, s.Secret = "weir", "s3cr3t"
	laketest.Run(t, lake.Config{Catalog: address, Warehouse: "prod", REST: lake.REST{ClientID: "weir", ClientSecret: "s3cr3t"}}, "bank")
}

func TestRESTTookACommitAndDidNotSaySo(t *testing.T) {
	for _, fault := range []fake.Fault{fake.Accept500, fake.AcceptCut} {
		t.Run(string(fault), func(t *testing.T) {
			_, front, address := restServer(t)
			laketest.Unconfirmed(t, lake.Config{Catalog: address}, "bank", func() { front.Next(fault) })
		})
	}
}

func TestRESTSaysWhatIsWrong(t *testing.T) {
	s, _, address := restServer(t)
	s.Client, s.Secret = "weir", "s3cr3t"
	tls := httptest.NewTLSServer(s)
	defer tls.Close()
	good := lake.REST{Token: icerest.Token}
	for name, k := range map[string]struct {
		cfg        lake.Config
		text, hint string
	}{
		"no token":        {lake.Config{Catalog: address}, "it asks who we are", "lake.rest.token"},
		"a wrong token":   {lake.Config{Catalog: address, REST: lake.REST{Token: "hunter2"}}, "does not accept the token", "lake.rest.token"},
		"a wrong secret":  {lake.Config{Catalog: address, REST: lake.REST{ClientID: "weir", ClientSecret: "hunter2"}}, "no token is given to client weir: ", "client_secret"},
		"no warehouse":    {lake.Config{Catalog: address, Warehouse: "nowhere", REST: good}, "Unable to find warehouse nowhere", `the warehouse "nowhere"`},
		"a path too much": {lake.Config{Catalog: address + "/api", REST: good}, "no Iceberg REST catalog", "before /v1"},
		"nobody there":    {lake.Config{Catalog: "http://127.0.0.1:1"}, "connection refused", "lake.uri"},
		"unknown issuer":  {lake.Config{Catalog: tls.URL, REST: good}, "not trusted here", "lake.rest.tls"},
		"a password":      {lake.Config{Catalog: "https://weir:hunter2@catalog"}, "secrets belong to lake.rest", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := lake.Open(t.Context(), k.cfg)
			if err == nil || !strings.Contains(err.Error(), k.text) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("got %v", err)
			}
			var e *cli.Error
			if k.hint != "" && (!errors.As(err, &e) || !strings.Contains(e.Hint, k.hint)) {
				t.Errorf("no hint %q", k.hint)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a secret in %v", err)
			}
		})
	}
}
