package kafka

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"weir/internal/config"
)

// SASL is a login. Which keys it needs depends on the mechanism.
type SASL struct {
	Mechanism string `yaml:"mechanism" jsonschema:"required,enum=PLAIN,enum=SCRAM-SHA-256,enum=SCRAM-SHA-512,enum=OAUTHBEARER,enum=AWS_MSK_IAM,description=PLAIN or SCRAM-SHA-256 or SCRAM-SHA-512 or OAUTHBEARER or AWS_MSK_IAM"`

	// PLAIN and SCRAM.
	User     string        `yaml:"user,omitempty" jsonschema:"description=of PLAIN and SCRAM"`
	Password config.Secret `yaml:"password,omitempty" jsonschema:"description=of PLAIN and SCRAM: a reference such as ${env:KAFKA_PASSWORD}"`

	// OAUTHBEARER: one of token, token_file, token_url.
	Token        config.Secret     `yaml:"token,omitempty" jsonschema:"description=of OAUTHBEARER: a reference such as ${env:KAFKA_TOKEN}"`
	TokenFile    string            `yaml:"token_file,omitempty" jsonschema:"description=of OAUTHBEARER: file that is read at each login (a token that another program renews)"`
	TokenURL     string            `yaml:"token_url,omitempty" jsonschema:"description=of OAUTHBEARER: endpoint that gives tokens for client_id and client_secret (client credentials)"`
	ClientID     string            `yaml:"client_id,omitempty" jsonschema:"description=with token_url"`
	ClientSecret config.Secret     `yaml:"client_secret,omitempty" jsonschema:"description=with token_url: a reference such as ${env:KAFKA_CLIENT_SECRET}"`
	Scope        string            `yaml:"scope,omitempty" jsonschema:"description=with token_url: what is asked for; several with blanks between"`
	TokenCA      string            `yaml:"token_ca,omitempty" jsonschema:"description=with token_url: file with the endpoint's certificate authority (PEM); default: the system's"`
	Extensions   map[string]string `yaml:"extensions,omitempty" jsonschema:"description=of OAUTHBEARER: what the broker wants beside the token (logicalCluster and identityPoolId of Confluent Cloud)"`
}

const (
	oauthBearer = "OAUTHBEARER"
	mskIAM      = "AWS_MSK_IAM"
)

var mechanismNames = []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", oauthBearer, mskIAM}

// Validate names a mechanism that is none of ours, what it needs, and what it does not take.
func (s SASL) Validate() []config.Invalid {
	var bad []config.Invalid
	say := func(path, format string, args ...any) {
		bad = append(bad, config.Invalid{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	var takes []string
	switch s.Mechanism {
	case "":
		return nil // said already: the key is required
	case "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512":
		takes = []string{"user", "password"}
		if s.User == "" {
			say("user", "expected the name to log in with, got nothing")
		}
		if s.Password == "" {
			say("password", "expected a reference to the password such as ${env:KAFKA_PASSWORD}, got nothing")
		}
	case oauthBearer:
		takes = []string{"token", "token_file", "token_url", "client_id", "client_secret", "scope", "token_ca", "extensions"}
		s.validateToken(say)
	case mskIAM:
		// Keys come from where the AWS tools find theirs.
	default:
		msg := fmt.Sprintf("expected %s or %s, got %q", strings.Join(mechanismNames[:4], ", "), mskIAM, s.Mechanism)
		if near := config.Nearest(s.Mechanism, mechanismNames); near != "" {
			msg += fmt.Sprintf("; did you mean %q?", near)
		}
		say("mechanism", "%s", msg)
		return bad
	}
	for _, k := range s.given() {
		if !slices.Contains(takes, k) {
			if len(takes) == 0 {
				say(k, "expected no such key with %s: keys come from where the AWS tools find theirs", s.Mechanism)
			} else {
				say(k, "expected no such key with %s: it takes %s", s.Mechanism, strings.Join(takes, ", "))
			}
		}
	}
	return bad
}

func (s SASL) validateToken(say func(path, format string, args ...any)) {
	var ways []string
	for _, k := range s.given() {
		if slices.Contains([]string{"token", "token_file", "token_url"}, k) {
			ways = append(ways, k)
		}
	}
	switch len(ways) {
	case 0:
		say("mechanism", "expected one of token, token_file and token_url beside OAUTHBEARER")
	case 1:
	default:
		say(ways[1], "expected one of token, token_file and token_url, got %s", strings.Join(ways, " and "))
	}
	if s.TokenURL == "" {
		for _, k := range s.given() {
			if slices.Contains([]string{"client_id", "client_secret", "scope", "token_ca"}, k) {
				say(k, "expected `token_url` beside it")
			}
		}
		return
	}
	if !safeURL(s.TokenURL) {
		say("token_url", "expected an address such as https://login.example/oauth2/token, without user and password in it (http only on this machine)")
	}
	if s.ClientID == "" {
		say("token_url", "expected `client_id` beside it")
	}
	if s.ClientSecret == "" {
		say("token_url", "expected `client_secret` beside it: a reference such as ${env:KAFKA_CLIENT_SECRET}")
	}
}

// safeURL: a client secret leaves this machine only encrypted. A reference that is not expanded yet is not judged.
func safeURL(s string) bool {
	if strings.Contains(s, "${") {
		return true
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

// given lists the keys that are set, beside the mechanism.
func (s SASL) given() []string {
	var keys []string
	for _, k := range []struct {
		name string
		set  bool
	}{
		{"user", s.User != ""},
		{"password", s.Password != ""},
		{"token", s.Token != ""},
		{"token_file", s.TokenFile != ""},
		{"token_url", s.TokenURL != ""},
		{"client_id", s.ClientID != ""},
		{"client_secret", s.ClientSecret != ""},
		{"scope", s.Scope != ""},
		{"token_ca", s.TokenCA != ""},
		{"extensions", len(s.Extensions) > 0},
	} {
		if k.set {
			keys = append(keys, k.name)
		}
	}
	return keys
}

// who logs in, for people: "the login of WHO".
func (s *SASL) who() string {
	switch {
	case s == nil:
		return ""
	case s.ClientID != "":
		return "client " + s.ClientID
	case s.Mechanism == oauthBearer:
		return "this token"
	case s.Mechanism == mskIAM:
		return "this AWS identity"
	}
	return "user " + s.User
}

// hint is what to look at when a broker refuses the login.
func (s *SASL) hint() string {
	switch s.Mechanism {
	case oauthBearer:
		return "has the token expired, is it meant for this cluster? Check token, scope and extensions of kafka.sasl in weir.yaml"
	case mskIAM:
		return "does its policy allow kafka-cluster:Connect on this cluster? `aws sts get-caller-identity` shows who it is"
	}
	return "check user, password and mechanism of kafka.sasl in weir.yaml"
}
