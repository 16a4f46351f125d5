// Package storage puts the files of tables where their URI says: local disk, S3, HDFS.
//
// Start with [Open]; tables find the same storages by themselves, through the properties that [Config.Properties] gives to
// their catalog.
//
// # Promises
//
// A file whose Close returned nil is durable: fsynced, acknowledged by S3, or complete on the name node. A file that exists
// already is replaced. What does not exist is fs.ErrNotExist, also for Remove. All methods are safe for concurrent use, and
// so is one open file's ReadAt. Each storage passes the suite in `storagetest`.
package storage

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"

	iceio "github.com/apache/iceberg-go/io"

	"weir/internal/config"
)

// FS reads, writes, finds and removes files by their full name, such as s3://bucket/path.
type FS interface {
	iceio.WriteFileIO
	iceio.ReadFileIO
	Lister
}

// Config is how the storages are reached; without it S3 uses what the AWS tools use.
type Config struct {
	S3   S3   `yaml:"s3,omitempty" jsonschema:"description=how S3 is reached; left out: as the AWS command line does (environment and profile and instance role)"`
	HDFS HDFS `yaml:"hdfs,omitempty" jsonschema:"description=how HDFS is reached; left out: the name node of the URI"`
}

// S3 is the `s3` block.
type S3 struct {
	Endpoint  string        `yaml:"endpoint,omitempty" jsonschema:"description=another server than AWS: http://127.0.0.1:9000 (path-style addresses)"`
	Region    string        `yaml:"region,omitempty" jsonschema:"description=region of the bucket"`
	AccessKey config.Secret `yaml:"access_key,omitempty" jsonschema:"description=by reference: ${env:NAME} or ${file:PATH}"`
	SecretKey config.Secret `yaml:"secret_key,omitempty" jsonschema:"description=by reference: ${env:NAME} or ${file:PATH}"`
	SSE       string        `yaml:"sse,omitempty" jsonschema:"enum=AES256,enum=aws:kms,description=how S3 encrypts what is written: AES256 (SSE-S3) or aws:kms (SSE-KMS); left out: as the bucket says"`
	KMSKey    string        `yaml:"kms_key,omitempty" jsonschema:"description=with sse aws:kms: the key's ARN or alias; left out: the account's own key for S3"`
}

// HDFS is the `hdfs` block.
type HDFS struct {
	NameNodes []string `yaml:"name_nodes,omitempty" jsonschema:"description=host:port of each name node; needed where the URI names a name service"`
	User      string   `yaml:"user,omitempty" jsonschema:"description=user that owns the files (default: HADOOP_USER_NAME or the user of the process)"`
	Kerberos  Kerberos `yaml:"kerberos,omitempty" jsonschema:"description=a cluster that asks for tickets"`
}

// Validate names what is wrong.
func (c Config) Validate() []config.Invalid {
	var bad []config.Invalid
	if e := c.S3.Endpoint; e != "" {
		if u, err := url.Parse(e); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			bad = append(bad, config.Invalid{Path: "s3.endpoint", Message: fmt.Sprintf("expected a URL such as https://s3.example.org, got %q", e)})
		}
	}
	if (c.S3.AccessKey == "") != (c.S3.SecretKey == "") {
		bad = append(bad, config.Invalid{Path: "s3", Message: "expected access_key and secret_key together, or neither"})
	}
	if c.S3.SSE != "" && c.S3.SSE != "AES256" && c.S3.SSE != "aws:kms" {
		bad = append(bad, config.Invalid{Path: "s3.sse", Message: fmt.Sprintf("expected AES256 or aws:kms, got %q", c.S3.SSE)})
	}
	if c.S3.KMSKey != "" && c.S3.SSE != "aws:kms" {
		bad = append(bad, config.Invalid{Path: "s3.kms_key", Message: "expected `sse: aws:kms` beside it"})
	}
	bad = append(bad, c.HDFS.Kerberos.validate()...)
	for i, n := range c.HDFS.NameNodes {
		if u, err := url.Parse("hdfs://" + n); err != nil || u.Hostname() == "" || u.Port() == "" {
			bad = append(bad, config.Invalid{Path: fmt.Sprintf("hdfs.name_nodes[%d]", i), Message: fmt.Sprintf("expected host:port, such as namenode:8020, got %q", n)})
		}
	}
	return bad
}

const (
	nameNodesKey = "hdfs.name-nodes"
	userKey      = "hdfs.user"
	sseKey       = "s3.sse" // ours: Iceberg's Java side has s3.sse.type with other words
	kmsKey       = "s3.kms-key"
)

// Properties are what the storages need to know, as properties of an Iceberg catalog. They hold secrets.
func (c Config) Properties() map[string]string {
	p := map[string]string{}
	set := func(key, value string) {
		if value != "" {
			p[key] = value
		}
	}
	set(iceio.S3EndpointURL, c.S3.Endpoint)
	set(iceio.S3Region, c.S3.Region)
	set(iceio.S3AccessKeyID, c.S3.AccessKey.Reveal())
	set(iceio.S3SecretAccessKey, c.S3.SecretKey.Reveal())
	set(sseKey, c.S3.SSE)
	set(kmsKey, c.S3.KMSKey)
	c.HDFS.Kerberos.properties(set)
	set(nameNodesKey, strings.Join(c.HDFS.NameNodes, ","))
	set(userKey, c.HDFS.User)
	return p
}

// Schemes are the ones that a warehouse may have; none is a local path.
var Schemes = []string{"file", "s3", "s3a", "s3n", "hdfs"}

// Check says what is wrong with a warehouse's place, without asking any server.
func Check(uri string) error {
	if Local(uri) {
		return nil
	}
	u, err := url.Parse(uri)
	switch {
	case err != nil || !slices.Contains(Schemes, u.Scheme):
		return fmt.Errorf("expected a directory, s3://bucket/path or hdfs://namenode:8020/path, got %q", uri)
	case u.Host == "" && u.Scheme == "hdfs":
		return fmt.Errorf("expected the name node after hdfs://, such as hdfs://namenode:8020/warehouse, got %q", uri)
	case u.Host == "":
		return fmt.Errorf("expected the bucket after %s://, such as s3://bucket/warehouse, got %q", u.Scheme, uri)
	}
	return nil
}

// Open opens the storage that holds a file or directory.
func Open(ctx context.Context, uri string, props map[string]string) (FS, error) {
	Register()
	fs, err := iceio.LoadFS(ctx, props, uri)
	if err != nil {
		return nil, fmt.Errorf("storage of %s: %w", uri, err)
	}
	return fs.(FS), nil
}

// Register puts the storages where iceberg-go looks for them, once for the process.
var Register = sync.OnceFunc(func() {
	put := func(scheme string, f iceio.SchemeFactory) {
		iceio.Unregister(scheme)
		iceio.Register(scheme, remembered(f))
	}
	disk := func(context.Context, *url.URL, map[string]string) (iceio.IO, error) { return durable{}, nil }
	put("file", disk)
	put("", disk)
	put("hdfs", openHDFS)
	for _, scheme := range s3Schemes {
		put(scheme, openS3)
	}
})

// remembered opens each storage once: iceberg-go asks for it anew with every table that it loads, and a connection or a
// chain of credentials is dear.
func remembered(f iceio.SchemeFactory) iceio.SchemeFactory {
	var mu sync.Mutex
	open := map[string]iceio.IO{}
	return func(ctx context.Context, u *url.URL, props map[string]string) (iceio.IO, error) {
		mu.Lock()
		defer mu.Unlock()
		key := u.Scheme + "://" + u.Host
		for _, k := range slices.Sorted(maps.Keys(props)) {
			if strings.HasPrefix(k, "s3.") || strings.HasPrefix(k, "hdfs.") || k == "client.region" {
				key += "\x00" + k + "\x00" + props[k]
			}
		}
		if fs, ok := open[key]; ok {
			return fs, nil
		}
		fs, err := f(context.WithoutCancel(ctx), u, props) // it outlives the call that opened it
		if err == nil {
			open[key] = fs
		}
		return fs, err
	}
}

// Local reports whether a name is of a file on this machine.
func Local(name string) bool {
	scheme, _, ok := strings.Cut(name, ":")
	return !ok || scheme == "file" || strings.ContainsAny(scheme, "/.") || scheme == ""
}

// Path strips the scheme of a local file, and leaves other names as they are: Go writes file:///a/b, Spark file:/a/b, and
// both mean /a/b. Escapes are undone, but for those in the folder of a partition, such as country=%C3%96: there the name itself has
// them, for Spark as for iceberg-go.
func Path(name string) string {
	rest, ok := strings.CutPrefix(name, "file:")
	if !ok {
		return name
	}
	if host, ok := strings.CutPrefix(rest, "//"); ok {
		rest = host[max(0, strings.IndexByte(host, '/')):]
	}
	return "/" + strings.TrimLeft(segments(rest, func(s string) string {
		if plain, err := url.PathUnescape(s); err == nil {
			return plain
		}
		return s
	}), "/")
}

// segments changes each part of a path that is no partition's.
func segments(path string, change func(string) string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if !strings.Contains(p, "=") {
			parts[i] = change(p)
		}
	}
	return strings.Join(parts, "/")
}

// URI is the full name of a local path; other names stay as they are.
func URI(name string) string {
	if !Local(name) || strings.HasPrefix(name, "file:") {
		return name
	}
	return "file://" + segments(name, func(s string) string { return (&url.URL{Path: s}).EscapedPath() })
}

// Join adds elements to a directory's name.
func Join(dir string, elem ...string) string {
	return strings.TrimRight(dir, "/") + "/" + strings.Join(elem, "/")
}
