// Package workers runs one job with several worker processes on one host: it starts, watches, drains and replaces them as
// internal/scale decides.
//
// A [Supervisor] starts the processes; each of them calls [Serve]. They speak JSON lines over the worker's stdin and stdout.
//
// # Promises
//
// A partition is given to a worker only after the one before has released it, or has been given up as lost. A lost worker that
// wakes up does no harm: its commit fails on the table's compare-and-set. A worker whose supervisor dies finishes its batch
// and ends.
package workers

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"sync"
	"time"
)

// order is what a worker is told.
type order struct {
	Gen  int     `json:"gen"`
	Read []int32 `json:"read"`
	Stop bool    `json:"stop,omitempty"`
}

// beat is what a worker tells, each second and after each order.
type beat struct {
	Gen     int     `json:"gen"` // of the order that it works by
	Holds   []int32 `json:"holds"`
	Rows    int64   `json:"rows"`
	Commits int64   `json:"commits"`
	Speed   float64 `json:"speed"`
	Own     float64 `json:"own"`
	Waiting float64 `json:"waiting"`
	Blocked float64 `json:"blocked"`
	Error   string  `json:"error,omitempty"` // its last words
}

// Work is what a worker has done since it began.
type Work struct {
	Rows, Commits int64
	Busy, Blocked time.Duration
}

const window = 10 // beats over which rates are taken

var beatEvery = time.Second // shorter in tests

// Serve is the worker's side: it calls run for the partitions that it is given, and again when they change. run must finish
// its batch and return when its ctx ends; an error ends the worker. Serve returns when in ends or the order to stop has come.
func Serve(ctx context.Context, in io.Reader, out io.Writer, run func(ctx context.Context, partitions []int32) error, done func() Work) error {
	orders := make(chan order)
	ended := make(chan struct{})
	defer close(ended)
	go func() { // ends with the process: a read of stdin cannot be cancelled
		defer close(orders)
		for sc := bufio.NewScanner(in); sc.Scan(); {
			var o order
			if json.Unmarshal(sc.Bytes(), &o) != nil {
				return
			}
			select {
			case orders <- o:
			case <-ended:
				return
			}
		}
	}()
	t := &teller{out: json.NewEncoder(out), done: done}
	t.tell()
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	stop := func() {}
	defer func() { stop() }()
	var running chan error // of the run in work; nil: none
	var next *order        // what to do when it has ended
	leave := false
	for {
		if running == nil && leave {
			return nil
		}
		if running == nil && next != nil {
			t.now(next.Gen, next.Read)
			if len(next.Read) > 0 {
				rctx, cancel := context.WithCancel(ctx)
				c, read := make(chan error, 1), next.Read
				stop, running = cancel, c
				go func() { c <- run(rctx, read) }()
			}
			next = nil
			t.tell()
		}
		select {
		case o, ok := <-orders:
			if !ok || o.Stop {
				leave, orders = true, nil
			} else {
				next = &o
			}
			stop()
		case err := <-running:
			stop()
			running = nil
			if err != nil {
				t.last(err)
				return err
			}
			if ctx.Err() != nil {
				leave = true
			}
		case <-tick.C:
			t.tell()
		case <-ctx.Done():
			if running == nil {
				return nil
			}
			return <-running
		}
	}
}

type sample struct {
	at time.Time
	Work
}

type teller struct {
	mu   sync.Mutex
	out  *json.Encoder
	done func() Work
	b    beat
	past []sample
}

func (t *teller) now(gen int, holds []int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b.Gen, t.b.Holds, t.past = gen, holds, nil
}

func (t *teller) tell() {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := sample{time.Now(), t.done()}
	t.past = append(t.past, s)
	t.past = t.past[max(0, len(t.past)-window):]
	first := t.past[0]
	t.b.Rows, t.b.Commits = s.Rows, s.Commits
	t.b.Speed, t.b.Own, t.b.Waiting, t.b.Blocked = 0, 0, 1, 0
	if len(t.past) > 3 {
		all, busy, blocked := s.at.Sub(first.at).Seconds(), (s.Busy - first.Busy).Seconds(), (s.Blocked - first.Blocked).Seconds()
		t.b.Waiting, t.b.Blocked = max(0, 1-busy/all), blocked/all
		if rows := float64(s.Rows - first.Rows); busy > 0 {
			t.b.Speed = rows / busy
			t.b.Own = rows / max(busy-blocked, busy/100)
		}
	}
	_ = t.out.Encode(t.b) // a supervisor that has gone shows as the end of stdin
}

func (t *teller) last(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b.Error = err.Error()
	_ = t.out.Encode(t.b)
}
