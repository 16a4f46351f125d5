package notify

import (
	"encoding/json"
	"strings"
	"testing"

	"weir/internal/config"
	"weir/internal/notify/channel"
	"weir/internal/notify/cloudevent"
	"weir/internal/notify/mail"
	"weir/internal/notify/slack"
	"weir/internal/notify/sns"
	"weir/internal/outcome"
)

var bank = Template{name: "FIN", Links: Links{
	Run: "https://airflow.bank.example/runs/{run}?date={date}", Rejected: "https://bi.bank.example/{job}", Runbook: "https://wiki.bank.example/{job}#{state}",
}}

func TestLinksOfUnitsYAMLStandInEachChannel(t *testing.T) {
	const run, rejected = "https://airflow.bank.example/runs/01JD7Q?date=2026-11-20", "https://bi.bank.example/settlements_daily"
	m, unused := dressed(settlements(outcome.Warning, func(o *outcome.Outcome) { o.LogRef = "https://else.example" }), "de", bank)
	if unused != "" {
		t.Error(unused)
	}
	p := channel.Post{ID: "e.root", Message: m}
	in := func(name, got string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%s lacks %q:\n%s", name, w, got)
			}
		}
	}
	in("text", m.Text(), "Protokoll des Laufs: "+run+"\n", "Abgewiesene Zeilen: "+rejected+"\n", "Betriebshandbuch: https://wiki.bank.example/settlements_daily#bereit%20mit%20Warnung\n")
	doc, err := json.Marshal(slack.Payload(p))
	if err != nil {
		t.Fatal(err)
	}
	in("Slack", strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(string(doc)), "<"+run+"|Protokoll des Laufs> · <"+rejected+"|Abgewiesene Zeilen> · <")
	page, err := mail.HTML(m)
	if err != nil {
		t.Fatal(err)
	}
	in("mail", page, `<a href="`+run+`">Protokoll des Laufs</a>`)
	chat, err := json.Marshal(sns.PreviewChat(p))
	if err != nil {
		t.Fatal(err)
	}
	in("Amazon Q", string(chat), "Abgewiesene Zeilen: "+rejected)
	event, err := cloudevent.Marshal(p, "", 200<<10)
	if err != nil {
		t.Fatal(err)
	}
	in("CloudEvent", string(event), `"links":{"run":"`+run+`","rejected":"`+rejected+`","runbook":"https://wiki`)

	if m, _ := dressed(settlements(outcome.Ready, func(o *outcome.Outcome) { o.Rejected = 0 }), "en", bank); len(m.Links) != 2 {
		t.Errorf("without rejected rows: %v", m.Links)
	}
}

func TestAnEventCannotForgeALink(t *testing.T) {
	o := settlements(outcome.Failed, func(o *outcome.Outcome) { o.RunID = `../x?a=1&b#c@evil.example/|<!channel>"` })
	m, _ := dressed(o, "en", bank)
	const want = "https://airflow.bank.example/runs/..%2Fx%3Fa%3D1%26b%23c%40evil.example%2F%7C%3C%21channel%3E%22?date=2026-11-20"
	if m.Links[0].URL != want {
		t.Errorf("got  %s\nwant %s", m.Links[0].URL, want)
	}
	o.RunID = strings.Repeat("x", mostAddress)
	m, unused := dressed(o, "en", bank)
	if m.Links[0].Name == "run" || unused != "templates.FIN.links.run: not used: with its values it is longer than 600 characters" {
		t.Errorf("%v, %s", m.Links, unused)
	}
}

func TestCheckRefusesLinksThatLeadNowhere(t *testing.T) {
	for link, want := range map[string]string{
		"https://wiki.bank.example/{job}":                            "",
		"http://127.0.0.1:8080/{run}":                                "",
		"https://{job}.bank.example/":                                "the server without a place",
		"https://wiki.bank.example{job}":                             "the server without a place",
		"wiki.bank.example/{job}":                                    "is no address",
		"javascript:alert(1)":                                        "is no address",
		"https:///{job}":                                             "is no address",
		"https://wiki.bank.example/<{job}>":                          "is no address",
		"https://wiki.bank.example/{jobb}":                           "there is no {jobb}",
		"https://wiki.bank.example/" + strings.Repeat("x", 600) + "": "it has 626 characters; at most 600",
	} {
		var u Units
		err := config.Decode("units.yaml", []byte(twoChannels+`templates: {FIN: {links: {runbook: "`+link+`"}}}`), &u)
		switch {
		case want == "" && err == nil:
		case err == nil || want == "" || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "units.yaml:15:36:"):
			t.Errorf("%.50s: %v, want %s", link, err, want)
		}
	}
}
