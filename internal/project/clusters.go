package project

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"weir/internal/config"
	"weir/internal/kafka"
	"weir/internal/registry"
)

// A Cluster is a connection with a name: a load profile asks for it by `cluster: NAME`.
type Cluster struct {
	Kafka    kafka.Config     `yaml:"kafka" jsonschema:"required,description=brokers and how to reach them"`
	Registry *registry.Config `yaml:"registry,omitempty" jsonschema:"description=schema registry; default: that of weir.yaml"`
}

// Use takes the connections of a named cluster in place of weir.yaml's own; an empty name changes nothing.
func (p *Project) Use(cluster string) error {
	if cluster == "" {
		return nil
	}
	c, ok := p.Weir.Clusters[cluster]
	if !ok {
		names := slices.Sorted(maps.Keys(p.Weir.Clusters))
		switch near := config.Nearest(cluster, names); {
		case near != "":
			return fmt.Errorf("cluster: %s has no cluster %q; did you mean %q?", p.File("weir.yaml"), cluster, near)
		case len(names) > 0:
			return fmt.Errorf("cluster: %s has no cluster %q; it has %s", p.File("weir.yaml"), cluster, strings.Join(names, ", "))
		}
		return errors.New("cluster: " + p.File("weir.yaml") + " names no clusters; write `clusters: {" + cluster + ": {kafka: {brokers: \"host:9092\"}}}` there")
	}
	p.Weir.Kafka = c.Kafka
	if c.Registry != nil {
		p.Weir.Registry = *c.Registry
	}
	return nil
}
