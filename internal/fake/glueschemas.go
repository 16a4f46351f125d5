package fake

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// GlueSchemas speaks the part of AWS Glue's API that reads schema versions.
type GlueSchemas struct {
	URL string

	mu       sync.Mutex
	versions map[string]string // definition by id
	newest   map[string]string // id by name
	down     bool
	asked    int
}

// NewGlueSchemas starts a server that ends with the test, and credentials for it.
func NewGlueSchemas(t testing.TB) *GlueSchemas {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	g := &GlueSchemas{versions: map[string]string{}, newest: map[string]string{}}
	s := httptest.NewServer(g)
	t.Cleanup(s.Close)
	g.URL = s.URL
	return g
}

// Put makes a definition the newest version of a schema.
func (g *GlueSchemas) Put(name, id, definition string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.versions[id], g.newest[name] = definition, id
}

// Down makes it answer 500 from now on, or no longer.
func (g *GlueSchemas) Down(down bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.down = down
}

// Asked counts the requests.
func (g *GlueSchemas) Asked() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.asked
}

func (g *GlueSchemas) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked++
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	refuse := func(status int, code string) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": code, "Message": "no"})
	}
	var in struct {
		SchemaVersionID string `json:"SchemaVersionId"`
		SchemaID        struct {
			RegistryName, SchemaName string
		} `json:"SchemaId"`
		SchemaVersionNumber struct{ LatestVersion bool }
	}
	switch {
	case g.down:
		refuse(http.StatusInternalServerError, "InternalServiceException")
		return
	case r.Header.Get("X-Amz-Target") != "AWSGlue.GetSchemaVersion" || !strings.Contains(r.Header.Get("Authorization"), "/glue/aws4_request"):
		refuse(http.StatusBadRequest, "AccessDeniedException")
		return
	case json.NewDecoder(r.Body).Decode(&in) != nil || (in.SchemaVersionID == "") == (in.SchemaID.SchemaName == "" || !in.SchemaVersionNumber.LatestVersion):
		refuse(http.StatusBadRequest, "InvalidInputException")
		return
	}
	id := in.SchemaVersionID
	if id == "" {
		id = g.newest[in.SchemaID.SchemaName]
	}
	definition, ok := g.versions[id]
	if !ok {
		refuse(http.StatusBadRequest, "EntityNotFoundException")
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"SchemaVersionId": id, "SchemaDefinition": definition, "DataFormat": "AVRO", "Status": "AVAILABLE", "VersionNumber": 1})
}
