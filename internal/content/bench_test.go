package content

import (
	"testing"
	"time"

	"github.com/hamba/avro/v2"
)

// BenchmarkGenerate makes fresh records through the compiled plan, beside hamba encoding the same records from a map that is
// already there (it draws nothing) and from a struct with raw logical types.
func BenchmarkGenerate(b *testing.B) {
	w := mustGenerator(b, Spec{Seed: 1, Size: Constant(260)}).Writer()
	schema := mustSchema(b, bankSchema)
	var asMap map[string]any
	var asStruct transaction
	sample := w.Append(nil, 0)
	if err := avro.Unmarshal(schema, sample, &asMap); err != nil {
		b.Fatal(err)
	}
	rawSchema := mustSchema(b, rawBank)
	if err := avro.Unmarshal(rawSchema, sample, &asStruct); err != nil {
		b.Fatal(err)
	}
	var plan, mapped, structed time.Duration
	buf, n := make([]byte, 0, 4096), uint64(0)
	const each = 64 // records between two readings of the clock
	b.SetBytes(each * 260)
	b.ReportAllocs()
	for b.Loop() {
		t0 := time.Now()
		for range each {
			_ = w.Append(buf, n)
			n++
		}
		t1 := time.Now()
		for range each {
			if _, err := avro.Marshal(rawSchema, &asStruct); err != nil {
				b.Fatal(err)
			}
		}
		t2 := time.Now()
		for range each {
			if _, err := avro.Marshal(schema, asMap); err != nil {
				b.Fatal(err)
			}
		}
		plan, structed, mapped = plan+t1.Sub(t0), structed+t2.Sub(t1), mapped+time.Since(t2)
	}
	records := float64(b.N * each)
	b.ReportMetric(float64(plan.Nanoseconds())/records, "ns/record")
	b.ReportMetric(float64(structed.Nanoseconds())/records, "hamba-struct-ns/record")
	b.ReportMetric(float64(mapped.Nanoseconds())/records, "hamba-map-ns/record")
	b.ReportMetric(structed.Seconds()/plan.Seconds(), "x-hamba-struct")
	b.ReportMetric(mapped.Seconds()/plan.Seconds(), "x-hamba-map")
	b.ReportMetric(records/plan.Seconds(), "records/s")
}

// BenchmarkAnySchema makes fresh records of 290 bytes of a schema that nothing is built in for, beside hamba encoding one that is
// there already from a map.
func BenchmarkAnySchema(b *testing.B) {
	w := mustGenerator(b, Spec{Seed: 1, Schema: shopSchema, Size: Constant(290 + HeaderSize)}).Writer()
	schema := mustSchema(b, shopSchema)
	var sample map[string]any
	if err := avro.Unmarshal(schema, w.Append(nil, 0), &sample); err != nil {
		b.Fatal(err)
	}
	var plan, mapped time.Duration
	buf, n := make([]byte, 0, 4096), uint64(0)
	const each = 64
	for b.Loop() {
		t0 := time.Now()
		for range each {
			_ = w.Append(buf, n)
			n++
		}
		t1 := time.Now()
		for range each {
			if _, err := avro.Marshal(schema, sample); err != nil {
				b.Fatal(err)
			}
		}
		plan, mapped = plan+t1.Sub(t0), mapped+time.Since(t1)
	}
	records := float64(b.N * each)
	b.ReportMetric(float64(plan.Nanoseconds())/records, "ns/record")
	b.ReportMetric(float64(mapped.Nanoseconds())/records, "hamba-map-ns/record")
	b.ReportMetric(mapped.Seconds()/plan.Seconds(), "x-hamba-map")
}

const shopSchema = `{"type":"record","name":"Order","fields":[
 {"name":"order_id","type":{"type":"string","logicalType":"uuid"}},{"name":"customer_id","type":"long"},
 {"name":"created_at","type":{"type":"long","logicalType":"timestamp-micros"}},{"name":"due","type":{"type":"int","logicalType":"date"}},
 {"name":"state","type":{"type":"enum","name":"State","symbols":["NEW","PAID","SENT"]}},
 {"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}},{"name":"tax","type":"double"},
 {"name":"email","type":["null","string"]},{"name":"country_code","type":"string"},{"name":"city","type":"string"},
 {"name":"payment","type":["null","string","long"]},{"name":"checksum","type":{"type":"fixed","name":"Sum","size":16}},
 {"name":"lines","type":{"type":"array","items":{"type":"record","name":"Line","fields":[
  {"name":"sku","type":"string"},{"name":"quantity","type":"int"},{"name":"price","type":"double"}]}}},
 {"name":"gift","type":"boolean"},{"name":"note","type":"string"}]}`
