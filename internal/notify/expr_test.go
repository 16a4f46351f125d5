package notify

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"weir/internal/outcome"
)

func TestWhen(t *testing.T) {
	f := factsOf(outcome.Outcome{Unit: "FIN", Job: "gl_report", State: outcome.Failed, Attempt: 2, Rejected: 21})
	for when, want := range map[string]bool{
		``:              true,
		`unit = "FIN"`:  true,
		`unit=FIN`:      true,
		`unit != 'FIN'`: false,
		`state in ["failed","late","missing"] and severity >= "high"`: true,
		`state in [ready]`:                           false,
		`state not in [ready, warning]`:              true,
		`job ~ "gl_*"`:                               true,
		`job ~ gl_?eport`:                            true,
		`job !~ "gl_*"`:                              false,
		`severity > high`:                            false,
		`severity>=medium`:                           true,
		`rejected > 20 and attempt <= 2`:             true,
		`rejected = 21.5`:                            false,
		`not (unit = "FIN" and state = ready)`:       true,
		`unit = X or unit = FIN and state = failed`:  true,
		`(unit = X or unit = FIN) and state = ready`: false,
		`not not unit = FIN`:                         true,
		`date = ""`:                                  true,
	} {
		e, err := parseExpr(when)
		if err != nil {
			t.Errorf("%s: %v", when, err)
			continue
		}
		got, why := e.eval(f)
		if got != want || got == (why != "") {
			t.Errorf("%s: %v (%s), want %v", when, got, why, want)
		}
	}
}

func TestWhenSaysWhichPartDidNotMatch(t *testing.T) {
	e, err := parseExpr(`unit = FIN and (state = failed or severity >= high)`)
	if err != nil {
		t.Fatal(err)
	}
	_, why := e.eval(factsOf(outcome.Outcome{Unit: "FIN", State: outcome.Ready}))
	if why != `state = "failed": state is "ready"; severity >= "high": severity is "info"` {
		t.Error(why)
	}
}

func TestWrongWhen(t *testing.T) {
	for when, want := range map[string]string{
		`unti = "FIN"`:             `column 1: there is no field "unti"; did you mean "unit"?`,
		`unit "FIN"`:               `column 6: expected = != ~ !~ >= <= > < in or not in, found "FIN"`,
		`unit = `:                  `column 8: expected a value, found the end`,
		`unit = "FIN`:              `column 8: the string has no end`,
		`state = faild`:            `column 9: state is never "faild"; did you mean "failed"?`,
		`severity >= huge`:         `column 13: severity is never "huge"`,
		`unit > FIN`:               `column 6: unit has no order`,
		`attempt ~ 1`:              `column 9: attempt is a number`,
		`attempt > many`:           `column 11: expected a number, found "many"`,
		`(unit = FIN`:              `column 12: expected and, or, or ), found the end`,
		`unit = FIN unit = FIN`:    `column 12: expected and, or, or the end, found "unit"`,
		`state in failed`:          `column 10: expected [, found "failed"`,
		`state in [failed ready]`:  `column 18: expected , or ], found "ready"`,
		`unit = FIN && job = x`:    `column 12: '&' does not belong here`,
		strings.Repeat("not ", 99): `nested too deeply`,
	} {
		if _, err := parseExpr(when); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s:\ngot  %v\nwant %s", when, err, want)
		}
	}
}

func TestAnyTextIsAnExpressionOrAnError(t *testing.T) {
	f := factsOf(outcome.Outcome{Unit: "FIN", State: outcome.Ready})
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOf(rapid.SampledFrom([]string{"unit", "state", "severity", "attempt", "=", "!=", "~", ">=", "in", "not", "and", "or", "(", ")", "[", "]", ",", "ready", `"x`, `"FIN"`, "1", "é", " "})).Draw(t, "words")
		s := strings.Join(words, rapid.SampledFrom([]string{" ", ""}).Draw(t, "by"))
		e, err := parseExpr(s)
		if err != nil {
			return
		}
		// What is printed in explain means the same as what was written.
		again, err := parseExpr(e.String())
		if _, always := e.(all); always {
			return
		}
		if err != nil {
			t.Fatalf("%q prints as %q: %v", s, e, err)
		}
		a, _ := e.eval(f)
		b, _ := again.eval(f)
		if a != b {
			t.Fatalf("%q prints as %q, which means something else", s, e)
		}
	})
}

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{{"*", "", true}, {"a*b*c", "axxbyyc", true}, {"a*b", "axbx", false}, {"?", "é", true}, {"?", "", false}, {"gl_*", "gl_", true}, {"a.b", "axb", false}, {"**a", "ba", true}} {
		if got := glob(c.pattern, c.s); got != c.want {
			t.Errorf("glob(%q, %q) = %v", c.pattern, c.s, got)
		}
	}
}
