package main

import (
	"strings"
	"testing"

	"weir/internal/lake"
	"weir/internal/project"
	"weir/internal/storage"
)

func TestSparkGetsTheCatalog(t *testing.T) {
	const at = "spark.sql.catalog.weir"
	s3 := storage.Config{S3: storage.S3{Region: "eu-central-1", SSE: "aws:kms", KMSKey: "alias/lake"}}
	for name, c := range map[string]struct {
		lake         project.Lake
		conf, secret map[string]string
		without      string
	}{
		"REST with a client": {
			project.Lake{Catalog: "rest", URI: "https://cat/api", Warehouse: "prod", Storage: s3, REST: lake.REST{ClientID: "weir", ClientSecret: "hunter2", TokenURL: "https://login/token"}},
			map[string]string{".type": "rest", ".uri": "https://cat/api", ".warehouse": "prod", ".scope": "catalog", ".oauth2-server-uri": "https://login/token", ".client.region": "eu-central-1"},
			map[string]string{".credential": "weir:hunter2"}, ".io-impl",
		},
		"REST with a token": {
			project.Lake{Catalog: "rest", URI: "https://cat/api", REST: lake.REST{Token: "hunter2"}},
			map[string]string{".type": "rest"}, map[string]string{".token": "hunter2"}, ".warehouse",
		},
		"Glue": {
			project.Lake{Catalog: "glue", URI: "glue://eu-west-1/111122223333", Warehouse: "s3://b/w", Storage: s3},
			map[string]string{".catalog-impl": "org.apache.iceberg.aws.glue.GlueCatalog", ".glue.id": "111122223333", ".warehouse": "s3://b/w", ".client.region": "eu-west-1", ".s3.sse.type": "kms", ".s3.sse.key": "alias/lake"}, nil, ".type",
		},
		"Glue as the AWS tools find it": {
			project.Lake{Catalog: "glue", Warehouse: "s3://b/w"},
			map[string]string{".catalog-impl": "org.apache.iceberg.aws.glue.GlueCatalog"}, nil, ".glue.id",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &site{project: &project.Project{Home: t.TempDir(), Weir: project.Weir{Lake: c.lake}}}
			conf, secret, err := s.sparkCatalog()
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range c.conf {
				if conf[at+k] != v {
					t.Errorf("%s is %q, want %q", k, conf[at+k], v)
				}
			}
			for k, v := range c.secret {
				if secret[at+k] != v {
					t.Errorf("secret %s is %q", k, secret[at+k])
				}
			}
			if v, ok := conf[at+c.without]; ok {
				t.Errorf("%s is %q, want none", c.without, v)
			}
			for k, v := range conf {
				if strings.Contains(v, "hunter2") {
					t.Errorf("a secret in %s", k)
				}
			}
		})
	}
}
