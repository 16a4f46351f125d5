//go:build real

package real

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/content"
	"weir/internal/kafka"
	"weir/internal/load"
	"weir/internal/stamp"
	"weir/internal/verify"
	"weir/test/real/parts"
)

const allFaults = `apiVersion: weir/v1
kind: LoadProfile
name: faulty
seed: 11
rate: {stages: [{target: 6k/s}]}
volume: {messages: 60k}
pools: {customers: {entities: 500, distribution: zipf}}
mix:
  - name: orders
    weight: 3
    topic: {name: shop.orders, partitions: 6}
    value:
      schema: {file: order1.avsc}
      fields: {customer: {pool: customers}}
      evolve: {file: %s, from: 30k, fields: {discount: {uniform: {min: 1, max: 50}}}}
    key: {field: order_id, cardinality: 300}
    size: {distribution: lognormal, median: 400, p99: 2KiB, max: 16KiB}
    event_time: {field: created_at, late: {share: 5%%, by: {exponential: {mean: 10m, max: 1h}}}, out_of_order: {share: 10%%, by: {uniform: {min: 1ms, max: 2s}}}}
    faults: {duplicate: 2%%, out_of_order: 2%%, poison: {share: 3%%, oversize: 600KiB, kinds: [bad_magic, unknown_schema_id, truncated, corrupt, null_value, incompatible, oversize]}}
  - name: refunds
    weight: 1
    topic: {name: shop.refunds, partitions: 3}
    value: {schema: {file: order1.avsc}, fields: {customer: {pool: customers}}}
    key: {from: orders, field: order_id}
    faults: {duplicate: 1%%}
producer: {transaction: {messages: 300, abort: 5%%}}
`

func orderSchema(customer, more string) string {
	return `{"type":"record","name":"Order","fields":[{"name":"order_id","type":"string"},{"name":"customer","type":"` + customer + `"},
 {"name":"created_at","type":{"type":"long","logicalType":"timestamp-micros"}},{"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}},` + more + `{"name":"note","type":"string"}]}`
}

// onTopic is what a reader of committed messages finds on a topic of a run, counted without the proof.
type onTopic struct {
	rows, refused, evolved, behind, aborted int64
	faults                                  map[content.Fault]int64
}

// look reads a topic of a run and holds each message against what its number decides.
func look(t *testing.T, broker string, m *load.Manifest, stream int) onTopic {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	name := m.Streams[stream].Topic
	mix, err := m.Mix()
	if err != nil {
		t.Fatal(err)
	}
	seen := onTopic{faults: map[content.Fault]int64{}}
	there, highest := map[uint64]bool{}, map[[2]int32]int64{}
	for _, r := range readTopic(ctx, t, broker, name) {
		s, ok := stamp.Parse(r.Headers[0].Value)
		n := uint64(s.Seq)*uint64(len(m.Shards)) + uint64(s.Shard)
		if !ok || s.Run.String() != m.Run || there[n] || mix.Of(n) != stream {
			t.Fatalf("%s[%d]@%d: message %d of stream %d, stamped %v, seen %v", name, r.Partition, r.Offset, n, mix.Of(n), ok, there[n])
		}
		there[n] = true
		if m.Aborted(n) {
			seen.aborted++
		}
		fault, of := mix.Fate(n)
		seen.faults[fault]++
		switch {
		case fault.Refused():
			seen.refused++
			continue
		case mix.Evolved(stream, of):
			seen.evolved++
		}
		seen.rows++
		lane := [2]int32{r.Partition, s.Shard}
		if fault == content.OutOfOrder && s.Seq < highest[lane] {
			seen.behind++
		}
		if fault != content.OutOfOrder {
			highest[lane] = max(highest[lane], s.Seq)
		}
	}
	return seen
}

// readTopic gives all committed messages of a topic, partition by partition in order.
func readTopic(ctx context.Context, t *testing.T, broker, name string) (all []*kgo.Record) {
	t.Helper()
	cl := connect(t, broker, kgo.ConsumeTopics(name), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.KeepControlRecords())
	open, err := kafka.Ends(ctx, cl, name)
	if err != nil {
		t.Fatal(err)
	}
	for p, end := range open {
		if end == 0 {
			delete(open, p)
		}
	}
	for len(open) > 0 {
		f := cl.PollFetches(ctx)
		if err := f.Err(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		f.EachRecord(func(r *kgo.Record) {
			if end, ok := open[r.Partition]; ok && r.Offset+1 >= end {
				delete(open, r.Partition)
			}
			if !r.Attrs.IsControl() {
				all = append(all, r)
			}
		})
	}
	return all
}

// Every kind of fault at once on Apache Kafka: two topics in one transaction after the other, some aborted; duplicates, late events,
// messages out of order, all kinds of poison, a second schema in the middle; and the generator is killed and resumed. The proof's
// counts are those of a reader of the topic.
func TestEveryFaultOnRealParts(t *testing.T) {
	broker := parts.Kafka(t)
	b := newBench(t, broker.Addr, parts.Registry(t, broker))
	b.write("profiles/faulty.yaml", fmt.Sprintf(allFaults, "order2.avsc"))
	b.write("profiles/breaking.yaml", fmt.Sprintf(allFaults, "breaking.avsc"))
	b.write("profiles/order1.avsc", orderSchema("long", ""))
	b.write("profiles/order2.avsc", orderSchema("long", `{"name":"discount","type":"int","default":0},`))
	b.write("profiles/breaking.avsc", orderSchema("string", `{"name":"discount","type":"int"},`))
	for _, name := range []string{"orders", "refunds"} {
		b.write("jobs/"+name+".yaml", "apiVersion: weir/v1\nkind: Job\nname: "+name+"\ningest: {topic: shop."+name+", table: shop."+name+", start: earliest, quarantine: {max_share: 50%}, commit: {rows: 10k, age: 1s}}\n")
	}
	// A second schema that the registry's policy does not allow ends the run before its first message.
	p, out, errs := b.start("loadgen", "run", "breaking")
	_ = p.Wait()
	if code := p.ProcessState.ExitCode(); code != 1 || !strings.Contains(errs.String(), "register the second schema of value.evolve") || !strings.Contains(errs.String(), "not compatible") || strings.Count(errs.String(), "error:") != 1 {
		t.Errorf("an incompatible schema: exit code %d\n%s%s", code, out, errs)
	}
	t.Logf("incompatible: %s", errs)

	var sum load.Summary
	p, out, errs = b.start("loadgen", "run", "faulty", "--json")
	b.killHalfway(p, 15_000)
	p, out, errs = b.start("loadgen", "resume", "--json")
	b.finish(p, out, errs, &sum, 0, 6)
	if sum.Resumed != 1 || sum.Sent != 60_000 {
		t.Errorf("resumed %d times, sent %d of 60000 messages", sum.Resumed, sum.Sent)
	}
	for _, job := range []string{"orders", "refunds"} {
		p, out, errs = b.start("pipeline", "run", job, "--until-caught-up", "--json")
		b.finish(p, out, errs, &struct{}{}, 0)
	}
	var proof verify.Result
	p, out, errs = b.start("loadgen", "verify", sum.Run, "--json")
	b.finish(p, out, errs, &proof, 0)
	t.Logf("sent %d, faults %v, aborted %d", sum.Sent, sum.Faults, sum.Aborted)
	if len(proof.Tables) != 2 || len(sum.Faults) != 9 || sum.Errors != 0 {
		t.Fatalf("%d tables, %d kinds of faults, %d errors\n%s", len(proof.Tables), len(sum.Faults), sum.Errors, errs)
	}
	m, err := load.ReadManifest(b.home(), sum.Run)
	if err != nil {
		t.Fatal(err)
	}
	var there, aborted int64
	for i, r := range proof.Tables {
		want := look(t, broker.Addr, m, i)
		t.Logf("%s: proof: rows %d, quarantined %d, out of order %d, aborted %d; on the topic: %+v", r.Table, r.Rows, r.Quarantined, r.OutOfOrder, r.Aborted, want)
		if r.Rows != want.rows || r.Quarantined != want.refused || r.Poison != want.refused || r.OutOfOrder != want.behind || want.aborted != 0 {
			t.Errorf("%s: the proof says %+v\nthe topic %+v", r.Table, r, want)
		}
		if r.Lost+r.Doubled+r.Altered+r.Reordered+r.Unexplained+r.Unknown+r.OrderUnchecked != 0 || r.Sent != want.rows+want.refused {
			t.Errorf("%s: %+v", r.Table, r)
		}
		there, aborted = there+r.Sent, aborted+r.Aborted
		// And by SQL, which knows nothing of either: rows, rows of the second schema, refused records.
		query := "select count(*), 0 from " + r.Table
		if i == 0 {
			query = "select count(*), count(discount) from " + r.Table
			if want.evolved == 0 || want.behind == 0 || want.faults[content.Oversize] == 0 {
				t.Errorf("a fault did not happen: %+v", want)
			}
		} else {
			want.evolved = 0
		}
		if got := b.counts(query); got[0] != want.rows || got[1] != want.evolved {
			t.Errorf("%s: SQL counts %v, want %d rows, %d of them with the second schema", r.Table, got, want.rows, want.evolved)
		}
		if i == 0 {
			if got := b.counts("select count(*), count(distinct reason) from " + r.Table + "__quarantine"); got[0] != want.refused || got[1] < 4 {
				t.Errorf("%s: SQL counts %v refused records and reasons, want %d", r.Table, got, want.refused)
			}
		}
	}
	if aborted != sum.Aborted || aborted == 0 || there+aborted != sum.Sent {
		t.Errorf("%d there and %d aborted of %d sent; the run says %d aborted", there, aborted, sum.Sent, sum.Aborted)
	}
}

// killHalfway kills a generator with SIGKILL once its manifest knows of so many messages.
func (b *bench) killHalfway(p *exec.Cmd, messages int64) {
	b.t.Helper()
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); time.Sleep(50 * time.Millisecond) { // real time: it works
		if m, err := load.ReadManifest(b.home(), "last"); err == nil && m.State == load.Running && m.Streams[0].Messages >= messages {
			if err := p.Process.Kill(); err != nil {
				b.t.Fatal(err)
			}
			_ = p.Wait()
			return
		}
	}
	b.t.Fatalf("the generator does not send %d messages in a minute", messages)
}

// counts runs a query of two numbers.
func (b *bench) counts(query string) (n [2]int64) {
	b.t.Helper()
	var got struct{ Rows [][]float64 }
	p, out, errs := b.start("pipeline", "sql", query, "--json")
	b.finish(p, out, errs, &got, 0)
	return [2]int64{int64(got.Rows[0][0]), int64(got.Rows[0][1])}
}
