package intake

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"weir/internal/cli"
	"weir/internal/notify"
)

// Web is what HTTP clients reach.
type Web struct {
	Notify  *notify.Service
	Guard   Guard
	Metrics *Metrics      // nil: none are kept
	MaxWait time.Duration // /healthz says 503 when something has waited for longer; 0: 30 min
}

// Handler answers
//
//	POST /v1/events        CloudEvents 1.0: structured, batched or binary
//	POST /api/v1/lineage   OpenLineage run events
//	GET  /healthz /readyz /metrics
//
// 202 means that all events of the request are on the disk; any other answer that none is. What helps is in the answer: 4xx
// sender's mistake, 429 and 503 come again.
func (w Web) Handler() http.Handler {
	if w.Metrics == nil {
		w.Metrics = NewMetrics(nil)
	}
	mux := http.NewServeMux()
	mux.Handle("POST /v1/events", w.Guard.wrap(w.take("http_events", events)))
	mux.Handle("POST /api/v1/lineage", w.Guard.wrap(w.take("http_lineage", lineage)))
	mux.Handle("GET /metrics", w.Guard.wrap(w.Metrics.handler()))
	mux.HandleFunc("GET /healthz", w.health)
	mux.HandleFunc("GET /readyz", w.ready)
	return w.Guard.host(mux)
}

// Server has the limits that keep a slow or greedy client from harming others.
func Server(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
}

// A reader decodes a request's body.
type reader func(r *http.Request, body []byte) ([]notify.Arrival, error)

func events(r *http.Request, body []byte) ([]notify.Arrival, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err != nil:
	case kind == "application/cloudevents+json", kind == "application/cloudevents-batch+json":
		return Decode(body)
	case r.Header.Get("Ce-Specversion") != "":
		return binary(func(name string) string {
			if name == "" {
				return r.Header.Get("Content-Type")
			}
			return r.Header.Get("Ce-" + name)
		}, body)
	case kind == "application/json": // a CloudEvent that its sender has not labelled
		return Decode(body)
	}
	return nil, no(http.StatusUnsupportedMediaType, "send application/cloudevents+json, application/cloudevents-batch+json or ce-* headers with application/json")
}

func lineage(r *http.Request, body []byte) ([]notify.Arrival, error) {
	if !isJSON(r.Header.Get("Content-Type")) {
		return nil, no(http.StatusUnsupportedMediaType, "send application/json")
	}
	return Decode(body)
}

// accepted is the answer to a request.
type accepted struct {
	Accepted int      `json:"accepted"` // events that are on the disk
	Told     []string `json:"told"`     // ids of those that are told; the others add to what is known of a run
}

func (w Web) take(input string, read reader) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		start := time.Now()
		body, err := body(rw, r)
		var all []notify.Arrival
		if err == nil {
			all, err = read(r, body)
		}
		var ids []string
		if err == nil && len(all) > 0 {
			ids, err = w.Notify.AcceptAll(r.Context(), all)
		}
		w.Metrics.took(input, len(all), time.Since(start), err)
		var bad *Refusal
		switch {
		case err == nil:
			respond(rw, http.StatusAccepted, accepted{len(all), append([]string{}, ids...)})
		case errors.As(err, &bad):
			refuse(rw, bad.Status, err)
		case errors.Is(err, notify.ErrRefused):
			refuse(rw, http.StatusUnprocessableEntity, err)
		default: // the sender keeps the event and comes again
			rw.Header().Set("Retry-After", "5")
			refuse(rw, http.StatusServiceUnavailable, err)
		}
	})
}

// body reads no more than MaxBytes, before and after decompression.
func body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	in := io.Reader(http.MaxBytesReader(w, r.Body, MaxBytes))
	switch strings.ToLower(r.Header.Get("Content-Encoding")) {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, malformed("gzip: %w", err)
		}
		in = io.LimitReader(z, MaxBytes+1)
	default:
		return nil, no(http.StatusUnsupportedMediaType, "content encoding %q; send gzip or none", r.Header.Get("Content-Encoding"))
	}
	b, err := io.ReadAll(in)
	var big *http.MaxBytesError
	if errors.As(err, &big) || len(b) > MaxBytes {
		return nil, no(http.StatusRequestEntityTooLarge, "more than %d bytes", MaxBytes)
	}
	if err != nil {
		return nil, malformed("read the request: %w", err)
	}
	return b, nil
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
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the other side is gone; nothing to do
}
