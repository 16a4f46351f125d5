package project

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"weir/internal/cli"
	"weir/internal/config"
)

// Hive is the `hive` block: one server, or several with names.
type Hive struct {
	Server      HiveServer            `yaml:",inline"`
	Connections map[string]HiveServer `yaml:"connections,omitempty" jsonschema:"description=further servers by name"`
}

// HiveServer is a server of HiveServer2's protocol: the Spark Thrift Server.
type HiveServer struct {
	Address  string        `yaml:"address,omitempty" jsonschema:"description=host:port of the server"`
	Auth     string        `yaml:"auth,omitempty" jsonschema:"enum=NONE,enum=NOSASL,description=as its hive.server2.authentication says: NONE (SASL PLAIN; default) or NOSASL"`
	User     string        `yaml:"user,omitempty" jsonschema:"description=default weir"`
	Password config.Secret `yaml:"password,omitempty" jsonschema:"description=a reference such as ${env:HIVE_PASSWORD}"`
	Catalog  string        `yaml:"catalog,omitempty" jsonschema:"description=what the server calls the catalog of these tables; default weir"`
}

func (h Hive) validate() []config.Invalid {
	var bad []config.Invalid
	if h.Server != (HiveServer{}) {
		bad = h.Server.validate("hive")
	}
	for _, name := range slices.Sorted(maps.Keys(h.Connections)) {
		bad = append(bad, h.Connections[name].validate("hive.connections."+name)...)
	}
	return bad
}

func (s HiveServer) validate(at string) []config.Invalid {
	var bad []config.Invalid
	if host, port, err := net.SplitHostPort(s.Address); err != nil || host == "" || port == "" {
		bad = append(bad, config.Invalid{Path: at + ".address", Message: fmt.Sprintf("expected host:port, got %q", s.Address)})
	}
	switch s.Auth {
	case "", "NONE", "NOSASL":
	default:
		bad = append(bad, config.Invalid{Path: at + ".auth", Message: fmt.Sprintf("expected NONE or NOSASL, got %q", s.Auth)})
	}
	return bad
}

// Connection finds a server by its name; empty means the one without.
func (h Hive) Connection(name string) (HiveServer, error) {
	if name == "" {
		if h.Server.Address == "" {
			return HiveServer{}, cli.Usage(fmt.Errorf("engine hive needs a server, and weir.yaml names none"), "write `hive: {address: host:port}` into weir.yaml, or `connection: NAME` into the job")
		}
		return h.Server, nil
	}
	s, ok := h.Connections[name]
	if ok {
		return s, nil
	}
	known := slices.Sorted(maps.Keys(h.Connections))
	hint := "weir.yaml has none: hive: {connections: {" + name + ": {address: host:port}}}"
	if len(known) > 0 {
		hint = "known connections: " + strings.Join(known, ", ")
		if n := config.Nearest(name, known); n != "" {
			hint = fmt.Sprintf("did you mean %q? %s", n, hint)
		}
	}
	return s, cli.Usage(fmt.Errorf("weir.yaml has no connection %q in hive.connections", name), hint)
}
