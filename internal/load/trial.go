package load

import (
	"errors"
	"time"

	"weir/internal/config"
)

// Trial makes the profile one trial of a capacity search: a constant rate, for so long after the warm-up, with limits of its own.
func (p *Profile) Trial(rate config.Rate, warmup, length time.Duration, limits ...Threshold) error {
	arrival := p.Rate.Arrival
	p.Thresholds, p.Volume = limits, Volume{}
	if err := p.Apply(Override{Rate: &rate, Duration: warmup + length}); err != nil {
		return err
	}
	p.Rate.Arrival, p.Warmup = arrival, config.Duration(warmup)
	if all := p.Validate(); len(all) > 0 {
		return errors.New(all[0].Message)
	}
	return nil
}

// Late reports that the run was behind its schedule, by more than tolerance (ms, at the 99th percentile) or more than any valid run
// may be. held: it was the target that held it up, for the window of messages in flight was full; else the generator is the limit.
func (s *Summary) Late(tolerance float64) (late, held bool) {
	dropped := float64(s.Dropped) > (1-leastShare)*float64(s.Sent+s.Dropped)
	late = s.Verdict == VerdictInvalid || dropped || s.Lag.P99 > min(tolerance, float64(latestP99.Milliseconds()))
	return late, late && (dropped || 1000*s.BlockedS >= s.Lag.P99/2)
}
