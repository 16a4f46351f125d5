package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/kafka"
	"weir/internal/lake"
	"weir/internal/load"
	"weir/internal/project"
	"weir/internal/prove"
	"weir/internal/registry"
)

// yard is an installation whose broker and registry live in the test, so that they survive what is done to the pipelines.
type yard struct {
	t     *testing.T
	dir   string
	kafka kafka.Config
	reg   *registry.Client
}

func newYard(t *testing.T, job string) *yard {
	t.Helper()
	y := &yard{t: t, dir: t.TempDir()}
	broker, err := kafka.ServeEmbedded(t.Context(), "127.0.0.1:0", filepath.Join(y.dir, "broker"))
	y.ok(err)
	t.Cleanup(func() { broker.Close() })
	reg, err := registry.ServeEmbedded(t.Context(), "127.0.0.1:0", filepath.Join(y.dir, "registry.json"))
	y.ok(err)
	t.Cleanup(func() { reg.Close() })
	y.kafka = kafka.Config{Brokers: kafka.Brokers{broker.Addr()}}
	y.reg, err = registry.New(registry.Config{URL: reg.URL()})
	y.ok(err)
	y.write("weir.yaml", fmt.Sprintf("apiVersion: weir/v1\nkind: Weir\nkafka: {brokers: [%q]}\nregistry: {url: %q}\n", broker.Addr(), reg.URL()))
	y.write("units.yaml", "version: 1\nchannels: {all: {console: {path: told.txt}}}\ndefault: [all]\n")
	y.write("jobs/transactions.yaml", job)
	return y
}

const streamJob = `apiVersion: weir/v1
kind: Job
name: transactions
ingest:
  topic: bank.transactions
  table: bank.transactions
  start: earliest
  commit: {rows: 5k, age: 100ms}
`

func (y *yard) ok(err error) {
	y.t.Helper()
	if err != nil {
		y.t.Fatal(err)
	}
}

func (y *yard) write(name, text string) {
	y.t.Helper()
	path := filepath.Join(y.dir, name)
	y.ok(os.MkdirAll(filepath.Dir(path), 0o755))
	y.ok(os.WriteFile(path, []byte(text), 0o600))
}

func (y *yard) home() string { return filepath.Join(y.dir, ".weir") }

// pipeline starts the program in a process of its own: this test's binary, told to be it.
func (y *yard) pipeline(args ...string) (*exec.Cmd, *bytes.Buffer) {
	y.t.Helper()
	var out bytes.Buffer
	c := exec.Command(os.Args[0], append(args, "--home", y.home(), "--project", y.dir)...)
	c.Env = append(os.Environ(), "WEIR_TEST_MAIN=pipeline")
	c.Stdout, c.Stderr = &out, &out
	y.ok(c.Start())
	y.t.Cleanup(func() { _ = c.Process.Kill() })
	return c, &out
}

// load sends messages by a schedule; the topic and the schema are there before it returns the channel of its result.
func (y *yard) load(count int, rate string) (profile *load.Profile, done chan load.Summary) {
	y.t.Helper()
	p, err := load.Parse("test.yaml", fmt.Appendf(nil, `apiVersion: weir/v1
kind: LoadProfile
name: test
rate: {start: %s, stages: [{target: %s}]}
volume: {messages: %d}
topic: {name: bank.transactions, partitions: 4}
`, rate, rate, count))
	y.ok(err)
	mix, err := p.Compile()
	y.ok(err)
	cl, err := kafka.Connect(y.kafka)
	y.ok(err)
	defer cl.Close()
	y.ok(kafka.EnsureTopic(y.t.Context(), cl, p.Topic.Name, int(p.Topic.Partitions)))
	_, err = y.reg.Register(y.t.Context(), p.Topic.Name+"-value", mix.Generator(0).Schema())
	y.ok(err)
	done = make(chan load.Summary, 1)
	go func() {
		s, err := load.Run(y.t.Context(), load.Options{
			Profile: p, Home: y.home(), Register: y.reg.Register,
			Connect: func(o ...kgo.Opt) (*kgo.Client, error) { return kafka.Connect(y.kafka, o...) },
		})
		if err != nil {
			y.t.Error(err)
		}
		done <- s
	}()
	return p, done
}

// everyRowOnce reads the whole table: each position of the topic is there exactly once, and the generator's own proof holds.
func (y *yard) everyRowOnce(sent load.Summary) {
	y.t.Helper()
	l := y.lake()
	defer l.Close()
	rows := y.everyPositionOnce(l, "bank.transactions")["bank.transactions"]
	v, err := prove.Run(y.t.Context(), y.home(), sent.Run, "", l, nil)
	y.ok(err)
	if !v.Good() || v.Rows != sent.Acked || v.Rows != rows {
		y.t.Errorf("the proof: %+v; acknowledged %d, in the topic %d", v, sent.Acked, rows)
	}
}

func (y *yard) lake() *lake.Lake {
	y.t.Helper()
	l, err := lake.Open(y.t.Context(), lake.Config{Catalog: filepath.Join(y.home(), "catalog.db"), Warehouse: filepath.Join(y.home(), "warehouse")})
	y.ok(err)
	return l
}

// everyPositionOnce holds the topic against some tables: each position is in one of them, once. It returns the rows of each table.
func (y *yard) everyPositionOnce(l *lake.Lake, tables ...string) map[string]int64 {
	y.t.Helper()
	ctx := y.t.Context()
	seen, rows := map[int32]map[int64]int{}, map[string]int64{}
	for _, name := range tables {
		tbl, err := l.Table(ctx, name)
		y.ok(err)
		plan, err := tbl.Plan(ctx)
		y.ok(err)
		for c, err := range tbl.Scan(ctx, plan) {
			y.ok(err)
			k := c.Batch.Column(c.Batch.Schema().FieldIndices("_kafka")[0]).(*array.Struct)
			parts, offsets := k.Field(1).(*array.Int32), k.Field(2).(*array.Int64)
			rows[name] += int64(k.Len())
			for i := range k.Len() {
				p := parts.Value(i)
				if seen[p] == nil {
					seen[p] = map[int64]int{}
				}
				seen[p][offsets.Value(i)]++
			}
		}
	}
	cl, err := kafka.Connect(y.kafka)
	y.ok(err)
	defer cl.Close()
	ends, err := kafka.Ends(ctx, cl, "bank.transactions")
	y.ok(err)
	for p, end := range ends {
		for o := range end {
			if n := seen[p][o]; n != 1 {
				y.t.Errorf("partition %d offset %d is there %d times", p, o, n)
			}
		}
		if int64(len(seen[p])) != end {
			y.t.Errorf("partition %d has %d rows, the topic has %d", p, len(seen[p]), end)
		}
	}
	return rows
}

// The pipeline is killed with SIGKILL at random moments while a load is on, again and again; the last one catches up.
func TestKilledTwelveTimes(t *testing.T) {
	job, raw := rawJob(t)
	y := newYard(t, job)
	_, done := y.load(60_000, "10k/s")
	const kills = 12
	for range kills {
		c, _ := y.pipeline("run", "transactions")
		time.Sleep(250*time.Millisecond + rand.N(400*time.Millisecond)) // real time: a process lives for so long
		y.ok(c.Process.Kill())
		_ = c.Wait()
	}
	sent, before := <-done, y.rows()
	c, out := y.pipeline("run", "transactions", "--until-caught-up", "--json")
	if err := within(t, c); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("%d kills, %d messages, %d rows before the last start", kills, sent.Acked, before)
	y.everyRowOnce(sent)
	y.rawOnce(raw)
}

// A worker is stopped in its tracks (SIGSTOP), a second one takes over and commits, then the first wakes up: it is told that
// the cursor has moved, and ends.
func TestAZombieIsFenced(t *testing.T) {
	job, raw := rawJob(t)
	y := newYard(t, job)
	_, done := y.load(40_000, "10k/s")
	zombie, said := y.pipeline("run", "transactions")
	y.waitForRows(1)
	y.ok(zombie.Process.Signal(syscall.SIGSTOP))
	had := y.rows()
	second, _ := y.pipeline("run", "transactions")
	y.waitForRows(had + 5000)
	y.ok(zombie.Process.Signal(syscall.SIGCONT))
	var exit *exec.ExitError
	if err := within(t, zombie); !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(said.String(), "another worker has moved the cursor") {
		t.Errorf("the zombie ended with %v and said: %s", err, said)
	}
	sent := <-done
	y.ok(second.Process.Signal(syscall.SIGINT))
	_ = within(t, second)
	c, out := y.pipeline("run", "transactions", "--until-caught-up")
	if err := c.Wait(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	y.everyRowOnce(sent)
	y.rawOnce(raw)
}

func within(t *testing.T, c *exec.Cmd) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	select {
	case err := <-done:
		return err
	case <-time.After(40 * time.Second):
		t.Fatal("the process does not end")
		return nil
	}
}

func (y *yard) rows() (n int64) {
	y.t.Helper()
	l, err := lake.Open(y.t.Context(), (&project.Project{Home: y.home()}).Lake())
	y.ok(err)
	defer l.Close()
	tbl, err := l.Table(y.t.Context(), "bank.transactions")
	if errors.Is(err, lake.ErrNoTable) {
		return 0
	}
	y.ok(err)
	p, err := tbl.Plan(y.t.Context())
	y.ok(err)
	for _, f := range p.Files {
		n += f.Rows
	}
	return n
}

func (y *yard) waitForRows(n int64) {
	y.t.Helper()
	ctx, cancel := context.WithTimeout(y.t.Context(), 30*time.Second)
	defer cancel()
	for y.rows() < n {
		select {
		case <-ctx.Done():
			y.t.Fatalf("%d rows after 30 s, want %d", y.rows(), n)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
