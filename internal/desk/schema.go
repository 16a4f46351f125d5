package desk

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"weir/internal/config"
	"weir/internal/load"
)

// schema is as much of JSON Schema as profiles need: the one source of what a key means, for editors and for the screens.
type schema struct {
	Ref         string             `json:"$ref"`
	Defs        map[string]*schema `json:"$defs"`
	Title       string             `json:"title"`
	Description string             `json:"description"`
	Type        string             `json:"type"`
	Enum        []any              `json:"enum"`
	Properties  map[string]*schema `json:"properties"`
	Order       []string           `json:"-"`
	Required    []string           `json:"required"`
	Items       *schema            `json:"items"`
	More        json.RawMessage    `json:"additionalProperties"`
	OneOf       []*schema          `json:"oneOf"`
	AnyOf       []*schema          `json:"anyOf"`
	Not         json.RawMessage    `json:"not"`
	defs        map[string]*schema
}

var profileSchema = sync.OnceValue(func() *schema {
	s := new(schema)
	b, err := config.Schema(&load.Profile{}, "")
	if err == nil {
		err = json.Unmarshal(b, s)
	}
	if err != nil {
		panic(err) // the same for every user: a test shows it
	}
	s.link(s.Defs)
	return s
})

// UnmarshalJSON keeps the order of the keys: it is the one in which people think of them.
func (s *schema) UnmarshalJSON(b []byte) error {
	if string(b) == "true" || string(b) == "false" {
		return nil
	}
	type bare schema
	if err := json.Unmarshal(b, (*bare)(s)); err != nil {
		return err
	}
	if s.AnyOf != nil && s.Properties == nil { // what it is, or nothing, or a variable: the first counts here
		description := s.Description
		*s = *s.AnyOf[0]
		if description != "" {
			s.Description = description
		}
		return nil
	}
	var raw struct {
		Properties json.RawMessage `json:"properties"`
	}
	if err := json.Unmarshal(b, &raw); err != nil || raw.Properties == nil {
		return err
	}
	d := json.NewDecoder(strings.NewReader(string(raw.Properties)))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		s.Order = append(s.Order, name)
		var skip json.RawMessage
		if err := d.Decode(&skip); err != nil {
			return err
		}
	}
	return nil
}

func (s *schema) link(defs map[string]*schema) {
	if s == nil || s.defs != nil {
		return
	}
	s.defs = defs
	for _, d := range s.Defs {
		d.link(defs)
	}
	for _, p := range s.Properties {
		p.link(defs)
	}
	s.Items.link(defs)
	for _, o := range s.OneOf {
		o.link(defs)
	}
}

// target follows references; the description is that of the place that refers.
func (s *schema) target() *schema {
	for s != nil && s.Ref != "" {
		s = s.defs[s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]]
	}
	return s
}

// section is the form of s with keys; nil if it has none.
func (s *schema) section() *schema {
	t := s.target()
	if t == nil || t.Type == "object" || len(t.Properties) > 0 {
		return t
	}
	for _, o := range t.OneOf {
		if o = o.target(); o != nil && len(o.Properties) > 0 {
			return o
		}
	}
	return nil
}

// child is what a key or an element ([0]) of s is; nil if the format has no such key.
func (s *schema) child(key string) *schema {
	t := s.target()
	if t == nil {
		return nil
	}
	if strings.HasPrefix(key, "[") {
		return t.Items
	}
	if sec := s.section(); sec != nil {
		if p := sec.Properties[key]; p != nil {
			return p
		}
		if len(sec.More) > 0 && sec.More[0] == '{' { // keys that the user names
			m := new(schema)
			if json.Unmarshal(sec.More, m) != nil {
				return nil
			}
			m.link(s.defs)
			return m
		}
	}
	return nil
}

// later: the format knows it, this version does not do it.
func (s *schema) refused() bool {
	t := s.target()
	return t != nil && len(t.Not) > 0
}

func (s *schema) help() string {
	if s == nil {
		return ""
	}
	if s.Description != "" {
		return s.Description
	}
	if t := s.target(); t != nil {
		return t.Description
	}
	return ""
}

// expected is how a value is written.
func (s *schema) expected() string {
	t := s.target()
	switch {
	case t == nil:
		return ""
	case t.Title != "":
		return t.Title
	case t.Type == "boolean":
		return "true or false"
	case t.Type == "integer":
		return "a whole number"
	case t.Type == "number":
		return "a number"
	}
	return ""
}

// options are all values that there are; empty: any.
func (s *schema) options() []string {
	t := s.target()
	if t == nil {
		return nil
	}
	var all []string
	for _, e := range t.Enum {
		if w, ok := e.(string); ok {
			all = append(all, w)
		}
	}
	if t.Type == "boolean" {
		return []string{"true", "false"}
	}
	return all
}

func (s *schema) kind() string {
	t := s.target()
	switch {
	case t == nil:
		return "value"
	case t.Type == "array":
		return "list"
	case s.section() != nil && t.Type != "string":
		return "section"
	}
	return "value"
}

func (s *schema) requires(key string) bool {
	sec := s.section()
	return sec != nil && slices.Contains(sec.Required, key)
}

// starts are what a key begins with when it is added, by its path with [] for elements. All others begin with what their kind says.
var starts = map[string]string{
	"rate.stages":   "\n  - {name: steady, duration: 1m, target: 1k/s}",
	"rate.stages[]": "{name: steady, duration: 1m, target: 1k/s}",
	"rate.closed":   "{in_flight: 100}", "rate.shape": "step", "rate.start": "0/s", "rate.by": "10%", "rate.speed": "1x", "rate.timezone": "Europe/Berlin",
	"volume": "{duration: 1m}", "volume.until": "{rows: 1M}", "seed": "1", "warmup": "10s", "max_in_flight": "100k",
	"topic": "{name: bank.transactions}", "value": "{builtin: bank-transaction}", "key": "{field: account_id, cardinality: 100k}",
	"size": "{distribution: constant, bytes: 1KiB}", "producer": "{acks: all, linger: 5ms}", "producer.transaction": "{messages: 500}",
	"producer.acks": "all", "producer.linger": "5ms", "producer.batch": "256KiB", "producer.delivery_timeout": "2m",
	"event_time": "{field: created_at}", "faults": "{duplicate: 0.1%}", "faults.poison": "{share: 0.01%}", "key.hot": "{share: 20%}",
	"verify": "{destination: {drain_timeout: 1m}}", "verify.destination": "{drain_timeout: 1m}", "verify.destination.drain_timeout": "1m",
	"thresholds": "\n  - {metric: response_ms, stat: p99, max: 250}", "thresholds[]": "{metric: response_ms, stat: p99, max: 250}",
	"hooks": "\n  - {at: 30s, run: \"true\"}", "hooks[]": "{at: 30s, run: \"true\"}",
	"mix": "\n  - {name: one, weight: 1, topic: {name: one}}", "mix[]": "{name: one, weight: 1, topic: {name: one}}",
	"size.median": "1KiB", "size.p99": "16KiB", "size.max": "64KiB", "size.min": "64", "size.buckets": "[{bytes: 1KiB, weight: 1}]",
}

// start of a key or element at a path.
func (s *schema) start(path string) string {
	if v, ok := starts[general(path)]; ok {
		return v
	}
	switch s.kind() {
	case "list":
		return "[]"
	case "section":
		return "{}"
	}
	if o := s.options(); len(o) > 0 {
		return o[0]
	}
	expected := s.expected()
	for word, v := range map[string]string{"duration": "1m", "size": "1KiB", "percentage": "1%", "rate": "1k/s", "whole number": "1", "a number": "1"} {
		if strings.Contains(expected, word) {
			return v
		}
	}
	return ""
}

// general is a path of any element: rate.stages[].target.
func general(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		b.WriteByte(path[i])
		if path[i] == '[' {
			for i+1 < len(path) && path[i+1] != ']' {
				i++
			}
		}
	}
	return b.String()
}
