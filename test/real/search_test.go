//go:build real

package real

import (
	"math"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/test/real/parts"
)

// A broker that lets producers have so many bytes a second and no more: two searches agree, and with what the quota allows.
func TestTwoSearchesOnARealBrokerAgree(t *testing.T) {
	const quota = 3_000_000
	t.Setenv("WEIR_KAFKA_SETTINGS", "quota.window.num=2") // of a second each; the default lets ten seconds of idleness be used up at once
	broker := parts.Kafka(t)
	b := newBench(t, broker.Addr, parts.Registry(t, broker))
	b.write("profiles/search.yaml", `apiVersion: weir/v1
kind: LoadProfile
name: search
rate: {stages: [{target: 1k/s, duration: 5s}]}
topic: {name: bank.search, partitions: 4}
size: {distribution: constant, bytes: 300}
producer: {linger: 5ms}
`)
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker.Addr))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	all, err := kadm.NewClient(cl).AlterClientQuotas(t.Context(), []kadm.AlterClientQuotaEntry{{
		Entity: kadm.ClientQuotaEntity{{Type: "client-id"}}, Ops: []kadm.AlterClientQuotaOp{{Key: "producer_byte_rate", Value: quota}},
	}})
	if err != nil || all[0].Err != nil {
		t.Fatal(err, all)
	}
	find := func() (capacity float64) {
		t.Helper()
		began := time.Now()
		c, out, errs := b.start("loadgen", "search", "search", "--slo", "p99<500ms", "--from", "5k/s", "--to", "40k/s", "--trial", "3s", "--warmup", "1s",
			"--settle", "500ms", "--precision", "15%", "--max-time", "90s", "--json")
		var r struct {
			Verdict, Confidence string
			Capacity            float64
		}
		b.finish(c, out, errs, &r, 0)
		t.Logf("%s %.0f/s, confidence %s, after %v\n%s", r.Verdict, r.Capacity, r.Confidence, time.Since(began).Round(time.Second), errs)
		if r.Verdict != "capacity" {
			t.Errorf("got %s\n%s", r.Verdict, out)
		}
		return r.Capacity
	}
	first, second := find(), find()
	if d := math.Abs(first/second - 1); d > 0.10 {
		t.Errorf("%.0f/s, then %.0f/s: %.1f %% apart", first, second, 100*d)
	}
	// 300 bytes of value, the stamp and the batch's share: what the quota counts is a little more.
	if most := quota / 300.0; first > 1.1*most || first < 0.6*most {
		t.Errorf("%.0f/s: the quota allows less than %.0f/s", first, most)
	}
}
