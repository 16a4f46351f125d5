package search

import (
	"errors"
	"strings"
	"testing"
)

func TestSLOs(t *testing.T) {
	s, err := ParseSLO("p99<100ms, freshness < 30s,errors<=0.1%, lost=0, service_max<=1.5s")
	if err != nil {
		t.Fatal(err)
	}
	good := func() map[string]float64 {
		return map[string]float64{"p99": 99.9, "freshness": 29_999, "errors": 0.001, "lost": 0, "service_max": 1500}
	}
	if got := s.Broken(good()); got != "" {
		t.Error(got)
	}
	for metric, x := range map[string]struct {
		value float64
		want  string
	}{
		"p99":         {100, "p99 100ms, not <100ms"},
		"freshness":   {30_000, "freshness 30.0s, not <30.0s"},
		"errors":      {0.002, "errors 0.2%, not <=0.1%"},
		"lost":        {3, "lost 3, not =0"},
		"service_max": {1500.5, "service_max 1500.5ms, not <=1500ms"},
	} {
		v := good()
		v[metric] = x.value
		if got := s.Broken(v); got != x.want {
			t.Errorf("got %q, want %q", got, x.want)
		}
	}
	v := good()
	delete(v, "lost")
	v["p99"] = 1e6
	if got := s.Broken(v); got != "p99 1000.0s, not <100ms; lost was not measured" {
		t.Error(got)
	}
	if !s.NeedsProof() {
		t.Error("freshness needs a proof")
	}
	s, err = ParseSLO("p50<=2ms")
	if err != nil || s.NeedsProof() {
		t.Error(err, "the run alone tells p50")
	}
	if got := s.Broken(map[string]float64{"p50": 1, "errors": 0.5}); got != "errors 50%, not =0%" {
		t.Errorf("messages that were not acknowledged: %q", got)
	}
	b, _ := s.MarshalText()
	var again SLO
	if err := again.UnmarshalText(b); err != nil || again.String() != "p50<=2ms" || again.Limits[0] != s.Limits[0] {
		t.Error(err, again)
	}
}

func TestWrongSLOs(t *testing.T) {
	for text, want := range map[string]string{
		"":                     "column 1: expected one of p50, p90, p99, p99.9, max, ",
		"p99<100ms,":           "column 11: expected one of p50",
		"p98<100ms":            `freshness_max, got "p98"`,
		"P99<100ms":            `got "P99"`,
		"p99":                  "column 4: expected < or <=, got nothing",
		"p99>100ms":            `column 4: expected < or <=, got ">"`,
		"p99=100ms":            `column 4: expected < or <=, got "="`,
		"p99<100":              `column 5: expected a time above 0 with its unit, such as 100ms or 30s, got "100"`,
		"p99 < fast":           `column 7: expected a time above 0 with its unit, such as 100ms or 30s, got "fast"`,
		"p99<-1ms":             "column 5: expected a time above 0",
		"p99<":                 "column 5: expected a time above 0 with its unit, such as 100ms or 30s, got nothing",
		"p99<100ms freshness<": "column 5: expected a time above 0",
		"p99<1s, p99<2s":       `column 9: expected each metric once, got "p99"`,
		"lost!0":               `column 5: expected <, <= or =, got "!"`,
		"lost=none":            `column 6: expected a whole number of messages, got "none"`,
		"lost<0":               `column 6: expected more than 0, as nothing is below it (or =0), got "0"`,
		"p50<1s, errors<0.1":   `column 16: expected 0 or a share of the messages such as 0.1%, got "0.1"`,
		"errors<=101%":         "column 9: expected 0 or a share",
		"latenz_ü<1s":          "column 1: expected one of",
		"p50<1s, ü<1s":         "column 9: expected one of",
	} {
		_, err := ParseSLO(text)
		var at *SLOError
		if !errors.As(err, &at) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func FuzzSLO(f *testing.F) {
	f.Add("p99<100ms, freshness<30s, lost=0, errors<=0.1%")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSLO(text)
		if err != nil {
			return
		}
		again, err := ParseSLO(s.String())
		if err != nil || len(again.Limits) != len(s.Limits) {
			t.Fatalf("%q is written %q, which is %v", text, s, err)
		}
	})
}
