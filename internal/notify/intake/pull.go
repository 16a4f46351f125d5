package intake

import (
	"context"
	"log/slog"
	"time"

	"weir/internal/notify"
)

// An item is one message of a queue or a topic.
type item struct {
	name   string // where it was, for the file that it is put aside in
	body   []byte
	header func(name string) string // attributes of a CloudEvent in binary mode; nil: none
}

func (i item) decode() ([]notify.Arrival, error) {
	if i.header != nil && i.header("specversion") != "" {
		return binary(i.header, i.body)
	}
	return Decode(i.body)
}

// A refused item can never be accepted.
type refused struct {
	item
	why error
}

// puller takes items over; when it returns nil, each is on the disk: in the outbox or aside.
type puller struct {
	input   string
	taker   Taker
	aside   Aside
	metrics *Metrics
	log     *slog.Logger
}

func (p puller) take(ctx context.Context, items []item) error {
	start := time.Now()
	var all []notify.Arrival
	var good []item
	var bad []refused
	for _, i := range items {
		some, err := i.decode()
		if err != nil {
			bad = append(bad, refused{i, err})
			continue
		}
		all, good = append(all, some...), append(good, i)
	}
	var err error
	if len(all) > 0 {
		_, err = p.taker.AcceptAll(ctx, all)
	}
	if err != nil && hopeless(err) { // one of them spoils it for all: find it
		all = all[:0]
		for _, i := range good {
			some, derr := i.decode()
			if derr == nil {
				_, derr = p.taker.AcceptAll(ctx, some)
			}
			switch {
			case derr == nil:
				all = append(all, some...)
			case !hopeless(derr):
				return derr
			default:
				bad = append(bad, refused{i, derr})
			}
		}
		err = nil
	}
	for _, r := range bad {
		if err != nil { // all of them come again, and each is put aside once
			break
		}
		err = p.refuse(r.item, r.why)
	}
	p.metrics.took(p.input, len(all), time.Since(start), err)
	return err
}

func (p puller) refuse(i item, why error) error {
	p.metrics.took(p.input, 0, 0, why)
	p.log.Warn("event put aside", "input", p.input, "event", i.name, "dir", string(p.aside), "err", why)
	return p.aside.Put(p.input+"-"+i.name+".json", i.body, why)
}

// again calls do until it works or ctx ends, with waits that grow up to half a minute.
func again(ctx context.Context, log *slog.Logger, what string, do func() error) error {
	for wait := time.Second; ; wait = min(2*wait, 30*time.Second) {
		err := do()
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		log.Error("input stands still; it is tried again", "input", what, "in", wait, "err", err)
		pause(ctx, wait)
	}
}
