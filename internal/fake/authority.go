package fake

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority signs certificates. Its own is in File.
type Authority struct {
	File string

	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// A Certificate is signed, for a server or a client, and lies in files as well.
type Certificate struct {
	TLS       tls.Certificate
	Cert, Key string // files
}

// NewAuthority makes an authority for the test.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{}
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "weir test authority"}, NotBefore: time.Now().Add(-240 * time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, key := sign(t, a.cert, a.cert, nil)
	a.key = key
	a.File = write(t, "ca.pem", "CERTIFICATE", der)
	return a
}

// Local is a certificate for 127.0.0.1.
func (a *Authority) Local(t testing.TB) Certificate {
	t.Helper()
	return a.Issue(t, time.Now().Add(time.Hour), "127.0.0.1")
}

// Issue makes a certificate for names and addresses, of two days up to a time; without any it is a client's.
func (a *Authority) Issue(t testing.TB, until time.Time, names ...string) Certificate {
	t.Helper()
	return a.IssueFrom(t, until.Add(-48*time.Hour), until, names...)
}

// IssueFrom is Issue for other times.
func (a *Authority) IssueFrom(t testing.TB, from, until time.Time, names ...string) Certificate {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "weir test"}, NotBefore: from, NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, n)
		}
	}
	der, key := sign(t, c, a.cert, a.key)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return Certificate{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, write(t, "cert.pem", "CERTIFICATE", der), write(t, "key.pem", "PRIVATE KEY", private)}
}

// Pool trusts the authority.
func (a *Authority) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// sign makes a key and its certificate; without by it is signed with that key itself.
func sign(t testing.TB, c, parent *x509.Certificate, by *ecdsa.PrivateKey) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if by == nil {
		by = key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	*c = *made
	return der, key
}

func write(t testing.TB, name, kind string, der []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
