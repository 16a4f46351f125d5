// Package show says in the words of the control API what the features tell of themselves: a load run, a stream, the outbox.
//
// The features know nothing of screens, and the control API nothing of features; programs wire both through here.
package show

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"weir/internal/cli"
	"weir/internal/control"
	"weir/internal/ingest"
	"weir/internal/topic"
	"weir/minibatch"
)

// A Stream turns what an ingest job's runner tells into the stream of the control API, and looks at the topic's ends
// each second, so that the delay is true while nothing is committed.
type Stream struct {
	hub *control.Hub
	job *ingest.Job

	mu     sync.Mutex
	s      control.Stream
	cursor minibatch.Cursor
	// ends that were seen, with their time: the age of what is not in the table is the time since its end was first passed.
	seen   []seenEnds
	lastIn int64
	lastAt time.Time
	began  time.Time // first commit

	commits map[string]int64 // of each worker process there has been
	outs    []outPoint       // commits of the last seconds, for the rate
}

type seenEnds struct {
	at  time.Time
	end map[int32]int64
}

type outPoint struct {
	at   time.Time
	rows int64
}

const (
	rateWindow  = 10 * time.Second
	historyKept = 240
	endsKept    = 900 // seconds of ends; beyond that the delay is told as at least that
)

func NewStream(hub *control.Hub, s control.Stream, j *ingest.Job) *Stream {
	s.State = control.Running
	w := &Stream{hub: hub, job: j, s: s}
	w.publish()
	return w
}

// Cursor is how far the table is, as last told.
func (w *Stream) Cursor() minibatch.Cursor {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cursor
}

// Event takes what the runner tells.
func (w *Stream) Event(e minibatch.Event) {
	w.mu.Lock()
	switch e.Kind {
	case minibatch.Recovered:
		w.cursor, w.s.State, w.s.Error = e.Position, control.Running, ""
	case minibatch.Committed:
		w.cursor = e.Batch.To
		w.s.State, w.s.Error, w.s.Hint = control.Running, "", ""
		w.s.Rows, w.s.Quarantined, w.s.Commits = e.Report.RowsOut, e.Report.Quarantined, int64(e.Report.Batches)
		w.s.LastCommit, w.s.Snapshot = e.Receipt.At, e.Receipt.Snapshot
		w.s.CommitMillis = float64(e.Took.Microseconds()) / 1000
		if w.began.IsZero() {
			w.began = e.Time.Add(-e.Took)
		}
		w.outs = append(w.outs, outPoint{e.Time, e.Rows})
	case minibatch.CaughtUp:
		w.s.State = control.CaughtUp
	case minibatch.Retrying:
		w.s.State, w.s.Error = control.Waiting, e.Err.Error()
		var c *cli.Error
		if errors.As(e.Err, &c) {
			w.s.Hint = c.Hint
		}
	}
	w.mu.Unlock()
	switch e.Kind {
	case minibatch.Committed:
		w.hub.Event("commit", fmt.Sprintf("%s: %d rows in snapshot %d", w.s.Job, e.Rows, e.Receipt.Snapshot))
		if e.Refused > 0 {
			w.hub.Event("warn", fmt.Sprintf("%s: %d records to quarantine", w.s.Job, e.Refused))
		}
	case minibatch.Retrying:
		why := ""
		if e.Budget > 0 {
			why = ", the retry budget is exhausted"
		}
		w.hub.Event("warn", fmt.Sprintf("%s: trying again in %v%s: %v", w.s.Job, e.Wait.Round(time.Millisecond), why, e.Err))
	}
	w.publish()
}

// Follow looks at the topic's ends until ctx is done.
func (w *Stream) Follow(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.look(ctx)
		}
	}
}

func (w *Stream) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	w.mu.Lock()
	at := w.cursor
	w.mu.Unlock()
	lag, err := w.job.Lag(ctx, at)
	if err != nil {
		return // the runner meets the same error and tells it; the screen shows the age of the figures
	}
	now := time.Now()
	w.mu.Lock()
	w.measure(now, lag)
	w.mu.Unlock()
	w.publish()
}

func (w *Stream) measure(now time.Time, lag []topic.Lag) {
	ends, next := map[int32]int64{}, map[int32]int64{}
	var behind, total int64
	w.s.Partitions = w.s.Partitions[:0:0]
	for _, l := range lag {
		ends[l.Partition], next[l.Partition] = l.End, l.Next
		behind += l.End - l.Next
		total += l.End
		w.s.Partitions = append(w.s.Partitions, control.Partition{ID: l.Partition, Position: l.Next, End: l.End})
	}
	w.seen = append(w.seen, seenEnds{now, ends})
	if len(w.seen) > endsKept {
		w.seen = w.seen[1:]
	}
	w.s.BehindRecords, w.s.BehindSeconds = behind, w.age(now, next)
	w.s.CompleteUpTo = now.Add(-time.Duration(w.s.BehindSeconds * float64(time.Second)))
	if !w.lastAt.IsZero() {
		w.s.InPerSec = max(0, float64(total-w.lastIn)/now.Sub(w.lastAt).Seconds())
	}
	w.lastIn, w.lastAt = total, now
	for len(w.outs) > 0 && now.Sub(w.outs[0].at) > rateWindow {
		w.outs = w.outs[1:]
	}
	var rows int64
	for _, o := range w.outs {
		rows += o.rows
	}
	window := min(rateWindow, now.Sub(w.began))
	w.s.OutPerSec = float64(rows) / max(window.Seconds(), 1)
	w.s.At = now
	w.s.History = append(w.s.History, control.StreamPoint{T: now, Behind: w.s.BehindSeconds, In: w.s.InPerSec, Out: w.s.OutPerSec})
	if len(w.s.History) > historyKept {
		w.s.History = w.s.History[1:]
	}
}

// age is how long the oldest record that is not in the table has been in the topic: it came after the newest moment at which
// every end was still at or below the table's position.
func (w *Stream) age(now time.Time, next map[int32]int64) float64 {
	for i := len(w.seen) - 1; i >= 0; i-- {
		in := true
		for p, end := range w.seen[i].end {
			in = in && end <= next[p]
		}
		if in {
			return now.Sub(w.seen[i].at).Seconds()
		}
	}
	return now.Sub(w.seen[0].at).Seconds()
}

// End says what became of the stream.
func (w *Stream) End(err error) {
	w.mu.Lock()
	w.s.State = control.Stopped
	if err != nil {
		w.s.State, w.s.Error = control.Failed, err.Error()
		var c *cli.Error
		if errors.As(err, &c) {
			w.s.Hint = c.Hint
		}
	}
	w.mu.Unlock()
	w.publish()
}

// Moved says where the table is, and how many records it got since it was last told: of worker processes nobody hears each commit.
func (w *Stream) Moved(to minibatch.Cursor, records int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	w.cursor, w.s.State, w.s.Error = to, control.Running, ""
	if records > 0 {
		w.s.Rows += records
		w.s.LastCommit = now
		if w.began.IsZero() {
			w.began = now
		}
		w.outs = append(w.outs, outPoint{now, records})
	}
}

// Team shows the worker processes.
func (w *Stream) Team(t *control.Team) {
	w.mu.Lock()
	w.s.Team, w.s.Workers = t, len(t.Workers)
	if w.commits == nil {
		w.commits = map[string]int64{}
	}
	w.s.Commits = 0
	for _, k := range t.Workers {
		w.commits[k.ID] = k.Commits
	}
	for _, n := range w.commits {
		w.s.Commits += n
	}
	w.mu.Unlock()
	w.publish()
}

func (w *Stream) publish() {
	w.mu.Lock()
	s := w.s
	s.At = time.Now()
	w.mu.Unlock()
	w.hub.Update(func(sn *control.Snapshot) {
		for i := range sn.Streams {
			if sn.Streams[i].Job == s.Job {
				sn.Streams[i] = s
				return
			}
		}
		sn.Streams = append(sn.Streams, s)
	})
}
