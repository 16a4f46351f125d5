package load

import (
	"errors"
	"testing"
)

// Messages without an identity carry nothing but what the profile says; nobody goes on with such a run.
func TestUnmarkedMessagesCarryNoHeader(t *testing.T) {
	for _, rate := range []string{"max", "20000"} { // in bulk, and one by one
		c, home := broker(t), t.TempDir()
		p := profile(rate, 2000)
		p.Verify.Identity = "none"
		p.Headers = map[string]string{"team": "payments"}
		o := Options{Profile: p, Home: home, Connect: connect(c), Register: register}
		sum, err := Run(t.Context(), o)
		if err != nil || sum.Acked != 2000 {
			t.Fatalf("%+v, %v", sum, err)
		}
		for _, r := range consume(t, c, 2000) {
			if len(r.Headers) != 1 || r.Headers[0].Key != "team" {
				t.Fatalf("rate %s: headers %v", rate, r.Headers)
			}
		}
		m, err := ReadManifest(home, "last")
		if err != nil {
			t.Fatal(err)
		}
		m.State = Running
		if _, err := Resume(t.Context(), o, m); !errors.Is(err, ErrUnmarked) {
			t.Errorf("resume: %v", err)
		}
	}
}
