package channel

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// An Examiner can look at its own set-up: token, permissions, address, clocks.
type Examiner interface {
	// Examine asks the far side whether posts would be taken. It never posts.
	Examine(ctx context.Context) []Finding
}

// A Level says how bad a finding is.
type Level string

// The levels of a finding.
const (
	Good Level = "ok"
	Note Level = "note" // good to know
	Warn Level = "warn" // messages leave, but something can go wrong
	Bad  Level = "bad"  // messages do not leave
)

// A Finding is one thing that was looked at.
type Finding struct {
	Check string `json:"check"` // token, scopes, member, …
	Level Level  `json:"level"`
	Text  string `json:"text"`           // must not hold a secret
	Code  string `json:"code,omitempty"` // the far side's word, where it said no
	Fix   string `json:"fix,omitempty"`  // what to do about it
}

// Failed makes a finding of a call that did not succeed. Trouble that passes by itself is no fault of the set-up.
func Failed(check string, err error) Finding {
	f := Classify(err)
	level := Bad
	if f.Class == Again || f.Class == Unknown && f.HTTP != 0 {
		level = Warn
	}
	return Finding{Check: check, Level: level, Text: f.Error(), Code: f.Code}
}

// Receivers of signed posts bear five minutes between the clocks, and so do we where we look for our own posts.
const (
	clockWarn = 10 * time.Second
	clockBad  = 4 * time.Minute
)

// Clock compares our clock with the far side's, which has whole seconds, at a call that took so long.
func Clock(theirs, ours time.Time, took time.Duration) Finding {
	d := ours.Sub(theirs)
	slack := took + time.Second
	f := Finding{Check: "clock", Level: Good, Text: "agrees with ours"}
	side := "ahead of"
	if d < 0 {
		d, side = -d, "behind"
	}
	if d <= slack {
		return f
	}
	f.Text = fmt.Sprintf("this machine is %s %s the far side", d.Round(time.Second), side)
	switch {
	case d > clockBad:
		f.Level, f.Fix = Bad, "set this machine's clock (NTP): signatures and look-ups go by it"
	case d > clockWarn:
		f.Level, f.Fix = Warn, "set this machine's clock (NTP)"
	}
	return f
}

// ClockOf is Clock for an HTTP answer; nothing if it has no date.
func ClockOf(h http.Header, asked time.Time) []Finding {
	theirs, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return nil
	}
	now := time.Now()
	return []Finding{Clock(theirs, now, now.Sub(asked))}
}
