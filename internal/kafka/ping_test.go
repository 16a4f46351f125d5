package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"

	"weir/internal/cli"
	"weir/internal/fake"
)

func broker(t *testing.T, opts ...kfake.Opt) string {
	t.Helper()
	c, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()[0]
}

// listener takes connections and does what answer does with them.
func listener(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			answer(c)
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

const password = "tr0ub4dor"

func TestPingSaysWhatIsWrong(t *testing.T) {
	authority, wrong := fake.NewAuthority(t), fake.NewAuthority(t)
	cert, ca := authority.Local(t).TLS, authority.File
	other := authority.Issue(t, time.Now().Add(time.Hour), "10.0.0.1", "kafka.example").TLS
	expired := authority.Issue(t, time.Date(2026, 1, 31, 12, 30, 0, 0, time.UTC), "127.0.0.1").TLS
	early := authority.Issue(t, time.Now().Add(100*time.Hour), "127.0.0.1").TLS
	ours, gone := authority.Local(t), authority.Issue(t, time.Now().Add(-time.Hour))
	theirs := wrong.Local(t)
	overTLS := func(c tls.Certificate) kfake.Opt { return kfake.TLS(&tls.Config{Certificates: []tls.Certificate{c}}) }
	mutual := kfake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: authority.Pool()})
	login := func(mechanism, user string) *SASL {
		return &SASL{Mechanism: mechanism, User: user, Password: password}
	}
	withLogin := []kfake.Opt{kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "ann", password), kfake.Superuser("PLAIN", "ann", password)}
	for _, c := range []struct {
		name   string
		broker string
		sasl   *SASL
		tls    *TLS
		want   string // empty: it answers
		hint   string
	}{
		{"nobody listens", "127.0.0.1:1", nil, nil, "no broker answers on BROKER (connection refused)", "kafka.brokers"},
		{"the host is unknown", "kafka.invalid:9092", nil, nil, "no broker answers on BROKER (unknown host kafka.invalid)", "kafka.brokers"},
		{"one of two brokers is down", "127.0.0.1:1," + broker(t), nil, nil, "", ""},
		{"the other one of two brokers is down", broker(t) + ",127.0.0.1:1", nil, nil, "", ""},
		{"it is no Kafka broker", listener(t, func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 400 Bad Request\r\n\r\n") }), nil, nil, "no broker answers on BROKER (invalid large response size", ""},
		{"it hangs up", listener(t, func(c net.Conn) { c.Close() }), nil, nil, "BROKER closes the connection at the first request", "kafka.sasl"},
		{"it stays silent", listener(t, func(net.Conn) {}), nil, nil, "no broker answers on BROKER (no reply in time)", "firewall"},

		{"TLS", broker(t, overTLS(cert)), nil, &TLS{CA: ca}, "", ""},
		{"TLS is asked of a broker that hangs up", listener(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 4096)); c.Close() }), nil, &TLS{CA: ca}, "broker BROKER does not speak TLS on this port", "remove kafka.tls"},
		{"TLS is asked of a server that says something else", listener(t, func(c net.Conn) { fmt.Fprint(c, "hello there") }), nil, &TLS{CA: ca}, "broker BROKER does not speak TLS on this port", "remove kafka.tls"},
		{"TLS is asked of a broker that stays silent", broker(t), nil, &TLS{CA: ca}, "broker BROKER does not speak TLS on this port", "remove kafka.tls"},
		{"TLS is asked of a server that stays silent and is no broker", listener(t, func(net.Conn) {}), nil, &TLS{CA: ca}, "no broker answers on BROKER (no reply in time)", "does it speak TLS"},
		{"a TLS broker is asked without", broker(t, overTLS(cert)), nil, nil, "broker BROKER speaks only TLS on this port", "tls:"},
		{"a TLS broker that wants certificates is asked without", broker(t, mutual), nil, nil, "broker BROKER speaks only TLS on this port", "tls:"},
		{"a TLS broker that says so is asked without", listener(t, func(c net.Conn) { fmt.Fprint(c, "\x15\x03\x03\x00\x02\x02\x46") }), nil, nil, "broker BROKER speaks only TLS on this port", "tls:"},
		{"the authority is another", broker(t, overTLS(cert)), nil, &TLS{CA: wrong.File}, "broker BROKER: its certificate is signed by an authority that is not trusted here", "ca: FILE"},
		{"the authority is none of the system's", broker(t, overTLS(cert)), nil, &TLS{}, "broker BROKER: its certificate is signed by an authority that is not trusted here", "ca: FILE"},
		{"the certificate is for another host", broker(t, overTLS(other)), nil, &TLS{CA: ca}, "broker BROKER: x509: certificate is valid for 10.0.0.1, not 127.0.0.1", "server_name"},
		{"the certificate is for another name that is given", broker(t, overTLS(other)), nil, &TLS{CA: ca, ServerName: "kafka.example"}, "", ""},
		{"the certificate has expired", broker(t, overTLS(expired)), nil, &TLS{CA: ca}, "broker BROKER: its certificate expired on 2026-01-31 12:30 UTC", "new certificate"},
		{"the certificate is not valid yet", broker(t, overTLS(early)), nil, &TLS{CA: ca}, "broker BROKER: its certificate is not valid before", "clock"},

		{"mTLS", broker(t, mutual), nil, &TLS{CA: ca, Cert: ours.Cert, Key: ours.Key}, "", ""},
		{"mTLS without a certificate", broker(t, mutual), nil, &TLS{CA: ca}, "broker BROKER: it wants to see a certificate of ours (mTLS)", "cert: FILE"},
		{"mTLS with another authority's certificate", broker(t, mutual), nil, &TLS{CA: ca, Cert: theirs.Cert, Key: theirs.Key}, "broker BROKER: it refuses our certificate (", "kafka.tls.cert"},
		{"mTLS with an expired certificate", broker(t, mutual), nil, &TLS{CA: ca, Cert: gone.Cert, Key: gone.Key}, "broker BROKER: it refuses us (our certificate expired on ", "kafka.tls.cert"},

		{"login with PLAIN", broker(t, withLogin...), login("PLAIN", "ann"), nil, "", ""},
		{"login with SCRAM", broker(t, withLogin...), login("SCRAM-SHA-512", "ann"), nil, "", ""},
		{"login over TLS", broker(t, append(withLogin, overTLS(cert))...), login("SCRAM-SHA-512", "ann"), &TLS{CA: ca}, "", ""},
		{"a wrong user with PLAIN", broker(t, withLogin...), login("PLAIN", "bob"), nil, "broker BROKER closes the connection during the login of user bob with PLAIN", "password"},
		{"a wrong user with SCRAM", broker(t, withLogin...), login("SCRAM-SHA-512", "bob"), nil, "broker BROKER closes the connection during the login of user bob with SCRAM-SHA-512", "password"},
		{"a mechanism that it lacks", broker(t, withLogin...), &SASL{Mechanism: "OAUTHBEARER", Token: password}, nil, "broker BROKER does not offer logins with OAUTHBEARER", "it offers PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"},
		{"a mechanism that it lacks over TLS", broker(t, append(withLogin, overTLS(cert))...), &SASL{Mechanism: "OAUTHBEARER", Token: password}, &TLS{CA: ca}, "broker BROKER does not offer logins with OAUTHBEARER", "it offers PLAIN"},
		{"no login where one is wanted", broker(t, withLogin...), nil, nil, "broker BROKER closes the connection at the first request", "kafka.sasl"},
		{"no login where one is wanted over TLS", broker(t, append(withLogin, overTLS(cert))...), nil, &TLS{CA: ca}, "broker BROKER closes the connection at the first request", "kafka.sasl"},
		{"login without TLS where TLS is wanted", broker(t, append(withLogin, overTLS(cert))...), login("PLAIN", "ann"), nil, "broker BROKER speaks only TLS on this port", "tls:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cl, err := Connect(Config{Brokers: strings.Split(c.broker, ","), SASL: c.sasl, TLS: c.tls})
			if err != nil {
				t.Fatal(err)
			}
			defer cl.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			err = Ping(ctx, cl)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var e *cli.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an error with a hint", err)
			}
			if want := strings.ReplaceAll(c.want, "BROKER", c.broker); !strings.Contains(e.Error(), want) {
				t.Errorf("got  %s\nwant %s", e, want)
			}
			if !strings.Contains(e.Hint, c.hint) || e.Hint == "" || e.Exit > cli.ExitFailed {
				t.Errorf("hint %q, exit %d; want a hint with %q and exit 1", e.Hint, e.Exit, c.hint)
			}
			if strings.Contains(e.Error()+e.Hint, password) || strings.Contains(fmt.Sprintf("%+v", err), password) {
				t.Errorf("the password is in %v", err)
			}
			if ctx.Err() != nil && !strings.Contains(c.name, "silent") {
				t.Error("it waited until the time was up although the reason was known")
			}
		})
	}
}

func TestAWrongPasswordIsNotShown(t *testing.T) {
	addr := broker(t, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "ann", "right"), kfake.Superuser("PLAIN", "ann", "right"))
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256"} {
		cl, err := Connect(Config{Brokers: Brokers{addr}, SASL: &SASL{Mechanism: mechanism, User: "ann", Password: password}})
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		err = Ping(t.Context(), cl)
		if err == nil || !strings.Contains(err.Error(), "the login of user ann with "+mechanism) || strings.Contains(fmt.Sprintf("%+v", err), password) {
			t.Errorf("got %v", err)
		}
	}
}

// Apache Kafka answers a wrong login with these codes; kfake hangs up.
func TestWhatKafkaSaysToALogin(t *testing.T) {
	d := newDialer(Config{SASL: &SASL{Mechanism: "PLAIN", User: "ann", Password: password}})
	for err, want := range map[error]string{
		kerr.SaslAuthenticationFailed: "broker a:1 refuses the login of user ann with PLAIN",
		kerr.UnsupportedSaslMechanism: "broker a:1 does not offer logins with PLAIN",
		kerr.IllegalSaslState:         "broker a:1 takes no login on this port",
	} {
		if e := d.explain(t.Context(), []string{"a:1"}, fmt.Errorf("connect: %w", err), false); e.Error() != want {
			t.Errorf("got %v, want %s", e, want)
		}
	}
}

func TestPingEndsWithItsCaller(t *testing.T) {
	cl := connect(t, listener(t, func(net.Conn) {}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Ping(ctx, cl); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestPingOfABrokerThatWentAway(t *testing.T) {
	e := serve(t, t.TempDir())
	cl := connect(t, e.Addr())
	if err := Ping(t.Context(), cl); err != nil {
		t.Fatal(err)
	}
	e.Close()
	if err := Ping(t.Context(), cl); err == nil || !strings.Contains(err.Error(), "no broker answers on "+e.Addr()+" (connection refused)") {
		t.Errorf("got %v", err)
	}
}
