package plain

import (
	"fmt"
	"strings"
	"time"

	"weir/internal/control"
	"weir/tui/figure"
)

// follower remembers what was said, so that it is not said again.
type follower struct {
	last control.Update
	said map[string]string // by subject: the state that was printed last
}

// changes are the lines for what became different.
func (f *follower) changes(u control.Update, now time.Time) []string {
	if f.said == nil {
		f.said = map[string]string{}
	}
	var out []string
	say := func(subject, state, line string) {
		if f.said[subject] != state {
			f.said[subject] = state
			out = append(out, stamp(now)+clean(line))
		}
	}
	was := f.last
	f.last = u
	switch {
	case was.Live && !u.Live:
		say("server", "gone", fmt.Sprintf("server    GONE: %v; trying again", u.Err))
	case u.Live && f.said["server"] == "gone":
		say("server", "back", "server    back")
	}
	s := u.Snapshot
	if s == nil || !u.Live {
		return out
	}
	for _, p := range s.Parts {
		line := fmt.Sprintf("part      %s %s %s", p.Name, p.State, p.Detail)
		say("part "+p.Name, p.State, line)
	}
	open := map[string]bool{}
	for _, a := range s.Attention {
		key := "attention " + a.What + " " + a.Job
		open[key] = true
		line := fmt.Sprintf("attention %s %s %s %s", a.What, a.Job, a.Unit, a.Detail)
		if a.Next != "" {
			line += "; next: " + a.Next
		}
		say(key, "open", line)
	}
	for key, state := range f.said {
		if strings.HasPrefix(key, "attention ") && state == "open" && !open[key] {
			say(key, "over", "attention over: "+strings.TrimPrefix(key, "attention "))
		}
	}
	if l := s.Load; l != nil {
		state := l.State + l.Stage + fmt.Sprint(l.Silent, l.Self.Invalid != "", l.Resumed, len(l.Changes))
		for _, lim := range l.Limits {
			if lim.State == control.Bad {
				state += lim.Name
			}
		}
		if l.Over() {
			state += l.Verdict
		}
		say("load "+l.Run, state, Load(s, now))
	}
	if c := s.Comparison; c != nil {
		done := 0
		for _, r := range c.Runs {
			if r.State != control.Running {
				done++
			}
		}
		say("comparison "+c.ID, fmt.Sprint(c.State, done, c.Silent), Comparison(c))
	}
	if f := s.Search; f != nil {
		say("search "+f.ID, fmt.Sprint(f.State, len(f.Trials), f.Silent), Search(f))
	}
	for i := range s.Streams {
		st := &s.Streams[i]
		say("stream "+st.Job, st.State+st.Error, Stream(st, now))
	}
	for i := range s.Reports {
		r := &s.Reports[i]
		say("report "+r.Job, r.State+r.Started.String()+r.Error, Report(r))
	}
	if n := s.Notify; n != nil {
		for i := len(n.Messages) - 1; i >= 0; i-- {
			m := n.Messages[i]
			if m.At.Before(s.Started) && m.State == "sent" {
				continue // told before this program began
			}
			say(fmt.Sprint("message ", m.At.UnixNano(), m.Unit, m.Title), m.State, Message(&m))
		}
	}
	if p := s.Proof; p != nil {
		say("proof "+p.Run, fmt.Sprint(p.Done, p.Good()), Proof(p))
	}
	return out
}

// moving are the lines of what moves, with their present figures.
func (f *follower) moving(now time.Time) []string {
	s := f.last.Snapshot
	if s == nil {
		return nil
	}
	if !f.last.Live {
		return []string{stamp(now) + fmt.Sprintf("server    no news for %s: %v", figure.Span(now.Sub(f.last.Heard)), f.last.Err)}
	}
	var out []string
	if l := s.Load; l != nil && !l.Over() {
		out = append(out, stamp(now)+clean(Load(s, now)))
	}
	if c := s.Comparison; c != nil && !c.Over() {
		out = append(out, stamp(now)+clean(Comparison(c)))
	}
	if f := s.Search; f != nil && !f.Over() {
		out = append(out, stamp(now)+clean(Search(f)))
	}
	for i := range s.Streams {
		if st := &s.Streams[i]; st.State != control.Stopped && st.State != control.Done {
			out = append(out, stamp(now)+clean(Stream(st, now)))
		}
	}
	if p := s.Proof; p != nil && !p.Done {
		out = append(out, stamp(now)+Proof(p))
	}
	return out
}

func stamp(t time.Time) string { return t.Format("15:04:05 ") }

// clean keeps a fact on one line and control characters away from terminals.
func clean(s string) string {
	return strings.TrimRight(strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, s), " ")
}

// Load in one line.
func Load(s *control.Snapshot, now time.Time) string {
	l := s.Load
	target := " of " + figure.Count(int64(l.TargetRate+0.5)) + "/s"
	if l.MaxMode {
		target = "/s (max)"
	}
	q := l.Window.Response
	if l.Over() || q.Count == 0 {
		q = l.Whole.Response
	}
	b := fmt.Sprintf("load      %s %s %s", l.Profile, l.State, l.Stage)
	if l.Silent {
		b += " SILENT for " + figure.Span(now.Sub(l.At))
	}
	b += fmt.Sprintf(" %s %s%s %s/s  p50 %s p99 %s max %s ms  sent %s acked %s errors %s  sched delay p99 %s ms", figure.Percent(l.Progress), figure.Count(int64(l.Rate+0.5)), target, figure.Bytes(l.BytesPerSec),
		figure.Millis(q.P50), figure.Millis(q.P99), figure.Millis(q.Max), figure.Count(l.Sent), figure.Count(l.Acked), figure.Count(l.Errors), figure.Millis(l.LagP99))
	if l.Read != nil {
		b += fmt.Sprintf("  read back %s behind %s doubled %s", figure.Count(l.Read.Messages), figure.Count(l.Read.Behind), figure.Count(l.Read.Doubled))
	}
	if l.Resumed > 0 {
		b += fmt.Sprintf("  resumed %d times", l.Resumed)
	}
	if l.Interactive {
		b += "  changed by hand"
	}
	for _, lim := range l.Limits {
		if lim.State == control.Bad {
			b += "  BROKEN " + lim.Name + " " + lim.Want + " is " + lim.Got
		}
	}
	switch {
	case l.Over() && l.Verdict != "":
		b += "  verdict " + l.Verdict + " " + l.Reason
	case l.Self.Invalid != "":
		b += "  INVALID: " + l.Self.Invalid
	}
	return b
}

// Stream in one line.
func Stream(st *control.Stream, now time.Time) string {
	b := fmt.Sprintf("stream    %s %s  behind %s (%s records)  in %s/s out %s/s  rows %s quarantined %s commits %s", st.Job, st.State, figure.Seconds(st.BehindSeconds), figure.Count(st.BehindRecords),
		figure.Short(st.InPerSec), figure.Short(st.OutPerSec), figure.Count(st.Rows), figure.Count(st.Quarantined), figure.Count(st.Commits))
	if !st.LastCommit.IsZero() {
		b += "  committed " + figure.Ago(now, st.LastCommit)
	}
	if st.Error != "" {
		b += "  error: " + st.Error
	}
	if st.Hint != "" {
		b += "  hint: " + st.Hint
	}
	return b
}

// Report in one line.
func Report(r *control.Report) string {
	b := fmt.Sprintf("report    %s %s %s  %s rows to %s in %s", r.Job, r.State, r.Interval, figure.Count(r.Rows), r.Table, figure.Seconds(r.Seconds))
	if r.Error != "" {
		b += "  error: " + r.Error
	}
	return b
}

// Message in one line.
func Message(m *control.Message) string {
	b := fmt.Sprintf("message   %s %s %s %s", m.State, m.Unit, m.Channel, m.Title)
	if m.Text != "" && !strings.HasPrefix(m.Text, m.Title) { // else the line would say everything twice
		b += ": " + m.Text
	}
	if m.Why != "" {
		b += " (" + m.Why + ")"
	}
	return b
}

// Proof in one line.
func Proof(p *control.Proof) string {
	if !p.Done && p.Good() { // a nought before the end would prove nothing
		return fmt.Sprintf("proof     at the end: sent %s rows %s quarantined %s in flight %s", figure.Count(p.Sent), figure.Count(p.Rows), figure.Count(p.Quarantined), figure.Count(p.InFlight))
	}
	word := ""
	switch {
	case !p.Good():
		word = "NOT GOOD"
	case p.Done:
		word = "proved"
	}
	return fmt.Sprintf("proof     %s: lost %s doubled %s reordered %s altered %s  sent %s rows %s quarantined %s in flight %s  readable p50 %s p99 %s ms", word, figure.Count(p.Lost), figure.Count(p.Doubled),
		figure.Count(p.Reordered), figure.Count(p.Altered), figure.Count(p.Sent), figure.Count(p.Rows), figure.Count(p.Quarantined), figure.Count(p.InFlight), figure.Millis(p.ReadableP50), figure.Millis(p.ReadableP99))
}

// Summary is all there is to know at the end, the proof last: it is what one looks for.
func Summary(s *control.Snapshot, now time.Time) []string {
	var out []string
	if s.Load != nil {
		out = append(out, Load(s, now))
	}
	if s.Comparison != nil {
		out = append(out, Comparison(s.Comparison))
	}
	if s.Search != nil {
		out = append(out, Search(s.Search))
	}
	for i := range s.Streams {
		out = append(out, Stream(&s.Streams[i], now))
	}
	for i := range s.Reports {
		out = append(out, Report(&s.Reports[i]))
	}
	if n := s.Notify; n != nil {
		out = append(out, fmt.Sprintf("notify    sent %d waiting %d held %d unknown %d dead %d", n.Sent, n.Waiting, n.Held, n.Unknown, n.Dead))
		for i := range n.Messages {
			if m := &n.Messages[i]; i < 3 && !(m.At.Before(s.Started) && m.State == "sent") {
				out = append(out, Message(m))
			}
		}
	}
	for _, a := range s.Attention {
		out = append(out, fmt.Sprintf("attention %s %s %s %s", a.What, a.Job, a.Unit, a.Detail))
	}
	if s.Proof != nil {
		out = append(out, Proof(s.Proof))
	}
	for i := range out {
		out[i] = clean(out[i])
	}
	return out
}
