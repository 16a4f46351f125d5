package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"weir/internal/cli"
	"weir/internal/ledger"
	"weir/internal/notify"
)

func serveCommand(p *program) *cobra.Command {
	var listen string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Send what is accepted, until stopped",
		Long: `serve sends what was accepted by any program of this home, and takes over what the run ledger has not told yet. If another
process sends already, it stands by and takes over when that one is gone.

With --listen it accepts OpenLineage run events as POST /api/v1/lineage, as Spark, Airflow, dbt and Flink send them, and
answers /healthz. It listens on loopback only.

    notify serve --listen 127.0.0.1:8095`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := loopback(listen); err != nil {
				return err
			}
			return p.with(c, func(ctx context.Context, s *notify.Service) error { return p.serve(ctx, s, listen) })
		},
	}
	c.Flags().StringVar(&listen, "listen", "", "address for OpenLineage events, like 127.0.0.1:8095 (default none)")
	return c
}

// loopback refuses addresses that others could reach: there is no authentication yet.
func loopback(addr string) error {
	if addr == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return cli.Usage(fmt.Errorf("--listen %s: %w", addr, err), "write it as 127.0.0.1:8095")
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return cli.Usage(fmt.Errorf("--listen %s: only loopback addresses are allowed", addr), "write 127.0.0.1:PORT; put a proxy with authentication in front for others")
	}
	return nil
}

func (p *program) serve(ctx context.Context, s *notify.Service, listen string) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.Run(ctx) })
	g.Go(func() error { return p.relay(ctx, s) })
	if listen != "" {
		l, err := net.Listen("tcp", listen)
		if err != nil {
			return cli.Usage(err, "choose another address with --listen")
		}
		server := &http.Server{Handler: s.Handler(), ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second}
		fmt.Fprintf(p.Stderr, "accepting OpenLineage events at http://%s/api/v1/lineage\n", l.Addr())
		g.Go(func() error {
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
		g.Go(func() error {
			<-ctx.Done()
			last, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer stop()
			return server.Shutdown(last)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	st, err := s.Status(context.WithoutCancel(ctx), 0)
	if err != nil {
		return err
	}
	return p.Result(st, figures(st))
}

// relayEvery is how soon an outcome that only stands in the run ledger is taken over.
const relayEvery = 2 * time.Second

// relay takes over what the run ledger has not told. There is no ledger until a pipeline has run in this home.
func (p *program) relay(ctx context.Context, s *notify.Service) (err error) {
	path := filepath.Join(p.Home, "ledger.db")
	var l *ledger.Ledger
	defer func() {
		if l != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	for ctx.Err() == nil {
		if _, serr := os.Stat(path); l == nil && serr == nil {
			if l, err = ledger.Open(ctx, path); err != nil {
				return err
			}
		}
		if l != nil {
			if _, err := s.Relay(ctx, l); err != nil && ctx.Err() == nil {
				p.Log.Error("run ledger not relayed", "err", err)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(relayEvery):
		}
	}
	return nil
}
