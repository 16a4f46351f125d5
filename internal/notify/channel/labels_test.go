package channel

import (
	"reflect"
	"strings"
	"testing"
)

func TestLabelsAreOfTheMessagesLanguage(t *testing.T) {
	m := Message{Why: "a", Todo: "b", Ask: "c"}
	for lang, want := range map[string]string{"": "Why: a\nWhat to do: b\nAsk: c\n", "de": "Grund: a\nWas zu tun ist: b\nFragen an: c\n", "xx": "Why: a\n"} {
		if m.Language = lang; !strings.Contains(m.Text(), want) {
			t.Errorf("%q: %q", lang, m.Text())
		}
	}
}

func TestNoLanguageLacksALabel(t *testing.T) {
	for lang, l := range labels {
		for v, i := reflect.ValueOf(l), 0; i < v.NumField(); i++ {
			if v.Field(i).String() == "" {
				t.Errorf("%s has no %s", lang, v.Type().Field(i).Name)
			}
		}
	}
}
