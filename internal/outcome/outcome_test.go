package outcome

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"
)

func times(zone bool) *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.Bool().Draw(t, "zero") {
			return time.Time{}
		}
		at := time.UnixMicro(rapid.Int64Range(1, 4e15).Draw(t, "us")).UTC()
		if zone {
			at = at.In(time.FixedZone("", 900*rapid.IntRange(-40, 40).Draw(t, "offset")))
		}
		return at
	})
}

func outcomes() *rapid.Generator[Outcome] {
	text := rapid.StringMatching(`[a-zA-Z0-9 äß<>&"{}\n]{0,30}`)
	rows := rapid.Int64Range(0, 1<<53)
	sets := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Dataset {
		return Dataset{text.Draw(t, "ns"), text.Draw(t, "name"), rows.Draw(t, "rows")}
	}), 0, 3)
	return rapid.Custom(func(t *rapid.T) Outcome {
		o := Outcome{
			RunID: rapid.OneOf(rapid.StringMatching(`[a-z0-9-]{1,20}`), rapid.Just(ulid.Make().String()), rapid.Just("d46e465b-d358-4d32-83d4-df660ff614dd")).Draw(t, "run"),
			Job:   rapid.StringMatching(`[a-z_]{1,12}`).Draw(t, "job"), Kind: rapid.SampledFrom([]string{"", "ingest", "report"}).Draw(t, "kind"),
			Title: text.Draw(t, "title"), Unit: text.Draw(t, "unit"), State: rapid.SampledFrom(States()).Draw(t, "state"),
			Severity: rapid.SampledFrom([]string{"", "high"}).Draw(t, "severity"), At: times(false).Draw(t, "at"),
			Interval: Interval{times(true).Draw(t, "from"), times(true).Draw(t, "to")},
			Attempt:  rapid.IntRange(0, 9).Draw(t, "attempt"), MaxAttempts: rapid.IntRange(0, 9).Draw(t, "max"), Revision: rapid.IntRange(0, 99).Draw(t, "rev"),
			Started: times(false).Draw(t, "started"), Ended: times(false).Draw(t, "ended"),
			RowsIn: rows.Draw(t, "in"), RowsOut: rows.Draw(t, "out"), Rejected: rows.Draw(t, "rejected"), Filtered: rows.Draw(t, "filtered"), Retries: rapid.IntRange(0, 99).Draw(t, "retries"),
			Cause: Cause{text.Draw(t, "code"), text.Draw(t, "cause"), rapid.Bool().Draw(t, "retryable")}, Todo: text.Draw(t, "todo"), LogRef: text.Draw(t, "log"),
		}
		if rapid.Bool().Draw(t, "expected") {
			o.Expected = &Expected{Due: times(false).Draw(t, "due"), LastGood: text.Draw(t, "good"), LastRows: rows.Draw(t, "last"), Noticed: true, Inputs: []Needed{{Job: "trades", Ready: times(false).Draw(t, "ready")}}}
		}
		if s := sets.Draw(t, "inputs"); len(s) > 0 {
			o.Inputs = s
		}
		if s := sets.Draw(t, "outputs"); len(s) > 0 {
			o.Outputs = s
		}
		return o
	})
}

func TestAnOutcomeSurvivesOpenLineage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := outcomes().Draw(t, "outcome").Scrubbed()
		b, err := json.Marshal(FromOutcome(o))
		if err != nil {
			t.Fatal(err)
		}
		var e RunEvent
		if err := json.Unmarshal(b, &e); err != nil {
			t.Fatal(err)
		}
		if !o.When().IsZero() {
			if e, err = Parse(b); err != nil {
				t.Fatal(err)
			}
		}
		got := e.Outcome()
		if d := cmp.Diff(o, got); d != "" {
			t.Fatal(d)
		}
		if got.EventID() != o.EventID() || got.BusinessDate() != o.BusinessDate() {
			t.Fatalf("id %s, want %s; date %s, want %s", got.EventID(), o.EventID(), got.BusinessDate(), o.BusinessDate())
		}
		if !isUUID(e.Run.RunID) {
			t.Fatalf("run id %q is no UUID", e.Run.RunID)
		}
	})
}

func TestOthersReadOurEventByTheStandardFacets(t *testing.T) {
	o := Outcome{RunID: "01M84RPX7M7VTW7YYKC0FBQDW1", Job: "daily_totals", Kind: "report", Title: "Daily totals", Unit: "FIN", State: Failed,
		Interval: Interval{Start: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), End: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)},
		Ended:    time.Date(2026, 11, 23, 7, 8, 0, 0, time.UTC), Cause: Cause{Text: "no input"},
		Inputs: []Dataset{{"kafka", "bank.transactions", 10}}, Outputs: []Dataset{{"weir", "bank.daily_totals", 7}}, RowsIn: 10, RowsOut: 7}
	e := FromOutcome(o)
	delete(e.Run.Facets, "weir") // what is left is for everybody
	got := e.Outcome()
	o.RunID, o.At = e.Run.RunID, o.Ended
	if d := cmp.Diff(o, got); d != "" {
		t.Error(d)
	}
	if e.EventType != Fail || e.SchemaURL == "" || e.Producer == "" {
		t.Errorf("event %+v", e)
	}
	for name, f := range e.Run.Facets {
		if !strings.Contains(string(f), `"_producer"`) || !strings.Contains(string(f), `"_schemaURL"`) {
			t.Errorf("facet %s: %s", name, f)
		}
	}
}

func TestEventsOfOtherProducers(t *testing.T) {
	for file, want := range map[string]Outcome{
		"airflow.json": {RunID: "01902e5e-d2aa-7b8b-a1cd-5b2d3e0c1f7e", Job: "settlements.load", Namespace: "prod", Unit: "data-payments", State: Failed, Kind: "task", Title: "Loads settlements",
			Cause: Cause{Text: "column fee_eur is missing"}, Interval: Interval{Start: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), End: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)},
			At: time.Date(2026, 11, 23, 7, 8, 11, 0, time.UTC), Ended: time.Date(2026, 11, 23, 7, 8, 11, 0, time.UTC)},
		"spark.json": {RunID: "d46e465b-d358-4d32-83d4-df660ff614dd", Job: "daily_totals", Namespace: "default", State: Ready, Kind: "sql_job",
			At: time.Date(2026, 11, 23, 6, 52, 0, 120e6, time.UTC), Ended: time.Date(2026, 11, 23, 6, 52, 0, 120e6, time.UTC),
			Inputs:  []Dataset{{Namespace: "hdfs://nn", Name: "/bank/transactions", Rows: 4182331}},
			Outputs: []Dataset{{Namespace: "file", Name: "/warehouse/daily", Rows: 212}}, RowsIn: 4182331, RowsOut: 212},
		"running.json": {RunID: "d46e465b-d358-4d32-83d4-df660ff614dd", Job: "j", Namespace: "n", State: Running, Revision: 1795416720, At: time.Date(2026, 11, 23, 6, 52, 0, 0, time.UTC)},
	} {
		t.Run(file, func(t *testing.T) {
			b, err := os.ReadFile("testdata/" + file)
			if err != nil {
				t.Fatal(err)
			}
			e, err := Parse(b)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, e.Outcome()); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestEventIDTellsOutcomesApartAndNothingElse(t *testing.T) {
	o := Outcome{RunID: "r", Job: "j", Unit: "FIN", State: Failed, Attempt: 1, Interval: Interval{Start: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)}}
	if o.EventID() != "4381721bd82a79bddc8b9f98173267cf" { // outboxes hold ids of older versions: a change here tells everything again
		t.Errorf("id %s", o.EventID())
	}
	same := o
	same.Title, same.At, same.RowsIn, same.Cause.Text = "x", time.Now(), 5, "y"
	same.Interval.Start = o.Interval.Start.In(time.FixedZone("", 3600))
	if same.EventID() != o.EventID() {
		t.Error("the id depends on more than it should")
	}
	for name, change := range map[string]func(*Outcome){
		"unit": func(o *Outcome) { o.Unit = "x" }, "job": func(o *Outcome) { o.Job = "x" }, "run": func(o *Outcome) { o.RunID = "x" },
		"state": func(o *Outcome) { o.State = Ready }, "attempt": func(o *Outcome) { o.Attempt = 2 }, "revision": func(o *Outcome) { o.Revision = 2 },
		"interval": func(o *Outcome) { o.Interval.End = time.Now() },
	} {
		other := o
		change(&other)
		if other.EventID() == o.EventID() {
			t.Errorf("another %s has the same id", name)
		}
	}
}

func TestBrokenEvents(t *testing.T) {
	for in, want := range map[string]string{
		`{`:                    "run event: ",
		`{}`:                   "job.name is missing",
		`{"job":{"name":"j"}}`: "run.runId is missing",
		`{"job":{"name":"j"},"run":{"runId":"r"}}`:               "eventTime is missing",
		`{"job":{"name":"j"},"run":{"runId":"r"},"eventTime":1}`: "run event: ",
		`{"job":7}`: "run event: ",
	} {
		if _, err := Parse([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", in, err, want)
		}
	}
}

func TestNoSecretLeaves(t *testing.T) {
	for in, want := range map[string]string{
		"dial postgres://weir:hunter2@db:5432/x":     "dial postgres://weir:<secret>@db:5432/x",
		"slack said no to xoxb-12-AbC":               "slack said no to <secret>",
		"password=hunter2 host=db":                   "password=<secret> host=db",
		`{"api_key": "hunter2"}`:                     `{"api_key": "<secret>"}`,
		"Authorization: Bearer abcdef0123456789":     "Authorization: Bearer <secret>",
		"key AKIAIOSFODNN7EXAMPLE":                   "key <secret>",
		"file settlements.csv has 14 columns":        "file settlements.csv has 14 columns",
		"https://hooks.slack.com/services/T0/B0/abc": "https://hooks.slack.com/services/<secret>",
	} {
		if got := Scrub(in); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", in, got, want)
		}
	}
	b, err := json.Marshal(FromOutcome(Outcome{RunID: "r", Job: "j", State: Failed, Cause: Cause{Text: "password=hunter2"}, Todo: "token: hunter2", LogRef: "s3://u:hunter2@x"}))
	if err != nil || strings.Contains(string(b), "hunter2") {
		t.Errorf("%s, %v", b, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"airflow.json", "spark.json", "running.json"} {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Parse(b)
		if err != nil {
			return
		}
		o := e.Outcome()
		if o.EventID() == "" || o.Job == "" {
			t.Fatalf("%+v", o)
		}
	})
}
