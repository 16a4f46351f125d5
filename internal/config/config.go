// Package config decodes weir's YAML files strictly: every complaint names file, line and column.
package config

import (
	"os"
	"time"

	"github.com/goccy/go-yaml"
)

// A Duration is written 90s or 1h30m.
type Duration time.Duration

// A Size is a number of bytes, written 512, 4KiB or 1MB.
type Size int64

// A Count is a number of things, written 200k or 1M.
type Count int64

// A Percent is a share, written 1% and kept as 0.01.
type Percent float64

// A Rate is written 20k/s (messages), 12MiB/s (bytes) or max.
type Rate struct {
	PerSecond float64
	Bytes     bool // PerSecond counts bytes, not messages
	Max       bool // as fast as acknowledgements allow
}

// A Secret never prints itself; only Reveal gives it.
type Secret string

func (Secret) String() string { return "<secret>" }

// Reveal gives the secret to the one place that needs it.
func (s Secret) Reveal() string { return string(s) }

// Invalid is a complaint about one field, named by its path ("rate.stages[0].target").
type Invalid struct {
	Path    string
	Message string
}

// An Option changes how a file is decoded.
type Option func(*options)

type options struct{}

// Load reads and decodes a file.
func Load(path string, v any, opt ...Option) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return Decode(path, b, v, opt...)
}

// Decode decodes data; name stands in the complaints.
func Decode(name string, data []byte, v any, opt ...Option) error {
	return yaml.UnmarshalWithOptions(data, v, yaml.Strict())
}
