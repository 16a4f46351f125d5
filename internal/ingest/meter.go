package ingest

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"weir/internal/fault"
	"weir/internal/topic"
	"weir/minibatch"
)

// Work is what a job has done since it was made: who watches it takes differences.
type Work struct {
	Rows    int64         // read, also of the batch in work
	Busy    time.Duration // with a batch in work
	Blocked time.Duration // of it, waiting for the commit
	Commits int64
}

type meter struct {
	rows, commits atomic.Int64
	busy, blocked span
}

// Work may be called at any time.
func (j *Job) Work() Work {
	return Work{Rows: j.meter.rows.Load(), Commits: j.meter.commits.Load(), Busy: j.meter.busy.sum(), Blocked: j.meter.blocked.sum()}
}

// Held is how many bytes of messages are in memory ahead of the batch in work, and how many may be.
func (j *Job) Held() (bytes, limit int64) { return j.source.Held() }

// Only narrows the job to some partitions; nil: all. Not while it runs.
func (j *Job) Only(partitions []int32) { j.source.Only(partitions) }

// Position is the table's cursor.
func (j *Job) Position(ctx context.Context) (minibatch.Cursor, error) {
	return j.sink.cursor(ctx, j.name)
}

func (m *meter) event(k minibatch.Kind) {
	switch k {
	case minibatch.Planned:
		m.busy.start()
	case minibatch.Committed:
		m.busy.stop()
		m.commits.Add(1)
	default:
		m.busy.stop()
	}
}

// paced counts records and holds them back to the limit.
func (j *Job) paced(ctx context.Context, in iter.Seq2[topic.Records, error]) iter.Seq2[topic.Records, error] {
	return func(yield func(topic.Records, error) bool) {
		for recs, err := range in {
			j.meter.rows.Add(int64(len(recs)))
			fault.Point("records.fetched")
			for left := len(recs); j.pace != nil && err == nil && left > 0; {
				n := min(left, j.pace.Burst())
				err = j.pace.WaitN(ctx, n)
				left -= n
			}
			if !yield(recs, err) {
				return
			}
		}
	}
}

// span sums up the time between start and stop.
type span struct {
	mu    sync.Mutex
	since time.Time
	done  time.Duration
}

func (s *span) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.since.IsZero() {
		s.since = time.Now()
	}
}

func (s *span) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.since.IsZero() {
		s.done += time.Since(s.since)
		s.since = time.Time{}
	}
}

func (s *span) sum() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.since.IsZero() {
		return s.done
	}
	return s.done + time.Since(s.since)
}
