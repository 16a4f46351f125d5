// Package kafka makes Kafka clients from one config block, tells positions in topics, and serves the embedded broker.
//
// Start with [Connect] and [Ping]; [ServeEmbedded] is a broker inside this process that other processes reach over TCP.
//
// # Promises
//
// TLS is always verified and no error shows a secret. Ping answers within five seconds, and says why if no broker does. What the
// embedded broker has acknowledged survives a kill of its process (not a loss of power), and two never serve the same data.
package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/cli"
)

// Connect makes a client. It does not talk to a broker yet: Ping does. Whoever reads says itself that it reads committed only.
func Connect(c Config, opts ...kgo.Opt) (*kgo.Client, error) {
	if c.Brokers.Embedded() {
		return nil, errors.New("kafka: the embedded broker has no address yet: it is to be started, or found in the home, first")
	}
	d := newDialer(c)
	all := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID("weir"),
		kgo.DialTimeout(5 * time.Second),
		// The default of 5 s stalls the first message to a topic whose partitions have no leader yet.
		kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.WithHooks(d),
		kgo.WithContext(context.WithValue(context.Background(), dialerKey{}, d)), // where Ping finds it
	}
	if c.TLS != nil {
		t, err := c.TLS.Client("kafka.tls")
		if err != nil {
			return nil, cli.Usage(err, "")
		}
		all = append(all, kgo.DialTLSConfig(t))
	}
	if c.SASL != nil {
		login, err := c.SASL.login()
		if err != nil {
			return nil, err
		}
		all = append(all, kgo.SASL(login))
	}
	cl, err := kgo.NewClient(append(all, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	return cl, nil
}
