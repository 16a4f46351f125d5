package content

import (
	"weir/internal/config"
)

// A Spec says what the messages of one topic hold. Zero fields mean the documented default. A run's manifest keeps it as JSON.
type Spec struct {
	Seed   uint64           `json:"seed"`
	Schema string           `json:"schema,omitempty"` // Avro JSON; empty: the built-in bank transaction
	Pad    string           `json:"pad,omitempty"`    // path of the field that grows to the size; default: chosen from the schema
	Key    string           `json:"key,omitempty"`    // path of the field that is the message's key; default for the built-in: account_id
	Keys   uint64           `json:"keys,omitempty"`   // number of different keys; default for the built-in 100,000, else unbounded
	Choice Choice           `json:"choice,omitzero"`  // which of the keys
	From   *Spec            `json:"from,omitempty"`   // the keys are those of that stream
	Size   Size             `json:"size"`             // of the whole value
	Fields map[string]Field `json:"fields,omitempty"` // by path: items of a list are path[], values of a map path{}
	Pools  map[string]Pool  `json:"pools,omitempty"`
	Event  EventTime        `json:"event_time,omitzero"`
	Faults Faults           `json:"faults,omitzero"`
	Depth  int              `json:"depth,omitempty"` // how often a recursive type contains itself; default 2
	Evolve *Evolution       `json:"evolve,omitempty"`
}

// An Evolution is a schema that takes the place of the first one in the middle of a run.
type Evolution struct {
	From   uint64           `json:"from"` // number of the first message that is written with it
	Schema string           `json:"schema"`
	Fields map[string]Field `json:"fields,omitempty"` // beside those of the first schema
}

// Choice says how one of several keys or entities is chosen.
type Choice struct {
	Distribution string   `yaml:"distribution,omitempty" json:"distribution,omitempty" jsonschema:"enum=uniform,enum=zipf,enum=sequential,enum=none,description=Default uniform; none: messages without a key"`
	Exponent     float64  `yaml:"exponent,omitempty" json:"exponent,omitempty" jsonschema:"description=Of zipf, above 0. Default 1"`
	Hot          HotShare `yaml:"hot,omitempty" json:"hot,omitzero" jsonschema:"description=A share of the messages goes to a few"`
}

// HotShare lets a share of the messages go to the first few keys, whatever the distribution says.
type HotShare struct {
	Share config.Percent `yaml:"share,omitempty" json:"share,omitempty"`
	Keys  config.Count   `yaml:"keys,omitempty" json:"keys,omitempty" jsonschema:"description=Default 1"`
}

// A Pool is a set of entities that several fields and topics share, so that joins find something.
type Pool struct {
	Entities config.Count `yaml:"entities" json:"entities" jsonschema:"required,description=How many there are, as 10k"`
	Choice   `yaml:",inline"`
}

// EventTime makes a field tell when the event happened: when the message was due, or earlier.
type EventTime struct {
	Field      string `yaml:"field,omitempty" json:"field,omitempty" jsonschema:"description=Path of a timestamp field"`
	Late       Delay  `yaml:"late,omitempty" json:"late,omitzero" jsonschema:"description=Events that come long after they happened"`
	OutOfOrder Delay  `yaml:"out_of_order,omitempty" json:"out_of_order,omitzero" jsonschema:"description=Events that come a little after later ones"`
}

// A Delay puts the time of a share of the messages back.
type Delay struct {
	Share config.Percent `yaml:"share,omitempty" json:"share,omitempty"`
	By    Lateness       `yaml:"by,omitempty" json:"by,omitzero"`
}

// Lateness is one of: exponential, uniform, constant.
type Lateness struct {
	Exponential *Spread         `yaml:"exponential,omitempty" json:"exponential,omitempty"`
	Uniform     *Range          `yaml:"uniform,omitempty" json:"uniform,omitempty"`
	Constant    config.Duration `yaml:"constant,omitempty" json:"constant,omitempty"`
}

// Spread is a mean and a bound of a time.
type Spread struct {
	Mean config.Duration `yaml:"mean" json:"mean" jsonschema:"required"`
	Max  config.Duration `yaml:"max,omitempty" json:"max,omitempty"`
}

// Range is a time between two.
type Range struct {
	Min config.Duration `yaml:"min,omitempty" json:"min,omitempty"`
	Max config.Duration `yaml:"max" json:"max" jsonschema:"required"`
}

// Faults are what is wrong with messages on purpose. Each is counted, and a proof knows where it must end.
type Faults struct {
	Duplicate  config.Percent `yaml:"duplicate,omitempty" json:"duplicate,omitempty" jsonschema:"description=Share of messages that repeat the bytes of an earlier one, as 0.1%"`
	OutOfOrder config.Percent `yaml:"out_of_order,omitempty" json:"out_of_order,omitempty" jsonschema:"description=Share of messages that are held back until a later one with their key has gone, as 0.5%"`
	Poison     Poison         `yaml:"poison,omitempty" json:"poison,omitzero"`
}

// Poison are messages that no consumer can take as they are.
type Poison struct {
	Share config.Percent `yaml:"share,omitempty" json:"share,omitempty"`
	Kinds []Fault        `yaml:"kinds,omitempty" json:"kinds,omitempty" jsonschema:"description=Default all but oversize: bad_magic unknown_schema_id truncated corrupt null_value incompatible"`
	// Oversize is how large oversize messages are.
	Oversize config.Size `yaml:"oversize,omitempty" json:"oversize,omitempty" jsonschema:"description=Size of oversize messages: valid rows near the broker's limit. Default 900KiB"`
}
