package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"weir/internal/cli"
)

const pingLimit = 5 * time.Second

// A dialer hears what became of each connection of a client: the client itself tries again in silence.
type dialer struct {
	tls       bool
	user      string // empty without a login
	mechanism string

	mu     sync.Mutex
	listen map[chan attempt]bool
}

// An attempt is what became of one connection. seed is its address if it is one of the client's seeds, else empty.
type attempt struct {
	seed string
	err  error // nil: it stands
}

func newDialer(c Config) *dialer {
	d := &dialer{tls: c.TLS != nil, listen: map[chan attempt]bool{}}
	if c.SASL != nil {
		d.user, d.mechanism = c.SASL.User, c.SASL.Mechanism
	}
	return d
}

// OnBrokerConnect is called after the dial, the first request and the login.
func (d *dialer) OnBrokerConnect(m kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	a := attempt{err: err}
	if m.NodeID < 0 {
		a.seed = net.JoinHostPort(m.Host, strconv.Itoa(int(m.Port)))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.listen {
		select {
		case c <- a:
		default: // nobody needs more than the first few
		}
	}
}

func (d *dialer) follow() (attempts chan attempt, stop func()) {
	attempts = make(chan attempt, 64)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.listen[attempts] = true
	return attempts, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.listen, attempts)
	}
}

// Ping says within five seconds whether a broker answers, and if not, why. The client is one of Connect.
func Ping(ctx context.Context, cl *kgo.Client) error {
	seeds, _ := cl.OptValue(kgo.SeedBrokers).([]string)
	d := dialerOf(cl)
	attempts, stop := d.follow()
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, pingLimit)
	defer cancel()
	answer := make(chan error, 1)
	go func() {
		req := kmsg.NewPtrMetadataRequest()
		req.Topics = []kmsg.MetadataRequestTopic{} // none; nil would mean all
		_, err := cl.Request(ctx, req)
		answer <- err
	}()
	var last error
	stood := false
	failed := map[string]bool{}
	for {
		var err error
		select {
		case a := <-attempts:
			if a.err == nil {
				stood = true
				continue
			}
			last = a.err
			if a.seed != "" {
				failed[a.seed] = true
			}
			if len(failed) < len(seeds) {
				continue
			}
			err = last // no seed is left to try
		case err = <-answer:
			for len(attempts) > 0 { // told before the answer
				stood = (<-attempts).err == nil || stood
			}
		case <-ctx.Done(): // a client that waits for a broker's first words heeds only its own, longer limit
			err = ctx.Err()
		}
		switch {
		case err == nil, errors.Is(err, context.Canceled): // the latter: whoever asked went away
			return err
		case last != nil && errors.Is(err, context.DeadlineExceeded):
			err = last
		}
		return d.explain(seeds, err, stood)
	}
}

type dialerKey struct{}

func dialerOf(cl *kgo.Client) *dialer {
	if d, ok := cl.Context().Value(dialerKey{}).(*dialer); ok {
		return d
	}
	return newDialer(Config{})
}

// explain puts err into the words of weir.yaml. stood says that a connection, with TLS and login if any, had been made before.
func (d *dialer) explain(seeds []string, err error, stood bool) error {
	said, hint := d.words(strings.Join(seeds, ","), err, stood)
	return &cli.Error{Err: errors.New(said), Hint: hint}
}

func (d *dialer) words(at string, err error, stood bool) (said, hint string) {
	var (
		first    *kgo.ErrFirstReadEOF
		record   tls.RecordHeaderError
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		cert     *tls.CertificateVerificationError
		timeout  net.Error
	)
	text := err.Error()
	switch {
	case errors.Is(err, kerr.IllegalSaslState):
		return fmt.Sprintf("broker %s takes no login on this port", at), "take the port of its SASL listener, or remove kafka.sasl from weir.yaml"
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		return fmt.Sprintf("broker %s refuses the login of user %s with %s", at, d.user, d.mechanism), "check user, password and mechanism of kafka.sasl in weir.yaml"
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		return fmt.Sprintf("broker %s does not offer logins with %s", at, d.mechanism), "kafka.sasl.mechanism in weir.yaml: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
	case errors.As(err, &unknown):
		return fmt.Sprintf("broker %s: its certificate is signed by an authority that is not trusted here", at), "name the authority's PEM file in weir.yaml: `kafka: {tls: {ca: FILE}}`"
	case errors.As(err, &hostname):
		return fmt.Sprintf("broker %s: %s", at, hostname.Error()), "write the broker by a name that its certificate holds"
	case errors.As(err, &cert):
		return fmt.Sprintf("broker %s: %s", at, cert.Err), "the broker needs another certificate"
	case d.tls && !stood && (errors.As(err, &record) || errors.As(err, &first)):
		return fmt.Sprintf("broker %s does not speak TLS on this port", at), "take the port of its TLS listener, or remove kafka.tls from weir.yaml"
	case strings.Contains(text, "tls alert record"):
		return fmt.Sprintf("broker %s speaks only TLS on this port", at), "add `tls: {ca: FILE}` to kafka in weir.yaml (`tls: {}` for an authority of the system)"
	case errors.As(err, &first) && stood:
		return fmt.Sprintf("broker %s closes the connection at the first request", at), "it may want a login (kafka.sasl in weir.yaml)"
	case errors.As(err, &first), d.user == "" && errors.Is(err, syscall.ECONNRESET):
		return fmt.Sprintf("broker %s closes the connection at the first request", at), "it may want TLS (kafka.tls in weir.yaml) or a login (kafka.sasl)"
	case d.user != "" && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)):
		return fmt.Sprintf("broker %s closes the connection during the login of user %s with %s", at, d.user, d.mechanism), "check user, password and mechanism of kafka.sasl in weir.yaml"
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout():
		hint = "is it a Kafka broker, is it overloaded, does a firewall drop the packets?"
		if d.tls {
			hint = "does it speak TLS on this port, as kafka.tls in weir.yaml has it? Is it overloaded, does a firewall drop the packets?"
		}
		return fmt.Sprintf("no broker answers on %s (no reply in time)", at), hint
	}
	return fmt.Sprintf("no broker answers on %s (%s)", at, reason(err)),
		"start it, or correct kafka.brokers in weir.yaml (or --brokers); `embedded` is the broker inside weir"
}

// reason is the innermost cause: the rest repeats the address.
func reason(err error) string {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return "unknown host " + dns.Name
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return strings.TrimPrefix(err.Error(), "connect: ")
}
