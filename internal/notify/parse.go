package notify

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"weir/internal/config"
	"weir/internal/outcome"
)

// parseExpr reads a `when`; an empty one matches everything.
func parseExpr(s string) (expr, error) {
	toks, err := lex(s)
	if err != nil {
		return nil, err
	}
	if len(toks) == 1 {
		return all{}, nil
	}
	p := &parser{toks: toks}
	e, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != tokEnd {
		return nil, t.wrong("and, or, or the end")
	}
	return e, nil
}

type tokKind int

const (
	tokEnd tokKind = iota
	tokWord
	tokString
	tokSign // = != ~ !~ >= <= > < ( ) [ ] ,
)

type token struct {
	kind tokKind
	text string
	col  int // from 1
}

func (t token) wrong(want string) error {
	got := strconv.Quote(t.text)
	if t.kind == tokEnd {
		got = "the end"
	}
	return fmt.Errorf("column %d: expected %s, found %s", t.col, want, got)
}

func lex(s string) ([]token, error) {
	var toks []token
	r := []rune(s)
	for i := 0; i < len(r); {
		c, start := r[i], i
		switch {
		case unicode.IsSpace(c):
			i++
			continue
		case c == '"' || c == '\'':
			for i++; i < len(r) && r[i] != c; i++ {
			}
			if i == len(r) {
				return nil, fmt.Errorf("column %d: the string has no end", start+1)
			}
			i++
			toks = append(toks, token{tokString, string(r[start+1 : i-1]), start + 1})
			continue
		case strings.ContainsRune("=!~<>", c):
			i++
			if i < len(r) && (r[i] == '=' || c == '!' && r[i] == '~') {
				i++
			}
		case strings.ContainsRune("()[],", c):
			i++
		case isWord(c):
			for i < len(r) && isWord(r[i]) {
				i++
			}
			toks = append(toks, token{tokWord, string(r[start:i]), start + 1})
			continue
		default:
			return nil, fmt.Errorf("column %d: %q does not belong here", start+1, c)
		}
		toks = append(toks, token{tokSign, string(r[start:i]), start + 1})
	}
	return append(toks, token{tokEnd, "", len(r) + 1}), nil
}

func isWord(c rune) bool {
	return unicode.IsLetter(c) || unicode.IsDigit(c) || strings.ContainsRune("_-.*?:/", c)
}

type parser struct {
	toks []token
	at   int
}

func (p *parser) peek() token { return p.toks[p.at] }

func (p *parser) next() token {
	t := p.toks[p.at]
	if t.kind != tokEnd {
		p.at++
	}
	return t
}

// word takes the next token if it is this keyword or sign.
func (p *parser) take(s string) bool {
	if t := p.peek(); t.text == s && (t.kind == tokWord || t.kind == tokSign) {
		p.at++
		return true
	}
	return false
}

// maxDepth of parentheses and nots; a human writes two or three.
const maxDepth = 50

func (p *parser) or(depth int) (expr, error) {
	var es []expr
	for {
		e, err := p.and(depth)
		if err != nil {
			return nil, err
		}
		if es = append(es, e); !p.take("or") {
			break
		}
	}
	if len(es) == 1 {
		return es[0], nil
	}
	return or(es), nil
}

func (p *parser) and(depth int) (expr, error) {
	var es []expr
	for {
		e, err := p.not(depth)
		if err != nil {
			return nil, err
		}
		if es = append(es, e); !p.take("and") {
			break
		}
	}
	if len(es) == 1 {
		return es[0], nil
	}
	return and(es), nil
}

func (p *parser) not(depth int) (expr, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("column %d: nested too deeply", p.peek().col)
	}
	switch {
	case p.take("not"):
		e, err := p.not(depth + 1)
		return not{e}, err
	case p.take("("):
		e, err := p.or(depth + 1)
		if err == nil && !p.take(")") {
			err = p.peek().wrong("and, or, or )")
		}
		return e, err
	}
	return p.compare()
}

var signs = []string{"=", "!=", "~", "!~", ">=", "<=", ">", "<"}

func (p *parser) compare() (expr, error) {
	f := p.next()
	if f.kind != tokWord {
		return nil, f.wrong("a field like unit or state")
	}
	if _, ok := fields[f.text]; !ok {
		names := slices.Sorted(maps.Keys(fields))
		return nil, fmt.Errorf("column %d: there is no field %q%s; one of %s", f.col, f.text, didYouMean(f.text, names), strings.Join(names, ", "))
	}
	c := compare{field: f.text}
	op := p.next()
	switch {
	case op.kind == tokSign && slices.Contains(signs, op.text):
		c.op = op.text
	case op.kind == tokWord && op.text == "in":
		c.op = "in"
	case op.kind == tokWord && op.text == "not" && p.take("in"):
		c.op = "not in"
	default:
		return nil, op.wrong("= != ~ !~ >= <= > < in or not in")
	}
	if err := c.fits(op); err != nil {
		return nil, err
	}
	if c.op != "in" && c.op != "not in" {
		return p.value(c)
	}
	if t := p.next(); t.text != "[" || t.kind != tokSign {
		return nil, t.wrong("[")
	}
	for {
		e, err := p.value(c)
		if err != nil {
			return nil, err
		}
		c = e.(compare)
		if p.take("]") {
			return c, nil
		}
		if !p.take(",") {
			return nil, p.peek().wrong(", or ]")
		}
	}
}

// fits complains about operators that make no sense for the field.
func (c compare) fits(op token) error {
	order := slices.Contains([]string{">=", "<=", ">", "<"}, c.op)
	switch {
	case fields[c.field] && !order && c.op != "=" && c.op != "!=":
		return fmt.Errorf("column %d: %s is a number; compare it with = != >= <= > <", op.col, c.field)
	case !fields[c.field] && order && c.field != "severity" && c.field != "date":
		return fmt.Errorf("column %d: %s has no order; compare it with = != ~ !~ in", op.col, c.field)
	}
	return nil
}

func (p *parser) value(c compare) (expr, error) {
	t := p.next()
	if t.kind != tokWord && t.kind != tokString {
		return nil, t.wrong("a value")
	}
	if fields[c.field] {
		n, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			return nil, t.wrong("a number")
		}
		c.number = n
	}
	if c.op != "~" && c.op != "!~" {
		if known := valuesOf(c.field); known != nil && !slices.Contains(known, t.text) {
			return nil, fmt.Errorf("column %d: %s is never %q%s; one of %s", t.col, c.field, t.text, didYouMean(t.text, known), strings.Join(known, ", "))
		}
	}
	c.values = append(slices.Clip(c.values), t.text)
	return c, nil
}

// valuesOf are all values of a field, nil if there are endlessly many.
func valuesOf(field string) []string {
	switch field {
	case "severity":
		return severities
	case "state":
		var s []string
		for _, st := range outcome.States() {
			s = append(s, string(st))
		}
		return s
	}
	return nil
}

// didYouMean names the word that was probably meant, if one is near.
func didYouMean(s string, names []string) string {
	if best := config.Nearest(s, names); best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	return ""
}
