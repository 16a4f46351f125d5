package main

import (
	"cmp"
	"errors"
	"fmt"
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
	named := s.project.Weir.Lake.Catalog == "rest" // what the server calls it
	if !named && storage.Local(warehouse) {
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
	case "http", "https":
		conf[at+".type"], conf[at+".uri"] = "rest", l.Catalog
		delete(conf, at+".io-impl") // the server says
		if warehouse == "" {
			delete(conf, at+".warehouse")
		}
		switch r := l.REST; {
		case r.Token != "":
			secret[at+".token"] = r.Token.Reveal()
		case r.ClientID != "":
			secret[at+".credential"] = r.ClientID + ":" + r.ClientSecret.Reveal()
			conf[at+".scope"] = cmp.Or(r.Scope, "catalog")
			if r.TokenURL != "" {
				conf[at+".oauth2-server-uri"] = r.TokenURL
			}
		}
	case "glue":
		g, err := lake.ParseGlue(l.Catalog)
		if err != nil {
			return nil, nil, cli.Usage(fmt.Errorf("weir.yaml: lake.uri: %w", err), "")
		}
		conf[at+".catalog-impl"] = "org.apache.iceberg.aws.glue.GlueCatalog"
		for key, value := range map[string]string{".client.region": g.Region, ".glue.id": g.ID, ".glue.endpoint": g.Endpoint} {
			if value != "" {
				conf[at+key] = value
			}
		}
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
	if s3 := l.Storage.S3; strings.HasPrefix(warehouse, "s3") || named {
		if s3.Endpoint != "" {
			conf[at+".s3.endpoint"], conf[at+".s3.path-style-access"] = s3.Endpoint, "true"
		}
		switch of := conf[at+".client.region"]; {
		case of != "" && s3.Region != "" && of != s3.Region: // Iceberg has one region for Glue and S3
			conf[at+".s3.cross-region-access-enabled"] = "true"
		case of == "" && (s3.Region != "" || s3.Endpoint != ""):
			conf[at+".client.region"] = s3.Region
			if s3.Region == "" {
				conf[at+".client.region"] = "us-east-1"
			}
		}
		if s3.SSE != "" {
			conf[at+".s3.sse.type"] = map[string]string{"AES256": "s3", "aws:kms": "kms"}[s3.SSE]
		}
		if s3.KMSKey != "" {
			conf[at+".s3.sse.key"] = s3.KMSKey
		}
		if s3.AccessKey != "" {
			secret[at+".s3.access-key-id"], secret[at+".s3.secret-access-key"] = s3.AccessKey.Reveal(), s3.SecretKey.Reveal()
		}
	}
	return conf, secret, nil
}
