package intake

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/kafka"
)

// Kafka takes events from a topic: values in any form that Decode knows, or CloudEvents with their attributes in headers (ce_type).
// An offset is committed once everything before it is on the disk.
type Kafka struct {
	Config  kafka.Config
	Topic   string
	Group   string // empty: weir-notify
	Taker   Taker
	Aside   Aside
	Metrics *Metrics
	Log     *slog.Logger
}

// Run goes on until ctx ends. Brokers that cannot be reached are waited for.
func (k Kafka) Run(ctx context.Context) error {
	if k.Group == "" {
		k.Group = "weir-notify"
	}
	cl, err := kafka.Connect(k.Config, kgo.ConsumerGroup(k.Group), kgo.ConsumeTopics(k.Topic), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxBytes(8<<20), kgo.FetchMaxPartitionBytes(2<<20))
	if err != nil {
		return err
	}
	defer cl.CloseAllowingRebalance()
	p := puller{"kafka", k.Taker, k.Aside, k.Metrics, k.Log}
	for ctx.Err() == nil {
		got := cl.PollRecords(ctx, 200)
		got.EachError(func(topic string, partition int32, err error) {
			if ctx.Err() == nil {
				k.Log.Error("topic not read; it is tried again", "topic", topic, "partition", partition, "err", err)
			}
		})
		var items []item
		records := got.Records()
		for _, r := range records {
			items = append(items, item{fmt.Sprintf("%s-%d-%d", r.Topic, r.Partition, r.Offset), r.Value, headers(r)})
		}
		if len(items) > 0 {
			err := again(ctx, k.Log, "kafka", func() error { return p.take(ctx, items) })
			if err == nil {
				err = cl.CommitRecords(ctx, records...)
			}
			if err != nil && ctx.Err() == nil { // they come again, and are told once
				k.Log.Warn("offsets not committed", "topic", k.Topic, "err", err)
			}
		}
		cl.AllowRebalance()
		if len(records) == 0 && got.Err() != nil {
			pause(ctx, spoolEvery)
		}
	}
	return nil
}

// headers of the CloudEvents binding for Kafka.
func headers(r *kgo.Record) func(name string) string {
	return func(name string) string {
		key := "ce_" + name
		if name == "" {
			key = "content-type"
		}
		for _, h := range r.Headers {
			if strings.EqualFold(h.Key, key) {
				return string(h.Value)
			}
		}
		return ""
	}
}
