package ingest

import (
	"fmt"
	"strconv"

	"weir/internal/avro"
)

// Types say how Avro types land for which a table has no type of its own.
type Types struct {
	Unions    string    `yaml:"unions,omitempty" jsonschema:"enum=struct,enum=json,description=how a union of several types lands: as a struct with one optional child for each type (struct, the default) or as JSON text (json)"`
	Recursion Recursion `yaml:"recursion,omitempty" jsonschema:"description=how a record inside a record of its own type lands: json (as JSON text of any depth, the default) or how many levels are columns of their own, from 1 to 8; a message that goes deeper is refused"`
	Nanos     string    `yaml:"nanos,omitempty" jsonschema:"enum=timestamp,enum=long,description=how a timestamp in nanoseconds lands: rounded down to the microsecond (timestamp, the default) or as a number (long)"`
}

// maxRecursion: a type that lies in itself twice has 2^N structs at depth N.
const maxRecursion = 8

// Recursion is the word json (0) or a number of levels.
type Recursion int

// Expected says how it is written.
func (Recursion) Expected() string { return "json or a number of levels from 1 to 8" }

// MarshalText writes what UnmarshalText reads.
func (r Recursion) MarshalText() ([]byte, error) {
	if r == 0 {
		return []byte("json"), nil
	}
	return strconv.AppendInt(nil, int64(r), 10), nil
}

// UnmarshalText reads json or 3.
func (r *Recursion) UnmarshalText(b []byte) error {
	if string(b) == "json" {
		*r = 0
		return nil
	}
	n, err := strconv.Atoi(string(b))
	if err != nil || n < 1 || n > maxRecursion {
		return fmt.Errorf("%q is neither json nor a number of levels from 1 to %d", b, maxRecursion)
	}
	*r = Recursion(n)
	return nil
}

func (t Types) validate(say func(path, format string, args ...any)) {
	if t.Unions != "" && t.Unions != "struct" && t.Unions != "json" {
		say("unions", "expected struct or json (how a union of several types lands), got %q", t.Unions)
	}
	if t.Recursion < 0 || t.Recursion > maxRecursion {
		say("recursion", "expected json or a number of levels from 1 to %d, got %d", maxRecursion, int(t.Recursion))
	}
	if t.Nanos != "" && t.Nanos != "timestamp" && t.Nanos != "long" {
		say("nanos", "expected timestamp or long (how a timestamp in nanoseconds lands), got %q", t.Nanos)
	}
}

func (t Types) layout() avro.Layout {
	return avro.Layout{JSONUnions: t.Unions == "json", Recursion: int(t.Recursion), LongNanos: t.Nanos == "long"}
}
