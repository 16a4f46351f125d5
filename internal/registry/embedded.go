package registry

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"weir/internal/avro"
)

// Embedded is a registry inside this process, on loopback. Its schemas and their ids survive a restart: messages on a topic
// refer to them by id.
//
// srfake answers the API; in front of it stands the compatibility check that it does not make, and behind it the state file.
type Embedded struct {
	fake  *srfake.Registry
	state string
	lis   net.Listener
	srv   *http.Server
	done  chan struct{}

	mu sync.Mutex // registrations, one at a time: check, register, save
	// levels that were set; srfake enforces none and is not asked for them
	levels map[string]sr.CompatibilityLevel // subject -> level, "" for the global one
}

// saved is the state file.
type saved struct {
	Levels  map[string]sr.CompatibilityLevel `json:"levels,omitempty"`
	Schemas []savedSchema                    `json:"schemas"`
}

type savedSchema struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
	ID      int    `json:"id"`
	Schema  string `json:"schema"`

	References []sr.SchemaReference `json:"references,omitempty"`
}

// ServeEmbedded starts the registry on an address of loopback such as 127.0.0.1:0.
func ServeEmbedded(ctx context.Context, addr, statePath string) (*Embedded, error) {
	if host, _, err := net.SplitHostPort(addr); err != nil || !net.ParseIP(host).IsLoopback() {
		return nil, fmt.Errorf("embedded registry: expected an address on loopback such as 127.0.0.1:0, got %q", addr)
	}
	e := &Embedded{fake: srfake.NewRegistry(), state: statePath, done: make(chan struct{}), levels: map[string]sr.CompatibilityLevel{"": sr.CompatBackward}}
	if err := e.load(); err != nil {
		return nil, fmt.Errorf("embedded registry: %w", err)
	}
	var err error
	if e.lis, err = (&net.ListenConfig{}).Listen(ctx, "tcp", addr); err != nil {
		return nil, fmt.Errorf("embedded registry: %w", err)
	}
	e.srv = &http.Server{
		Handler:           http.MaxBytesHandler(http.HandlerFunc(e.serve), 8<<20),
		MaxHeaderBytes:    64 << 10,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
	}
	go func() {
		defer close(e.done)
		_ = e.srv.Serve(e.lis) // ends with Close
	}()
	return e, nil
}

// URL is where the registry answers.
func (e *Embedded) URL() string { return "http://" + e.lis.Addr().String() }

// Close stops the registry; its state stays. It may be called twice.
func (e *Embedded) Close() error {
	err := e.srv.Close()
	<-e.done
	return err
}

func (e *Embedded) load() error {
	b, err := os.ReadFile(e.state)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var s saved
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("%s: %w", e.state, err)
	}
	for subject, level := range s.Levels {
		e.levels[subject] = level
	}
	if err := e.seed(s.Schemas); err != nil {
		return fmt.Errorf("%s: %w", e.state, err)
	}
	return nil
}

// seed gives srfake its schemas back. SeedSchema panics on what does not fit, and on an id that two subjects share.
func (e *Embedded) seed(all []savedSchema) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	slices.SortFunc(all, func(a, b savedSchema) int {
		return cmp.Or(cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Version, b.Version))
	})
	seen, done := map[int]bool{}, map[sr.SchemaReference]bool{} // ids; subjects with versions
	for len(all) > 0 {
		var later []savedSchema // they refer to one that is not there yet, or follow on such a version
		for _, x := range all {
			waits := slices.ContainsFunc(x.References, func(r sr.SchemaReference) bool {
				return !done[sr.SchemaReference{Subject: r.Subject, Version: r.Version}]
			}) || slices.ContainsFunc(later, func(y savedSchema) bool { return y.Subject == x.Subject })
			if waits {
				later = append(later, x)
				continue
			}
			if err := e.seedOne(x, seen[x.ID]); err != nil {
				return err
			}
			seen[x.ID], done[sr.SchemaReference{Subject: x.Subject, Version: x.Version}] = true, true
		}
		if len(later) == len(all) {
			return fmt.Errorf("version %d of subject %s refers to a schema that is not there", later[0].Version, later[0].Subject)
		}
		all = later
	}
	return nil
}

func (e *Embedded) seedOne(x savedSchema, again bool) error {
	s := sr.Schema{Schema: x.Schema, References: x.References}
	if !again {
		e.fake.SeedSchema(x.Subject, x.Version, x.ID, s)
		return nil
	}
	id, version, err := e.fake.RegisterSchema(x.Subject, s)
	if err == nil && (id != x.ID || version != x.Version) {
		err = fmt.Errorf("version %d of subject %s has schema %d, but it would get version %d and schema %d", x.Version, x.Subject, x.ID, version, id)
	}
	return err
}

// save writes the state file whole, so that a kill leaves the old one or the new one.
func (e *Embedded) save(ctx context.Context) error {
	s := saved{Levels: e.levels}
	cl, err := e.client()
	if err != nil {
		return err
	}
	all, err := cl.AllSchemas(ctx)
	if err != nil {
		return err
	}
	for _, x := range all {
		s.Schemas = append(s.Schemas, savedSchema{x.Subject, x.Version, x.ID, x.Schema.Schema, x.References})
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.Create(e.state + ".new")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), e.state); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(e.state)) // the new name must survive a power cut as well
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// client talks to srfake without a network.
func (e *Embedded) client() (*sr.Client, error) {
	return sr.NewClient(sr.URLs("http://registry"), sr.HTTPClient(&http.Client{Transport: inProcess{e.fake.Handler()}}))
}

func (e *Embedded) serve(w http.ResponseWriter, r *http.Request) {
	p := strings.Split(strings.Trim(r.URL.EscapedPath(), "/"), "/") // a subject may have an escaped slash in it
	for i := range p {
		p[i], _ = url.PathUnescape(p[i]) // EscapedPath is always valid
	}
	switch {
	case p[0] == "contexts":
		refuse(w, http.StatusNotFound, http.StatusNotFound, "the embedded registry has no contexts")
	case r.Method == http.MethodDelete && p[0] == "subjects":
		refuse(w, http.StatusMethodNotAllowed, http.StatusMethodNotAllowed, "the embedded registry keeps every schema: messages refer to it by its id")
	case r.Method == http.MethodPost && len(p) == 3 && p[0] == "subjects" && p[2] == "versions":
		e.register(w, r, p[1])
	case r.Method == http.MethodPost && len(p) >= 4 && p[0] == "compatibility" && p[1] == "subjects":
		e.check(w, r, p[2])
	case p[0] == "config" && len(p) <= 2:
		e.config(w, r, strings.Join(p[1:], ""))
	default:
		e.fake.Handler().ServeHTTP(w, r)
	}
}

func (e *Embedded) register(w http.ResponseWriter, r *http.Request, subject string) {
	body, next, ok := e.read(w, r)
	if !ok {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.against(r.Context(), subject, next); err != nil {
		refuse(w, http.StatusConflict, http.StatusConflict, "Schema being registered is incompatible with an earlier schema for subject \""+subject+"\": "+err.Error())
		return
	}
	answer := &recorder{header: http.Header{}, code: http.StatusOK}
	r.Body = io.NopCloser(bytes.NewReader(body))
	e.fake.Handler().ServeHTTP(answer, r)
	if answer.code/100 == 2 {
		if err := e.save(r.Context()); err != nil { // before the answer: an id that was given must be there after a restart
			refuse(w, http.StatusInternalServerError, 50001, "the schema could not be saved: "+err.Error())
			return
		}
	}
	answer.copyTo(w)
}

func (e *Embedded) check(w http.ResponseWriter, r *http.Request, subject string) {
	_, next, ok := e.read(w, r)
	if !ok {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	err := e.against(r.Context(), subject, next)
	out := map[string]any{"is_compatible": err == nil}
	if err != nil {
		out["messages"] = []string{err.Error()}
	}
	respond(w, http.StatusOK, out)
}

// against holds a schema against the subject's earlier ones.
func (e *Embedded) against(ctx context.Context, subject string, next candidate) error {
	cl, err := e.client()
	if err != nil {
		return err
	}
	got, err := cl.Schemas(ctx, subject)
	var re *sr.ResponseError
	if errors.As(err, &re) && re.StatusCode == http.StatusNotFound {
		return nil // a subject that does not exist yet takes any schema
	}
	if err != nil {
		return err
	}
	var earlier []*avro.Schema
	for _, x := range got {
		if sameJSON(x.Schema.Schema, next.text) && slices.Equal(x.References, next.refs) {
			return nil // it is there already
		}
		old, err := e.parse(ctx, x.Schema)
		if err != nil {
			return fmt.Errorf("version %d: %w", x.Version, err)
		}
		earlier = append(earlier, old)
	}
	return compatible(e.level(subject), next.schema, earlier)
}

// parse finds the schemas that a schema refers to among those that are registered.
func (e *Embedded) parse(ctx context.Context, s sr.Schema) (*avro.Schema, error) {
	return withReferences(ctx, s, func(ctx context.Context, subject string, version int) (sr.Schema, error) {
		cl, err := e.client()
		if err != nil {
			return sr.Schema{}, err
		}
		got, err := cl.SchemaByVersion(ctx, subject, version)
		return got.Schema, err
	})
}

func (e *Embedded) level(subject string) sr.CompatibilityLevel {
	if l, ok := e.levels[subject]; ok {
		return l
	}
	return e.levels[""]
}

func (e *Embedded) config(w http.ResponseWriter, r *http.Request, subject string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch r.Method {
	case http.MethodGet:
		respond(w, http.StatusOK, map[string]any{"compatibilityLevel": e.level(subject).String()})
		return
	case http.MethodPut:
		var in struct {
			Compatibility sr.CompatibilityLevel `json:"compatibility"`
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Compatibility == 0 {
			refuse(w, http.StatusUnprocessableEntity, 42203, "Invalid compatibility level. Valid values are none, backward, forward, full, and their transitive forms")
			return
		}
		e.levels[subject] = in.Compatibility
	case http.MethodDelete:
		if subject != "" {
			delete(e.levels, subject)
		}
	}
	if err := e.save(r.Context()); err != nil {
		refuse(w, http.StatusInternalServerError, 50001, err.Error())
		return
	}
	respond(w, http.StatusOK, map[string]any{"compatibility": e.level(subject).String()})
}
