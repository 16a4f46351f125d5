package control

import (
	"context"
	"slices"
	"sync"
)

// A Source is where screens get snapshots from and send verbs to: a [Client], or [Either] of two.
type Source interface {
	Stream(ctx context.Context) <-chan Update
	Do(ctx context.Context, verb string, args, result any) error
	Refresh()
}

// Either is the server of a home with a second one behind it, which a program serves for its own screens: it has the verbs that need
// nothing but files, and shows what runs while nobody serves the home.
func Either(first, second *Client) Source { return &either{first: first, second: second} }

type either struct {
	first, second *Client
	mu            sync.Mutex
	a, b          Update
}

// Stream shows the home's server, as long as it ever answered; before, and while a load runs without it, the second one.
func (e *either) Stream(ctx context.Context) <-chan Update {
	out := make(chan Update, 1)
	go func() {
		defer close(out)
		a, b := e.first.Stream(ctx), e.second.Stream(ctx)
		for a != nil || b != nil {
			select {
			case u, ok := <-a:
				if !ok {
					a = nil
					continue
				}
				e.put(func() { e.a = u })
			case u, ok := <-b:
				if !ok {
					b = nil
					continue
				}
				e.put(func() { e.b = u })
			}
			newest(out, e.shown())
		}
	}()
	return out
}

func (e *either) put(set func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	set()
}

func (e *either) shown() Update {
	e.mu.Lock()
	defer e.mu.Unlock()
	u := e.a
	second := e.b.Live && e.b.Snapshot != nil
	switch runs := second && e.b.Snapshot.Load != nil && !e.b.Snapshot.Load.Over(); {
	case u.Live:
	case second && (u.Snapshot == nil || runs):
		u = e.b
	}
	if second && !u.Live && u.Snapshot != nil && e.b.Snapshot.Notify != nil { // the outbox is there without its server
		s := *u.Snapshot
		s.Notify = e.b.Snapshot.Notify
		u.Snapshot = &s
	}
	if second {
		u.Own = e.b.Snapshot.Verbs
	}
	return u
}

// Do asks the home's server for what it offers, and the second one for the rest.
func (e *either) Do(ctx context.Context, verb string, args, result any) error {
	e.mu.Lock()
	to := e.first
	if offers := e.a.Live && e.a.Snapshot != nil && slices.Contains(e.a.Snapshot.Verbs, verb); !offers && e.b.Snapshot != nil && slices.Contains(e.b.Snapshot.Verbs, verb) {
		to = e.second
	}
	e.mu.Unlock()
	return to.Do(ctx, verb, args, result)
}

func (e *either) Refresh() { e.first.Refresh() }
