package main

import (
	"path/filepath"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/content"
	"weir/internal/kafka"
	"weir/internal/lake"
	"weir/internal/load"
	"weir/internal/prove"
)

const faultyMix = `apiVersion: weir/v1
kind: LoadProfile
name: faulty
seed: 5
rate: {stages: [{target: 20k/s}]}
volume: {messages: 20k}
pools: {customers: {entities: 50, distribution: zipf}}
mix:
  - name: orders
    weight: 3
    topic: {name: shop.orders, partitions: 3}
    value:
      schema: {file: order.avsc}
      fields: {customer: {pool: customers}, amount: {lognormal: {median: 25, p99: 900}}}
      evolve: {file: order2.avsc, from: 12k, fields: {discount: {uniform: {min: 1, max: 50}}}}
    key: {field: order_id, cardinality: 500, distribution: zipf, exponent: 1.1}
    size: {distribution: lognormal, median: 400, p99: 2KiB, max: 16KiB}
    headers: {source: load}
    event_time: {field: created_at, late: {share: 5%, by: {exponential: {mean: 10m, max: 1h}}}}
    faults: {duplicate: 2%, out_of_order: 2%, poison: {share: 3%, oversize: 200KiB, kinds: [bad_magic, unknown_schema_id, truncated, corrupt, null_value, incompatible, oversize]}}
  - name: refunds
    weight: 1
    topic: {name: shop.refunds, partitions: 2}
    value: {schema: {file: order.avsc}, fields: {customer: {pool: customers}}}
    key: {from: orders, field: order_id}
`

// Two topics are loaded at once, with every kind of fault; the pipeline takes both, and the proof says of each message where it
// must be and finds it there.
func TestEveryFaultEndsWhereTheProofExpectsIt(t *testing.T) {
	y := newYard(t, streamJob)
	for _, name := range []string{"orders", "refunds"} {
		y.write("jobs/"+name+".yaml", "apiVersion: weir/v1\nkind: Job\nname: "+name+"\ningest: {topic: shop."+name+", table: shop."+name+", start: earliest, quarantine: {max_share: 50%}, commit: {rows: 5k, age: 100ms}}\n")
	}
	y.write("order.avsc", `{"type":"record","name":"Order","fields":[{"name":"order_id","type":"string"},{"name":"customer","type":"long"},
 {"name":"created_at","type":{"type":"long","logicalType":"timestamp-micros"}},{"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}},
 {"name":"number","type":"long"},{"name":"note","type":"string"}]}`)
	y.write("order2.avsc", `{"type":"record","name":"Order","fields":[{"name":"order_id","type":"string"},{"name":"customer","type":"long"},
 {"name":"created_at","type":{"type":"long","logicalType":"timestamp-micros"}},{"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}},
 {"name":"discount","type":"int","default":0},{"name":"number","type":"long"},{"name":"note","type":"string"}]}`)
	p, err := load.Parse(filepath.Join(y.dir, "faulty.yaml"), []byte(faultyMix))
	y.ok(err)
	sum, err := load.Run(t.Context(), load.Options{
		Profile: p, Home: y.home(), Register: y.reg.Register, Senders: 3,
		Connect: func(o ...kgo.Opt) (*kgo.Client, error) { return kafka.Connect(y.kafka, o...) },
	})
	y.ok(err)
	if len(sum.Faults) != 9 || sum.Errors > 0 {
		t.Fatalf("got %+v, want all nine kinds of faults and no errors", sum)
	}
	for _, job := range []string{"orders", "refunds"} {
		c, out := y.pipeline("run", job, "--until-caught-up", "--json")
		if err := within(t, c); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	l, err := lake.Open(t.Context(), lake.Config{Catalog: filepath.Join(y.home(), "catalog.db"), Warehouse: filepath.Join(y.home(), "warehouse")})
	y.ok(err)
	defer l.Close()
	var rows, refused, poison int64
	for f, n := range sum.Faults {
		if f.Refused() {
			poison += n
		}
	}
	for _, table := range []string{"shop.orders", "shop.refunds"} {
		v, err := prove.Run(t.Context(), y.home(), sum.Run, table, l, nil)
		y.ok(err)
		if !v.Good() || !v.Drained || v.Quarantined != v.Poison || v.Rows+v.Quarantined != v.Sent {
			t.Errorf("%s: %+v", table, v)
		}
		if held := sum.Faults[content.OutOfOrder]; table == "shop.orders" && (v.OutOfOrder == 0 || v.OutOfOrder > held) {
			t.Errorf("%d rows are out of order, %d messages were held back", v.OutOfOrder, held)
		}
		rows, refused = rows+v.Rows, refused+v.Quarantined
	}
	if rows+refused != sum.Acked || refused != poison || sum.Faults[content.Oversize] == 0 {
		t.Errorf("%d rows and %d refused of %d messages, of which %d were poison: %v", rows, refused, sum.Acked, poison, sum.Faults)
	}
}
