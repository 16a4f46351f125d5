package words

import (
	"reflect"
	"regexp"
	"slices"
	"testing"
	"time"

	"weir/internal/outcome"
)

// texts gives each text of a set with its name.
func texts(s *Set) map[string]string {
	all := map[string]string{}
	var walk func(name string, v reflect.Value)
	walk = func(name string, v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				walk(name+"."+v.Type().Field(i).Name, v.Field(i))
			}
		case reflect.Array:
			for i := range v.Len() {
				walk(name+"."+string(rune('0'+i)), v.Index(i))
			}
		case reflect.Map:
			for _, k := range v.MapKeys() {
				walk(name+"."+k.String(), v.MapIndex(k))
			}
		case reflect.String:
			all[name] = v.String()
		default:
			panic(name + " is no text")
		}
	}
	walk("", reflect.ValueOf(*s))
	return all
}

var place = regexp.MustCompile(`\{[a-z]*\}`)

func places(text string) []string {
	found := place.FindAllString(text, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

// same are the texts that a translation may have in common with English: those without a word.
var same = map[string]bool{".Fold.Now": true}

func TestNoLanguageLacksAWord(t *testing.T) {
	en := texts(&english)
	for _, s := range sets {
		own := texts(s)
		for _, state := range outcome.States() {
			if _, ok := s.States[state]; !ok {
				t.Errorf("%s has no words for %s", s.Tag, state)
			}
		}
		for name, text := range own {
			if text == "" {
				t.Errorf("%s: %s is empty", s.Tag, name)
			}
		}
		for name, text := range en {
			got, ok := own[name]
			if !ok {
				t.Errorf("%s has no %s", s.Tag, name)
			}
			if p := places(got); !slices.Equal(p, places(text)) {
				t.Errorf("%s: %s has the places %v, English has %v", s.Tag, name, p, places(text))
			}
			if s != &english && got == text && !same[name] {
				t.Errorf("%s: %s is English: %q", s.Tag, name, got)
			}
		}
	}
	if Of("xx") != &english || Of("") != &english || Of("de") != &german {
		t.Error("Of gives another language")
	}
}

func TestFigures(t *testing.T) {
	at := time.Date(2026, 3, 6, 7, 8, 0, 0, time.FixedZone("CET", 3600))
	for en, do := range map[string]struct {
		de string
		f  func(*Set) string
	}{
		"0":                   {"0", func(s *Set) string { return s.Number(0) }},
		"999":                 {"999", func(s *Set) string { return s.Number(999) }},
		"1,000":               {"1.000", func(s *Set) string { return s.Number(1000) }},
		"4,182,331":           {"4.182.331", func(s *Set) string { return s.Number(4182331) }},
		"-12,345":             {"-12.345", func(s *Set) string { return s.Number(-12345) }},
		"0.0005 %":            {"0,0005 %", func(s *Set) string { return s.Percent(0.000005) }},
		"5 %":                 {"5 %", func(s *Set) string { return s.Percent(0.0502) }},
		"0.1 %":               {"0,1 %", func(s *Set) string { return s.Percent(0.001) }},
		"100 %":               {"100 %", func(s *Set) string { return s.Percent(1) }},
		"0 %":                 {"0 %", func(s *Set) string { return s.Percent(0) }},
		"+2.1 %":              {"+2,1 %", func(s *Set) string { return s.Change(0.021) }},
		"-0.5 %":              {"-0,5 %", func(s *Set) string { return s.Change(-0.005) }},
		"9,000":               {"9.000", func(s *Set) string { return s.Short(9000) }},
		"12 k":                {"12 Tsd.", func(s *Set) string { return s.Short(12000) }},
		"3.9 M":               {"3,9 Mio.", func(s *Set) string { return s.Short(3.9e6) }},
		"1.2 G":               {"1,2 Mrd.", func(s *Set) string { return s.Short(1.2e9) }},
		"1 h 18 min":          {"1 Std. 18 Min.", func(s *Set) string { return s.Duration(78 * time.Minute) }},
		"22 min":              {"22 Min.", func(s *Set) string { return s.Duration(-22 * time.Minute) }},
		"4 s":                 {"4 Sek.", func(s *Set) string { return s.Duration(4 * time.Second) }},
		"less than a second":  {"weniger als eine Sekunde", func(s *Set) string { return s.Duration(0) }},
		"4 days":              {"4 Tage", func(s *Set) string { return s.Duration(100 * time.Hour) }},
		"Fri 6 Mar 2026":      {"Fr 6. März 2026", func(s *Set) string { return s.Date(at) }},
		"Fri 6 Mar":           {"Fr 6. März", func(s *Set) string { return s.Day(at) }},
		"Fri 6 Mar 07:08 CET": {"Fr 6. März 07:08 Uhr MEZ", func(s *Set) string { return s.Clock(at) }},
		"Friday":              {"Freitag", func(s *Set) string { return s.Weekday(at) }},
		"07:08":               {"07:08 Uhr", func(s *Set) string { return s.Hour(at) }},
	} {
		if got := do.f(&english); got != en {
			t.Errorf("English writes %q for %q", got, en)
		}
		if got := do.f(&german); got != do.de {
			t.Errorf("German writes %q for %q", got, do.de)
		}
	}
}

func TestFillPutsNoValueInTwice(t *testing.T) {
	if got := Fill("{a} {b} {c}", "a", "{b}", "b", "2"); got != "{b} 2 {c}" {
		t.Errorf("%q", got)
	}
}
