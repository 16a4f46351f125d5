package kafka

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"weir/internal/config"
)

func decode(t *testing.T, yaml string) (Config, error) {
	t.Helper()
	var f struct {
		Kafka Config `yaml:"kafka"`
	}
	env := map[string]string{"BROKERS": "a:1, b:2", "PW": "pst"}
	err := config.Decode("weir.yaml", []byte(yaml), &f, config.WithEnv(func(k string) (string, bool) { v, ok := env[k]; return v, ok }))
	return f.Kafka, err
}

func TestBrokersAreAWordOrAList(t *testing.T) {
	for yaml, want := range map[string]Brokers{
		"kafka: {brokers: embedded}":               {"embedded"},
		"kafka: {brokers: a:1}":                    {"a:1"},
		"kafka: {brokers: \"a:1,b:2\"}":            {"a:1", "b:2"},
		"kafka: {brokers: [a:1, b:2]}":             {"a:1", "b:2"},
		"kafka:\n  brokers:\n  - a:1\n  - 'b:2'":   {"a:1", "b:2"},
		"kafka: {brokers: \"${env:BROKERS}\"}":     {"a:1", "b:2"},
		"kafka: {brokers: [\"[::1]:9092\", c:3]}":  {"[::1]:9092", "c:3"},
		"kafka:\n  brokers: ['${env:PW}:9', b:2]":  {"pst:9", "b:2"},
		"kafka:\n  brokers: embedded # in process": {"embedded"},
	} {
		c, err := decode(t, yaml)
		if err != nil || !slices.Equal(c.Brokers, want) {
			t.Errorf("%s: got %q, %v; want %q", yaml, c.Brokers, err, want)
		}
		if (want[0] == "embedded") != c.Brokers.Embedded() {
			t.Errorf("%s: embedded is %v", yaml, c.Brokers.Embedded())
		}
	}
}

func TestMistakesHaveAPlace(t *testing.T) {
	for _, c := range []struct{ name, yaml, want string }{
		{"no port", "kafka:\n  brokers: [a:1, b]", `weir.yaml:2:18: expected host:port, got "b"`},
		{"a port that is none", "kafka:\n  brokers: [a:x]", `weir.yaml:2:13: expected host:port, got "a:x"`},
		{"a misspelt word", "kafka:\n  brokers: embedde", `weir.yaml:2:12: expected host:port, got "embedde"; did you mean "embedded"?`},
		{"a section", "kafka:\n  brokers: {a: 1}", "weir.yaml:2:13: expected the word embedded or a list of host:port"},
		{"a number", "kafka:\n  brokers: [9092]", "weir.yaml:2:12: expected a list of host:port, got 9092 in it"},
		{"nothing", "kafka: {tls: {}}", `weir.yaml:1:9: missing key "brokers": the word embedded or a list of host:port`},
		{"an unset variable", "kafka:\n  brokers: ${env:NONE}", "weir.yaml:2:12: the environment has no variable NONE; set it, or write ${NONE:-DEFAULT}"},
		{"an unknown mechanism", "kafka:\n  brokers: a:1\n  sasl: {mechanism: SCRAM-SHA-255, user: u, password: p}", `weir.yaml:3:21: expected PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or AWS_MSK_IAM, got "SCRAM-SHA-255"; did you mean "SCRAM-SHA-256"?`},
		{"an empty user", "kafka:\n  brokers: a:1\n  sasl: {mechanism: PLAIN, user: '', password: p}", "weir.yaml:3:34: expected the name to log in with, got nothing"},
		{"no password", "kafka:\n  brokers: a:1\n  sasl: {mechanism: PLAIN, user: ann}", "weir.yaml:3:10: expected a reference to the password such as ${env:KAFKA_PASSWORD}, got nothing"},
		{"a token for SCRAM", "kafka:\n  brokers: a:1\n  sasl: {mechanism: SCRAM-SHA-512, user: u, password: p, token: t}", "weir.yaml:3:65: expected no such key with SCRAM-SHA-512: it takes user, password"},
		{"a user for AWS", "kafka:\n  brokers: a:1\n  sasl: {mechanism: AWS_MSK_IAM, user: u}", "weir.yaml:3:40: expected no such key with AWS_MSK_IAM: keys come from where the AWS tools find theirs"},
		{"OAUTHBEARER without a token", "kafka:\n  brokers: a:1\n  sasl: {mechanism: OAUTHBEARER}", "weir.yaml:3:21: expected one of token, token_file and token_url beside OAUTHBEARER"},
		{"two tokens", "kafka:\n  brokers: a:1\n  sasl: {mechanism: OAUTHBEARER, token: t, token_file: f}", "weir.yaml:3:56: expected one of token, token_file and token_url, got token and token_file"},
		{"an endpoint without a secret", "kafka:\n  brokers: a:1\n  sasl: {mechanism: OAUTHBEARER, token_url: \"https://a/b\", client_id: c}", "weir.yaml:3:45: expected `client_secret` beside it: a reference such as ${env:KAFKA_CLIENT_SECRET}"},
		{"an endpoint that hears the secret in the clear", "kafka:\n  brokers: a:1\n  sasl: {mechanism: OAUTHBEARER, token_url: \"http://a/b\", client_id: c, client_secret: s}", "weir.yaml:3:45: expected an address such as https://login.example/oauth2/token, without user and password in it (http only on this machine)"},
		{"a client without an endpoint", "kafka:\n  brokers: a:1\n  sasl: {mechanism: OAUTHBEARER, token: t, client_id: c}", "weir.yaml:3:55: expected `token_url` beside it"},
		{"a certificate without its key", "kafka:\n  brokers: a:1\n  tls: {cert: c.pem}", "weir.yaml:3:15: expected `key` beside it: the file with the certificate's private key"},
		{"a key without its certificate", "kafka:\n  brokers: a:1\n  tls: {key: k.pem}", "weir.yaml:3:14: expected `cert` beside it: the file with the key's certificate"},
		{"a misspelt key", "kafka:\n  brokers: a:1\n  tsl: {}", `weir.yaml:3:3: unknown key "tsl"; did you mean "tls"?`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := decode(t, c.yaml)
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestAnEmptyTLSSectionSwitchesItOn(t *testing.T) {
	if c, err := decode(t, "kafka: {brokers: a:1, tls: {}}"); err != nil || c.TLS == nil {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestTheEmbeddedBrokerNeedsAnAddressToConnect(t *testing.T) {
	for _, b := range []Brokers{nil, {"embedded"}} {
		if _, err := Connect(Config{Brokers: b}); err == nil {
			t.Errorf("%q: no error", b)
		}
	}
}

func TestAnAuthorityFileIsNamed(t *testing.T) {
	_, err := Connect(Config{Brokers: Brokers{"a:1"}, TLS: &TLS{CA: "/no/such.pem"}})
	if err == nil || !strings.Contains(err.Error(), "kafka.tls.ca: open /no/such.pem") {
		t.Errorf("got %v", err)
	}
}

func TestEditorsTakeTheWordAndTheList(t *testing.T) {
	b, err := config.Schema(Config{}, "kafka")
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Properties struct {
			Brokers struct{ OneOf []struct{ Type string } }
		}
	}
	if !strings.Contains(string(b), `"$defs"`) {
		t.Fatalf("%s", b)
	}
	var all struct {
		Defs map[string]json.RawMessage `json:"$defs"`
	}
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(all.Defs["Config"], &s); err != nil {
		t.Fatal(err)
	}
	if one := s.Properties.Brokers.OneOf; len(one) != 2 || one[0].Type != "string" || one[1].Type != "array" {
		t.Errorf("brokers: %+v", one)
	}
}
