package load

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What init writes for a schema passes check and preview, and its proposals are right for the schema.
func TestANewProfileOfAnySchemaIsGood(t *testing.T) {
	files, err := filepath.Glob("../content/testdata/schemas/*.avsc")
	if err != nil || len(files) < 25 {
		t.Fatalf("%d schemas, %v", len(files), err)
	}
	files = append(files, "../content/schemas/bank-transaction.avsc")
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			schema, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			file, err := filepath.Abs(f)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			text, err := Scaffold{Topic: "shop.Things", File: file, Schema: string(schema), Dir: dir}.Write()
			if err != nil {
				t.Fatal(err)
			}
			p, err := Parse(filepath.Join(dir, "p.yaml"), []byte(text))
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			mix, err := p.Compile()
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if all, err := takeSamples(p, mix, 20); err != nil || len(all) != 20 || all[0].Record == nil { // as preview does
				t.Errorf("%d samples, %v\n%s", len(all), err, text)
			}
			if p.Name != "shop-things" || p.Topic.Name != "shop.Things" {
				t.Errorf("name %s, topic %s", p.Name, p.Topic.Name)
			}
			if n := strings.Count(text, "\n"); n < 25 {
				t.Errorf("only %d lines:\n%s", n, text)
			}
		})
	}
}

func TestProposalsFollowNameAndType(t *testing.T) {
	schema := `{"type":"record","name":"Order","fields":[{"name":"order_id","type":"string"},{"name":"customer_id","type":"long"},
		{"name":"customer_email","type":"string"},{"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
		{"name":"state","type":{"type":"enum","name":"S","symbols":["NEW","OLD"]}},{"name":"comment","type":["null","string"]},{"name":"quantity","type":"int"},
		{"name":"created_at","type":{"type":"long","logicalType":"timestamp-millis"}},{"name":"free","type":"string"},{"name":"on","type":"boolean"}]}`
	text, err := Scaffold{Topic: "orders", Subject: "orders-value", Version: "3", Schema: schema}.Write()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"  schema: {subject: orders-value, version: 3}", "    customer_email: {fake: email}", "    amount: {lognormal: {median: 25, p99: 900}}", "    state: {weights: {NEW: 8, OLD: 4}}",
		"    comment: {null: 10%, fake: sentence}", "    quantity: {zipf: {n: 100}}", "key: {field: customer_id, cardinality: 100k, distribution: uniform}", "event_time: {field: created_at}",
		"    # order_id:", `    # "on":`,
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("the profile lacks %q:\n%s", want, text)
		}
	}
	if _, err := (Scaffold{Topic: "a b", Subject: "a", Schema: schema}).Write(); err == nil || !strings.Contains(err.Error(), `"a b" is no topic name`) {
		t.Errorf("got %v", err)
	}
}
