package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"weir/internal/cli"
)

// A Step is one part of the way to a server, looked at by itself.
type Step struct {
	Name string `json:"check"`
	OK   bool   `json:"ok"`
	Warn bool   `json:"warning,omitempty"` // it works, but not as it was meant
	Said string `json:"said"`
	Hint string `json:"remedy,omitempty"` // what to do
}

const dialLimit = 2 * time.Second

// Steps walks the way to the brokers: name, connection, TLS, login, metadata, and the addresses that the brokers give of themselves.
// It ends at the first step without which the next ones make no sense; then the client is nil.
func Steps(ctx context.Context, c Config) (steps []Step, cl *kgo.Client) {
	say := func(s Step) bool {
		steps = append(steps, s)
		return s.OK
	}
	reached := ""
	for _, b := range c.Brokers {
		named := lookUp(ctx, b)
		if named.Said != "" {
			say(named)
		}
		if !named.OK {
			continue
		}
		if s := dial(ctx, b); say(s) && reached == "" {
			reached = b
		}
	}
	if reached == "" {
		return steps, nil
	}
	if c.TLS != nil && !say(shake(ctx, c, reached)) {
		return steps, nil
	}
	cl, err := Connect(c)
	if err == nil {
		err = Ping(ctx, cl)
	}
	if err != nil {
		if cl != nil {
			cl.Close()
		}
		s := failed("metadata", err)
		if c.SASL != nil && strings.Contains(s.Said, "login") {
			s.Name = "login"
		}
		say(s)
		return steps, nil
	}
	if c.SASL != nil {
		say(Step{Name: "login", OK: true, Said: c.SASL.who() + " with " + c.SASL.Mechanism})
	}
	for _, s := range members(ctx, cl) {
		say(s)
	}
	return steps, cl
}

func failed(name string, err error) Step {
	s := Step{Name: name, Said: err.Error()}
	var e *cli.Error
	if errors.As(err, &e) {
		s.Hint = e.Hint
	}
	return s
}

// lookUp asks for the addresses of a name; one that is an address already needs no step.
func lookUp(ctx context.Context, broker string) Step {
	host, _, err := net.SplitHostPort(broker)
	if err == nil && net.ParseIP(host) != nil {
		return Step{OK: true}
	}
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	all, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return Step{Name: "dns", Said: fmt.Sprintf("%s: %s", host, reason(err)), Hint: "correct kafka.brokers in weir.yaml (or --brokers), or run where this name is known"}
	}
	return Step{Name: "dns", OK: true, Said: fmt.Sprintf("%s is %s", host, strings.Join(all[:min(3, len(all))], ", "))}
}

func dial(ctx context.Context, broker string) Step {
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	began := time.Now()
	c, err := new(net.Dialer).DialContext(ctx, "tcp", broker)
	if err != nil {
		why, hint := reason(err), "is it running, is the port right? Correct kafka.brokers in weir.yaml (or --brokers)"
		var late net.Error
		if errors.As(err, &late) && late.Timeout() {
			why, hint = "no answer in "+dialLimit.String(), "a firewall or a security group may drop the packets; is the port right?"
		}
		return Step{Name: "tcp", Said: broker + ": " + why, Hint: hint}
	}
	_ = c.Close()
	return Step{Name: "tcp", OK: true, Said: fmt.Sprintf("%s answers in %v", broker, time.Since(began).Round(100*time.Microsecond))}
}

// shake looks at the TLS of a broker alone.
func shake(ctx context.Context, c Config, broker string) Step {
	config, err := c.TLS.Client("kafka.tls")
	if err != nil {
		return Step{Name: "tls", Said: err.Error(), Hint: "correct kafka.tls in weir.yaml"}
	}
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(broker)
	}
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", broker)
	if err != nil {
		said, hint := c.TLS.Words("kafka.tls", err)
		if said == "" {
			said, hint = "no TLS handshake: "+reason(err), hintPlain
		}
		return Step{Name: "tls", Said: broker + ": " + said, Hint: hint}
	}
	defer conn.Close()
	state := conn.(*tls.Conn).ConnectionState()
	s := Step{Name: "tls", OK: true, Said: tls.VersionName(state.Version)}
	if len(state.PeerCertificates) > 0 {
		ends := state.PeerCertificates[0].NotAfter
		s.Said += ", the broker's certificate holds until " + ends.UTC().Format(time.DateOnly)
		if left := time.Until(ends); left < 14*24*time.Hour {
			s.Warn, s.Hint = true, "have it renewed: longer runs would end with it"
		}
	}
	return s
}

// members are the cluster and the addresses that its brokers give: those are dialled, whatever weir.yaml says.
func members(ctx context.Context, cl *kgo.Client) (steps []Step) {
	ctx, cancel := context.WithTimeout(ctx, pingLimit)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{}
	m, err := req.RequestWith(ctx, cl)
	if err != nil {
		return []Step{{Name: "metadata", Said: reason(err), Hint: "is the cluster overloaded?"}}
	}
	id := "without an id"
	if m.ClusterID != nil {
		id = *m.ClusterID
	}
	steps = []Step{{Name: "metadata", OK: true, Said: fmt.Sprintf("cluster %s, %d brokers, Kafka %s", id, len(m.Brokers), Version(ctx, cl))}}
	for _, b := range m.Brokers {
		at := net.JoinHostPort(b.Host, fmt.Sprint(b.Port))
		s := lookUp(ctx, at)
		if s.OK {
			s = dial(ctx, at)
		}
		if !s.OK {
			steps = append(steps, Step{Name: "brokers", Said: fmt.Sprintf("broker %d calls itself %s, which cannot be reached from here (%s)", b.NodeID, at, s.Said), Hint: "correct its advertised.listeners, or run where that address is known"})
		}
	}
	return steps
}
