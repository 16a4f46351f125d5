package main

import (
	"strings"

	"github.com/spf13/pflag"

	"weir/internal/kafka"
	"weir/internal/project"
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
