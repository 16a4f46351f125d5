package content

import (
	"fmt"
	"regexp/syntax"
	"unicode/utf8"
)

// mostRepeats bounds * and + of a pattern.
const mostRepeats = 8

// pattern makes texts that match a regular expression.
func pattern(expr string) (step, error) {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return step{}, err
	}
	write, least, most, err := patternOp(re.Simplify(), 0)
	if err != nil {
		return step{}, err
	}
	if most > 1<<16 {
		return step{}, fmt.Errorf("%s can be %d bytes long", expr, most)
	}
	return plain(least+1, most+longWidth(int64(most)), func(b []byte, d *draw) []byte {
		at := len(b)
		return closeText(write(append(b, 0), d), at)
	}), nil
}

func patternOp(re *syntax.Regexp, depth int) (write op, least, most int, err error) {
	if depth > 50 {
		return nil, 0, 0, fmt.Errorf("nested too deep")
	}
	none := func(b []byte, _ *draw) []byte { return b }
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText:
		return none, 0, 0, nil
	case syntax.OpLiteral:
		text := []byte(string(re.Rune))
		return func(b []byte, _ *draw) []byte { return append(b, text...) }, len(text), len(text), nil
	case syntax.OpCharClass:
		return class(re.Rune)
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return class([]rune{' ', '~'})
	case syntax.OpCapture:
		return patternOp(re.Sub[0], depth+1)
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest:
		low, high := 0, mostRepeats
		if re.Op == syntax.OpPlus {
			low = 1
		}
		if re.Op == syntax.OpQuest {
			high = 1
		}
		w, l, m, err := patternOp(re.Sub[0], depth+1)
		return func(b []byte, d *draw) []byte {
			for range low + int(d.below(uint64(high-low+1))) {
				b = w(b, d)
			}
			return b
		}, low * l, high * m, err
	case syntax.OpConcat, syntax.OpAlternate:
		var all []op
		for i, sub := range re.Sub {
			w, l, m, err := patternOp(sub, depth+1)
			if err != nil {
				return nil, 0, 0, err
			}
			all = append(all, w)
			switch {
			case re.Op == syntax.OpConcat:
				least, most = least+l, most+m
			case i == 0:
				least, most = l, m
			default:
				least, most = min(least, l), max(most, m)
			}
		}
		if re.Op == syntax.OpAlternate {
			return func(b []byte, d *draw) []byte { return all[d.below(uint64(len(all)))](b, d) }, least, most, nil
		}
		return func(b []byte, d *draw) []byte {
			for _, w := range all {
				b = w(b, d)
			}
			return b
		}, least, most, nil
	}
	return nil, 0, 0, fmt.Errorf("%s cannot be generated", re)
}

// class draws one of the runes of some ranges; of a class that is almost all of Unicode, a printable one.
func class(ranges []rune) (write op, least, most int, err error) {
	var all []rune
	for i := 0; i+1 < len(ranges); i += 2 {
		for r := ranges[i]; r <= ranges[i+1] && len(all) < 4096; r++ {
			if r >= ' ' && r < 0x7f || r > 0xa0 && utf8.ValidRune(r) && len(ranges) < 64 && ranges[i+1]-ranges[i] < 4096 {
				all = append(all, r)
			}
		}
	}
	if len(all) == 0 {
		return nil, 0, 0, fmt.Errorf("a class without a printable character")
	}
	least, most = utf8.RuneLen(all[0]), 0
	for _, r := range all {
		least, most = min(least, utf8.RuneLen(r)), max(most, utf8.RuneLen(r))
	}
	return func(b []byte, d *draw) []byte { return utf8.AppendRune(b, all[d.below(uint64(len(all)))]) }, least, most, nil
}
