package fake

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
)

// SlackHook is Slack's end of an incoming webhook.
type SlackHook struct {
	Faults
	server *httptest.Server
	path   string

	mu       sync.Mutex
	status   int
	word     string
	messages []SlackMessage
}

// NewSlackHook starts a server with one webhook at this path.
func NewSlackHook(path string) *SlackHook {
	s := &SlackHook{path: path}
	s.server = httptest.NewServer(s)
	return s
}

// URL is the server's address, without the path.
func (s *SlackHook) URL() string { return s.server.URL }

// Close stops the server.
func (s *SlackHook) Close() { s.server.CloseClientConnections(); s.server.Close() }

// Answer makes it answer everything so; 0: it takes posts again.
func (s *SlackHook) Answer(status int, word string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status, s.word = status, word
}

// Revoke takes the webhook away, or gives it back.
func (s *SlackHook) Revoke(yes bool) {
	s.Answer(0, "")
	if yes {
		s.Answer(http.StatusNotFound, "no_service")
	}
}

// Messages are the taken messages, in their order.
func (s *SlackHook) Messages() []SlackMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]SlackMessage(nil), s.messages...)
}

func (s *SlackHook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.date(w)
	var m SlackMessage
	err := json.NewDecoder(r.Body).Decode(&m)
	say := func(status int, word string) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, word)
	}
	fault := s.draw()
	s.mu.Lock()
	status, word := s.status, s.word
	s.mu.Unlock()
	switch {
	case status != 0:
		say(status, word)
		return
	case r.URL.Path != s.path || fault == BadAuth:
		say(http.StatusForbidden, "invalid_token")
		return
	case err != nil || m.Text == "" || fault == TooBig:
		say(http.StatusBadRequest, "invalid_payload")
		return
	case fault == TooMany:
		w.Header().Set("Retry-After", s.retryAfter())
		say(http.StatusTooManyRequests, "rate_limited")
		return
	case fault == Refuse500:
		say(http.StatusInternalServerError, "rollup_error")
		return
	case fault == Garbage:
		say(http.StatusBadGateway, "<html>bad gateway</html>")
		return
	case fault == Cut:
		cut(w)
		return
	}
	s.mu.Lock()
	s.messages = append(s.messages, m)
	s.mu.Unlock()
	switch fault {
	case Accept500:
		say(http.StatusInternalServerError, "rollup_error")
	case AcceptCut:
		cut(w)
	case Hang:
		<-r.Context().Done()
	default:
		say(http.StatusOK, "ok")
	}
}
