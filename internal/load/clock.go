package load

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A Clock is how the broker's clock differs from ours: it lies within Offset ± Error.
type Clock struct {
	Offset float64 `json:"offset_ms"` // positive: the broker's is ahead
	Error  float64 `json:"error_ms"`  // from the round trips, and the millisecond that Kafka counts in
}

// clockTopic is where brokers stamp records with their own time (message.timestamp.type). It holds some records of each run, for an hour.
const clockTopic = "weir-clock"

// probes of the clock: the narrowest of them decide.
const probes = 8

// errNoClock means that the topic is not there and that the profile forbids making topics.
var errNoClock = errors.New("topic " + clockTopic + " is not there, and the profile makes no topics")

// measureClock compares the clocks of the broker and this machine, as Cristian's algorithm does (1989): a record is stamped between
// its send and its acknowledgement, and what all probes allow is narrower than what one of them allows.
func measureClock(ctx context.Context, connect func(...kgo.Opt) (*kgo.Client, error), create bool) (*Clock, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	cl, err := connect(kgo.DefaultProduceTopic(clockTopic), kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite(), kgo.ProducerLinger(0),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MetadataMinAge(50*time.Millisecond), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	if err := ensureClock(ctx, kadm.NewClient(cl), create); err != nil {
		return nil, err
	}
	all := map[int64]*probe{}
	first := int64(math.MaxInt64)
	for i := range probes + 1 {
		sent := time.Now()
		rec, err := cl.ProduceSync(ctx, &kgo.Record{Value: []byte("weir")}).First()
		if err != nil {
			return nil, err
		}
		if i == 0 { // it has made the connection
			continue
		}
		all[rec.Offset] = &probe{sent: sent, acked: time.Now()}
		first = min(first, rec.Offset)
	}
	cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{clockTopic: {0: kgo.NewOffset().At(first)}})
	for seen := 0; seen < len(all); {
		f := cl.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var failed error
		f.EachError(func(_ string, _ int32, err error) { failed = err })
		if failed != nil {
			return nil, failed
		}
		f.EachRecord(func(r *kgo.Record) {
			p := all[r.Offset]
			if p == nil {
				return
			}
			if seen++; r.Attrs.TimestampType() != 1 {
				failed = errors.New("the broker does not stamp the records of topic " + clockTopic + " with its own time")
			}
			p.stamped = r.Timestamp
		})
		if failed != nil {
			return nil, failed
		}
	}
	return between(slices.Collect(maps.Values(all)))
}

// probe is a record that the broker has stamped.
type probe struct{ sent, acked, stamped time.Time }

// between is what all probes allow.
func between(all []*probe) (*Clock, error) {
	low, high := math.Inf(-1), math.Inf(1)
	for _, p := range all {
		low = max(low, millis(p.stamped.Sub(p.acked)))
		high = min(high, millis(p.stamped.Sub(p.sent))+1) // the broker cuts its milliseconds off
	}
	if low > high { // a clock was set in between
		return nil, errors.New("the clocks do not stand still against each other")
	}
	return &Clock{round3((low + high) / 2), round3((high - low) / 2)}, nil
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func ensureClock(ctx context.Context, adm *kadm.Client, create bool) error {
	d, err := describeTopic(ctx, adm, clockTopic)
	if err != nil {
		return err
	}
	if d.Err == nil {
		return nil
	}
	if !errors.Is(d.Err, kerr.UnknownTopicOrPartition) {
		return d.Err
	}
	if !create {
		return errNoClock
	}
	text := func(s string) *string { return &s }
	r, err := adm.CreateTopic(ctx, 1, -1, map[string]*string{"message.timestamp.type": text("LogAppendTime"), "retention.ms": text("3600000")}, clockTopic)
	if err == nil {
		err = r.Err
	}
	if errors.Is(err, kerr.TopicAlreadyExists) {
		return nil
	}
	return err
}

// compareClocks notes the difference of the clocks; where it cannot be told, why.
func (r *run) compareClocks(ctx context.Context) {
	create := true
	for _, m := range r.Profile.parts() {
		create = create && m.Topic.Create != "never"
	}
	var err error
	if r.clock, err = measureClock(ctx, r.Connect, create); err != nil && ctx.Err() == nil {
		r.clockWhy = err.Error()
		r.Log.Debug("clock not measured", "run", r.manifest.Run, "error", err)
	}
}

// ahead says why times at which rows can be read are in doubt: they are told by other machines' clocks.
func (h *Health) ahead(limits []Threshold) string {
	for _, t := range limits {
		if c := h.Clock; c != nil && t.Metric == "freshness_s" && math.Abs(c.Offset)-c.Error > 1000*t.Max/10 {
			return fmt.Sprintf("the broker's clock is %.0f ms off ours, more than a tenth of what %s allows: set the clocks first", c.Offset, t)
		}
	}
	return ""
}
