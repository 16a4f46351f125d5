package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"weir/internal/cli"
	"weir/internal/control"
	"weir/internal/desk"
	"weir/internal/kafka"
	"weir/internal/lake"
	"weir/internal/ledger"
	"weir/internal/notify"
	"weir/internal/project"
	"weir/internal/registry"
	"weir/internal/show"
	"weir/minibatch"
)

// site is an installation with its parts open, as one process of it sees them.
type site struct {
	app     *cli.App
	project *project.Project
	kafka   kafka.Config
	schemas *registry.Client
	lake    *lake.Lake
	ledger  *ledger.Ledger
	notify  *notify.Service
	hub     *control.Hub
	outbox  show.Outbox
	unsent  atomic.Pointer[string] // why this process sends no messages any more
	echo    *quietable             // where console channels echo to

	stop    context.CancelFunc // of what runs in the background
	metrics *http.Server       // nil: nobody asked for it
	workers sync.WaitGroup
	closers []func() error
}

const (
	lostAfter = time.Minute // a run without a sign of life for so long has lost its process
	drainTime = 15 * time.Second
)

// openSite opens what every verb that runs something needs: tables, ledger, outbox, control API.
func openSite(ctx context.Context, app *cli.App, dir string) (*site, error) {
	p, err := project.Open(dir, app.Home)
	if err != nil {
		return nil, err
	}
	s := &site{app: app, project: p, hub: control.NewHub(version, p.Home)}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *site) later(f func() error) { s.closers = append(s.closers, f) }

func (s *site) open(ctx context.Context) (err error) {
	if s.lake, err = lake.Open(ctx, s.project.Lake()); err != nil {
		return err
	}
	s.later(s.lake.Close)
	if s.ledger, err = ledger.Open(ctx, s.project.Ledger()); err != nil {
		return err
	}
	s.later(s.ledger.Close)
	if _, err = s.ledger.Reap(ctx, lostAfter); err != nil {
		return err
	}
	s.echo = &quietable{to: s.app.Stderr}
	if s.notify, err = openOutbox(ctx, s.app, s.project, s.echo); err != nil {
		return err
	}
	s.later(s.notify.Close)
	s.outbox.Hub = s.hub
	s.part("tables", control.OK, "")
	s.hub.Update(func(sn *control.Snapshot) { err = show.Kept(s.project.Home, sn) })
	if err != nil { // a screen with less on it is no reason not to work
		s.app.Log.Warn("the last search and comparison are not shown", "error", err)
	}
	return nil
}

// openOutbox opens the outbox of a project; echo is where console channels write that go to stdout or stderr.
func openOutbox(ctx context.Context, app *cli.App, p *project.Project, echo io.Writer) (*notify.Service, error) {
	units, err := notify.LoadUnits(p.Units())
	if err != nil {
		return nil, err
	}
	return notify.Open(ctx, p.Outbox(), units, notify.Options{Home: p.Home, Stdout: echo, Stderr: echo, Getenv: app.Getenv, Log: app.Log})
}

// who is the person at this terminal, for what is written down with a name.
func who(app *cli.App) string {
	if name := app.Getenv("USER"); name != "" {
		return name
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return fmt.Sprintf("user %d", os.Getuid())
}

// quietable passes on what is written, except while screens are shown: lines in between would tear them.
type quietable struct {
	mu    sync.Mutex
	quiet bool
	to    io.Writer
}

func (q *quietable) Write(b []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.quiet {
		return len(b), nil
	}
	return q.to.Write(b)
}

func (q *quietable) set(quiet bool) {
	q.mu.Lock()
	q.quiet = quiet
	q.mu.Unlock()
}

// background starts the sender of messages, the relay of outcomes and the control API. Another process of the same home may
// serve that already: then the screens are its, and this one goes on without.
func (s *site) background(ctx context.Context, verbs map[string]control.Verb) error {
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	d := desk.New(s.project)
	all := map[string]control.Verb{"cancel": s.cancelVerb}
	maps.Copy(all, d.Verbs())
	maps.Copy(all, show.Steered(s.hub, s.project.Home))
	maps.Copy(all, show.Export(s.hub, s.project.Home))
	maps.Copy(all, show.Messages(func() (*notify.Service, error) { return s.notify, nil }, who(s.app)))
	maps.Copy(all, verbs)
	srv, err := control.Start(ctx, s.project.Socket(), s.hub, all)
	switch {
	case err == nil:
		s.later(srv.Close)
		s.workers.Go(func() { d.Watch(ctx, s.hub) })
	case errors.Is(err, control.ErrServed):
		s.app.Log.Info("another process serves the control API of this home", "home", s.project.Home)
	default:
		return fmt.Errorf("control API: %w", err)
	}
	s.workers.Go(func() {
		if err := s.notify.Run(ctx); err != nil {
			why := err.Error()
			s.unsent.Store(&why)
		}
	})
	s.workers.Go(func() { s.relay(ctx) })
	return nil
}

// relay hands outcomes from the ledger to the outbox, and shows how the outbox stands.
func (s *site) relay(ctx context.Context) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := s.notify.Relay(ctx, s.ledger)
		if ctx.Err() == nil {
			s.showOutbox(ctx, err)
		}
		s.showRuns(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *site) cancelVerb(ctx context.Context, args json.RawMessage) (any, error) {
	var a struct{ Run string }
	if err := json.Unmarshal(args, &a); err != nil {
		return nil, err
	}
	return "it will end within a second", s.ledger.Cancel(ctx, a.Run)
}

// showRuns puts the newest runs of the ledger on the screens, of whichever process they are.
func (s *site) showRuns(ctx context.Context) {
	const newest = 100
	runs, err := s.ledger.Runs(ctx, "", newest)
	if err != nil {
		return
	}
	shown := make([]control.Run, len(runs))
	for i, r := range runs {
		row := rowOf(r)
		shown[i] = control.Run{
			Run: r.RunID, Job: r.Job, Kind: r.Kind, Title: r.Title, Unit: r.Unit, State: row.State, Interval: inWords(minibatch.Interval{Start: row.Start, End: row.End}),
			Attempt: r.Attempt, MaxAttempts: r.MaxAttempts, Started: r.Started, Seconds: row.Seconds, RowsIn: row.RowsIn, RowsOut: row.RowsOut, Rejected: row.Rejected, Cause: row.Cause,
		}
		if r.Outcome != nil {
			shown[i].Todo = r.Outcome.Todo
		}
	}
	s.hub.Update(func(sn *control.Snapshot) { sn.Runs = shown })
}

// showOutbox shows the outbox; relayed is why outcomes do not get into it.
func (s *site) showOutbox(ctx context.Context, relayed error) {
	n, err := s.outbox.Look(ctx, s.notify)
	state, detail := control.OK, ""
	if err = errors.Join(relayed, err); err != nil {
		state, detail = control.Warn, err.Error()
	}
	if n != nil {
		for _, c := range n.Channels {
			if c.State != control.OK && state != control.Down {
				state, detail = c.State, c.Name+": "+c.Detail
			}
		}
	}
	if why := s.unsent.Load(); why != nil {
		state, detail = control.Down, *why
	}
	s.part("notify", state, detail)
}

// told waits until all outcomes so far have reached their channels, for a while; what has not stays in the outbox.
func (s *site) told(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if _, err := s.notify.Relay(ctx, s.ledger); err != nil {
		return err
	}
	if err := s.notify.Drain(ctx); err != nil {
		fmt.Fprintf(s.app.Stderr, "pipeline: %v; `notify serve` or the next run sends it\n", err)
	}
	s.showOutbox(ctx, nil)
	return nil
}

// part sets the state of something that the installation stands on.
func (s *site) part(name, state, detail string) {
	s.hub.Update(func(sn *control.Snapshot) {
		for i := range sn.Parts {
			if sn.Parts[i].Name == name {
				sn.Parts[i].State, sn.Parts[i].Detail = state, detail
				return
			}
		}
		sn.Parts = append(sn.Parts, control.Part{Name: name, State: state, Detail: detail})
	})
}

// connect finds broker and registry; with `embedded`, it serves them in this process unless another one of this home does.
func (s *site) connect(ctx context.Context) error {
	if s.schemas != nil {
		return nil
	}
	w := s.project.Weir
	if w.Kafka.Brokers.Embedded() || w.Registry.Embedded() {
		if err := s.serveEmbedded(ctx); err != nil {
			return err
		}
	}
	var err error
	var r registry.Config
	if s.kafka, r, err = s.project.Resolve(); err != nil {
		return err
	}
	if s.schemas, err = registry.New(r); err != nil {
		return err
	}
	s.part("kafka", control.OK, s.kafka.Brokers[0])
	s.part("registry", control.OK, "")
	return nil
}

func (s *site) serveEmbedded(ctx context.Context) error {
	last, alive := s.project.Announced()
	if alive && last.PID != os.Getpid() && answers(ctx, last) {
		return nil
	}
	broker, err := firstFree(last.Brokers, func(addr string) (*kafka.Embedded, error) {
		return kafka.ServeEmbedded(ctx, addr, s.project.In("kafka"))
	})
	if err != nil {
		return err
	}
	s.later(broker.Close)
	reg, err := firstFree(trimScheme(last.Registry), func(addr string) (*registry.Embedded, error) {
		return registry.ServeEmbedded(ctx, addr, s.project.In("registry.json"))
	})
	if err != nil {
		return err
	}
	s.later(reg.Close)
	return s.project.Announce(project.Embedded{Brokers: broker.Addr(), Registry: reg.URL()})
}

func answers(ctx context.Context, e project.Embedded) bool {
	cl, err := kafka.Connect(kafka.Config{Brokers: kafka.Brokers{e.Brokers}})
	if err != nil {
		return false
	}
	defer cl.Close()
	return kafka.Ping(ctx, cl) == nil
}

// firstFree serves at the address of the last time, so that clients find it again, or else at any free one.
func firstFree[T any](last string, serve func(addr string) (T, error)) (T, error) {
	if last != "" {
		if v, err := serve(last); err == nil {
			return v, nil
		}
	}
	return serve("127.0.0.1:0")
}

func trimScheme(url string) string {
	const scheme = "http://"
	if len(url) > len(scheme) {
		return url[len(scheme):]
	}
	return ""
}

// close ends what was started, last first.
func (s *site) close() error {
	if s.stop != nil {
		s.stop()
	}
	if s.metrics != nil {
		_ = s.metrics.Close()
	}
	s.workers.Wait()
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	return errors.Join(errs...)
}

// tempDir is where queries put what does not fit into memory.
func (s *site) tempDir() string { return filepath.Join(s.project.Home, "tmp") }
