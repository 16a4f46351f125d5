// Package registry gets and registers Avro schemas: Confluent's API, which Apicurio and Redpanda speak as well.
//
// [New] makes a client; [ServeEmbedded] is a registry inside this process that other processes reach over HTTP.
//
// # Promises
//
// A schema id that the registry has answered once is never asked for again. Errors tell a registry that does not know an id
// ([ErrUnknownID]) from one that does not answer ([ErrUnavailable]); none of them carries a password.
package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"weir/internal/avro"
	"weir/internal/cli"
	"weir/internal/config"
	"weir/internal/tlsfile"
)

// What a caller decides by.
var (
	ErrUnknownID = errors.New("the registry does not know this schema id")
	// ErrUnreadable is a schema that is there and that nobody here can read: not Avro, not well formed, or made of others that are missing.
	ErrUnreadable   = errors.New("only Avro schemas that can be read whole are supported")
	ErrNoSubject    = errors.New("the registry has no such subject")
	ErrUnavailable  = errors.New("the registry does not answer")
	ErrIncompatible = errors.New("the schema is not compatible with the subject's earlier ones")
)

// Config is the `registry` block of weir.yaml.
type Config struct {
	URL      string          `yaml:"url" jsonschema:"required,description=the word embedded or http(s)://host:port/path"`
	User     string          `yaml:"user,omitempty" jsonschema:"description=basic authentication"`
	Password config.Secret   `yaml:"password,omitempty" jsonschema:"description=a reference such as ${env:REGISTRY_PASSWORD}"`
	Token    config.Secret   `yaml:"token,omitempty" jsonschema:"description=bearer token in place of user and password: a reference such as ${env:REGISTRY_TOKEN}"`
	Glue     *GlueConfig     `yaml:"glue,omitempty" jsonschema:"description=AWS Glue Schema Registry, for jobs with format: glue, beside the registry at url"`
	TLS      *tlsfile.Config `yaml:"tls,omitempty" jsonschema:"description=authority to trust and certificate to show (mTLS); default: the system's authorities"`
}

// Embedded reports that the registry inside weir is meant.
func (c Config) Embedded() bool { return c.URL == "" || c.URL == "embedded" }

// Validate names what is wrong.
func (c Config) Validate() []config.Invalid {
	if c.Embedded() {
		return nil
	}
	var bad []config.Invalid
	say := func(path, message string) { bad = append(bad, config.Invalid{Path: path, Message: message}) }
	u, err := url.Parse(c.URL)
	switch {
	case strings.HasPrefix(c.URL, "${"): // a reference that is not expanded here
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		say("url", "expected the word embedded or an address such as https://registry:8081")
	case u.User != nil:
		say("url", "expected no user and password in the address: use the keys user and password")
	case c.TLS != nil && u.Scheme == "http":
		say("tls", "expected an address with https:// beside it")
	}
	switch {
	case c.Token != "" && c.User != "":
		say("token", "expected either a token or user and password")
	case c.Password != "" && c.User == "":
		say("password", "expected `user` beside it")
	}
	return bad
}

// Client asks one registry. It is safe for concurrent use.
type Client struct {
	url  string
	tls  tlsfile.Config
	cl   *sr.Client
	web  *http.Client
	mu   sync.Mutex
	byID map[int]*avro.Schema
	ids  map[[2]string]int // subject and schema that were registered
}

// patience is how long a request may take; who calls tries again as long as it likes.
const patience = 10 * time.Second

// New makes a client; it does not talk to the registry yet.
func New(c Config) (*Client, error) { return newClient(c, patience) }

func newClient(c Config, patience time.Duration) (*Client, error) {
	if c.Embedded() {
		return nil, errors.New("registry: the embedded one must be started, and its address given")
	}
	for _, bad := range c.Validate() { // again, since an address may come from elsewhere than weir.yaml; it is not repeated
		return nil, fmt.Errorf("registry.%s: %s", bad.Path, bad.Message)
	}
	web := &http.Client{Timeout: patience}
	var shown tlsfile.Config
	if c.TLS != nil {
		shown = *c.TLS
		t, err := c.TLS.Client("registry.tls")
		if err != nil {
			return nil, cli.Usage(err, "")
		}
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = t
		web.Transport = transport
	}
	opts := []sr.ClientOpt{sr.URLs(c.URL), sr.UserAgent("weir"), sr.HTTPClient(web)}
	switch {
	case c.Token != "":
		opts = append(opts, sr.BearerToken(c.Token.Reveal()))
	case c.User != "":
		opts = append(opts, sr.BasicAuth(c.User, c.Password.Reveal()))
	}
	cl, err := sr.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	return &Client{url: c.URL, tls: shown, cl: cl, web: web, byID: map[int]*avro.Schema{}, ids: map[[2]string]int{}}, nil
}

// Schema gets a schema by its id.
func (c *Client) Schema(ctx context.Context, id int) (*avro.Schema, error) {
	c.mu.Lock()
	s := c.byID[id]
	c.mu.Unlock()
	if s != nil {
		return s, nil
	}
	got, err := c.cl.SchemaByID(ctx, id)
	if err != nil {
		return nil, c.explain(fmt.Sprintf("schema %d", id), err, ErrUnknownID)
	}
	s, err = c.parse(ctx, id, got)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.byID[id] = s
	c.mu.Unlock()
	return s, nil
}

func (c *Client) parse(ctx context.Context, id int, got sr.Schema) (*avro.Schema, error) {
	if got.Type != sr.TypeAvro {
		return nil, unreadable{fmt.Errorf("schema %d is %s: only Avro is supported in this version", id, got.Type)}
	}
	s, err := withReferences(ctx, got, func(ctx context.Context, subject string, version int) (sr.Schema, error) {
		s, err := c.cl.SchemaByVersion(ctx, subject, version)
		if err != nil {
			return sr.Schema{}, c.explain(fmt.Sprintf("subject %s version %d", subject, version), err, ErrNoSubject)
		}
		return s.Schema, nil
	})
	if err != nil {
		err = fmt.Errorf("schema %d: %w", id, err)
		if errors.Is(err, ErrUnavailable) || ctx.Err() != nil { // which says nothing of the schema
			return nil, err
		}
		return nil, unreadable{err}
	}
	return s, nil
}

// unreadable is ErrUnreadable in the words of its cause.
type unreadable struct{ error }

func (e unreadable) Unwrap() error        { return e.error }
func (e unreadable) Is(target error) bool { return target == ErrUnreadable } //nolint:errorlint // a sentinel, by identity

// Latest gets a subject's newest schema.
func (c *Client) Latest(ctx context.Context, subject string) (int, *avro.Schema, error) {
	got, err := c.cl.SchemaByVersion(ctx, subject, -1)
	if err != nil {
		return 0, nil, c.explain("subject "+subject, err, ErrNoSubject)
	}
	s, err := c.parse(ctx, got.ID, got.Schema)
	return got.ID, s, err
}

// Subject gets a version of a subject: latest or a number.
func (c *Client) Subject(ctx context.Context, subject, version string) (id int, schema string, err error) {
	no := -1
	if version != "latest" && version != "" {
		if no, err = strconv.Atoi(version); err != nil {
			return 0, "", fmt.Errorf("subject %s: version %q is neither latest nor a number", subject, version)
		}
	}
	got, err := c.cl.SchemaByVersion(ctx, subject, no)
	if err != nil {
		return 0, "", c.explain(fmt.Sprintf("subject %s version %s", subject, version), err, ErrNoSubject)
	}
	if len(got.References) > 0 { // who asks for the text wants all of it
		return 0, "", fmt.Errorf("schema %d refers to other subjects: that is not supported in this version", got.ID)
	}
	if _, err := c.parse(ctx, got.ID, got.Schema); err != nil {
		return 0, "", err
	}
	return got.ID, got.Schema.Schema, nil
}

// Register registers a schema under a subject and gives its id, which is the old one if it was there before.
func (c *Client) Register(ctx context.Context, subject, schema string) (int, error) {
	key := [2]string{subject, schema}
	c.mu.Lock()
	id, ok := c.ids[key]
	c.mu.Unlock()
	if ok {
		return id, nil
	}
	if _, err := avro.Parse(schema); err != nil {
		return 0, err
	}
	got, err := c.cl.CreateSchema(ctx, subject, sr.Schema{Schema: schema})
	var re *sr.ResponseError
	if errors.As(err, &re) && re.StatusCode == http.StatusConflict {
		return 0, fmt.Errorf("subject %s: %w: %s", subject, ErrIncompatible, firstLine(javaClass.ReplaceAllString(re.Message, "")))
	}
	if err != nil {
		return 0, c.explain("subject "+subject, err, ErrNoSubject)
	}
	c.mu.Lock()
	c.ids[key] = got.ID
	c.mu.Unlock()
	return got.ID, nil
}

// explain tells a registry that answered "not found" from one that did not answer what was asked.
func (c *Client) explain(what string, err, notFound error) error {
	var re *sr.ResponseError
	if !errors.As(err, &re) {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the address, which might carry more than a place
		}
		if said, hint := c.connectionWords(err); said != "" {
			return fmt.Errorf("%s: %w (%s): %w", what, ErrUnavailable, c.url, &cli.Error{Err: errors.New(said), Hint: hint})
		}
		return fmt.Errorf("%s: %w (%s): %w", what, ErrUnavailable, c.url, err)
	}
	switch {
	case re.StatusCode == http.StatusBadRequest && strings.Contains(re.Error(), "HTTP request to an HTTPS server"):
		return fmt.Errorf("%s: %w (%s): %w", what, ErrUnavailable, c.url, &cli.Error{Err: errors.New("it speaks only TLS on this port"), Hint: hintHTTPS})
	case re.StatusCode == http.StatusNotFound && re.ErrorCode/100 == http.StatusNotFound:
		return fmt.Errorf("%s: %w", what, notFound)
	case re.StatusCode == http.StatusUnauthorized || re.StatusCode == http.StatusForbidden:
		return fmt.Errorf("%s: %w (%s): it refused the login (HTTP %d); check user and password, or token, of registry in weir.yaml", what, ErrUnavailable, c.url, re.StatusCode)
	case re.StatusCode == http.StatusNotFound: // no registry's 404: another server, or a path that is missing
		return fmt.Errorf("%s: %w (%s): HTTP 404 without an error code; is the path right? Apicurio's ends in /apis/ccompat/v7", what, ErrUnavailable, c.url)
	case re.StatusCode >= 500 || re.StatusCode == http.StatusTooManyRequests || re.StatusCode == http.StatusRequestTimeout:
		return fmt.Errorf("%s: %w (%s): HTTP %d: %s", what, ErrUnavailable, c.url, re.StatusCode, firstLine(re.Message))
	}
	return fmt.Errorf("%s: the registry answers HTTP %d: %s", what, re.StatusCode, firstLine(re.Error()))
}

const hintHTTPS = "write https:// in registry.url of weir.yaml (and `registry: {tls: {ca: FILE}}` for an authority of your own)"

// connectionWords says what is wrong with the way to the registry, where that is clear.
func (c *Client) connectionWords(err error) (said, hint string) {
	if said, hint := c.tls.Words("registry.tls", err); said != "" {
		return said, hint
	}
	switch {
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return "it does not speak TLS on this port", "write http:// in registry.url of weir.yaml, or take the port of its TLS listener"
	case strings.HasPrefix(c.url, "http:") && errors.Is(err, io.EOF):
		return "it closes the connection at the first request", "if it speaks TLS: " + hintHTTPS
	}
	return "", ""
}

// javaClass is what Apicurio begins its messages with: io.apicurio.registry.rules.RuleViolationException:
var javaClass = regexp.MustCompile(`^\s*(?:[a-z]\w*\.)+[A-Z]\w*: `)

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	if len(s) > 300 {
		s = s[:300] + " …"
	}
	return s
}
