package job

import (
	"strings"
	"testing"
)

func flow(name, reads, writes string) Flow {
	return Flow{Job: name, File: "jobs/" + name + ".yaml", Reads: strings.Fields(reads), Writes: strings.Fields(writes)}
}

func TestJobsComeAfterThoseWhoseTablesTheyRead(t *testing.T) {
	g, bad := Connect([]Flow{
		flow("month", "bank.days bank.month", "bank.month"), flow("alone", "", "x.y"), flow("days", "bank.pay bank.country", "bank.days"),
		flow("ingest", "topic", "bank.pay bank.pay__quarantine"), flow("refused", "bank.pay__quarantine", "bank.refused"),
	})
	if len(bad) > 0 {
		t.Fatal(bad)
	}
	if got := strings.Join(g.Order, " "); got != "alone ingest days month refused" {
		t.Errorf("order %s", got)
	}
	if got := strings.Join(g.After["month"], " "); got != "days" {
		t.Errorf("month comes after %q: its own table is no reason to wait", got)
	}
}

func TestTwoWritersAndCirclesNameTheFiles(t *testing.T) {
	g, bad := Connect([]Flow{
		flow("a", "t.b", "t.a"), flow("b", "t.c", "t.b"), flow("c", "t.a t.z", "t.c"), flow("d", "t.a", "t.d"), flow("e", "", "t.d"), flow("z", "", "t.z"),
	})
	want := []string{
		"jobs/e.yaml: job e writes table t.d, which job d writes as well (jobs/d.yaml): one table has one writer",
		"jobs/a.yaml: jobs wait for each other in a circle: a (jobs/a.yaml) reads from b (jobs/b.yaml) reads from c (jobs/c.yaml) reads from a",
	}
	if len(bad) != len(want) {
		t.Fatalf("got %v", bad)
	}
	for i, w := range want {
		if bad[i].Error() != w {
			t.Errorf("got  %s\nwant %s", bad[i], w)
		}
	}
	if len(g.Order) != 6 {
		t.Errorf("order %v", g.Order)
	}
}
