package cloudevent

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/internal/notify/channel"
	"weir/internal/notify/channeltest"
	"weir/internal/outcome"
)

func TestTooLongListsAndTextsAreCutNeverTheJSON(t *testing.T) {
	p := channeltest.Post("7f3a")
	long := strings.Repeat("\x01é", 200_000) // each \x01 is six bytes in JSON
	p.Message.Outcome.Cause.Text, p.Message.Outcome.Title, p.Message.Todo = long, long, long
	p.Message.Outcome.LogRef = "s3://logs/01JD7Q"
	for i := range 50_000 {
		p.Message.Outcome.Outputs = append(p.Message.Outcome.Outputs, outcome.Dataset{Name: fmt.Sprintf("finance.table_%d", i)})
	}
	for _, most := range []int{200 << 10, 20 << 10, 3 << 10} {
		b, err := Marshal(p, "prod-emr", most)
		if err != nil || len(b) > most {
			t.Fatalf("%d bytes of %d, %v", len(b), most, err)
		}
		var e Event
		if err := json.Unmarshal(b, &e); err != nil {
			t.Fatal(err)
		}
		last := e.Data.Outputs[len(e.Data.Outputs)-1]
		if !e.Data.Cut || e.Data.Log != "s3://logs/01JD7Q" || !strings.HasPrefix(last, "and ") || !strings.HasSuffix(last, " more") {
			t.Errorf("%d: cut %v, log %q, last output %q", most, e.Data.Cut, e.Data.Log, last)
		}
		if e.ID != "7f3a" || e.Source != "/weir/prod-emr" || e.Data.State != "failed" {
			t.Errorf("%+v", e)
		}
	}
	if _, err := Marshal(p, "", 200); err == nil {
		t.Error("200 bytes cannot hold it")
	}
}

func TestTypesTellJobsFromWhatNotifySaysOfItself(t *testing.T) {
	m := channeltest.Post("a").Message
	if got := Type(m); got != "io.weir.job.failed.v1" {
		t.Error(got)
	}
	m.Outcome.Kind = "notify.channel"
	if got := Type(m); got != "io.weir.notify.channel.failed.v1" {
		t.Error(got)
	}
}

func TestJobsThatWaitAreNamed(t *testing.T) {
	p := channeltest.Post("a")
	p.Message.Waiting = []string{"gl_report", "treasury_dashboard"}
	b, err := Marshal(p, "", 200<<10)
	if err != nil || !strings.Contains(string(b), `"blocked":["gl_report","treasury_dashboard"]`) {
		t.Errorf("%s, %v", b, err)
	}
}

func TestAShortMessageIsNotCut(t *testing.T) {
	b, err := Marshal(channeltest.Post("a"), "", 200<<10)
	var e Event
	if err != nil || json.Unmarshal(b, &e) != nil || e.Data.Cut || e.Source != "/weir" || e.Data.Cause.Text != channeltest.Post("a").Message.Why {
		t.Errorf("%s, %v", b, err)
	}
	plain, err := Marshal(channel.Post{Plain: true, Message: channel.Message{Todo: strings.Repeat("x", 8000)}}, "", 200<<10)
	if err != nil || len(plain) > 2000 {
		t.Errorf("the short form has %d bytes, %v", len(plain), err)
	}
}

// What programs compare stands in fields: they read no words.
func TestDueUsualAndLinksAreFields(t *testing.T) {
	p := channeltest.Post("a")
	p.Message.Due = time.Date(2026, 11, 23, 7, 30, 0, 0, time.FixedZone("CET", 3600))
	p.Message.Usual = &channel.Usual{Low: 3_900_000, High: 4_400_000, Change: 2.1437}
	p.Message.Outcome.RowsIn, p.Message.Outcome.RowsOut, p.Message.Outcome.LogRef = 4_182_331, 0, "https://logs.bank.example/01JD7Q"
	b, err := Marshal(p, "", 200<<10)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"due":"2026-11-23T06:30:00Z"`, `"usual_low":3900000,"usual_high":4400000,"vs_usual_pct":2.1`, `"links":{"run":"https://logs.bank.example/01JD7Q"}`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %s in\n%s", want, b)
		}
	}
	p.Message.Due, p.Message.Usual, p.Message.Outcome.LogRef = time.Time{}, nil, "s3://logs/01JD7Q"
	if b, err = Marshal(p, "", 200<<10); err != nil || strings.Contains(string(b), `"due"`) || strings.Contains(string(b), "usual") || strings.Contains(string(b), `"links"`) {
		t.Errorf("what is not known is told: %s, %v", b, err)
	}
	p.Message.Outcome.LogRef = "https://logs.bank.example/" + strings.Repeat("x", free)
	if b, err = Marshal(p, "", 200<<10); err != nil || strings.Contains(string(b), `"links"`) {
		t.Errorf("half an address is a link: %v", err)
	}
}
