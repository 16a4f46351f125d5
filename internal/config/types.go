package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"
)

// A Duration is written 90s or 1h30m.
type Duration time.Duration

// Expected says how it is written.
func (Duration) Expected() string { return "a duration such as 90s or 1h30m" }

func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText writes what UnmarshalText reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads 90s, 1h30m or 7d.
func (d *Duration) UnmarshalText(b []byte) error {
	s := string(b)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n < 100_000 {
			*d = Duration(time.Duration(n) * 24 * time.Hour)
			return nil
		}
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return fmt.Errorf("%q is no duration; write 90s or 1h30m", s)
	}
	*d = Duration(v)
	return nil
}

// A Size is a number of bytes, written 512, 4KiB (1,024s) or 1MB (1,000s).
type Size int64

// Expected says how it is written.
func (Size) Expected() string { return "a size such as 512, 4KiB or 1GiB" }

var sizes = units{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}}

func (s Size) String() string { return sizes[:4].write(int64(s)) }

// MarshalText writes what UnmarshalText reads.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads 512, 4KiB or 1.5GB.
func (s *Size) UnmarshalText(b []byte) error {
	v, ok := sizes.read(string(b))
	if !ok {
		return fmt.Errorf("%q is no size; write 512, 4KiB or 1GiB", b)
	}
	*s = Size(v)
	return nil
}

// A Count is a number of things, written 200k or 1M.
type Count int64

// Expected says how it is written.
func (Count) Expected() string { return "a number such as 500, 200k or 1M" }

var counts = units{{"k", 1e3}, {"M", 1e6}, {"G", 1e9}}

func (c Count) String() string { return counts.write(int64(c)) }

// MarshalText writes what UnmarshalText reads.
func (c Count) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads 500, 200k or 1.5M.
func (c *Count) UnmarshalText(b []byte) error {
	v, ok := counts.read(string(b))
	if !ok {
		return fmt.Errorf("%q is no number; write 500, 200k or 1M", b)
	}
	*c = Count(v)
	return nil
}

// A Percent is a share, written 1% and kept as 0.01.
type Percent float64

// Expected says how it is written.
func (Percent) Expected() string { return "a percentage such as 1% or 0.5%" }

func (p Percent) String() string { return strconv.FormatFloat(float64(p)*100, 'g', 10, 64) + "%" }

// MarshalText writes what UnmarshalText reads.
func (p Percent) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads 1% or 0.5 %.
func (p *Percent) UnmarshalText(b []byte) error {
	s, ok := strings.CutSuffix(strings.TrimSpace(string(b)), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if !ok || err != nil || !(v >= 0 && v <= 100) {
		return fmt.Errorf("%q is no percentage; write 1%% or 0.5%%", b)
	}
	*p = Percent(v / 100)
	return nil
}

// A Rate is written 20k/s (messages), 12MiB/s (bytes) or max.
type Rate struct {
	PerSecond float64
	Bytes     bool // PerSecond counts bytes, not messages
	Max       bool // as fast as acknowledgements allow
}

// Expected says how it is written.
func (Rate) Expected() string { return "a rate such as 20k/s, 12MiB/s or max" }

func (r Rate) String() string {
	switch {
	case r.Max:
		return "max"
	case r.Bytes:
		return sizes[:4].write(int64(r.PerSecond)) + "/s"
	case r.PerSecond != math.Trunc(r.PerSecond):
		return strconv.FormatFloat(r.PerSecond, 'g', -1, 64) + "/s"
	}
	return counts.write(int64(r.PerSecond)) + "/s"
}

// MarshalText writes what UnmarshalText reads.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads 20k/s, 12MiB/s, 600/m, 3600/h or max.
func (r *Rate) UnmarshalText(b []byte) error {
	s := string(b)
	if s == "max" {
		*r = Rate{Max: true}
		return nil
	}
	amount, per, ok := strings.Cut(s, "/")
	seconds, known := map[string]float64{"s": 1, "m": 60, "h": 3600}[per]
	v, isCount := counts.number(amount)
	bytes := false
	if !isCount {
		v, bytes = sizes.number(amount)
	}
	if !ok || !known || !isCount && !bytes {
		return fmt.Errorf("%q is no rate; write 20k/s, 12MiB/s or max", s)
	}
	*r = Rate{PerSecond: v / seconds, Bytes: bytes}
	return nil
}

// units are suffixes with what they stand for, the smallest first.
type units []struct {
	suffix string
	factor float64
}

func (u units) number(s string) (float64, bool) {
	s, factor := strings.TrimSpace(s), 1.0
	for _, x := range u {
		if rest, ok := strings.CutSuffix(s, x.suffix); ok {
			s, factor = strings.TrimSpace(rest), x.factor
			break
		}
	}
	v, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64)
	return v * factor, err == nil && v >= 0 && v*factor < 1<<62
}

func (u units) read(s string) (int64, bool) {
	v, ok := u.number(s)
	return int64(v), ok && v == math.Trunc(v)
}

func (u units) write(v int64) string {
	for i := len(u) - 1; i >= 0; i-- {
		if f := int64(u[i].factor); v != 0 && v%f == 0 {
			return strconv.FormatInt(v/f, 10) + u[i].suffix
		}
	}
	return strconv.FormatInt(v, 10)
}

// A Secret never prints itself: only Reveal gives it.
type Secret string

const hidden = "<secret>"

// Expected says how it is written.
func (Secret) Expected() string { return "a reference such as ${env:NAME} or ${file:/path}" }

// String, GoString, Format, the marshallers and LogValue hide the secret.
func (Secret) String() string               { return hidden }
func (Secret) GoString() string             { return hidden }
func (Secret) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(hidden)) }
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }
func (Secret) MarshalJSON() ([]byte, error) { return json.Marshal(hidden) }
func (Secret) LogValue() slog.Value         { return slog.StringValue(hidden) }

// Reveal gives the secret to the one place that needs it.
func (s Secret) Reveal() string { return string(s) }
