package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"

	"weir/internal/cli"
	"weir/internal/config"
)

// Config is the `kafka` block of weir.yaml.
type Config struct {
	Brokers Brokers `yaml:"brokers" jsonschema:"required,description=the word embedded or a list of host:port"`
	SASL    *SASL   `yaml:"sasl,omitempty" jsonschema:"description=how to log in"`
	TLS     *TLS    `yaml:"tls,omitempty" jsonschema:"description=encrypt and verify the connection; {} trusts the system's authorities"`
}

// Brokers are seed addresses. Empty, or the word embedded in a file, means the broker inside weir.
type Brokers []string

// Embedded reports that the broker inside weir is meant.
func (b Brokers) Embedded() bool { return len(b) == 0 || len(b) == 1 && b[0] == "embedded" }

func (b Brokers) String() string { return strings.Join(b, ",") }

// UnmarshalYAML takes the word embedded, host:port with commas between, or a list.
func (b *Brokers) UnmarshalYAML(decode func(any) error) error {
	var v any
	if err := decode(&v); err != nil {
		return err
	}
	var all Brokers
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			s, ok := address(x)
			if !ok {
				return fmt.Errorf("expected a list of host:port, got %v in it", x)
			}
			all = append(all, s)
		}
	case string:
		for _, s := range strings.Split(v, ",") {
			all = append(all, strings.TrimSpace(s))
		}
	default:
		return fmt.Errorf("expected the word embedded or a list of host:port")
	}
	*b = all
	return nil
}

// address takes [a:9092] as it is meant: YAML reads it as a section of its own where it stands in brackets.
func address(x any) (string, bool) {
	switch x := x.(type) {
	case string:
		return strings.TrimSpace(x), true
	case map[string]any:
		for host, port := range x {
			if n, ok := port.(int); ok && len(x) == 1 {
				return net.JoinHostPort(host, strconv.Itoa(n)), true
			}
		}
	}
	return "", false
}

// Schema is what editors are told: the reflector sees only the list.
func (Brokers) Schema() *jsonschema.Schema {
	return &jsonschema.Schema{
		OneOf: []*jsonschema.Schema{{Type: "string"}, {Type: "array", Items: &jsonschema.Schema{Type: "string"}}},
		Title: "the word embedded or a list of host:port",
	}
}

// SASL is a login.
type SASL struct {
	Mechanism string        `yaml:"mechanism" jsonschema:"required,enum=PLAIN,enum=SCRAM-SHA-256,enum=SCRAM-SHA-512,description=PLAIN or SCRAM-SHA-256 or SCRAM-SHA-512"`
	User      string        `yaml:"user" jsonschema:"required"`
	Password  config.Secret `yaml:"password" jsonschema:"required,description=a reference such as ${env:KAFKA_PASSWORD}"`
}

// TLS is always verified.
type TLS struct {
	CA string `yaml:"ca,omitempty" jsonschema:"description=file with the certificate authority (PEM); default: the system's"`
}

// Validate names what is missing or wrong. It touches no server and no file.
func (c Config) Validate() []config.Invalid {
	var bad []config.Invalid
	if !c.Brokers.Embedded() {
		for i, b := range c.Brokers {
			if !hostPort(b) {
				msg := fmt.Sprintf("expected host:port, got %q", b)
				if near := config.Nearest(b, []string{"embedded"}); near != "" && len(c.Brokers) == 1 {
					msg += fmt.Sprintf("; did you mean %q?", near)
				}
				bad = append(bad, config.Invalid{Path: fmt.Sprintf("brokers[%d]", i), Message: msg})
			}
		}
	}
	return bad
}

func hostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	n, nerr := strconv.Atoi(port)
	return err == nil && nerr == nil && host != "" && n > 0 && n < 1<<16
}

// Validate names a mechanism that is none of ours, and empty names.
func (s SASL) Validate() []config.Invalid {
	var bad []config.Invalid
	if _, ok := mechanisms[s.Mechanism]; !ok && s.Mechanism != "" {
		msg := fmt.Sprintf("expected PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, got %q", s.Mechanism)
		if near := config.Nearest(s.Mechanism, []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}); near != "" {
			msg += fmt.Sprintf("; did you mean %q?", near)
		}
		bad = append(bad, config.Invalid{Path: "mechanism", Message: msg})
	}
	if s.User == "" {
		bad = append(bad, config.Invalid{Path: "user", Message: "expected the name to log in with, got nothing"})
	}
	return bad
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
