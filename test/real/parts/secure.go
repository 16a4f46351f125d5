package parts

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A SecureBroker is an Apache Kafka that lets nobody in without TLS and a login or a certificate. What a client may do there is
// decided by ACLs; at Addr, without TLS, anybody may do anything.
type SecureBroker struct {
	*Broker
	Login, MTLS, Expired string // with a login; with a client's certificate; as Login, with a server certificate that has expired
	User, Password       string
	dir                  string
}

// KafkaSecure starts a broker with TLS, logins, mTLS and an authorizer for the test.
func KafkaSecure(t testing.TB) *SecureBroker {
	t.Helper()
	need(t, "kafka", "openssl")
	s := serve(t, "kafka", 5, "--secure")
	at := func(plus int) string { return fmt.Sprintf("127.0.0.1:%d", s.port+plus) }
	b := &SecureBroker{Broker: &Broker{server: s, Addr: at(0)}, Login: at(2), MTLS: at(3), Expired: at(4), User: "weir",
		dir: filepath.Join(s.run, fmt.Sprintf("kafka-%d", s.port), "tls")}
	text, err := os.ReadFile(b.File("password"))
	if err != nil {
		t.Fatal(err)
	}
	b.Password = strings.TrimSpace(string(text))
	return b
}

// File is one of the files beside the broker's password: ca.pem and other.pem (an authority that it does not know); client,
// stranger (signed by the other authority) and old-client (expired), each as .pem and .key.
func (b *SecureBroker) File(name string) string { return filepath.Join(b.dir, name) }
