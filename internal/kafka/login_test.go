package kafka

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"weir/internal/cli"
	"weir/internal/config"
)

// doorman is a broker with a login that kfake does not know: it takes what accepts likes, and remembers what it heard.
func doorman(t *testing.T, mechanism string, refusal []byte, accepts func(heard string) bool) (addr string, heard func() []string) {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	var mu sync.Mutex
	var all []string
	c.ControlKey(int16(kmsg.SASLHandshake), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		answer := r.ResponseKind().(*kmsg.SASLHandshakeResponse)
		if answer.SupportedMechanisms = []string{mechanism}; r.(*kmsg.SASLHandshakeRequest).Mechanism != mechanism {
			answer.ErrorCode = kerr.UnsupportedSaslMechanism.Code
		}
		return answer, nil, true
	})
	c.ControlKey(int16(kmsg.SASLAuthenticate), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		answer, said := r.ResponseKind().(*kmsg.SASLAuthenticateResponse), string(r.(*kmsg.SASLAuthenticateRequest).SASLAuthBytes)
		mu.Lock()
		all = append(all, said)
		mu.Unlock()
		switch {
		case accepts(said) && mechanism == mskIAM:
			answer.SASLAuthBytes = []byte(`{"version":"2020_10_22"}`)
		case accepts(said):
		case refusal != nil:
			answer.SASLAuthBytes = refusal
		default:
			answer.ErrorCode = kerr.SaslAuthenticationFailed.Code
		}
		return answer, nil, true
	})
	return c.ListenAddrs()[0], func() []string { mu.Lock(); defer mu.Unlock(); return all }
}

func ping(t *testing.T, addr string, s SASL) error {
	t.Helper()
	cl, err := Connect(Config{Brokers: Brokers{addr}, SASL: &s})
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	err = Ping(t.Context(), cl)
	for _, secret := range []string{s.Token.Reveal(), s.ClientSecret.Reveal()} {
		if err != nil && secret != "" && strings.Contains(fmt.Sprintf("%+v", err), secret) {
			t.Errorf("a secret is in %v", err)
		}
	}
	return err
}

func wants(t *testing.T, err error, said, hint string) {
	t.Helper()
	var e *cli.Error
	if !errors.As(err, &e) || !strings.Contains(e.Error(), said) || !strings.Contains(e.Hint, hint) {
		t.Errorf("got  %v\nwant %s (hint: …%s…)", err, said, hint)
	}
}

func TestATokenLogsIn(t *testing.T) {
	addr, heard := doorman(t, oauthBearer, nil, func(s string) bool { return strings.Contains(s, "auth=Bearer t0ken\x01") })
	if err := ping(t, addr, SASL{Mechanism: oauthBearer, Token: "t0ken", Extensions: map[string]string{"logicalCluster": "lkc-1"}}); err != nil {
		t.Error(err)
	}
	if !strings.Contains(heard()[0], "\x01logicalCluster=lkc-1\x01") {
		t.Errorf("the broker heard %q", heard())
	}
	err := ping(t, addr, SASL{Mechanism: oauthBearer, Token: "expired1"})
	wants(t, err, "refuses the login of this token with OAUTHBEARER", "expired")

	// Apache Kafka says no in the challenge.
	addr, _ = doorman(t, oauthBearer, []byte(`{"status":"invalid_token"}`), func(string) bool { return false })
	wants(t, ping(t, addr, SASL{Mechanism: oauthBearer, Token: "expired1"}), "refuses the login of this token with OAUTHBEARER", "expired")
}

func TestATokensFileIsReadAtEachLogin(t *testing.T) {
	addr, heard := doorman(t, oauthBearer, nil, func(string) bool { return true })
	file := filepath.Join(t.TempDir(), "token")
	s := SASL{Mechanism: oauthBearer, TokenFile: file}
	wants(t, ping(t, addr, s), "the token's file cannot be read: open "+file, "token_file")
	cl, err := Connect(Config{Brokers: Brokers{addr}, SASL: &s})
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for _, token := range []string{"first", "second"} {
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := ping(t, addr, s); err != nil {
			t.Fatal(err)
		}
		if all := heard(); !strings.Contains(all[len(all)-1], "Bearer "+token+"\x01") {
			t.Errorf("the broker heard %q", all)
		}
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wants(t, ping(t, addr, s), "is empty", "the program that writes it")
}

func TestATokenEndpointIsAskedForTokens(t *testing.T) {
	addr, _ := doorman(t, oauthBearer, nil, func(s string) bool { return strings.Contains(s, "Bearer minted") })
	var asked int
	idp := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		id, secret, ok := r.BasicAuth()
		w.Header().Set("Content-Type", "application/json")
		if !ok || id != "weir" || secret != "s3cr3t" || r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "kafka" {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, `{"error":"invalid_client","error_description":"you sent %s %s"}`, secret, r.FormValue("client_secret"))
			return
		}
		fmt.Fprint(w, `{"access_token":"minted","token_type":"bearer","expires_in":3600}`)
	}))
	defer idp.Close()
	s := SASL{Mechanism: oauthBearer, TokenURL: idp.URL, ClientID: "weir", ClientSecret: "s3cr3t", Scope: "kafka"}
	if err := ping(t, addr, s); err != nil {
		t.Error(err)
	}
	if asked != 1 {
		t.Errorf("asked %d times for one token", asked)
	}
	s.ClientSecret = "wr0ng"
	wants(t, ping(t, addr, s), "the token endpoint "+idp.URL+" gives client weir no token (HTTP 401, invalid_client)", "client_secret")
	idp.Close()
	wants(t, ping(t, addr, s), "the token endpoint "+idp.URL+" does not answer (connection refused)", "token_url")

	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	s.TokenURL = secure.URL
	wants(t, ping(t, addr, s), "the token endpoint "+secure.URL+": its certificate is signed by an authority that is not trusted here", "token_ca: FILE")
}

func TestAWSKeysComeFromWhereTheToolsFindThem(t *testing.T) {
	addr, heard := doorman(t, mskIAM, nil, func(s string) bool { return strings.Contains(s, "AKIAWEIR/") })
	for k, v := range map[string]string{
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "eu-central-1",
		"AWS_ACCESS_KEY_ID": "AKIAWEIR", "AWS_SECRET_ACCESS_KEY": "wJalr", "AWS_SESSION_TOKEN": "sess10n",
	} {
		t.Setenv(k, v)
	}
	if err := ping(t, addr, SASL{Mechanism: mskIAM}); err != nil {
		t.Error(err)
	}
	if said := heard()[0]; !strings.Contains(said, "eu-central-1/kafka-cluster/aws4_request") || !strings.Contains(said, "sess10n") || strings.Contains(said, "wJalr") {
		t.Errorf("the broker heard %s", said)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAOTHER")
	wants(t, ping(t, addr, SASL{Mechanism: mskIAM}), "refuses the login of this AWS identity with AWS_MSK_IAM", "kafka-cluster:Connect")
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	began := time.Now()
	wants(t, ping(t, addr, SASL{Mechanism: mskIAM}), "no AWS keys are found", "AWS_PROFILE")
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestABlockThatIsNotFromAFileIsCheckedToo(t *testing.T) {
	_, err := Connect(Config{Brokers: Brokers{"a:1"}, SASL: &SASL{Mechanism: "PLAIN", User: "ann"}})
	if err == nil || !strings.Contains(err.Error(), "kafka.sasl.password: expected a reference") {
		t.Errorf("got %v", err)
	}
}

func TestNoSecretOfALoginIsShown(t *testing.T) {
	s := SASL{Password: "pw1", Token: "pw2", ClientSecret: "pw3"}
	for _, secret := range []config.Secret{s.Password, s.Token, s.ClientSecret} {
		if text := fmt.Sprintf("%v %+v %#v", s, s, s); strings.Contains(text, secret.Reveal()) {
			t.Errorf("shown: %s", text)
		}
	}
}
