// Package show says in the words of the control API what the features tell of themselves: a load run, a stream, the outbox.
//
// The features know nothing of screens, and the control API nothing of features; programs wire both through here.
package show

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"weir/internal/cli"
	"weir/internal/control"
	"weir/internal/freshness"
	"weir/internal/ingest"
	"weir/minibatch"
)

// A Stream turns what an ingest job's runner tells into the stream of the control API, and looks at the topic's ends
// each second, so that the delay is true while nothing is committed.
type Stream struct {
	hub  *control.Hub
	look *ingest.Watch
	job  *ingest.Job

	mu      sync.Mutex
	s       control.Stream
	cursor  minibatch.Cursor
	last    freshness.State
	blocked time.Duration // by commits, until the last look
	began   time.Time     // first commit

	commits map[string]int64 // of each worker process there has been
	outs    []outPoint       // commits of the last seconds, for the rate
}

type outPoint struct {
	at   time.Time
	rows int64
}

const (
	rateWindow  = 10 * time.Second
	historyKept = 240
)

func NewStream(hub *control.Hub, s control.Stream, j *ingest.Job) *Stream {
	s.State = control.Running
	w := &Stream{hub: hub, look: j.Watch(), job: j, s: s}
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
			w.see(ctx)
		}
	}
}

func (w *Stream) see(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	w.mu.Lock()
	at := w.cursor
	w.mu.Unlock()
	f, err := w.look.Look(ctx, at)
	w.mu.Lock()
	w.s.WaitsFor, w.s.HeldBytes, w.s.MemoryBytes = w.waits(err)
	w.mu.Unlock()
	if err != nil {
		w.publish()
		return // the runner meets the same error and tells it; the screen shows the age of the figures
	}
	w.mu.Lock()
	w.measure(f)
	w.mu.Unlock()
	w.publish()
}

// waits is what holds the stream up: a commit that is through within half a second holds nothing up.
func (w *Stream) waits(err error) (what string, held, limit int64) {
	blocked := w.job.Work().Blocked
	was := w.blocked
	w.blocked, w.s.BlockedSeconds = blocked, blocked.Seconds()
	held, limit = w.job.Held()
	switch {
	case err != nil:
		what = control.WaitsForBroker
	case blocked-was > 500*time.Millisecond:
		what = control.WaitsForCatalog
	case held >= limit:
		what = control.WaitsForMemory
	}
	return what, held, limit
}

func (w *Stream) measure(f freshness.State) {
	Behind(&w.s, f)
	if !w.last.At.IsZero() {
		w.s.InPerSec = came(w.last, f)
	}
	w.last = f
	for len(w.outs) > 0 && f.At.Sub(w.outs[0].at) > rateWindow {
		w.outs = w.outs[1:]
	}
	var rows int64
	for _, o := range w.outs {
		rows += o.rows
	}
	window := min(rateWindow, f.At.Sub(w.began))
	w.s.OutPerSec = float64(rows) / max(window.Seconds(), 1)
	w.s.At = f.At
	w.remember(control.StreamPoint{T: f.At, Behind: w.s.BehindSeconds, In: w.s.InPerSec, Out: w.s.OutPerSec})
}

// remember keeps the history of a quarter of an hour: each point is the worst delay and the rates of its seconds.
func (w *Stream) remember(p control.StreamPoint) {
	const each = 15 * time.Minute / historyKept
	h := w.s.History
	if n := len(h); n > 1 && p.T.Sub(h[n-2].T) < each { // the newest point grows until its time is full
		h = slices.Clone(h) // snapshots have the old one
		h[n-1] = control.StreamPoint{T: p.T, Behind: max(h[n-1].Behind, p.Behind), In: p.In, Out: p.Out}
	} else {
		h = append(h, p)
	}
	w.s.History = h[max(0, len(h)-historyKept):]
}

// came is how many records per second came between two looks.
func came(was, now freshness.State) float64 {
	var n int64
	ends := map[int32]int64{}
	for _, p := range was.Partitions {
		ends[p.ID] = p.End
	}
	for _, p := range now.Partitions {
		n += p.End - ends[p.ID]
	}
	return max(0, float64(n)/max(now.At.Sub(was.At).Seconds(), 0.001))
}

// Behind says in the words of the control API how far a stream is behind.
func Behind(s *control.Stream, f freshness.State) {
	s.BehindRecords, s.BehindBytes, s.BehindSeconds, s.AtLeast = f.Records, f.Bytes, f.Age.Seconds(), f.AtLeast
	s.CompleteUpTo, s.Trend, s.CatchUpSeconds, s.Hot = f.UpTo, string(f.Trend), f.CatchUp.Seconds(), nil
	if f.Hot != nil {
		s.Hot = &control.Hot{Partition: f.Hot.ID, Share: f.Hot.Share, InPerSec: f.Hot.In}
	}
	s.Partitions = make([]control.Partition, len(f.Partitions))
	for i, p := range f.Partitions {
		s.Partitions[i] = control.Partition{
			ID: p.ID, Position: p.Next, End: p.End, Bytes: p.Bytes, Seconds: p.Age.Seconds(), AtLeast: p.AtLeast, InPerSec: p.In, OutPerSec: p.Out,
		}
	}
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
