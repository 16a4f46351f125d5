package notify

import (
	"strings"
	"testing"
	"testing/synctest"

	"weir/internal/outcome"
)

// Who looks into the outbox sees the times of the people who were told.
func TestTheOutboxShowsTheTimesOfTheUnit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deskOf(t, strings.Replace(nights, "    title: Finance\n", "    title: Finance\n    timezone: America/New_York\n", 1))
		defer func() { closed(t, d.Service) }()
		d.sleepTo("2026-11-23 18:00")
		d.tell(ends("settlements_daily", outcome.Ready, "2026-11-20"))
		other := ends("positions", outcome.Ready, "2026-11-20")
		other.Unit = "RSK" // is not in units.yaml
		d.tell(other)
		all, err := d.Outbox(t.Context(), Filter{})
		if err != nil || len(all) != 2 {
			t.Fatal(all, err)
		}
		for i, want := range []string{"18:00 CET", "12:00 EST"} { // the newest first
			if e := all[i]; e.Created.Format("15:04 MST") != want || e.SentAt.Format("15:04 MST") != want || !e.NextAt.IsZero() {
				t.Errorf("%s: created %v, sent %v, next %v; want %s", e.Job, e.Created, e.SentAt, e.NextAt, want)
			}
		}
	})
}
