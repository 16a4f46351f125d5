package ingest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/hamba/avro/v2"
	"github.com/oklog/ulid/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/config"
	"weir/internal/kafka"
	"weir/internal/lake"
	"weir/internal/quarantine"
	"weir/internal/registry"
	"weir/internal/stamp"
	"weir/minibatch"
)

const orderSchema = `{"type":"record","name":"Order","fields":[
	{"name":"id","type":"long"},
	{"name":"note","type":["null","string"]},
	{"name":"tags","type":{"type":"array","items":"string"}}]}`

type order struct {
	ID   int64    `avro:"id"`
	Note *string  `avro:"note"`
	Tags []string `avro:"tags"`
}

// site is an installation in a directory, with its own broker and registry.
type site struct {
	t      testing.TB
	home   string
	kafka  kafka.Config
	reg    *registry.Client
	emb    *registry.Embedded
	lake   *lake.Lake
	cl     *kgo.Client
	schema avro.Schema
	id     int
	run    ulid.ULID
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{t: t, home: t.TempDir(), schema: avro.MustParse(orderSchema), run: ulid.Make()}
	broker, err := kafka.ServeEmbedded(t.Context(), "127.0.0.1:0", filepath.Join(s.home, "kafka"))
	s.ok(err)
	t.Cleanup(func() { broker.Close() })
	s.emb, err = registry.ServeEmbedded(t.Context(), "127.0.0.1:0", filepath.Join(s.home, "registry.json"))
	s.ok(err)
	t.Cleanup(func() { s.emb.Close() })
	s.kafka = kafka.Config{Brokers: kafka.Brokers{broker.Addr()}}
	s.reg, err = registry.New(registry.Config{URL: s.emb.URL()})
	s.ok(err)
	s.lake, err = lake.Open(t.Context(), lake.Config{Catalog: filepath.Join(s.home, "catalog.db"), Warehouse: filepath.Join(s.home, "warehouse")})
	s.ok(err)
	t.Cleanup(func() { s.lake.Close() })
	s.cl, err = kafka.Connect(s.kafka, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	s.ok(err)
	t.Cleanup(s.cl.Close)
	s.ok(kafka.EnsureTopic(t.Context(), s.cl, "orders", 3))
	s.id, err = s.reg.Register(t.Context(), "orders-value", orderSchema)
	s.ok(err)
	return s
}

func (s *site) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func framed(id int, datum []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(id)), datum...)
}

func (s *site) value(n int64) []byte {
	note := fmt.Sprint("note ", n)
	o := order{ID: n, Tags: []string{"a", "b"}}
	if n%3 > 0 {
		o.Note = &note
	}
	datum, err := avro.Marshal(s.schema, o)
	s.ok(err)
	return framed(s.id, datum)
}

func (s *site) send(recs ...*kgo.Record) {
	s.t.Helper()
	for _, r := range recs {
		r.Topic = "orders"
	}
	s.ok(s.cl.ProduceSync(s.t.Context(), recs...).FirstErr())
}

// sendNumbers sends orders [from, to), stamped, over the three partitions.
func (s *site) sendNumbers(from, to int64) {
	var recs []*kgo.Record
	for n := from; n < to; n++ {
		st := stamp.Stamp{Run: s.run, Seq: n, Intended: time.Now().UnixMicro()}
		recs = append(recs, &kgo.Record{Partition: int32(n % 3), Value: s.value(n), Headers: []kgo.RecordHeader{{Key: stamp.Key, Value: st.Append(nil)}}})
	}
	s.send(recs...)
}

func (s *site) job(c Config) *Job {
	s.t.Helper()
	c.Topic, c.Table = "orders", "shop.orders"
	if c.Start == "" {
		c.Start = "earliest"
	}
	j, err := New(s.t.Context(), "orders", c, Parts{Kafka: s.kafka, Schemas: s.reg, Lake: s.lake})
	s.ok(err)
	s.t.Cleanup(j.Close)
	return j
}

func (s *site) drain(c Config) minibatch.Report {
	s.t.Helper()
	r, err := s.job(c).Run(s.t.Context(), minibatch.Drain, nil)
	s.ok(err)
	return r
}

// rows reads id -> times seen, and checks the provenance of each row.
func (s *site) rows() map[int64]int {
	s.t.Helper()
	seen := map[int64]int{}
	at := map[string]bool{}
	s.scan("shop.orders", func(c lake.Chunk) {
		ids := c.Batch.Column(0).(*array.Int64)
		notes := c.Batch.Column(1).(*array.String)
		k := c.Batch.Column(3).(*array.Struct)
		for i := range ids.Len() {
			id := ids.Value(i)
			seen[id]++
			if id >= 0 && (notes.IsNull(i) != (id%3 == 0) || notes.IsValid(i) && notes.Value(i) != fmt.Sprint("note ", id)) {
				s.t.Errorf("order %d has note %q", id, notes.Value(i))
			}
			pos := fmt.Sprint(k.Field(1).(*array.Int32).Value(i), ":", k.Field(2).(*array.Int64).Value(i))
			if at[pos] {
				s.t.Errorf("position %s is there twice", pos)
			}
			at[pos] = true
		}
	})
	return seen
}

func (s *site) scan(name string, each func(lake.Chunk)) {
	s.t.Helper()
	t, err := s.lake.Table(s.t.Context(), name)
	s.ok(err)
	p, err := t.Plan(s.t.Context())
	s.ok(err)
	for c, err := range t.Scan(s.t.Context(), p) {
		s.ok(err)
		each(c)
	}
}

func (s *site) wantNumbers(n int64) {
	s.t.Helper()
	rows := s.rows()
	for id := range n {
		if rows[id] != 1 {
			s.t.Errorf("order %d is there %d times", id, rows[id])
		}
	}
	if int64(len(rows)) != n {
		s.t.Errorf("%d orders, want %d", len(rows), n)
	}
}

func TestEveryMessageBecomesOneRow(t *testing.T) {
	s := newSite(t)
	s.sendNumbers(0, 2500)
	r := s.drain(Config{Commit: Commit{Rows: 1000}})
	if r.RowsOut != 2500 || r.Batches < 3 {
		t.Errorf("got %+v", r)
	}
	s.sendNumbers(2500, 3000)
	if r = s.drain(Config{}); r.RowsIn != 500 {
		t.Errorf("the second run read %d, want the 500 new ones", r.RowsIn)
	}
	s.wantNumbers(3000)
}

func TestStartLatestLeavesOutWhatWasThere(t *testing.T) {
	s := newSite(t)
	s.sendNumbers(0, 30)
	ctx, cancel := context.WithCancel(t.Context())
	committed := make(chan struct{}, 10)
	done := make(chan error, 1)
	j := s.job(Config{Start: "latest", Commit: Commit{Age: 1}})
	go func() {
		_, err := j.Run(ctx, minibatch.Daemon, func(e minibatch.Event) {
			if e.Kind == minibatch.Committed {
				committed <- struct{}{}
			}
		})
		done <- err
	}()
	<-committed // the start, and nothing else
	if n := len(s.rows()); n != 0 {
		t.Errorf("%d rows from before the start", n)
	}
	cancel() // also a process that ends now does not move it
	s.ok(<-done)
	s.sendNumbers(30, 60)
	s.drain(Config{Start: "latest"})
	rows := s.rows()
	if len(rows) != 30 {
		t.Errorf("%d rows, expected the 30 that came after the start", len(rows))
	}
	for id := range rows {
		if id < 30 {
			t.Fatalf("order %d was there before the start", id)
		}
	}
}

func TestBadRecordsGoToQuarantineAndTheOthersOn(t *testing.T) {
	s := newSite(t)
	s.sendNumbers(0, 10)
	good := s.value(77)
	s.send(
		&kgo.Record{Value: []byte("no header")},
		&kgo.Record{Value: good[:len(good)-3], Key: []byte("k"), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("v")}}},
		&kgo.Record{Value: framed(4711, good[5:])},
		&kgo.Record{Value: append(slices.Clone(good), 0)},
		&kgo.Record{Value: nil},
		&kgo.Record{Value: []byte{0, 1}},
	)
	s.sendNumbers(10, 20)
	r := s.drain(Config{})
	if r.Quarantined != 6 || r.RowsOut != 20 || r.RowsIn != 26 {
		t.Errorf("got %+v", r)
	}
	s.wantNumbers(20)
	var got []string
	s.scan(quarantine.Table("shop.orders"), func(c lake.Chunk) {
		for i := range int(c.Batch.NumRows()) {
			got = append(got, fmt.Sprintf("%s %d bytes: %s", c.Batch.Column(0).(*array.String).Value(i),
				len(c.Batch.Column(4).(*array.Binary).Value(i)), c.Batch.Column(1).(*array.String).Value(i)))
		}
	})
	want := []string{
		`not_framed 9 bytes: the first byte is 0x6e, not 0x00: the message has no schema header`,
		fmt.Sprintf(`undecodable %d bytes: field tags.element, byte 12: a length beyond the end of the datum`, len(good)-3),
		fmt.Sprintf(`unknown_schema %d bytes: schema 4711: the registry does not know this schema id`, len(good)),
		fmt.Sprintf(`undecodable %d bytes: byte %d: bytes are left after the datum`, len(good)+1, len(good)-5),
		`no_value 0 bytes: the message has no value (a tombstone)`,
		`not_framed 2 bytes: 2 bytes are too few for a schema header (0x00 and a 4-byte id)`,
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] && !strings.HasPrefix(want[i], "undecodable") {
			t.Errorf("got  %s\nwant %s", got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d rows in quarantine, want %d: %q", len(got), len(want), got)
	}
	s.drain(Config{})
	if r := s.drain(Config{}); r.RowsIn != 0 {
		t.Errorf("they are read again: %+v", r)
	}
}

func TestAFloodOfBadRecordsCommitsNothing(t *testing.T) {
	s := newSite(t)
	var bad []*kgo.Record
	for range 50 {
		bad = append(bad, &kgo.Record{Value: []byte("rubbish")})
	}
	s.send(bad...)
	_, err := s.job(Config{Quarantine: Quarantine{MaxRows: 20}}).Run(t.Context(), minibatch.Drain, nil)
	if !errors.Is(err, minibatch.ErrTooManyRefused) {
		t.Errorf("got %v", err)
	}
	s.wantNumbers(0)
}

// stopBeforeTheTable runs a batch up to the quarantine's commit; the table's never comes.
func (s *site) stopBeforeTheTable() {
	s.t.Helper()
	j := s.job(lax)
	b, err := j.source.Plan(s.t.Context(), minibatch.Cursor{}, minibatch.Limits{Rows: 100, Bytes: 1 << 20, Parallel: 1})
	s.ok(err)
	b.Job = "orders"
	var st minibatch.Staged
	st, err = j.sink.Stage(s.t.Context(), b.Parts[0], func(yield func(decoded, error) bool) {
		stop := errors.New("stop")
		err := j.transform(s.t.Context(), b.Parts[0], j.source.Open(s.t.Context(), b.Parts[0]), func(d decoded) error {
			if !yield(d, nil) {
				return stop
			}
			return nil
		})
		s.ok(err)
	})
	s.ok(err)
	s.ok(j.sink.commitRefused(s.t.Context(), b, []minibatch.Staged{st})) // and then the process dies
}

// A crash between the quarantine's commit and the table's: the next run must not keep the refused records twice.
func TestACrashBetweenTheTwoCommits(t *testing.T) {
	s := newSite(t)
	s.sendNumbers(0, 10)
	s.send(&kgo.Record{Value: []byte("rubbish")})
	s.stopBeforeTheTable()
	s.send(&kgo.Record{Value: []byte("more rubbish")})
	r := s.drain(Config{})
	if r.RowsIn != 12 || r.RowsOut != 10 || r.Quarantined != 2 {
		t.Errorf("got %+v", r)
	}
	n := int64(0)
	s.scan(quarantine.Table("shop.orders"), func(c lake.Chunk) { n += c.Batch.NumRows() })
	if n != 2 {
		t.Errorf("%d rows in quarantine, want 2", n)
	}
	s.wantNumbers(10)
}

func TestWhileTheRegistryIsAwayKnownSchemasGoOn(t *testing.T) {
	s := newSite(t)
	s.sendNumbers(0, 10)
	s.drain(Config{}) // the client knows the schema from now on
	s.ok(s.emb.Close())
	s.sendNumbers(10, 20)
	s.drain(Config{})
	s.wantNumbers(20)
	s.send(&kgo.Record{Value: framed(4711, nil)})
	j := s.job(Config{RegistryWait: 1})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var last error
	r, err := j.Run(ctx, minibatch.Drain, func(e minibatch.Event) { last = e.Err })
	if err != nil || !r.Stopped || r.Quarantined > 0 || !errors.Is(last, registry.ErrUnavailable) {
		t.Errorf("got %+v, %v, %v; want a job that waits", r, err, last)
	}
}

func TestASchemaThatDoesNotFitTheTableStops(t *testing.T) {
	s := newSite(t)
	s.sendNumbers(0, 10)
	s.drain(Config{})
	wider := strings.Replace(orderSchema, `"fields":[`, `"fields":[{"name":"fee","type":"double","default":0},`, 1)
	id, err := s.reg.Register(t.Context(), "orders-value", wider)
	s.ok(err)
	s.send(&kgo.Record{Value: framed(id, s.value(1)[5:])})
	_, err = s.job(Config{NewSchema: stop}).Run(t.Context(), minibatch.Drain, nil)
	if err == nil || !strings.Contains(err.Error(), "does not fit table shop.orders: field fee: there is no such column") {
		t.Errorf("got %v", err)
	}
	s.wantNumbers(10)
}

func TestAnotherTopicUnderTheSameNameStops(t *testing.T) {
	s := newSite(t)
	s.sendNumbers(0, 10)
	s.drain(Config{})
	other := newSite(t)
	other.sendNumbers(0, 50)
	s.kafka = other.kafka
	_, err := s.job(Config{}).Run(t.Context(), minibatch.Drain, nil)
	if err == nil || !strings.Contains(err.Error(), "the table's positions belong to topic id") {
		t.Errorf("got %v", err)
	}
	s.wantNumbers(10)
}

// Two workers run the same job at once. Each commit moves the cursor once; the other is told and stops.
func TestTwoWorkersOfOneJob(t *testing.T) {
	s := newSite(t)
	s.sendNumbers(0, 3000)
	errs := make(chan error, 2)
	for _, rows := range []config.Count{200, 170} { // unlike batches: like ones are recognised by their id
		j := s.job(Config{Commit: Commit{Rows: rows}})
		go func() {
			_, err := j.Run(t.Context(), minibatch.Drain, nil)
			errs <- err
		}()
	}
	for range 2 {
		if err := <-errs; err != nil && !errors.Is(err, minibatch.ErrMoved) {
			t.Error(err)
		}
	}
	s.drain(Config{})
	s.wantNumbers(3000)
}

func TestTransactionsThatWereAbortedAreNotRead(t *testing.T) {
	s := newSite(t)
	for i, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
		tx, err := kafka.Connect(s.kafka, kgo.TransactionalID("tx"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		s.ok(err)
		s.ok(tx.BeginTransaction())
		for n := range int64(10) {
			id := n
			if end == kgo.TryAbort {
				id = -1 - n
			} else if i == 2 {
				id = 10 + n
			}
			s.ok(tx.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Partition: int32(n % 3), Value: s.value(id)}).FirstErr())
		}
		s.ok(tx.EndTransaction(t.Context(), end))
		tx.Close()
	}
	s.drain(Config{Commit: Commit{Rows: 7}})
	s.wantNumbers(20)
	if r := s.drain(Config{}); r.RowsIn != 0 {
		t.Errorf("the markers are not passed over: %+v", r)
	}
}
