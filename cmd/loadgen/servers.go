package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"weir/internal/kafka"
	"weir/internal/load"
	"weir/internal/project"
	"weir/internal/registry"
)

func (s *servers) flags(f *pflag.FlagSet) {
	f.StringVar(&s.brokers, "brokers", "", "host:port,… in place of weir.yaml's")
	f.StringVar(&s.registry, "registry", "", "URL of the schema registry, in place of weir.yaml's")
}

// override puts the flags in place of what weir.yaml says.
func (s servers) override(pr *project.Project) {
	if s.brokers != "" && s.brokers != "embedded" {
		pr.Weir.Kafka.Brokers = kafka.Brokers(strings.Split(s.brokers, ","))
	}
	if s.registry != "" {
		pr.Weir.Registry.URL = s.registry
	}
}

// lookup asks the registry for a subject; nothing is connected before a profile names one.
func lookup(pr *project.Project, url string) load.Lookup {
	return func(ctx context.Context, subject, version string) (int, string, error) {
		servers{registry: url}.override(pr)
		return pr.Subject(ctx, subject, version)
	}
}

// connectWhenReady waits until broker and registry answer, as long as the pipeline lives that may serve them.
func connectWhenReady(ctx context.Context, pr *project.Project, sys *system) (kafka.Config, *registry.Client, error) {
	for end := time.Now().Add(readyTime); ; {
		k, reg, err := (servers{}).connect(ctx, pr)
		if err == nil {
			return k, reg, nil
		}
		if died := sys.died(); died != nil {
			return k, nil, died
		}
		if time.Now().After(end) {
			return k, nil, err
		}
		select {
		case <-ctx.Done():
			return k, nil, context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
