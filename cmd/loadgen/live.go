package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/control"
	"weir/internal/desk"
	"weir/internal/kafka"
	"weir/internal/load"
	"weir/internal/project"
	"weir/internal/show"
	"weir/tui"
	"weir/tui/plain"
)

// steerable serves a run's own control API, so that it can be watched and changed while it runs.
func steerable(ctx context.Context, app *cli.App, pr *project.Project, brokers kafka.Config, run string) (live *load.Live, tell func(load.Progress), end func()) {
	live, tell, end, err := owned(ctx, app, pr, brokers, run)
	if err != nil {
		app.Log.Warn("the run cannot be watched or changed by hand", "run", run, "error", err)
		return load.NewLive(), func(load.Progress) {}, func() {}
	}
	return live, tell, end
}

// owned is steerable where the run must be this process's alone.
func owned(ctx context.Context, app *cli.App, pr *project.Project, brokers kafka.Config, run string) (live *load.Live, tell func(load.Progress), end func(), err error) {
	live = load.NewLive()
	hub, end, err := serveOwn(ctx, app, pr, run, show.Steering(live))
	return live, func(p load.Progress) {
		l := shownLoad(p, brokers.Brokers.String())
		hub.Update(func(s *control.Snapshot) { s.Load = l })
	}, end, err
}

// serveOwn serves a control API of this process, for `loadgen attach`.
func serveOwn(ctx context.Context, app *cli.App, pr *project.Project, id string, verbs map[string]control.Verb) (hub *control.Hub, end func(), err error) {
	hub = control.NewHub("loadgen", pr.Home)
	path := show.LoadSocket(pr.Home, id)
	all := show.Export(hub, pr.Home)
	maps.Copy(all, verbs)
	srv, err := start(ctx, path, hub, all)
	if err != nil {
		return hub, func() {}, err
	}
	return hub, func() {
		hub.Update(func(s *control.Snapshot) { s.Done = true }) // whoever watches knows that nothing more comes
		if err := errors.Join(srv.Close(), os.Remove(path+".lock")); err != nil {
			app.Log.Warn("control API", "error", err)
		}
	}, nil
}

func start(ctx context.Context, path string, hub *control.Hub, verbs map[string]control.Verb) (*control.Server, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	return control.Start(context.WithoutCancel(ctx), path, hub, verbs)
}

// running finds the control API of a run that goes on, of the newest one if none is named.
func running(ctx context.Context, pr *project.Project, run string) (*control.Client, error) {
	all, err := filepath.Glob(show.LoadSocket(pr.Home, "*"))
	if err != nil {
		return nil, err
	}
	slices.Sort(all) // ULIDs sort by time
	slices.Reverse(all)
	for _, path := range all {
		if name := strings.TrimSuffix(filepath.Base(path), ".sock"); run != "" && run != "last" && run != name {
			continue
		}
		c := control.Dial(path)
		if _, err := c.Snapshot(ctx); err == nil {
			return c, nil
		}
		c.Close()
	}
	what := "no load runs in home " + pr.Home
	if run != "" && run != "last" {
		what = fmt.Sprintf("run %s does not run in home %s", run, pr.Home)
	}
	return nil, &cli.Error{Err: errors.New(what), Hint: "`loadgen run PROFILE` starts one; --home or WEIR_HOME says where"}
}

func newAttach(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use: "attach [RUN]", Short: "Watch a run that goes on, and change it with keys; leaving stops nothing", Args: cobra.MaximumNArgs(1),
		Long: `attach shows the screens of a load run, a search or a comparison that goes on in this home, the newest one if none is named.
Leaving stops nothing. Where there is no terminal it prints plain lines.

    loadgen attach
    loadgen attach 01JD5K7Q8R0000000000000000`,
		RunE: func(c *cobra.Command, args []string) error {
			pr, err := project.Open(".", app.Home)
			if err != nil {
				return err
			}
			client, err := running(c.Context(), pr, strings.Join(args, ""))
			if err != nil {
				return err
			}
			defer client.Close()
			if !app.Interactive() {
				return plain.Follow(c.Context(), client, app.Stdout, time.Second)
			}
			d := desk.New(pr)
			own, end, err := show.Own(c.Context(), "loadgen", pr.Home, d.Verbs(), d.Watch)
			if err != nil {
				return fmt.Errorf("control API: %w", err)
			}
			err = tui.Run(c.Context(), control.Either(client, own), app.Stdin, app.Stdout, tui.Options{Getenv: app.Getenv})
			return errors.Join(err, end())
		},
	}
}

// orders are the words of `loadgen tell`.
var orders = []string{"pause", "resume", "faster", "slower", "rate", "next", "mark", "stop", "abort"}

func newTell(app *cli.App) *cobra.Command {
	run := ""
	c := &cobra.Command{
		Use: "tell ORDER [VALUE]", Short: "Change a run that goes on: pause, rate, next stage, mark, stop", Args: cobra.RangeArgs(1, 2),
		Long: `tell changes a load run that goes on in this home. A run that was changed by hand is interactive: it can never be a baseline.
A mark changes nothing. The second stop gives up what is on its way, too.

    loadgen tell pause                 the rest of the schedule is due later by the pause
    loadgen tell resume
    loadgen tell faster 5%             or slower 25%
    loadgen tell rate 30k/s            held until
    loadgen tell rate profile          the profile's own again
    loadgen tell next                  the next stage, at once
    loadgen tell mark "broker 2 restarted"
    loadgen tell stop                  what was sent is waited for and judged
    loadgen tell abort                 what is on its way is given up`,
		RunE: func(c *cobra.Command, args []string) error {
			pr, err := project.Open(".", app.Home)
			if err != nil {
				return err
			}
			verb, what, err := order(args)
			if err != nil {
				return err
			}
			client, err := running(c.Context(), pr, run)
			if err != nil {
				return err
			}
			defer client.Close()
			if err := client.Do(c.Context(), verb, what, nil); err != nil {
				return err
			}
			return app.Result(map[string]any{"verb": verb, "arguments": what}, "done\n")
		},
	}
	c.Flags().StringVar(&run, "run", "last", "run to change")
	return c
}

// order is the control verb for what a user typed.
func order(args []string) (verb string, what map[string]any, err error) {
	word, value := args[0], strings.Join(args[1:], "")
	if !slices.Contains(orders, word) {
		return "", nil, cli.Usage(fmt.Errorf("tell: expected %s, got %q", strings.Join(orders, ", "), word), "")
	}
	switch word {
	case "mark":
		if value == "" {
			return "", nil, cli.Usage(errors.New("tell mark: expected a text"), "")
		}
		return "load.mark", map[string]any{"text": value}, nil
	case "faster", "slower":
		by, err := strconv.ParseFloat(strings.TrimSuffix(value, "%"), 64)
		if err != nil || !(by > 0) || by > 1000 || word == "slower" && by >= 100 {
			return "", nil, cli.Usage(fmt.Errorf("tell %s: expected a share such as 5%%, got %q", word, value), "")
		}
		if word == "slower" {
			by = -by
		}
		return "load.rate", map[string]any{"factor": 1 + by/100}, nil
	case "rate":
		if value == "" {
			return "", nil, cli.Usage(errors.New("tell rate: expected a rate such as 30k/s, or profile"), "")
		}
		if value == "profile" {
			return "load.rate", map[string]any{}, nil
		}
		return "load.rate", map[string]any{"rate": value}, nil
	}
	if value != "" {
		return "", nil, cli.Usage(fmt.Errorf("tell %s: expected nothing behind it, got %q", word, value), "")
	}
	return "load." + word, map[string]any{}, nil
}
