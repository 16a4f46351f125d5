package fake

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

// SQS is the part of Amazon SQS (AWS JSON 1.0) that weir uses, with one queue. Its Faults are those of receiving and deleting.
type SQS struct {
	Faults
	Hide time.Duration // visibility time-out; 0: 30 s

	server *httptest.Server
	mu     sync.Mutex
	queue  []*queued
	n      int
}

type queued struct {
	id, body, handle string
	hidden           time.Time
}

// NewSQS starts a server.
func NewSQS() *SQS {
	s := &SQS{}
	s.server = httptest.NewServer(s)
	return s
}

// URL is the endpoint; Queue the queue's URL there.
func (s *SQS) URL() string   { return s.server.URL }
func (s *SQS) Queue() string { return s.server.URL + "/111122223333/events" }

// Close stops the server.
func (s *SQS) Close() {
	s.server.CloseClientConnections()
	s.server.Close()
}

// Put puts a message into the queue.
func (s *SQS) Put(body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	s.queue = append(s.queue, &queued{id: fmt.Sprintf("m%04d", s.n), body: body})
}

// Left is how many messages are not deleted.
func (s *SQS) Left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue)
}

func (s *SQS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		MaxNumberOfMessages int
		WaitTimeSeconds     int
		Entries             []struct{ Id, ReceiptHandle string }
	}
	_ = json.NewDecoder(r.Body).Decode(&in)
	fault := s.draw()
	switch fault {
	case Refuse500:
		s.answer(w, http.StatusInternalServerError, map[string]string{"__type": "com.amazonaws.sqs#InternalError", "message": "oops"})
		return
	case BadAuth:
		s.answer(w, http.StatusForbidden, map[string]string{"__type": "com.amazonaws.sqs#AccessDenied", "message": "no"})
		return
	case Cut:
		cut(w)
		return
	}
	var out any
	switch _, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); op {
	case "ReceiveMessage":
		out = s.receive(r, in.MaxNumberOfMessages, time.Duration(in.WaitTimeSeconds)*time.Second)
	case "DeleteMessageBatch":
		done := []map[string]string{}
		for _, e := range in.Entries {
			s.remove(e.ReceiptHandle)
			done = append(done, map[string]string{"Id": e.Id})
		}
		out = map[string]any{"Successful": done, "Failed": []any{}}
	default:
		s.answer(w, http.StatusBadRequest, map[string]string{"__type": "com.amazonaws.sqs#UnsupportedOperation", "message": op})
		return
	}
	if fault == AcceptCut {
		cut(w)
		return
	}
	s.answer(w, http.StatusOK, out)
}

func (s *SQS) answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (s *SQS) receive(r *http.Request, n int, wait time.Duration) any {
	end := time.NewTimer(wait)
	defer end.Stop()
	for {
		if got := s.visible(max(n, 1)); len(got) > 0 {
			return map[string]any{"Messages": got}
		}
		select {
		case <-r.Context().Done():
			return map[string]any{}
		case <-end.C:
			return map[string]any{}
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (s *SQS) visible(n int) []map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	hide := s.Hide
	if hide == 0 {
		hide = 30 * time.Second
	}
	var out []map[string]string
	now := time.Now()
	for _, q := range s.queue {
		if len(out) == n || q.hidden.After(now) {
			continue
		}
		s.n++
		q.hidden, q.handle = now.Add(hide), fmt.Sprintf("h%d", s.n)
		sum := md5.Sum([]byte(q.body))
		out = append(out, map[string]string{"MessageId": q.id, "ReceiptHandle": q.handle, "Body": q.body, "MD5OfBody": hex.EncodeToString(sum[:])})
	}
	return out
}

func (s *SQS) remove(handle string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, q := range s.queue {
		if q.handle == handle {
			s.queue = append(s.queue[:i], s.queue[i+1:]...)
			return
		}
	}
}
