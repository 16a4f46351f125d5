package emr

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"weir/internal/config"
)

// Config is the `emr` block of weir.yaml.
type Config struct {
	Region     string           `yaml:"region,omitempty" jsonschema:"description=of EMR; left out: as the AWS command line takes it"`
	Endpoint   string           `yaml:"endpoint,omitempty" jsonschema:"description=another server than AWS: an emulator such as http://127.0.0.1:5000"`
	Staging    string           `yaml:"staging,omitempty" jsonschema:"description=where driver and job files and results are put: s3://bucket/path"`
	Secret     string           `yaml:"secret,omitempty" jsonschema:"description=id of the AWS Secrets Manager secret with the passwords that jobs need; --dry-run tells which"`
	Packages   []string         `yaml:"packages,omitempty" jsonschema:"description=Maven coordinates for spark-submit --packages; an ingest needs spark-sql-kafka-0-10 and spark-avro"`
	Jars       []string         `yaml:"jars,omitempty" jsonschema:"description=for spark-submit --jars (default: the release's own Iceberg on EMR Serverless)"`
	Serverless ServerlessConfig `yaml:"serverless,omitempty" jsonschema:"description=for --to emr-serverless"`
	Cluster    ClusterConfig    `yaml:"cluster,omitempty" jsonschema:"description=for --to emr: a running cluster (id) or one that is made for each run (release)"`
}

// ServerlessConfig is an application of EMR Serverless.
type ServerlessConfig struct {
	Application string `yaml:"application,omitempty" jsonschema:"description=its id"`
	Role        string `yaml:"role,omitempty" jsonschema:"description=ARN of the role that jobs run as"`
	Retries     int    `yaml:"retries,omitempty" jsonschema:"description=how often EMR starts a failed job again (default 0: the job's own retry decides)"`
}

// ClusterConfig is EMR on EC2.
type ClusterConfig struct {
	ID             string `yaml:"id,omitempty" jsonschema:"description=of a running cluster"`
	Release        string `yaml:"release,omitempty" jsonschema:"description=of a new cluster: emr-7.12.0"`
	Subnet         string `yaml:"subnet,omitempty" jsonschema:"description=of a new cluster"`
	ServiceRole    string `yaml:"service_role,omitempty" jsonschema:"description=default EMR_DefaultRole"`
	InstanceRole   string `yaml:"instance_role,omitempty" jsonschema:"description=default EMR_EC2_DefaultRole"`
	LogURI         string `yaml:"log_uri,omitempty" jsonschema:"description=where EMR puts logs: s3://bucket/path"`
	Primary        string `yaml:"primary,omitempty" jsonschema:"description=instance type (default m7g.xlarge)"`
	Worker         string `yaml:"worker,omitempty" jsonschema:"description=instance type of core and task nodes (default r7g.2xlarge)"`
	Workers        Bounds `yaml:"workers,omitempty" jsonschema:"description=bounds of managed scaling in instances; default {min: 1, max: 10}"`
	MaxOnDemand    int    `yaml:"max_on_demand,omitempty" jsonschema:"description=at most so many on-demand instances; further ones are spot (default: all on demand)"`
	SecurityConfig string `yaml:"security_configuration,omitempty" jsonschema:"description=name of EMR's security configuration"`
}

// Bounds are a smallest and a largest number of instances.
type Bounds struct {
	Min int `yaml:"min" jsonschema:"description=at least so many core and task nodes"`
	Max int `yaml:"max" jsonschema:"description=at most so many"`
}

var (
	applicationForm = regexp.MustCompile(`^[0-9a-z]{1,64}$`)
	clusterForm     = regexp.MustCompile(`^j-[0-9A-Z]+$`)
	releaseForm     = regexp.MustCompile(`^emr-(spark-)?\d+\.\d+\.\d+$`)
	roleForm        = regexp.MustCompile(`^arn:aws[a-z-]*:iam::\d{12}:role/.+$`)
)

// Validate names what is wrong.
func (c Config) Validate() []config.Invalid {
	var bad []config.Invalid
	say := func(path, format string, args ...any) {
		bad = append(bad, config.Invalid{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	form := func(path, got string, re *regexp.Regexp, like string) {
		if got != "" && !re.MatchString(got) {
			say(path, "expected %s, got %q", like, got)
		}
	}
	if c.Endpoint != "" {
		if u, err := url.Parse(c.Endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			say("endpoint", "expected a URL such as http://127.0.0.1:5000, got %q", c.Endpoint)
		}
	}
	switch {
	case c.Staging == "" && (c.Serverless != (ServerlessConfig{}) || c.Cluster != (ClusterConfig{})):
		say("staging", "expected s3://bucket/path, where EMR finds the driver and the job")
	case c.Staging != "" && c.Endpoint == "" && !strings.HasPrefix(c.Staging, "s3://"):
		say("staging", "expected s3://bucket/path, got %q", c.Staging)
	}
	form("serverless.application", c.Serverless.Application, applicationForm, "an id such as 00f1r2s3t4u5v6w7")
	form("serverless.role", c.Serverless.Role, roleForm, "an ARN such as arn:aws:iam::111122223333:role/weir")
	if c.Serverless.Application != "" && c.Serverless.Role == "" {
		say("serverless.role", "expected the ARN of the role that jobs run as")
	}
	if r := c.Serverless.Retries; r < 0 || r > 9 {
		say("serverless.retries", "expected 0 to 9, got %d", r)
	}
	cl := c.Cluster
	form("cluster.id", cl.ID, clusterForm, "an id such as j-1A2B3C4D5E6F7")
	form("cluster.release", cl.Release, releaseForm, "a release such as emr-7.12.0")
	if cl.ID != "" && cl.Release != "" {
		say("cluster", "expected id (a running cluster) or release (one that is made for each run), not both")
	}
	if w := cl.Workers; w != (Bounds{}) && (w.Min < 1 || w.Max < w.Min) {
		say("cluster.workers", "expected {min: 1, max: 10}, with min at least 1 and no more than max")
	}
	if cl.MaxOnDemand < 0 {
		say("cluster.max_on_demand", "expected a number of instances, got %d", cl.MaxOnDemand)
	}
	return bad
}
