package notify

import (
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/notify/channel"
	"weir/internal/outcome"
)

// Words that no German message holds. What tools and people call things (job, run id, error texts) is not ours.
var englishWords = regexp.MustCompile(`(?i)\b(the|is|are|of|for|not|ready|failed|late|since|nothing|rows|what|use|wait|message|messages|channel|today|due|run)\b`)

// A day in which everything happens, told to a German unit and a German platform team.
func TestADayInGerman(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := strings.NewReplacer("Berlin}", "Berlin, language: de, retry: {tries: 1}}", "title: Finance", "title: Finanzen",
			"fold:", `expect: {positions: {unit: FIN, schedule: "0 6 * * *", finish_by: "23:00", rows: {fail_below: 1}, rejected: {warn: 0.1%}}}`+"\nfold:").Replace(withDigest)
		d := deskOf(t, text)
		defer func() { closed(t, d.Service) }()
		d.sleepTo("2026-11-23 09:00")
		d.runTo("2026-11-23 09:01")
		d.tell(settlements(outcome.Running, nil), settlements(outcome.Failed, nil))
		d.tell(ends("gl_report", outcome.Failed, "2026-11-20"), ends("gl_stock", outcome.Late, "2026-11-20"))
		few, bad := ends("positions", outcome.Ready, "2026-11-20"), ends("positions", outcome.Ready, "2026-11-19")
		few.RowsIn, few.RowsOut = 0, 0
		bad.RowsIn, bad.RowsOut, bad.Rejected = 100_000, 99_000, 1_000
		d.tell(few, bad)
		time.Sleep(time.Minute)
		d.daily.answer = []error{&channel.Failure{Class: channel.Blocked, Code: "invalid_auth"}}
		d.tell(ends("returns", outcome.Failed, "2026-11-20"))
		time.Sleep(10 * time.Minute)
		d.daily.answer = []error{nil, &channel.Failure{Class: channel.Refused, Code: "too_big"}, &channel.Failure{Class: channel.Refused, Code: "too_big"}}
		d.tell(ends("clicks", outcome.Failed, "2026-11-20"))
		d.runTo("2026-11-23 21:00")
		d.tell(ends("clicks", outcome.Ready, "2026-11-21"), ends("returns", outcome.Warning, "2026-11-21"))
		d.runTo("2026-11-24 08:30")
		var b strings.Builder
		for _, c := range append(append([]call{}, d.platform.calls...), d.daily.calls...) {
			m := c.post.Message
			if m.Lang() != "de" {
				t.Errorf("%s is in %s", m.First(), m.Lang())
			}
			b.WriteString(c.op + "\n" + m.Text() + m.Reply + "\n\n")
		}
		golden(t, "day.de", b.String())
		known := regexp.MustCompile("`notify [^`]*`|settlements_daily|positions|Daily card settlements|file settlements.*|[a-z]+\\.[a-z_]+")
		for _, line := range strings.Split(known.ReplaceAllString(b.String(), ""), "\n") {
			if found := englishWords.FindString(line); found != "" && !strings.HasPrefix(line, "post") {
				t.Errorf("%q in %q", found, line)
			}
		}
	})
}

// What stands in a channel keeps the language that it was written in, also when a line is added to it.
func TestARoutedMessageKeepsItsLanguage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deskOf(t, strings.Replace(nights, "title: Finance", "title: Finanzen\n    language: de", 1))
		defer func() { closed(t, d.Service) }()
		d.sleepTo("2026-11-23 09:00")
		d.tell(ends("settlements_daily", outcome.Failed, "2026-11-20"), ends("gl_report", outcome.Failed, "2026-11-20"))
		d.units = nights
		d.reopen()
		d.tell(ends("gl_stock", outcome.Failed, "2026-11-20"))
		last := d.daily.calls[len(d.daily.calls)-1].post.Message
		if got := last.Text(); !strings.HasPrefix(got, "✖ FEHLGESCHLAGEN") || strings.Count(got, "Darauf warten auch: gl_report (fehlgeschlagen 09:00), gl_stock") != 1 {
			t.Errorf("got\n%s", got)
		}
		d.tell(ends("elsewhere", outcome.Ready, ""))
		if got := d.daily.calls[len(d.daily.calls)-1].post.Message.Word; got != "READY" {
			t.Errorf("after the change the next one is %s", got)
		}
	})
}

func TestAUnitsOwnLanguageWins(t *testing.T) {
	u := units(t, strings.Replace(strings.Replace(twoChannels, "Berlin}", "Berlin, language: de}", 1), "title: Finance,", "title: Finance, language: en,", 1))
	for unit, want := range map[string]string{"FIN": "READY", "RSK": "BEREIT"} {
		got, _, err := Preview(u, outcome.Outcome{RunID: "r", Job: "j", Unit: unit, State: outcome.Ready}, "text")
		if err != nil || !strings.HasPrefix(got, "✅ "+want) {
			t.Errorf("%s: %q, %v", unit, got, err)
		}
	}
}
