package registry

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"reflect"

	"github.com/twmb/franz-go/pkg/sr"

	"weir/internal/avro"
)

const contentType = "application/vnd.schemaregistry.v1+json"

// A candidate is a schema that wants to be registered.
type candidate struct {
	text   string
	refs   []sr.SchemaReference
	schema *avro.Schema
}

// read takes the schema out of a request; it answers itself where there is none.
func (e *Embedded) read(w http.ResponseWriter, r *http.Request) (body []byte, s candidate, ok bool) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		refuse(w, http.StatusBadRequest, http.StatusBadRequest, err.Error())
		return nil, s, false
	}
	var in struct {
		Schema     string               `json:"schema"`
		Type       string               `json:"schemaType"`
		References []sr.SchemaReference `json:"references"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		refuse(w, http.StatusBadRequest, http.StatusBadRequest, "the body is not JSON: "+err.Error())
		return nil, s, false
	}
	if in.Type != "" && in.Type != "AVRO" {
		refuse(w, http.StatusUnprocessableEntity, 42201, "the embedded registry takes only AVRO, not "+in.Type)
		return nil, s, false
	}
	if s.schema, err = e.parse(r.Context(), sr.Schema{Schema: in.Schema, References: in.References}); err != nil {
		refuse(w, http.StatusUnprocessableEntity, 42201, "Invalid schema: "+err.Error())
		return nil, s, false
	}
	s.text, s.refs = in.Schema, in.References
	return body, s, true
}

// sameJSON is how srfake tells a schema that it has from a new one.
func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

func refuse(w http.ResponseWriter, status, code int, message string) {
	respond(w, status, map[string]any{"error_code": code, "message": message})
}

func respond(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that has gone needs no answer
}

// recorder keeps an answer until it may go out.
type recorder struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(code int)        { r.code = code }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

func (r *recorder) copyTo(w http.ResponseWriter) {
	for k, v := range r.header {
		w.Header()[k] = v
	}
	w.WriteHeader(r.code)
	_, _ = w.Write(r.body.Bytes())
}

// inProcess is a transport to a handler in this process.
type inProcess struct{ h http.Handler }

func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := &recorder{header: http.Header{}, code: http.StatusOK}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	t.h.ServeHTTP(rec, r)
	return &http.Response{
		StatusCode: rec.code, Status: http.StatusText(rec.code), Header: rec.header, Request: r,
		Body: io.NopCloser(&rec.body), ContentLength: int64(rec.body.Len()), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}
