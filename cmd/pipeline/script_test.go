package main

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	sqlcat "github.com/apache/iceberg-go/catalog/sql"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/cli"
	"weir/internal/content"
	"weir/internal/fake"
	"weir/internal/kafka"
	"weir/internal/lake"
	"weir/internal/registry"
)

// TestMain is the program itself where a test, or a story of testdata/script, asks for it in a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv("WEIR_TEST_MAIN") == "pipeline" {
		os.Exit(cli.Main("pipeline", newCommand))
	}
	testscript.Main(m, map[string]func(){"pipeline": func() { os.Exit(cli.Main("pipeline", newCommand)) }})
}

// Each story is what a user types and what the program answers. `exits CODE CMD…` checks the exit code; with `needs broker` in
// its first line a story has a broker and a registry at $BROKERS and $REGISTRY.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("WEIR_HOME", filepath.Join(e.WorkDir, "home"))
			return nil
		},
		// A story that needs root is skipped on a user's machine; in CI it runs, and fails if it cannot.
		Condition: func(cond string) (bool, error) {
			return cond == "root" && (os.Geteuid() == 0 || os.Getenv("CI") == "true"), nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "lastjson": lastJSON, "serve": serve, "produce": produce, "topic": changeTopic, "tmpfs": tmpfs, "emr": serveEMR,
			"rollback": rollback,
		},
	})
}

// exits runs a command and demands its exit code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if x, ok := err.(*exec.ExitError); ok { //nolint:errorlint // Exec returns it bare
		got = x.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// lastjson demands that the last line of stdout is one JSON object with the given keys.
func lastJSON(ts *testscript.TestScript, _ bool, keys []string) {
	lines := strings.Split(strings.TrimSpace(ts.ReadFile("stdout")), "\n")
	var got map[string]any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &got); err != nil {
		ts.Fatalf("last line %q: %v", lines[len(lines)-1], err)
	}
	for _, k := range keys {
		if _, ok := got[k]; !ok {
			ts.Fatalf("no key %s in %v", k, got)
		}
	}
}

// serve starts a broker and a registry for the story, with a topic and its schema.
func serve(ts *testscript.TestScript, _ bool, _ []string) {
	ctx := context.Background() // the story has none; what it starts is closed by Defer
	dir := ts.MkAbs("parts")
	ts.Check(os.MkdirAll(dir, 0o755))
	b, err := kafka.ServeEmbedded(ctx, "127.0.0.1:0", filepath.Join(dir, "kafka"))
	ts.Check(err)
	ts.Defer(func() { b.Close() })
	r, err := registry.ServeEmbedded(ctx, "127.0.0.1:0", filepath.Join(dir, "registry.json"))
	ts.Check(err)
	ts.Defer(func() { r.Close() })
	ts.Setenv("BROKERS", b.Addr())
	ts.Setenv("REGISTRY", r.URL())
	cl, err := kafka.Connect(kafka.Config{Brokers: kafka.Brokers{b.Addr()}})
	ts.Check(err)
	defer cl.Close()
	ts.Check(kafka.EnsureTopic(ctx, cl, "bank.transactions", 2))
	gen, err := content.NewGenerator(content.Spec{})
	ts.Check(err)
	reg, err := registry.New(registry.Config{URL: r.URL()})
	ts.Check(err)
	_, err = reg.Register(ctx, "bank.transactions-value", gen.Schema())
	ts.Check(err)
}

// produce sends messages: `produce good 100`, `produce unknown-schema 1`, `produce wider 1` (a schema with a column more), `produce early 1`
// (of that schema, before the registry knows it), `produce rubbish 1` (bytes that are no text and no Avro).
func produce(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background() // the story has none; what it starts is closed by Defer
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	reg, err := registry.New(registry.Config{URL: ts.Getenv("REGISTRY")})
	ts.Check(err)
	gen, err := content.NewGenerator(content.Spec{})
	ts.Check(err)
	schema := gen.Schema()
	known := schema
	wider := args[0] == "wider" || args[0] == "early"
	if wider {
		schema = strings.Replace(schema, `"fields": [`, `"fields": [{"name":"branch","type":["null","string"],"default":null},`, 1)
		if schema == gen.Schema() {
			ts.Fatalf("the schema was not widened")
		}
	}
	if args[0] != "early" {
		known = schema
	}
	id, err := reg.Register(ctx, "bank.transactions-value", known)
	ts.Check(err)
	if args[0] == "early" {
		id++ // the one that the registry gives next
	}
	if args[0] == "unknown-schema" {
		id = 4711
	}
	cl, err := kafka.Connect(kafka.Config{Brokers: kafka.Brokers{ts.Getenv("BROKERS")}}, kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	ts.Check(err)
	defer cl.Close()
	w := gen.Writer()
	for i := range n {
		v := binary.BigEndian.AppendUint32([]byte{0}, uint32(id))
		if wider {
			v = append(v, 0) // the null branch of the new column
		}
		if v = w.Append(v, uint64(i)); args[0] == "rubbish" {
			v = []byte{0xff, 0x1b, '[', '2', 'J', 0}
		}
		ts.Check(cl.ProduceSync(ctx, &kgo.Record{Topic: "bank.transactions", Value: v}).FirstErr())
	}
}

// changeTopic takes all messages out of the topic (`topic trim`), or deletes it and makes it again (`topic again`).
func changeTopic(ts *testscript.TestScript, _ bool, args []string) {
	const name = "bank.transactions"
	ctx := context.Background() // the story has none
	cl, err := kafka.Connect(kafka.Config{Brokers: kafka.Brokers{ts.Getenv("BROKERS")}})
	ts.Check(err)
	defer cl.Close()
	adm := kadm.NewClient(cl)
	if args[0] == "again" {
		_, err := adm.DeleteTopics(ctx, name)
		ts.Check(err)
		ts.Check(kafka.EnsureTopic(ctx, cl, name, 2))
		return
	}
	ends, err := adm.ListEndOffsets(ctx, name)
	ts.Check(err)
	_, err = adm.DeleteRecords(ctx, ends.Offsets())
	ts.Check(err)
}

// tmpfs mounts a small disk: `tmpfs DIR SIZE`. It needs root.
func tmpfs(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+args[1]); err != nil {
		ts.Fatalf("mount: %v", err)
	}
	ts.Defer(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
}

// rollback takes a table's newest snapshot out, as another engine does.
func rollback(ts *testscript.TestScript, _ bool, args []string) {
	db, err := sql.Open("sqlite", ts.MkAbs("home/catalog.db"))
	ts.Check(err)
	defer db.Close()
	cat, err := sqlcat.NewCatalog(lake.CatalogName, db, sqlcat.SQLite, nil)
	ts.Check(err)
	t, err := cat.LoadTable(context.Background(), strings.Split(args[0], "."))
	ts.Check(err)
	tx := t.NewTransaction()
	ts.Check(tx.RollbackToSnapshot(*t.CurrentSnapshot().ParentSnapshotID))
	_, err = tx.Commit(context.Background())
	ts.Check(err)
}

// serveEMR starts an EMR at $EMR, which runs what is submitted with the story's own spark-submit; its arguments are how the next
// calls fail.
func serveEMR(ts *testscript.TestScript, _ bool, faults []string) {
	e := fake.NewEMR()
	submit := ts.MkAbs("spark-submit")
	e.Run = func(ctx context.Context, args []string) error {
		c := exec.CommandContext(ctx, "sh", append([]string{submit}, args...)...)
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
		return c.Run()
	}
	for _, f := range faults {
		e.Next(fake.Fault(f))
	}
	ts.Defer(e.Close)
	ts.Setenv("EMR", e.URL())
	for k, v := range map[string]string{"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "eu-central-1"} {
		ts.Setenv(k, v)
	}
}
