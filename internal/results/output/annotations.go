package output

import (
	"fmt"
	"strings"

	"weir/internal/results"
)

var (
	message  = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// Annotations are the lines that GitHub shows beside a job: an error for each gate that fails, a warning for what could not be judged
// or is worth a look, and a notice if all is well.
func Annotations(r results.Report) ([]byte, error) {
	var b strings.Builder
	line := func(kind, title, text string) {
		fmt.Fprintf(&b, "::%s title=%s::%s\n", kind, property.Replace("loadgen "+title), message.Replace(text))
	}
	for _, g := range r.Gates {
		switch title := r.Name + " " + g.Name; {
		case g.State == results.Fail, g.State == results.Invalid && !r.Good:
			line("error", title, g.Text)
		case g.State != results.Pass:
			line("warning", title, g.Text)
		}
	}
	if b.Len() == 0 {
		kind := "notice"
		if !r.Good {
			kind = "error"
		}
		line(kind, r.Name, strings.TrimSuffix(r.Verdict+": "+r.Reason, ": "))
	}
	return []byte(b.String()), nil
}
