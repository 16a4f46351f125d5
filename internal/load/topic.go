package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// answerWithin bounds the first question to the broker: one that is not there is said at once.
	answerWithin = 5 * time.Second
	// leadersWithin bounds the wait for a leader of each partition of a fresh topic.
	leadersWithin = 30 * time.Second
)

// ErrNoTopic means that the topic is not there and that the profile forbids making it.
var ErrNoTopic = errors.New("no such topic")

// ensureTopic makes the topic if it is missing and may be made, waits until each partition has a leader, and returns their number.
func ensureTopic(ctx context.Context, cl *kgo.Client, t Topic) (int, error) {
	adm := kadm.NewClient(cl)
	d, err := describeTopic(ctx, adm, t.Name)
	if err != nil {
		return 0, err
	}
	if errors.Is(d.Err, kerr.UnknownTopicOrPartition) {
		if t.Create == "never" {
			return 0, fmt.Errorf("topic %s: %w", t.Name, ErrNoTopic)
		}
		n := int32(t.Partitions)
		if n == 0 {
			n = defaultPartitions
		}
		r, err := adm.CreateTopic(ctx, n, -1, nil, t.Name)
		if err == nil {
			err = r.Err
		}
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return 0, fmt.Errorf("create topic %s: %w", t.Name, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, leadersWithin)
	defer cancel()
	for {
		if d, err = describeTopic(ctx, adm, t.Name); err != nil {
			return 0, err
		}
		if d.Err != nil && !errors.Is(d.Err, kerr.UnknownTopicOrPartition) && !errors.Is(d.Err, kerr.LeaderNotAvailable) {
			return 0, fmt.Errorf("topic %s: %w", t.Name, d.Err)
		}
		led := 0
		for _, p := range d.Partitions {
			if p.Err == nil && p.Leader >= 0 {
				led++
			}
		}
		if led > 0 && led == len(d.Partitions) {
			return led, nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return 0, fmt.Errorf("topic %s: %d of %d partitions have a leader after %v: %w", t.Name, led, len(d.Partitions), leadersWithin, context.Cause(ctx))
		}
	}
}

func describeTopic(ctx context.Context, adm *kadm.Client, name string) (kadm.TopicDetail, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	all, err := adm.ListTopics(ctx, name)
	if err != nil {
		return kadm.TopicDetail{}, fmt.Errorf("topic %s: %w", name, err)
	}
	return all[name], nil
}
