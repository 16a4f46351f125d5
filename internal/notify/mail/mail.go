// Package mail is the channel to people's mailboxes over SMTP, encrypted unless units.yaml says otherwise.
//
// All mails about a job and date form one thread: each refers to the same id, which is made from the message's key, and the
// state stands in brackets before a subject that stays the same. A mail's own Message-ID is made from the post's id, so that
// mail systems that drop doubles can. Nobody can look into a mailbox from here: after a connection that broke while the
// server was taking the mail over, units.yaml decides (on_unknown).
package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"weir/internal/notify/channel"
)

// How the connection is encrypted.
const (
	StartTLS = "starttls" // in clear first, then encrypted; refuses a server that cannot
	TLS      = "tls"      // from the first byte
	None     = "none"     // in clear: only for a relay on this machine
)

// Config says which server, from whom, to whom.
type Config struct {
	Server   string // host:port
	Security string // StartTLS (default), TLS or None
	User     string // empty: no login
	Password func() (string, error)
	From     string
	To       []string
	Trust    *tls.Config // nil: the system's authorities
}

// ValidAddress reports whether s is one mail address, with or without a name.
func ValidAddress(s string) bool { return gomail.NewMsg().From(s) == nil }

// New makes the channel.
func New(c Config) channel.Channel { return &mailer{c} }

type mailer struct{ Config }

// ours bounds a call whose caller set no deadline.
const ours = 30 * time.Second

// client knows the server; it has not called it yet.
func (m *mailer) client(ctx context.Context) (*gomail.Client, error) {
	host, port, err := net.SplitHostPort(m.Server)
	if err != nil {
		return nil, &channel.Failure{Class: channel.Blocked, Code: "bad_server", Err: err}
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, &channel.Failure{Class: channel.Blocked, Code: "bad_server", Err: fmt.Errorf("port %s", port)}
	}
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if m.Trust != nil {
		trust = m.Trust.Clone()
	}
	trust.ServerName = host
	opts := []gomail.Option{gomail.WithPort(n), gomail.WithTimeout(ours), gomail.WithTLSConfig(trust), gomail.WithDialContextFunc(m.dial(trust))}
	switch m.Security {
	case None, TLS: // dial has seen to it
		opts = append(opts, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		opts = append(opts, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if m.User != "" {
		password, err := m.Password()
		if err != nil {
			return nil, &channel.Failure{Class: channel.Blocked, Code: "no_password", Err: err}
		}
		opts = append(opts, gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin), gomail.WithUsername(m.User), gomail.WithPassword(password))
	}
	c, err := gomail.NewClient(host, opts...)
	if err != nil {
		return nil, &channel.Failure{Class: channel.Blocked, Code: "bad_server", Err: err}
	}
	return c, nil
}

// dial connects. Whatever the library does with deadlines, the connection ends with the call.
func (m *mailer) dial(trust *tls.Config) gomail.DialContextFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		end, _ := ctx.Deadline() // the library sets one
		b := bounded{c, end}
		if m.Security != TLS {
			return b, nil
		}
		t := tls.Client(b, trust)
		if err := t.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(err, c.Close())
		}
		return t, nil
	}
}

// bounded is a connection whose deadlines never pass its end.
type bounded struct {
	net.Conn
	end time.Time
}

func (b bounded) SetDeadline(t time.Time) error {
	if t.IsZero() || t.After(b.end) {
		t = b.end
	}
	return b.Conn.SetDeadline(t)
}

func (m *mailer) Send(ctx context.Context, p channel.Post) (channel.Receipt, error) {
	msg, err := m.letter(p)
	if err != nil {
		return channel.Receipt{}, err
	}
	c, err := m.client(ctx)
	if err != nil {
		return channel.Receipt{}, err
	}
	if err := c.DialWithContext(ctx); err != nil {
		return channel.Receipt{}, dialFailed(err)
	}
	err = c.Send(msg)
	if msg.IsDelivered() { // whatever went wrong after that does not concern the mail
		_ = c.Close()
		return channel.Receipt{Ref: msg.GetMessageID()}, nil
	}
	_ = c.Close()
	return channel.Receipt{}, sendFailed(err)
}

// dialFailed classifies what goes wrong before a mail is on its way: nothing can have been delivered.
func dialFailed(err error) error {
	f := &channel.Failure{Class: channel.Again, Code: "unreachable", Err: err}
	var cert *tls.CertificateVerificationError
	var said *textproto.Error
	var timed net.Error
	switch {
	case errors.As(err, &cert):
		f.Class, f.Code = channel.Blocked, "bad_certificate"
	case errors.As(err, &said):
		f.Code = "smtp_" + strconv.Itoa(said.Code)
		if said.Code >= 500 { // a login refused, a host that we may not use
			f.Class = channel.Blocked
		}
	case errors.As(err, &timed) && timed.Timeout(): // also in the middle of a login
		f.Code = "timeout"
	case strings.Contains(err.Error(), "STARTTLS"):
		f.Class, f.Code = channel.Blocked, "no_starttls"
	case strings.Contains(err.Error(), "AUTH"), strings.Contains(err.Error(), "auth"):
		f.Class, f.Code = channel.Blocked, "no_auth"
	}
	return f
}

// sendFailed classifies by the server's word: 4xx is "not now", 5xx "never": the channel's fault where it refuses an address,
// the message's where it refuses the mail. A connection that broke in between may have delivered it.
func sendFailed(err error) error {
	f := &channel.Failure{Class: channel.Unknown, Code: "connection", Err: errors.New("the connection broke while the mail was taken over")}
	var s *gomail.SendError
	if !errors.As(err, &s) {
		return f
	}
	before := s.Reason == gomail.ErrConnCheck || s.Reason == gomail.ErrSMTPMailFrom || s.Reason == gomail.ErrSMTPRcptTo || s.Reason == gomail.ErrSMTPData
	switch code := s.ErrorCode(); {
	case code == 0 && before:
		f.Class, f.Err = channel.Again, errors.New("the connection broke before the mail was taken over")
		return f
	case code == 0:
		return f
	case code < 400: // an answer that makes no sense here
		f.Code = "smtp_" + strconv.Itoa(code)
		return f
	default:
		f.Code, f.Err = "smtp_"+strconv.Itoa(code), errors.New(s.Error())
		switch {
		case code < 500:
			f.Class = channel.Again
		case before:
			f.Class = channel.Blocked
		default:
			f.Class = channel.Refused
		}
	}
	return f
}
