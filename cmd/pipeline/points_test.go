package main

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/content"
	"weir/internal/fault"
	"weir/internal/kafka"
	"weir/internal/quarantine"
)

var (
	killSeed = flag.Uint64("kill-seed", 1, "of the kills at named points")
	kills    = flag.Int("kills", len(fault.Points), "how often the pipeline is killed at a named point")
)

// feeder fills a topic with messages of schemas that grow, and with some that nobody can decode.
type feeder struct {
	y       *yard
	cl      *kgo.Client
	schema  string
	id      int
	columns int // that the schema has got since
	sent    uint64
	bad     int64
	gen     *content.Writer
}

func newFeeder(y *yard) *feeder {
	gen, err := content.NewGenerator(content.Spec{})
	y.ok(err)
	f := &feeder{y: y, schema: gen.Schema(), gen: gen.Writer()}
	f.cl, err = kafka.Connect(y.kafka)
	y.ok(err)
	y.t.Cleanup(f.cl.Close)
	y.ok(kafka.EnsureTopic(y.t.Context(), f.cl, "bank.transactions", 3))
	f.id, err = y.reg.Register(y.t.Context(), "bank.transactions-value", f.schema)
	y.ok(err)
	return f
}

// widen gives the schema a column more.
func (f *feeder) widen() {
	f.columns++
	f.schema = strings.Replace(f.schema, `"fields": [`, fmt.Sprintf(`"fields": [{"name":"c%d","type":["null","string"],"default":null},`, f.columns), 1)
	var err error
	f.id, err = f.y.reg.Register(f.y.t.Context(), "bank.transactions-value", f.schema)
	f.y.ok(err)
}

// send sends n messages, one of them broken.
func (f *feeder) send(n int) {
	recs := make([]*kgo.Record, 0, n)
	for i := range n {
		v := binary.BigEndian.AppendUint32([]byte{0}, uint32(f.id))
		v = append(v, make([]byte, f.columns)...) // the null branches
		v = f.gen.Append(v, f.sent)
		if i == n/2 {
			v, f.bad = v[:8], f.bad+1
		}
		f.sent++
		recs = append(recs, &kgo.Record{Topic: "bank.transactions", Key: fmt.Append(nil, i), Value: v})
	}
	f.y.ok(f.cl.ProduceSync(f.y.t.Context(), recs...).FirstErr())
}

// everyPositionOnce: each message is in the table or in the quarantine, and the broken ones are those in the quarantine.
func (f *feeder) everyPositionOnce() {
	f.y.t.Helper()
	refused := quarantine.Table("bank.transactions")
	l := f.y.lake()
	defer l.Close()
	rows := f.y.everyPositionOnce(l, "bank.transactions", refused)
	if f.y.t.Failed() {
		f.y.t.FailNow()
	}
	if rows[refused] != f.bad {
		f.y.t.Fatalf("%d rows in quarantine, %d broken messages were sent", rows[refused], f.bad)
	}
}

// The pipeline is killed at each named point, by seed, again and again, while messages come that it must refuse and schemas grow.
func TestKilledAtNamedPoints(t *testing.T) {
	y := newYard(t, streamJob+"  quarantine: {max_share: 50%}\n")
	f := newFeeder(y)
	r := rand.New(rand.NewPCG(*killSeed, 1)) //nolint:gosec // a test's
	hits, missed := map[string]int{}, 0
	for i := range *kills {
		if i%7 == 3 {
			f.widen()
		}
		f.send(60)
		point := fault.Points[i%len(fault.Points)]
		t.Setenv("WEIR_FAULT", fmt.Sprintf("%s:%d:kill", point, 1+r.IntN(2)))
		c, out := y.pipeline("run", "transactions", "--until-caught-up", "--json")
		err := within(t, c)
		status, ok := c.ProcessState.Sys().(syscall.WaitStatus)
		switch {
		case ok && status.Signaled() && status.Signal() == syscall.SIGKILL:
			hits[point]++
		case err == nil: // it came by only once
			missed++
		default:
			t.Fatalf("kill %d at %s: %v: %s", i, point, err, out)
		}
		if i%20 == 19 || i == *kills-1 {
			t.Setenv("WEIR_FAULT", "")
			c, out := y.pipeline("run", "transactions", "--until-caught-up", "--json")
			if err := within(t, c); err != nil {
				t.Fatalf("after kill %d: %v: %s", i, err, out)
			}
			f.everyPositionOnce()
		}
	}
	t.Logf("seed %d: %d kills, %d times the point was not reached; %d messages, %d refused; %v", *killSeed, *kills-missed, missed, f.sent, f.bad, hits)
	for _, p := range fault.Points {
		if hits[p] < *kills/(4*len(fault.Points)) {
			t.Errorf("%d times: %s", hits[p], p)
		}
	}
}
