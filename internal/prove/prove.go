// Package prove holds a load run's manifest against the table that its messages went to.
//
// [Run] brings the parts together: load knows what was sent, lake holds the rows, verify compares, the ledger knows when each
// snapshot became readable.
package prove

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weir/internal/cli"
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
		table = m.Table
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

// Table proves a manifest from a table and its quarantine.
func Table(ctx context.Context, m *load.Manifest, table string, l *lake.Lake, readable func(snapshot int64) (time.Time, bool)) (verify.Result, error) {
	claim, err := Claim(m)
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
	q, err := l.Table(ctx, quarantine.Table(table))
	if err == nil {
		o.Quarantine = q
	} else if !errors.Is(err, lake.ErrNoTable) {
		return verify.Result{}, err
	}
	return verify.Run(ctx, o)
}

// Claim is what the generator says it has sent.
func Claim(m *load.Manifest) (verify.Claim, error) {
	gen, err := m.Generator()
	if err != nil {
		return verify.Claim{}, fmt.Errorf("content of run %s: %w", m.Run, err)
	}
	c := verify.Claim{Run: m.Run, Final: m.Known(), Schema: gen.Schema(), Ends: m.Ends}
	shards := uint64(len(m.Shards))
	for i := range m.Shards {
		s := &m.Shards[i]
		c.Shards = append(c.Shards, verify.Shard{Sent: s.Sent, Reserved: s.Reserved, Acked: s.Acked})
	}
	c.NewContent = func() func([]byte, int32, uint64) []byte {
		w := gen.Writer()
		return func(b []byte, shard int32, seq uint64) []byte { return w.Append(b, seq*shards+uint64(shard)) }
	}
	return c, nil
}
