package main

import (
	"errors"
	"net/url"
	"path/filepath"
	"strings"

	"weir/internal/cli"
	"weir/internal/lake"
	"weir/internal/storage"
)

// sparkCatalog is this installation's catalog as Spark is told of it; what is secret comes apart.
func (s *site) sparkCatalog() (conf, secret map[string]string, err error) {
	const at = "spark.sql.catalog." + lake.CatalogName
	l := s.project.Lake()
	warehouse := l.Warehouse
	if storage.Local(warehouse) {
		dir, err := filepath.Abs(storage.Path(warehouse))
		if err != nil {
			return nil, nil, err
		}
		warehouse = storage.URI(dir)
	}
	conf = map[string]string{
		"spark.sql.extensions":                     "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
		"spark.sql.session.timeZone":               "UTC",
		"spark.sql.ansi.enabled":                   "true", // as on the newer Spark, and as the embedded engine: an overflow is an error
		"spark.sql.ansi.doubleQuotedIdentifiers":   "true", // as in the embedded engine
		"spark.sql.sources.partitionOverwriteMode": "static",
		at:                "org.apache.iceberg.spark.SparkCatalog",
		at + ".warehouse": warehouse,
		at + ".io-impl":   "org.apache.iceberg.io.ResolvingFileIO",
	}
	secret = map[string]string{}
	scheme, _, _ := strings.Cut(l.Catalog, "://")
	switch scheme {
	case "thrift":
		conf[at+".type"], conf[at+".uri"] = "hive", l.Catalog
	case "postgres", "postgresql":
		u, err := url.Parse(l.Catalog)
		if err != nil { // its text may hold a password
			return nil, nil, cli.Usage(errors.New("weir.yaml: lake.uri is no address of a database"), "")
		}
		conf[at+".type"], conf[at+".jdbc.schema-version"] = "jdbc", "V1"
		if u.User != nil {
			conf[at+".jdbc.user"] = u.User.Username()
			secret[at+".jdbc.password"], _ = u.User.Password()
			u.User = nil
		}
		u.Scheme = "postgresql"
		conf[at+".uri"] = "jdbc:" + u.String()
	default:
		conf[at+".type"], conf[at+".jdbc.schema-version"] = "jdbc", "V1"
		conf[at+".uri"] = "jdbc:sqlite:" + storage.Path(l.Catalog)
	}
	if s3 := l.Storage.S3; strings.HasPrefix(warehouse, "s3") {
		if s3.Endpoint != "" {
			conf[at+".s3.endpoint"], conf[at+".s3.path-style-access"] = s3.Endpoint, "true"
		}
		if s3.Region != "" || s3.Endpoint != "" {
			conf[at+".client.region"] = s3.Region
			if s3.Region == "" {
				conf[at+".client.region"] = "us-east-1"
			}
		}
		if s3.AccessKey != "" {
			secret[at+".s3.access-key-id"], secret[at+".s3.secret-access-key"] = s3.AccessKey.Reveal(), s3.SecretKey.Reveal()
		}
	}
	return conf, secret, nil
}
