package channel

import (
	"net/http"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		name, after, date string
		want              time.Duration
	}{
		{"seconds", "30", "", 30 * time.Second},
		{"nothing", "", "", 0},
		{"a date, by the far side's clock", "Fri, 20 Nov 2026 07:08:41 GMT", "Fri, 20 Nov 2026 07:08:11 GMT", 30 * time.Second},
		{"a date that is over", "Fri, 20 Nov 2026 07:08:41 GMT", "Fri, 20 Nov 2026 08:00:00 GMT", 0},
		{"negative", "-5", "", 0},
		{"nonsense", "soon", "", 0},
	} {
		h := http.Header{}
		h.Set("Retry-After", c.after)
		h.Set("Date", c.date)
		if got := RetryAfter(h); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
