package notify

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"weir/internal/config"
	"weir/internal/notify/channel"
	"weir/internal/outcome"
)

func dressed(o outcome.Outcome, tag string, own ...Template) (channel.Message, string) {
	t := telling{Outcome: o, EventID: "e", Key: "k", Revision: 1, Zone: time.UTC, Language: tag, Ask: "@data-payments", Templates: own}
	m, unused := t.message()
	var why []string
	for _, d := range unused {
		why = append(why, d.String())
	}
	return m, strings.Join(why, "\n")
}

func TestOwnWordsShowValuesInTheUnitsLanguage(t *testing.T) {
	own := Template{Todo: Words{"": "{title}: {rows_out} of {rows_in}, {rejected} rejected ({share}), {day} ({date}), {state}, {attempt}/{attempts}, {ask}"}}
	for tag, want := range map[string]string{
		"en": "Daily card settlements: 4,182,310 of 4,182,331, 21 rejected (0.0005 %), Fri 20 Nov 2026 (2026-11-20), ready, 1/3, @data-payments",
		"de": "Daily card settlements: 4.182.310 of 4.182.331, 21 rejected (0,0005 %), Fr 20. Nov. 2026 (2026-11-20), bereit, 1/3, @data-payments",
	} {
		if m, unused := dressed(settlements(outcome.Ready, nil), tag, own); m.Todo != want || unused != "" {
			t.Errorf("%s:\ngot  %q %s\nwant %q", tag, m.Todo, unused, want)
		}
	}
}

func TestWordsThatCannotBeUsedLeaveTheNextOnes(t *testing.T) {
	plain, _ := dressed(settlements(outcome.Failed, nil), "en")
	everybody := Template{name: "default", Todo: Words{"": "Ask {ask}."}}
	for name, c := range map[string]struct {
		own       []Template
		todo, why string
	}{
		"a unit's state":                {[]Template{{name: "FIN", Todo: Words{"failed": "Wait.", "": "Go."}}, everybody}, "Wait.", ""},
		"a unit's other state":          {[]Template{{name: "FIN", Todo: Words{"ready": "Go."}}, everybody}, "Ask @data-payments.", ""},
		"a value is not known":          {[]Template{{name: "FIN", Todo: Words{"failed": "Use {last_good}."}}}, plain.Todo, "templates.FIN.todo.failed: not used: {last_good} is not known; other words stand in its place"},
		"not known, everybody's stands": {[]Template{{name: "FIN", Todo: Words{"failed": "Use {last_good}."}}, everybody}, "Ask @data-payments.", "templates.FIN.todo.failed: not used"},
		"for all states":                {[]Template{{name: "default", Todo: Words{"": "Until {next}."}}}, plain.Todo, "templates.default.todo: not used: {next} is not known"},
		"too long with its values":      {[]Template{{name: "FIN", Todo: Words{"": strings.Repeat("{title} ", 100)}}}, plain.Todo, "longer than 2000 characters"},
	} {
		m, why := dressed(settlements(outcome.Failed, nil), "en", c.own...)
		if m.Todo != c.todo || !strings.HasPrefix(why, c.why) && !strings.Contains(why, c.why) || (c.why == "") != (why == "") {
			t.Errorf("%s: %q, %q", name, m.Todo, why)
		}
	}
}

func TestNoValueOfAnEventIsFilledInTwice(t *testing.T) {
	o := settlements(outcome.Failed, func(o *outcome.Outcome) { o.Cause.Text = "{run} {nothing}" })
	if m, _ := dressed(o, "en", Template{Why: Words{"": "told: {cause}"}}); m.Why != "told: {run} {nothing}" {
		t.Errorf("%q", m.Why)
	}
}

// breaks is a place that panics, as long as the test runs.
func breaks(t *testing.T) {
	old := places
	t.Cleanup(func() { places = old })
	places = append([]place{{"breaks", nil, func(telling) string { panic("boom") }}}, old...)
}

func TestAcceptance_TemplatePanicFallsBackToPlainWords(t *testing.T) {
	breaks(t)
	synctest.Test(t, func(t *testing.T) {
		daily := &threads{}
		path := outbox(t)
		s, err := Open(t.Context(), path, units(t, twoChannels+`templates: {FIN: {title: "{breaks}", why: "{breaks}", todo: {failed: "{breaks}"}, footer: "{job}"}}`),
			Options{Extra: map[string]channel.Channel{"daily": daily, "platform": &flat{}}})
		if err != nil {
			t.Fatal(err)
		}
		defer closed(t, s)
		o := settlements(outcome.Failed, nil)
		accepted(t, s, o)
		drain(t, s, time.Minute)
		if got := daily.ops(); got != "post failed" {
			t.Fatalf("got %q", got)
		}
		m, plain := daily.calls[0].post.Message, first(dressed(o, "en"))
		if m.Subject != plain.Subject || m.Why != plain.Why || m.Todo != plain.Todo || m.Footer != "settlements_daily" {
			t.Errorf("told:\n%s", m.Text())
		}
		x, err := s.Explain(t.Context(), "settlements_daily")
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"title", "why", "todo.failed"} {
			if want := "templates.FIN." + part + ": not used: it cannot be filled in: boom"; !strings.Contains(x.Text(), want) {
				t.Errorf("explain does not say %q:\n%s", want, x.Text())
			}
		}
	})
}

func first(m channel.Message, _ string) channel.Message { return m }

func FuzzTemplate(f *testing.F) {
	f.Add("Do not send the {title} of {day}.", "x", int64(4182331))
	f.Add("{cause}{cause}{cause}", strings.Repeat("ä", 600), int64(-1))
	f.Add("{", "{job}", int64(0))
	f.Fuzz(func(t *testing.T, text, cause string, rows int64) {
		var u Units
		if checkPlaces(text, outcome.Failed) != nil || utf8.RuneCountInString(text) > mostWritten {
			return
		}
		u.Templates = map[string]Template{"default": {Todo: Words{"failed": text}}}
		o := settlements(outcome.Failed, func(o *outcome.Outcome) { o.Cause.Text, o.RowsIn = cause, rows })
		plain := first(dressed(o, "de"))
		m, why := dressed(o, "de", u.Templates["default"])
		if utf8.RuneCountInString(m.Todo) > mostFilled {
			t.Errorf("%d characters", utf8.RuneCountInString(m.Todo))
		}
		if m.Todo == "" || why != "" && m.Todo != plain.Todo {
			t.Errorf("told %q, though %s", m.Todo, why)
		}
		if strings.Contains(why, "cannot be filled in") {
			t.Error(why)
		}
	})
}

func TestCheckSaysWhatCanNeverBeFilledIn(t *testing.T) {
	for text, want := range map[string]string{
		`ready: "until {next}"`:                           `units.yaml:15:33: {next} is never known when something is ready, only for late, missing`,
		`failed: "` + strings.Repeat("x", 1001) + `"`:     `units.yaml:15:34: it has 1001 characters; at most 1000`,
		`failed: "{rows_inn}"`:                            `units.yaml:15:34: there is no {rows_inn}; did you mean "rows_in"?`,
		`late: "{next}", failed: "{last_good}", ready: x`: "",
	} {
		var u Units
		err := config.Decode("units.yaml", []byte(twoChannels+"templates: {FIN: {todo: {"+text+"}}}"), &u)
		if want == "" && err == nil {
			continue
		}
		if err == nil || want == "" || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %s", text, err, want)
		}
	}
}
