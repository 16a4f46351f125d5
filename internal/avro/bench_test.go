package avro

import (
	"runtime"
	"testing"
	"time"

	hamba "github.com/hamba/avro/v2"
)

// transaction is bank-transaction.avsc as a Go struct, for hamba.
type transaction struct {
	ID           string    `avro:"transaction_id"`
	Account      string    `avro:"account_id"`
	Counterparty string    `avro:"counterparty"`
	BookedAt     time.Time `avro:"booked_at"`
	ValueDate    time.Time `avro:"value_date"`
	Amount       any       `avro:"amount"`
	Fee          any       `avro:"fee"`
	Currency     string    `avro:"currency"`
	Country      string    `avro:"country"`
	Channel      string    `avro:"channel"`
	Merchant     struct {
		ID       int64  `avro:"id"`
		Name     string `avro:"name"`
		City     string `avro:"city"`
		Category int    `avro:"category"`
	} `avro:"merchant"`
	Card        *string  `avro:"card"`
	Tags        []string `avro:"tags"`
	Risk        float64  `avro:"risk"`
	Contactless bool     `avro:"contactless"`
	Reference   string   `avro:"reference"`
}

// payment is a datum of that schema, as long as those that loadgen sends.
func payment(i int) []byte {
	return wireOf(
		"0192f3a4-7c1e-7b3a-9f52-3d1e8c0a5b"+string(rune('a'+i%26))+"0", "DE89370400440532013000", "GB29NWBK60161331926819",
		int64(1_790_000_000_000_000)+int64(i)*1013, 20_717, 3, []byte{0x12, byte(i >> 8), byte(i)}, i%2, // amount; fee is null every second time
		map[bool][]byte{true: wireOf(1, []byte{byte(i & 0x7f)}), false: nil}[i%2 == 1],
		i%8, i%12, i%5,
		int64(4_000_000+i), "Bäckerei Nordlicht "+string(rune('A'+i%26)), "Frankfurt am Main", 5462,
		1, "4711", 2, "grocery", "recurring", 0, []byte{1, 2, 3, 4, 5, 6, byte(i), 0x3f}, []byte{byte(i & 1)},
		"invoice 2026-11-23 / thank you for your order, see you soon, yours sincerely; no. 0815-4711",
	)
}

// BenchmarkDecode decodes the same 1000 payments in turn with ours, with hamba into a struct and with hamba into a map.
func BenchmarkDecode(b *testing.B) {
	const rows = 1000
	text := string(readFile(b, "testdata/bank-transaction.avsc"))
	s := mustParse(b, text)
	target := mustTarget(b, text)
	plan := mustCompile(b, text, target)
	batch := mustBatch(b, target)
	api := hamba.Config{}.Freeze()

	data, size := make([][]byte, rows), 0
	for i := range data {
		data[i] = payment(i)
		size += len(data[i])
	}
	check := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	var ours, intoStruct, intoMap time.Duration
	var mem runtime.MemStats
	var allocs uint64
	b.SetBytes(int64(size))
	for b.Loop() { // interleaved: all see the same machine
		runtime.ReadMemStats(&mem)
		before := mem.Mallocs
		t0 := time.Now()
		for _, d := range data {
			check(batch.Append(plan, d))
		}
		for _, a := range batch.Flush() {
			a.Release()
		}
		t1 := time.Now()
		runtime.ReadMemStats(&mem)
		allocs += mem.Mallocs - before
		t2 := time.Now()
		for _, d := range data {
			var v transaction
			check(api.Unmarshal(s.root, d, &v))
		}
		t3 := time.Now()
		for _, d := range data {
			var v map[string]any
			check(api.Unmarshal(s.root, d, &v))
		}
		ours, intoStruct, intoMap = ours+t1.Sub(t0), intoStruct+t3.Sub(t2), intoMap+time.Since(t3)
	}
	n := float64(rows) * float64(b.N)
	b.ReportMetric(float64(size)/rows, "bytes/record")
	b.ReportMetric(float64(ours.Nanoseconds())/n, "ns/record")
	b.ReportMetric(n/ours.Seconds(), "records/s")
	b.ReportMetric(float64(allocs)/n, "allocs/record")
	b.ReportMetric(intoStruct.Seconds()/ours.Seconds(), "x-hamba-struct")
	b.ReportMetric(intoMap.Seconds()/ours.Seconds(), "x-hamba-map")
	b.ReportMetric(0, "ns/op") // of all three: says nothing
}

func TestPaymentsAreLikeLoadgens(t *testing.T) {
	text := string(readFile(t, "testdata/bank-transaction.avsc"))
	s := mustParse(t, text)
	c := newCase(t, text, s, Layout{})
	ref := newReference(s, c.target)
	for i := range 100 {
		datum := payment(i)
		want, err := ref.decode(datum)
		if err != nil || len(datum) < 240 || len(datum) > 330 {
			t.Fatalf("%d bytes, %v", len(datum), err)
		}
		c.append(datum, given(want))
	}
	c.finish()
}
