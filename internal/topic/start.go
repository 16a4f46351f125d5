package topic

import (
	"context"
	"fmt"
	"maps"
	"time"

	"weir/internal/cli"
	"weir/internal/kafka"
	"weir/internal/protocol"
	"weir/minibatch"
)

// Where a job begins that has no cursor yet. Beside them: a time as RFC 3339 writes it.
const (
	Earliest = "earliest"
	Latest   = "latest"
)

// StartTime reads a start that is a time; false for the words.
func StartTime(start string) (t time.Time, isTime bool, err error) {
	if start == Earliest || start == Latest {
		return t, false, nil
	}
	if t, err = time.Parse(time.RFC3339, start); err != nil {
		return t, false, fmt.Errorf("expected earliest, latest or a time such as 2026-11-20T00:00:00Z (where to begin when the table has no cursor yet), got %q", start)
	}
	return t, true, nil
}

// moving: where the job begins is another place tomorrow, so that the first commit has to pin it.
func (s *Source) moving(at Offsets) bool { return at.TopicID == "" && s.start != Earliest }

// begin is where a job without a cursor begins in each partition: with a time, at the first record that says it is of that time or
// later, or at the end where there is none.
func (s *Source) begin(ctx context.Context, t protocol.Topic) (map[int32]int64, error) {
	since, isTime, err := StartTime(s.start)
	switch {
	case err != nil:
		return nil, minibatch.Fatal(err)
	case s.start == Latest:
		return t.Ends, nil
	case !isTime:
		return t.Starts, nil
	case since.After(time.Now()):
		return nil, minibatch.Fatal(cli.Usage(fmt.Errorf("start: %s is in the future", s.start), "`start: latest` begins with what comes from now on"))
	}
	after, err := kafka.After(ctx, s.admin, s.topic, since)
	if err != nil {
		return nil, err
	}
	begin := maps.Clone(t.Starts)
	for p, first := range begin {
		begin[p] = min(max(first, after[p]), max(first, t.Ends[p])) // a transaction that is open ends the readable part earlier
	}
	return begin, nil
}
