package spark

import (
	"regexp"
	"strings"
)

var parameter = regexp.MustCompile(`^\$(interval_start|interval_end|run_id)\b`)

// Parameters writes a query's parameters as Spark does: $interval_start becomes :interval_start, except in what is quoted and in
// comments.
func Parameters(query string) string {
	var b strings.Builder
	for i := 0; i < len(query); {
		rest := query[i:]
		n := 1
		switch {
		case strings.HasPrefix(rest, "--"):
			n = until(rest, 2, "\n")
		case strings.HasPrefix(rest, "/*"):
			n = until(rest, 2, "*/")
		case rest[0] == '\'' || rest[0] == '"' || rest[0] == '`':
			n = until(rest, 1, rest[:1])
		default:
			if p := parameter.FindString(rest); p != "" {
				b.WriteString(":" + p[1:])
				i += len(p)
				continue
			}
		}
		b.WriteString(rest[:n])
		i += n
	}
	return b.String()
}

// until is the length up to and with the end, which is looked for from a position on.
func until(s string, from int, end string) int {
	if at := strings.Index(s[from:], end); at >= 0 {
		return from + at + len(end)
	}
	return len(s)
}
