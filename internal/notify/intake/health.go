package intake

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"weir/internal/notify"
)

// A Health says whether what was accepted leaves.
type Health struct {
	Status  string                 `json:"status"` // ok, late
	Reason  string                 `json:"reason,omitempty"`
	Oldest  float64                `json:"oldest_wait_seconds"`
	Bound   float64                `json:"bound_seconds"`
	Waiting int64                  `json:"waiting"`
	Dead    int64                  `json:"dead"`
	Blocked []string               `json:"blocked"`
	Sent    int64                  `json:"sent"`
	Details []notify.ChannelStatus `json:"channels,omitempty"` // only for those who may hand events in
}

// Check asks the outbox. Something that waits for longer than bound makes it late; 0: 30 min.
func Check(ctx context.Context, s *notify.Service, bound time.Duration) (Health, error) {
	bound = cmp.Or(bound, 30*time.Minute)
	st, err := s.Status(ctx, 1)
	if err != nil {
		return Health{}, err
	}
	h := Health{Status: "ok", Oldest: st.OldestWait.Seconds(), Bound: bound.Seconds(), Waiting: st.Waiting + st.Unrouted + st.Unknown, Dead: st.Dead, Sent: st.Sent, Blocked: []string{}, Details: st.Channels}
	for _, c := range st.Channels {
		if c.State == "blocked" {
			h.Blocked = append(h.Blocked, c.Name)
		}
	}
	if st.OldestWait > bound {
		h.Status, h.Reason = "late", fmt.Sprintf("something has waited for %v; the bound is %v", st.OldestWait.Round(time.Second), bound)
	}
	return h, nil
}

func (w Web) health(rw http.ResponseWriter, r *http.Request) {
	h, err := Check(r.Context(), w.Notify, w.MaxWait)
	if err != nil {
		refuse(rw, http.StatusServiceUnavailable, err)
		return
	}
	if !w.Guard.knows(r) {
		h.Details, h.Blocked = nil, nil
	}
	status := http.StatusOK
	if h.Status != "ok" {
		status = http.StatusServiceUnavailable
	}
	respond(rw, status, h)
}

// ready says whether events can be accepted now.
func (w Web) ready(rw http.ResponseWriter, r *http.Request) {
	ctx, stop := context.WithTimeout(r.Context(), 2*time.Second)
	defer stop()
	if err := w.Notify.Ready(ctx); err != nil {
		refuse(rw, http.StatusServiceUnavailable, err)
		return
	}
	respond(rw, http.StatusOK, map[string]string{"status": "ready"})
}
