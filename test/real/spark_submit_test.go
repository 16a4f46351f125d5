//go:build real

package real

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/test/real/parts"
)

// One stream goes from Go to Spark and back, with a kill of each: every message is there once. The same report file gives the same
// rows on both.
func TestAStreamGoesFromOneEngineToTheOther(t *testing.T) {
	broker := parts.Kafka(t)
	b := newBench(t, broker.Addr, parts.Registry(t, broker))
	submit := parts.SparkSubmitCommand(t)
	b.write("profiles/hand.yaml", `apiVersion: weir/v1
kind: LoadProfile
name: hand
rate: {start: 20k/s, stages: [{target: 20k/s}]}
volume: {messages: 200000}
topic: {name: bank.transactions, partitions: 6}
key: {field: account_id, cardinality: 100k}
`)
	b.write("jobs/totals.yaml", `apiVersion: weir/v1
kind: Job
name: totals
report: {query: "SELECT _kafka.partition AS part, CAST(count(*) AS BIGINT) AS n, CAST(sum(_kafka.offset) AS BIGINT) AS sums FROM bank.transactions GROUP BY 1", table: bank.totals, mode: replace}
`)
	var sent struct {
		Run  string
		Sent int64
	}
	generator, sentOut, sentErr := b.start("loadgen", "run", "hand", "--json")
	time.Sleep(4 * time.Second) // real time: topic and schema are made
	p, _, _ := b.start("pipeline", "run", "transactions")
	time.Sleep(3 * time.Second) // real time: it works for so long
	_ = p.Process.Kill()
	_ = p.Wait()

	on := func(job string) (*exec.Cmd, *bytes.Buffer, *bytes.Buffer) {
		return b.start("pipeline", "submit", job, "--to", "local", "--spark-submit", submit, "--json")
	}
	c, _, _ := on("transactions")
	time.Sleep(8*time.Second + rand.N(6*time.Second)) // real time: somewhere in its work
	_ = syscall.Kill(c.Process.Pid, syscall.SIGKILL)
	_ = c.Wait()
	time.Sleep(2 * time.Second) // real time: what it started ends with it

	var run struct {
		State   string
		RowsOut int64 `json:"rows_out"`
	}
	c, out, errs := on("transactions")
	b.finish(c, out, errs, &run, 0)
	t.Logf("Spark: %+v", run)
	b.finish(generator, sentOut, sentErr, &sent, 0, 6)
	p, _, _ = b.start("pipeline", "run", "transactions") // mends the property
	time.Sleep(2 * time.Second)                          // real time: it works for so long
	_ = p.Process.Kill()
	_ = p.Wait()
	c, out, errs = on("transactions")
	b.finish(c, out, errs, &run, 0)
	t.Logf("Spark again: %+v", run)
	c, out, errs = b.start("pipeline", "run", "transactions", "--until-caught-up", "--json")
	b.finish(c, out, errs, &run, 0)
	var proof struct{ Sent, Rows, Lost, Doubled, Reordered, Altered int64 }
	c, out, errs = b.start("loadgen", "verify", sent.Run, "--table", "bank.transactions", "--json")
	b.finish(c, out, errs, &proof, 0)
	if proof.Lost != 0 || proof.Doubled != 0 || proof.Altered != 0 || proof.Rows != 200000 {
		t.Errorf("the proof fails: %s", out)
	}

	rows := func() string {
		q := exec.Command(filepath.Join(b.bin, "pipeline"), "sql", "SELECT * FROM bank.totals ORDER BY 1", "--home", b.home(), "--json")
		q.Dir = b.dir
		text, err := q.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		return string(text)
	}
	c, out, errs = b.start("pipeline", "run", "totals", "--json")
	b.finish(c, out, errs, &run, 0)
	here := rows()
	c, out, errs = on("totals")
	b.finish(c, out, errs, &run, 0)
	if there := rows(); there != here || strings.Count(here, "\n") == 0 {
		t.Errorf("Spark's report\n%s\ndiffers from Go's\n%s", there, here)
	}
	c, out, errs = b.start("pipeline", "run", "totals", "--json") // and Go goes on from Spark's cursor
	b.finish(c, out, errs, &run, 0)
	t.Log(fmt.Sprint(proof, here))
}
