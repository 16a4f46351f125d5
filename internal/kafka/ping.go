package kafka

import (
	"context"
	"crypto/tls"
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
	"weir/internal/tlsfile"
)

// With the second look of a probe it makes five seconds.
const pingLimit = 4 * time.Second

// A dialer hears what became of each connection of a client: the client itself tries again in silence.
type dialer struct {
	config Config

	mu     sync.Mutex
	listen map[chan attempt]bool
}

// An attempt is what became of one connection. seed is its address if it is one of the client's seeds, else empty.
type attempt struct {
	seed string
	err  error // nil: it stands
}

func newDialer(c Config) *dialer { return &dialer{config: c, listen: map[chan attempt]bool{}} }

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
		return d.explain(context.WithoutCancel(ctx), seeds, err, stood)
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
func (d *dialer) explain(ctx context.Context, seeds []string, err error, stood bool) error {
	said, hint := d.words(strings.Join(seeds, ","), err, stood, probe{ctx, seeds})
	return &cli.Error{Err: errors.New(said), Hint: hint}
}

const (
	hintTLS   = "add `tls: {ca: FILE}` to kafka in weir.yaml (`tls: {}` for an authority of the system)"
	hintPlain = "take the port of its TLS listener, or remove kafka.tls from weir.yaml"
)

func (d *dialer) words(at string, err error, stood bool, look prober) (said, hint string) {
	var (
		first   *kgo.ErrFirstReadEOF
		record  tls.RecordHeaderError
		login   *loginError
		timeout net.Error
		secure  = d.config.TLS != nil
		hangsUp = errors.As(err, &first) || errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	)
	late := errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
	if errors.As(err, &login) {
		return login.said, login.hint
	}
	if said, hint, ok := d.loginWords(at, err, look); ok {
		return said, hint
	}
	if said, hint := d.tls().Words("kafka.tls", err); said != "" {
		return fmt.Sprintf("broker %s: %s", at, said), hint
	}
	switch {
	case hangsUp && d.config.SASL != nil && !stood && !errors.As(err, &first):
		return fmt.Sprintf("broker %s closes the connection during the login of %s with %s", at, d.config.SASL.who(), d.config.SASL.Mechanism), d.config.SASL.hint()
	case secure && !stood && (errors.As(err, &record) || (hangsUp || late) && look.plain()), secure && !stood && errors.As(err, &first):
		return fmt.Sprintf("broker %s does not speak TLS on this port", at), hintPlain
	case strings.Contains(err.Error(), "tls alert record"), !secure && (hangsUp || late) && look.tls():
		return fmt.Sprintf("broker %s speaks only TLS on this port", at), hintTLS
	case hangsUp && d.config.SASL == nil:
		return fmt.Sprintf("broker %s closes the connection at the first request", at), "it may want a login (kafka.sasl in weir.yaml)"
	case hangsUp:
		return fmt.Sprintf("broker %s closes the connection at the first request", at), "is it a Kafka broker? Check kafka.brokers and kafka.sasl in weir.yaml"
	case late:
		hint = "is it a Kafka broker, is it overloaded, does a firewall drop the packets?"
		if secure {
			hint = "does it speak TLS on this port, as kafka.tls in weir.yaml has it? Is it overloaded, does a firewall drop the packets?"
		}
		return fmt.Sprintf("no broker answers on %s (no reply in time)", at), hint
	}
	return fmt.Sprintf("no broker answers on %s (%s)", at, reason(err)),
		"start it, or correct kafka.brokers in weir.yaml (or --brokers); `embedded` is the broker inside weir"
}

// tls is the block of weir.yaml; without one nothing is shown.
func (d *dialer) tls() tlsfile.Config {
	if d.config.TLS == nil {
		return tlsfile.Config{}
	}
	return *d.config.TLS
}

// loginWords says what a broker has against a login.
func (d *dialer) loginWords(at string, err error, look prober) (said, hint string, ok bool) {
	s := d.config.SASL
	if s == nil {
		return "", "", false
	}
	switch {
	case errors.Is(err, kerr.IllegalSaslState):
		return fmt.Sprintf("broker %s takes no login on this port", at), "take the port of its SASL listener, or remove kafka.sasl from weir.yaml", true
	case errors.Is(err, kerr.SaslAuthenticationFailed), s.Mechanism == oauthBearer && strings.Contains(err.Error(), "unexpected data in oauth response"):
		return fmt.Sprintf("broker %s refuses the login of %s with %s", at, s.who(), s.Mechanism), s.hint(), true
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		hint = "kafka.sasl.mechanism in weir.yaml: " + strings.Join(mechanismNames[:4], ", ") + " or " + mskIAM
		if offers := look.mechanisms(d.config); len(offers) > 0 {
			hint = "it offers " + strings.Join(offers, ", ") + ": name one of them as kafka.sasl.mechanism in weir.yaml"
		}
		return fmt.Sprintf("broker %s does not offer logins with %s", at, s.Mechanism), hint, true
	}
	return "", "", false
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
