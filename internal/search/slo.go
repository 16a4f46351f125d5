package search

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An SLO is a list of limits that must all be kept. Its text is what ParseSLO read.
type SLO struct {
	Limits []Limit
	text   string
}

// A Limit of one metric.
type Limit struct {
	Metric string
	Max    float64 // ms, a share, or a number of messages
	Open   bool    // the metric must be below Max; else at most Max
	kind   kind
}

type kind int

const (
	span  kind = iota // a time, in ms
	share             // of the messages
	count             // of messages
)

// metrics in the order in which they are told.
var metrics = []struct {
	name  string
	kind  kind
	proof bool
}{
	{"p50", span, false}, {"p90", span, false}, {"p99", span, false}, {"p99.9", span, false}, {"max", span, false},
	{"service_p50", span, false}, {"service_p90", span, false}, {"service_p99", span, false}, {"service_p99.9", span, false}, {"service_max", span, false},
	{"errors", share, false}, {"lag", span, true}, {"lost", count, true}, {"duplicated", count, true},
	{"freshness", span, true}, {"freshness_p50", span, true}, {"freshness_max", span, true},
}

func metricNames() string {
	var all []string
	for _, m := range metrics {
		all = append(all, m.name)
	}
	return strings.Join(all, ", ")
}

// An SLOError says where in the text something else was expected.
type SLOError struct {
	Column        int // from 1, in characters
	Expected, Got string
}

func (e *SLOError) Error() string {
	return fmt.Sprintf("column %d: expected %s, got %s", e.Column, e.Expected, e.Got)
}

// ParseSLO reads limits with commas between them: p99<100ms, freshness<30s, errors<0.1%, lost=0.
func ParseSLO(text string) (SLO, error) {
	s := SLO{text: strings.TrimSpace(text)}
	p := sloText{text: text}
	for {
		l, err := p.limit(s.Limits)
		if err != nil {
			return SLO{}, err
		}
		s.Limits = append(s.Limits, l)
		p.space()
		if p.at == len(text) {
			return s, nil
		}
		if text[p.at] != ',' {
			return SLO{}, p.wrong(p.at, "a comma or the end", text[p.at:])
		}
		p.at++
	}
}

// sloText is a text and how far it has been read.
type sloText struct {
	text string
	at   int
}

func (p *sloText) space() {
	for p.at < len(p.text) && (p.text[p.at] == ' ' || p.text[p.at] == '\t') {
		p.at++
	}
}

// until reads up to one of some characters, without the space before it.
func (p *sloText) until(chars string) string {
	n := strings.IndexAny(p.text[p.at:], chars)
	if n < 0 {
		n = len(p.text) - p.at
	}
	word := p.text[p.at : p.at+n]
	p.at += n
	return strings.TrimRight(word, " \t")
}

func (p *sloText) wrong(at int, expected, got string) error {
	if got = strings.TrimSpace(got); got == "" {
		got = "nothing"
	} else {
		got = strconv.Quote(got)
	}
	return &SLOError{len([]rune(p.text[:at])) + 1, expected, got}
}

func (p *sloText) limit(before []Limit) (Limit, error) {
	p.space()
	start := p.at
	name := p.until("<>=!,")
	i := slices.IndexFunc(metrics, func(m struct {
		name  string
		kind  kind
		proof bool
	}) bool {
		return m.name == name
	})
	if i < 0 {
		return Limit{}, p.wrong(start, "one of "+metricNames(), name)
	}
	if slices.ContainsFunc(before, func(l Limit) bool { return l.Metric == name }) {
		return Limit{}, p.wrong(start, "each metric once", name)
	}
	l := Limit{Metric: name, kind: metrics[i].kind}
	at := p.at
	op := ""
	for p.at < len(p.text) && strings.IndexByte("<>=!", p.text[p.at]) >= 0 {
		op += string(p.text[p.at])
		p.at++
	}
	switch {
	case op == "<":
		l.Open = true
	case op == "<=", op == "=" && l.kind != span:
	case l.kind == span:
		return l, p.wrong(at, "< or <=", op)
	default:
		return l, p.wrong(at, "<, <= or =", op)
	}
	p.space()
	at = p.at
	return l, p.value(&l, at, p.until(","))
}

func (p *sloText) value(l *Limit, at int, text string) error {
	switch l.kind {
	case span:
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			return p.wrong(at, "a time above 0 with its unit, such as 100ms or 30s", text)
		}
		l.Max = float64(d) / 1e6
	case share:
		number, percent := strings.CutSuffix(text, "%")
		v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || !(v >= 0) || v > 100 || !percent && v != 0 {
			return p.wrong(at, "0 or a share of the messages such as 0.1%", text)
		}
		l.Max = v / 100
	case count:
		v, err := strconv.ParseUint(text, 10, 53)
		if err != nil {
			return p.wrong(at, "a whole number of messages", text)
		}
		l.Max = float64(v)
	}
	if l.Open && l.Max == 0 {
		return p.wrong(at, "more than 0, as nothing is below it (or =0)", text)
	}
	return nil
}

func (s SLO) String() string { return s.text }

// MarshalText writes what UnmarshalText reads.
func (s SLO) MarshalText() ([]byte, error) { return []byte(s.text), nil }

// UnmarshalText reads what ParseSLO reads.
func (s *SLO) UnmarshalText(b []byte) (err error) {
	*s, err = ParseSLO(string(b))
	return err
}

// NeedsProof reports that the destination table has to be asked.
func (s SLO) NeedsProof() bool {
	for _, m := range metrics {
		if m.proof && s.has(m.name) {
			return true
		}
	}
	return false
}

func (s SLO) has(metric string) bool {
	return slices.ContainsFunc(s.Limits, func(l Limit) bool { return l.Metric == metric })
}

// Broken tells the limits that values do not keep; empty if all are kept. A metric that was not measured is not kept. Messages
// that were not acknowledged are an error even if the SLO says nothing of errors.
func (s SLO) Broken(values map[string]float64) string {
	var broken []string
	limits := s.Limits
	if _, known := values["errors"]; known && !s.has("errors") {
		limits = append(slices.Clone(limits), Limit{Metric: "errors", kind: share})
	}
	for _, l := range limits {
		v, ok := values[l.Metric]
		switch {
		case !ok || math.IsNaN(v):
			broken = append(broken, l.Metric+" was not measured")
		case v > l.Max || l.Open && v == l.Max:
			broken = append(broken, fmt.Sprintf("%s %s, not %s", l.Metric, l.kind.write(v, 7), l))
		}
	}
	return strings.Join(broken, "; ")
}

func (l Limit) String() string {
	sign := "<="
	if l.Open {
		sign = "<"
	} else if l.kind != span && l.Max == 0 {
		sign = "="
	}
	return sign + l.kind.write(l.Max, 7)
}

// Write writes a value of the limit's metric, with its unit.
func (l Limit) Write(v float64) string { return l.kind.write(v, 4) }

func (k kind) write(v float64, digits int) string {
	switch {
	case k == share:
		return strconv.FormatFloat(100*v, 'g', digits, 64) + "%"
	case k == count:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10_000:
		return strconv.FormatFloat(v/1000, 'f', 1, 64) + "s"
	}
	return strconv.FormatFloat(v, 'g', digits, 64) + "ms"
}
