package load

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"weir/internal/config"
	"weir/internal/kafka"
)

// TopicFacts are what a cluster says about one of the profile's topics.
type TopicFacts struct {
	Topic      string
	Err        error // of the question; nil: the rest holds
	Exists     bool
	Partitions int
	Leaderless int
	InSync     int   // replicas of the partition that has fewest
	Create     error // why a missing topic could not be made
	// Rights that the cluster told; without them nothing is known.
	Told, Write, Describe bool
	// Settings, 0 where they are not known; -1 is Kafka's word for no limit.
	MaxMessage, RetentionMS, RetentionBytes, MinInSync int64
	Compacted                                          bool
}

// Ask asks a cluster about the profile's topics. It changes nothing: that a topic could be made is asked without making it.
func (p *Profile) Ask(ctx context.Context, cl *kgo.Client) []TopicFacts {
	parts := p.parts()
	all := make([]TopicFacts, len(parts))
	adm := kadm.NewClient(cl)
	for i, m := range parts {
		all[i] = askTopic(ctx, cl, adm, m.Topic)
	}
	return all
}

func askTopic(ctx context.Context, cl *kgo.Client, adm *kadm.Client, t Topic) TopicFacts {
	f := TopicFacts{Topic: t.Name}
	req := kmsg.NewPtrMetadataRequest()
	name := kmsg.NewMetadataRequestTopic()
	name.Topic = kmsg.StringPtr(t.Name)
	req.Topics, req.IncludeTopicAuthorizedOperations = append(req.Topics, name), true
	m, err := req.RequestWith(ctx, cl)
	if err != nil || len(m.Topics) != 1 {
		f.Err = errors.Join(err, context.Cause(ctx))
		return f
	}
	answer := m.Topics[0]
	switch err := kerr.ErrorForCode(answer.ErrorCode); {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		f.mayCreate(ctx, cl, t)
		f.broker(ctx, adm)
		return f
	case err != nil && !errors.Is(err, kerr.LeaderNotAvailable):
		f.Err = err
		return f
	}
	f.Exists, f.Partitions, f.InSync = true, len(answer.Partitions), 1<<30
	for _, p := range answer.Partitions {
		if p.Leader < 0 || p.ErrorCode != 0 && !errors.Is(kerr.ErrorForCode(p.ErrorCode), kerr.ReplicaNotAvailable) {
			f.Leaderless++
		}
		f.InSync = min(f.InSync, len(p.ISR))
	}
	if ops := answer.AuthorizedOperations; ops != -1<<31 {
		has := func(o kmsg.ACLOperation) bool { return ops&(1<<o) != 0 }
		f.Told, f.Write, f.Describe = true, has(kmsg.ACLOperationWrite), has(kmsg.ACLOperationDescribe)
	}
	if all, err := adm.DescribeTopicConfigs(ctx, t.Name); err == nil { // without the right to ask, nothing is known
		if c, err := all.On(t.Name, nil); err == nil && c.Err == nil {
			f.settings(c.Configs)
		}
	}
	return f
}

// mayCreate asks the cluster to make the topic, for validation only.
func (f *TopicFacts) mayCreate(ctx context.Context, cl *kgo.Client, t Topic) {
	if t.Create == "never" {
		f.Create = ErrNoTopic
		return
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.ValidateOnly, req.TimeoutMillis = true, 5000
	one := kmsg.NewCreateTopicsRequestTopic()
	one.Topic, one.NumPartitions, one.ReplicationFactor = t.Name, int32(t.partitions()), -1
	req.Topics = append(req.Topics, one)
	resp, err := req.RequestWith(ctx, cl)
	if err == nil && len(resp.Topics) == 1 {
		err = kerr.ErrorForCode(resp.Topics[0].ErrorCode)
		if said := resp.Topics[0].ErrorMessage; err != nil && said != nil && *said != "" {
			err = fmt.Errorf("%w (%s)", err, *said)
		}
	}
	if !errors.Is(err, kerr.TopicAlreadyExists) { // else somebody, perhaps another shard, has made it just now
		f.Create = err
	}
}

// broker takes the defaults that a topic made now would get.
func (f *TopicFacts) broker(ctx context.Context, adm *kadm.Client) {
	all, err := adm.DescribeBrokerConfigs(ctx)
	if err != nil {
		return
	}
	for _, c := range all {
		if c.Err == nil && len(c.Configs) > 0 {
			f.settings(c.Configs)
			return
		}
	}
}

func (f *TopicFacts) settings(all []kadm.Config) {
	for _, c := range all {
		v, err := strconv.ParseInt(c.MaybeValue(), 10, 64)
		switch c.Key {
		case "cleanup.policy", "log.cleanup.policy":
			f.Compacted = c.MaybeValue() == "compact"
		case "max.message.bytes", "message.max.bytes":
			f.MaxMessage = v
		case "retention.ms", "log.retention.ms":
			if err == nil && v != 0 {
				f.RetentionMS = v
			}
		case "log.retention.hours":
			if err == nil && f.RetentionMS == 0 {
				f.RetentionMS = v * time.Hour.Milliseconds()
			}
		case "retention.bytes", "log.retention.bytes":
			f.RetentionBytes = v
		case "min.insync.replicas":
			f.MinInSync = v
		}
	}
}

// Findings hold the profile against what a cluster says. v may be nil: then nothing is said about what a whole run needs.
func (p *Profile) Findings(facts []TopicFacts, v *Preview) (steps []kafka.Step) {
	parts := p.parts()
	for i, f := range facts {
		m := &parts[i]
		good := func(format string, args ...any) {
			steps = append(steps, kafka.Step{Name: "topic", OK: true, Said: f.Topic + " " + fmt.Sprintf(format, args...)})
		}
		bad := func(hint, format string, args ...any) {
			steps = append(steps, kafka.Step{Name: "topic", Said: f.Topic + " " + fmt.Sprintf(format, args...), Hint: hint})
		}
		warn := func(hint, format string, args ...any) {
			steps = append(steps, kafka.Step{Name: "topic", OK: true, Warn: true, Said: f.Topic + " " + fmt.Sprintf(format, args...), Hint: hint})
		}
		switch {
		case errors.Is(f.Err, kerr.TopicAuthorizationFailed):
			bad("ask for the rights DESCRIBE and WRITE on it, or log in as another user (kafka.sasl in weir.yaml)", "is not allowed to this user")
			continue
		case f.Err != nil:
			bad("is the cluster overloaded?", "is not described: %v", f.Err)
			continue
		case !f.Exists && errors.Is(f.Create, ErrNoTopic):
			bad("make it, or let the profile make it: topic: {create: if_missing}", "does not exist, and the profile forbids making it (create: never)")
			continue
		case !f.Exists && errors.Is(f.Create, kerr.TopicAuthorizationFailed):
			bad("ask for the right CREATE, or have it made by someone who may", "does not exist, and this user may not create it")
			continue
		case !f.Exists && f.Create != nil:
			bad("make it by hand, or change topic: {partitions: …}", "does not exist, and the cluster would not create it: %v", f.Create)
			continue
		case !f.Exists:
			good("does not exist yet; it may be created with %d partitions", m.Topic.partitions())
		case f.Leaderless > 0:
			bad("are all brokers up?", "has no leader for %d of its %d partitions", f.Leaderless, f.Partitions)
		default:
			good("exists with %d partitions", f.Partitions)
		}
		if f.Told && f.Write {
			good("may be written")
		} else if f.Told {
			bad("ask for the right WRITE on it, or log in as another user (kafka.sasl in weir.yaml)", "may not be written by this user")
		}
		switch n := int(m.Topic.Partitions); {
		case f.Exists && m.Topic.Create == "recreate":
			warn("leave create: recreate out to keep it", "would be deleted with all that is in it, and made again")
		case f.Exists && n > 0 && n != f.Partitions:
			warn(fmt.Sprintf("--set topic.partitions=%d, or another --topic", f.Partitions), "has %d partitions, the profile counts on %d: keys lie otherwise, and per partition it is another load", f.Partitions, n)
		}
		if f.Exists && f.MinInSync > int64(f.InSync) && (p.Producer.Acks == "" || p.Producer.Acks == "all") {
			bad("bring the brokers back, or lower min.insync.replicas", "has %d replicas in sync, it wants %d for acks: all", f.InSync, f.MinInSync)
		}
		largest, batch := m.largest(), p.largestBatch()
		if v != nil && largest == 0 {
			largest = int(v.Parts[i].Size.Max)
		}
		switch most := f.MaxMessage; {
		case most <= 0:
		case int64(largest) > most-recordOverhead:
			bad(fmt.Sprintf("raise max.message.bytes of the topic above %d, or lower size.max", largest+recordOverhead), "takes messages of %v, the profile's largest has %v", bytesWords(most), bytesWords(int64(largest)))
		case int64(batch) > most:
			bad(fmt.Sprintf("--set producer.batch=%v", config.Size(most)), "takes batches of %v, the producer makes them up to %v", bytesWords(most), bytesWords(int64(batch)))
		default:
			good("takes messages of %v", bytesWords(most))
		}
		if v != nil {
			p.retained(f, v, i, warn)
		}
		if f.Compacted {
			warn("for a load test, take a topic with cleanup.policy=delete", "is compacted: older messages of a key vanish, and a pipeline that is behind never sees them")
		}
	}
	return steps
}

// recordOverhead is what a batch adds to its only message: header, key, identity.
const recordOverhead = 300

// largestBatch is what the producer's batches may have, as the client is told.
func (p *Profile) largestBatch() int {
	batch := p.batch()
	if s := p.largest(); s > batch-4096 { // a message must fit into a batch
		batch = s + 64<<10
	}
	return batch
}

// retained warns where Kafka forgets what a run has sent before the run, with its proof's patience, is over.
func (p *Profile) retained(f TopicFacts, v *Preview, part int, warn func(hint, format string, args ...any)) {
	long := v.Duration + p.Drain()
	if keep := time.Duration(f.RetentionMS) * time.Millisecond; f.RetentionMS > 0 && v.Duration > 0 && keep < long {
		warn("raise retention.ms of the topic", "keeps messages for %v, the run with its drain_timeout lasts %v: a pipeline that is behind would lose them", keep, long.Round(time.Second))
	}
	n := int64(m0(f.Partitions, p.parts()[part].Topic.partitions()))
	whole := int64(float64(v.Bytes) * v.Parts[part].Of)
	if f.RetentionBytes > 0 && whole > f.RetentionBytes*n {
		warn("raise retention.bytes of the topic", "keeps %v in each of %d partitions, the run sends %v: a pipeline that is behind would lose them", bytesWords(f.RetentionBytes), n, bytesWords(whole))
	}
}

func m0(n, other int) int {
	if n > 0 {
		return n
	}
	return other
}

// bytesWords writes a size to four digits.
func bytesWords(n int64) string {
	for _, u := range []struct {
		unit string
		size float64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if v := float64(n) / u.size; v >= 1 {
			return strconv.FormatFloat(v, 'g', 4, 64) + " " + u.unit
		}
	}
	return strconv.FormatInt(n, 10) + " B"
}
