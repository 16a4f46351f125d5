package intake

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"weir/internal/outcome"
)

// What real engines send (Spark 3.5.7 with openlineage-spark 1.53.0, Airflow 3.3.2 with its provider 2.20.3) is told once per job run.
func TestEventsOfRealEnginesAreOneMessagePerJobRun(t *testing.T) {
	for name, c := range map[string]struct {
		file  string
		keep  string // only events of this job; empty: all
		date  string
		state outcome.State
		out   int64
		told  int // posts and edits in the channel
		why   string
	}{
		"a Spark application with two writes":             {"spark-complete", "", "2026-11-20", outcome.Ready, 1006, 1, ""},
		"a Spark application whose action failed":         {"spark-fail", "", "2026-11-20", outcome.Failed, 999, 1, "ValueError: column fee_eur is missing"},
		"a Spark application whose driver died in SQL":    {"spark-driver-dies", "", "2026-11-20", outcome.Warning, 1006, 1, "its last write"},
		"an Airflow DAG that went well":                   {"airflow", "settlements_daily", "2026-11-20", outcome.Ready, 0, 1, ""},
		"an Airflow DAG with a task that failed for good": {"airflow", "positions_daily", "2026-11-20", outcome.Failed, 0, 1, "Bash command failed. The command returned a non-zero exit code 1."},
	} {
		t.Run(name, func(t *testing.T) {
			s, fin, rest := service(t)
			h := Web{Notify: s}.Handler()
			for range 2 { // a sender that got no answer comes again with all of it
				for _, e := range recorded(t, c.file) {
					if !strings.Contains(e, `"name":"`+c.keep) {
						continue
					}
					if w := call(h, "/api/v1/lineage", "application/json; charset=UTF-8", e, nil); w.Code != http.StatusAccepted {
						t.Fatalf("HTTP %d: %s\n%s", w.Code, w.Body, e)
					}
				}
			}
			drain(t, s)
			if len(rest.told()) > 0 || len(fin.told()) != c.told {
				t.Errorf("told %q, and to nobody's channel %q", fin.told(), rest.told())
			}
			m := fin.last(t)
			if o := m.Outcome; o.State != c.state || o.BusinessDate() != c.date || o.RowsOut != c.out || o.Started.IsZero() || o.Ended.IsZero() {
				t.Errorf("told %+v", o)
			}
			if !strings.Contains(m.Why, c.why) || c.why == "" && m.Why != "" {
				t.Errorf("why: %q", m.Why)
			}
			t.Log("\n" + m.Text())
		})
	}
}

// The order in which events come makes no difference to what is told in the end.
func TestEventsThatOvertakeEachOtherTellTheSame(t *testing.T) {
	for _, file := range []string{"spark-complete", "spark-fail"} {
		s, fin, _ := service(t)
		h := Web{Notify: s}.Handler()
		all := recorded(t, file)
		slices.Reverse(all[1:]) // the application's own start stays the first
		for _, e := range all {
			if w := call(h, "/api/v1/lineage", "application/json", e, nil); w.Code != http.StatusAccepted {
				t.Fatalf("HTTP %d: %s", w.Code, w.Body)
			}
		}
		drain(t, s)
		want := map[string]outcome.State{"spark-complete": outcome.Ready, "spark-fail": outcome.Failed}[file]
		rows := map[string]int64{"spark-complete": 1006, "spark-fail": 999}[file]
		if o := fin.last(t).Outcome; o.State != want || o.RowsOut != rows {
			t.Errorf("%s: told %+v", file, o)
		}
	}
}

// A task whose DAG is not told here stands for itself, and one that a unit lists by name is told beside its DAG.
func TestPartsThatStandForThemselves(t *testing.T) {
	s, fin, _ := service(t)
	h := Web{Notify: s}.Handler()
	for _, e := range recorded(t, "airflow") {
		if strings.Contains(e, `"name":"settlements_daily.`) {
			call(h, "/api/v1/lineage", "application/json", e, nil)
		}
	}
	drain(t, s)
	var jobs []string
	for _, p := range fin.posts {
		jobs = append(jobs, p.Message.Outcome.Job+" "+string(p.Message.Outcome.State))
	}
	if !slices.Equal(jobs, []string{"settlements_daily.load ready", "settlements_daily.check ready"}) {
		t.Errorf("told %q", jobs)
	}

	s, fin, _ = service(t)
	h = Web{Notify: s}.Handler()
	for _, e := range recorded(t, "airflow") {
		if !strings.Contains(e, `"name":"settlements_daily`) {
			continue
		}
		var v map[string]any
		if err := json.Unmarshal([]byte(e), &v); err != nil {
			t.Fatal(err)
		}
		if job := v["job"].(map[string]any); job["name"] == "settlements_daily.check" {
			job["name"] = "by_name"
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		call(h, "/api/v1/lineage", "application/json", string(b), nil)
	}
	drain(t, s)
	jobs = nil
	for _, p := range fin.posts {
		jobs = append(jobs, p.Message.Outcome.Job+" "+string(p.Message.Outcome.State))
	}
	slices.Sort(jobs)
	if !slices.Equal(jobs, []string{"by_name ready", "settlements_daily ready"}) {
		t.Errorf("told %q", jobs)
	}
}

// Airflow in Berlin sends the midnight of a Berlin day, which is the evening before in UTC.
func TestTheBusinessDateIsThatOfTheZone(t *testing.T) {
	for start, day := range map[string]string{
		"2026-11-19T23:00:00+00:00": "2026-11-20", "2026-07-19T22:00:00Z": "2026-07-20", "2026-11-20T00:00:00Z": "2026-11-20", "2026-11-20T06:00:00Z": "2026-11-20",
	} {
		s, _, rest := service(t)
		e := `{"eventType":"COMPLETE","eventTime":"2026-11-27T06:00:00Z","job":{"namespace":"af","name":"j"},"producer":"x","schemaURL":"y",
			"run":{"runId":"01902e5e-d2aa-7b8b-a1cd-5b2d3e0c1f7e","facets":{"nominalTime":{"nominalStartTime":"` + start + `"}}}}`
		if w := call(Web{Notify: s}.Handler(), "/api/v1/lineage", "application/json", e, nil); w.Code != http.StatusAccepted {
			t.Fatal(w.Body)
		}
		drain(t, s)
		if got := rest.last(t).Outcome.BusinessDate(); got != day {
			t.Errorf("%s: business date %s, want %s", start, got, day)
		}
	}
}
