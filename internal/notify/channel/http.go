package channel

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Client is for channels that call over HTTP. It follows no redirect, which would turn a post into a get or carry it to a
// stranger, and keeps no connection for long: a kept one that the far side closes is one more unknown result.
func Client() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, IdleConnTimeout: 20 * time.Second, MaxConnsPerHost: 2, TLSHandshakeTimeout: 10 * time.Second, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Lost classifies a call that ended without an answer: what surely never left us may be tried again; anything later has an
// unknown result. The address is left out, as it may hold a secret.
func Lost(err error) *Failure {
	f := &Failure{Class: Unknown, Code: "connection", Err: err}
	var u *url.Error
	if errors.As(err, &u) {
		f.Err = u.Err
	}
	var op *net.OpError
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	switch {
	case errors.As(err, &cert):
		f.Class, f.Code = Blocked, "bad_certificate"
	case errors.As(err, &dns), errors.As(err, &op) && op.Op == "dial":
		f.Class, f.Code = Again, "unreachable"
	case errors.Is(err, context.DeadlineExceeded):
		f.Code = "timeout"
	}
	return f
}

// RetryAfter is how long the far side asks to be left alone: seconds, or a date by its own clock; 0 if it does not say.
func RetryAfter(h http.Header) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		return max(0, time.Duration(n)*time.Second)
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return max(0, at.Sub(now))
}
