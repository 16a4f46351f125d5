package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"weir/internal/cli"
	"weir/internal/show"
)

// serveMetrics answers GET /metrics at an address until the site is closed; the empty address: not at all.
func (s *site) serveMetrics(addr string) error {
	if addr == "" {
		return nil
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return cli.Usage(fmt.Errorf("--metrics: %w", err), "give an address that is free, such as 127.0.0.1:9464")
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(show.Metrics(s.hub), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	s.workers.Go(func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.app.Log.Warn("metrics are no longer served", "error", err)
		}
	})
	s.metrics = srv
	s.app.Log.Info("metrics", "url", "http://"+l.Addr().String()+"/metrics")
	return nil
}
