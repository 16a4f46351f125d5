package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Verb does what a user asked for. args is a JSON object or empty; the result is sent as JSON. The context ends after 30 s
// or when the server stops. An error with a `Hint() string` method or of type *Error carries its hint to the user.
type Verb func(ctx context.Context, args json.RawMessage) (any, error)

// An Option of Serve and Start.
type Option func(*Server)

// WithMetrics answers GET /metrics with h.
func WithMetrics(h http.Handler) Option { return func(s *Server) { s.metrics = h } }

// A Server answers on the socket of an installation.
type Server struct {
	hub     *Hub
	verbs   map[string]Verb
	metrics http.Handler
	reading time.Duration // how long a request may take to arrive
	http    *http.Server
	sock    *socket
	cancel  context.CancelFunc
	done    chan struct{}
	err     error
}

// Serve answers on the socket until ctx ends. It fails with ErrServed if another process answers there already.
func Serve(ctx context.Context, socketPath string, hub *Hub, verbs map[string]Verb, opts ...Option) error {
	s, err := Start(ctx, socketPath, hub, verbs, opts...)
	if err != nil {
		return err
	}
	return s.Wait()
}

// Start is Serve for callers that want to know that the socket stands before they go on. The server stops when ctx ends.
func Start(ctx context.Context, socketPath string, hub *Hub, verbs map[string]Verb, opts ...Option) (*Server, error) {
	sock, err := listen(socketPath)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &Server{hub: hub, verbs: maps.Clone(verbs), sock: sock, cancel: cancel, done: make(chan struct{}), reading: 10 * time.Second}
	for _, o := range opts {
		o(s)
	}
	names := slices.Sorted(maps.Keys(verbs))
	hub.Update(func(sn *Snapshot) { sn.Verbs = names })
	s.http = &http.Server{
		Handler:           s.guard(s.routes()),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       s.reading,
		WriteTimeout:      verbTimeout + writeTimeout, // the stream sets its own with each frame
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	go s.run(ctx)
	return s, nil
}

// Wait blocks until the server has stopped and everything that it started has ended.
func (s *Server) Wait() error {
	<-s.done
	return s.err
}

// Close stops the server and waits. It may be called twice.
func (s *Server) Close() error {
	s.cancel()
	return s.Wait()
}

func (s *Server) run(ctx context.Context) {
	defer close(s.done)
	var wg sync.WaitGroup
	wg.Go(func() { // the clock that makes silent publishers visible
		t := time.NewTicker(beatEvery)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-t.C:
				s.hub.expire(now)
			}
		}
	})
	wg.Go(func() {
		<-ctx.Done()
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if s.http.Shutdown(bounded) != nil {
			s.http.Close()
		}
	})
	err := s.http.Serve(s.sock.listener)
	s.cancel()
	wg.Wait()
	if !errors.Is(err, http.ErrServerClosed) {
		s.err = fmt.Errorf("serve %s: %w", s.sock.path, err)
	}
	if err := s.sock.close(); err != nil && s.err == nil {
		s.err = err
	}
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/snapshot", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, s.hub.Snapshot()) })
	mux.HandleFunc("GET /v1/events", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, s.hub.Events()) })
	mux.HandleFunc("GET /v1/stream", s.stream)
	mux.HandleFunc("POST /v1/do/{verb}", s.do)
	mux.HandleFunc("PUT /v1/load", func(w http.ResponseWriter, r *http.Request) { take(w, r, s.hub.publishLoad) })
	mux.HandleFunc("PUT /v1/proof", func(w http.ResponseWriter, r *http.Request) { take(w, r, s.hub.publishProof) })
	mux.HandleFunc("PUT /v1/comparison", func(w http.ResponseWriter, r *http.Request) { take(w, r, s.hub.publishComparison) })
	mux.HandleFunc("PUT /v1/search", func(w http.ResponseWriter, r *http.Request) { take(w, r, s.hub.publishSearch) })
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]any{"ok": true, "version": s.hub.Snapshot().Version})
	})
	if s.metrics != nil {
		mux.Handle("GET /metrics", s.metrics)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, &Error{Message: r.Method + " " + r.URL.Path + ": no such path", Hint: "GET /v1/snapshot shows all there is"})
	})
	return mux
}

// guard turns a panic of a handler or verb into an answer and an event: the user sees one line, the program goes on.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if err, ok := v.(error); v == nil || ok && errors.Is(err, http.ErrAbortHandler) {
				return
			}
			s.hub.Event("error", fmt.Sprintf("control: %s %s: %v", r.Method, r.URL.Path, v))
			refuse(w, http.StatusInternalServerError, &Error{Message: fmt.Sprintf("%s: internal error: %v", r.URL.Path, v), Hint: "this is a bug of weir; the work itself goes on"})
		}()
		next.ServeHTTP(w, r)
	})
}

// take decodes a section that another process publishes.
func take[T any](w http.ResponseWriter, r *http.Request, publish func(*T)) {
	section := new(T)
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxSectionBody)).Decode(section); err != nil {
		refuse(w, http.StatusBadRequest, &Error{Message: r.URL.Path + ": " + err.Error()})
		return
	}
	publish(section)
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) do(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("verb")
	verb, ok := s.verbs[name]
	if !ok {
		refuse(w, http.StatusNotFound, &Error{Message: fmt.Sprintf("%s: not offered here", name), Hint: offered(s.verbs)})
		return
	}
	var args json.RawMessage
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxVerbBody))
	if err := dec.Decode(&args); err != nil && err.Error() != "EOF" {
		refuse(w, http.StatusBadRequest, &Error{Message: name + ": arguments: " + err.Error(), Hint: "send one JSON object"})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), verbTimeout)
	defer cancel()
	result, err := verb(ctx, args)
	if err != nil {
		text := err.Error()
		if !strings.HasPrefix(text, name+": ") { // a verb that was passed on to another server says so already
			text = name + ": " + text
		}
		refuse(w, http.StatusUnprocessableEntity, &Error{Message: text, Hint: hintOf(err)})
		return
	}
	reply(w, http.StatusOK, result)
}

func reply(w http.ResponseWriter, code int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		refuse(w, http.StatusInternalServerError, &Error{Message: "encode the answer: " + err.Error()})
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(append(b, '\n')) // a reader that went away is no error of ours
}

func refuse(w http.ResponseWriter, code int, e *Error) {
	b, _ := json.Marshal(e) // two strings
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(append(b, '\n'))
}
