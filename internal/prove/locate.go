package prove

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/kafka"
	"weir/internal/load"
	"weir/internal/stamp"
	"weir/internal/verify"
)

// Locate gives the lost messages that a proof names their places in their topics, or says that the topic holds them no more. It reads
// the topics from the run's start on, committed messages only.
func Locate(ctx context.Context, m *load.Manifest, connect func(...kgo.Opt) (*kgo.Client, error), r *verify.Result) error {
	results := []*verify.Result{r}
	for i := range r.Tables {
		results = append(results, &r.Tables[i])
	}
	for _, one := range results {
		lost := map[message]*verify.Evidence{}
		for i := range one.Evidence {
			if e := &one.Evidence[i]; e.Kind == "lost" {
				lost[message{e.Shard, e.Seq}] = e
			}
		}
		if len(lost) == 0 {
			continue
		}
		stream := max(0, slices.Index(Tables(m), one.Table))
		if err := search(ctx, m, m.Streams[stream].Topic, connect, lost); err != nil {
			return err
		}
	}
	return nil
}

type message struct {
	shard int32
	seq   int64
}

// search reads a topic until all are found or it ends. What it finds it takes out of lost.
func search(ctx context.Context, m *load.Manifest, topic string, connect func(...kgo.Opt) (*kgo.Client, error), lost map[message]*verify.Evidence) error {
	cl, err := connect()
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := kafka.Ping(ctx, cl); err != nil {
		return err
	}
	ends, err := kafka.Ends(ctx, cl, topic)
	if err != nil {
		return err
	}
	listed, err := kadm.NewClient(cl).ListOffsetsAfterMilli(ctx, m.Started.Add(-time.Minute).UnixMilli(), topic) // clocks may differ a little
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return fmt.Errorf("topic %s: %w", topic, err)
	}
	from, open := map[int32]kgo.Offset{}, map[int32]int64{}
	for p, end := range ends {
		if o, ok := listed.Lookup(topic, p); ok && o.Offset < end {
			from[p], open[p] = kgo.NewOffset().At(o.Offset), end
		}
	}
	reader, err := connect(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords()) // they may be the last ones
	if err != nil {
		return err
	}
	defer reader.Close()
	for len(open) > 0 && len(lost) > 0 {
		got := reader.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("topic %s: %d messages are not found: %w", topic, len(lost), err)
		}
		if errs := got.Errors(); len(errs) > 0 {
			return fmt.Errorf("topic %s: %w", topic, errs[0].Err)
		}
		got.EachRecord(func(rec *kgo.Record) {
			if rec.Offset+1 >= open[rec.Partition] {
				delete(open, rec.Partition)
			}
			s, ok := stamp.Of(rec)
			if !ok || s.Run.String() != m.Run {
				return
			}
			if e := lost[message{s.Shard, s.Seq}]; e != nil {
				e.Topic, e.Partition, e.Offset = topic, rec.Partition, rec.Offset
				e.Detail = "acknowledged by the broker and still in the topic; neither in the table nor in the quarantine"
				delete(lost, message{s.Shard, s.Seq})
			}
		})
	}
	for _, e := range lost {
		e.Detail += "; topic " + topic + " does not hold it either"
	}
	return nil
}
