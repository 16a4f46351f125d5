package control

import (
	"context"
	"sync"
	"time"
)

const (
	// publishEvery bounds how often a Publisher speaks; well below SilentAfter.
	publishEvery = 250 * time.Millisecond
	// repeatEvery is how often a comparison or a search that goes on is told again: between two of their steps nothing changes for longer
	// than SilentAfter, and whoever begins to serve meanwhile has not heard of them.
	repeatEvery = 2 * time.Second
)

// A Publisher shows this process's sections on the screens of whoever serves the home, if anybody does. Its methods return at
// once and never fail: a load run must not wait for a screen.
type Publisher struct {
	client     *Client
	mu         sync.Mutex
	load       section[Load]
	proof      section[Proof]
	comparison section[Comparison]
	search     section[Search]
	wake       chan struct{}
	stop       context.CancelFunc
	done       chan struct{}
}

// A section is what is still to be sent, and what was handed over last.
type section[T any] struct{ next, last *T }

// NewPublisher starts one. Close it to send the last state and to end its goroutine.
func NewPublisher(ctx context.Context, client *Client) *Publisher {
	ctx, cancel := context.WithCancel(ctx)
	p := &Publisher{client: client, wake: make(chan struct{}, 1), stop: cancel, done: make(chan struct{})}
	go p.run(ctx)
	return p
}

// Load hands over the newest figures; they must not be changed afterwards.
func (p *Publisher) Load(l *Load) { put(p, &p.load, l) }

// Proof is Load for a proof.
func (p *Publisher) Proof(pr *Proof) { put(p, &p.proof, pr) }

// Comparison is Load for a comparison. One that goes on is told again every two seconds.
func (p *Publisher) Comparison(c *Comparison) { put(p, &p.comparison, c) }

// Search is Comparison for a search.
func (p *Publisher) Search(s *Search) { put(p, &p.search, s) }

func put[T any](p *Publisher, s *section[T], v *T) {
	p.mu.Lock()
	s.next, s.last = v, v
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Close sends what is still unsent (at most a second) and waits for the end.
func (p *Publisher) Close() {
	p.stop()
	<-p.done
}

func (p *Publisher) run(ctx context.Context) {
	defer close(p.done)
	pause := time.NewTimer(publishEvery)
	defer pause.Stop()
	again := time.NewTicker(repeatEvery)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			p.send(ctx)
			return
		case <-again.C:
			p.repeat()
		case <-p.wake:
		}
		p.send(ctx)
		pause.Reset(publishEvery)
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
	}
}

func (p *Publisher) repeat() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := &p.comparison; c.next == nil && c.last != nil && !c.last.Over() {
		c.next = c.last
	}
	if s := &p.search; s.next == nil && s.last != nil && !s.last.Over() {
		s.next = s.last
	}
}

// send keeps what it could not send unless there is something newer. Close does not interrupt it: a call that was given up could
// still reach the server, behind the last state.
func (p *Publisher) send(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	post(ctx, p, &p.load, p.client.PublishLoad)
	post(ctx, p, &p.proof, p.client.PublishProof)
	post(ctx, p, &p.comparison, p.client.PublishComparison)
	post(ctx, p, &p.search, p.client.PublishSearch)
}

func post[T any](ctx context.Context, p *Publisher, s *section[T], publish func(context.Context, *T) error) {
	p.mu.Lock()
	v := s.next
	s.next = nil
	p.mu.Unlock()
	if v == nil || publish(ctx, v) == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.next == nil {
		s.next = v
	}
}
