package fake

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

// SNSMessage is a message that the server has taken.
type SNSMessage struct {
	Topic, Subject, Body string
	Group, Dedup         string
	Attributes           map[string]string
}

// SNS is the part of Amazon SNS that weir uses: Publish and GetTopicAttributes of the query protocol. A FIFO topic drops what it has already
// taken under the same deduplication id, and acknowledges it.
type SNS struct {
	Faults
	server *httptest.Server

	mu       sync.Mutex
	readers  int // confirmed subscriptions
	pending  int
	denied   bool
	messages []SNSMessage
	dedup    map[string]time.Time
	calls    int
}

// NewSNS starts a server.
func NewSNS() *SNS {
	s := &SNS{dedup: map[string]time.Time{}}
	s.server = httptest.NewServer(s)
	return s
}

// URL is the endpoint.
func (s *SNS) URL() string { return s.server.URL }

// Close stops the server.
func (s *SNS) Close() { s.server.CloseClientConnections(); s.server.Close() }

// Deny refuses all calls as not authorized, or no longer does.
func (s *SNS) Deny(yes bool) { s.mu.Lock(); defer s.mu.Unlock(); s.denied = yes }

// Subscribe says how many read a topic, and how many have not confirmed yet.
func (s *SNS) Subscribe(confirmed, pending int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readers, s.pending = confirmed, pending
}

// Messages are the taken messages, in their order.
func (s *SNS) Messages() []SNSMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]SNSMessage(nil), s.messages...)
}

// Calls counts all calls, refused ones too.
func (s *SNS) Calls() int { s.mu.Lock(); defer s.mu.Unlock(); return s.calls }

func (s *SNS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "bad form", http.StatusBadRequest)
		return
	}
	s.date(w)
	fault := s.draw()
	s.mu.Lock()
	s.calls++
	denied := s.denied
	s.mu.Unlock()
	switch {
	case denied, fault == BadAuth:
		fail(w, http.StatusForbidden, "AuthorizationError", "not authorized to perform: SNS:Publish")
		return
	case fault == TooMany:
		w.Header().Set("Retry-After", s.retryAfter())
		fail(w, http.StatusTooManyRequests, "Throttled", "Rate exceeded")
		return
	case fault == Refuse500:
		fail(w, http.StatusInternalServerError, "InternalError", "oops")
		return
	case fault == Garbage:
		w.WriteHeader(http.StatusBadGateway)
		fmt.Fprint(w, "<html>bad gateway</html>")
		return
	case fault == TooBig:
		fail(w, http.StatusBadRequest, "InvalidParameter", "Invalid parameter: Message too long")
		return
	case fault == Cut:
		cut(w)
		return
	}
	if r.Form.Get("Action") == "GetTopicAttributes" {
		s.describe(w)
		return
	}
	if r.Form.Get("Action") != "Publish" {
		fail(w, http.StatusBadRequest, "InvalidAction", "unknown action")
		return
	}
	if strings.HasSuffix(r.Form.Get("TopicArn"), ".fifo") && r.Form.Get("MessageGroupId") == "" {
		fail(w, http.StatusBadRequest, "InvalidParameter", "The MessageGroupId parameter is required for FIFO topics")
		return
	}
	id := s.take(r)
	switch fault {
	case Accept500:
		fail(w, http.StatusInternalServerError, "InternalError", "oops")
	case AcceptCut:
		cut(w)
	case Hang:
		<-r.Context().Done()
	default:
		w.Header().Set("Content-Type", "text/xml")
		fmt.Fprintf(w, `<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>%s</MessageId></PublishResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></PublishResponse>`, id)
	}
}

func (s *SNS) describe(w http.ResponseWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "text/xml")
	fmt.Fprint(w, `<GetTopicAttributesResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><GetTopicAttributesResult><Attributes>`)
	for k, v := range map[string]int{"SubscriptionsConfirmed": s.readers, "SubscriptionsPending": s.pending} {
		fmt.Fprintf(w, `<entry><key>%s</key><value>%d</value></entry>`, k, v)
	}
	fmt.Fprint(w, `</Attributes></GetTopicAttributesResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetTopicAttributesResponse>`)
}

func fail(w http.ResponseWriter, status int, code, text string) {
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>r</RequestId></ErrorResponse>`, code, text)
}

func (s *SNS) take(r *http.Request) string {
	m := SNSMessage{Topic: r.Form.Get("TopicArn"), Subject: r.Form.Get("Subject"), Body: r.Form.Get("Message"),
		Group: r.Form.Get("MessageGroupId"), Dedup: r.Form.Get("MessageDeduplicationId"), Attributes: map[string]string{}}
	for i := 1; ; i++ {
		p := fmt.Sprintf("MessageAttributes.entry.%d.", i)
		name := r.Form.Get(p + "Name")
		if name == "" {
			break
		}
		m.Attributes[name] = r.Form.Get(p + "Value.StringValue")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.Dedup != "" {
		key := m.Topic + " " + m.Dedup
		if at, ok := s.dedup[key]; ok && time.Since(at) < 5*time.Minute {
			return "again"
		}
		s.dedup[key] = time.Now()
	}
	s.messages = append(s.messages, m)
	return fmt.Sprintf("m-%d", len(s.messages))
}
