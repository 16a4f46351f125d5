package storage

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/colinmarc/hdfs/v2"
	"github.com/jcmturner/gokrb5/v8/client"
	krb "github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/keytab"

	"weir/internal/config"
)

// Kerberos is the `kerberos` block: who we are, and what proves it. A keytab serves for good; the tickets of a cache end with it.
type Kerberos struct {
	Principal  string `yaml:"principal,omitempty" jsonschema:"description=who we are: etl@EXAMPLE.ORG; with keytab"`
	Keytab     string `yaml:"keytab,omitempty" jsonschema:"description=file with the principal's keys"`
	CCache     string `yaml:"ccache,omitempty" jsonschema:"description=in place of principal and keytab: file of tickets that kinit wrote (KRB5CCNAME); somebody else must renew it"`
	Config     string `yaml:"config,omitempty" jsonschema:"description=krb5.conf (default: KRB5_CONFIG or /etc/krb5.conf)"`
	Service    string `yaml:"service,omitempty" jsonschema:"description=principal of the name nodes; _HOST stands for the host (default nn/_HOST)"`
	Protection string `yaml:"protection,omitempty" jsonschema:"enum=authentication,enum=integrity,enum=privacy,description=of data on its way; at least what dfs.data.transfer.protection demands (default: what the cluster offers)"`
}

func (k Kerberos) validate() []config.Invalid {
	say := func(path, message string) []config.Invalid {
		return []config.Invalid{{Path: strings.TrimSuffix("hdfs.kerberos."+path, "."), Message: message}}
	}
	switch {
	case k == Kerberos{}:
		return nil
	case k.CCache != "" && (k.Keytab != "" || k.Principal != ""):
		return say("ccache", "expected either ccache, or principal and keytab")
	case k.CCache == "" && (k.Keytab == "" || k.Principal == ""):
		return say("", "expected principal and keytab, or ccache")
	case k.Principal != "" && len(strings.Split(k.Principal, "@")) != 2:
		return say("principal", fmt.Sprintf("expected a name with its realm, such as etl@EXAMPLE.ORG, got %q", k.Principal))
	case k.Protection != "" && k.Protection != "authentication" && k.Protection != "integrity" && k.Protection != "privacy":
		return say("protection", fmt.Sprintf("expected authentication, integrity or privacy, got %q", k.Protection))
	}
	return nil
}

const (
	principalKey, keytabKey, ccacheKey    = "hdfs.kerberos.principal", "hdfs.kerberos.keytab", "hdfs.kerberos.ccache"
	krbConfigKey, serviceKey, protectsKey = "hdfs.kerberos.config", "hdfs.kerberos.service", "hdfs.kerberos.protection"
)

func (k Kerberos) properties(set func(key, value string)) {
	set(principalKey, k.Principal)
	set(keytabKey, k.Keytab)
	set(ccacheKey, k.CCache)
	set(krbConfigKey, k.Config)
	set(serviceKey, k.Service)
	set(protectsKey, k.Protection)
}

// tickets lets the client show tickets, where the cluster asks for them.
func tickets(o *hdfs.ClientOptions, props map[string]string) error {
	if props[keytabKey] == "" && props[ccacheKey] == "" {
		return nil
	}
	const at = "lake.hdfs.kerberos"
	file := cmp.Or(props[krbConfigKey], os.Getenv("KRB5_CONFIG"), "/etc/krb5.conf")
	conf, err := krb.Load(file)
	var odd krb.UnsupportedDirective
	if err != nil && !errors.As(err, &odd) {
		return fmt.Errorf("%s.config: %s: %w", at, file, err)
	}
	if name := props[ccacheKey]; name != "" {
		c, err := credentials.LoadCCache(strings.TrimPrefix(name, "FILE:"))
		if err == nil {
			o.KerberosClient, err = client.NewFromCCache(c, conf, client.DisablePAFXFAST(true))
		}
		if err != nil {
			return fmt.Errorf("%s.ccache: %s holds no tickets that are of use (%w): run kinit, or give principal and keytab", at, name, err)
		}
	} else {
		kt, err := keytab.Load(props[keytabKey])
		if err != nil {
			return fmt.Errorf("%s.keytab: %s: %w", at, props[keytabKey], err)
		}
		who, realm, _ := strings.Cut(props[principalKey], "@")
		o.KerberosClient = client.NewWithKeytab(who, realm, kt, conf, client.DisablePAFXFAST(true))
		if err := o.KerberosClient.Login(); err != nil {
			return fmt.Errorf("%s: no ticket for %s from the KDC of %s: %s", at, props[principalKey], realm, strings.Join(strings.Fields(err.Error()), " "))
		}
	}
	o.KerberosServicePrincipleName, o.DataTransferProtection = cmp.Or(props[serviceKey], "nn/_HOST"), props[protectsKey]
	o.User = "" // the ticket says who
	return nil
}

// refusedTicket says what to do where a cluster and this client do not agree on tickets.
func refusedTicket(err error, have bool) error {
	if !have && strings.Contains(err.Error(), "no available namenodes") && strings.Contains(strings.ToLower(err.Error()), "kerberos") {
		return fmt.Errorf("the cluster asks for Kerberos tickets: set lake.hdfs.kerberos in weir.yaml (%w)", err)
	}
	return err
}
