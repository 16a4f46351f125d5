package verify

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	hamba "github.com/hamba/avro/v2"

	"weir/internal/avro"
	"weir/internal/lake"
	"weir/internal/quarantine"
)

const (
	run    = "01JDXQ3V6S9Q2J4W8Z5N7M1K0T"
	shards = 3
	each   = 400 // messages of a shard
)

var due = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// dueOf: a message each µs.
func dueOf(seq int64) time.Time { return due.Add(time.Duration(seq) * time.Microsecond) }

// row is one row of the table, before it is written: what is damaged is damaged here.
type row struct {
	run       string
	shard     int32
	seq       int64
	partition int32
	offset    int64
	content   int64 // seq whose content the row has
	change    func(*record)
}

// sent is what a good run leaves: each sender in order, spread over two partitions.
func sent() []row {
	var all []row
	next := [2]int64{}
	for seq := range int64(each) {
		for shard := range int32(shards) {
			p := int32(seq+int64(shard)) % 2
			all = append(all, row{run: run, shard: shard, seq: seq, partition: p, offset: next[p], content: seq})
			next[p]++
		}
	}
	return all
}

type memTable struct {
	schema *arrow.Schema
	files  [][]arrow.RecordBatch
}

func (t *memTable) Schema() *arrow.Schema { return t.schema }

func (t *memTable) Plan(context.Context) (lake.Plan, error) {
	p := lake.Plan{Snapshot: 1}
	for i := range t.files {
		p.Files = append(p.Files, lake.PlannedFile{File: lake.File{Path: fmt.Sprint(i)}, Snapshot: int64(1 + i)})
	}
	return p, nil
}

func (t *memTable) Scan(_ context.Context, p lake.Plan) iter.Seq2[lake.Chunk, error] {
	return func(yield func(lake.Chunk, error) bool) {
		for _, f := range p.Files {
			var i int
			if _, err := fmt.Sscan(f.Path, &i); err != nil {
				yield(lake.Chunk{}, err)
				return
			}
			for _, b := range t.files[i] {
				if !yield(lake.Chunk{Batch: b, File: f}, nil) {
					return
				}
			}
		}
	}
}

func (t *memTable) Snapshots() []lake.SnapshotInfo {
	var all []lake.SnapshotInfo
	for i := range t.files {
		all = append(all, lake.SnapshotInfo{ID: int64(1 + i), At: due.Add(time.Duration(1+i) * time.Second)})
	}
	return all
}

// schema has each kind of column that comparing treats in its own way.
const schema = `{"type":"record","name":"R","fields":[
 {"name":"id","type":"string"},{"name":"n","type":["null","long"]},{"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
 {"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}},{"name":"risk","type":"double"},{"name":"flag","type":"boolean"},
 {"name":"sub","type":{"type":"record","name":"S","fields":[{"name":"city","type":"string"},{"name":"hash","type":{"type":"fixed","name":"F","size":3}}]}},
 {"name":"tags","type":{"type":"array","items":"string"}},{"name":"dict","type":{"type":"map","values":"int"}}]}`

// record is the content that a message's number decides.
type record struct {
	ID     string           `avro:"id"`
	N      *int64           `avro:"n"`
	Amount *big.Rat         `avro:"amount"`
	At     int64            `avro:"at"`
	Risk   float64          `avro:"risk"`
	Flag   bool             `avro:"flag"`
	Sub    sub              `avro:"sub"`
	Tags   []string         `avro:"tags"`
	Dict   map[string]int32 `avro:"dict"`
}

type sub struct {
	City string  `avro:"city"`
	Hash [3]byte `avro:"hash"`
}

func content(shard int32, seq uint64) record {
	x := int64(seq)*shards + int64(shard)
	r := record{ID: fmt.Sprint("id-", x), Amount: big.NewRat(x, 100), At: x * 1000, Risk: float64(x) / 7, Flag: x%2 == 0, Dict: map[string]int32{}}
	if x%3 > 0 {
		r.N = &x
	}
	r.Sub = sub{City: fmt.Sprint("city ", x%10), Hash: [3]byte{byte(x), byte(x >> 8), 3}}
	for i := range x % 4 {
		r.Tags = append(r.Tags, fmt.Sprint("tag", i))
		r.Dict[fmt.Sprint("k", i)] = int32(x + i)
	}
	return r
}

func encode(tb testing.TB) func([]byte, int32, uint64, int64) []byte {
	s, err := avro.Parse(schema)
	if err != nil {
		tb.Fatal(err)
	}
	return func(b []byte, shard int32, seq uint64, _ int64) []byte {
		return append(b, marshal(tb, s, content(shard, seq))...)
	}
}

func marshal(tb testing.TB, s *avro.Schema, r record) []byte {
	b, err := hamba.Marshal(s.Hamba(), r)
	if err != nil {
		tb.Error(err)
	}
	return b
}

// tableOf writes rows as ingest does: one batch for each file.
func tableOf(tb testing.TB, files ...[]row) *memTable {
	tb.Helper()
	writer, err := avro.Parse(schema)
	if err != nil {
		tb.Fatal(err)
	}
	values, err := avro.ArrowSchema(writer)
	if err != nil {
		tb.Fatal(err)
	}
	plan, err := avro.Compile(writer, values)
	if err != nil {
		tb.Fatal(err)
	}
	t := &memTable{schema: arrow.NewSchema(append(slices.Clone(values.Fields()), quarantine.Kafka, quarantine.Load), nil)}
	for _, rows := range files {
		b, err := avro.NewBatch(values)
		if err != nil {
			tb.Fatal(err)
		}
		for _, r := range rows {
			c := content(r.shard%shards, uint64(r.content))
			if r.change != nil {
				r.change(&c)
			}
			if err := b.Append(plan, marshal(tb, writer, c)); err != nil {
				tb.Fatal(err)
			}
		}
		t.files = append(t.files, []arrow.RecordBatch{array.NewRecordBatch(t.schema, append(b.Flush(), stampColumns(rows)...), int64(len(rows)))})
	}
	return t
}

func stampColumns(rows []row) []arrow.Array {
	k := array.NewStructBuilder(memory.DefaultAllocator, quarantine.Kafka.Type.(*arrow.StructType))
	l := array.NewStructBuilder(memory.DefaultAllocator, quarantine.Load.Type.(*arrow.StructType))
	for _, r := range rows {
		k.Append(true)
		k.FieldBuilder(0).(*array.StringBuilder).Append("orders")
		k.FieldBuilder(1).(*array.Int32Builder).Append(r.partition)
		k.FieldBuilder(2).(*array.Int64Builder).Append(r.offset)
		k.FieldBuilder(3).(*array.TimestampBuilder).Append(arrow.Timestamp(due.UnixMicro()))
		if l.Append(r.run != ""); r.run == "" {
			continue
		}
		l.FieldBuilder(0).(*array.StringBuilder).Append(r.run)
		l.FieldBuilder(1).(*array.Int32Builder).Append(r.shard)
		l.FieldBuilder(2).(*array.Int64Builder).Append(r.seq)
		l.FieldBuilder(3).(*array.TimestampBuilder).Append(arrow.Timestamp(dueOf(r.seq).UnixMicro()))
	}
	return []arrow.Array{k.NewArray(), l.NewArray()}
}

// refusedOf is the quarantine with these rows.
func refusedOf(rows ...row) *memTable {
	var q []quarantine.Row
	for _, r := range rows {
		x := quarantine.Row{Topic: "orders", Partition: r.partition, Offset: r.offset, Stamped: true}
		x.Stamp.Shard, x.Stamp.Seq = r.shard, r.seq
		if err := x.Stamp.Run.UnmarshalText([]byte(r.run)); err != nil {
			panic(err)
		}
		q = append(q, x)
	}
	return &memTable{schema: quarantine.Schema, files: [][]arrow.RecordBatch{{quarantine.Batch(quarantine.Schema, q)}}}
}

func claim(tb testing.TB) Claim {
	c := Claim{Run: run, Final: true, Schema: schema, Ends: map[int32]int64{0: 600, 1: 600},
		NewContent: func() func([]byte, int32, uint64, int64) []byte { return encode(tb) }}
	for range shards {
		c.Shards = append(c.Shards, Shard{Sent: each, Reserved: each, Acked: func(seq uint64) bool { return seq < each }})
	}
	return c
}

// split puts the rows of a run into three files.
func split(rows []row) [][]row {
	n := len(rows)
	return [][]row{rows[:n/3], rows[n/3 : n/2], rows[n/2:]}
}

func find(rows []row, shard int32, seq int64) int {
	return slices.IndexFunc(rows, func(r row) bool { return r.shard == shard && r.seq == seq })
}

func TestDamageIsFoundAndNamed(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(rows []row) [][]row
		refuse []row
		change func(*Claim)
		want   Result
		says   string // one evidence
	}{
		"a good run":         {damage: split, want: Result{Rows: 1200, Drained: true}},
		"one row gone":       {damage: func(r []row) [][]row { i := find(r, 1, 7); return split(slices.Delete(r, i, i+1)) }, want: Result{Rows: 1199, Lost: 1, Drained: true}, says: "lost: shard 1 seq 7: acknowledged by the broker; neither in the table nor in the quarantine"},
		"the last rows gone": {damage: func(r []row) [][]row { return split(r[:1190]) }, want: Result{Rows: 1190, Lost: 10}, says: "lost: shard 2 seq 399: acknowledged by the broker; neither in the table nor in the quarantine"},
		"a row of no known outcome gone": {damage: func(r []row) [][]row { i := find(r, 1, 7); return split(slices.Delete(r, i, i+1)) },
			change: func(c *Claim) { c.Shards[1].Acked = func(seq uint64) bool { return seq != 7 } }, want: Result{Rows: 1199, Unknown: 1, Drained: true}, says: "unknown: shard 1 seq 7: never acknowledged, not in the table"},
		"one row twice":                     {damage: func(r []row) [][]row { return append(split(r), []row{r[find(r, 2, 99)]}) }, want: Result{Rows: 1201, Doubled: 1, Drained: true}, says: "doubled: shard 2 seq 99 at orders[1]@149: the table has this message more than once"},
		"a whole file twice":                {damage: func(r []row) [][]row { f := split(r); return append(f, f[1]) }, want: Result{Rows: 1400, Doubled: 200, Drained: true}},
		"a row with the content of another": {damage: func(r []row) [][]row { r[find(r, 0, 5)].content = 6; return split(r) }, want: Result{Rows: 1200, Altered: 1, Drained: true}, says: "altered: shard 0 seq 5 at orders[1]@7: id is id-18, must be id-15"},
		"two rows changed places": {damage: func(r []row) [][]row {
			a, b := find(r, 0, 50), find(r, 0, 52)
			r[a].seq, r[b].seq, r[a].content, r[b].content = 52, 50, 52, 50
			return split(r)
		},
			want: Result{Rows: 1200, Reordered: 1, Drained: true}, says: "reordered: shard 0 seq 50 at orders[0]@78: stands behind seq 52"},
		"two rows changed places over a seam": {damage: func(r []row) [][]row {
			a, b := find(r, 0, 132), find(r, 0, 134)
			r[a].seq, r[b].seq, r[a].content, r[b].content = 134, 132, 134, 132
			return split(r)
		},
			want: Result{Rows: 1200, Reordered: 1, Drained: true}},
		"a message that was never sent": {damage: func(r []row) [][]row {
			return append(split(r), []row{{run: run, seq: 100_000, offset: 600}, {run: run, shard: 9, seq: 1, offset: 601}})
		}, want: Result{Rows: 1200, Altered: 2, Others: 2, Drained: true}, says: "altered: shard 9 seq 1 at orders[0]@601: a message of this number was never sent"},
		"rows of others are not ours": {damage: func(r []row) [][]row {
			return append(split(r), []row{{run: "01JDXQ3V6S9Q2J4W8Z5N7M1K0X", seq: 1, offset: 700}, {seq: 1, offset: 701}})
		}, want: Result{Rows: 1200, Others: 2, Drained: true}},
		"a refused message is not lost": {damage: func(r []row) [][]row { i := find(r, 1, 7); return split(slices.Delete(r, i, i+1)) }, refuse: []row{{run: run, shard: 1, seq: 7}}, want: Result{Rows: 1199, Quarantined: 1, Drained: true}},
		"refused and written":           {damage: split, refuse: []row{{run: run, shard: 1, seq: 7}}, want: Result{Rows: 1200, Quarantined: 1, Doubled: 1, Drained: true}},
		"rows in any order within a file": {damage: func(r []row) [][]row {
			rand.New(rand.NewPCG(1, 2)).Shuffle(len(r), func(i, j int) { r[i], r[j] = r[j], r[i] })
			return [][]row{r}
		}, want: Result{Rows: 1200, Drained: true}},
		"files that share their ranges": {damage: shuffled, want: Result{Rows: 1200, Drained: true}},
		"changed places in files that share their ranges": {damage: func(r []row) [][]row {
			a, b := find(r, 0, 50), find(r, 0, 52)
			r[a].seq, r[b].seq, r[a].content, r[b].content = 52, 50, 52, 50
			return shuffled(r)
		},
			want: Result{Rows: 1200, Reordered: 1, Drained: true}},
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{Claim: claim(t), Table: tableOf(t, c.damage(sent())...), Workers: 3}
			if c.change != nil {
				c.change(&o.Claim)
			}
			if c.refuse != nil {
				o.Quarantine = refusedOf(c.refuse...)
			}
			got, err := Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			w := c.want
			if got.Sent != 1200 || got.Rows != w.Rows || got.Lost != w.Lost || got.Doubled != w.Doubled || got.Altered != w.Altered || got.Reordered != w.Reordered ||
				got.Quarantined != w.Quarantined || got.Unknown != w.Unknown || got.Others != w.Others || got.Drained != w.Drained || got.OrderUnchecked != 0 {
				t.Errorf("got  %+v\nwant %+v", got, w)
			}
			if bad := w.Lost+w.Doubled+w.Altered+w.Reordered+w.Quarantined > 0; got.Good() == bad {
				t.Errorf("good: got %v", got.Good())
			}
			if c.says != "" && !slices.ContainsFunc(got.Evidence, func(e Evidence) bool { return strings.HasPrefix(e.String(), c.says) }) {
				t.Errorf("evidence %v\nlacks %s", got.Evidence, c.says)
			}
		})
	}
}

// shuffled deals the rows to three files at random, as interleaved writers and compactions may leave them.
func shuffled(rows []row) [][]row {
	r, files := rand.New(rand.NewPCG(3, 4)), make([][]row, 3)
	for _, x := range rows {
		i := r.IntN(3)
		files[i] = append(files[i], x)
	}
	return files
}

func TestAgeCountsToTheReadableSnapshot(t *testing.T) {
	o := Options{Claim: claim(t), Table: tableOf(t, split(sent())...), Workers: 2}
	got, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	// A third of the rows 1 s, a sixth 2 s, a half 3 s old.
	if got.ReadableP50 < 1990 || got.ReadableP50 > 2010 || got.ReadableMax < 2990 || got.ReadableMax > 3010 || got.ReadableRows != 1200 {
		t.Errorf("got p50 %v, max %v of %d rows; want 2000, 3000 of 1200", got.ReadableP50, got.ReadableMax, got.ReadableRows)
	}
	o.Readable = func(snapshot int64) (time.Time, bool) { return due.Add(9 * time.Second), snapshot == 3 }
	if got, err = Run(t.Context(), o); err != nil || got.ReadableMax < 8990 || got.ReadableMax > 9010 {
		t.Errorf("got max %v, %v; want 9000: the ledger knows better than the snapshot", got.ReadableMax, err)
	}
}

func TestKilledGeneratorLeavesUnknownsNotLosses(t *testing.T) {
	c := claim(t)
	c.Final = false
	for i := range c.Shards {
		c.Shards[i].Sent, c.Shards[i].Reserved = 100, 1_000_000
		c.Shards[i].Acked = func(seq uint64) bool { return seq < 90 }
	}
	rows := slices.DeleteFunc(sent(), func(r row) bool { return r.seq == 95 || r.seq == 200 || r.seq >= 350 })
	got, err := Run(t.Context(), Options{Claim: c, Table: tableOf(t, rows)})
	if err != nil {
		t.Fatal(err)
	}
	if got.Rows != 348*3 || got.Lost != 0 || got.Unknown != 6 || got.Sent != 348*3 || !got.Good() {
		t.Errorf("got %+v, want 1044 rows sent and there, 6 unknown below the last row seen, none lost", got)
	}
}

// A change of any one column, of any type, is found and shown.
func TestEveryColumnIsCompared(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*record)
		says   string
	}{
		"text":              {func(r *record) { r.ID += "x" }, "id is id-301x, must be id-301"},
		"null":              {func(r *record) { r.N = nil }, "n is (null), must be 301"},
		"number":            {func(r *record) { n := int64(302); r.N = &n }, "n is 302, must be 301"},
		"decimal":           {func(r *record) { r.Amount = big.NewRat(302, 100) }, "amount is 3.02, must be 3.01"},
		"timestamp":         {func(r *record) { r.At++ }, "at is 1970-01-01T00:00:00.301001Z, must be"},
		"double":            {func(r *record) { r.Risk = -r.Risk }, "risk is -43, must be 43"},
		"boolean":           {func(r *record) { r.Flag = !r.Flag }, "flag is true, must be false"},
		"text in a record":  {func(r *record) { r.Sub.City = "" }, "sub is "},
		"fixed in a record": {func(r *record) { r.Sub.Hash[2]++ }, "sub is "},
		"item of an array":  {func(r *record) { r.Tags[0] = "other" }, "tags is "},
		"fewer items":       {func(r *record) { r.Tags = nil }, "tags is "},
		"value of a map":    {func(r *record) { r.Dict["k0"]++ }, "dict is "},
		"key of a map":      {func(r *record) { r.Dict["x"] = r.Dict["k0"]; delete(r.Dict, "k0") }, "dict is "},
	} {
		t.Run(name, func(t *testing.T) {
			rows := sent()
			rows[find(rows, 1, 100)].change = c.change
			got, err := Run(t.Context(), Options{Claim: claim(t), Table: tableOf(t, split(rows)...)})
			if err != nil {
				t.Fatal(err)
			}
			if got.Altered != 1 || len(got.Evidence) != 1 || !strings.HasPrefix(got.Evidence[0].Detail, c.says) {
				t.Errorf("got %d altered, evidence %v; want one: %s", got.Altered, got.Evidence, c.says)
			}
		})
	}
}

func TestTableThatCannotProveIsRefused(t *testing.T) {
	plain := tableOf(t, sent())
	bare := &memTable{schema: arrow.NewSchema(plain.schema.Fields()[:plain.schema.NumFields()-1], nil)}
	for _, files := range plain.files {
		b := files[0]
		bare.files = append(bare.files, []arrow.RecordBatch{array.NewRecordBatch(bare.schema, b.Columns()[:b.NumCols()-1], b.NumRows())})
	}
	_, err := Run(t.Context(), Options{Claim: claim(t), Table: bare})
	if err == nil || !strings.Contains(err.Error(), "the table has no column _load: ingest keeps it with load_columns: true") {
		t.Errorf("got %v", err)
	}
	narrow := &memTable{schema: arrow.NewSchema(plain.schema.Fields()[1:], nil)}
	if _, err = Run(t.Context(), Options{Claim: claim(t), Table: narrow}); err == nil || !strings.Contains(err.Error(), "the table cannot hold what was sent") {
		t.Errorf("got %v", err)
	}
}

// missingFile is a table one of whose files is not there.
type missingFile struct {
	*memTable
	path  string
	plans *int // how often it was asked; from the second time on it has a newer snapshot, if moves
	moves bool
}

func (t missingFile) Plan(ctx context.Context) (lake.Plan, error) {
	p, err := t.memTable.Plan(ctx)
	if *t.plans++; t.moves && *t.plans > 1 {
		p.Snapshot = 2
	}
	return p, err
}

func (t missingFile) Scan(ctx context.Context, p lake.Plan) iter.Seq2[lake.Chunk, error] {
	if p.Files[0].Path == t.path && (!t.moves || p.Snapshot == 1) {
		return func(yield func(lake.Chunk, error) bool) {
			yield(lake.Chunk{}, fmt.Errorf("read %s: %w", t.path, fs.ErrNotExist))
		}
	}
	return t.memTable.Scan(ctx, p)
}

func TestAFileThatIsGoneIsNamedWithWhatItHeld(t *testing.T) {
	table := missingFile{memTable: tableOf(t, split(sent())...), path: "1", plans: new(int)}
	got, err := Run(t.Context(), Options{Claim: claim(t), Table: table})
	if err != nil {
		t.Fatal(err)
	}
	if got.Good() || len(got.Gone) != 1 || got.Gone[0].Path != "1" || got.Lost != 200 || got.Rows != 1000 || len(got.Evidence) != most {
		t.Errorf("got %+v", got)
	}
	// A compaction that has taken the file away meanwhile is no damage.
	table.moves, *table.plans = true, 0
	if got, err = Run(t.Context(), Options{Claim: claim(t), Table: table}); err != nil || !got.Good() || got.Rows != 1200 {
		t.Errorf("got %+v, %v", got, err)
	}
}

// A message that was held back on purpose may stand behind later ones, within a chunk and over a seam; no other may.
func TestOutOfOrderOnPurposeIsCountedApart(t *testing.T) {
	// moved puts a message behind the one that stands so many places later in its lane.
	moved := func(rows []row, shard int32, seq int64, places int) []row {
		from := find(rows, shard, seq)
		to := from
		for n := places; n > 0; {
			if to++; rows[to].partition == rows[from].partition {
				n--
			}
		}
		at := rows[from]
		for i := from; i < to; { // the others move up by an offset
			next := i + 1
			for rows[next].partition != at.partition {
				next++
			}
			rows[i].shard, rows[i].seq, rows[i].content = rows[next].shard, rows[next].seq, rows[next].content
			i = next
		}
		rows[to].shard, rows[to].seq, rows[to].content = at.shard, at.seq, at.content
		return rows
	}
	type want struct {
		places    int
		held      [2]int64
		behind    int64
		reordered int64
	}
	all := map[string]want{
		"as it should be":      {0, [2]int64{0, 50}, 0, 0}, // held back, but nothing of its lane has passed
		"within a chunk":       {9, [2]int64{0, 50}, 1, 0},
		"behind others only":   {1, [2]int64{0, 50}, 0, 0},
		"without a purpose":    {9, [2]int64{0, 60}, 0, 1},
		"over the seam":        {300, [2]int64{0, 50}, 1, 0},
		"and without, there":   {300, [2]int64{0, 60}, 0, 1},
		"to the last of a row": {520, [2]int64{0, 50}, 1, 0},
	}
	for places := 120; places <= 130; places++ { // one of them is the first of its lane in the second file
		all[fmt.Sprint("at the seam, ", places)] = want{places, [2]int64{0, 50}, 1, 0}
	}
	for name, c := range all {
		t.Run(name, func(t *testing.T) {
			rows := sent()
			if c.places > 0 {
				rows = moved(rows, 0, 50, c.places)
			}
			o := Options{Claim: claim(t), Table: tableOf(t, split(rows)...), Workers: 2}
			o.Claim.OutOfOrder = func(shard int32, seq uint64) bool { return int64(shard) == c.held[0] && int64(seq) == c.held[1] }
			got, err := Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if got.OutOfOrder != c.behind || got.Reordered != c.reordered || got.Lost+got.Doubled+got.Altered != 0 || got.Good() != (c.reordered == 0) {
				t.Errorf("got %+v, want %d out of order on purpose, %d reordered", got, c.behind, c.reordered)
			}
		})
	}
}

// The ages of rows are told by the time at which they were due, so that the warm-up can be left out and two tables be held side by side.
func TestAgesInWindows(t *testing.T) {
	o := Options{Claim: claim(t), Table: tableOf(t, split(sent())...), Workers: 2, Windows: Windows{From: due.Add(100 * time.Microsecond), Every: 100 * time.Microsecond, N: 5}}
	got, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	rows, last := int64(0), time.Time{}
	for i, w := range got.Windows {
		rows += w.Rows
		if w.Last.After(last) {
			last = w.Last
		}
		if w.Rows > 0 && (w.P50 < 900 || w.P99 > 3010 || w.P50 > w.P99 || w.Early != 0) {
			t.Errorf("window %d: %+v", i, w)
		}
	}
	t.Logf("%+v", got.Windows)
	want := int64(0)
	for seq := range int64(each) {
		if d := dueOf(seq); !d.Before(o.Windows.From) && d.Before(o.Windows.From.Add(500*time.Microsecond)) {
			want += shards
		}
	}
	if len(got.Windows) != 5 || rows != want || want == 0 || !last.Equal(due.Add(3*time.Second)) {
		t.Errorf("%d windows with %d rows, want 5 with %d; the last was readable at %v", len(got.Windows), rows, want, last)
	}
	o.Readable = func(int64) (time.Time, bool) { return due.Add(-time.Hour), true }
	if got, err = Run(t.Context(), o); err != nil || got.Windows[0].Early != got.Windows[0].Rows || got.Windows[0].Rows == 0 {
		t.Errorf("rows that could be read before they were due: %+v, %v", got.Windows, err)
	}
	if sum := Sum([]Result{got, got}); len(sum.Windows) != 5 || sum.Windows[0].Rows != 2*got.Windows[0].Rows || sum.Windows[0].P99 != got.Windows[0].P99 {
		t.Errorf("two tables: %+v", sum.Windows)
	}
}

// growing is a table that gets its last snapshot between being opened and being planned.
type growing struct {
	*memTable
	planned bool
}

func (g *growing) Plan(ctx context.Context) (lake.Plan, error) {
	g.planned = true
	return g.memTable.Plan(ctx)
}

func (g *growing) Snapshots() []lake.SnapshotInfo {
	all := g.memTable.Snapshots()
	if !g.planned {
		all = all[:len(all)-1]
	}
	return all
}

func TestTheAgeOfRowsThatAreCommittedMeanwhile(t *testing.T) {
	got, err := Run(t.Context(), Options{Claim: claim(t), Table: &growing{memTable: tableOf(t, split(sent())...)}, Workers: 2})
	if err != nil || got.ReadableRows != 1200 || got.ReadableMax < 2990 {
		t.Errorf("the age of %d rows is known, at most %v ms, %v; want 1200, 3000", got.ReadableRows, got.ReadableMax, err)
	}
}
