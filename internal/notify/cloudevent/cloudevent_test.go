package cloudevent

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

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
