package fake

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
)

// SlowDown is S3's way to say too many: 503 SlowDown, nothing taken.
const SlowDown Fault = "503 SlowDown"

// Front stands before any HTTP server and treats requests to it as its Faults say.
type Front struct {
	Faults
	To   http.Handler
	When func(*http.Request) bool // which requests may be treated so; nil: all

	mu    sync.Mutex
	calls int
}

// Before is a front of a server at an address.
func Before(address string) *Front {
	u, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	return &Front{To: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(u)
		r.Out.Host = r.In.Host // it is signed
	}}}
}

// Calls counts those requests so far.
func (f *Front) Calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// ServeHTTP passes a request on, or does not, or loses the answer.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fault := None
	if f.When == nil || f.When(r) {
		fault = f.draw()
		f.mu.Lock()
		f.calls++
		f.mu.Unlock()
	}
	switch fault {
	case TooMany, Refuse500, SlowDown, Garbage, Cut:
		_, _ = io.Copy(io.Discard, r.Body)
	case None:
		f.To.ServeHTTP(w, r)
		return
	default:
		f.To.ServeHTTP(httptest.NewRecorder(), r)
	}
	switch fault {
	case TooMany:
		w.Header().Set("Retry-After", f.retryAfter())
		w.WriteHeader(http.StatusTooManyRequests)
	case SlowDown:
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>")
	case Garbage:
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, "<html>bad gateway</html>")
	case Cut, AcceptCut:
		cut(w)
	case Hang:
		<-r.Context().Done()
	default:
		w.WriteHeader(http.StatusInternalServerError)
	}
}
