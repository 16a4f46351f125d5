package fake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"
)

func itoa(n int) string { return strconv.Itoa(n) }

// SlackMessage is a message that the server has taken.
type SlackMessage struct {
	Channel  string          `json:"channel,omitempty"`
	TS       string          `json:"ts"`
	ThreadTS string          `json:"thread_ts,omitempty"`
	Text     string          `json:"text"`
	Blocks   json.RawMessage `json:"blocks,omitempty"`
	Metadata struct {
		EventType string         `json:"event_type,omitempty"`
		Payload   map[string]any `json:"event_payload,omitempty"`
	} `json:"metadata,omitzero"`
	Broadcast bool     `json:"-"`
	Edits     int      `json:"-"`
	Texts     []string `json:"-"` // of all revisions, the first one included
	Posted    string   `json:"-"` // the post id that it came with; edits change ID
}

// ID is the post id in the metadata.
func (m SlackMessage) ID() string { s, _ := m.Metadata.Payload["id"].(string); return s }

// SlackCall is a call that came in, also one that was refused.
type SlackCall struct {
	At     time.Time
	Method string
	Fault  Fault
}

// Slack is the part of Slack's Web API that weir uses.
type Slack struct {
	Faults
	server *httptest.Server

	mu       sync.Mutex
	token    string
	messages []*SlackMessage
	calls    []SlackCall
	clock    int64
	scopes   bool // history may be read
	page     int
	granted  string // what auth.test names
	outside  bool   // the app is not in the channel
	private  bool
	archived bool
}

// NewSlack starts a server that accepts this token.
func NewSlack(token string) *Slack {
	s := &Slack{token: token, clock: time.Now().Unix() * 1_000_000, scopes: true, page: 100}
	s.server = httptest.NewServer(s)
	return s
}

// URL is the API's address, as slack-go wants it.
func (s *Slack) URL() string { return s.server.URL + "/api/" }

// Close stops the server.
func (s *Slack) Close() { s.server.CloseClientConnections(); s.server.Close() }

// SetToken changes the token that is accepted.
func (s *Slack) SetToken(token string) { s.mu.Lock(); defer s.mu.Unlock(); s.token = token }

// DenyHistory makes the history unreadable: the scope is missing.
func (s *Slack) DenyHistory() { s.mu.Lock(); defer s.mu.Unlock(); s.scopes = false }

// Grant says which scopes the token has, by name; without the one for it the history cannot be read.
func (s *Slack) Grant(scopes string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.granted, s.scopes = scopes, strings.Contains(scopes, ":history")
}

// Room says how the channel is: is the app in it, is it private, archived.
func (s *Slack) Room(member, private, archived bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outside, s.private, s.archived = !member, private, archived
}

// Messages are the taken messages, in their order.
func (s *Slack) Messages() []SlackMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]SlackMessage, len(s.messages))
	for i, m := range s.messages {
		out[i] = *m
	}
	return out
}

// Calls are all calls, refused ones too.
func (s *Slack) Calls() []SlackCall {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]SlackCall(nil), s.calls...)
}

// Forget removes a message, as if a person had deleted it.
func (s *Slack) Forget(ts string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, m := range s.messages {
		if m.TS == ts {
			s.messages = append(s.messages[:i], s.messages[i+1:]...)
			return
		}
	}
}

func (s *Slack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := form(r); err != nil {
		http.Error(w, "bad form", http.StatusBadRequest)
		return
	}
	s.date(w)
	method := r.URL.Path[len("/api/"):]
	fault := s.draw()
	s.mu.Lock()
	s.calls = append(s.calls, SlackCall{time.Now(), method, fault})
	s.mu.Unlock()
	switch fault {
	case TooMany:
		w.Header().Set("Retry-After", s.retryAfter())
		w.WriteHeader(http.StatusTooManyRequests)
		return
	case Refuse500:
		http.Error(w, "oops", http.StatusInternalServerError)
		return
	case Garbage:
		w.WriteHeader(http.StatusBadGateway)
		fmt.Fprint(w, "<html>bad gateway</html>")
		return
	case Cut:
		cut(w)
		return
	case BadAuth:
		answer(w, map[string]any{"ok": false, "error": "invalid_auth"})
		return
	case TooBig:
		answer(w, map[string]any{"ok": false, "error": "invalid_blocks"})
		return
	}
	body := s.handle(method, r)
	s.mu.Lock()
	w.Header().Set("X-Oauth-Scopes", s.granted)
	s.mu.Unlock()
	if s.Delay > 0 {
		time.Sleep(s.Delay)
	}
	switch fault {
	case Accept500:
		http.Error(w, "oops", http.StatusInternalServerError)
	case AcceptCut:
		cut(w)
	case Hang:
		<-r.Context().Done()
	default:
		answer(w, body)
	}
}

// form reads a request's arguments; Slack takes them as a form, and as JSON.
func form(r *http.Request) error {
	if err := r.ParseForm(); err != nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return err
	}
	var args map[string]json.RawMessage
	if err := json.NewDecoder(r.Body).Decode(&args); err != nil {
		return err
	}
	for k, v := range args {
		text := string(v)
		_ = json.Unmarshal(v, &text) // what is no string stays JSON
		r.Form.Set(k, text)
	}
	return nil
}

func answer(w http.ResponseWriter, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

func no(word string) map[string]any { return map[string]any{"ok": false, "error": word} }

func (s *Slack) handle(method string, r *http.Request) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Form.Get("token") != s.token && r.Header.Get("Authorization") != "Bearer "+s.token {
		return no("invalid_auth")
	}
	channel := r.Form.Get("channel")
	switch method {
	case "chat.postMessage":
		if r.Form.Get("text") == "" && r.Form.Get("blocks") == "" {
			return no("no_text")
		}
		thread := r.Form.Get("thread_ts")
		if thread != "" && s.find(channel, thread) == nil {
			return no("thread_not_found")
		}
		s.clock++
		m := &SlackMessage{Channel: channel, TS: fmt.Sprintf("%d.%06d", s.clock/1_000_000, s.clock%1_000_000), ThreadTS: thread, Broadcast: r.Form.Get("reply_broadcast") == "true"}
		m.fill(r)
		m.Posted = m.ID()
		s.messages = append(s.messages, m)
		return map[string]any{"ok": true, "channel": channel, "ts": m.TS}
	case "chat.update":
		m := s.find(channel, r.Form.Get("ts"))
		if m == nil {
			return no("message_not_found")
		}
		m.fill(r)
		m.Edits++
		return map[string]any{"ok": true, "channel": channel, "ts": m.TS, "text": m.Text}
	case "conversations.history", "conversations.replies":
		return s.history(channel, method == "conversations.replies", r)
	case "auth.test":
		return map[string]any{"ok": true, "team": "fake", "user": "weir"}
	case "conversations.info":
		if s.granted != "" && !strings.Contains(s.granted, "channels:read") && !strings.Contains(s.granted, "groups:read") {
			return map[string]any{"ok": false, "error": "missing_scope", "needed": "channels:read", "provided": s.granted}
		}
		return map[string]any{"ok": true, "channel": map[string]any{"id": channel, "name": "fin-daily", "is_channel": true, "is_member": !s.outside, "is_private": s.private, "is_archived": s.archived}}
	}
	return no("unknown_method")
}

func (m *SlackMessage) fill(r *http.Request) {
	m.Text = r.Form.Get("text")
	m.Blocks = nil
	if b := r.Form.Get("blocks"); b != "" {
		m.Blocks = json.RawMessage(b)
	}
	if md := r.Form.Get("metadata"); md != "" {
		_ = json.Unmarshal([]byte(md), &m.Metadata) // a broken one is what Slack drops, too
	}
	m.Texts = append(m.Texts, m.Text)
}

func (s *Slack) find(channel, ts string) *SlackMessage {
	for _, m := range s.messages {
		if m.TS == ts && m.Channel == channel {
			return m
		}
	}
	return nil
}

// history gives the newest first, by pages; replies the oldest first with the root in front, as Slack does.
func (s *Slack) history(channel string, thread bool, r *http.Request) map[string]any {
	if !s.scopes {
		return map[string]any{"ok": false, "error": "missing_scope", "needed": "channels:history", "provided": "chat:write"}
	}
	oldest := r.Form.Get("oldest")
	var all []*SlackMessage
	for i := range s.messages {
		m := s.messages[len(s.messages)-1-i]
		if thread {
			m = s.messages[i]
		}
		in := m.ThreadTS == "" || m.Broadcast
		if thread {
			in = m.ThreadTS == r.Form.Get("ts") || m.TS == r.Form.Get("ts")
		}
		if m.Channel == channel && in && m.TS >= oldest {
			all = append(all, m)
		}
	}
	from, _ := strconv.Atoi(r.Form.Get("cursor"))
	to := min(from+s.page, len(all))
	next := ""
	if to < len(all) {
		next = itoa(to)
	}
	var page []SlackMessage
	for _, m := range all[min(from, to):to] {
		c := *m
		if r.Form.Get("include_all_metadata") != "1" && r.Form.Get("include_all_metadata") != "true" {
			c.Metadata.EventType, c.Metadata.Payload = "", nil
		}
		page = append(page, c)
	}
	return map[string]any{"ok": true, "messages": page, "has_more": next != "", "response_metadata": map[string]any{"next_cursor": next}}
}
