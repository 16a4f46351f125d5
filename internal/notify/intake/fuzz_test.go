package intake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"weir/internal/notify"
	"weir/internal/notify/channel"
	"weir/internal/notify/cloudevent"
	"weir/internal/outcome"
)

// corpus are real events, and the ones of the other tests.
func corpus(f *testing.F) {
	f.Helper()
	files, err := filepath.Glob("testdata/*.ndjson")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for line := range bytes.Lines(b) {
			f.Add(line)
		}
	}
	wrapped, err := json.Marshal(map[string]string{"Type": "Notification", "Message": ready})
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{ready, "[" + ready + "," + ready + "]", fmt.Sprintf(emrFailed, "00jr1"), string(wrapped), `{"specversion":"1.0","id":"1","source":"s","type":"io.weir.job.ready.v1","data_base64":"e30="}`} {
		f.Add([]byte(s))
	}
}

// Whatever comes in: no panic, an answer that says whether trying again helps, the same answer each time, bounded time and memory;
// what is accepted can be stored, and its id is the same after it was written down and read again.
func FuzzDecode(f *testing.F) {
	corpus(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		all, err := Decode(body)
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20+200*uint64(len(body)) {
			t.Errorf("%d bytes needed %d bytes of memory", len(body), used)
		}
		if took > 5*time.Second {
			t.Errorf("%d bytes needed %v", len(body), took)
		}
		var r *Refusal
		if err != nil && (!errors.As(err, &r) || r.Status < 400 || r.Status > 499) {
			t.Fatalf("an error of another kind: %v", err)
		}
		again, err2 := Decode(body)
		if len(again) != len(all) || (err == nil) != (err2 == nil) {
			t.Errorf("first %d %v, then %d %v", len(all), err, len(again), err2)
		}
		for i, a := range all {
			same(t, told(a), told(again[i]))
			b, err := json.Marshal(outcome.FromOutcome(told(a)))
			if err != nil {
				t.Fatal(err)
			}
			if e, err := outcome.Parse(b); err == nil { // an outcome without a time has no event
				same(t, told(a), e.Outcome())
			}
		}
	})
}

func told(a notify.Arrival) outcome.Outcome {
	if a.Event != nil {
		return a.Event.Outcome()
	}
	return a.Outcome
}

func same(t *testing.T, a, b outcome.Outcome) {
	t.Helper()
	if a.EventID() != b.EventID() {
		t.Errorf("ids differ:\n%+v\n%+v", a, b)
	}
}

// What weir sends to programs comes in again as the same outcome.
func TestOwnEventsComeBackAsTheyWere(t *testing.T) {
	for _, state := range outcome.States() {
		o := outcome.Outcome{
			RunID: "01JD7Q", Job: "settlements_daily", Unit: "FIN", Title: "Daily card settlements", State: state, At: time.Date(2026, 11, 23, 7, 8, 11, 0, time.UTC),
			Interval: outcome.Interval{Start: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), End: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)}, Severity: "high",
			Attempt: 3, MaxAttempts: 3, Revision: 2, Started: time.Date(2026, 11, 23, 6, 41, 0, 0, time.UTC), Ended: time.Date(2026, 11, 23, 7, 8, 11, 0, time.UTC),
			RowsIn: 4182331, RowsOut: 4182310, Rejected: 21, Todo: "nothing", LogRef: "https://logs/1", Cause: outcome.Cause{Code: "schema.column_missing", Text: "fee_eur is missing"},
		}
		m := channel.Message{EventID: o.EventID(), Key: "FIN/settlements_daily/2026-11-20", Revision: 2, Todo: o.Todo, Severity: "high", Outcome: o}
		b, err := cloudevent.Marshal(channel.Post{ID: "p", Message: m}, "", 200<<10)
		if err != nil {
			t.Fatal(err)
		}
		all, err := Decode(b)
		if err != nil || len(all) != 1 {
			t.Fatalf("%s: %v\n%s", state, err, b)
		}
		got := all[0].Outcome
		same(t, o, got)
		if got.RowsOut != o.RowsOut || got.Cause != o.Cause || !got.At.Equal(o.At) || got.Title != o.Title || got.LogRef != o.LogRef {
			t.Errorf("%s: got %+v\n%s", state, got, b)
		}
	}
}
