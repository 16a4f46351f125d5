package protocol

import (
	"fmt"
	"maps"
	"slices"
)

// Offsets are the next position to read of each partition of a topic. They are positions, never counts: commit markers and
// compaction leave gaps. A rebuilt cluster or a topic that was made again starts at 0 under another id, and its positions mean
// nothing here.
type Offsets struct {
	Cluster string          `json:"cluster"`
	Topic   string          `json:"topic"`
	TopicID string          `json:"topic_id"`
	Next    map[int32]int64 `json:"next"`
}

// Rules of positions, for the test that leaves them out; see rule.
const (
	ruleWhole    rule = iota + 100 // a commit keeps the positions of partitions that it does not move
	ruleIdentity                   // positions belong to one topic on one cluster
	ruleGap                        // a position below the topic's start stops the job
)

// Advance is the compare-and-set of a batch [from, to): for each partition that it moves, the table must hold what it starts from.
// Other partitions stay as the table has them, so that workers on other partitions of the topic do not disturb each other. It fails
// with ErrMoved.
func Advance(stored, from, to Offsets) (Offsets, error) { return advance(stored, from, to, 0) }

func advance(stored, from, to Offsets, without rule) (Offsets, error) {
	if without != ruleIdentity && stored.TopicID != "" && (stored.TopicID != to.TopicID || stored.Cluster != to.Cluster) {
		return Offsets{}, fmt.Errorf("%w: it now belongs to topic %s on cluster %s", ErrMoved, stored.TopicID, stored.Cluster)
	}
	next := Offsets{Cluster: to.Cluster, Topic: to.Topic, TopicID: to.TopicID, Next: maps.Clone(stored.Next)}
	if next.Next == nil || without == ruleWhole {
		next.Next = map[int32]int64{}
	}
	for p, n := range to.Next {
		was, had := from.Next[p]
		if had && was == n {
			continue
		}
		if now, has := stored.Next[p]; has != had || now != was {
			return Offsets{}, movedOf(p, now, has, was, had)
		}
		next.Next[p] = n
	}
	return next, nil
}

// Untouched fails with ErrMoved if a partition of a batch has another position now than before; those of other workers may move.
func Untouched(before, now, batch Offsets) error {
	if before.TopicID != "" && (before.TopicID != now.TopicID || before.Cluster != now.Cluster) {
		return fmt.Errorf("%w: it now belongs to topic %s on cluster %s", ErrMoved, now.TopicID, now.Cluster)
	}
	for p := range batch.Next {
		was, had := before.Next[p]
		if is, has := now.Next[p]; is != was || has != had {
			return movedOf(p, is, has, was, had)
		}
	}
	return nil
}

func movedOf(p int32, now int64, has bool, was int64, had bool) error {
	return fmt.Errorf("%w: partition %d is at %s, this worker started from %s", ErrMoved, p, position(now, has), position(was, had))
}

func position(n int64, ok bool) string {
	if !ok {
		return "no position"
	}
	return fmt.Sprint(n)
}

// Further is the cursor of a table that runs ahead of its destination, such as the quarantine: it never goes back, also where this
// batch ends before one that an earlier try had already committed there.
// Positions of another topic, before it was made again, say nothing.
func Further(stored, to Offsets) Offsets {
	next := to
	if stored.TopicID != to.TopicID || stored.Cluster != to.Cluster {
		return next
	}
	next.Next = maps.Clone(to.Next)
	for p, n := range stored.Next {
		next.Next[p] = max(n, next.Next[p])
	}
	return next
}

// A Topic is what a broker says of a topic.
type Topic struct {
	Cluster, Name, ID string
	Starts, Ends      map[int32]int64 // the oldest position that is left, and the stable end
}

// An IdentityError means that the positions belong to another topic: one that was deleted and made again, or another cluster's.
type IdentityError struct {
	Topic             string
	Table, Broker     string // the cluster, as each of them says
	TableID, BrokerID string // the topic's id, as each of them says
}

func (e *IdentityError) Error() string {
	return fmt.Sprintf("the table's positions belong to topic id %s on cluster %s, but topic %s now has id %s on cluster %s",
		e.TableID, e.Table, e.Topic, e.BrokerID, e.Broker)
}

// A GapError means that messages after the table's position are gone: [From, To) of a partition.
type GapError struct {
	Topic     string
	Partition int32
	From, To  int64
	Gaps      map[int32][2]int64 // of all partitions
}

func (e *GapError) Error() string {
	more := ""
	if n := len(e.Gaps) - 1; n > 0 {
		more = fmt.Sprintf(" (and of %d other partitions)", n)
	}
	return fmt.Sprintf("messages %d to %d of partition %d of topic %s are gone%s: the topic's retention was shorter than this job's delay", e.From, e.To-1, e.Partition, e.Topic, more)
}

// A LostTailError means that the topic ends before the position that the table has reached.
type LostTailError struct {
	Topic     string
	Partition int32
	At, End   int64
}

func (e *LostTailError) Error() string {
	return fmt.Sprintf("the table is at position %d of partition %d of topic %s, which ends at %d: the topic has lost messages", e.At, e.Partition, e.Topic, e.End)
}

// Begin is where to read on: the table's positions, and first for partitions that it does not know. It fails with an *IdentityError,
// a *GapError or a *LostTailError where the positions do not fit the topic: never a silent jump.
func (o Offsets) Begin(t Topic, first map[int32]int64) (map[int32]int64, error) {
	return o.begin(t, first, 0)
}

func (o Offsets) begin(t Topic, first map[int32]int64, without rule) (map[int32]int64, error) {
	if err := o.Same(t); err != nil && without != ruleIdentity {
		return nil, err
	}
	from, gaps := map[int32]int64{}, map[int32][2]int64{}
	for _, p := range slices.Sorted(maps.Keys(t.Ends)) {
		at, known := o.Next[p]
		switch {
		case !known:
			at = first[p]
		case at < t.Starts[p]:
			gaps[p] = [2]int64{at, t.Starts[p]}
			at = t.Starts[p]
		case at > t.Ends[p]:
			return nil, &LostTailError{Topic: t.Name, Partition: p, At: at, End: t.Ends[p]}
		}
		from[p] = at
	}
	if len(gaps) > 0 && without != ruleGap {
		p := slices.Min(slices.Collect(maps.Keys(gaps)))
		return nil, &GapError{Topic: t.Name, Partition: p, From: gaps[p][0], To: gaps[p][1], Gaps: gaps}
	}
	return from, nil
}

// Same fails with an *IdentityError where the positions are not those of a topic.
func (o Offsets) Same(t Topic) error {
	if o.TopicID == "" || o.TopicID == t.ID && o.Cluster == t.Cluster {
		return nil
	}
	return &IdentityError{Table: o.Cluster, Broker: t.Cluster, Topic: t.Name, TableID: o.TopicID, BrokerID: t.ID}
}
