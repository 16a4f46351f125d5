package hive

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind of a token.
type kind int

const (
	word   kind = iota // a keyword or a bare name
	quoted             // a name in double quotes or backticks
	text               // '…'
	number
	param // $name
	mark  // anything else: one character
)

// A token of a query; comments and spaces are none.
type token struct {
	kind       kind
	start, end int    // bytes in the query
	text       string // as it stands there; of a quoted name what is between the quotes
}

func (t token) is(words ...string) bool {
	if t.kind != word && t.kind != mark {
		return false
	}
	for _, w := range words {
		if strings.EqualFold(t.text, w) {
			return true
		}
	}
	return false
}

func (t token) name() bool { return t.kind == word || t.kind == quoted }

// lex cuts a query into tokens, as Spark does.
func lex(q string) []token {
	var all []token
	for i := 0; i < len(q); {
		c, size := utf8.DecodeRuneInString(q[i:])
		end := i + size
		t := token{kind: mark, start: i}
		switch {
		case unicode.IsSpace(c):
			i = end
			continue
		case strings.HasPrefix(q[i:], "--"):
			i = until(q, i, "\n")
			continue
		case strings.HasPrefix(q[i:], "/*"):
			i = comment(q, i)
			continue
		case c == '\'':
			t.kind, end = text, closing(q, i, true)
		case (c == 'r' || c == 'R') && strings.HasPrefix(q[i+1:], "'"):
			t.kind, end = text, closing(q, i+1, false)
		case c == '"' || c == '`':
			t.kind, end = quoted, closing(q, i, false)
		case c == '$' && letter(q[i+1:]):
			t.kind, end = param, i+1+run(q[i+1:])
		case unicode.IsDigit(c):
			t.kind, end = number, i+run(q[i:])
		case letter(q[i:]):
			t.kind, end = word, i+run(q[i:])
		}
		t.end, t.text = end, q[i:end]
		if t.kind == quoted {
			mark := q[i : i+1]
			t.text = strings.ReplaceAll(strings.TrimSuffix(t.text[1:], mark), mark+mark, mark)
		}
		all = append(all, t)
		i = end
	}
	return all
}

func letter(s string) bool {
	c, _ := utf8.DecodeRuneInString(s)
	return c == '_' || unicode.IsLetter(c)
}

// run is the length of the letters and digits that s begins with.
func run(s string) int {
	for i, c := range s {
		if c != '_' && !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			return i
		}
	}
	return len(s)
}

func until(q string, i int, end string) int {
	if n := strings.Index(q[i:], end); n >= 0 {
		return i + n + len(end)
	}
	return len(q)
}

// comment gives where a comment that begins at i ends. Spark's may hold others.
func comment(q string, i int) int {
	depth := 0
	for i < len(q) {
		switch {
		case strings.HasPrefix(q[i:], "/*"):
			depth++
			i += 2
		case strings.HasPrefix(q[i:], "*/"):
			depth--
			i += 2
			if depth == 0 {
				return i
			}
		default:
			i++
		}
	}
	return len(q)
}

// closing gives where the quotes end that open at i. In texts a backslash takes the next character's meaning away; a quote
// that stands twice does not end them.
func closing(q string, i int, backslash bool) int {
	mark := q[i]
	for i++; i < len(q); i++ {
		switch {
		case backslash && q[i] == '\\':
			i++
		case q[i] == mark && i+1 < len(q) && q[i+1] == mark:
			i++
		case q[i] == mark:
			return i + 1
		}
	}
	return len(q)
}
