// Package icerest is an Iceberg REST catalog in this process: what tables need of the protocol, over iceberg-go's SQL catalog. Only
// tests import it.
package icerest

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	sqlcat "github.com/apache/iceberg-go/catalog/sql"
	"github.com/apache/iceberg-go/table"
	_ "modernc.org/sqlite" // the server's own state
)

// Server is the catalog. It knows one warehouse and, where Secret is set, one client.
type Server struct {
	Warehouse      string // its name
	Client, Secret string // OAuth2 client credentials; empty: everybody may
	cat            *sqlcat.Catalog
	root           string
	mux            *http.ServeMux
	db             *sql.DB
}

// Token is what a client gets for its secret.
const Token = "token-of-the-day"

// New is a server with its tables below a directory.
func New(ctx context.Context, dir string) (*Server, error) {
	db, err := sql.Open("sqlite", "file:"+dir+"/server.db?_pragma=busy_timeout(15000)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	cat, err := sqlcat.NewCatalog("server", db, sqlcat.SQLite, iceberg.Properties{"warehouse": "file://" + dir, "init_catalog_tables": "true"})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s := &Server{Warehouse: "prod", cat: cat, root: "file://" + dir, mux: http.NewServeMux(), db: db}
	s.mux.HandleFunc("POST /v1/oauth/tokens", s.token)
	s.mux.HandleFunc("GET /v1/config", s.config)
	s.mux.HandleFunc("GET /v1/namespaces", s.spaces)
	s.mux.HandleFunc("POST /v1/namespaces", s.makeSpace)
	s.mux.HandleFunc("GET /v1/namespaces/{ns}/tables", s.tables)
	s.mux.HandleFunc("POST /v1/namespaces/{ns}/tables", s.create)
	s.mux.HandleFunc("GET /v1/namespaces/{ns}/tables/{t}", s.load)
	s.mux.HandleFunc("POST /v1/namespaces/{ns}/tables/{t}", s.commit)
	return s, nil
}

// Close closes the server's state.
func (s *Server) Close() error { return s.db.Close() }

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.Secret != "" && r.URL.Path != "/v1/oauth/tokens" && r.Header.Get("Authorization") != "Bearer "+Token {
		refuse(w, http.StatusUnauthorized, "NotAuthorizedException", "no valid token")
		return
	}
	s.mux.ServeHTTP(w, r)
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"message": message, "type": kind, "code": status}})
}

func failed(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, catalog.ErrNoSuchTable), errors.Is(err, catalog.ErrNoSuchNamespace):
		refuse(w, http.StatusNotFound, "NoSuchTableException", err.Error())
	case errors.Is(err, catalog.ErrNamespaceAlreadyExists), errors.Is(err, catalog.ErrTableAlreadyExists):
		refuse(w, http.StatusConflict, "AlreadyExistsException", err.Error())
	default:
		refuse(w, http.StatusConflict, "CommitFailedException", err.Error())
	}
}

func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	if r.FormValue("client_id") != s.Client || r.FormValue("client_secret") != s.Secret {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"error":"invalid_client","error_description":"who is this"}`))
		return
	}
	answer(w, map[string]any{"access_token": Token, "token_type": "bearer", "expires_in": 3600})
}

func (s *Server) config(w http.ResponseWriter, r *http.Request) {
	if name := r.URL.Query().Get("warehouse"); name != "" && name != s.Warehouse {
		refuse(w, http.StatusNotFound, "NotFoundException", fmt.Sprintf("Unable to find warehouse %s", name))
		return
	}
	answer(w, map[string]any{"defaults": map[string]string{}, "overrides": map[string]string{}})
}

func (s *Server) spaces(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("parent") != "" {
		answer(w, map[string]any{"namespaces": [][]string{}})
		return
	}
	all, err := s.cat.ListNamespaces(r.Context(), nil)
	if err != nil {
		failed(w, err)
		return
	}
	answer(w, map[string]any{"namespaces": all})
}

func (s *Server) makeSpace(w http.ResponseWriter, r *http.Request) {
	var in struct{ Namespace []string }
	err := json.NewDecoder(r.Body).Decode(&in)
	if err == nil {
		err = s.cat.CreateNamespace(r.Context(), in.Namespace, nil)
	}
	if err != nil {
		failed(w, err)
		return
	}
	answer(w, map[string]any{"namespace": in.Namespace, "properties": map[string]string{}})
}

func (s *Server) tables(w http.ResponseWriter, r *http.Request) {
	list := []map[string]any{}
	for id, err := range s.cat.ListTables(r.Context(), table.Identifier{r.PathValue("ns")}) {
		if err != nil {
			failed(w, err)
			return
		}
		list = append(list, map[string]any{"namespace": id[:1], "name": id[1]})
	}
	answer(w, map[string]any{"identifiers": list})
}

func (s *Server) create(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Name       string             `json:"name"`
		Location   string             `json:"location"`
		Schema     *iceberg.Schema    `json:"schema"`
		Properties iceberg.Properties `json:"properties"`

		Spec *iceberg.PartitionSpec `json:"partition-spec"`
		Sort *table.SortOrder       `json:"write-order"`
	}
	err := json.NewDecoder(r.Body).Decode(&in)
	if err == nil {
		if in.Location == "" {
			in.Location = s.root + "/" + r.PathValue("ns") + "/" + in.Name
		}
		opts := []catalog.CreateTableOpt{catalog.WithLocation(in.Location), catalog.WithProperties(in.Properties), catalog.WithPartitionSpec(in.Spec)}
		if in.Sort != nil {
			opts = append(opts, catalog.WithSortOrder(*in.Sort))
		}
		_, err = s.cat.CreateTable(r.Context(), table.Identifier{r.PathValue("ns"), in.Name}, in.Schema, opts...)
	}
	if err != nil {
		failed(w, err)
		return
	}
	r.SetPathValue("t", in.Name)
	s.load(w, r)
}

func (s *Server) load(w http.ResponseWriter, r *http.Request) {
	t, err := s.cat.LoadTable(r.Context(), table.Identifier{r.PathValue("ns"), r.PathValue("t")})
	if err != nil {
		failed(w, err)
		return
	}
	answer(w, map[string]any{"metadata-location": t.MetadataLocation(), "metadata": t.Metadata(), "config": map[string]string{}})
}

func (s *Server) commit(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Requirements table.Requirements `json:"requirements"`
		Updates      table.Updates      `json:"updates"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		refuse(w, http.StatusBadRequest, "BadRequestException", err.Error())
		return
	}
	m, at, err := s.cat.CommitTable(r.Context(), table.Identifier{r.PathValue("ns"), r.PathValue("t")}, in.Requirements, in.Updates)
	if err != nil {
		failed(w, err)
		return
	}
	answer(w, map[string]any{"metadata-location": at, "metadata": m})
}
