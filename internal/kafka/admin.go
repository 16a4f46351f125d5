package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/cli"
)

// Identity tells which topic this is: a rebuilt cluster or a recreated topic has other ids under the same names.
func Identity(ctx context.Context, cl *kgo.Client, topic string) (cluster, topicID string, partitions int, err error) {
	m, err := kadm.NewClient(cl).Metadata(ctx, topic)
	if err != nil {
		return "", "", 0, fmt.Errorf("topic %s: %w", topic, err)
	}
	d := m.Topics[topic]
	if errors.Is(d.Err, kerr.UnknownTopicOrPartition) {
		return "", "", 0, &cli.Error{
			Err:  fmt.Errorf("topic %s does not exist", topic),
			Hint: "make it (`loadgen run` makes the topic of its profile), or correct `topic:` in the job",
		}
	}
	if d.Err != nil {
		return "", "", 0, fmt.Errorf("topic %s: %w", topic, d.Err)
	}
	return m.Cluster, fmt.Sprintf("%x", d.ID[:]), len(d.Partitions), nil
}

// Ends gives the last stable offset of each partition: what a reader of committed messages can read up to.
func Ends(ctx context.Context, cl *kgo.Client, topic string) (map[int32]int64, error) {
	l, err := kadm.NewClient(cl).ListCommittedOffsets(ctx, topic)
	return positions(l, topic, err)
}

// Starts gives the first offset that each partition still has.
func Starts(ctx context.Context, cl *kgo.Client, topic string) (map[int32]int64, error) {
	l, err := kadm.NewClient(cl).ListStartOffsets(ctx, topic)
	return positions(l, topic, err)
}

func positions(l kadm.ListedOffsets, topic string, err error) (map[int32]int64, error) {
	if err == nil {
		err = l.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("positions of topic %s: %w", topic, err)
	}
	at := map[int32]int64{}
	for _, o := range l[topic] {
		at[o.Partition] = o.Offset
	}
	if len(at) == 0 {
		return nil, fmt.Errorf("topic %s has no partitions", topic)
	}
	return at, nil
}

// EnsureTopic makes a topic where there is none and waits until each of its partitions has a leader.
func EnsureTopic(ctx context.Context, cl *kgo.Client, topic string, partitions int) error {
	adm := kadm.NewClient(cl)
	_, err := adm.CreateTopic(ctx, int32(partitions), -1, nil, topic)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("make topic %s: %w", topic, err)
	}
	for {
		m, err := adm.Metadata(ctx, topic)
		if err == nil && ready(m.Topics[topic]) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("topic %s: not every partition has a leader: %w", topic, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func ready(t kadm.TopicDetail) bool {
	for _, p := range t.Partitions {
		if p.Err != nil || p.Leader < 0 {
			return false
		}
	}
	return t.Err == nil && len(t.Partitions) > 0
}

// CommitGroup tells lag tools how far the table is. Nothing of ours reads it back.
func CommitGroup(ctx context.Context, cl *kgo.Client, group, topic string, next map[int32]int64) error {
	var os kadm.Offsets
	for p, n := range next {
		os.AddOffset(topic, p, n, -1)
	}
	rs, err := kadm.NewClient(cl).CommitOffsets(ctx, group, os)
	if err == nil {
		err = rs.Error()
	}
	if err != nil {
		return fmt.Errorf("offsets of group %s: %w", group, err)
	}
	return nil
}
