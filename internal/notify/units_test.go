package notify

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/internal/config"
)

// The file of the design, as far as this version goes.
const designUnits = `version: 1
defaults: { timezone: Europe/Berlin, language: en, on_unknown: resend, retry: { budget: 24h, max_wait: 5m } }

channels:
  fin-daily:   { slack: { channel: C0FINDAILY, token: env:SLACK_TOKEN } }
  fin-topic:   { sns: { topic: arn:aws:sns:eu-central-1:111122223333:fin.fifo, format: cloudevents } }
  fin-mail:    { sns: { topic: arn:aws:sns:eu-central-1:111122223333:fin-mail, format: text } }
  platform:    { slack: { channel: C0PLATFORM, token: "${env:SLACK_TOKEN}" } }
  log:         { console: { path: notifications.txt } }

units:
  FIN:
    title: Finance
    jobs: [settlements_daily, "gl_*"]
    ask: "@data-payments"
    calendar: target2
    quiet: { hours: "20:00-07:30", weekends: true, hold: [ready, warning], let_through: "severity=critical" }
    digest: { at: "08:00", channel: fin-daily, when: any }

routes:
  - when: unit = "FIN"
    to: [fin-daily]
    routes:
      - { when: 'state in ["failed","late","missing"] and severity >= "high"', to: [fin-daily, fin-topic], mention: "@data-payments" }
      - { when: 'state = "ready" and job ~ "gl_*"', to: [fin-mail] }
default: [platform]
fallback: [platform]
fold: [ { cause: settlements_daily, effects: [gl_report, treasury_dashboard] } ]
silences_max: 14d

templates:
  default: builtin:business-v1
  FIN: { todo: { failed: "Do not send the morning report." }, footer: "{job} of {unit}" }

tests:
  - event: { unit: FIN, job: gl_report, state: failed, severity: high }
    expect: [fin-daily, fin-topic]
  - event: { job: gl_report }
    expect: [fin-mail]
  - event: { unit: FIN, job: settlements_daily, state: warning }
    expect: [fin-daily]
  - event: { unit: RSK, job: gl_report }
    expect: [platform]
`

func TestTheDesignsFileIsUnderstood(t *testing.T) {
	u := units(t, designUnits)
	failed, err := u.Test()
	if err != nil || len(failed) > 0 {
		t.Errorf("its own tests: %v, %v", err, failed)
	}
	if u.Channels["platform"].Slack.Token != "env:SLACK_TOKEN" {
		t.Errorf("token is %v", u.Channels["platform"].Slack.Token)
	}
}

func TestAFailedTestSaysWhy(t *testing.T) {
	u := units(t, strings.Replace(designUnits, "expect: [fin-mail]", "expect: [fin-daily]", 1))
	failed, err := u.Test()
	if err != nil || len(failed) != 1 {
		t.Fatalf("%v, %v", failed, err)
	}
	golden(t, "failed_test", failed[0].String())
}

func TestMistakesHaveTheirPlace(t *testing.T) {
	for name, c := range map[string][3]string{ // what, by what, complaint
		"misspelt key":           {"ask:", "aks:", `15:5: unknown key "aks"; did you mean "ask"?`},
		"unknown channel":        {"default: [platform]", "default: [platfrm]", `there is no channel "platfrm"; did you mean "platform"?`},
		"no default":             {"default: [platform]\n", "", `missing key "default"`},
		"wrong when":             {`when: unit = "FIN"`, `when: unti = "FIN"`, `21:11: column 1: there is no field "unti"; did you mean "unit"?`},
		"literal token":          {"env:SLACK_TOKEN", "xoxb-very-secret", `must say where the secret is, not the secret itself`},
		"quiet hours":            {"20:00-07:30", "20:00 to 07:30", `17:21: "20:00 to 07:30" are no hours; write them as 20:00-07:30`},
		"quiet hour":             {"20:00-07:30", "20:00-7:30", `"7:30" is no time of day; write it as 07:30`},
		"endless quiet hours":    {"20:00-07:30", "07:30-07:30", `has no end`},
		"held state":             {"hold: [ready, warning]", "hold: [ready, warnin]", `there is no state "warnin"; did you mean "warning"?`},
		"let through":            {"severity=critical", "severity=criticl", `severity is never "criticl"; did you mean "critical"?`},
		"digest's hour":          {`at: "08:00"`, `at: "8 am"`, `"8 am" is no time of day; write it as 08:00`},
		"digest's channel":       {"channel: fin-daily, when", "channel: fin-dayly, when", `there is no channel "fin-dayly"; did you mean "fin-daily"?`},
		"digest for programs":    {"channel: fin-daily, when", "channel: fin-topic, when", `channel "fin-topic" is read by programs, a digest is for people`},
		"digest's days":          {"when: any", "when: working_day", `"working_day" is unknown; did you mean "working_days"?; write any or working_days`},
		"folded into itself":     {"effects: [gl_report,", "effects: [settle*,", `"settle*" is the cause itself`},
		"kept too short":         {"silences_max: 14d", "silences_max: 14d\nkeep: 2d", "30:7: 2 days is too short: what comes a second time would be told again; write 10d or more"},
		"longest silence":        {"silences_max: 14d", "silences_max: fortnight", `"fortnight"`},
		"unknown calendar":       {"calendar: target2", "calendar: targt2", `there is no calendar "targt2"; did you mean "target2"?`},
		"calendar's file":        {"calendar: target2", "calendar: file:not-there.txt", `not-there.txt: no such file`},
		"expectations":           {"tests:", "expect: {x: {start_by: 06:30}}\ntests:", `:14: schedule is missing: on which days is it expected?`},
		"language":               {"language: en", "language: fr", `units.yaml:2:48: there are no words in "fr"; one of en, de`},
		"unit's language":        {"title: Finance", "language: DE", `units.yaml:13:15: there are no words in "DE"; one of en, de`},
		"time zone":              {"Europe/Berlin", "Europe/Berlim", `"Europe/Berlim" is no time zone`},
		"topic":                  {"arn:aws:sns:eu-central-1:111122223333:fin-mail", "fin-mail", `"fin-mail" is no ARN of a topic`},
		"format":                 {"format: text", "format: txt", `"txt" is unknown; write one of cloudevents, text, aws-chat; did you mean "text"?`},
		"two kinds":              {"log:         { console: { path: notifications.txt } }", "log: {console: {path: x}, sns: {topic: arn:aws:sns:eu-central-1:111122223333:x}}", `exactly one of console, slack, slack_webhook, sns, mail, webhook`},
		"unknown placeholder":    {"{job} of {unit}", "{jobb}", `there is no {jobb}; did you mean "job"?`},
		"unknown state in words": {"todo: { failed:", "todo: { faild:", `there is no state "faild"; did you mean "failed"?`},
		"unknown template unit":  {"  FIN: { todo", "  FNI: { todo", `there is no unit "FNI"; did you mean "FIN"?`},
		"duration":               {"budget: 24h", "budget: one day", `7:`},
		"test of a wrong field":  {"event: { unit: FIN, job: gl_report", "event: { unti: FIN, job: gl_report", `there is no field "unti"; did you mean "unit"?`},
		"version":                {"version: 1", "version: 2", `1:10: version 2 is unknown; write 1`},
	} {
		t.Run(name, func(t *testing.T) {
			var u Units
			text := strings.Replace(designUnits, c[0], c[1], 1)
			if text == designUnits {
				t.Fatal("nothing was changed")
			}
			err := config.Decode("units.yaml", []byte(text), &u)
			want := c[2]
			if name == "duration" {
				want = "units.yaml:2:"
			}
			if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "units.yaml:") {
				t.Errorf("got  %v\nwant %s", err, want)
			}
			if err != nil && strings.Contains(err.Error(), "very-secret") {
				t.Errorf("the secret is in the error: %v", err)
			}
		})
	}
}

func TestASecretIsNeverPrinted(t *testing.T) {
	r := Ref("xoxb-very-secret")
	b, err := r.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprint(r), fmt.Sprintf("%v %+v %#v %s", r, r, r, r), string(b), fmt.Sprintf("%+v", SlackCfg{Token: r})} {
		if strings.Contains(s, "very-secret") {
			t.Errorf("printed: %s", s)
		}
	}
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte("xoxb-1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[Ref]string{"env:A": "xoxb-a", Ref("file:" + path): "xoxb-1"} {
		if got, err := ref.reveal(func(string) string { return "xoxb-a" }); err != nil || got != want {
			t.Errorf("%s gives %q, %v", ref, got, err)
		}
	}
	if _, err := Ref("env:NOT_SET").reveal(func(string) string { return "" }); err == nil {
		t.Error("an unset variable gives no error")
	}
}

func TestWithoutAFileEverythingGoesToTheConsole(t *testing.T) {
	u, err := LoadUnits(filepath.Join(t.TempDir(), "units.yaml"))
	if err != nil || len(u.Validate()) > 0 {
		t.Fatalf("%v, %v", err, u.Validate())
	}
	if u.Default[0] != "console" {
		t.Errorf("%+v", u)
	}
}

func TestRoutesWithAlsoAndBrackets(t *testing.T) {
	u := Units{Routes: []Route{
		{When: "state = failed", To: []string{"a"}, Also: true},
		{When: "unit = FIN", Routes: []Route{{When: "job = x", To: []string{"b"}}}}, // only a bracket
		{When: "severity >= high", To: []string{"c", "a"}, Mention: "@here"},
	}, Default: []string{"d"}}
	r, err := compile(u)
	if err != nil {
		t.Fatal(err)
	}
	for event, want := range map[string]string{
		"failed FIN x": "[{a } {b }]",
		"failed FIN y": "[{a } {c @here}]",
		"ready FIN y":  "[{d }]",
		"failed - -":   "[{a } {c @here}]",
	} {
		w := strings.Fields(event)
		test := Test{Event: map[string]any{"state": w[0], "unit": w[1], "job": w[2]}}
		o, err := test.outcome()
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := r.route(o); fmt.Sprint(got) != want {
			t.Errorf("%s goes to %v, want %s", event, got, want)
		}
	}
}

func TestSchemaForEditors(t *testing.T) {
	b, err := config.Schema(&Units{}, "units.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"fallback"`, `"on_unknown"`, builtin, `env:NAME`, `"mention"`, `"let_through"`, `"silences_max"`, `"runbook"`, `"keep"`, `"effects"`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s is not in the schema", want)
		}
	}
}

func FuzzUnits(f *testing.F) {
	f.Add(designUnits)
	f.Add(twoChannels)
	f.Add(withDigest)
	f.Fuzz(func(t *testing.T, text string) {
		var u Units
		if config.Decode("units.yaml", []byte(text), &u) != nil {
			return
		}
		if _, err := u.Test(); err != nil {
			t.Fatalf("accepted by check, but: %v", err)
		}
	})
}
