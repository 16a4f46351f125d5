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
	"github.com/twmb/franz-go/pkg/kmsg"

	"weir/internal/cli"
	"weir/internal/config"
)

const (
	// answerWithin bounds the first question to the broker: one that is not there is said at once.
	answerWithin = 5 * time.Second
	// leadersWithin bounds the wait for a leader of each partition of a fresh topic.
	leadersWithin = 30 * time.Second
)

// ErrNoTopic means that the topic is not there and that the profile forbids making it.
var ErrNoTopic = errors.New("no such topic")

// AllowRecreate lets `create: recreate` delete topics. Without it a run with such a topic refuses to begin.
func (p *Profile) AllowRecreate() {
	p.Topic.deletable = true
	for i := range p.Mix {
		p.Mix[i].Topic.deletable = true
	}
}

// Recreates lists the topics that a run would delete.
func (p *Profile) Recreates() (all []string) {
	for _, m := range p.parts() {
		if m.Topic.Create == "recreate" {
			all = append(all, m.Topic.Name)
		}
	}
	return all
}

// ensureTopic makes the topic if it is missing and may be made, waits until each partition has a leader, and returns their number.
func ensureTopic(ctx context.Context, cl *kgo.Client, t Topic) (int, error) {
	adm := kadm.NewClient(cl)
	d, err := describeTopic(ctx, adm, t.Name)
	if err != nil {
		return 0, err
	}
	there, settings := !errors.Is(d.Err, kerr.UnknownTopicOrPartition), map[string]*string(nil)
	if there && t.Create == "recreate" {
		if t.Partitions == 0 {
			t.Partitions = config.Count(len(d.Partitions))
		}
		if settings, err = deleteTopic(ctx, adm, t); err != nil {
			return 0, err
		}
		there = false
	}
	if !there {
		if t.Create == "never" {
			return 0, &cli.Error{Err: fmt.Errorf("topic %s: %w", t.Name, ErrNoTopic), Hint: "make it, or let the profile make it: topic: {create: if_missing}"}
		}
		if err := createTopic(ctx, adm, t, settings); err != nil {
			return 0, err
		}
	}
	return awaitLeaders(ctx, adm, t)
}

// partitions is how many the topic is made with.
func (t Topic) partitions() int {
	if t.Partitions == 0 {
		return defaultPartitions
	}
	return int(t.Partitions)
}

func createTopic(ctx context.Context, adm *kadm.Client, t Topic, settings map[string]*string) error {
	for { // a topic that was deleted a moment ago may still be on its way out
		r, err := adm.CreateTopic(ctx, int32(t.partitions()), -1, settings, t.Name)
		if err == nil {
			err = r.Err
		}
		switch {
		case err == nil, errors.Is(err, kerr.TopicAlreadyExists) && settings == nil:
			return nil
		case !errors.Is(err, kerr.TopicAlreadyExists):
			return mayNot(fmt.Errorf("create topic %s: %w", t.Name, err), "make it")
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("create topic %s again: %w", t.Name, context.Cause(ctx))
		}
	}
}

// deleteTopic deletes a topic, if that was allowed, and gives the settings that it had of its own.
func deleteTopic(ctx context.Context, adm *kadm.Client, t Topic) (settings map[string]*string, err error) {
	refuse := func(why, hint string) error {
		return &cli.Error{Err: fmt.Errorf("topic %s: %s", t.Name, why), Hint: hint, Exit: cli.ExitUsage}
	}
	switch {
	case strings.HasPrefix(t.Name, "__"):
		return nil, refuse("create: recreate does not delete a topic of Kafka itself", "give the profile another topic")
	case !t.deletable:
		return nil, refuse("create: recreate would delete it with all that is in it", "if that is meant: loadgen run --yes-recreate; if not: --set topic.create=if_missing")
	}
	settings = map[string]*string{}
	configs, err := adm.DescribeTopicConfigs(ctx, t.Name)
	if err == nil {
		var c kadm.ResourceConfig
		if c, err = configs.On(t.Name, nil); err == nil {
			for _, x := range c.Configs {
				if x.Source == kmsg.ConfigSourceDynamicTopicConfig {
					settings[x.Key] = x.Value
				}
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("topic %s: its settings, which the new one shall have: %w", t.Name, err)
	}
	gone, err := adm.DeleteTopic(ctx, t.Name)
	if err == nil {
		err = gone.Err
	}
	if err != nil {
		return nil, &cli.Error{Err: fmt.Errorf("delete topic %s: %w", t.Name, err), Hint: "ask for the right to delete it, or use another topic with --topic"}
	}
	return settings, nil
}

// awaitLeaders waits until each partition has one.
func awaitLeaders(ctx context.Context, adm *kadm.Client, t Topic) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, leadersWithin)
	defer cancel()
	for {
		d, err := describeTopic(ctx, adm, t.Name)
		if err != nil {
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
