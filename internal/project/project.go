// Package project knows where the files of an installation lie: weir.yaml, jobs/, profiles/ and units.yaml in a project
// directory, and catalog, warehouse, ledger, outbox and the embedded parts in the home.
package project

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"weir/internal/cli"
	"weir/internal/config"
	"weir/internal/emr"
	"weir/internal/kafka"
	"weir/internal/lake"
	"weir/internal/registry"
	"weir/internal/storage"
)

// Weir is weir.yaml.
type Weir struct {
	APIVersion string             `yaml:"apiVersion" jsonschema:"required,enum=weir/v1,description=weir/v1"`
	Kind       string             `yaml:"kind" jsonschema:"required,enum=Weir,description=Weir"`
	Kafka      kafka.Config       `yaml:"kafka,omitempty" jsonschema:"description=brokers and how to reach them"`
	Registry   registry.Config    `yaml:"registry,omitempty" jsonschema:"description=schema registry"`
	Clusters   map[string]Cluster `yaml:"clusters,omitempty" jsonschema:"description=further connections by their names; a load profile takes one by cluster: NAME"`
	Lake       Lake               `yaml:"lake,omitempty" jsonschema:"description=where tables live"`
	Hive       Hive               `yaml:"hive,omitempty" jsonschema:"description=servers of HiveServer2's protocol that share the catalog; for reports with engine: hive"`
	EMR        emr.Config         `yaml:"emr,omitempty" jsonschema:"description=where pipeline submit --to emr and --to emr-serverless run jobs"`
	Notify     Notify             `yaml:"notify,omitempty" jsonschema:"description=where notify serve takes events from"`
	Compare    Compare            `yaml:"compare,omitempty" jsonschema:"description=the two builds that loadgen compare measures where nothing else is said"`
}

// Compare is the `compare` block.
type Compare struct {
	Baseline  string `yaml:"baseline,omitempty" jsonschema:"description=shell command that serves the pipeline of the build to compare with"`
	Candidate string `yaml:"candidate,omitempty" jsonschema:"description=the same of the build under test"`
}

// Lake is the `lake` block.
type Lake struct {
	Catalog   string         `yaml:"catalog,omitempty" jsonschema:"enum=sqlite,enum=postgres,enum=hive,enum=rest,enum=glue,description=who knows the tables: sqlite (default) in HOME/catalog.db or postgres or a Hive Metastore 3 or an Iceberg REST catalog or AWS Glue; see docs/catalogs.md"`
	URI       config.Secret  `yaml:"uri,omitempty" jsonschema:"description=of the catalog: postgres://user:password@host:5432/database (by reference: ${env:NAME}) or thrift://host:9083 or https://host/path of a REST catalog or glue://region/account"`
	Warehouse string         `yaml:"warehouse,omitempty" jsonschema:"description=where data and metadata lie: a directory (default HOME/warehouse) or s3://bucket/path or hdfs://namenode:8020/path; with catalog rest: the name of a warehouse that it knows"`
	REST      lake.REST      `yaml:"rest,omitempty" jsonschema:"description=how the REST catalog lets us in"`
	Storage   storage.Config `yaml:",inline"`
	Cache     config.Size    `yaml:"cache,omitempty" jsonschema:"description=how much of remote tables is kept on this machine for SQL, default 10GiB"`
}

func (l Lake) validate() []config.Invalid {
	var bad []config.Invalid
	say := func(path, format string, args ...any) {
		bad = append(bad, config.Invalid{Path: "lake." + path, Message: fmt.Sprintf(format, args...)})
	}
	scheme, _, _ := strings.Cut(l.URI.Reveal(), "://")
	switch l.Catalog {
	case "", "sqlite":
		if l.URI != "" {
			say("uri", "expected only with catalog postgres, hive, rest or glue: sqlite lies in the home")
		}
	case "postgres":
		if scheme != "postgres" && scheme != "postgresql" {
			say("uri", "expected postgres://user:password@host:5432/database, by reference such as ${env:WEIR_CATALOG}")
		}
	case "hive":
		if scheme != "thrift" {
			say("uri", "expected thrift://host:9083, the address of a Hive Metastore 3")
		}
	case "rest":
		if u, err := url.Parse(l.URI.Reveal()); !strings.HasPrefix(l.URI.Reveal(), "${") && (err != nil || scheme != "https" && scheme != "http" || u.Host == "" || u.User != nil) {
			say("uri", "expected https://host/path, the address of an Iceberg REST catalog, with no password in it")
		}
		for _, b := range l.REST.Validate(l.URI.Reveal()) {
			say("rest."+b.Path, "%s", b.Message)
		}
	case "glue":
		if _, err := lake.ParseGlue(l.URI.Reveal()); l.URI != "" && err != nil {
			say("uri", "%v; or leave it out: then the AWS tools' region and account", err)
		}
		if l.Warehouse == "" {
			say("warehouse", "warehouse is missing: s3://bucket/path")
		}
	default:
		if strings.Contains(l.Catalog, "://") { // its address, which may hold a password
			say("catalog", "expected sqlite, postgres, hive, rest or glue; its address belongs to `uri`")
		} else {
			say("catalog", "expected sqlite, postgres, hive, rest or glue, got %q", l.Catalog)
		}
	}
	if l.Catalog != "rest" && l.REST != (lake.REST{}) {
		say("rest", "expected only with catalog rest")
	}
	if err := storage.Check(l.Warehouse); err != nil && l.Catalog != "rest" { // a REST catalog's is any name that it knows
		say("warehouse", "%v", err)
	}
	for _, b := range l.Storage.Validate() {
		say(b.Path, "%s", b.Message)
	}
	return bad
}

// Validate names what is wrong.
func (w Weir) Validate() []config.Invalid {
	var bad []config.Invalid
	if w.APIVersion != "weir/v1" {
		bad = append(bad, config.Invalid{Path: "apiVersion", Message: fmt.Sprintf("expected weir/v1, got %q", w.APIVersion)})
	}
	if w.Kind != "Weir" {
		bad = append(bad, config.Invalid{Path: "kind", Message: fmt.Sprintf("expected Weir, got %q", w.Kind)})
	}
	return append(append(bad, w.Lake.validate()...), w.Hive.validate()...)
}

// A Project is an installation with its files.
type Project struct {
	Dir  string // of weir.yaml
	Home string // absolute
	Weir Weir   // defaults where there is no file
}

// Open reads weir.yaml, if there is one, and makes the home.
func Open(dir, home string) (*Project, error) {
	abs, err := filepath.Abs(home)
	if err != nil {
		return nil, cli.Usage(fmt.Errorf("home %s: %w", home, err), "")
	}
	p := &Project{Dir: dir, Home: abs, Weir: Weir{APIVersion: "weir/v1", Kind: "Weir"}}
	if err := config.Load(p.File("weir.yaml"), &p.Weir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := p.makeHome(); err != nil {
		return nil, cli.Usage(fmt.Errorf("home %s is not writable: %w", abs, err), "choose another with --home DIR or WEIR_HOME")
	}
	return p, nil
}

func (p *Project) makeHome() error {
	if err := os.MkdirAll(p.Home, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(p.Home, ".probe-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// File is a file of the project directory.
func (p *Project) File(name string) string { return filepath.Join(p.Dir, name) }

// JobsDir holds the job files.
func (p *Project) JobsDir() string { return p.File("jobs") }

// ProfilesDir holds the load profiles of the project.
func (p *Project) ProfilesDir() string { return p.File("profiles") }

// Units is the file of the business units.
func (p *Project) Units() string { return p.File("units.yaml") }

// In is a file or directory of the home.
func (p *Project) In(name string) string { return filepath.Join(p.Home, name) }

// Lake says where tables live.
func (p *Project) Lake() lake.Config {
	l := p.Weir.Lake
	c := lake.Config{Catalog: p.In("catalog.db"), Warehouse: l.Warehouse, Storage: l.Storage, REST: l.REST, Cache: p.In("cache"), CacheBytes: int64(l.Cache)}
	if l.URI != "" {
		c.Catalog = l.URI.Reveal()
	}
	if l.Catalog == "glue" && l.URI == "" {
		c.Catalog = "glue://"
	}
	if c.Warehouse == "" && l.Catalog != "rest" {
		c.Warehouse = p.In("warehouse")
	}
	return c
}

// Ledger is a SQLite file.
func (p *Project) Ledger() string { return p.In("ledger.db") }

// Outbox is a SQLite file, or the address of a PostgreSQL.
func (p *Project) Outbox() string {
	if at := p.Weir.Notify.Outbox; at != "" {
		return at
	}
	return p.In("outbox.db")
}

// Socket is where the control API answers. The path of a unix socket is limited to about 100 bytes: a home that lies deep
// gets one in the directory for temporary files, named after it.
func (p *Project) Socket() string {
	s := p.In("control.sock")
	if len(s) <= 100 {
		return s
	}
	h := sha256.Sum256([]byte(p.Home))
	return filepath.Join(os.TempDir(), "weir-"+hex.EncodeToString(h[:8])+".sock")
}

// Embedded is where the embedded parts of a home answer, for other processes.
type Embedded struct {
	Brokers  string `json:"brokers"`
	Registry string `json:"registry"`
	PID      int    `json:"pid"`
}

// Announce writes down where the embedded parts of this process answer.
func (p *Project) Announce(e Embedded) error {
	e.PID = os.Getpid()
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	tmp := p.In(fmt.Sprintf(".embedded-%d", e.PID))
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, p.In("embedded.json"))
}

// Announced reads where the embedded parts answer; alive is false if the process that served them is gone, but the addresses
// are still the best to take again.
func (p *Project) Announced() (e Embedded, alive bool) {
	b, err := os.ReadFile(p.In("embedded.json"))
	if err != nil || json.Unmarshal(b, &e) != nil {
		return Embedded{}, false
	}
	return e, syscall.Kill(e.PID, 0) == nil
}

// Subject asks the registry for a subject's schema; nothing is connected before.
func (p *Project) Subject(ctx context.Context, subject, version string) (id int, schema string, err error) {
	_, r, err := p.Resolve()
	if err != nil {
		return 0, "", err
	}
	c, err := registry.New(r)
	if err != nil {
		return 0, "", err
	}
	return c.Subject(ctx, subject, version)
}

// Resolve gives the configs of Kafka and registry with real addresses in place of the word embedded.
func (p *Project) Resolve() (kafka.Config, registry.Config, error) {
	k, r := p.Weir.Kafka, p.Weir.Registry
	if !k.Brokers.Embedded() && !r.Embedded() {
		return k, r, nil
	}
	e, alive := p.Announced()
	if !alive {
		return k, r, &cli.Error{
			Err:  fmt.Errorf("nothing serves the embedded broker and registry of home %s", p.Home),
			Hint: "start it in another terminal with the same --home: `pipeline run JOB`; or give --brokers and --registry",
		}
	}
	if k.Brokers.Embedded() {
		k.Brokers = kafka.Brokers{e.Brokers}
	}
	if r.Embedded() {
		r.URL = e.Registry
	}
	return k, r, nil
}
