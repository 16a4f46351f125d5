package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/cli"
	"weir/internal/config"
	"weir/internal/kafka"
	"weir/internal/load"
	"weir/internal/project"
)

type captureOptions struct {
	servers
	out, count string
	duration   time.Duration
	follow     bool
}

func newCapture(app *cli.App) *cobra.Command {
	var o captureOptions
	c := &cobra.Command{
		Use: "capture TOPIC --out FILE", Short: "Keep when the messages of a topic came, how large they were and a hash of their keys", Args: cobra.ExactArgs(1),
		Long: `capture reads a topic and writes a line for each message: microseconds since the first one, bytes of its value, hash of its key.
Nothing of what the messages hold is kept. A profile plays it again:

    rate: {shape: replay, capture: orders.cap.gz, speed: 2x}
    size: {distribution: learned, file: orders.cap.gz}

    loadgen capture orders --out orders.cap.gz                     what is on the topic now
    loadgen capture orders --out orders.cap.gz --follow --duration 10m`,
		RunE: func(c *cobra.Command, args []string) error { return capture(c.Context(), app, o, args[0]) },
	}
	f := c.Flags()
	f.StringVar(&o.out, "out", "", "file to write; .gz is compressed")
	f.StringVar(&o.count, "count", "10M", "messages at most")
	f.DurationVar(&o.duration, "duration", time.Minute, "with --follow: how long")
	f.BoolVar(&o.follow, "follow", false, "what comes from now on, in place of what is there")
	o.servers.flags(f)
	cobra.CheckErr(c.MarkFlagRequired("out"))
	return c
}

func capture(ctx context.Context, app *cli.App, o captureOptions, topic string) error {
	var most config.Count
	if err := most.UnmarshalText([]byte(o.count)); err != nil || most <= 0 {
		return cli.Usage(fmt.Errorf("--count: %q is no number of messages; write 500, 200k or 1M", o.count), "")
	}
	pr, err := project.Open(".", app.Home)
	if err != nil {
		return err
	}
	brokers, _, err := o.connect(ctx, pr)
	if err != nil {
		return err
	}
	all, err := o.read(ctx, brokers, topic, int(most))
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return fmt.Errorf("topic %s: no message came", topic)
	}
	if err := load.WriteCapture(o.out, fmt.Sprintf("topic %s, %d messages", topic, len(all)), all); err != nil {
		return err
	}
	length := all[len(all)-1].At - all[0].At
	return app.Result(map[string]any{"file": o.out, "messages": len(all), "seconds": length.Seconds()},
		fmt.Sprintf("%s: %s messages of %s over %s\n", o.out, count(float64(len(all))), topic, short(length)))
}

// read takes what is on the topic, or what comes.
func (o captureOptions) read(ctx context.Context, brokers kafka.Config, topic string, most int) ([]load.Captured, error) {
	admin, err := kafka.Connect(brokers)
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	from, err := kafka.Starts(ctx, admin, topic)
	if err != nil {
		return nil, err
	}
	to, err := kafka.Ends(ctx, admin, topic)
	if err != nil {
		return nil, err
	}
	if o.follow {
		from, to = to, nil
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.duration)
		defer cancel()
	}
	offsets := map[int32]kgo.Offset{}
	for p, at := range from {
		if !o.follow && to[p] <= at {
			delete(to, p)
			continue
		}
		offsets[p] = kgo.NewOffset().At(at)
	}
	if len(offsets) == 0 {
		return nil, nil
	}
	cl, err := kafka.Connect(brokers, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: offsets}))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	return take(ctx, cl, to, most)
}

// take reads until the ends; without ends until ctx is over.
func take(ctx context.Context, cl *kgo.Client, ends map[int32]int64, most int) ([]load.Captured, error) {
	var all []load.Captured
	var zero time.Time
	left := maps.Clone(ends)
	for len(all) < most && (ends == nil || len(left) > 0) {
		f := cl.PollFetches(ctx)
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			break
		}
		if err := errors.Join(ctx.Err(), f.Err0()); err != nil {
			return nil, err
		}
		f.EachRecord(func(r *kgo.Record) {
			if end, bounded := left[r.Partition]; len(all) >= most || ends != nil && (!bounded || r.Offset >= end) {
				return
			} else if bounded && r.Offset == end-1 {
				delete(left, r.Partition)
			}
			if zero.IsZero() {
				zero = r.Timestamp
			}
			m := load.Captured{At: r.Timestamp.Sub(zero), Size: len(r.Value)}
			if r.Key != nil {
				h := fnv.New64a()
				_, _ = h.Write(r.Key)
				m.Key = max(1, h.Sum64())
			}
			all = append(all, m)
		})
	}
	slices.SortStableFunc(all, func(a, b load.Captured) int { return int(a.At - b.At) })
	return all, nil
}
