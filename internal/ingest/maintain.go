package ingest

import (
	"context"
	"errors"
	"time"

	"weir/internal/config"
	"weir/internal/lake"
	"weir/internal/quarantine"
)

// Maintain is how the job's tables are looked after while the job runs. It is on without a word.
type Maintain struct {
	Off           bool             `yaml:"off,omitempty" jsonschema:"description=the job leaves its tables to somebody else"`
	Compact       *config.Duration `yaml:"compact,omitempty" jsonschema:"description=how often small files are put together, if there are enough of them (default 1h; 0s: never)"`
	TargetFile    config.Size      `yaml:"target_file,omitempty" jsonschema:"description=size of the files that this makes (default 128MiB)"`
	Expire        *config.Duration `yaml:"expire,omitempty" jsonschema:"description=how often old snapshots and their files go besides those that go with the commits (default 1h; 0s: never)"`
	KeepSnapshots int              `yaml:"keep_snapshots,omitempty" jsonschema:"description=snapshots that stay at least (default 20)"`
	Orphans       *config.Duration `yaml:"orphans,omitempty" jsonschema:"description=files of batches that died go when they are so old (default 24h; 0s: never)"`
}

func (m Maintain) validate(say func(path, format string, args ...any), longest time.Duration) {
	for path, d := range map[string]*config.Duration{"maintain.compact": m.Compact, "maintain.expire": m.Expire} {
		if d != nil && *d != 0 && time.Duration(*d) < time.Minute {
			say(path, "expected at least 1m, or 0s for never, got %v", *d)
		}
	}
	if d := m.Orphans; d != nil && *d != 0 && time.Duration(*d) < max(lake.ShortestOrphan, 2*longest) {
		say("maintain.orphans", "expected at least %v, or 0s for never: the files of a batch that is not committed yet must not be taken for lost, got %v", max(lake.ShortestOrphan, 2*longest), *d)
	}
	if m.TargetFile != 0 && m.TargetFile < 1<<20 {
		say("maintain.target_file", "expected at least 1MiB, got %v", m.TargetFile)
	}
	if m.KeepSnapshots < 0 {
		say("maintain.keep_snapshots", "expected 1 or more, got %d", m.KeepSnapshots)
	}
}

func (m Maintain) upkeep(longest time.Duration) lake.Upkeep {
	or := func(d *config.Duration, def time.Duration) time.Duration {
		if d == nil {
			return def
		}
		return time.Duration(*d)
	}
	u := lake.Upkeep{
		Compact: or(m.Compact, time.Hour), Expire: or(m.Expire, time.Hour), Orphans: or(m.Orphans, max(24*time.Hour, 2*longest)), Keep: m.KeepSnapshots,
		// Readers that follow the table closely have what is older than this behind them.
		Compaction: lake.Compaction{Target: int64(m.TargetFile), Settled: time.Minute},
	}
	return u
}

const lookEach = time.Minute

// Maintain looks after the job's tables until ctx ends: small files, old snapshots, files of batches that died. It runs beside the
// stream and takes turns with its commits only for the swap. tell gets each round that did something, and each error: none of them
// stops the job, and what failed is tried again when its time comes.
func (j *Job) Maintain(ctx context.Context, tell func(lake.Kept, error)) {
	tick := time.NewTicker(lookEach)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			j.Keep(ctx, tell)
		}
	}
}

// Keep is one round of Maintain.
func (j *Job) Keep(ctx context.Context, tell func(lake.Kept, error)) {
	if j.cfg.Maintain.Off {
		return
	}
	u := j.cfg.Maintain.upkeep(j.cfg.longest())
	for _, name := range []string{j.cfg.Table, quarantine.Table(j.cfg.Table)} {
		k, err := j.keep(ctx, name, u)
		if ctx.Err() != nil {
			return
		}
		if err != nil || k.Any() {
			tell(k, err)
		}
	}
}

// keep opens the table anew: the one that the stream uses must not change under it.
func (j *Job) keep(ctx context.Context, name string, u lake.Upkeep) (lake.Kept, error) {
	t, err := j.parts.Lake.Table(ctx, name)
	if errors.Is(err, lake.ErrNoTable) {
		return lake.Kept{}, nil
	}
	if err != nil {
		return lake.Kept{Table: name}, err
	}
	return t.Keep(ctx, u)
}
