package main

import (
	"context"
	"fmt"
	"time"

	"weir/internal/cli"
	"weir/internal/control"
	"weir/internal/kafka"
	"weir/internal/load"
	"weir/internal/project"
	"weir/internal/show"
)

// screens shows a search or a comparison on the screens of whatever serves the control API of the home, where that is somebody, and on
// those of `loadgen attach`.
type screens struct {
	elsewhere *control.Publisher
	here      *control.Hub
	cluster   string
	ends      []func()
}

func newScreens(ctx context.Context, app *cli.App, pr *project.Project, brokers kafka.Config, id string) *screens {
	client := control.Dial(pr.Socket())
	s := &screens{elsewhere: control.NewPublisher(ctx, client), cluster: brokers.Brokers.String()}
	hub, end, err := serveOwn(ctx, app, pr, id, nil)
	if err != nil {
		app.Log.Warn("`loadgen attach` will not find this", "id", id, "error", err)
	}
	s.here, s.ends = hub, []func(){s.elsewhere.Close, client.Close, end}
	return s
}

// run shows how a load run stands.
func (s *screens) run(p load.Progress) {
	l := shownLoad(p, s.cluster)
	s.here.Update(func(sn *control.Snapshot) { sn.Load = l })
	s.elsewhere.Load(l)
}

func (s *screens) comparison(c *control.Comparison) {
	s.here.Update(func(sn *control.Snapshot) { sn.Comparison = c })
	s.elsewhere.Comparison(c)
}

func (s *screens) search(f *control.Search) {
	s.here.Update(func(sn *control.Snapshot) { sn.Search = f })
	s.elsewhere.Search(f)
}

func (s *screens) close() {
	for _, end := range s.ends {
		end()
	}
}

func shownLoad(p load.Progress, cluster string) *control.Load {
	l := show.Load(p)
	l.Cluster = cluster
	return l
}

// watch gives the function that is told how the run stands, and one to call at its end. It prints a line a second for people,
// and shows the run on screens.
func watch(ctx context.Context, app *cli.App, pr *project.Project, brokers kafka.Config) (tell func(load.Progress), end func()) {
	client := control.Dial(pr.Socket())
	elsewhere := control.NewPublisher(ctx, client)
	var last time.Time
	return func(p load.Progress) {
			elsewhere.Load(shownLoad(p, brokers.Brokers.String()))
			if p.Final == nil && p.At.Sub(last) >= time.Second-50*time.Millisecond {
				last = p.At
				fmt.Fprintln(app.Stderr, progressLine(p))
			}
		}, func() {
			elsewhere.Close()
			client.Close()
		}
}
