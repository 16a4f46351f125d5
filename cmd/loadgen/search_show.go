package main

import (
	"time"

	"weir/internal/control"
	"weir/internal/search"
)

// shown is the search in the words of the control API; trial is the one that goes on, nil if there is none.
func (s *searching) shown(state string, trial *control.Trial, err error) *control.Search {
	f := &control.Search{
		At: time.Now(), ID: s.ID, Profile: s.Profile, SLO: s.SLO.String(), Bytes: s.Bytes, State: state, Started: s.Started, Most: s.Config.MaxTime.Seconds(),
		From: s.Config.From, To: s.Config.To, Precision: s.Config.Precision, Repeats: s.Config.Repeats, Trial: trial,
	}
	for _, t := range s.Trials {
		f.Trials = append(f.Trials, control.Trial{Rate: t.Rate, Outcome: string(t.Outcome), Phase: string(t.Phase), Told: s.told(t), Took: t.Took.Seconds()})
		f.Spent += t.Took.Seconds()
	}
	f.HighestKept, f.LowestNotKept = search.Bracket(s.Trials)
	if err != nil && state == control.Failed {
		f.Error = err.Error()
	}
	if r := s.Result; r != nil {
		f.Verdict, f.Capacity, f.HighestKept, f.LowestNotKept = string(r.Verdict), r.Capacity, r.HighestKept, r.LowestNotKept
		f.Confidence, f.Reasons, f.Headline = string(r.Confidence), r.Reasons, s.headline()
	}
	if f.Over() {
		f.Ended = time.Now()
	}
	return f
}
