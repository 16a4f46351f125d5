//go:build real

package real

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"weir/internal/registry"
	"weir/test/real/parts"
)

// secured is an installation against a broker with TLS, logins and ACLs, and the registry inside weir.
type secured struct {
	*bench
	broker   *parts.SecureBroker
	registry string
	secrets  []string // that nobody may see
}

func newSecured(t *testing.T) *secured {
	t.Helper()
	broker := parts.KafkaSecure(t)
	reg, err := registry.ServeEmbedded(t.Context(), "127.0.0.1:0", filepath.Join(t.TempDir(), "registry.json"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = reg.Close() })
	s := &secured{bench: newBench(t, broker.Addr, reg.URL()), broker: broker, registry: reg.URL(), secrets: []string{broker.Password, "not-the-password", "eyJ"}}
	for _, key := range []string{"client.key", "old-client.key", "stranger.key"} {
		b, err := os.ReadFile(broker.File(key))
		if err != nil {
			t.Fatal(err)
		}
		s.secrets = append(s.secrets, strings.Split(string(b), "\n")[1])
	}
	t.Setenv("WEIR_TEST_PASSWORD", broker.Password)
	t.Setenv("WEIR_TEST_WRONG", "not-the-password")
	t.Setenv("WEIR_TEST_TOKEN", token(time.Now().Add(time.Hour)))
	t.Setenv("WEIR_TEST_OLD_TOKEN", token(time.Now().Add(-time.Hour)))
	s.profile("open", "bank.transactions", "")
	s.profile("absent", "bank.absent", ", create: never")
	s.profile("closed", "secret.orders", ", create: never")
	s.profile("make", "look.new", "")
	s.profile("transactions", "bank.transactions", "}\nproducer: {transaction: {messages: 10}")
	s.profile("readonly", "bank.readonly", "")
	s.allow()
	return s
}

func (s *secured) profile(name, topic, more string) {
	s.write("profiles/"+name+".yaml", fmt.Sprintf("apiVersion: weir/v1\nkind: LoadProfile\nname: %s\nrate: {stages: [{target: 1k/s, duration: 1s}]}\ntopic: {name: %s, partitions: 2%s}\n", name, topic, more))
}

// allow makes topics and ACLs: users and certificates named weir may do all with topics bank.…, only read bank.readonly, look
// whether there is look.…, and know nothing of secret.… .
func (s *secured) allow() {
	s.t.Helper()
	adm := kadm.NewClient(connect(s.t, s.broker.Addr))
	if _, err := adm.CreateTopics(s.t.Context(), 2, 1, nil, "secret.orders", "bank.readonly"); err != nil {
		s.t.Fatal(err)
	}
	users := []string{"User:weir", "User:CN=weir"}
	for _, b := range []*kadm.ACLBuilder{
		kadm.NewACLs().Allow(users...).AllowHosts("*").Topics("bank.").ResourcePatternType(kadm.ACLPatternPrefixed).Operations(kadm.OpAll),
		kadm.NewACLs().Allow(users...).AllowHosts("*").Topics("look.").ResourcePatternType(kadm.ACLPatternPrefixed).Operations(kadm.OpDescribe),
		kadm.NewACLs().Deny(users...).DenyHosts("*").Topics("bank.readonly").ResourcePatternType(kadm.ACLPatternLiteral).Operations(kadm.OpWrite),
	} {
		rs, err := adm.CreateACLs(s.t.Context(), b)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, r := range rs {
			if r.Err != nil {
				s.t.Fatal(r.Err)
			}
		}
	}
}

// token is an unsigned one, as the broker's validator for tests takes it.
func token(until time.Time) string {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	return part(`{"alg":"none"}`) + "." + part(fmt.Sprintf(`{"sub":"weir","iat":%d,"exp":%d}`, time.Now().Add(-2*time.Hour).Unix(), until.Unix())) + "."
}

// weir writes the kafka block. tls names files: "" without TLS, ca alone, or ca and the certificate to show.
func (s *secured) weir(address, sasl, ca, cert string) {
	text := "apiVersion: weir/v1\nkind: Weir\nregistry: {url: " + s.registry + "}\nkafka:\n  brokers: ['" + address + "']\n"
	if ca != "" {
		text += "  tls: {ca: " + s.broker.File(ca+".pem")
		if cert != "" {
			text += ", cert: " + s.broker.File(cert+".pem") + ", key: " + s.broker.File(cert+".key")
		}
		text += "}\n"
	}
	if sasl != "" {
		text += "  sasl: {" + sasl + "}\n"
	}
	s.write("weir.yaml", text)
}

func scram(password string) string {
	return "mechanism: SCRAM-SHA-512, user: weir, password: '${env:" + password + "}'"
}

// hidden fails where a program shows a secret.
func (s *secured) hidden(texts ...string) {
	s.t.Helper()
	for _, secret := range s.secrets {
		for _, text := range texts {
			if strings.Contains(text, secret) {
				s.t.Errorf("a secret (%.6s…) is shown:\n%s", secret, text)
			}
		}
	}
}

// Each way to log in works, through the whole of a run: topic, warm-up, schedule.
func TestEveryLoginOfARealBroker(t *testing.T) {
	s := newSecured(t)
	for name, c := range map[string]struct{ address, sasl, ca, cert string }{
		"SCRAM-SHA-512": {s.broker.Login, scram("WEIR_TEST_PASSWORD"), "ca", ""},
		"PLAIN":         {s.broker.Login, strings.Replace(scram("WEIR_TEST_PASSWORD"), "SCRAM-SHA-512", "PLAIN", 1), "ca", ""},
		"OAUTHBEARER":   {s.broker.Login, "mechanism: OAUTHBEARER, token: '${env:WEIR_TEST_TOKEN}'", "ca", ""},
		"mTLS":          {s.broker.MTLS, "", "ca", "client"},
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			s.weir(c.address, c.sasl, c.ca, c.cert)
			var sum struct {
				Sent, Acked, Errors int64
				P99                 float64 `json:"p99_ms"`
			}
			p, out, errs := s.start("loadgen", "run", "open", "--json")
			s.finish(p, out, errs, &sum, 0, 6)
			s.hidden(out.String(), errs.String())
			t.Logf("sent %d, acknowledged %d, p99 %.1f ms", sum.Sent, sum.Acked, sum.P99)
			if sum.Sent < 1000 || sum.Acked != sum.Sent || sum.Errors != 0 {
				t.Errorf("got %+v", sum)
			}
		})
	}
}

// Whatever is wrong with the connection is said in one line, with what to do, within ten seconds, and without a secret.
func TestARefusalIsOneClearLine(t *testing.T) {
	s := newSecured(t)
	for _, c := range []struct {
		name, profile           string
		address, sasl, ca, cert string
		says, hint              string
	}{
		{"a wrong password", "open", s.broker.Login, scram("WEIR_TEST_WRONG"), "ca", "", "refuses the login of user weir with SCRAM-SHA-512", "kafka.sasl"},
		{"a wrong password with PLAIN", "open", s.broker.Login, strings.Replace(scram("WEIR_TEST_WRONG"), "SCRAM-SHA-512", "PLAIN", 1), "ca", "", "refuses the login of user weir with PLAIN", "kafka.sasl"},
		{"a token that has expired", "open", s.broker.Login, "mechanism: OAUTHBEARER, token: '${env:WEIR_TEST_OLD_TOKEN}'", "ca", "", "refuses the login", "kafka.sasl"},
		{"a mechanism that it does not have", "open", s.broker.Login, strings.Replace(scram("WEIR_TEST_PASSWORD"), "512", "256", 1), "ca", "", "does not offer logins with SCRAM-SHA-256", "it offers OAUTHBEARER, PLAIN, SCRAM-SHA-512"},
		{"no login", "open", s.broker.Login, "", "ca", "", "closes the connection at the first request", "it may want a login (kafka.sasl"},
		{"a wrong authority", "open", s.broker.Login, scram("WEIR_TEST_PASSWORD"), "other", "", "its certificate is signed by an authority that is not trusted here", "kafka.tls: {ca: FILE}"},
		{"a server certificate that has expired", "open", s.broker.Expired, scram("WEIR_TEST_PASSWORD"), "ca", "", "its certificate expired on 2021-01-01 00:00 UTC", "the server needs a new certificate"},
		{"a client certificate that has expired", "open", s.broker.MTLS, "", "ca", "old-client", "it refuses us (our certificate expired on 2021-01-01 00:00 UTC)", "renew the certificate of kafka.tls.cert"},
		{"a client certificate of another authority", "open", s.broker.MTLS, "", "ca", "stranger", "it refuses our certificate (", "signed by an authority that the server trusts"},
		{"no client certificate", "open", s.broker.MTLS, "", "ca", "", "it wants to see a certificate of ours (mTLS)", "cert: FILE, key: FILE"},
		{"plain to the port with TLS", "open", s.broker.Login, "", "", "", "speaks only TLS on this port", "tls: {ca: FILE}"},
		{"plain with a login to the port with TLS", "open", s.broker.Login, scram("WEIR_TEST_PASSWORD"), "", "", "speaks only TLS on this port", "tls: {ca: FILE}"},
		{"TLS to the plain port", "open", s.broker.Addr, scram("WEIR_TEST_PASSWORD"), "ca", "", "does not speak TLS on this port", "remove kafka.tls"},
		{"a topic that is not there", "absent", s.broker.Login, scram("WEIR_TEST_PASSWORD"), "ca", "", "topic bank.absent does not exist, and the profile forbids making it", "create: if_missing"},
		{"a topic that this user may not see", "closed", s.broker.Login, scram("WEIR_TEST_PASSWORD"), "ca", "", "topic secret.orders is not allowed to this user", "rights"},
		{"a topic that this user may not make", "make", s.broker.Login, scram("WEIR_TEST_PASSWORD"), "ca", "", "topic look.new does not exist, and this user may not create it", "ask for the right"},
		{"a topic that this user may only read", "readonly", s.broker.MTLS, "", "ca", "client", "topic bank.readonly may not be written by this user", "ask for the right"},
		{"transactions that this user may not make", "transactions", s.broker.MTLS, "", "ca", "client", "the broker does not allow this user to send in transactions", "transactional id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			s.weir(c.address, c.sasl, c.ca, c.cert)
			began := time.Now()
			p, out, errs := s.start("loadgen", "run", c.profile)
			_ = p.Wait()
			took, code, text := time.Since(began), p.ProcessState.ExitCode(), errs.String()
			t.Logf("exit code %d after %.1f s\n%s", code, took.Seconds(), text)
			s.hidden(out.String(), text)
			lines := strings.Split(strings.TrimSpace(text), "\n")
			if code == 0 || took > 10*time.Second {
				t.Errorf("exit code %d after %v", code, took)
			}
			if len(lines) != 2 || !strings.Contains(lines[0], c.says) || !strings.HasPrefix(lines[0], "loadgen: error: ") || !strings.HasPrefix(lines[1], "loadgen: hint: ") || !strings.Contains(lines[1], c.hint) {
				t.Errorf("want one line with %q and a hint with %q", c.says, c.hint)
			}
		})
	}
}
