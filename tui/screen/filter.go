package screen

import (
	"regexp"
	"strings"
	"unicode"
)

// A Filter chooses lines by their text, as k9s does: a regular expression in any case, !text for those without it, -f text for
// lines that have its letters in this order.
type Filter struct {
	Text string
	not  bool
	re   *regexp.Regexp
	fuzz string
}

// NewFilter reads what the user typed. What is no regular expression is looked for as it stands.
func NewFilter(text string) Filter {
	f := Filter{Text: text}
	rest := strings.TrimSpace(text)
	if s, ok := strings.CutPrefix(rest, "-f "); ok {
		f.fuzz = strings.TrimSpace(s)
		return f
	}
	rest, f.not = strings.CutPrefix(rest, "!")
	if rest == "" {
		return f
	}
	re, err := regexp.Compile("(?i)" + rest)
	if err != nil {
		re = regexp.MustCompile("(?i)" + regexp.QuoteMeta(rest))
	}
	f.re = re
	return f
}

// Match reports that a line with these texts is to be seen.
func (f Filter) Match(texts ...string) bool {
	line := strings.Join(texts, " ")
	switch {
	case f.fuzz != "":
		_, ok := fuzzy(f.fuzz, line)
		return ok
	case f.re == nil:
		return true
	}
	return f.re.MatchString(line) != f.not
}

// fuzzy finds the letters of a pattern in a text, in this order. The score is the higher the more of them stand together and begin
// words.
func fuzzy(pattern, text string) (score int, ok bool) {
	p, t := []rune(strings.ToLower(pattern)), []rune(strings.ToLower(text))
	i, run := 0, 0
	for k, r := range t {
		for i < len(p) && p[i] == ' ' {
			i++
			run = 0
		}
		if i == len(p) {
			break
		}
		if r != p[i] {
			run = 0
			continue
		}
		run++
		score += run
		if k == 0 || !unicode.IsLetter(t[k-1]) {
			score += 4
		}
		i++
	}
	for i < len(p) && p[i] == ' ' {
		i++
	}
	if i < len(p) {
		return 0, false
	}
	if at := strings.Index(strings.ToLower(text), strings.ToLower(strings.TrimSpace(pattern))); at >= 0 { // the word itself is better than letters that happen to be there
		score += 20
	}
	return score, true
}
