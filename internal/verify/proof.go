package verify

import (
	"fmt"
	"math/bits"
	"strings"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/apache/arrow-go/v18/arrow"

	"weir/internal/avro"
	"weir/internal/lake"
)

// proof is what the workers share.
type proof struct {
	o       Options
	target  *arrow.Schema // the table's value columns
	plan    *avro.Plan
	later   *avro.Plan // of the later schema
	seen    []bitSet   // per shard: the message is in the table
	refused []bitSet   // per shard: the message is in the quarantine
	dropped []bitSet   // per shard: the message was discarded from it; nil where nothing was
	found   *witnesses
	workers []*worker
	times   map[int64]snapshotTime
	other   atomic.Int64
}

// snapshotTime is when a snapshot's rows could be read; hidden if its files were rewritten from older ones.
type snapshotTime struct {
	at     time.Time
	hidden bool
}

// bitSet is set by several workers at once.
type bitSet []uint64

// set reports that the bit was set before.
func (b bitSet) set(i uint64) bool {
	mask := uint64(1) << (i % 64)
	return atomic.OrUint64(&b[i/64], mask)&mask != 0
}

func (b bitSet) has(i uint64) bool { return b[i/64]>>(i%64)&1 != 0 }

func (b bitSet) count() (n int64) {
	for _, w := range b {
		n += int64(bits.OnesCount64(w))
	}
	return n
}

func newProof(o Options) (*proof, error) {
	p := &proof{o: o, found: newWitnesses(), times: map[int64]snapshotTime{}}
	writer, err := avro.Parse(o.Claim.Schema)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	var fields []arrow.Field
	for _, f := range o.Table.Schema().Fields() {
		if !strings.HasPrefix(f.Name, "_") {
			fields = append(fields, f)
		}
	}
	p.target = arrow.NewSchema(fields, nil)
	if p.plan, err = avro.CompileFor(writer, p.target); err != nil {
		return nil, fmt.Errorf("the table cannot hold what was sent: %w", err)
	}
	if o.Claim.Later != "" {
		later, err := avro.Parse(o.Claim.Later)
		if err != nil {
			return nil, fmt.Errorf("the second schema: %w", err)
		}
		if p.later, err = avro.CompileFor(later, p.target); err != nil {
			return nil, fmt.Errorf("the table cannot hold what was sent with the second schema: %w", err)
		}
	}
	for _, s := range o.Claim.Shards {
		n := (max(s.Reserved, s.Sent) + 63) / 64
		p.seen, p.refused = append(p.seen, make(bitSet, n)), append(p.refused, make(bitSet, n))
		if o.Discarded != nil {
			p.dropped = append(p.dropped, make(bitSet, n))
		}
	}
	for range o.Workers {
		w, err := newWorker(p)
		if err != nil {
			return nil, err
		}
		p.workers = append(p.workers, w)
	}
	return p, nil
}

// learnTimes asks when the snapshots could be read: after the plan, which may have found one that is newer than the table was.
func (p *proof) learnTimes() {
	for _, s := range p.o.Table.Snapshots() {
		t := snapshotTime{at: s.At, hidden: s.Summary["operation"] == "replace"}
		if p.o.Readable != nil {
			if at, ok := p.o.Readable(s.ID); ok {
				t.at = at
			}
		}
		p.times[s.ID] = t
	}
}

// gone notes a file that is not there.
func (p *proof) gone(f lake.PlannedFile) {
	p.found.lack(Gone{Path: f.Path, Rows: f.Rows, Snapshot: f.Snapshot})
}

// fate is where a message must end.
func (p *proof) fate(shard int32, seq uint64) Fate {
	if p.o.Claim.Fate == nil {
		return Row
	}
	return p.o.Claim.Fate(shard, seq)
}

// limit is the first seq of a shard that cannot have been sent.
func (s Shard) limit() uint64 { return max(s.Reserved, s.Sent) }

func (p *proof) result() Result {
	r := Result{Run: p.o.Claim.Run, Others: p.other.Load(), Drained: p.drained()}
	for i, s := range p.o.Claim.Shards {
		p.missing(int32(i), s, &r)
		r.Quarantined += p.refused[i].count()
		if p.dropped != nil {
			r.Discarded += p.dropped[i].count()
		}
	}
	age := newAges()
	for _, w := range p.workers {
		r.Rows += w.count
		r.OrderUnchecked += w.unordered
		r.OutOfOrder += p.behind(w)
		age.Merge(w.age)
	}
	r.ReadableRows = age.TotalCount()
	if r.ReadableRows > 0 {
		r.ReadableP50, r.ReadableP99, r.ReadableMax = ms(age.ValueAtPercentile(50)), ms(age.ValueAtPercentile(99)), ms(age.Max())
	}
	c := p.found.counts
	r.Unexplained = c["quarantined"]
	r.Lost, r.Doubled, r.Reordered, r.Altered, r.Unknown = c["lost"], c["doubled"], c["reordered"], c["altered"], c["unknown"]
	r.Evidence, r.Gone = p.found.evidence(), p.found.files()
	r.Windows = p.windows()
	return r
}

// missing looks for the messages of a shard that are nowhere, 64 at a time.
func (p *proof) missing(shard int32, s Shard, r *Result) {
	seen, refused := p.seen[shard], p.refused[shard]
	if p.dropped != nil { // one that is in both is on its way out of the quarantine, and counts there
		here := make(bitSet, len(refused))
		for i, d := range p.dropped[shard] {
			p.dropped[shard][i] = d &^ refused[i]
			here[i] = refused[i] | d
		}
		refused = here
	}
	end := s.Sent
	if !p.o.Claim.Final {
		end = max(end, lastSet(seen)+1, lastSet(refused)+1)
	}
	for base := uint64(0); base < end; base += 64 {
		there := seen[base/64] | refused[base/64]
		for seq := base; seq < min(base+64, end); seq++ {
			here := there>>(seq%64)&1 != 0
			acked := s.Acked(seq)
			fate := p.fate(shard, seq)
			if fate == Elsewhere {
				continue
			}
			if fate == Aborted { // one that is here has been named
				if acked {
					r.Aborted++
				}
				continue
			}
			if fate == Refused && (here || acked) {
				r.Poison++
			}
			if here || acked || p.o.Claim.Final {
				r.Sent++
			}
			switch {
			case here:
			case acked:
				p.found.add(Evidence{Kind: "lost", Shard: shard, Seq: int64(seq), Detail: "acknowledged by the broker; neither in the table nor in the quarantine"})
			default:
				p.found.add(Evidence{Kind: "unknown", Shard: shard, Seq: int64(seq), Detail: "never acknowledged, not in the table"})
			}
		}
	}
}

func lastSet(b bitSet) uint64 {
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] != 0 {
			return uint64(i)*64 + uint64(63-bits.LeadingZeros64(b[i]))
		}
	}
	return 0
}

// drained reports that rows up to the last acknowledged message of each partition have been seen.
func (p *proof) drained() bool {
	for part, end := range p.o.Claim.Ends {
		reached := int64(0)
		for _, w := range p.workers {
			reached = max(reached, w.reached[part])
		}
		if reached < end {
			return false
		}
	}
	return true
}

// Ages are µs, up to a week.
func newAges() *hdrhistogram.Histogram { return hdrhistogram.New(1, 7*86_400_000_000, 3) }

func ms(us int64) float64 { return float64(us) / 1000 }
