package load

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/cli"
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
			return 0, &cli.Error{Err: fmt.Errorf("topic %s: %w", t.Name, ErrNoTopic), Hint: "the profile says create: never: make the topic, or let the run do it with create: if_missing"}
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
			return 0, mayNot(fmt.Errorf("create topic %s: %w", t.Name, err), "make it")
		}
	}
	ctx, cancel := context.WithTimeout(ctx, leadersWithin)
	defer cancel()
	for {
		if d, err = describeTopic(ctx, adm, t.Name); err != nil {
			return 0, err
		}
		if d.Err != nil && !errors.Is(d.Err, kerr.UnknownTopicOrPartition) && !errors.Is(d.Err, kerr.LeaderNotAvailable) {
			return 0, mayNot(fmt.Errorf("topic %s: %w", t.Name, d.Err), "see it")
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
		return kadm.TopicDetail{}, mayNot(fmt.Errorf("topic %s: %w", name, err), "see it")
	}
	return all[name], nil
}

// refusal is an authorizer's, in our words.
type refusal struct {
	said string
	err  error
}

func (r *refusal) Error() string { return r.said }
func (r *refusal) Unwrap() error { return r.err }

// mayNot puts the refusal of an authorizer into words: what the broker's user may not do. Other errors stay as they are.
func mayNot(err error, do string) error {
	ask := "ask for the rights to describe and write the topic (and to create it, if the run is to make it)"
	switch {
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed):
	case errors.Is(err, kerr.TransactionalIDAuthorizationFailed):
		ask, do = "ask for the rights to describe and write transactional ids that begin with "+transactionalID, "send in transactions"
	default:
		return err
	}
	at, _, _ := strings.Cut(err.Error(), ": "+errors.Unwrap(err).Error())
	return &cli.Error{
		Err:  &refusal{fmt.Sprintf("%s: the broker does not allow this user to %s", at, do), err},
		Hint: ask + ", or log in as another user (kafka.sasl or kafka.tls in weir.yaml)",
	}
}
