package verify

import (
	"fmt"
	"iter"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"weir/internal/avro"
	"weir/internal/lake"
	"weir/internal/quarantine"
)

// worker reads files, one at a time.
type worker struct {
	*proof
	content func([]byte, int32, uint64, int64) []byte
	batch   *avro.Batch
	datum   []byte
	at      []int // row of the chunk that the batch's k-th datum belongs to
	bad     []bool

	count     int64 // rows of the run
	age       *hdrhistogram.Histogram
	reached   map[int32]int64 // partition -> first offset behind the last row seen
	lanes     map[lane]*track
	unordered int64
	windowed  []windowAges // by window
}

func newWorker(p *proof) (*worker, error) {
	b, err := avro.NewBatch(p.target)
	if err != nil {
		return nil, err
	}
	return &worker{proof: p, content: p.o.Claim.NewContent(), batch: b, age: newAges(), reached: map[int32]int64{}, lanes: map[lane]*track{}, windowed: make([]windowAges, p.o.Windows.N)}, nil
}

// stamps are the columns _load and _kafka of a chunk.
type stamps struct {
	load      *array.Struct
	run       *array.String
	shard     *array.Int32
	seq       *array.Int64
	intended  *array.Timestamp
	topic     *array.String
	partition *array.Int32
	offset    *array.Int64
}

func child[T arrow.Array](rec arrow.RecordBatch, column, name string) (T, error) {
	var none T
	i := rec.Schema().FieldIndices(column)
	if len(i) != 1 {
		return none, fmt.Errorf("the table has no column %s: ingest keeps it with load_columns: true", column)
	}
	s, ok := rec.Column(i[0]).(*array.Struct)
	if !ok {
		return none, fmt.Errorf("column %s: want a struct, got %s", column, rec.Column(i[0]).DataType())
	}
	if name == "" {
		return any(s).(T), nil
	}
	k, ok := s.DataType().(*arrow.StructType).FieldIdx(name)
	if !ok {
		return none, fmt.Errorf("column %s has no field %s", column, name)
	}
	c, ok := s.Field(k).(T)
	if !ok {
		return none, fmt.Errorf("column %s.%s: unexpected type %s", column, name, s.Field(k).DataType())
	}
	return c, nil
}

func stampsOf(rec arrow.RecordBatch) (s stamps, err error) {
	get := func(ok error) {
		if err == nil {
			err = ok
		}
	}
	var e error
	s.load, e = child[*array.Struct](rec, "_load", "")
	get(e)
	s.run, e = child[*array.String](rec, "_load", "run")
	get(e)
	s.shard, e = child[*array.Int32](rec, "_load", "shard")
	get(e)
	s.seq, e = child[*array.Int64](rec, "_load", "seq")
	get(e)
	s.intended, e = child[*array.Timestamp](rec, "_load", "intended")
	get(e)
	s.topic, e = child[*array.String](rec, "_kafka", "topic")
	get(e)
	s.partition, e = child[*array.Int32](rec, "_kafka", "partition")
	get(e)
	s.offset, e = child[*array.Int64](rec, "_kafka", "offset")
	get(e)
	return s, err
}

func (s stamps) evidence(kind string, i int, detail string) Evidence {
	return Evidence{Kind: kind, Shard: s.shard.Value(i), Seq: s.seq.Value(i), Topic: s.topic.Value(i), Partition: s.partition.Value(i), Offset: s.offset.Value(i), Detail: detail}
}

// own reports that row i belongs to the run; a row of the run that was never sent is altered.
func (w *worker) own(s stamps, i int) bool {
	if s.load.IsNull(i) || s.run.Value(i) != w.o.Claim.Run {
		return false
	}
	shard, seq := s.shard.Value(i), s.seq.Value(i)
	if shard < 0 || int(shard) >= len(w.seen) || seq < 0 || uint64(seq) >= w.o.Claim.Shards[shard].limit() {
		w.found.add(s.evidence("altered", i, "a message of this number was never sent"))
		return false
	}
	if w.fate(shard, uint64(seq)) == Elsewhere {
		w.found.add(s.evidence("altered", i, "the message of this number went to another topic"))
		return false
	}
	return true
}

// rows looks at a chunk of the table.
func (w *worker) rows(c lake.Chunk) error {
	s, err := stampsOf(c.Batch)
	if err != nil {
		return err
	}
	when, known := w.times[c.File.Snapshot]
	w.at = w.at[:0]
	for i := range int(c.Batch.NumRows()) {
		part, off := s.partition.Value(i), s.offset.Value(i)
		w.reached[part] = max(w.reached[part], off+1)
		if !w.own(s, i) {
			w.other.Add(1)
			continue
		}
		w.count++
		shard, seq := s.shard.Value(i), uint64(s.seq.Value(i))
		if w.seen[shard].set(seq) {
			w.found.add(s.evidence("doubled", i, "the table has this message more than once"))
		} else {
			w.track(s.topic.Value(i), part, shard, off, int64(seq), says(w.o.Claim.OutOfOrder, shard, seq))
		}
		if known && !when.hidden {
			w.ageOf(when.at, int64(s.intended.Value(i)))
		}
		switch w.fate(shard, seq) {
		case Row, Elsewhere:
		case Refused:
			w.found.add(s.evidence("altered", i, "the message was made so that the table must refuse it"))
			continue
		case Aborted:
			w.found.add(s.evidence("altered", i, "the message's transaction was aborted: nobody may see it"))
			continue
		}
		w.datum = w.content(w.datum[:0], shard, seq, int64(s.intended.Value(i)))
		plan := w.plan
		if says(w.o.Claim.Evolved, shard, seq) {
			plan = w.later
		}
		if err := w.batch.Append(plan, w.datum); err != nil {
			return fmt.Errorf("the content of shard %d seq %d cannot be recomputed: %w", shard, seq, err)
		}
		w.at = append(w.at, i)
	}
	w.endChunk()
	return w.compare(c.Batch, s)
}

// says asks one of the claim's questions; nobody to ask means no.
func says(f func(int32, uint64) bool, shard int32, seq uint64) bool { return f != nil && f(shard, seq) }

func (w *worker) ageOf(readable time.Time, intended int64) {
	if i := w.o.Windows.at(intended); i >= 0 {
		w.windowed[i].add(readable.UnixMicro(), intended)
	}
	_ = w.age.RecordValue(min(max(readable.UnixMicro()-intended, 1), w.age.HighestTrackableValue()))
}

// compare holds the rows against what they must be, column by column.
func (w *worker) compare(rec arrow.RecordBatch, s stamps) error {
	want := w.batch.Flush()
	defer func() {
		for _, a := range want {
			a.Release()
		}
	}()
	w.bad = append(w.bad[:0], make([]bool, len(w.at))...)
	for k, f := range w.target.Fields() {
		i := rec.Schema().FieldIndices(f.Name)
		if len(i) != 1 {
			return fmt.Errorf("column %s is not in the table's files", f.Name)
		}
		got := rec.Column(i[0])
		equal, err := comparer(got, want[k])
		if err != nil {
			return fmt.Errorf("column %s: %w", f.Name, err)
		}
		for j, row := range w.at {
			if !w.bad[j] && !equal(row, j) {
				w.bad[j] = true
				w.found.add(s.evidence("altered", row, fmt.Sprintf("%s is %s, must be %s", f.Name, short(got.ValueStr(row)), short(want[k].ValueStr(j)))))
			}
		}
	}
	return nil
}

func short(s string) string {
	if len(s) > 60 {
		return s[:57] + "..."
	}
	return s
}

// ours are the rows of the run; how far each partition has been read is noted of all.
func (w *worker) ours(s stamps, rows int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range rows {
			part := s.partition.Value(i)
			w.reached[part] = max(w.reached[part], s.offset.Value(i)+1)
			if w.own(s, i) && !yield(i) {
				return
			}
		}
	}
}

// refused looks at a chunk of the quarantine; those that are moving count as rows of the table.
func (w *worker) refused(c lake.Chunk, moving quarantine.Positions) error {
	s, err := stampsOf(c.Batch)
	if err != nil {
		return err
	}
	for i := range w.ours(s, int(c.Batch.NumRows())) {
		if moving[quarantine.Position{Topic: s.topic.Value(i), Partition: s.partition.Value(i), Offset: s.offset.Value(i)}] {
			continue
		}
		shard, seq := s.shard.Value(i), uint64(s.seq.Value(i))
		switch {
		case w.proof.refused[shard].set(seq):
			w.found.add(s.evidence("doubled", i, "the quarantine has this message more than once"))
		case w.seen[shard].has(seq):
			w.found.add(s.evidence("doubled", i, "the message is in the table and in the quarantine"))
		case w.fate(shard, seq) == Aborted:
			w.found.add(s.evidence("quarantined", i, "the message's transaction was aborted: nobody may see it"))
		case w.fate(shard, seq) == Row:
			w.found.add(s.evidence("quarantined", i, "nothing was wrong with it"))
		}
	}
	return nil
}

// discarded looks at a chunk of what was discarded. A discard that is on its way has its records in the quarantine too.
func (w *worker) discarded(c lake.Chunk) error {
	s, err := stampsOf(c.Batch)
	if err != nil {
		return err
	}
	for i := range w.ours(s, int(c.Batch.NumRows())) {
		shard, seq := s.shard.Value(i), uint64(s.seq.Value(i))
		if w.seen[shard].has(seq) {
			w.found.add(s.evidence("doubled", i, "the message is in the table and among the discarded"))
		}
		w.proof.dropped[shard].set(seq)
	}
	return nil
}
