package kafka

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"weir/internal/cli"
)

// Identity tells which topic this is: a rebuilt cluster or a recreated topic has other ids under the same names. The topic's id
// is spelt as Kafka's own tools spell it (kafka-topics --describe).
func Identity(ctx context.Context, cl *kgo.Client, topic string) (cluster, topicID string, partitions int, err error) {
	m, t, err := metadata(ctx, cl, topic)
	if err != nil {
		return "", "", 0, topicError(topic, err)
	}
	if m.ClusterID != nil {
		cluster = *m.ClusterID
	}
	return cluster, base64.RawURLEncoding.EncodeToString(t.TopicID[:]), len(t.Partitions), nil
}

// metadata asks a broker. The admin client would answer from its cache, where a topic that was made again is still the old one.
func metadata(ctx context.Context, cl *kgo.Client, topic string) (*kmsg.MetadataResponse, kmsg.MetadataResponseTopic, error) {
	req := kmsg.NewPtrMetadataRequest()
	name := kmsg.NewMetadataRequestTopic()
	name.Topic = &topic
	req.Topics = append(req.Topics, name)
	m, err := req.RequestWith(ctx, cl)
	if err != nil {
		return nil, kmsg.MetadataResponseTopic{}, err
	}
	if len(m.Topics) != 1 {
		return m, kmsg.MetadataResponseTopic{}, kerr.UnknownTopicOrPartition
	}
	return m, m.Topics[0], kerr.ErrorForCode(m.Topics[0].ErrorCode)
}

// ErrNoTopic is what errors.Is finds where a topic does not exist.
var ErrNoTopic = errors.New("no such topic")

type noTopic string

func (t noTopic) Error() string        { return fmt.Sprintf("topic %s does not exist", string(t)) }
func (t noTopic) Is(target error) bool { return target == ErrNoTopic } //nolint:errorlint // a sentinel, by identity

func topicError(topic string, err error) error {
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return &cli.Error{
			Err:  noTopic(topic),
			Hint: "make it (`loadgen run` makes the topic of its profile), or correct `topic:` in the job",
		}
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		return &cli.Error{
			Err:  fmt.Errorf("topic %s: the broker does not allow this user to use it", topic),
			Hint: "ask for the right to describe and read it, or log in as another user (kafka.sasl in weir.yaml)",
		}
	}
	return fmt.Errorf("topic %s: %w", topic, err)
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

// After is the first offset of each partition whose record says it is of a time or later; where there is none, the end.
func After(ctx context.Context, cl *kgo.Client, topic string, t time.Time) (map[int32]int64, error) {
	l, err := kadm.NewClient(cl).ListOffsetsAfterMilli(ctx, t.UnixMilli(), topic)
	return positions(l, topic, err)
}

func positions(l kadm.ListedOffsets, topic string, err error) (map[int32]int64, error) {
	if err == nil {
		err = l.Error()
	}
	if err != nil {
		return nil, topicError(topic, fmt.Errorf("positions: %w", err))
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

const topicLimit = 30 * time.Second

// EnsureTopic makes a topic where there is none and waits until each of its partitions has a leader, for half a minute at most. A
// topic that is there already keeps the partitions that it has.
func EnsureTopic(ctx context.Context, cl *kgo.Client, topic string, partitions int) error {
	ctx, cancel := context.WithTimeout(ctx, topicLimit)
	defer cancel()
	_, err := kadm.NewClient(cl).CreateTopic(ctx, int32(partitions), -1, nil, topic)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("make topic %s: %w", topic, err)
	}
	for {
		_, t, err := metadata(ctx, cl, topic)
		if err == nil && ready(t) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("topic %s: not every partition has a leader: %w", topic, errors.Join(context.Cause(ctx), err))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func ready(t kmsg.MetadataResponseTopic) bool {
	for _, p := range t.Partitions {
		if p.ErrorCode != 0 || p.Leader < 0 {
			return false
		}
	}
	return len(t.Partitions) > 0
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
