package intake

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"weir/internal/outcome"
)

const ready = `{"specversion":"1.0","id":"e1","source":"/jobs","type":"io.weir.job.ready.v1","time":"2026-11-23T07:03:00Z","datacontenttype":"application/json",
	"data":{"unit":"FIN","job":"settlements_daily","business_date":"2026-11-20","run_id":"01JD7Q","state":"ready","rows":{"in":4182331,"loaded":4182310,"rejected":21}}}`

func ownEvent(t *testing.T) string {
	t.Helper()
	b, err := json.Marshal(outcome.FromOutcome(outcome.Outcome{RunID: "r1", Job: "clicks", Unit: "FIN", State: outcome.Ready, At: time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC), RowsIn: 3, RowsOut: 3}))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWhatIsAcceptedOverHTTP(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	fmt.Fprint(z, ready)
	z.Close()
	bomb := bytes.Buffer{}
	z = gzip.NewWriter(&bomb)
	fmt.Fprint(z, strings.Repeat(" ", 4*MaxBytes))
	z.Close()
	header := func(kv ...string) func(*http.Request) {
		return func(r *http.Request) {
			for i := 0; i < len(kv); i += 2 {
				r.Header.Set(kv[i], kv[i+1])
			}
		}
	}
	const ce, batch, plain = "application/cloudevents+json", "application/cloudevents-batch+json", "application/json"
	data := `{"unit":"FIN","job":"bin","run_id":"b1"}`
	for _, c := range []struct {
		name, path, kind, body string
		change                 func(*http.Request)
		code                   int
		says                   string
		told                   string // first words of what the unit reads; empty: nothing
	}{
		{"a CloudEvent", "/v1/events", ce, ready, nil, 202, `"accepted":1`, "✅ READY  settlements_daily for Fri 20 Nov 2026"},
		{"a CloudEvent without a label", "/v1/events", plain, ready, nil, 202, `"accepted":1`, "✅ READY"},
		{"two in a batch", "/v1/events", batch, "[" + ready + "," + strings.ReplaceAll(ready, "01JD7Q", "01JD7R") + "]", nil, 202, `"accepted":2`, "✅ READY"},
		{"a batch with a bad one", "/v1/events", batch, "[" + ready + `,{"specversion":"1.0","id":"x","source":"y","type":"io.weir.job.ready.v1","data":{}}]`, nil, 422, "event 2 of 2: CloudEvent: outcome: job is missing; none was accepted", ""},
		{"one in headers", "/v1/events", plain, data, header("Ce-Specversion", "1.0", "Ce-Id", "1", "Ce-Source", "s", "Ce-Type", "io.weir.job.failed.v1"), 202, `"accepted":1`, "✖ FAILED  bin"},
		{"OpenLineage inside", "/v1/events", ce, `{"specversion":"1.0","id":"1","source":"s","type":"io.openlineage.run.v1","data":` + ownEvent(t) + `}`, nil, 202, `"accepted":1`, "✅ READY  clicks"},
		{"an OpenLineage event of weir", "/api/v1/lineage", plain, ownEvent(t), nil, 202, `"accepted":1`, "✅ READY  clicks"},
		{"an OpenLineage event about a dataset", "/api/v1/lineage", plain, `{"eventTime":"2026-11-23T07:00:00Z","schemaURL":"x","dataset":{"namespace":"a","name":"b"}}`, nil, 202, `"accepted":0`, ""},
		{"gzip", "/v1/events", ce, zipped.String(), header("Content-Encoding", "gzip"), 202, `"accepted":1`, "✅ READY"},
		{"a gzip bomb", "/v1/events", ce, bomb.String(), header("Content-Encoding", "gzip"), 413, "more than 1048576 bytes", ""},
		{"brotli", "/v1/events", ce, "x", header("Content-Encoding", "br"), 415, "send gzip or none", ""},
		{"a type that is not ours", "/v1/events", ce, `{"specversion":"1.0","id":"1","source":"s","type":"com.example.order.v1","data":{}}`, nil, 422, `unknown type \"com.example.order.v1\"; expected io.weir.job.STATE.v1`, ""},
		{"a state that is not one", "/v1/events", ce, strings.ReplaceAll(ready, "ready", "done"), nil, 422, `state \"done\" is unknown`, ""},
		{"type and data say different states", "/v1/events", ce, strings.Replace(ready, "job.ready", "job.failed", 1), nil, 400, "but data says state", ""},
		{"version 2", "/v1/events", ce, strings.Replace(ready, `"1.0"`, `"2.0"`, 1), nil, 400, "this is 1.0", ""},
		{"no id", "/v1/events", ce, strings.Replace(ready, `"id":"e1",`, "", 1), nil, 400, "id is missing", ""},
		{"no such day", "/v1/events", ce, strings.Replace(ready, "2026-11-20", "2026-02-30", 1), nil, 400, "write it as 2026-11-20", ""},
		{"a form", "/v1/events", "application/x-www-form-urlencoded", "a=b", nil, 415, "send application/cloudevents+json", ""},
		{"text", "/api/v1/lineage", "text/plain", ownEvent(t), nil, 415, "send application/json", ""},
		{"no JSON", "/api/v1/lineage", plain, "{", nil, 400, "no JSON object", ""},
		{"a job without a run", "/api/v1/lineage", plain, `{"eventType":"START","job":{"name":"j"}}`, nil, 400, "run.runId is missing", ""},
		{"too big", "/api/v1/lineage", plain, strings.Repeat(" ", MaxBytes+1), nil, 413, "more than", ""},
		{"nested without an end", "/api/v1/lineage", plain, `{"run":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + "}", nil, 400, "nested more than 64 deep", ""},
		{"a page that rebinds its name", "/v1/events", ce, ready, func(r *http.Request) { r.Host = "evil.example" }, 403, "loopback address", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, fin, rest := service(t)
			w := call(Web{Notify: s}.Handler(), c.path, c.kind, c.body, c.change)
			if w.Code != c.code || !strings.Contains(w.Body.String(), c.says) {
				t.Errorf("HTTP %d, want %d saying %s: %s", w.Code, c.code, c.says, w.Body)
			}
			drain(t, s)
			told := strings.Join(append(fin.told(), rest.told()...), "\n")
			if !strings.HasPrefix(told, c.told) || c.told == "" && told != "" {
				t.Errorf("told %q, want %q", told, c.told)
			}
		})
	}
}

func TestWhoMayHandIn(t *testing.T) {
	s, _, _ := service(t)
	with := func(token string) func(*http.Request) {
		return func(r *http.Request) {
			r.Host = "notify.example"
			if token != "" {
				r.Header.Set("Authorization", token)
			}
		}
	}
	h := Web{Notify: s, Guard: NewGuard(true, "sesame", 0)}.Handler()
	for token, code := range map[string]int{"": 401, "Bearer sesam": 401, "Bearer sesamee": 401, "Basic sesame": 401, "Bearer sesame": 202, "bearer sesame": 202} {
		if w := call(h, "/v1/events", "application/cloudevents+json", ready, with(token)); w.Code != code || strings.Contains(w.Body.String(), "sesam") {
			t.Errorf("%q: HTTP %d, want %d: %s", token, w.Code, code, w.Body)
		}
	}
	if w := call((Web{Notify: s, Guard: NewGuard(true, "", 0)}).Handler(), "/v1/events", "application/cloudevents+json", ready, with("")); w.Code != 401 {
		t.Errorf("mTLS without a certificate: HTTP %d", w.Code)
	}
	get := func(path, token string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "http://notify.example"+path, nil)
		if token != "" {
			r.Header.Set("Authorization", token)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	if w := get("/metrics", ""); w.Code != 401 {
		t.Errorf("metrics without a token: HTTP %d", w.Code)
	}
	if w := get("/healthz", ""); w.Code != 200 || strings.Contains(w.Body.String(), `"channels"`) {
		t.Errorf("health for everybody: HTTP %d: %s", w.Code, w.Body)
	}
	if w := get("/healthz", "Bearer sesame"); !strings.Contains(w.Body.String(), `"channels"`) {
		t.Errorf("health for those who may: %s", w.Body)
	}
	if w := get("/readyz", ""); w.Code != 200 {
		t.Errorf("ready: HTTP %d: %s", w.Code, w.Body)
	}
}

func TestAClientThatComesTooOftenIsToldWhenToComeAgain(t *testing.T) {
	s, _, _ := service(t)
	h := Web{Notify: s, Guard: NewGuard(false, "", 0.5)}.Handler()
	from := func(addr string) func(*http.Request) { return func(r *http.Request) { r.RemoteAddr = addr } }
	var codes []int
	for range 3 {
		w := call(h, "/v1/events", "application/cloudevents+json", ready, from("10.0.0.1:1"))
		codes = append(codes, w.Code)
		if w.Code == 429 && w.Header().Get("Retry-After") != "2" {
			t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
		}
	}
	if fmt.Sprint(codes) != "[202 429 429]" {
		t.Errorf("codes %v", codes)
	}
	if w := call(h, "/v1/events", "application/cloudevents+json", ready, from("10.0.0.2:1")); w.Code != 202 {
		t.Errorf("another client: HTTP %d", w.Code)
	}
}

// The figures follow Prometheus' rules for names, and tell of what was accepted and sent.
func TestMetrics(t *testing.T) {
	s, _, _ := service(t)
	m := NewMetrics(s)
	h := Web{Notify: s, Metrics: m}.Handler()
	call(h, "/v1/events", "application/cloudevents+json", ready, nil)
	call(h, "/v1/events", "application/cloudevents+json", "{", nil)
	drain(t, s)
	if bad, err := testutil.GatherAndLint(m.reg); err != nil || len(bad) > 0 {
		t.Errorf("%v %v", bad, err)
	}
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:1/metrics", nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	for _, line := range []string{
		`weir_notify_events_accepted_total{input="http_events"} 1`, `weir_notify_events_refused_total{input="http_events",reason="bad"} 1`,
		`weir_notify_sends_total{channel="fin",result="ok"} 1`, `weir_notify_deliveries{state="sent"} 1`, `weir_notify_deliveries{state="dead"} 0`,
		`weir_notify_channel_blocked{channel="rest"} 0`, `weir_notify_oldest_wait_seconds 0`, `weir_notify_accept_duration_seconds_count{input="http_events"} 1`,
	} {
		if !strings.Contains(w.Body.String(), line+"\n") {
			t.Errorf("lacks %s", line)
		}
	}
	if t.Failed() {
		t.Log(w.Body)
	}
}

func TestHealthIsBadWhenSomethingWaitsTooLong(t *testing.T) {
	s, _, _ := service(t)
	h := Web{Notify: s, MaxWait: time.Nanosecond}.Handler()
	call(h, "/v1/events", "application/cloudevents+json", ready, nil) // nobody sends
	r := httptest.NewRequest(http.MethodGet, "http://localhost/healthz", nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), `"waiting":1`) || !strings.Contains(w.Body.String(), "the bound is 1ns") {
		t.Errorf("HTTP %d: %s", w.Code, w.Body)
	}
}
