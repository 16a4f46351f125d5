package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"weir/internal/cli"
	"weir/internal/notify"
	"weir/internal/notify/intake"
	"weir/internal/project"
)

func serveCommand(p *program) *cobra.Command {
	var listen, spool string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Take events in and send them, until stopped",
		Long: `serve sends what was accepted by any program of this home, and takes over what the run ledger has not told yet. If another
process sends already, it stands by and takes over when that one is gone.

Events come in over HTTP (--listen): CloudEvents as POST /v1/events, OpenLineage run events of Spark, Airflow, dbt and Flink
as POST /api/v1/lineage; /healthz, /readyz and /metrics tell how it goes. They also come from files in HOME/spool, and from a
Kafka topic or a queue of EMR's state changes that the notify block of weir.yaml names. docs/notify-inputs.md has the lines to copy.

Only this machine can reach it, unless the block has tls and a token, or tls with client_ca.

    notify serve --listen 127.0.0.1:8095`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			in, err := p.inputs(listen, spool)
			if err != nil {
				return err
			}
			return p.with(c, func(ctx context.Context, s *notify.Service) error { return in.serve(ctx, s) })
		},
	}
	c.Flags().StringVar(&listen, "listen", "", "address for events over HTTP, like 127.0.0.1:8095 (default that of weir.yaml, or none)")
	c.Flags().StringVar(&spool, "spool", "", "directory for files with events (default that of weir.yaml, or HOME/spool)")
	return c
}

// inputs are where events come from.
type inputs struct {
	*program
	project *project.Project
	cfg     project.Notify
	beyond  bool
}

// inputs reads weir.yaml, puts the flags over it and refuses a listener that anybody could use.
func (p *program) inputs(listen, spool string) (*inputs, error) {
	pr, err := project.Open(".", p.Home)
	if err != nil {
		return nil, err
	}
	in := &inputs{program: p, project: pr, cfg: pr.Weir.Notify}
	if listen != "" {
		in.cfg.Listen = listen
	}
	if spool != "" {
		in.cfg.Spool = spool
	}
	if in.cfg.Spool == "" {
		in.cfg.Spool = pr.In("spool")
	}
	if in.cfg.Listen == "" {
		return in, nil
	}
	here, err := intake.Loopback(in.cfg.Listen)
	if err != nil {
		return nil, cli.Usage(fmt.Errorf("listen %s: %w", in.cfg.Listen, err), "write it as 127.0.0.1:8095")
	}
	in.beyond = !here
	if in.beyond && (in.cfg.TLS.Cert == "" || in.cfg.Token == "" && in.cfg.TLS.ClientCA == "") {
		return nil, cli.Usage(fmt.Errorf("listen %s: other machines can reach it, which needs tls, and a token or client_ca, in the notify block of weir.yaml", in.cfg.Listen),
			"write notify: {tls: {cert: FILE, key: FILE}, token: \"${env:NOTIFY_TOKEN}\"}, or listen on 127.0.0.1")
	}
	return in, nil
}

func (in *inputs) serve(ctx context.Context, s *notify.Service) error {
	metrics := intake.NewMetrics(s)
	var parts []func(context.Context) error
	if in.cfg.Listen != "" {
		answer, err := in.listen(s, metrics)
		if err != nil {
			return err
		}
		parts = append(parts, answer)
	}
	more, err := in.pulls(s, metrics)
	if err != nil {
		return err
	}
	parts = append(append(parts, s.Run, in.relay(s, metrics).Run), more...)
	g, ctx := errgroup.WithContext(ctx)
	for _, run := range parts {
		g.Go(func() error { return run(ctx) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	st, err := s.Status(context.WithoutCancel(ctx), 0)
	if err != nil {
		return err
	}
	return in.Result(st, figures(st, s.Zone()))
}

// pulls are the inputs that notify asks for events itself, and the sign of life.
func (in *inputs) pulls(s *notify.Service, metrics *intake.Metrics) ([]func(context.Context) error, error) {
	aside := intake.Aside(in.project.In("refused"))
	parts := []func(context.Context) error{intake.Spool{Dir: in.cfg.Spool, Taker: s, Metrics: metrics, Log: in.Log}.Run}
	if k := in.cfg.Kafka; k.Topic != "" {
		if err := in.project.Use(k.Cluster); err != nil {
			return nil, cli.Usage(fmt.Errorf("notify.kafka: %w", err), "")
		}
		brokers, _, err := in.project.Resolve()
		if err != nil {
			return nil, err
		}
		parts = append(parts, intake.Kafka{Config: brokers, Topic: k.Topic, Group: k.Group, Taker: s, Aside: aside, Metrics: metrics, Log: in.Log}.Run)
	}
	if q := in.cfg.SQS; q.Queue != "" {
		parts = append(parts, intake.SQS{Queue: q.Queue, Region: q.Region, Endpoint: q.Endpoint, Taker: s, Aside: aside, Metrics: metrics, Log: in.Log}.Run)
	}
	if h := in.cfg.Heartbeat; h.URL != "" || h.Channel != "" {
		beat := intake.Heartbeat{URL: h.URL.Reveal(), Every: time.Duration(h.Every), Log: in.Log, Healthy: func(ctx context.Context) error {
			now, err := intake.Check(ctx, s, time.Duration(in.cfg.MaxWait))
			if err == nil && now.Reason != "" {
				err = errors.New(now.Reason)
			}
			return err
		}}
		if h.Channel != "" {
			var err error
			if beat.Send, err = s.Beat(h.Channel); err != nil {
				return nil, cli.Usage(fmt.Errorf("notify.heartbeat: %w", err), "name a channel of units.yaml")
			}
		}
		parts = append(parts, beat.Run)
	}
	return parts, nil
}

// listen opens the listener; what it gives answers until ctx ends.
func (in *inputs) listen(s *notify.Service, metrics *intake.Metrics) (func(ctx context.Context) error, error) {
	web := intake.Web{Notify: s, Guard: intake.NewGuard(in.beyond, in.cfg.Token.Reveal(), in.cfg.Rate), Metrics: metrics, MaxWait: time.Duration(in.cfg.MaxWait)}
	server := intake.Server(web.Handler())
	server.ErrorLog = slog.NewLogLogger(in.Log.Handler(), slog.LevelDebug) // handshakes of strangers
	scheme := "http"
	if in.cfg.TLS.Cert != "" {
		var err error
		if server.TLSConfig, err = intake.TLS(in.cfg.TLS).Config(); err != nil {
			return nil, cli.Usage(fmt.Errorf("notify.tls: %w", err), "")
		}
		scheme = "https"
	}
	l, err := net.Listen("tcp", in.cfg.Listen)
	if err != nil {
		return nil, cli.Usage(err, "choose another address with --listen")
	}
	fmt.Fprintf(in.Stderr, "accepting OpenLineage events at %[1]s://%[2]s/api/v1/lineage\nand CloudEvents at %[1]s://%[2]s/v1/events\n", scheme, l.Addr())
	return func(ctx context.Context) error {
		stop := context.AfterFunc(ctx, func() {
			last, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer stop()
			_ = server.Shutdown(last) // what is cut comes again: it was not answered
		})
		defer stop()
		var err error
		if scheme == "https" {
			err = server.ServeTLS(l, "", "")
		} else {
			err = server.Serve(l)
		}
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return err
	}, nil
}
