package kafka

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"

	"weir/internal/config"
	"weir/internal/tlsfile"
)

// Config is the `kafka` block of weir.yaml.
type Config struct {
	Brokers Brokers `yaml:"brokers" jsonschema:"required,description=the word embedded or a list of host:port"`
	SASL    *SASL   `yaml:"sasl,omitempty" jsonschema:"description=how to log in"`
	TLS     *TLS    `yaml:"tls,omitempty" jsonschema:"description=encrypt and verify the connection; cert and key for mTLS; {} trusts the system's authorities"`
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

// TLS is always verified.
type TLS = tlsfile.Config

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
