//go:build real

package real

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"weir/test/real/parts"
)

const landed = 1_000_000

// One topic lands on local disk, S3 and HDFS at the same time, all three in a Hive Metastore; each pipeline is killed once.
// The tables must be equal, with nothing lost or doubled, and Spark must read them through the metastore.
func TestOneTopicLandsOnEveryStorage(t *testing.T) {
	broker, metastore, s3, hdfs := parts.Kafka(t), parts.Metastore(t), parts.S3(t), parts.HDFS(t)
	registry := parts.Registry(t, broker)
	first := newBench(t, broker.Addr, registry)
	first.write("profiles/load.yaml", fmt.Sprintf(`apiVersion: weir/v1
kind: LoadProfile
name: load
rate: {start: 40k/s, stages: [{target: 40k/s}]}
volume: {messages: %d}
topic: {name: bank.transactions, partitions: 6}
key: {field: account_id, cardinality: 100k}
`, landed))
	t.Setenv("WEIR_TEST_KEY", s3.Key)
	t.Setenv("WEIR_TEST_SECRET", s3.Secret)
	places := map[string]string{
		"disk": "warehouse: " + t.TempDir(),
		"s3":   fmt.Sprintf("warehouse: s3://weir/warehouse\n  s3: {endpoint: %q, access_key: '${env:WEIR_TEST_KEY}', secret_key: '${env:WEIR_TEST_SECRET}'}", s3.Endpoint),
		"hdfs": "warehouse: " + hdfs + "/warehouse",
	}
	benches := map[string]*bench{}
	for name, place := range places {
		b := &bench{t: t, bin: first.bin, dir: t.TempDir(), at: first.home()}
		b.write("weir.yaml", fmt.Sprintf("apiVersion: weir/v1\nkind: Weir\nkafka: {brokers: [%q]}\nregistry: {url: %q}\nlake:\n  catalog: hive\n  uri: %s\n  %s\n", broker.Addr, registry, metastore, place))
		b.write("units.yaml", "version: 1\nchannels: {all: {console: {path: told.txt}}}\ndefault: [all]\n")
		b.write("jobs/land.yaml", fmt.Sprintf("apiVersion: weir/v1\nkind: Job\nname: land_%s\ningest: {topic: bank.transactions, table: bank_%s.transactions, start: earliest, commit: {rows: 50k, age: 1s}}\n", name, name))
		benches[name] = b
	}
	generator, sentOut, sentErr := first.start("loadgen", "run", "load", "--json")
	time.Sleep(3 * time.Second) // real time: topic and schema are made
	var all sync.WaitGroup
	for name, b := range benches {
		p, _, _ := b.start("pipeline", "run", "land_"+name)
		all.Go(func() {
			time.Sleep(4*time.Second + rand.N(8*time.Second)) // real time: it works for so long
			_ = p.Process.Kill()
			_ = p.Wait()
		})
	}
	all.Wait()
	var sent struct {
		Run  string
		Sent int64
	}
	first.finish(generator, sentOut, sentErr, &sent, 0, 6)

	conf := sparkOnS3(t, s3)
	sums := map[string]string{}
	for name, b := range benches {
		var run struct {
			State   string
			RowsOut int64 `json:"rows_out"`
		}
		c, out, errs := b.start("pipeline", "run", "land_"+name, "--until-caught-up", "--json")
		b.finish(c, out, errs, &run, 0)
		var proof struct{ Sent, Rows, Lost, Doubled, Reordered, Altered int64 }
		c, out, errs = b.start("loadgen", "verify", sent.Run, "--table", "bank_"+name+".transactions", "--json")
		b.finish(c, out, errs, &proof, 0)
		if proof.Lost != 0 || proof.Doubled != 0 || proof.Altered != 0 || proof.Sent != landed || proof.Rows != landed {
			t.Errorf("%s: the proof fails: %s", name, out)
		}
		env := parts.SparkCatalog(metastore, "file:///tmp")
		env["WEIR_SPARK_CONF"] = conf
		sums[name] = b.compareEngines("bank_"+name+".transactions", env)
		t.Logf("%s: %d rows after the kill, proof %+v, sum %s", name, run.RowsOut, proof, sums[name])
	}
	if sums["disk"] != sums["s3"] || sums["disk"] != sums["hdfs"] {
		t.Errorf("the tables differ: %v", sums)
	}
}
