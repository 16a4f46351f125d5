package control

import (
	"context"
	"sync"
	"time"
)

// publishEvery bounds how often a Publisher speaks; well below SilentAfter.
const publishEvery = 250 * time.Millisecond

// A Publisher shows this process's load and proof on the screens of whoever serves the home, if anybody does. Its methods
// return at once and never fail: a load run must not wait for a screen.
type Publisher struct {
	client *Client
	mu     sync.Mutex
	load   *Load
	proof  *Proof
	wake   chan struct{}
	stop   context.CancelFunc
	done   chan struct{}
}

// NewPublisher starts one. Close it to send the last state and to end its goroutine.
func NewPublisher(ctx context.Context, client *Client) *Publisher {
	ctx, cancel := context.WithCancel(ctx)
	p := &Publisher{client: client, wake: make(chan struct{}, 1), stop: cancel, done: make(chan struct{})}
	go p.run(ctx)
	return p
}

// Load hands over the newest figures; they must not be changed afterwards.
func (p *Publisher) Load(l *Load) { p.put(func() { p.load = l }) }

// Proof is Load for a proof.
func (p *Publisher) Proof(pr *Proof) { p.put(func() { p.proof = pr }) }

func (p *Publisher) put(set func()) {
	p.mu.Lock()
	set()
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
	for {
		select {
		case <-ctx.Done():
			p.send(ctx)
			return
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

// send keeps what it could not send unless there is something newer. Close does not interrupt it: a call that was given up could
// still reach the server, behind the last state.
func (p *Publisher) send(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	p.mu.Lock()
	load, proof := p.load, p.proof
	p.load, p.proof = nil, nil
	p.mu.Unlock()
	if load != nil && p.client.PublishLoad(ctx, load) != nil {
		p.keep(func() {
			if p.load == nil {
				p.load = load
			}
		})
	}
	if proof != nil && p.client.PublishProof(ctx, proof) != nil {
		p.keep(func() {
			if p.proof == nil {
				p.proof = proof
			}
		})
	}
}

func (p *Publisher) keep(set func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	set()
}
