package lake

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/catalog/rest"

	"weir/internal/cli"
	"weir/internal/config"
	"weir/internal/tlsfile"
)

// REST is the `rest` block: how an Iceberg REST catalog lets us in. Without it no one asks who we are.
type REST struct {
	Token        config.Secret   `yaml:"token,omitempty" jsonschema:"description=bearer token by reference: ${env:NAME} or ${file:PATH}"`
	TokenURL     string          `yaml:"token_url,omitempty" jsonschema:"description=endpoint that gives tokens for client_id and client_secret (OAuth2 client credentials); default: v1/oauth/tokens below the catalog's address"`
	ClientID     string          `yaml:"client_id,omitempty" jsonschema:"description=in place of token: who asks for one"`
	ClientSecret config.Secret   `yaml:"client_secret,omitempty" jsonschema:"description=by reference: ${env:NAME} or ${file:PATH}"`
	Scope        string          `yaml:"scope,omitempty" jsonschema:"description=asked for with the token; default catalog (Apache Polaris: PRINCIPAL_ROLE:ALL)"`
	TLS          *tlsfile.Config `yaml:"tls,omitempty" jsonschema:"description=authority to trust and certificate to show (mTLS); default: the system's authorities"`
}

// Validate names what is wrong with the block beside an address.
func (c REST) Validate(address string) []config.Invalid {
	var bad []config.Invalid
	say := func(path, message string) { bad = append(bad, config.Invalid{Path: path, Message: message}) }
	switch {
	case c.Token != "" && (c.ClientID != "" || c.ClientSecret != "" || c.TokenURL != ""):
		say("token", "expected either a token or client_id and client_secret")
	case (c.ClientID == "") != (c.ClientSecret == ""):
		say("client_id", "expected client_id and client_secret together, or neither")
	case c.ClientID == "" && (c.TokenURL != "" || c.Scope != ""):
		say("client_id", "is missing: token_url and scope go with client_id and client_secret")
	case strings.Contains(c.ClientID, ":"):
		say("client_id", "must not hold a colon")
	}
	if u, err := url.Parse(c.TokenURL); c.TokenURL != "" && !strings.HasPrefix(c.TokenURL, "${") && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		say("token_url", "expected an address such as https://login.example.org/oauth/token")
	}
	if c.TLS != nil {
		for _, b := range c.TLS.Validate() {
			say("tls."+b.Path, b.Message)
		}
		if strings.HasPrefix(address, "http://") {
			say("tls", "expected uri with https:// beside it")
		}
	}
	return bad
}

// restPatience is how long the server may take to begin its answer. Behind it a commit's result is looked up.
const restPatience = 30 * time.Second

// openREST opens an Iceberg REST catalog. The warehouse is a name that the server knows: where tables lie is the server's to say.
func openREST(ctx context.Context, c Config, props iceberg.Properties) (catalogIO, io.Closer, error) {
	u, err := url.Parse(c.Catalog)
	if err != nil || u.Host == "" {
		return nil, nil, errors.New("catalog: expected https://host/path of an Iceberg REST catalog")
	}
	if u.User != nil || u.RawQuery != "" {
		return nil, nil, errors.New("catalog: expected no user, password or query in the address of a REST catalog: secrets belong to lake.rest")
	}
	opts := []rest.Option{rest.WithAdditionalProps(props)}
	if c.Warehouse != "" {
		opts = append(opts, rest.WithWarehouseLocation(c.Warehouse))
	}
	switch {
	case c.REST.Token != "":
		opts = append(opts, rest.WithOAuthToken(strings.TrimSpace(c.REST.Token.Reveal())))
	case c.REST.ClientID != "":
		opts = append(opts, rest.WithCredential(c.REST.ClientID+":"+strings.TrimSpace(c.REST.ClientSecret.Reveal())), rest.WithScope(c.REST.Scope))
	}
	if c.REST.TokenURL != "" {
		t, err := url.Parse(c.REST.TokenURL)
		if err != nil {
			return nil, nil, errors.New("lake.rest.token_url: expected an address such as https://login.example.org/oauth/token")
		}
		opts = append(opts, rest.WithAuthURI(t))
	}
	var trust *tls.Config
	if c.REST.TLS != nil {
		if trust, err = c.REST.TLS.Client("lake.rest.tls"); err != nil {
			return nil, nil, cli.Usage(err, "")
		}
	}
	opts = append(opts, rest.WithTransportFactory(func(*tls.Config) (http.RoundTripper, func()) {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.TLSClientConfig, t.ResponseHeaderTimeout = trust, restPatience
		return t, t.CloseIdleConnections
	}))
	cat, err := rest.NewCatalog(ctx, CatalogName, c.Catalog, opts...)
	if err != nil {
		return nil, nil, c.restWords(u, err)
	}
	return restCatalog{listed{cat}, cat}, cat, nil
}

// restCatalog lists namespaces below namespaces too.
type restCatalog struct {
	listed
	cat *rest.Catalog
}

func (r restCatalog) ListNamespaces(ctx context.Context, parent []string) ([][]string, error) {
	found, err := r.cat.ListNamespaces(ctx, parent)
	if err != nil {
		return nil, err
	}
	all := slices.Clone(found)
	for _, ns := range found {
		if len(ns) != len(parent)+1 {
			continue // a server without levels, which answers the same for every parent
		}
		below, err := r.ListNamespaces(ctx, ns)
		if err != nil && !errors.Is(err, catalog.ErrNoSuchNamespace) {
			return nil, err
		}
		all = append(all, below...)
	}
	return all, nil
}

// restWords says in one line what keeps a REST catalog from opening, and what to do.
func (c Config) restWords(u *url.URL, err error) error {
	where := "catalog " + u.Scheme + "://" + u.Host + u.Path
	say := func(text, hint string) error { return &cli.Error{Err: said{where + ": " + text, err}, Hint: hint} }
	var tlsConfig tlsfile.Config
	if c.REST.TLS != nil {
		tlsConfig = *c.REST.TLS
	}
	var dial *net.OpError
	var name *net.DNSError
	switch {
	case errors.Is(err, rest.ErrOAuthError):
		return say("no token is given to client "+c.REST.ClientID+": "+oneLine(err), "mend client_id, client_secret, scope and token_url of lake.rest in weir.yaml")
	case errors.Is(err, rest.ErrUnauthorized) && c.REST == (REST{}):
		return say("it asks who we are", "set lake.rest.token, or client_id and client_secret, in weir.yaml")
	case errors.Is(err, rest.ErrUnauthorized), errors.Is(err, rest.ErrAuthorizationExpired):
		return say("it does not accept the token", "mend lake.rest.token, or client_id and client_secret, in weir.yaml")
	case errors.Is(err, rest.ErrForbidden):
		return say("it forbids this: "+oneLine(err), "ask the catalog's owner for rights on warehouse "+orNothing(c.Warehouse))
	case strings.Contains(err.Error(), "failed to decode"), strings.Contains(err.Error(), "decoding json"):
		return say("what answers there is no Iceberg REST catalog", "lake.uri in weir.yaml is the address before /v1, such as https://polaris.example.org/api/catalog")
	case errors.Is(err, rest.ErrRESTError), errors.Is(err, rest.ErrBadRequest):
		return say(oneLine(err), "has the catalog the warehouse "+orNothing(c.Warehouse)+" (lake.warehouse)?")
	case errors.As(err, &name):
		return say("there is no host "+name.Name, "is lake.uri in weir.yaml its address?")
	case errors.As(err, &dial):
		return say(dial.Err.Error(), "is the catalog's server up, and is lake.uri in weir.yaml its address?")
	}
	if text, hint := tlsConfig.Words("lake.rest.tls", err); text != "" {
		return say(text, hint)
	}
	return say(oneLine(err), "is the catalog's server up, and is lake.uri in weir.yaml its address?")
}

func orNothing(name string) string {
	if name == "" {
		return "that it takes by default"
	}
	return fmt.Sprintf("%q", name)
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
