package results

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/internal/config"
	"weir/internal/regress"
)

// AcceptFile is where a repository keeps what it has accepted.
const AcceptFile = "loadgen-accept.yaml"

// Accepted is a file of changes for the worse that somebody has looked at and lets pass for a while.
type Accepted struct {
	Lines []Acceptance `yaml:"accepted"`
}

// An Acceptance is one of them.
type Acceptance struct {
	Profile string         `yaml:"profile,omitempty"` // empty: any
	Metric  string         `yaml:"metric"`
	UpTo    config.Percent `yaml:"up_to,omitempty"` // a larger change is not accepted; 0: any
	Until   string         `yaml:"until"`           // its last day, in UTC
	Reason  string         `yaml:"reason"`
}

// Validate names everything that is wrong with the file.
func (a *Accepted) Validate() []config.Invalid {
	var all []config.Invalid
	for i, l := range a.Lines {
		add := func(key, format string, args ...any) {
			all = append(all, config.Invalid{Path: fmt.Sprintf("accepted[%d]%s", i, key), Message: fmt.Sprintf(format, args...)})
		}
		if l.Metric == "" {
			add("", "accepted: want a metric, as p99")
		}
		if _, err := time.Parse(time.DateOnly, l.Until); err != nil {
			add(".until", "until: want a day as 2027-01-31, got %q", l.Until)
		}
		if strings.TrimSpace(l.Reason) == "" {
			add("", "accepted: want a reason: it is what the next one reads")
		}
		if l.UpTo < 0 {
			add(".up_to", "up_to: want more than 0%%")
		}
	}
	return all
}

// ReadAccepted reads the file; one that is not there accepts nothing.
func ReadAccepted(path string) (Accepted, error) {
	var a Accepted
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return a, nil
	}
	if err != nil {
		return a, err
	}
	return a, config.Decode(path, b, &a)
}

// Add writes a line at the end of the file, so that a review shows this line and nothing else.
func (l Acceptance) Add(path string) error {
	one := Accepted{Lines: []Acceptance{l}}
	if bad := one.Validate(); len(bad) > 0 {
		return errors.New(bad[0].Message)
	}
	var b bytes.Buffer
	if _, err := ReadAccepted(path); err != nil {
		return err
	}
	old, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		b.WriteString("# Changes for the worse that `loadgen compare` lets pass until their day. `loadgen accept` adds lines.\naccepted:\n")
	case err != nil:
		return err
	default:
		if b.Write(old); !bytes.HasSuffix(old, []byte("\n")) {
			b.WriteByte('\n')
		}
	}
	b.WriteString("  - {")
	if l.Profile != "" {
		fmt.Fprintf(&b, "profile: %s, ", strconv.Quote(l.Profile))
	}
	fmt.Fprintf(&b, "metric: %s, ", strconv.Quote(l.Metric))
	if l.UpTo > 0 {
		fmt.Fprintf(&b, "up_to: %v, ", l.UpTo)
	}
	fmt.Fprintf(&b, "until: %s, reason: %s}\n", strconv.Quote(l.Until), strconv.Quote(strings.Join(strings.Fields(l.Reason), " ")))
	var check Accepted
	if err := config.Decode(path, b.Bytes(), &check); err != nil { // the file has a form of its own: it is left alone
		return err
	}
	return writeWhole(path, b.Bytes())
}

// Excuse lets pass what is accepted today, and names what was accepted and has expired.
func (a Accepted) Excuse(c *regress.Comparison, today time.Time) (expired []string) {
	day := today.UTC().Format(time.DateOnly)
	for _, f := range slices.Clone(c.Findings) {
		if f.Verdict != regress.Regressed {
			continue
		}
		for _, l := range a.Lines {
			switch {
			case l.Metric != f.Metric.Name || l.Profile != "" && l.Profile != c.Profile:
			case day > l.Until:
				expired = append(expired, fmt.Sprintf("%s was accepted until %s: %s", l.Metric, l.Until, l.Reason))
			case l.UpTo > 0 && f.Estimate > float64(l.UpTo):
				expired = append(expired, fmt.Sprintf("%s was accepted up to %v: %s", l.Metric, l.UpTo, l.Reason))
			default:
				c.Excuse(l.Metric, fmt.Sprintf("accepted until %s: %s", l.Until, l.Reason))
			}
		}
	}
	return expired
}
