package content

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/hamba/avro/v2"

	"weir/internal/config"
)

func mustMix(tb testing.TB, streams ...Stream) *Mix {
	tb.Helper()
	m, err := NewMix(7, streams)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func decode(tb testing.TB, schema avro.Schema, b []byte) map[string]any {
	tb.Helper()
	var v map[string]any
	if err := avro.Unmarshal(schema, b, &v); err != nil {
		tb.Fatal(err)
	}
	return v
}

func shop() []Stream {
	return []Stream{
		{Name: "orders", Weight: 3, Spec: Spec{Schema: shopSchema, Key: "order_id", Keys: 200, Size: uniform(400, 900),
			Fields: map[string]Field{"customer_id": {Pool: "customers"}, "city": {Pool: "customers", Fake: "city"}},
			Pools:  map[string]Pool{"customers": {Entities: 40}},
			Faults: Faults{Duplicate: 0.05, Poison: Poison{Share: 0.05, Kinds: PoisonKinds, Oversize: 3000}}}},
		{Name: "refunds", Weight: 1, Spec: Spec{Schema: strings.Replace(shopSchema, `"order_id","type":{"type":"string","logicalType":"uuid"}`, `"order","type":"string"`, 1),
			Key: "order", Fields: map[string]Field{"customer_id": {Pool: "customers"}, "city": {Pool: "customers", Fake: "city"}},
			Pools: map[string]Pool{"customers": {Entities: 40}}}},
	}
}

func joined() []Stream {
	s := shop()
	from := s[0].Spec
	from.Seed = 7
	s[1].Spec.From = &from
	return s
}

func TestAMixKeepsItsWeightsAndJoins(t *testing.T) {
	m := mustMix(t, joined()...)
	w := m.Writer()
	const n = 20_000
	counts, keys, towns := make([]int, 2), [2]map[string]bool{{}, {}}, map[int64]string{}
	for i := range uint64(n) {
		fault, of := m.Fate(i)
		got := w.Append(nil, i, of, fault, 0)
		counts[got.Stream]++
		if fault != Healthy {
			continue
		}
		keys[got.Stream][string(got.Key)] = true
		v := decode(t, m.Generator(got.Stream).schema, got.Value[HeaderSize:])
		if id, ok := v["order_id"].(string); ok && id != string(got.Key) || !ok && v["order"] != string(got.Key) {
			t.Fatalf("message %d: key %q, record %v", i, got.Key, v)
		}
		id, city := v["customer_id"].(int64), v["city"].(string)
		if before, known := towns[id]; known && before != city {
			t.Fatalf("customer %d lives in %s and in %s", id, before, city)
		}
		towns[id] = city
	}
	if share := float64(counts[0]) / n; math.Abs(share-0.75) > 0.01 {
		t.Errorf("orders have %.3f of the messages, want 0.75", share)
	}
	if len(keys[0]) != 200 || len(keys[1]) != 200 || len(towns) != 40 {
		t.Errorf("got %d and %d keys and %d customers, want 200, 200 and 40", len(keys[0]), len(keys[1]), len(towns))
	}
	for k := range keys[1] {
		if !keys[0][k] {
			t.Fatalf("refund of an order that is not there: %s", k)
		}
	}
}

func TestFaultsAreWhatTheySay(t *testing.T) {
	m := mustMix(t, joined()...)
	w, schema := m.Writer(), mustSchema(t, shopSchema)
	counts := map[Fault]int{}
	const n = 20_000
	for i := range uint64(n) {
		fault, of := m.Fate(i)
		if m.Of(i) != 0 {
			if fault != Healthy {
				t.Fatal("a fault in a stream without faults")
			}
			continue
		}
		counts[fault]++
		got := w.Append(nil, i, of, fault, 0)
		var v any
		framed := len(got.Value) >= HeaderSize && got.Value[0] == 0
		r := avro.NewReader(bytes.NewReader(got.Value[min(len(got.Value), HeaderSize):]), 4096)
		r.ReadVal(schema, &v)
		whole := r.Error == nil
		if whole {
			r.Peek()
			whole = r.Error != nil
		}
		switch fault {
		case Healthy, Oversize:
			if !framed || !whole || fault == Oversize && len(got.Value) != 3000 {
				t.Fatalf("message %d (%s): %d B, framed %v, whole %v", i, fault, len(got.Value), framed, whole)
			}
		case Duplicate:
			before := w.Append(nil, of, of, Healthy, 0)
			again := w.Append(nil, i, of, Duplicate, 0)
			if of >= i || m.Of(of) != 0 || !bytes.Equal(before.Value, again.Value) || !bytes.Equal(before.Value, got.Value) {
				t.Fatalf("message %d does not repeat message %d", i, of)
			}
		case BadMagic:
			if framed || !whole {
				t.Fatalf("message %d: %x", i, got.Value)
			}
		case UnknownID:
			if string(got.Value[1:5]) != "\x7f\xff\xff\xff" || !whole {
				t.Fatalf("message %d: %x", i, got.Value)
			}
		case NullValue:
			if got.Value != nil || got.Key == nil {
				t.Fatalf("message %d: a tombstone has a key and no value; got %q and %x", i, got.Key, got.Value)
			}
		default: // truncated, corrupt, incompatible
			if !framed || whole {
				t.Fatalf("message %d (%s) can be read: %x", i, fault, got.Value)
			}
		}
	}
	orders := 0.75 * n
	if d := float64(counts[Duplicate]); math.Abs(d-0.05*orders) > 150 {
		t.Errorf("got %v duplicates of about %v", d, 0.05*orders)
	}
	for _, k := range PoisonKinds {
		if c := float64(counts[k]); math.Abs(c-0.05*orders/7) > 50 {
			t.Errorf("%s: got %v of about %v", k, c, 0.05*orders/7)
		}
	}
}

func TestEventTimes(t *testing.T) {
	g := mustGenerator(t, Spec{Schema: shopSchema, Event: EventTime{Field: "created_at",
		Late:       Delay{Share: 0.1, By: Lateness{Exponential: &Spread{Mean: config.Duration(10 * time.Minute), Max: config.Duration(time.Hour)}}},
		OutOfOrder: Delay{Share: 0.2, By: Lateness{Uniform: &Range{Max: config.Duration(5 * time.Second)}}}}})
	w, late, shuffled, onTime := g.Writer(), 0, 0, 0
	var longest time.Duration
	const n = 10_000
	for i := range uint64(n) {
		due := time.UnixMicro(1_790_000_000_000_000 + int64(i)*1000).UTC()
		at := decode(t, g.schema, w.AppendAt(nil, i, due.UnixMicro()))["created_at"].(time.Time)
		switch d := due.Sub(at); {
		case d == 0:
			onTime++
		case d < 0 || d > time.Hour+5*time.Second:
			t.Fatalf("message %d is %v late", i, d)
		case d > 5*time.Second:
			late++
			longest = max(longest, d)
		default:
			shuffled++
		}
	}
	if math.Abs(float64(onTime)/n-0.72) > 0.02 || math.Abs(float64(late)/n-0.1) > 0.01 || longest < 30*time.Minute {
		t.Errorf("%d on time, %d out of order, %d late, by %v at most", onTime, shuffled, late, longest)
	}
}

func TestMixesAllocateNothing(t *testing.T) {
	s := joined()
	s[0].Spec.Faults = Faults{Duplicate: 0.1}
	m := mustMix(t, s...)
	w, buf, n := m.Writer(), make([]byte, 0, 8192), uint64(1000)
	one := func() {
		f, of := m.Fate(n)
		w.Append(buf, n, of, f, 1)
		n++
	}
	for range 100 { // the key's buffer grows once
		one()
	}
	if got := testing.AllocsPerRun(1000, one); got != 0 {
		t.Errorf("got %v allocations a message, want 0", got)
	}
}
