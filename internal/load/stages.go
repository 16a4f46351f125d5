package load

import "time"

// mostStages are told apart in a result; what follows them counts as the last one. Each takes half a megabyte.
const mostStages = 64

// stagesOf are the stages of a curve that are told apart; a run without a plan is one.
func stagesOf(c Curve) []Stage {
	s, ok := c.(Planned)
	if !ok {
		return []Stage{{Name: "run"}}
	}
	all := s.Stages()
	return all[:min(len(all), mostStages)]
}

// stageAt is the stage at a time on the curve. Stages are few: a walk is quick.
func stageAt(all []Stage, t time.Duration) int32 {
	i := 0
	for i+1 < len(all) && all[i+1].Start <= t {
		i++
	}
	return int32(i)
}

// span is what was sent in a stage, and when. The times are those of the schedule.
type span struct {
	sent, dropped    int64
	first, due, last time.Duration // due: of the first and the last message; last: when that was sent
}

func (s *span) add(due, sent time.Duration) {
	if s.sent == 0 {
		s.first = due
	}
	s.sent++
	s.due, s.last = max(s.due, due), max(s.last, sent)
}

func (s *span) merge(o span) {
	if o.sent > 0 && (s.sent == 0 || o.first < s.first) {
		s.first = o.first
	}
	s.sent, s.dropped = s.sent+o.sent, s.dropped+o.dropped
	s.due, s.last = max(s.due, o.due), max(s.last, o.last)
}

// rates are what was asked for and what was done, in messages/s. Both count the gaps between messages, so that they are equal
// where the schedule was kept.
func (s span) rates() (target, achieved float64) {
	if d := (s.due - s.first).Seconds(); d > 0 {
		target = float64(s.sent+s.dropped-1) / d
	}
	if d := (s.last - s.first).Seconds(); d > 0 {
		achieved = float64(s.sent-1) / d
	}
	return target, achieved
}

// spans merge what the senders have sent in each stage.
func (r *run) spans() []span {
	all := make([]span, len(r.told))
	for _, s := range r.senders {
		s.mu.Lock()
		for i := range all {
			all[i].merge(s.stages[i])
		}
		s.mu.Unlock()
	}
	return all
}

// A StageSummary is one stage of a run.
type StageSummary struct {
	Name     string    `json:"name"`
	StartS   float64   `json:"start_s"`              // when its first message was due
	Seconds  float64   `json:"seconds"`              // until its last message was sent
	Target   float64   `json:"target,omitempty"`     // messages/s that the schedule asked for
	Rate     float64   `json:"rate"`                 // messages/s that were sent
	Sent     int64     `json:"sent"`                 //
	Dropped  int64     `json:"dropped,omitempty"`    // due, but not sent
	Errors   int64     `json:"errors"`               //
	Response Quantiles `json:"response_ms,omitzero"` // of timed messages
	Service  Quantiles `json:"service_ms,omitzero"`
}

// stageSummaries are those of the stages that were reached. The caller holds the recorder.
func (r *run) stageSummaries() []StageSummary {
	var all []StageSummary
	for i, s := range r.spans() {
		if s.sent+s.dropped == 0 {
			continue
		}
		st := StageSummary{Name: r.told[i].Name, StartS: seconds(s.first), Seconds: seconds(s.last - s.first), Sent: s.sent, Dropped: s.dropped, Errors: r.rec.lost[i]}
		if st.Target, st.Rate = s.rates(); r.flat {
			st.Target = 0
		}
		st.Target, st.Rate = round3(st.Target), round3(st.Rate)
		if l := r.rec.stages[i]; l.response != nil {
			st.Response, st.Service = quantilesOf(l.response, 1000), quantilesOf(l.service, 1000)
		}
		all = append(all, st)
	}
	return all
}
