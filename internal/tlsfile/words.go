package tlsfile

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Words says what a failed handshake means, after the server's name and a colon, and what to do. at is the block's place in the
// file, as kafka.tls. said is empty where err is of another kind.
func (c Config) Words(at string, err error) (said, hint string) {
	var (
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		cert    *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &unknown):
		return "its certificate is signed by an authority that is not trusted here", fmt.Sprintf("name the authority's PEM file in weir.yaml: `%s: {ca: FILE}`", at)
	case errors.As(err, &host):
		return host.Error(), "write the server by a name that its certificate holds, or give that name as " + at + ".server_name in weir.yaml"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return validity("its certificate", invalid.Cert)
	case errors.As(err, &cert):
		return cert.Err.Error(), "the server needs another certificate"
	}
	text := err.Error()
	_, alert, ok := strings.Cut(text, "remote error: tls: ")
	switch {
	case !ok:
		return "", ""
	case strings.Contains(alert, "certificate required"), strings.Contains(alert, "handshake failure"),
		c.Cert == "" && strings.Contains(alert, "certificate"): // Java calls the one that it is not shown a bad one
		return "it wants to see a certificate of ours (mTLS)", "give certificate and key in weir.yaml: `" + at + ": {cert: FILE, key: FILE}`"
	case strings.Contains(alert, "certificate"):
		if x := c.outside(time.Now()); x != nil { // Java calls it an unknown one
			said, _ := validity("our certificate", x)
			return "it refuses us (" + said + ")", "renew the certificate of " + at + ".cert in weir.yaml; if it is new, is the clock of this machine right?"
		}
		if strings.Contains(alert, "expired certificate") {
			return "it finds our certificate expired", "renew the certificate of " + at + ".cert in weir.yaml"
		}
		return "it refuses our certificate (" + alert + ")", "is the certificate of " + at + ".cert in weir.yaml signed by an authority that the server trusts?"
	}
	return "it ends the TLS handshake (" + alert + ")", "do both sides share a TLS version (1.2 or newer)?"
}

// outside is our certificate if its time is not now.
func (c Config) outside(now time.Time) *x509.Certificate {
	pair, err := c.pair("")
	if err != nil || pair.Leaf == nil || now.After(pair.Leaf.NotBefore) && now.Before(pair.Leaf.NotAfter) {
		return nil
	}
	return pair.Leaf
}

func validity(whose string, c *x509.Certificate) (said, hint string) {
	if c == nil {
		return whose + " has expired or is not valid yet", "the server needs a new certificate"
	}
	if now := time.Now(); now.Before(c.NotBefore) {
		return fmt.Sprintf("%s is not valid before %s; here it is %s", whose, moment(c.NotBefore), moment(now)), "is the clock of this machine right?"
	}
	return whose + " expired on " + moment(c.NotAfter), "the server needs a new certificate; if it has one, is the clock of this machine right?"
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
