package notify

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"

	"weir/internal/cli"
	"weir/internal/outcome"
)

// maxBody is far more than a run event needs.
const maxBody = 4 << 20

// Handler accepts OpenLineage run events as POST /api/v1/lineage; an answer of 201 means that the event is on the disk.
// /healthz says how the outbox stands. It has no authentication: serve it on loopback only.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/lineage", s.lineage)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		st, err := s.Status(r.Context(), 0)
		if err != nil {
			refuse(w, http.StatusServiceUnavailable, err)
			return
		}
		st.Messages = nil
		respond(w, http.StatusOK, st)
	})
	return local(mux)
}

// local turns web pages away that make a browser on this machine call us: by a name that leads here, or without asking first.
func local(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			refuse(w, http.StatusForbidden, errors.New("call me by a loopback address"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Service) lineage(w http.ResponseWriter, r *http.Request) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		refuse(w, http.StatusUnsupportedMediaType, errors.New("send application/json"))
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, err)
		return
	}
	e, err := outcome.Parse(body)
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	o := e.Outcome()
	if err := o.Validate(); err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	id, err := s.Accept(r.Context(), o)
	if err != nil { // the sender keeps the event and comes again
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	respond(w, http.StatusCreated, map[string]string{"event": id})
}

func refuse(w http.ResponseWriter, status int, err error) {
	body := map[string]string{"error": err.Error()}
	if e := (*cli.Error)(nil); errors.As(err, &e) && e.Hint != "" {
		body["hint"] = e.Hint
	}
	respond(w, status, body)
}

func respond(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the other side is gone; nothing to do
}
