package kafka

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/aws"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"weir/internal/cli"
	"weir/internal/tlsfile"
)

// tokenLimit bounds the wait for a token or for AWS keys: a login must not take longer than Ping waits.
const tokenLimit = 3 * time.Second

// loginError is what went wrong before the broker was asked.
type loginError struct{ said, hint string }

func (e *loginError) Error() string { return e.said }

// login is the client's side of the mechanism. Tokens and AWS keys are asked for again at each login, so that they may be renewed.
func (s *SASL) login() (sasl.Mechanism, error) {
	for _, bad := range s.Validate() { // again: the block may come from elsewhere than weir.yaml
		return nil, fmt.Errorf("kafka.sasl.%s: %s", bad.Path, bad.Message)
	}
	user, password := s.User, s.Password.Reveal()
	switch s.Mechanism {
	case "PLAIN":
		return plain.Auth{User: user, Pass: password}.AsMechanism(), nil
	case "SCRAM-SHA-256":
		return scram.Auth{User: user, Pass: password}.AsSha256Mechanism(), nil
	case "SCRAM-SHA-512":
		return scram.Auth{User: user, Pass: password}.AsSha512Mechanism(), nil
	case mskIAM:
		return aws.ManagedStreamingIAM(awsKeys()), nil
	case oauthBearer:
		token, err := s.tokens()
		if err != nil {
			return nil, err
		}
		return oauth.Oauth(func(ctx context.Context) (oauth.Auth, error) {
			t, err := token(ctx)
			return oauth.Auth{Token: t, Extensions: s.Extensions}, err
		}), nil
	}
	return nil, fmt.Errorf("kafka.sasl.mechanism: unknown mechanism %q", s.Mechanism)
}

// tokens gives the token of a login.
func (s *SASL) tokens() (func(context.Context) (string, error), error) {
	switch {
	case s.TokenFile != "":
		return func(context.Context) (string, error) {
			b, err := os.ReadFile(s.TokenFile)
			if err != nil {
				return "", &loginError{fmt.Sprintf("the token's file cannot be read: %v", err), "check kafka.sasl.token_file in weir.yaml"}
			}
			t := strings.TrimSpace(string(b))
			if t == "" {
				return "", &loginError{fmt.Sprintf("the token's file %s is empty", s.TokenFile), "check kafka.sasl.token_file in weir.yaml, and the program that writes it"}
			}
			return t, nil
		}, nil
	case s.TokenURL != "":
		return s.endpoint()
	}
	return func(context.Context) (string, error) { return s.Token.Reveal(), nil }, nil
}

// endpoint asks for a token with client id and secret, and for the next one shortly before it expires.
func (s *SASL) endpoint() (func(context.Context) (string, error), error) {
	t, err := tlsfile.Config{CA: s.TokenCA}.Client("kafka.sasl")
	if err != nil {
		return nil, cli.Usage(errors.New(strings.Replace(err.Error(), "kafka.sasl.ca", "kafka.sasl.token_ca", 1)), "")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = t
	ask := clientcredentials.Config{ClientID: s.ClientID, ClientSecret: s.ClientSecret.Reveal(), TokenURL: s.TokenURL, Scopes: strings.Fields(s.Scope)}
	// The source keeps the context for all of its requests: it must not be that of one login.
	web := &http.Client{Transport: transport, Timeout: tokenLimit}
	source := ask.TokenSource(context.WithValue(context.Background(), oauth2.HTTPClient, web))
	return func(context.Context) (string, error) {
		got, err := source.Token()
		if err != nil {
			return "", s.tokenError(err)
		}
		return got.AccessToken, nil
	}, nil
}

// tokenError leaves out what the endpoint wrote: it may repeat what it was sent.
func (s *SASL) tokenError(err error) error {
	const hint = "check token_url, client_id and client_secret of kafka.sasl in weir.yaml"
	var answered *oauth2.RetrieveError
	if errors.As(err, &answered) && answered.Response != nil {
		code := ""
		if c := answered.ErrorCode; c != "" && len(c) < 60 && !strings.Contains(c, s.ClientSecret.Reveal()) {
			code = ", " + c
		}
		return &loginError{fmt.Sprintf("the token endpoint %s gives client %s no token (HTTP %d%s)", s.TokenURL, s.ClientID, answered.Response.StatusCode, code), hint}
	}
	if said, hint := (tlsfile.Config{CA: s.TokenCA}).Words("kafka.sasl.token_ca", err); said != "" {
		return &loginError{fmt.Sprintf("the token endpoint %s: %s", s.TokenURL, said), strings.ReplaceAll(hint, "kafka.sasl.token_ca: {ca: FILE}", "kafka.sasl: {token_ca: FILE}")}
	}
	return &loginError{fmt.Sprintf("the token endpoint %s does not answer (%s)", s.TokenURL, reason(err)), hint}
}

// awsKeys finds keys as the AWS tools do: environment, profile, container, instance role. What the keys of a role are worth is
// looked after by the SDK.
func awsKeys() func(context.Context) (aws.Auth, error) {
	load := sync.OnceValues(func() (keys func(context.Context) (aws.Auth, error), err error) {
		c, err := awsconfig.LoadDefaultConfig(context.Background())
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context) (aws.Auth, error) {
			ctx, cancel := context.WithTimeout(ctx, tokenLimit)
			defer cancel()
			k, err := c.Credentials.Retrieve(ctx)
			return aws.Auth{AccessKey: k.AccessKeyID, SecretKey: k.SecretAccessKey, SessionToken: k.SessionToken, UserAgent: "weir"}, err
		}, nil
	})
	return func(ctx context.Context) (aws.Auth, error) {
		keys, err := load()
		if err == nil {
			var a aws.Auth
			if a, err = keys(ctx); err == nil {
				return a, nil
			}
		}
		return aws.Auth{}, &loginError{"no AWS keys are found for the login with AWS_MSK_IAM", "give them as the AWS tools take them: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or the role of the machine; `aws sts get-caller-identity` shows whether they work"}
	}
}
