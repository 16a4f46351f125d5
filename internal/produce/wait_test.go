package produce

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
)

// late is a context that ends while somebody asks whether it has: between the question and the wait.
type late struct {
	context.Context
	end context.CancelFunc
}

func (l *late) Err() error {
	err := l.Context.Err()
	l.end()
	for range 10_000 { // whoever is woken by the end may run
		runtime.Gosched()
	}
	return err
}

// A context that ends at the worst moment is heard: nothing hangs until the next answer, which may never come.
func TestTheEndOfAContextIsHeard(t *testing.T) {
	for name, wait := range map[string]func(*Producer, context.Context) error{
		"flush":  func(p *Producer, ctx context.Context) error { return p.Flush(ctx) },
		"window": func(p *Producer, ctx context.Context) error { p.wait(ctx, &Lane{}); return ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // it finds out that nobody can go on
				p := &Producer{Config: Config{Window: 1}, ctx: context.Background()}
				p.settled = sync.NewCond(&p.mu)
				p.pending.Store(1)
				p.flying.Store(1)
				ctx, cancel := context.WithCancel(t.Context())
				if err := wait(p, &late{ctx, cancel}); !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}
