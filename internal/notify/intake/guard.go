package intake

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Guard decides who may hand events in. Its zero value is for a listener on loopback: everybody on this machine may.
type Guard struct {
	Beyond  bool    // the listener can be reached from other machines
	Token   string  // bearer token; empty: none is asked for
	PerSec  float64 // requests per second of one client; 0: 100
	clients *clients
}

// NewGuard makes a guard that counts its clients.
func NewGuard(beyond bool, token string, perSec float64) Guard {
	if perSec == 0 {
		perSec = 100
	}
	return Guard{Beyond: beyond, Token: token, PerSec: perSec, clients: &clients{seen: map[string]*client{}}}
}

// wrap lets nobody through who has no right or comes too often.
func (g Guard) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if wait := g.clients.wait(who(r), g.PerSec); wait > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
			refuse(w, http.StatusTooManyRequests, fmt.Errorf("more than %g requests per second", g.PerSec))
			return
		}
		if !g.knows(r) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="weir notify"`)
			refuse(w, http.StatusUnauthorized, errors.New("send the token as Authorization: Bearer …"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// knows compares in a time that does not tell how much of a token is right; a client whose certificate was verified needs none.
func (g Guard) knows(r *http.Request) bool {
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		return true
	}
	if g.Token == "" {
		return !g.Beyond
	}
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	a, b := sha256.Sum256([]byte(strings.TrimSpace(token))), sha256.Sum256([]byte(g.Token))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && strings.EqualFold(kind, "bearer")
}

// host turns web pages away that make a browser on this machine call a listener on loopback by a name that leads here.
func (g Guard) host(next http.Handler) http.Handler {
	if g.Beyond {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			refuse(w, http.StatusForbidden, errors.New("call me by a loopback address"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// who is the name in the client's certificate, or else its address.
func who(r *http.Request) string {
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		return "cert " + r.TLS.PeerCertificates[0].Subject.String()
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// maxClients are remembered; whoever was seen longest ago is forgotten first.
const maxClients = 4096

type client struct {
	limit *rate.Limiter
	last  time.Time
}

type clients struct {
	mu   sync.Mutex
	seen map[string]*client
}

// wait is how long this client must wait, 0 if it may come in now.
func (c *clients) wait(name string, perSec float64) time.Duration {
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	one := c.seen[name]
	if one == nil {
		if len(c.seen) >= maxClients {
			oldest, at := "", now.Add(time.Second)
			for n, o := range c.seen {
				if o.last.Before(at) {
					oldest, at = n, o.last
				}
			}
			delete(c.seen, oldest)
		}
		one = &client{limit: rate.NewLimiter(rate.Limit(perSec), int(math.Ceil(2*perSec)))}
		c.seen[name] = one
	}
	one.last = now
	r := one.limit.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// TLS is the server's side: its certificate and, for mTLS, the authority that signs its clients'.
type TLS struct {
	Cert, Key, ClientCA string
}

// Config reads the files. A certificate that is renewed in its file is shown to the next client, without a restart.
func (t TLS) Config() (*tls.Config, error) {
	load := func() (*tls.Certificate, error) {
		c, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("certificate %s and key %s: %s", t.Cert, t.Key, strings.TrimPrefix(err.Error(), "tls: "))
		}
		return &c, nil
	}
	if _, err := load(); err != nil {
		return nil, err
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return load() }}
	if t.ClientCA != "" {
		b, err := os.ReadFile(t.ClientCA)
		if err != nil {
			return nil, fmt.Errorf("authority of clients: %w", err)
		}
		cfg.ClientCAs = x509.NewCertPool()
		if !cfg.ClientCAs.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("authority of clients: %s holds no PEM certificate", t.ClientCA)
		}
		cfg.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return cfg, nil
}

// Loopback reports whether only this machine can reach an address to listen on.
func Loopback(addr string) (bool, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false, err
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback(), nil
}
