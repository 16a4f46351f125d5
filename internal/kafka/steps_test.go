package kafka

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"weir/internal/config"
	"weir/internal/fake"
)

// Each step of the way is told by itself, up to the one that fails.
func TestStepsEndWhereTheWayEnds(t *testing.T) {
	authority, other := fake.NewAuthority(t), fake.NewAuthority(t)
	overTLS := func(c tls.Certificate) kfake.Opt { return kfake.TLS(&tls.Config{Certificates: []tls.Certificate{c}}) }
	open := broker(t)
	secure := broker(t, overTLS(authority.Local(t).TLS), kfake.EnableSASL(), kfake.Superuser("PLAIN", "weir", password))
	old := broker(t, overTLS(authority.Issue(t, time.Now().Add(24*time.Hour), "127.0.0.1").TLS))
	login := func(p string) *SASL { return &SASL{Mechanism: "PLAIN", User: "weir", Password: config.Secret(p)} }
	for name, c := range map[string]struct {
		config Config
		steps  string // names; ! fails, ? warns
		says   string
	}{
		"an open broker":       {Config{Brokers: Brokers{open}}, "tcp metadata", "1 brokers"},
		"a broker by its name": {Config{Brokers: Brokers{strings.Replace(open, "127.0.0.1", "localhost", 1)}}, "dns tcp metadata", "localhost is "},
		"all of it":            {Config{Brokers: Brokers{secure}, TLS: &TLS{CA: authority.File}, SASL: login(password)}, "tcp ?tls login metadata", "user weir with PLAIN"},
		"one of two":           {Config{Brokers: Brokers{"127.0.0.1:1", open}}, "!tcp tcp metadata", "connection refused"},
		"another authority":    {Config{Brokers: Brokers{secure}, TLS: &TLS{CA: other.File}, SASL: login(password)}, "tcp !tls", "kafka.tls"},
		"no TLS there":         {Config{Brokers: Brokers{open}, TLS: &TLS{CA: authority.File}}, "tcp !tls", "no TLS handshake"},
		"no file":              {Config{Brokers: Brokers{open}, TLS: &TLS{CA: "/none.pem"}}, "tcp !tls", "kafka.tls.ca"},
		"another password":     {Config{Brokers: Brokers{secure}, TLS: &TLS{CA: authority.File}, SASL: login("wr0ng")}, "tcp ?tls !login", "the login of user weir with PLAIN"},
		"TLS not spoken here":  {Config{Brokers: Brokers{secure}}, "tcp !metadata", "speaks only TLS"},
		"ends tomorrow":        {Config{Brokers: Brokers{old}, TLS: &TLS{CA: authority.File}}, "tcp ?tls metadata", "certificate holds until"},
		"nobody there":         {Config{Brokers: Brokers{"127.0.0.1:1"}}, "!tcp", "connection refused"},
		"no such name":         {Config{Brokers: Brokers{"nowhere.invalid:9092"}}, "!dns", "nowhere.invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			steps, cl := Steps(t.Context(), c.config)
			var names []string
			text, failed := "", false
			for _, s := range steps {
				sign := ""
				switch {
				case !s.OK:
					sign = "!"
				case s.Warn:
					sign = "?"
				}
				names = append(names, sign+s.Name)
				text += s.Said + "; " + s.Hint + "\n"
				if failed = failed || !s.OK; (!s.OK || s.Warn) && s.Hint == "" {
					t.Errorf("no remedy: %+v", s)
				}
			}
			if got := strings.Join(names, " "); got != c.steps || !strings.Contains(text, c.says) {
				t.Errorf("got %s, want %s and %q\n%s", got, c.steps, c.says, text)
			}
			if strings.Contains(text, password) || strings.Contains(text, "wr0ng") {
				t.Errorf("a password is shown:\n%s", text)
			}
			if cl != nil {
				cl.Close()
			}
			if last := steps[len(steps)-1]; (cl == nil) == last.OK {
				t.Errorf("client %v after %+v", cl != nil, last)
			}
		})
	}
}
