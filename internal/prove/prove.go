// Package prove holds a load run's manifest against the table that its messages went to.
//
// [Run] brings the parts together: load knows what was sent, lake holds the rows, verify compares, the ledger knows when each
// snapshot became readable.
package prove

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/internal/cli"
	"weir/internal/content"
	"weir/internal/lake"
	"weir/internal/load"
	"weir/internal/quarantine"
	"weir/internal/verify"
)

// Run proves a run of a home from its table. readable says when the snapshots of a table could first be read; it may be nil.
func Run(ctx context.Context, home, run, table string, l *lake.Lake, readable func(table string) (map[int64]time.Time, error)) (verify.Result, error) {
	m, err := load.ReadManifest(home, run)
	if err != nil {
		return verify.Result{}, err
	}
	if table == "" {
		table = m.Streams[0].Table
	}
	var at func(int64) (time.Time, bool)
	if readable != nil {
		known, err := readable(table)
		if err != nil {
			return verify.Result{}, err
		}
		at = func(snapshot int64) (time.Time, bool) { t, ok := known[snapshot]; return t, ok }
	}
	return Table(ctx, m, table, l, at)
}

// Tables are those that a run's messages went to, in the order of its mix.
func Tables(m *load.Manifest) (all []string) {
	for _, s := range m.Streams {
		all = append(all, s.Table)
	}
	return all
}

// Table proves a manifest from a table and its quarantine: the part of the run that went there. A table that the manifest does
// not name holds the run's only part. windows are those that are asked for, if any.
func Table(ctx context.Context, m *load.Manifest, table string, l *lake.Lake, readable func(snapshot int64) (time.Time, bool), windows ...verify.Windows) (verify.Result, error) {
	stream := slices.Index(Tables(m), table)
	if stream < 0 {
		if stream = 0; len(m.Streams) > 1 {
			return verify.Result{}, &cli.Error{Err: fmt.Errorf("run %s sent nothing to table %s", m.Run, table), Hint: "its tables are " + strings.Join(Tables(m), ", "), Exit: cli.ExitUsage}
		}
	}
	if m.Unmarked {
		return verify.Result{}, &cli.Error{Err: fmt.Errorf("run %s cannot be proven: %w", m.Run, load.ErrUnmarked), Hint: "run the profile without verify.identity: none", Exit: cli.ExitUsage}
	}
	claim, err := Claim(m, stream)
	if err != nil {
		return verify.Result{}, err
	}
	t, err := l.Table(ctx, table)
	if errors.Is(err, lake.ErrNoTable) {
		return verify.Result{}, &cli.Error{Err: err, Hint: "the run's rows are expected there; --table names another, `pipeline run JOB` fills it"}
	}
	if err != nil {
		return verify.Result{}, err
	}
	o := verify.Options{Claim: claim, Table: t, Readable: readable}
	for _, w := range windows {
		o.Windows = w
	}
	q, err := l.Table(ctx, quarantine.Table(table))
	if err == nil {
		o.Quarantine = q
		o.Moving = func(ctx context.Context) (quarantine.Positions, int64, error) { return quarantine.Pending(ctx, t, q) }
	} else if !errors.Is(err, lake.ErrNoTable) {
		return verify.Result{}, err
	}
	gone, err := l.Table(ctx, quarantine.Discards(table))
	if err == nil {
		o.Discarded = gone
	} else if !errors.Is(err, lake.ErrNoTable) {
		return verify.Result{}, err
	}
	r, err := verify.Run(ctx, o)
	r.Table = table
	return r, err
}

// Claim is what the generator says it has sent to one of its topics.
func Claim(m *load.Manifest, stream int) (verify.Claim, error) {
	mix, err := m.Mix()
	if err != nil {
		return verify.Claim{}, err
	}
	c := verify.Claim{Run: m.Run, Final: m.Known(), Schema: mix.Generator(stream).Schema(), Ends: m.Streams[stream].Ends}
	shards := uint64(len(m.Shards))
	for i := range m.Shards {
		s := &m.Shards[i]
		c.Shards = append(c.Shards, verify.Shard{Sent: s.Sent, Reserved: s.Reserved, Acked: s.Acked})
	}
	number := func(shard int32, seq uint64) uint64 { return seq*shards + uint64(shard) }
	c.NewContent = func() func([]byte, int32, uint64, int64) []byte {
		w := mix.Writer()
		return func(b []byte, shard int32, seq uint64, due int64) []byte { return w.Datum(b, number(shard, seq), due) }
	}
	if later := mix.Later(stream); later != nil {
		c.Later = later.Schema()
		c.Evolved = func(shard int32, seq uint64) bool {
			_, of := mix.Fate(number(shard, seq))
			return mix.Evolved(stream, of)
		}
	}
	if mix.Shuffles() {
		c.OutOfOrder = func(shard int32, seq uint64) bool {
			f, _ := mix.Fate(number(shard, seq))
			return f == content.OutOfOrder
		}
	}
	if mix.Plain() && m.Transaction.Abort == 0 {
		return c, nil
	}
	c.Fate = func(shard int32, seq uint64) verify.Fate {
		n := number(shard, seq)
		if mix.Of(n) != stream {
			return verify.Elsewhere
		}
		if m.Aborted(n) {
			return verify.Aborted
		}
		if f, _ := mix.Fate(n); f.Refused() {
			return verify.Refused
		}
		return verify.Row
	}
	return c, nil
}
