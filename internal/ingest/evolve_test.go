package ingest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/hamba/avro/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/lake"
	"weir/minibatch"
)

// sendAs sends records of a schema of the subject, one to a partition each.
func (s *site) sendAs(schema string, values ...map[string]any) {
	s.t.Helper()
	subject := "orders-value"
	if schema == otherType || schema == branching || schema == renamed { // the registry would not take it there
		subject = "others-value"
	}
	id, err := s.reg.Register(s.t.Context(), subject, schema)
	s.ok(err)
	parsed := avro.MustParse(schema)
	var recs []*kgo.Record
	for i, v := range values {
		datum, err := avro.Marshal(parsed, v)
		s.ok(err)
		recs = append(recs, &kgo.Record{Partition: int32(i % 3), Value: framed(id, datum)})
	}
	s.send(recs...)
}

const (
	withFee = `{"type":"record","name":"Order","fields":[
		{"name":"id","type":"long"},
		{"name":"note","type":["null","string"]},
		{"name":"tags","type":{"type":"array","items":"string"}},
		{"name":"fee","type":"int","default":0},
		{"name":"buyer","type":["null",{"type":"record","name":"Buyer","fields":[{"name":"name","type":"string"}]}],"default":null}]}`
	withMore = `{"type":"record","name":"Order","fields":[
		{"name":"id","type":"long"},
		{"name":"fee","type":"long","default":0},
		{"name":"buyer","type":["null",{"type":"record","name":"Buyer","fields":[{"name":"name","type":"string"},{"name":"country","type":"string","default":""}]}],"default":null}]}`
	otherType = `{"type":"record","name":"Order","fields":[
		{"name":"id","type":"string"}]}`
)

func fee(id int64, fee int) map[string]any {
	return map[string]any{"id": id, "note": nil, "tags": []string{}, "fee": fee, "buyer": map[string]any{"Buyer": map[string]any{"name": fmt.Sprint("buyer ", id)}}}
}

// column reads id -> text of a column, over all rows.
func (s *site) column(name string) map[int64]string {
	s.t.Helper()
	out := map[int64]string{}
	s.scan("shop.orders", func(c lake.Chunk) {
		at := c.Batch.Schema().FieldIndices(name)
		if len(at) != 1 {
			s.t.Fatalf("no column %s in %s", name, c.Batch.Schema())
		}
		ids := c.Batch.Column(0).(*array.Int64)
		for i := range ids.Len() {
			out[ids.Value(i)] = c.Batch.Column(at[0]).ValueStr(i)
		}
	})
	return out
}

// A new schema's columns, nested ones and wider types come to the table in the commit of the first rows that have them, in the middle
// of a batch, with old and new records side by side in it; older rows have null.
func TestANewSchemaGivesTheTableItsColumns(t *testing.T) {
	s := newSite(t)
	s.sendNumbers(0, 30)
	s.drain(Config{})
	s.sendNumbers(30, 60)
	s.sendAs(withFee, fee(100, 7), fee(101, 8), fee(102, 9))
	s.sendNumbers(60, 90)
	s.sendAs(withMore, map[string]any{"id": int64(103), "fee": int64(1) << 40, "buyer": map[string]any{"Buyer": map[string]any{"name": "b", "country": "DE"}}})
	s.sendAs(withFee, fee(104, 10))
	r := s.drain(Config{})
	if r.RowsOut != 65 || r.Quarantined != 0 || r.Batches != 1 || r.Retries != 0 {
		t.Errorf("got %+v", r)
	}
	fees, buyers := s.column("fee"), s.column("buyer")
	for id, want := range map[int64]string{0: array.NullValueStr, 45: array.NullValueStr, 75: array.NullValueStr, 100: "7", 102: "9", 103: fmt.Sprint(int64(1) << 40), 104: "10"} {
		if fees[id] != want {
			t.Errorf("fee of %d is %s, want %s", id, fees[id], want)
		}
	}
	if len(fees) != 95 || !strings.Contains(buyers[103], `"country":"DE"`) || !strings.Contains(buyers[100], "buyer 100") || buyers[5] != array.NullValueStr {
		t.Errorf("%d rows; buyers %q %q %q", len(fees), buyers[103], buyers[100], buyers[5])
	}
	if r := s.drain(Config{}); r.RowsIn != 0 {
		t.Errorf("a second run reads %d", r.RowsIn)
	}
}

// What a job says about messages that do not fit the table.
func TestTheJobDecidesAboutNewSchemas(t *testing.T) {
	s := newSite(t)
	s.sendNumbers(0, 9)
	s.drain(Config{})
	s.sendAs(withFee, fee(100, 7))
	_, err := s.job(Config{NewSchema: stop}).Run(t.Context(), minibatch.Drain, nil)
	if err == nil || !strings.Contains(err.Error(), "does not fit table shop.orders: field fee: there is no such column") {
		t.Errorf("stop: %v", err)
	}
	s.wantNumbers(9)
	r := s.drain(Config{NewSchema: quarantined, Quarantine: Quarantine{MaxShare: 1}})
	if r.Quarantined != 1 || r.RowsOut != 0 {
		t.Errorf("quarantine: %+v", r)
	}
	s.wantNumbers(9)
	var reasons []string
	s.scan("shop.orders__quarantine", func(c lake.Chunk) {
		for i := range int(c.Batch.NumRows()) {
			reasons = append(reasons, c.Batch.Column(0).ValueStr(i))
		}
	})
	if !slices.Equal(reasons, []string{"misfit"}) {
		t.Errorf("reasons %v", reasons)
	}
	// What no table can take stops the job whatever it says, and its columns are not half there.
	s.sendAs(otherType, map[string]any{"id": "abc"})
	_, err = s.job(Config{}).Run(t.Context(), minibatch.Drain, nil)
	if err == nil || !strings.Contains(err.Error(), "table shop.orders") || !strings.Contains(err.Error(), "id") || minibatch.ClassOf(err) == minibatch.Transient {
		t.Errorf("another type: %v", err)
	}
	s.wantNumbers(9)
	if bad := (Config{Topic: "t", Table: "a.b", Start: "earliest", NewSchema: "drop"}).Validate(); len(bad) != 1 || bad[0].Path != "new_schema" {
		t.Errorf("a choice that there is not: %+v", bad)
	}
}

// The columns of the table as an ingest job of the newest schema makes it, and as it grows, are the same but for their order.
func TestAGrownTableHasTheColumnsOfANewOne(t *testing.T) {
	sorted := func(s *site) []string {
		tbl, err := s.lake.Table(t.Context(), "shop.orders")
		s.ok(err)
		var all []string
		for _, f := range tbl.Schema().Fields() {
			all = append(all, f.Name+" "+strings.ReplaceAll(f.Type.String(), " nullable", ""))
		}
		slices.Sort(all)
		return all
	}
	grown, fresh := newSite(t), newSite(t)
	grown.sendNumbers(0, 3)
	grown.drain(Config{})
	grown.sendAs(withFee, fee(100, 7))
	grown.drain(Config{})
	fresh.sendAs(withFee, fee(100, 7))
	fresh.drain(Config{})
	if g, f := sorted(grown), sorted(fresh); !slices.Equal(g, f) {
		t.Errorf("grown %v\nnew   %v", g, f)
	}
}
