package payments

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	internalkafka "weir/internal/kafka"
	"weir/minibatch"
	"weir/minibatch/kafka"
	"weir/minibatch/minibatchtest"
	"weir/minibatch/table"
)

// broker has a topic with seven payments in two partitions, of which two cannot be taken.
func broker(t *testing.T) []string {
	t.Helper()
	b, err := internalkafka.ServeEmbedded(t.Context(), "127.0.0.1:0", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	cl, err := internalkafka.Connect(internalkafka.Config{Brokers: internalkafka.Brokers{b.Addr()}}, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := internalkafka.EnsureTopic(t.Context(), cl, "payments", 2); err != nil {
		t.Fatal(err)
	}
	for i, customer := range []string{"ann", "bob", "ann", "nobody", "bob", "ann"} {
		text := fmt.Sprintf(`{"ID":"p%d","Customer":"%s","Cents":%d,"At":"2026-11-20T10:00:00Z"}`, i, customer, 100*i+50)
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "payments", Partition: int32(i % 2), Value: []byte(text)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "payments", Partition: 1, Value: []byte("no json")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	return []string{b.Addr()}
}

// fill makes the table of customers.
func fill(t *testing.T, l *table.Lake) {
	t.Helper()
	dst, err := table.Append[customer](t.Context(), l, "bank.customers")
	if err != nil {
		t.Fatal(err)
	}
	p := minibatch.Part{}
	st, err := dst.Stage(t.Context(), p, func(yield func(customer, error) bool) {
		_ = yield(customer{"ann", "gold"}, nil) && yield(customer{"bob", "retail"}, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	to := minibatch.Cursor{Kind: "test", Version: 1, Value: []byte("1")}
	if _, err := dst.Commit(t.Context(), minibatch.Batch{Job: "fill", To: to, Parts: []minibatch.Part{p}}, []minibatch.Staged{st}); err != nil {
		t.Fatal(err)
	}
}

// The job takes effect exactly once, whatever breaks: rows and refused rows alike.
func TestTheJobSurvivesEveryCrash(t *testing.T) {
	brokers := broker(t)
	minibatchtest.Crash(t, func() minibatchtest.Trial[kafka.Record, Enriched] {
		dir := t.TempDir()
		open := func() *table.Lake {
			l, err := table.Open(context.Background(), table.Home(dir))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			return l
		}
		fill(t, open())
		return minibatchtest.Trial[kafka.Record, Enriched]{
			Job: func() minibatch.Job[kafka.Record, Enriched] {
				j, stop, err := Job(context.Background(), brokers, open())
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(stop)
				j.Limits.Rows = 3 // several batches
				return j
			},
			Rows: func() []string {
				l := open()
				var out []string
				for r, err := range table.Read[Enriched](context.Background(), l, "bank.enriched") {
					if err != nil {
						t.Fatal(err)
					}
					out = append(out, fmt.Sprintf("%s %s %.2f %s", r.ID, r.Segment, r.Euros, r.PaidAt.Format(time.RFC3339)))
				}
				type refused struct{ Reason, Row string }
				for r, err := range table.Read[refused](context.Background(), l, "bank.enriched__quarantine") {
					if err != nil { // there is none before the first refused row
						break
					}
					out = append(out, "refused: "+r.Reason+": "+r.Row)
				}
				return out
			},
		}
	})
}

func TestWhatTheJobDoes(t *testing.T) {
	dir := t.TempDir()
	l, err := table.Open(t.Context(), table.Home(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	fill(t, l)
	j, stop, err := Job(t.Context(), broker(t), l)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	r, err := minibatch.Run(t.Context(), j, minibatch.Drain)
	if err != nil || r.RowsIn != 7 || r.RowsOut != 5 || r.Quarantined != 2 {
		t.Fatalf("got %+v, %v", r, err)
	}
	var got []string
	for e, err := range table.Read[Enriched](t.Context(), l, "bank.enriched") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %s %.2f", e.ID, e.Segment, e.Euros))
	}
	slices.Sort(got)
	if want := "p0 gold 0.50; p1 retail 1.50; p2 gold 2.50; p4 retail 4.50; p5 gold 5.50"; strings.Join(got, "; ") != want {
		t.Errorf("got %s, want %s", strings.Join(got, "; "), want)
	}
}

// The promise of the README: forty lines of business logic at most.
func TestTheBusinessLogicIsShort(t *testing.T) {
	src, err := os.ReadFile("payments.go")
	if err != nil {
		t.Fatal(err)
	}
	text := string(src)
	text = text[strings.Index(text, "// ---- business logic"):strings.Index(text, "// ---- wiring")]
	lines := 0
	for _, l := range strings.Split(text, "\n") {
		if l = strings.TrimSpace(l); l != "" && !strings.HasPrefix(l, "//") {
			lines++
		}
	}
	if lines > 40 {
		t.Errorf("%d lines", lines)
	}
}

// Another module can write such a job: it names nothing that only weir's own packages may import.
func TestAnotherModuleCanImportIt(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("payments.go"), nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if i, ok := n.(*ast.ImportSpec); ok && strings.Contains(i.Path.Value, "/internal/") {
			t.Errorf("imports %s", i.Path.Value)
		}
		return true
	})
}
