package show

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"weir/internal/config"
	"weir/internal/control"
	"weir/internal/load"
)

// Steering are the verbs that change a load run, with the keys of their arguments.
//
//	load.pause {}   load.resume {}   load.next {}   load.stop {}   load.abort {}   load.mark {text}
//	load.rate {factor: 1.05} | {rate: "30k/s"} | {} (back to the profile)
func Steering(l *load.Live) map[string]control.Verb {
	plain := func(do func() error) control.Verb {
		return func(_ context.Context, args json.RawMessage) (any, error) { return said(do()) }
	}
	return map[string]control.Verb{
		"load.pause": plain(l.Pause), "load.resume": plain(l.Resume), "load.next": plain(l.Next), "load.stop": plain(l.Stop), "load.abort": plain(l.Abort),
		"load.mark": func(_ context.Context, args json.RawMessage) (any, error) {
			var a struct {
				Text string `json:"text"`
			}
			if err := arguments(args, &a); err != nil {
				return nil, err
			}
			return said(l.Mark(a.Text))
		},
		"load.rate": func(_ context.Context, args json.RawMessage) (any, error) {
			var a struct {
				Factor float64 `json:"factor"`
				Rate   string  `json:"rate"`
			}
			if err := arguments(args, &a); err != nil {
				return nil, err
			}
			switch {
			case a.Rate != "":
				var r config.Rate
				if err := r.UnmarshalText([]byte(a.Rate)); err != nil {
					return nil, err
				}
				return said(l.Hold(r))
			case a.Factor != 0:
				return said(l.Scale(a.Factor))
			}
			return said(l.Follow())
		},
	}
}

// Export is the verb that writes what the hub knows of its load run to a file, and tells where it lies:
//
//	load.export {}
func Export(hub *control.Hub, home string) map[string]control.Verb {
	return map[string]control.Verb{"load.export": func(context.Context, json.RawMessage) (any, error) {
		s := hub.Snapshot()
		if s.Load == nil {
			return nil, errors.New("there is no load run")
		}
		if base := filepath.Base(s.Load.Run); base != s.Load.Run || base == "." { // another process has told the name
			return nil, fmt.Errorf("run %q: that is no name of a run", s.Load.Run)
		}
		b, err := json.MarshalIndent(struct {
			Load  *control.Load   `json:"load"`
			Proof *control.Proof  `json:"proof,omitempty"`
			Log   []control.Event `json:"events,omitempty"`
		}{s.Load, s.Proof, s.Events}, "", " ")
		if err != nil {
			return nil, err
		}
		path := filepath.Join(home, "load", s.Load.Run+".at-"+time.Now().UTC().Format("20060102T150405Z")+".json")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, append(b, '\n'), 0o600); err != nil {
			return nil, err
		}
		return path, nil
	}}
}

func said(err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return "done", nil
}

func arguments(args json.RawMessage, to any) error {
	if len(args) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(args))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		return fmt.Errorf("arguments: %w", err)
	}
	return nil
}

// Steered passes the verbs on to the program that runs the load which the hub shows.
func Steered(hub *control.Hub, home string) map[string]control.Verb {
	all := map[string]control.Verb{}
	for name := range Steering(load.NewLive()) {
		all[name] = func(ctx context.Context, args json.RawMessage) (any, error) {
			l := hub.Snapshot().Load
			if l == nil || l.Over() {
				return nil, errors.New("no load runs")
			}
			c := control.Dial(LoadSocket(home, l.Run))
			defer c.Close()
			var in, out any
			if len(args) > 0 {
				in = args
			}
			err := c.Do(ctx, name, in, &out)
			if errors.Is(err, control.ErrNotServed) {
				return nil, fmt.Errorf("run %s takes no orders: it is a trial of a search or a comparison, or runs on another machine", l.Run)
			}
			if e, ok := errors.AsType[*control.Error](err); ok { // its name stands there once already
				return nil, &control.Error{Message: strings.TrimPrefix(e.Message, name+": "), Hint: e.Hint}
			}
			return out, err
		}
	}
	return all
}

// LoadSocket is where a load run of the home answers.
func LoadSocket(home, run string) string { return filepath.Join(home, "load", run+".sock") }
