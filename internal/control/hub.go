package control

import (
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Hub holds the newest snapshot. All methods may be called from any goroutine and none of them waits for a reader.
type Hub struct {
	mu     sync.Mutex // writers
	now    atomic.Pointer[Snapshot]
	events []Event // ring of eventsKept, the newest last
	subs   map[chan struct{}]struct{}
	// When another process last sent its section; only such sections can fall silent.
	loadAt, proofAt, comparisonAt, searchAt time.Time
}

// NewHub starts with an empty snapshot.
func NewHub(version, home string) *Hub {
	h := &Hub{subs: map[chan struct{}]struct{}{}}
	at := time.Now()
	h.now.Store(&Snapshot{At: at, Started: at, Version: version, Home: home, PID: os.Getpid()})
	return h
}

// Snapshot is the newest one. It never changes; do not change it either.
func (h *Hub) Snapshot() *Snapshot { return h.now.Load() }

// Update changes a copy of the snapshot and publishes a copy of that: what change reaches, or puts in and uses again later,
// is its own. change must not call the hub.
func (h *Hub) Update(change func(*Snapshot)) { h.update(true, change) }

// update: touch says that the program itself had something to say, so At moves on.
func (h *Hub) update(touch bool, change func(*Snapshot)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	old := h.now.Load()
	s := clone(old)
	change(s)
	// A section that the program sets itself no longer depends on a publisher.
	if s.Load != nil && s.Load.Source == "" {
		h.loadAt = time.Time{}
	}
	if s.Proof != nil && s.Proof.Source == "" {
		h.proofAt = time.Time{}
	}
	if s.Comparison != nil && s.Comparison.Source == "" {
		h.comparisonAt = time.Time{}
	}
	if s.Search != nil && s.Search.Source == "" {
		h.searchAt = time.Time{}
	}
	s.Seq = old.Seq + 1
	if touch {
		s.At = time.Now()
	}
	s.Events = slices.Clone(h.events[max(0, len(h.events)-eventsShown):])
	h.now.Store(clone(s))
	for c := range h.subs {
		select {
		case c <- struct{}{}:
		default: // it has not looked yet; it will see the newest when it does
		}
	}
}

// Event adds a line to the log strip.
func (h *Hub) Event(kind, text string) {
	h.mu.Lock()
	h.events = append(h.events, Event{At: time.Now(), Kind: kind, Text: text})
	if len(h.events) > eventsKept {
		h.events = slices.Clone(h.events[len(h.events)-eventsKept:])
	}
	h.mu.Unlock()
	h.update(true, func(*Snapshot) {})
}

// Events are the last 200, the oldest first.
func (h *Hub) Events() []Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.events)
}

// Subscribe gives a channel that holds a token whenever there is something newer than the last look at Snapshot.
// Call cancel when done.
func (h *Hub) Subscribe() (changed <-chan struct{}, cancel func()) {
	c := make(chan struct{}, 1)
	h.mu.Lock()
	h.subs[c] = struct{}{}
	h.mu.Unlock()
	return c, func() {
		h.mu.Lock()
		delete(h.subs, c)
		h.mu.Unlock()
	}
}

func (h *Hub) publishLoad(l *Load) {
	h.publish(&l.Silent, &l.At, &l.Source, func(s *Snapshot) { s.Load, h.loadAt = l, l.At })
}

func (h *Hub) publishProof(p *Proof) {
	h.publish(&p.Silent, &p.At, &p.Source, func(s *Snapshot) { s.Proof, h.proofAt = p, p.At })
}

func (h *Hub) publishComparison(c *Comparison) {
	h.publish(&c.Silent, &c.At, &c.Source, func(s *Snapshot) { s.Comparison, h.comparisonAt = c, c.At })
}

func (h *Hub) publishSearch(f *Search) {
	h.publish(&f.Silent, &f.At, &f.Source, func(s *Snapshot) { s.Search, h.searchAt = f, f.At })
}

// publish takes a section of another process; set puts it into the snapshot.
func (h *Hub) publish(silent *bool, at *time.Time, source *string, set func(*Snapshot)) {
	*silent, *at = false, time.Now() // our clock: ages are counted here
	if *source == "" {
		*source = "another process"
	}
	h.update(true, set)
}

// expire marks the sections whose publisher has fallen silent. The server calls it each second.
func (h *Hub) expire(now time.Time) {
	h.mu.Lock()
	any := h.silent(h.now.Load(), now, func(*bool) {})
	h.mu.Unlock()
	if any {
		h.update(false, func(s *Snapshot) { h.silent(s, now, func(to *bool) { *to = true }) })
	}
}

// silent hands over the marks of the sections that have fallen silent and are not marked yet. The hub is locked.
func (h *Hub) silent(s *Snapshot, now time.Time, mark func(*bool)) (any bool) {
	look := func(silent *bool, over bool, last time.Time) {
		if !*silent && !over && !last.IsZero() && now.Sub(last) > SilentAfter {
			any = true
			mark(silent)
		}
	}
	if l := s.Load; l != nil {
		look(&l.Silent, l.Over(), h.loadAt)
	}
	if p := s.Proof; p != nil {
		look(&p.Silent, p.Done, h.proofAt)
	}
	if c := s.Comparison; c != nil {
		look(&c.Silent, c.Over(), h.comparisonAt)
	}
	if f := s.Search; f != nil {
		look(&f.Silent, f.Over(), h.searchAt)
	}
	return any
}

// clone copies everything that a change function could reach.
func clone(s *Snapshot) *Snapshot {
	c := *s
	c.Parts = slices.Clone(s.Parts)
	c.Attention = slices.Clone(s.Attention)
	c.Reports = slices.Clone(s.Reports)
	c.Verbs = slices.Clone(s.Verbs)
	c.Launches = slices.Clone(s.Launches)
	c.Streams = slices.Clone(s.Streams)
	for i := range c.Streams {
		c.Streams[i].Partitions = slices.Clone(c.Streams[i].Partitions)
		c.Streams[i].History = slices.Clone(c.Streams[i].History)
	}
	if s.Load != nil {
		l := *s.Load
		l.Stages = slices.Clone(l.Stages)
		l.History, l.Heat = slices.Clone(l.History), slices.Clone(l.Heat)
		l.Limits = slices.Clone(l.Limits)
		l.Plan, l.Changes = slices.Clone(l.Plan), slices.Clone(l.Changes)
		l.Partitions, l.Sizes, l.Spectrum = slices.Clone(l.Partitions), slices.Clone(l.Sizes), slices.Clone(l.Spectrum)
		l.Causes, l.Faults = slices.Clone(l.Causes), slices.Clone(l.Faults)
		if l.Read != nil {
			r := *l.Read
			l.Read = &r
		}
		l.ErrorsByCause = maps.Clone(l.ErrorsByCause)
		c.Load = &l
	}
	if s.Notify != nil {
		n := *s.Notify
		n.Channels = slices.Clone(n.Channels)
		n.Messages = slices.Clone(n.Messages)
		n.Expected, n.Silences = slices.Clone(n.Expected), slices.Clone(n.Silences)
		c.Notify = &n
	}
	if s.Proof != nil {
		p := *s.Proof
		c.Proof = &p
	}
	if s.Comparison != nil {
		x := *s.Comparison
		x.Runs, x.Findings = slices.Clone(x.Runs), slices.Clone(x.Findings)
		c.Comparison = &x
	}
	if s.Search != nil {
		x := *s.Search
		x.Trials, x.Reasons = slices.Clone(x.Trials), slices.Clone(x.Reasons)
		if x.Trial != nil {
			t := *x.Trial
			x.Trial = &t
		}
		c.Search = &x
	}
	return &c
}
