package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"weir/internal/fake"
	"weir/internal/notify/channel"
	"weir/internal/notify/channeltest"
)

const (
	secret = "whsec_dmVyeS1zZWNyZXQta2V5" // very-secret-key
	bearer = "bearer-very-secret"
	inURL  = "token-in-the-address"
)

func open(t *testing.T, dedups bool) (*fake.Webhook, channel.Channel) {
	server := fake.NewWebhook(dedups)
	t.Cleanup(server.Close)
	return server, New(Config{
		URL: server.URL() + "/in?key=" + inURL, ReceiverDedups: dedups, Env: "prod-emr",
		Secret: func() (string, error) { return secret, nil }, Bearer: func() (string, error) { return bearer, nil },
	})
}

func TestConformance(t *testing.T) {
	for _, dedups := range []bool{true, false} {
		t.Run(fmt.Sprintf("receiver dedups %v", dedups), func(t *testing.T) {
			channeltest.Run(t, channeltest.Config{
				Secrets: []string{secret, "very-secret-key", bearer, inURL}, Undecidable: !dedups,
				Open: func(t *testing.T) channeltest.Far {
					server, ch := open(t, dedups)
					return channeltest.Far{Channel: ch, Fault: func(f fake.Fault) { server.Next(f) },
						NoAuth: func(refuse bool) {
							server.Answer(0, "")
							if refuse {
								server.Answer(http.StatusUnauthorized, "who are you?")
							}
						},
						Arrived: func() (ids []string) {
							for _, d := range server.Taken() {
								ids = append(ids, d.Header.Get("webhook-id"))
							}
							return ids
						}}
				},
			})
		})
	}
}

// The receiver's side of Standard Webhooks, written from its text and not from our code.
func verify(t *testing.T, d fake.Delivery, key string) bool {
	t.Helper()
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(d.Header.Get("webhook-id") + "." + d.Header.Get("webhook-timestamp") + "."))
	mac.Write(d.Body)
	for _, s := range strings.Split(d.Header.Get("webhook-signature"), " ") {
		if version, sum, _ := strings.Cut(s, ","); version == "v1" && sum == base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
			return true
		}
	}
	return false
}

func TestTheSignatureIsThatOfStandardWebhooks(t *testing.T) {
	server, ch := open(t, false)
	before := time.Now().Unix()
	if _, err := ch.Send(t.Context(), channeltest.Post("7f3a.root")); err != nil {
		t.Fatal(err)
	}
	d := server.Taken()[0]
	if !verify(t, d, "very-secret-key") {
		t.Errorf("the signature does not fit: %v", d.Header)
	}
	d.Body[10] ^= 1
	if verify(t, d, "very-secret-key") {
		t.Error("the signature fits another body")
	}
	if at := d.Header.Get("webhook-timestamp"); at < fmt.Sprint(before) {
		t.Errorf("timestamp %s", at)
	}
	if d.Header.Get("Content-Type") != "application/cloudevents+json; charset=utf-8" || d.Header.Get("Authorization") != "Bearer "+bearer {
		t.Errorf("headers %v", d.Header)
	}
}

// The example in the text of Standard Webhooks' own libraries.
func TestTheSignatureOfAKnownMessage(t *testing.T) {
	got, err := sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; err != nil || got != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}

func TestASecretCanBeChangedWithBothEndsAtWork(t *testing.T) {
	sig, err := sign("old new", "a", 1, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	h.Set("webhook-id", "a")
	h.Set("webhook-timestamp", "1")
	h.Set("webhook-signature", sig)
	for _, key := range []string{"old", "new"} {
		if !verify(t, fake.Delivery{Header: h, Body: []byte("{}")}, key) {
			t.Errorf("a receiver that knows %q refuses %s", key, sig)
		}
	}
	for _, bad := range []string{"", " ", "whsec_%%%"} {
		if _, err := sign(bad, "a", 1, nil); err == nil {
			t.Errorf("secret %q signs", bad)
		}
	}
}

func TestBodyIsACloudEvent(t *testing.T) {
	server, ch := open(t, false)
	if _, err := ch.Send(t.Context(), channeltest.Post("7f3a")); err != nil {
		t.Fatal(err)
	}
	var e map[string]any
	if err := json.Unmarshal(server.Taken()[0].Body, &e); err != nil {
		t.Fatal(err)
	}
	if e["specversion"] != "1.0" || e["id"] != "7f3a" || e["source"] != "/weir/prod-emr" || e["type"] != "io.weir.job.failed.v1" {
		t.Errorf("%v", e)
	}
}

func TestWhatAnswersMean(t *testing.T) {
	for status, want := range map[int]channel.Class{
		301: channel.Blocked, 307: channel.Blocked, 400: channel.Refused, 401: channel.Blocked, 403: channel.Blocked, 404: channel.Blocked, 405: channel.Blocked,
		408: channel.Unknown, 410: channel.Blocked, 413: channel.Refused, 422: channel.Refused, 425: channel.Again, 429: channel.Again, 500: channel.Unknown,
		502: channel.Unknown, 503: channel.Unknown, 504: channel.Unknown,
	} {
		server, ch := open(t, true)
		server.Answer(status, "no field due in "+bearer)
		_, err := ch.Send(t.Context(), channeltest.Post("a"))
		f := channel.Classify(err)
		if f.Class != want || f.HTTP != status {
			t.Errorf("%d: %v is of class %s, want %s", status, err, f.Class, want)
		}
		if status == 422 && err.Error() != "http_422 (HTTP 422): no field due in <secret>" {
			t.Errorf("told %q", err)
		}
	}
	// With Retry-After a 503 is a refusal: the receiver itself speaks.
	f := classify(&http.Response{StatusCode: 503, Header: http.Header{"Retry-After": {"7"}}})
	if got := channel.Classify(f); got.Class != channel.Again || got.After != 7*time.Second {
		t.Errorf("%+v", got)
	}
}
