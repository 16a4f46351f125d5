package kafka

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const probeLimit = time.Second

// A prober looks a second time where a broker's silence has several causes.
type prober interface {
	plain() bool                  // it speaks Kafka without TLS
	tls() bool                    // it speaks TLS
	mechanisms(c Config) []string // of logins that it offers; nil: not known
}

// probe asks the first address that takes a connection.
type probe struct {
	ctx   context.Context
	seeds []string
}

// dial ends with the limit, whatever the other side does.
func (p probe) dial() (net.Conn, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(p.ctx, probeLimit)
	for _, addr := range p.seeds {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err != nil {
			continue
		}
		end, _ := ctx.Deadline()
		_ = c.SetDeadline(end)
		return c, func() { c.Close(); cancel() }
	}
	return nil, cancel
}

// plain sends what any Kafka client says first, ApiVersions v0, and looks whether it is answered.
func (p probe) plain() bool {
	c, done := p.dial()
	defer done()
	if c == nil {
		return false
	}
	const id = 0x77656972
	hello := binary.BigEndian.AppendUint32(nil, 10)
	hello = binary.BigEndian.AppendUint16(hello, uint16(kmsg.ApiVersions))
	hello = binary.BigEndian.AppendUint16(hello, 0)
	hello = binary.BigEndian.AppendUint32(hello, id)
	hello = binary.BigEndian.AppendUint16(hello, 0xffff) // no client id
	answer := make([]byte, 8)
	if _, err := c.Write(hello); err != nil {
		return false
	}
	_, err := io.ReadFull(c, answer)
	return err == nil && binary.BigEndian.Uint32(answer[4:]) == id
}

// tls begins a handshake. Whatever is wrong with the certificate, there is one.
func (p probe) tls() bool {
	c, done := p.dial()
	defer done()
	if c == nil {
		return false
	}
	host, _, _ := net.SplitHostPort(p.seeds[0])
	err := tls.Client(c, &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}).HandshakeContext(p.ctx)
	var (
		cert  *tls.CertificateVerificationError
		alert *net.OpError
	)
	return err == nil || errors.As(err, &cert) || errors.As(err, &alert) && alert.Op == "remote error"
}

// mechanisms asks a broker, before any login, which ones it offers.
func (p probe) mechanisms(c Config) []string {
	c.SASL = nil
	cl, err := Connect(c, kgo.RetryTimeout(probeLimit))
	if err != nil {
		return nil
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(p.ctx, probeLimit)
	defer cancel()
	ask := kmsg.NewPtrSASLHandshakeRequest()
	ask.Mechanism = "?"
	for _, b := range cl.SeedBrokers() {
		r, err := b.Request(ctx, ask)
		if h, ok := r.(*kmsg.SASLHandshakeResponse); err == nil && ok {
			slices.Sort(h.SupportedMechanisms)
			return h.SupportedMechanisms
		}
	}
	return nil
}
