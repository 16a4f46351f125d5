package fake

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"
)

// Mail is a mail that the server has taken.
type Mail struct {
	From      string
	To        []string
	Text      string // headers and body as they came
	Encrypted bool
	User      string // who logged in
}

// SMTP is a mail server: EHLO, STARTTLS, AUTH PLAIN, and the delivery of one mail after the other. Its codes are definite; what
// can lie are its connections.
type SMTP struct {
	Faults
	listener  net.Listener
	cert      *tls.Certificate
	immediate bool

	mu       sync.Mutex
	user     string
	password string
	reject   map[string]int // address -> code
	taken    []Mail
	wait     sync.WaitGroup
	conns    map[net.Conn]bool
}

// NewSMTP starts a server that lets in who knows the password; without a user everybody. With a certificate it can STARTTLS, or
// is encrypted from the first byte.
func NewSMTP(t testing.TB, user, password string, cert *Certificate, immediate bool) *SMTP {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &SMTP{listener: l, user: user, password: password, reject: map[string]int{}, conns: map[net.Conn]bool{}, immediate: immediate}
	if cert != nil {
		s.cert = &cert.TLS
	}
	s.wait.Go(s.serve)
	t.Cleanup(func() {
		_ = l.Close()
		s.mu.Lock()
		for c := range s.conns {
			_ = c.Close()
		}
		s.mu.Unlock()
		s.wait.Wait()
	})
	return s
}

// Addr is host:port.
func (s *SMTP) Addr() string { return s.listener.Addr().String() }

// SetPassword changes the password.
func (s *SMTP) SetPassword(p string) { s.mu.Lock(); defer s.mu.Unlock(); s.password = p }

// Reject answers with this code to a recipient.
func (s *SMTP) Reject(address string, code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reject[address] = code
}

// Taken are the mails, in their order.
func (s *SMTP) Taken() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.taken...)
}

func (s *SMTP) serve() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[c] = true
		s.mu.Unlock()
		s.wait.Go(func() {
			defer c.Close()
			if s.immediate {
				s.talk(tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*s.cert}}), true)
				return
			}
			s.talk(c, false)
		})
	}
}

func (s *SMTP) talk(c net.Conn, encrypted bool) {
	r := textproto.NewReader(bufio.NewReader(c))
	say := func(code int, text string) { fmt.Fprintf(c, "%d %s\r\n", code, text) }
	var m Mail
	m.Encrypted = encrypted
	say(220, "fake.example ESMTP")
	for {
		line, err := r.ReadLine()
		if err != nil {
			return
		}
		verb, rest, _ := strings.Cut(line, " ")
		switch strings.ToUpper(verb) {
		case "EHLO", "HELO":
			ext := "250-fake.example\r\n250-8BITMIME\r\n"
			if s.cert != nil && !m.Encrypted {
				ext += "250-STARTTLS\r\n"
			}
			fmt.Fprint(c, ext+"250-AUTH PLAIN LOGIN\r\n250 ENHANCEDSTATUSCODES\r\n")
		case "STARTTLS":
			say(220, "go on")
			t := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*s.cert}})
			if t.Handshake() != nil {
				return
			}
			c, r = t, textproto.NewReader(bufio.NewReader(t))
			m = Mail{Encrypted: true}
		case "AUTH":
			if m.User = s.login(rest); m.User == "" {
				say(535, "5.7.8 authentication credentials invalid")
				continue
			}
			say(235, "2.7.0 welcome")
		case "MAIL":
			if s.user != "" && m.User == "" {
				say(530, "5.7.0 authentication required")
				continue
			}
			m.From, m.To = address(rest), nil
			say(250, "2.1.0 ok")
		case "RCPT":
			to := address(rest)
			s.mu.Lock()
			code := s.reject[to]
			s.mu.Unlock()
			if code != 0 {
				say(code, fmt.Sprintf("%d.1.1 %s", code/100, "not this address"))
				continue
			}
			m.To = append(m.To, to)
			say(250, "2.1.5 ok")
		case "DATA":
			say(354, "end with a dot")
			body, err := io.ReadAll(r.DotReader())
			if err != nil {
				return
			}
			m.Text = string(body)
			if !s.finish(c, say, m) {
				return
			}
		case "QUIT":
			say(221, "2.0.0 bye")
			return
		case "RSET", "NOOP":
			say(250, "2.0.0 ok")
		default:
			say(502, "5.5.1 unknown command")
		}
	}
}

// finish ends the transfer of a mail as the fault says; false: the connection is over.
func (s *SMTP) finish(c net.Conn, say func(int, string), m Mail) bool {
	fault := s.draw()
	switch fault {
	case TooMany:
		say(451, "4.7.1 greylisted, come again")
		return true
	case TooBig:
		say(552, "5.3.4 message too big")
		return true
	case BadAuth:
		say(530, "5.7.0 authentication required")
		return true
	case Garbage:
		fmt.Fprint(c, "<html>bad gateway</html>\r\n")
		return false
	case Cut, Refuse500:
		return false
	}
	s.mu.Lock()
	s.taken = append(s.taken, m)
	s.mu.Unlock()
	switch fault {
	case AcceptCut, Accept500:
		return false
	case Hang:
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		_, _ = c.Read(make([]byte, 1)) // until the client gives up
		return false
	}
	say(250, "2.0.0 queued")
	return true
}

// login checks AUTH PLAIN; it gives the user, or nothing.
func (s *SMTP) login(rest string) string {
	kind, coded, _ := strings.Cut(rest, " ")
	b, err := base64.StdEncoding.DecodeString(coded)
	parts := strings.Split(string(b), "\x00")
	s.mu.Lock()
	defer s.mu.Unlock()
	if kind != "PLAIN" || err != nil || len(parts) != 3 || parts[1] != s.user || parts[2] != s.password {
		return ""
	}
	return parts[1]
}

func address(s string) string {
	_, s, _ = strings.Cut(s, "<")
	s, _, _ = strings.Cut(s, ">")
	return s
}
