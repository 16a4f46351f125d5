// Package kafka makes Kafka clients from one config block and serves the embedded broker.
//
// Start with [Connect] and [Ping]; [ServeEmbedded] is a broker inside this process that other processes reach over TCP.
package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"weir/internal/cli"
	"weir/internal/config"
)

// Config is the `kafka` block of weir.yaml.
type Config struct {
	Brokers Brokers `yaml:"brokers" jsonschema:"required,description=the word embedded or a list of host:port"`
	SASL    *SASL   `yaml:"sasl,omitempty" jsonschema:"description=how to log in"`
	TLS     *TLS    `yaml:"tls,omitempty" jsonschema:"description=encrypt and verify the connection"`
}

// Brokers are seed addresses. Empty, or the word embedded in a file, means the broker inside weir.
type Brokers []string

// Embedded reports that the broker inside weir is meant.
func (b Brokers) Embedded() bool { return len(b) == 0 || len(b) == 1 && b[0] == "embedded" }

// UnmarshalYAML takes a word or a list.
func (b *Brokers) UnmarshalYAML(n ast.Node) error {
	switch n := n.(type) {
	case *ast.SequenceNode:
		*b = nil
		for _, v := range n.Values {
			*b = append(*b, strings.Trim(v.String(), `"' `))
		}
		return nil
	case *ast.MappingNode, *ast.MappingValueNode:
		return errors.New("expected the word embedded or a list of host:port, got a mapping")
	}
	*b = nil
	for _, v := range strings.Split(strings.Trim(n.String(), `"' `), ",") {
		*b = append(*b, strings.TrimSpace(v))
	}
	return nil
}

// SASL is a login.
type SASL struct {
	Mechanism string        `yaml:"mechanism" jsonschema:"required,enum=PLAIN,enum=SCRAM-SHA-256,enum=SCRAM-SHA-512"`
	User      string        `yaml:"user" jsonschema:"required"`
	Password  config.Secret `yaml:"password" jsonschema:"required,description=a reference such as ${env:KAFKA_PASSWORD}"`
}

// TLS is always verified.
type TLS struct {
	CA string `yaml:"ca,omitempty" jsonschema:"description=file with the certificate authority (PEM); default: the system's"`
}

// Validate names what is missing or wrong.
func (c Config) Validate() []config.Invalid {
	var bad []config.Invalid
	if !c.Brokers.Embedded() {
		for i, b := range c.Brokers {
			if _, _, err := net.SplitHostPort(b); err != nil {
				bad = append(bad, config.Invalid{Path: fmt.Sprintf("brokers[%d]", i), Message: fmt.Sprintf("expected host:port, got %q", b)})
			}
		}
	}
	if c.SASL != nil {
		switch c.SASL.Mechanism {
		case "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512":
		default:
			bad = append(bad, config.Invalid{Path: "sasl.mechanism", Message: fmt.Sprintf("expected PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, got %q", c.SASL.Mechanism)})
		}
	}
	return bad
}

// Connect makes a client. It does not talk to a broker yet: Ping does.
func Connect(c Config, opts ...kgo.Opt) (*kgo.Client, error) {
	all := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID("weir"),
		kgo.DialTimeout(5 * time.Second),
		// The default of 5 s stalls the first message to a topic whose partitions have no leader yet.
		kgo.MetadataMinAge(100 * time.Millisecond),
	}
	if c.TLS != nil {
		t, err := c.TLS.config()
		if err != nil {
			return nil, err
		}
		all = append(all, kgo.DialTLSConfig(t))
	}
	if s := c.SASL; s != nil {
		switch s.Mechanism {
		case "PLAIN":
			all = append(all, kgo.SASL(plain.Auth{User: s.User, Pass: s.Password.Reveal()}.AsMechanism()))
		case "SCRAM-SHA-256":
			all = append(all, kgo.SASL(scram.Auth{User: s.User, Pass: s.Password.Reveal()}.AsSha256Mechanism()))
		case "SCRAM-SHA-512":
			all = append(all, kgo.SASL(scram.Auth{User: s.User, Pass: s.Password.Reveal()}.AsSha512Mechanism()))
		}
	}
	cl, err := kgo.NewClient(append(all, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	return cl, nil
}

func (t TLS) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CA == "" {
		return c, nil
	}
	pem, err := os.ReadFile(t.CA)
	if err != nil {
		return nil, cli.Usage(fmt.Errorf("kafka.tls.ca: %w", err), "")
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, cli.Usage(fmt.Errorf("kafka.tls.ca: %s holds no PEM certificate", t.CA), "")
	}
	return c, nil
}

// Ping says within a few seconds whether a broker answers, and if not, why.
func Ping(ctx context.Context, cl *kgo.Client) error {
	seeds := strings.Join(cl.OptValue(kgo.SeedBrokers).([]string), ",")
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	dial := make(chan error, 1)
	go func() { dial <- dials(ctx, seeds) }() // the client itself tries again in silence
	answer := make(chan error, 1)
	go func() {
		_, err := kadm.NewClient(cl).BrokerMetadata(ctx)
		answer <- err
	}()
	var err error
	select {
	case err = <-answer:
	case err = <-dial:
		if err == nil {
			err = <-answer
		}
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		return &cli.Error{Err: fmt.Errorf("broker %s refused the login", seeds), Hint: "check kafka.sasl in weir.yaml: user, password and mechanism"}
	case ctx.Err() != nil && !errors.Is(err, errDial):
		err = errors.New("it takes the connection but gives no answer: TLS on one side only?")
	}
	return &cli.Error{
		Err:  fmt.Errorf("no broker answers on %s: %w", seeds, err),
		Hint: "start it, or correct kafka.brokers in weir.yaml (or --brokers); `embedded` is the broker inside weir",
	}
}

var errDial = errors.New("connection failed")

// dials is nil when one of the seeds takes a connection.
func dials(ctx context.Context, seeds string) error {
	var last error
	for _, s := range strings.Split(seeds, ",") {
		c, err := (&net.Dialer{Timeout: 4 * time.Second}).DialContext(ctx, "tcp", s)
		if err == nil {
			return c.Close()
		}
		last = err
		var op *net.OpError
		if errors.As(err, &op) {
			last = op.Err
		}
	}
	return fmt.Errorf("%w: %w", errDial, last)
}
