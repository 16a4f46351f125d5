package channel

import (
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
