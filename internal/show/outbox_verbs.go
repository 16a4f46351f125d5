package show

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"weir/internal/cli"
	"weir/internal/config"
	"weir/internal/control"
	"weir/internal/notify"
	"weir/internal/notify/channel"
)

// Messages are the verbs of the outbox that open gives; by is who it is that asks.
func Messages(open func() (*notify.Service, error), by string) map[string]control.Verb {
	return map[string]control.Verb{
		control.VerbNotifyTrace: verb(open, func(ctx context.Context, s *notify.Service, a struct{ ID int64 }) (any, error) {
			t, err := s.Trace(ctx, a.ID)
			if err != nil {
				return nil, err
			}
			return traceOf(t), nil
		}),
		control.VerbNotifyRedrive: verb(open, func(ctx context.Context, s *notify.Service, a struct{ ID int64 }) (any, error) {
			return "it is tried again", s.Redrive(ctx, a.ID)
		}),
		control.VerbNotifyDrop: verb(open, func(ctx context.Context, s *notify.Service, a struct {
			ID     int64
			Reason string
		}) (any, error) {
			return "it is dropped", s.Drop(ctx, a.ID, by, a.Reason)
		}),
		control.VerbNotifySilence: verb(open, func(ctx context.Context, s *notify.Service, a struct {
			Match, Reason string
			For           config.Duration
		}) (any, error) {
			x, err := s.AddSilence(ctx, notify.Silence{Match: a.Match, Owner: by, Reason: a.Reason, Until: time.Now().Add(time.Duration(a.For))})
			return silenceOf(x), err
		}),
		control.VerbNotifyUnsilence: verb(open, func(ctx context.Context, s *notify.Service, a struct{ ID int64 }) (any, error) {
			return "it has ended", s.EndSilence(ctx, a.ID, by)
		}),
		control.VerbNotifyTest: verb(open, func(ctx context.Context, s *notify.Service, a struct{ Channel string }) (any, error) {
			r, err := s.Try(ctx, a.Channel)
			if err != nil {
				return nil, &cli.Error{Err: err, Hint: notify.Advice(err)}
			}
			if r.Ref != "" {
				return a.Channel + " took the message, there it is " + r.Ref, nil
			}
			return a.Channel + " took the message", nil
		}),
		control.VerbNotifyDoctor: verb(open, func(ctx context.Context, s *notify.Service, a struct{ Channel string }) (any, error) {
			var names []string
			if a.Channel != "" {
				names = []string{a.Channel}
			}
			found, err := s.Doctor(ctx, names...)
			if err != nil {
				return nil, err
			}
			all := []control.ChannelFinding{}
			for _, d := range found {
				for _, f := range d.Findings {
					state := map[channel.Level]string{channel.Good: control.OK, channel.Note: control.OK, channel.Warn: control.Warn, channel.Bad: control.Bad}[f.Level]
					all = append(all, control.ChannelFinding{Channel: d.Channel, State: state, Check: f.Check, Text: f.Text, Fix: f.Fix})
				}
			}
			return all, nil
		}),
	}
}

// verb reads the arguments and opens the outbox for one call.
func verb[A any](open func() (*notify.Service, error), do func(context.Context, *notify.Service, A) (any, error)) control.Verb {
	return func(ctx context.Context, args json.RawMessage) (any, error) {
		var a A
		if err := arguments(args, &a); err != nil {
			return nil, err
		}
		s, err := open()
		if err != nil {
			return nil, err
		}
		return do(ctx, s, a)
	}
}

func traceOf(t notify.Trace) control.Trace {
	x := control.Trace{Message: messageOf(t.Delivery.Entry), Event: t.Event.Event, Key: t.Event.Key, Revision: t.Revision, Accepted: t.Event.Accepted, Fix: t.Fix, Whole: t.Event.Text()}
	for _, d := range t.Routes {
		x.Routes = append(x.Routes, d.String())
	}
	for _, a := range t.Delivery.Attempts {
		x.Tries = append(x.Tries, control.Try{At: a.At, Good: a.Class == "ok" || a.Class == "found", Text: a.String()})
	}
	for _, p := range t.Previews {
		x.Previews = append(x.Previews, control.Preview(p))
	}
	return x
}

// errNoOutbox says that nothing was ever accepted here.
var errNoOutbox = errors.New("there is no outbox in this home yet")

// An OwnOutbox shows the outbox of a home without a program that serves it.
type OwnOutbox struct {
	There func() bool // there is one: looking must not make it
	Open  func(context.Context) (*notify.Service, error)
	By    string

	service atomic.Pointer[notify.Service]
}

// Verbs of the outbox, once it is open.
func (o *OwnOutbox) Verbs() map[string]control.Verb {
	return Messages(func() (*notify.Service, error) {
		if s := o.service.Load(); s != nil {
			return s, nil
		}
		return nil, errNoOutbox
	}, o.By)
}

// Watch shows it until ctx ends, and closes it then.
func (o *OwnOutbox) Watch(ctx context.Context, hub *control.Hub) {
	shown := Outbox{Hub: hub, Own: true}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		o.look(ctx, &shown)
		select {
		case <-ctx.Done():
			if s := o.service.Load(); s != nil {
				_ = s.Close()
			}
			return
		case <-tick.C:
		}
	}
}

// look shows the outbox, or why it cannot be opened or read; where there is none, nothing.
func (o *OwnOutbox) look(ctx context.Context, shown *Outbox) {
	s := o.service.Load()
	if s == nil {
		if !o.There() {
			return
		}
		var err error
		if s, err = o.Open(ctx); err != nil {
			shown.fail(fmt.Errorf("outbox: %w", err))
			return
		}
		o.service.Store(s)
	}
	_, _ = shown.Look(ctx, s) // it has shown why not
}
