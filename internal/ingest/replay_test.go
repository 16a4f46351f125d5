package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	iceio "github.com/apache/iceberg-go/io"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"weir/internal/avro"
	"weir/internal/lake"
	"weir/internal/quarantine"
	"weir/internal/stamp"
	"weir/internal/storage"
	"weir/minibatch"
)

// sendUnknown sends orders [from, to) with the id that the registry gives to the next new schema.
func (s *site) sendUnknown(from, to int64) {
	var recs []*kgo.Record
	for n := from; n < to; n++ {
		st := stamp.Stamp{Run: s.run, Seq: n, Intended: 1}
		recs = append(recs, &kgo.Record{Partition: int32(n % 3), Key: []byte{0xff, 0}, Value: framed(s.id+1, s.value(n)[5:]), Headers: []kgo.RecordHeader{{Key: stamp.Key, Value: st.Append(nil)}}})
	}
	s.send(recs...)
}

// learn makes the registry know that id.
func (s *site) learn() {
	s.t.Helper()
	id, err := s.reg.Register(s.t.Context(), "later-value", strings.Replace(orderSchema, `"name":"Order"`, `"name":"Later"`, 1))
	s.ok(err)
	if id != s.id+1 {
		s.t.Fatalf("the registry gave id %d, the records have %d", id, s.id+1)
	}
}

var lax = Config{Topic: "orders", Table: "shop.orders", Start: "earliest", Quarantine: Quarantine{MaxShare: 1}}

func (s *site) replay(pick Pick) Replayed {
	s.t.Helper()
	r, err := Replay(s.t.Context(), "orders", lax, Parts{Schemas: s.reg, Lake: s.lake}, pick, false)
	s.ok(err)
	return r
}

// held reads the quarantine: position -> row; a position that is there twice is an error.
func (s *site) held() map[quarantine.Position]quarantine.Row {
	s.t.Helper()
	held := map[quarantine.Position]quarantine.Row{}
	s.scan(quarantine.Table("shop.orders"), func(c lake.Chunk) {
		for _, r := range quarantine.Rows(c.Batch) {
			if _, twice := held[r.Position()]; twice {
				s.t.Errorf("%v is in quarantine twice", r.Position())
			}
			held[r.Position()] = r
		}
	})
	return held
}

func TestAReplayLandsEachRecordOnce(t *testing.T) {
	s := newSite(t)
	s.sendNumbers(0, 10)
	s.sendUnknown(10, 40)
	s.send(&kgo.Record{Value: []byte("rubbish")})
	s.drain(lax)
	if r := s.replay(Pick{}); r.Replayed != 0 || r.Stayed != 31 || r.Early != 0 {
		t.Errorf("nothing has changed, and yet %+v", r)
	}
	s.wantNumbers(10)
	s.learn()
	if r, err := Replay(t.Context(), "orders", lax, Parts{Schemas: s.reg, Lake: s.lake}, Pick{}, true); err != nil || r.Replayed != 30 || r.Stayed != 1 {
		t.Errorf("dry run: %+v, %v", r, err)
	}
	s.wantNumbers(10)
	one := int32(1)
	if r := s.replay(Pick{Reason: quarantine.UnknownSchema, Partition: &one}); r.Replayed != 10 || r.Picked != 10 {
		t.Errorf("one partition: %+v", r)
	}
	if r := s.replay(Pick{}); r.Replayed != 20 || r.Stayed != 1 {
		t.Errorf("the others: %+v", r)
	}
	if r := s.replay(Pick{}); r.Replayed != 0 || r.Stayed != 1 {
		t.Errorf("once more: %+v", r)
	}
	s.wantNumbers(40)
	held := s.held()
	for at, r := range held {
		if r.Reason != quarantine.NotFramed || string(r.Value) != "rubbish" || r.Attempt != 4 || r.LastTried.Before(r.At) || r.Key != nil {
			t.Errorf("%v: %+v", at, r)
		}
	}
	if len(held) != 1 {
		t.Errorf("%d rows in quarantine, want the rubbish", len(held))
	}
	if r := s.drain(lax); r.RowsIn != 0 {
		t.Errorf("the job reads them again: %+v", r)
	}
}

// Columns of the next schema come with the replay, as they would with the job; what fits no table stays and says why.
func TestAReplayWidensTheTable(t *testing.T) {
	s := newSite(t)
	s.sendNumbers(0, 3)
	s.drain(lax)
	s.sendAs(withFee, map[string]any{"id": int64(3), "note": nil, "tags": []string{}, "fee": 7, "buyer": nil})
	s.sendAs(otherType, map[string]any{"id": "abc"})
	c := lax
	c.NewSchema = quarantined
	s.drain(c)
	if r, err := Replay(t.Context(), "orders", c, Parts{Schemas: s.reg, Lake: s.lake}, Pick{}, false); err != nil || r.Replayed != 0 || r.Stayed != 2 {
		t.Errorf("with new_schema: quarantine: %+v, %v", r, err)
	}
	r := s.replay(Pick{Reason: quarantine.Misfit})
	if r.Replayed != 1 || r.Stayed != 1 {
		t.Errorf("got %+v", r)
	}
	s.wantNumbers(4)
	if fees := s.column("fee"); fees[3] != "7" {
		t.Errorf("fee %q", fees[3])
	}
	for _, row := range s.held() {
		if row.Attempt != 3 || !strings.Contains(row.Error, "id") {
			t.Errorf("%+v", row)
		}
	}
}

// Several at once, beside the job that reads on: each in a process of its own, as far as the tables know.
func TestReplaysSideBySide(t *testing.T) {
	s := newSite(t)
	for n := int64(0); n < 300; n += 60 {
		s.sendNumbers(n, n+30)
		s.sendUnknown(n+30, n+60)
	}
	c := lax
	c.Commit.Rows = 30
	s.drain(c)
	s.learn()
	s.sendNumbers(300, 600)
	var g errgroup.Group
	var got [3]Replayed
	for i := range got {
		l, err := lake.Open(t.Context(), lake.Config{Catalog: filepath.Join(s.home, "catalog.db"), Warehouse: filepath.Join(s.home, "warehouse")})
		s.ok(err)
		t.Cleanup(func() { l.Close() })
		g.Go(func() (err error) {
			got[i], err = Replay(t.Context(), "orders", lax, Parts{Schemas: s.reg, Lake: l}, Pick{}, false)
			return err
		})
	}
	j := s.job(c)
	g.Go(func() error {
		_, err := j.Run(t.Context(), minibatch.Drain, nil)
		return err
	})
	s.ok(g.Wait())
	s.wantNumbers(600)
	if sum := got[0].Replayed + got[1].Replayed + got[2].Replayed; sum > 150 || len(s.held()) != 0 { // the job may have taken some first
		t.Errorf("%d replayed; still held: %d", sum, len(s.held()))
	}
}

// The job dies between its two commits, and by the next try the registry knows the id: the record stays in quarantine until it is
// replayed, for nobody can take it out there and put it into the table in one step. No replay takes it before the job is past it.
func TestTheIDAppearsBetweenTheTwoCommits(t *testing.T) {
	s := newSite(t)
	s.sendNumbers(0, 6)
	s.sendUnknown(6, 9)
	s.stopBeforeTheTable()
	s.learn()
	if r := s.replay(Pick{}); r.Replayed != 0 || r.Early != 3 {
		t.Errorf("before the job is past it: %+v", r)
	}
	s.sendUnknown(9, 12) // known by now
	if r := s.drain(lax); r.RowsOut != 9 || r.Quarantined != 3 {
		t.Errorf("the next try: %+v", r)
	}
	if held := s.held(); len(held) != 0 { // replayed at the end of that run
		t.Errorf("%d are held", len(held))
	}
	s.wantNumbers(12)
}

// A running job replays by itself what it refused for an unknown schema, and nothing else.
func TestARunningJobWaitsForTheSchema(t *testing.T) {
	s := newSite(t)
	s.sendNumbers(0, 6)
	s.sendUnknown(6, 12)
	s.send(&kgo.Record{Value: []byte("rubbish")})
	c := lax
	c.Commit.Age = 1
	j := s.job(c)
	j.again.soon = 10 * time.Millisecond
	told := make(chan Replayed, 10)
	j.OnReplay(func(r Replayed, err error) {
		if err != nil {
			t.Error(err)
		}
		told <- r
	})
	read := make(chan struct{}, 1)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := j.Run(ctx, minibatch.Daemon, func(e minibatch.Event) {
			if e.Kind == minibatch.Committed && e.Report.RowsIn == 13 {
				select {
				case read <- struct{}{}:
				default:
				}
			}
		})
		done <- err
	}()
	<-read
	if len(s.held()) != 7 {
		t.Error("they are not in quarantine")
	}
	s.learn()
	if r := <-told; r.Replayed != 6 || r.Stayed != 0 {
		t.Errorf("got %+v", r)
	}
	stop()
	s.ok(<-done)
	s.wantNumbers(12)
	for _, r := range s.held() {
		if r.Reason != quarantine.NotFramed || r.Attempt != 1 {
			t.Errorf("%+v", r)
		}
	}
	if len(told) > 0 {
		t.Errorf("told more: %+v", <-told)
	}
}

// A job that ends when it has caught up looks once, at its end; the registry is asked for a bounded number of ids.
func TestAJobLooksAtItsEnd(t *testing.T) {
	s := newSite(t)
	s.sendNumbers(0, 3)
	s.sendUnknown(3, 6)
	s.drain(lax)
	if len(s.held()) != 3 {
		t.Error("they are not in quarantine")
	}
	s.learn()
	s.drain(lax)
	s.wantNumbers(6)
	var recs []*kgo.Record
	for id := range 2 * askedIDs {
		recs = append(recs, &kgo.Record{Value: framed(1000+id, nil)})
	}
	s.send(recs...)
	asked := &counted{Schemas: s.reg, ids: map[int]int{}}
	j := s.job(lax)
	j.parts.Schemas, j.framing.parts.Schemas = asked, asked
	_, err := j.Run(t.Context(), minibatch.Drain, nil)
	s.ok(err)
	for range 4 {
		j.lookAgain(t.Context())
	}
	for id := range 2 * askedIDs { // once by the batch, and five looks of which each asks half
		if n := asked.ids[1000+id]; n < 3 || n > 4 {
			t.Errorf("id %d was asked for %d times", 1000+id, n)
		}
	}
}

type counted struct {
	Schemas
	mu  sync.Mutex
	ids map[int]int
}

func (c *counted) Schema(ctx context.Context, id int) (*avro.Schema, error) {
	c.mu.Lock()
	c.ids[id]++
	c.mu.Unlock()
	return c.Schemas.Schema(ctx, id)
}

func TestWhatIsDiscardedLeavesATrace(t *testing.T) {
	s := newSite(t)
	s.sendNumbers(0, 3)
	s.sendUnknown(3, 9)
	s.drain(lax)
	two := int32(2)
	if n, err := Discard(t.Context(), "orders", lax, s.lake, Pick{Partition: &two}, "anna", "a test of the producer"); err != nil || n != 2 {
		t.Fatalf("%d, %v", n, err)
	}
	if n, err := Discard(t.Context(), "orders", lax, s.lake, Pick{Partition: &two}, "anna", "again"); err != nil || n != 0 {
		t.Errorf("a second time: %d, %v", n, err)
	}
	s.learn()
	if r := s.replay(Pick{}); r.Replayed != 4 {
		t.Errorf("after it %+v", r)
	}
	var kept []string
	s.scan(quarantine.Discards("shop.orders"), func(c lake.Chunk) {
		for i, r := range quarantine.Rows(c.Batch) {
			by, why := c.Batch.Schema().FieldIndices("discarded_by")[0], c.Batch.Schema().FieldIndices("why")[0]
			kept = append(kept, fmt.Sprintf("%d %s %s: %s", r.Stamp.Seq, r.Reason, c.Batch.Column(by).ValueStr(i), c.Batch.Column(why).ValueStr(i)))
		}
	})
	slices.Sort(kept)
	if want := []string{"5 unknown_schema anna: a test of the producer", "8 unknown_schema anna: a test of the producer"}; !slices.Equal(kept, want) {
		t.Errorf("%q", kept)
	}
	if rows := s.rows(); len(rows) != 7 || rows[5]+rows[8] != 0 || len(s.held()) != 0 {
		t.Errorf("%v", rows)
	}
}

// mortal is the local disk, seen by a process that dies at one of its steps: before it writes a table's metadata, and before it reads
// some for the first time after that. Between two steps it changes what others see at most once, by the swap in the catalog.
type mortal struct {
	storage.FS
	steps, at int
	wrote     bool
}

func (m *mortal) step(name string, writes bool) {
	if !strings.HasSuffix(name, ".metadata.json") || !writes && !m.wrote {
		return
	}
	m.wrote = writes
	if m.steps++; m.steps == m.at {
		runtime.Goexit()
	}
}

func (m *mortal) Open(name string) (iceio.File, error) {
	m.step(name, false)
	return m.FS.Open(name)
}

func (m *mortal) ReadFile(name string) ([]byte, error) {
	m.step(name, false)
	return m.FS.ReadFile(name)
}

func (m *mortal) Create(name string) (iceio.FileWriter, error) {
	m.step(name, true)
	return m.FS.Create(name)
}

func (m *mortal) WriteFile(name string, b []byte) error {
	m.step(name, true)
	return m.FS.WriteFile(name, b)
}

// diesAt runs work in a process that dies at a step (0: never) and says how many there were.
func (s *site) diesAt(step int, work func(l *lake.Lake) error) int {
	s.t.Helper()
	disk, err := storage.Open(s.t.Context(), storage.URI(s.home), nil)
	s.ok(err)
	use := func(fs iceio.IO) {
		iceio.Unregister("file")
		iceio.Register("file", func(context.Context, *url.URL, map[string]string) (iceio.IO, error) { return fs, nil })
	}
	m := &mortal{FS: disk, at: step}
	use(m)
	defer use(disk)
	l, err := lake.Open(s.t.Context(), lake.Config{Catalog: filepath.Join(s.home, "catalog.db"), Warehouse: filepath.Join(s.home, "warehouse")})
	s.ok(err)
	defer func(c io.Closer) { c.Close() }(l)
	dead := make(chan error, 1)
	go func() {
		err := errors.New("it died")
		defer func() { dead <- err }()
		err = work(l)
	}()
	if err := <-dead; (err != nil) != (step > 0) {
		s.t.Fatalf("step %d: %v", step, err)
	}
	return m.steps
}

// schemas that are known without a registry: a process that is about to die asks nobody.
type known map[int]*avro.Schema

func (k known) Schema(_ context.Context, id int) (*avro.Schema, error) { return k[id], nil }
func (known) Latest(context.Context, string) (int, *avro.Schema, error) {
	return 0, nil, errors.ErrUnsupported
}

func TestAReplayAndADiscardDieAtEveryStep(t *testing.T) {
	parsed, err := avro.Parse(orderSchema)
	if err != nil {
		t.Fatal(err)
	}
	half := int32(0)
	s := newSite(t)
	// Each trial has a table of its own in the same site: brokers are dear.
	trial, behind := 0, 0
	fresh := func() (Config, func(*lake.Lake) error) {
		trial++
		c := lax
		c.Table = fmt.Sprintf("shop.orders%d", trial)
		j, err := New(t.Context(), "orders", c, Parts{Kafka: s.kafka, Schemas: s.reg, Lake: s.lake})
		s.ok(err)
		defer j.Close()
		_, err = j.Run(t.Context(), minibatch.Drain, nil)
		s.ok(err)
		k := known{s.id: parsed, s.id + 1: parsed}
		return c, func(l *lake.Lake) error {
			if _, err := Discard(t.Context(), "orders", c, l, Pick{Partition: &half}, "anna", "no use"); err != nil {
				return err
			}
			_, err := Replay(t.Context(), "orders", c, Parts{Schemas: k, Lake: l}, Pick{}, false)
			return err
		}
	}
	s.sendNumbers(0, 6)
	s.sendUnknown(6, 18)
	s.send(&kgo.Record{Value: []byte("rubbish"), Partition: 1})
	c, work := fresh()
	steps := s.diesAt(0, work)
	s.account(c.Table, 14, 1, 4, true)
	for step := 1; step <= steps; step++ {
		c, work := fresh()
		s.diesAt(step, work)
		if !s.account(c.Table, 14, 1, 4, false) {
			t.Fatalf("after a death at step %d of %d", step, steps)
		}
		if moving, _, err := s.pending(c.Table); err == nil && len(moving) > 0 {
			behind++
		}
		s.ok(work(s.lake))
		if !s.account(c.Table, 14, 1, 4, true) {
			t.Fatalf("recovered from a death at step %d of %d", step, steps)
		}
	}
	if t.Logf("%d steps, %d of them left a replay behind", steps, behind); steps < 10 || behind == 0 {
		t.Error("too few")
	}
}

func (s *site) pending(table string) (quarantine.Positions, int64, error) {
	to, err := s.lake.Table(s.t.Context(), table)
	s.ok(err)
	q, err := s.lake.Table(s.t.Context(), quarantine.Table(table))
	s.ok(err)
	return quarantine.Pending(s.t.Context(), to, q)
}

// account demands that each of the 19 records is in one place: table, quarantine (without those that Pending names) or audit; at the
// end so many in each.
func (s *site) account(table string, rows, held, discarded int, end bool) bool {
	s.t.Helper()
	places := map[string]map[quarantine.Position]int{}
	moving, _, err := s.pending(table)
	s.ok(err)
	for _, name := range []string{table, quarantine.Table(table), quarantine.Discards(table)} {
		places[name] = map[quarantine.Position]int{}
		if _, err := s.lake.Table(s.t.Context(), name); errors.Is(err, lake.ErrNoTable) {
			continue
		}
		s.scan(name, func(c lake.Chunk) {
			for _, r := range quarantine.Rows(c.Batch) {
				if name != quarantine.Table(table) || !moving[r.Position()] {
					places[name][r.Position()]++
				}
			}
		})
	}
	good := true
	all := map[quarantine.Position]int{}
	for name, m := range places {
		for at, n := range m {
			if n != 1 {
				s.t.Errorf("%s has %v %d times", name, at, n)
				good = false
			}
			if name != quarantine.Discards(table) || end { // a discard that is not finished has its records in quarantine, perhaps in the audit too
				all[at] += n
			}
		}
	}
	if !end {
		for at := range places[quarantine.Discards(table)] {
			all[at] = max(1, all[at])
		}
	}
	for at, n := range all {
		if n != 1 {
			s.t.Errorf("%v is there %d times", at, n)
			good = false
		}
	}
	got := fmt.Sprint(len(places[table]), len(places[quarantine.Table(table)]), len(places[quarantine.Discards(table)]))
	if want := fmt.Sprint(rows, held, discarded); len(all) != 19 || end && got != want {
		s.t.Errorf("%d records; %s in table, quarantine and audit, want %s", len(all), got, want)
		good = false
	}
	return good
}
