// Package tlsfile makes the client side of TLS from files: the authority that is trusted and, for mTLS, the certificate to show.
//
// Start with [Config.Client]; [Config.Words] says what a failed handshake means and what to do.
//
// # Promises
//
// The server is always verified. A certificate that is renewed in its file is shown at the next connection, without a restart. No
// error holds a key.
package tlsfile

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"strings"

	"weir/internal/config"
)

// Config is a `tls` block. {} trusts the system's authorities.
type Config struct {
	CA         string `yaml:"ca,omitempty" jsonschema:"description=file with the certificate authority (PEM); default: the system's"`
	Cert       string `yaml:"cert,omitempty" jsonschema:"description=file with the certificate to show (PEM) with its chain; mTLS"`
	Key        string `yaml:"key,omitempty" jsonschema:"description=file with that certificate's private key (PEM)"`
	ServerName string `yaml:"server_name,omitempty" jsonschema:"description=name that the server's certificate must hold; default: the host that is dialled"`
}

// Validate names half of a pair. It touches no file.
func (c Config) Validate() []config.Invalid {
	switch {
	case c.Cert != "" && c.Key == "":
		return []config.Invalid{{Path: "cert", Message: "expected `key` beside it: the file with the certificate's private key"}}
	case c.Key != "" && c.Cert == "":
		return []config.Invalid{{Path: "key", Message: "expected `cert` beside it: the file with the key's certificate"}}
	}
	return nil
}

// Client reads the files. Its errors begin with the key that names the file: at is the block's place, as kafka.tls.
func (c Config) Client(at string) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	if c.CA != "" {
		b, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, fmt.Errorf("%s.ca: %w", at, err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("%s.ca: %s holds no PEM certificate", at, c.CA)
		}
	}
	if c.Cert != "" || c.Key != "" {
		if _, err := c.pair(at); err != nil {
			return nil, err
		}
		t.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.pair(at) }
	}
	return t, nil
}

func (c Config) pair(at string) (*tls.Certificate, error) {
	cert, err := os.ReadFile(c.Cert)
	if err != nil {
		return nil, fmt.Errorf("%s.cert: %w", at, err)
	}
	key, err := os.ReadFile(c.Key)
	if err != nil {
		return nil, fmt.Errorf("%s.key: %w", at, err)
	}
	if encrypted(key) {
		return nil, fmt.Errorf("%s.key: %s is locked with a passphrase: give a key without one, in a file that only this user reads", at, c.Key)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("%s.cert and key: %s and %s: %s", at, c.Cert, c.Key, strings.TrimPrefix(err.Error(), "tls: "))
	}
	return &pair, nil
}

func encrypted(key []byte) bool {
	for b, rest := pem.Decode(key); b != nil; b, rest = pem.Decode(rest) {
		if b.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(b.Headers["Proc-Type"], "ENCRYPTED") {
			return true
		}
	}
	return false
}
