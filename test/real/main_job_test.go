//go:build real

package real

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/test/real/parts"
)

const messages = 2_000_000

// bench is an installation against real parts, driven as its user would drive it: by the programs.
type bench struct {
	t        testing.TB
	bin, dir string
	at       string // its home, if that is not below dir
}

func newBench(t testing.TB, brokers, registry string) *bench {
	t.Helper()
	b := &bench{t: t, bin: t.TempDir(), dir: t.TempDir()}
	build := exec.Command("go", "build", "-o", b.bin, "weir/cmd/pipeline", "weir/cmd/loadgen")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	b.write("weir.yaml", fmt.Sprintf("apiVersion: weir/v1\nkind: Weir\nkafka: {brokers: [%q]}\nregistry: {url: %q}\n", brokers, registry))
	b.write("units.yaml", "version: 1\nchannels: {all: {console: {path: told.txt}}}\ndefault: [all]\n")
	b.write("jobs/transactions.yaml", `apiVersion: weir/v1
kind: Job
name: transactions
ingest:
  topic: bank.transactions
  table: bank.transactions
  start: earliest
  commit: {rows: 100k, age: 1s}
`)
	b.write("profiles/main.yaml", fmt.Sprintf(`apiVersion: weir/v1
kind: LoadProfile
name: main
rate: {start: 10k/s, stages: [{duration: 5s, target: 40k/s}, {target: 40k/s}]}
volume: {messages: %d}
topic: {name: bank.transactions, partitions: 6}
key: {field: account_id, cardinality: 100k}
producer: {acks: all, idempotent: true, linger: 5ms}
`, messages))
	return b
}

func (b *bench) write(name, text string) {
	b.t.Helper()
	path := filepath.Join(b.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) home() string {
	if b.at != "" {
		return b.at
	}
	return filepath.Join(b.dir, ".weir")
}

// start runs a program in the installation's directory.
func (b *bench) start(program string, args ...string) (c *exec.Cmd, out, errs *bytes.Buffer) {
	b.t.Helper()
	out, errs = &bytes.Buffer{}, &bytes.Buffer{}
	c = exec.Command(filepath.Join(b.bin, program), append(args, "--home", b.home())...)
	c.Dir, c.Stdout, c.Stderr = b.dir, out, errs
	if err := c.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	return c, out, errs
}

// finish waits for a program with --json and decodes its last line. codes are the exit codes that are expected.
func (b *bench) finish(c *exec.Cmd, out, errs *bytes.Buffer, into any, codes ...int) {
	b.t.Helper()
	_ = c.Wait()
	ok := false
	for _, code := range codes {
		ok = ok || c.ProcessState.ExitCode() == code
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if !ok {
		b.t.Fatalf("%s ended with %d\n%s\n%s", strings.Join(c.Args, " "), c.ProcessState.ExitCode(), out, errs)
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), into); err != nil {
		b.t.Fatalf("%s: last line %q: %v", strings.Join(c.Args, " "), lines[len(lines)-1], err)
	}
}

// The main job on Apache Kafka and a real registry: two million messages; meanwhile the pipeline is killed ten times and the
// broker once. The table must hold each message once, and Spark must read the same rows from it as DuckDB.
func TestTheMainJobOnRealParts(t *testing.T) {
	broker := parts.Kafka(t)
	b := newBench(t, broker.Addr, parts.Registry(t, broker))
	generator, sentOut, sentErr := b.start("loadgen", "run", "main", "--json")
	began := time.Now()
	time.Sleep(4 * time.Second) // real time: topic and schema are made
	for kill := range 10 {
		p, _, _ := b.start("pipeline", "run", "transactions")
		time.Sleep(2*time.Second + rand.N(2*time.Second)) // real time: it works for so long
		if kill == 5 {
			broker.Kill(t)
			time.Sleep(time.Second) // real time: the broker is away
			broker.Start(t)
			time.Sleep(2 * time.Second) // real time: the same pipeline goes on
		}
		if err := p.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = p.Wait()
	}
	var sent struct {
		Run     string
		Sent    int64
		Errors  int64
		Verdict string
		Reason  string
	}
	b.finish(generator, sentOut, sentErr, &sent, 0, 6) // a broker that is away may cost it the schedule, which it must say
	t.Logf("sent %d, errors %d, verdict %s %s, %v", sent.Sent, sent.Errors, sent.Verdict, sent.Reason, time.Since(began).Round(time.Second))

	var run struct{ State string }
	c, out, errs := b.start("pipeline", "run", "transactions", "--until-caught-up", "--json")
	b.finish(c, out, errs, &run, 0)
	var proof struct {
		Sent, Rows, Lost, Doubled, Reordered, Altered, Quarantined, Unknown int64
	}
	c, out, errs = b.start("loadgen", "verify", sent.Run, "--json")
	b.finish(c, out, errs, &proof, 0)
	t.Logf("proof: %+v", proof)
	if proof.Lost != 0 || proof.Doubled != 0 || proof.Altered != 0 || proof.Sent != messages || proof.Rows != messages {
		t.Errorf("the proof fails: %s", out)
	}
	b.compareEngines("bank.transactions", parts.SparkCatalog("jdbc:sqlite:"+filepath.Join(b.home(), "catalog.db"), filepath.Join(b.home(), "warehouse")))
}

// compareEngines sums the same expressions over all rows with DuckDB, through our program, and with Spark, through the shared
// catalog. Numbers are compared as text in forms that both engines write alike.
func (b *bench) compareEngines(table string, spark map[string]string) (sum string) {
	b.t.Helper()
	common := []string{
		"transaction_id", "account_id", "counterparty", "cast(amount as string)", "coalesce(cast(fee as string), 'null')", "currency", "country", "channel",
		"cast(merchant.id as string)", "merchant.name", "merchant.city", "cast(merchant.category as string)", "coalesce(card, 'null')", "cast(contactless as string)",
		"reference", "cast(value_date as string)", "_kafka.topic", "cast(_kafka.`partition` as string)", "cast(_kafka.`offset` as string)", "_load.run", "cast(_load.seq as string)",
	}
	theirsIs := append(append([]string{}, common...), "cast(unix_micros(booked_at) as string)", "concat_ws(',', tags)", "cast(unix_micros(_load.intended) as string)")
	duck := append(append([]string{}, common...), "cast(epoch_us(booked_at) as string)", "array_to_string(tags, ',')", "cast(epoch_us(_load.intended) as string)")
	for i := range duck {
		duck[i] = strings.ReplaceAll(duck[i], "`", `"`)
	}
	query := fmt.Sprintf("select count(*) as n, sum(('0x' || substr(md5(concat_ws('|', %s)), 1, 8))::BIGINT)::VARCHAR as c from %s", strings.Join(duck, ", "), table)
	c, out, errs := b.start("pipeline", "sql", query, "--json")
	var ours struct{ Rows [][]any }
	b.finish(c, out, errs, &ours, 0)
	var theirs struct {
		Rows     int64
		Checksum json.Number
	}
	printed := strings.TrimSpace(parts.SparkSubmit(b.t, "checksum.py", spark, append([]string{"weir." + table}, theirsIs...)...))
	lines := strings.Split(printed, "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &theirs); err != nil {
		b.t.Fatalf("spark printed %q: %v", printed, err)
	}
	b.t.Logf("DuckDB %v, Spark %d rows, checksum %s", ours.Rows[0], theirs.Rows, theirs.Checksum)
	if fmt.Sprint(ours.Rows[0][0]) != fmt.Sprint(float64(theirs.Rows)) || ours.Rows[0][1] != theirs.Checksum.String() {
		b.t.Errorf("DuckDB reads %v, Spark %d rows with checksum %s", ours.Rows[0], theirs.Rows, theirs.Checksum)
	}
	return fmt.Sprint(ours.Rows[0]...)
}
