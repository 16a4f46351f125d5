package topic

import (
	"encoding/json"

	"weir/minibatch"
)

// Span is [From, To) of one partition, in positions.
type Span struct {
	Partition int32
	From, To  int64
}

// Spans are what a part of a batch reads.
func Spans(p minibatch.Part) ([]Span, error) {
	var spans []span
	if err := json.Unmarshal(p.Spec, &spans); err != nil {
		return nil, err
	}
	all := make([]Span, len(spans))
	for i, s := range spans {
		all[i] = Span(s)
	}
	return all, nil
}

// ID is the topic's own, which no later topic of its name has; empty where the broker gives none.
func (s *Source) ID() string { return s.topicID }
