package notify

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/internal/fake"
	"weir/internal/outcome"
)

// A FIFO topic drops what it has taken under the same deduplication id within five minutes. A job that fails and is mended in
// that time is two messages even so, each of them once, although every answer about them is lost at first.
func TestAcceptance_FIFOFailedThenRecoveredWithinFiveMinutesGivesTwoMessages(t *testing.T) {
	for k, v := range map[string]string{"AWS_ACCESS_KEY_ID": "AKIAFAKE", "AWS_SECRET_ACCESS_KEY": "fake", "AWS_CONFIG_FILE": "/dev/null"} {
		t.Setenv(k, v)
	}
	server := fake.NewSNS()
	defer server.Close()
	u := units(t, fmt.Sprintf(`
version: 1
channels: {fin: {sns: {topic: arn:aws:sns:eu-central-1:111122223333:fin.fifo, endpoint: %q}}}
default: [fin]
`, server.URL()))
	s, err := Open(t.Context(), outbox(t), u, Options{FirstWait: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, s)
	failed := settlements(outcome.Failed, nil)
	for _, o := range []outcome.Outcome{failed, later(failed, outcome.Ready, 2*time.Minute)} {
		server.Next(fake.AcceptCut, fake.Accept500) // taken, but nobody knows: twice
		accepted(t, s, o)
		ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
		if err := s.Drain(ctx); err != nil {
			t.Fatal(err)
		}
		stop()
	}
	var got []string
	for _, m := range server.Messages() {
		got = append(got, m.Attributes["state"]+" of "+m.Group)
	}
	if want := "failed of FIN/settlements_daily, recovered of FIN/settlements_daily"; strings.Join(got, ", ") != want || server.Calls() != 6 {
		t.Errorf("got %s in %d calls\nwant %s in 6", strings.Join(got, ", "), server.Calls(), want)
	}
}
