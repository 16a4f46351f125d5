package storage_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/internal/storage"
)

func TestKerberosSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	conf, junk := filepath.Join(dir, "krb5.conf"), filepath.Join(dir, "junk")
	for name, text := range map[string]string{
		conf: "[libdefaults]\n default_realm = X.ORG\n udp_preference_limit = 1\n[realms]\n X.ORG = {\n  kdc = 127.0.0.1:1\n }\n",
		junk: "no tickets, no keys",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, k := range map[string]struct {
		block storage.Kerberos
		want  string
	}{
		"no keytab file":  {storage.Kerberos{Principal: "etl@X.ORG", Keytab: dir + "/none", Config: conf}, "lake.hdfs.kerberos.keytab: "},
		"a broken keytab": {storage.Kerberos{Principal: "etl@X.ORG", Keytab: junk, Config: conf}, "lake.hdfs.kerberos.keytab: "},
		"no cache":        {storage.Kerberos{CCache: dir + "/none", Config: conf}, "run kinit"},
		"no krb5.conf":    {storage.Kerberos{CCache: junk, Config: dir + "/none"}, "lake.hdfs.kerberos.config: "},
	} {
		t.Run(name, func(t *testing.T) {
			c := storage.Config{HDFS: storage.HDFS{Kerberos: k.block}}
			if bad := c.Validate(); len(bad) > 0 {
				t.Fatal(bad)
			}
			_, err := storage.Open(t.Context(), "hdfs://127.0.0.1:1/w", c.Properties())
			if err == nil || !strings.Contains(err.Error(), k.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v", err)
			}
		})
	}
	for want, k := range map[string]storage.Kerberos{
		"expected principal and keytab, or ccache": {Principal: "etl@X.ORG"},
		"expected either ccache":                   {Principal: "etl@X.ORG", Keytab: "k", CCache: "c"},
		"expected a name with its realm":           {Principal: "etl", Keytab: "k"},
		"expected authentication":                  {CCache: "c", Protection: "none"},
	} {
		bad := storage.Config{HDFS: storage.HDFS{Kerberos: k}}.Validate()
		if len(bad) != 1 || !strings.Contains(bad[0].Message, want) {
			t.Errorf("got %v, want %q", bad, want)
		}
	}
}
