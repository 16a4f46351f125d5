package fake

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
)

// A Delivery is a post that the receiver has taken.
type Delivery struct {
	Header http.Header
	Body   []byte
}

// Webhook is a receiver of webhooks. It checks nothing: what it has taken is for the test to judge.
type Webhook struct {
	Faults
	server *httptest.Server

	mu     sync.Mutex
	dedups bool
	status int
	answer string
	taken  []Delivery
	seen   map[string]bool
}

// NewWebhook starts a receiver. If it dedups, it drops, and acknowledges, what it has seen under the same webhook-id.
func NewWebhook(dedups bool) *Webhook {
	w := &Webhook{dedups: dedups, seen: map[string]bool{}}
	w.server = httptest.NewServer(w)
	return w
}

// URL is where to post.
func (w *Webhook) URL() string { return w.server.URL }

// Close stops the receiver.
func (w *Webhook) Close() { w.server.CloseClientConnections(); w.server.Close() }

// Answer makes it answer everything with this status and text; 0: it takes posts again.
func (w *Webhook) Answer(status int, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status, w.answer = status, text
}

// Taken are the posts that it has acknowledged, or taken and lied about.
func (w *Webhook) Taken() []Delivery {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Delivery(nil), w.taken...)
}

func (w *Webhook) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.date(rw)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	w.mu.Lock()
	status, text := w.status, w.answer
	w.mu.Unlock()
	if r.Method != http.MethodPost { // a look, no message
		rw.WriteHeader(max(status, http.StatusNoContent))
		return
	}
	fault := w.draw()
	switch {
	case status != 0:
		rw.WriteHeader(status)
		_, _ = io.WriteString(rw, text)
		return
	case fault == BadAuth:
		rw.WriteHeader(http.StatusUnauthorized)
		return
	case fault == TooMany:
		rw.Header().Set("Retry-After", w.retryAfter())
		rw.WriteHeader(http.StatusTooManyRequests)
		return
	case fault == Refuse500:
		http.Error(rw, "oops", http.StatusInternalServerError)
		return
	case fault == Garbage:
		rw.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(rw, "<html>bad gateway</html>")
		return
	case fault == TooBig:
		rw.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	case fault == Cut:
		cut(rw)
		return
	}
	w.take(Delivery{r.Header.Clone(), bytes.Clone(body)})
	switch fault {
	case Accept500:
		http.Error(rw, "oops", http.StatusInternalServerError)
	case AcceptCut:
		cut(rw)
	case Hang:
		<-r.Context().Done()
	default:
		rw.WriteHeader(http.StatusAccepted)
	}
}

func (w *Webhook) take(d Delivery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := d.Header.Get("webhook-id")
	if w.dedups && w.seen[id] {
		return
	}
	w.seen[id] = true
	w.taken = append(w.taken, d)
}
