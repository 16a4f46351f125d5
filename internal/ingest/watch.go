package ingest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"weir/internal/freshness"
	"weir/internal/lake"
	"weir/internal/topic"
	"weir/minibatch"
)

// A Watch looks at how far a job's table is behind its topic. It reads the cursor of the table and the ends of the topic; it
// joins no group and makes no table, and works whether the job runs or not. One goroutine at a time.
type Watch struct {
	source *topic.Source
	model  freshness.Model
	firsts map[int32]first // what the records of old backlogs say
	asked  time.Time
	bytes  float64

	name, table string
	lake        *lake.Lake
}

type first struct {
	next int64
	at   time.Time
}

const (
	firstsEvery = 5 * time.Second // how often the topic is read for timestamps, where ends alone do not tell the delay
	firstsWait  = 2 * time.Second
)

// NewWatch connects a watch to a job's topic and its table, which need not be there yet. [Watch.Close] ends it.
func NewWatch(ctx context.Context, name string, c Config, p Parts) (*Watch, error) {
	src, err := topic.Open(ctx, p.Kafka, c.Topic, c.Start)
	if err != nil {
		return nil, err
	}
	return &Watch{source: src, name: name, table: c.Table, lake: p.Lake}, nil
}

// Watch of a running job; it ends with the job.
func (j *Job) Watch() *Watch { return &Watch{source: j.source} }

// Close ends a watch of [NewWatch].
func (w *Watch) Close() { w.source.Close() }

// Position is the table's cursor; none while there is no table.
func (w *Watch) Position(ctx context.Context) (minibatch.Cursor, error) {
	t, err := w.lake.Table(ctx, w.table)
	if errors.Is(err, lake.ErrNoTable) {
		return minibatch.Cursor{}, nil
	}
	if err != nil {
		return minibatch.Cursor{}, err
	}
	return (&sink{table: t}).cursor(ctx, w.name)
}

// Look compares a cursor with the topic.
func (w *Watch) Look(ctx context.Context, at minibatch.Cursor) (freshness.State, error) {
	lag, err := w.source.Lag(ctx, at)
	if err != nil {
		return freshness.State{}, err
	}
	now := time.Now()
	if b := w.source.MeanBytes(); b > 0 {
		w.bytes = b
	}
	parts := make([]freshness.Partition, len(lag))
	for i, l := range lag {
		parts[i] = freshness.Partition{ID: l.Partition, Next: l.Next, End: l.End}
		if f, ok := w.firsts[l.Partition]; ok && f.next <= l.Next { // the table has gone on since: the record is at least as old as it was
			parts[i].First = f.at
		}
	}
	if w.unknown(now, parts) {
		w.ask(ctx, now, parts)
	}
	return w.model.Look(now, parts, w.bytes), nil
}

// unknown: a backlog from before the first look has to be asked for its age, now and then.
func (w *Watch) unknown(now time.Time, parts []freshness.Partition) bool {
	return (w.asked.IsZero() || now.Sub(w.asked) >= firstsEvery) && slices.ContainsFunc(parts, w.old)
}

func (w *Watch) old(p freshness.Partition) bool { return p.End > p.Next && !w.model.Saw(p) }

// ask reads the first records of old backlogs. What it does not get stays "at least".
func (w *Watch) ask(ctx context.Context, now time.Time, parts []freshness.Partition) {
	w.asked = now
	next := map[int32]int64{}
	for _, p := range parts {
		if w.old(p) {
			next[p.ID] = p.Next
		}
	}
	ctx, cancel := context.WithTimeout(ctx, firstsWait)
	defer cancel()
	got, _ := w.source.Firsts(ctx, next)
	if w.firsts == nil {
		w.firsts = map[int32]first{}
	}
	var sum float64
	for p, f := range got {
		w.firsts[p] = first{next[p], f.At}
		sum += f.Bytes
	}
	if w.bytes == 0 && len(got) > 0 {
		w.bytes = sum / float64(len(got))
	}
	maps.DeleteFunc(w.firsts, func(p int32, _ first) bool { _, asked := next[p]; return !asked })
	for i, p := range parts {
		if f, ok := w.firsts[p.ID]; ok {
			parts[i].First = f.at
		}
	}
}
