package outcome

import (
	"fmt"
	"regexp"
)

func errMissing(what string) error { return fmt.Errorf("outcome: %s is missing", what) }
func errState(s State) error {
	return fmt.Errorf("outcome: state %q is unknown; one of %v", s, States())
}

// secrets are what errors of drivers and clients are known to carry: passwords in URLs and DSNs, tokens, keys.
var secrets = []struct {
	find *regexp.Regexp
	put  string
}{
	{regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@]*):[^\s/@]+@`), "$1:<secret>@"},
	{regexp.MustCompile(`\bxox[a-z]-[A-Za-z0-9-]+|\bxapp-[A-Za-z0-9-]+`), "<secret>"},
	{regexp.MustCompile(`hooks\.slack\.com/services/[A-Za-z0-9/]+`), "hooks.slack.com/services/<secret>"},
	{regexp.MustCompile(`\b(?:AKIA|ASIA)[A-Z0-9]{16}\b`), "<secret>"},
	{regexp.MustCompile(`(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}`), "$1 <secret>"},
	{regexp.MustCompile(`(?i)\b(password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|signature|credential)("?\s*[=:]\s*"?)[^\s"'&,;<>]+`), "$1$2<secret>"},
}

// Scrub strikes out what looks like a secret.
func Scrub(s string) string {
	for _, p := range secrets {
		s = p.find.ReplaceAllString(s, p.put)
	}
	return s
}
