package fake

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Glue is the part of the AWS Glue Data Catalog that tables need. As the real one it refuses an update whose VersionId is not
// the table's: emulators take it, so that of two writers at once one would lose its rows. With To set, a table's state is
// there, and Glue only adds that check.
type Glue struct {
	To http.Handler

	mu     sync.Mutex
	spaces map[string]map[string]map[string]any // database, table
}

type glueCall struct {
	DatabaseName, Name, VersionId string
	DatabaseInput, TableInput     map[string]any
}

// ServeHTTP answers one call.
func (g *Glue) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var c glueCall
	if err != nil || json.Unmarshal(body, &c) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	op := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AWSGlue.")
	if c.Name == "" {
		c.Name, _ = c.TableInput["Name"].(string)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if op == "UpdateTable" && c.VersionId != "" {
		if at, ok := g.version(r, c); ok && at != c.VersionId {
			glueError(w, "ConcurrentModificationException")
			return
		}
	}
	if g.To != nil {
		g.To.ServeHTTP(w, r)
		return
	}
	answer, bad := g.do(op, c)
	if bad != "" {
		glueError(w, bad)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(answer)
}

func glueError(w http.ResponseWriter, code string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": code, "Message": code})
}

// version is that of a table now.
func (g *Glue) version(r *http.Request, c glueCall) (string, bool) {
	if g.To == nil {
		t, ok := g.spaces[c.DatabaseName][c.Name]
		return str(t["VersionId"]), ok
	}
	ask := r.Clone(r.Context())
	q, _ := json.Marshal(map[string]string{"DatabaseName": c.DatabaseName, "Name": c.Name})
	ask.Header.Set("X-Amz-Target", "AWSGlue.GetTable")
	ask.Body, ask.ContentLength = io.NopCloser(bytes.NewReader(q)), int64(len(q))
	ask.Header.Set("Content-Length", strconv.Itoa(len(q)))
	var got kept
	g.To.ServeHTTP(&got, ask)
	var a struct{ Table map[string]any }
	err := json.Unmarshal(got.Bytes(), &a)
	return str(a.Table["VersionId"]), err == nil && a.Table["VersionId"] != nil
}

// kept is an answer that is kept.
type kept struct {
	bytes.Buffer
	header http.Header
}

func (k *kept) Header() http.Header {
	if k.header == nil {
		k.header = http.Header{}
	}
	return k.header
}
func (k *kept) WriteHeader(int) {}

func str(v any) string {
	s, _ := v.(string)
	return s
}

func (g *Glue) do(op string, c glueCall) (answer any, bad string) {
	const none, exists = "EntityNotFoundException", "AlreadyExistsException"
	if g.spaces == nil {
		g.spaces = map[string]map[string]map[string]any{}
	}
	space, there := g.spaces[c.DatabaseName]
	switch op {
	case "GetDatabase":
		if _, ok := g.spaces[c.Name]; !ok {
			return nil, none
		}
		return map[string]any{"Database": map[string]string{"Name": c.Name}}, ""
	case "GetDatabases":
		var list []map[string]string
		for _, n := range slices.Sorted(maps.Keys(g.spaces)) {
			list = append(list, map[string]string{"Name": n})
		}
		return map[string]any{"DatabaseList": list}, ""
	case "CreateDatabase":
		name := str(c.DatabaseInput["Name"])
		if _, ok := g.spaces[name]; ok {
			return nil, exists
		}
		g.spaces[name] = map[string]map[string]any{}
		return map[string]any{}, ""
	}
	if !there {
		return nil, none
	}
	t, ok := space[c.Name]
	switch op {
	case "GetTables":
		list := []map[string]any{}
		for _, n := range slices.Sorted(maps.Keys(space)) {
			list = append(list, space[n])
		}
		return map[string]any{"TableList": list}, ""
	case "CreateTable":
		if ok {
			return nil, exists
		}
		c.TableInput["DatabaseName"], c.TableInput["VersionId"] = c.DatabaseName, "0"
		space[c.Name] = c.TableInput
		return map[string]any{}, ""
	case "GetTable", "UpdateTable", "DeleteTable":
		if !ok {
			return nil, none
		}
	default:
		return nil, "UnknownOperationException"
	}
	switch op {
	case "UpdateTable":
		n, _ := strconv.Atoi(str(t["VersionId"]))
		c.TableInput["DatabaseName"], c.TableInput["VersionId"] = c.DatabaseName, strconv.Itoa(n+1)
		space[c.Name] = c.TableInput
	case "DeleteTable":
		delete(space, c.Name)
	case "GetTable":
		return map[string]any{"Table": t}, ""
	}
	return map[string]any{}, ""
}
