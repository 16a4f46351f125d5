package load

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// maxBufferedBytes bounds the memory of large messages, whatever max_in_flight says.
const maxBufferedBytes = 256 << 20

// clientOptions are the producer's settings: the profile's, and those without which a figure would be wrong.
func (p *Profile) clientOptions() []kgo.Opt {
	linger, batch, delivery := defaultLinger, int32(p.largestBatch()), p.deliveryTimeout()
	if p.Producer.Linger != nil {
		linger = time.Duration(*p.Producer.Linger)
	}
	opts := []kgo.Opt{
		kgo.ProducerLinger(linger),
		kgo.ProducerBatchMaxBytes(batch),
		kgo.MaxBufferedRecords(p.inFlight()),
		kgo.MaxBufferedBytes(max(maxBufferedBytes, 2*int(batch))),
		kgo.RecordDeliveryTimeout(delivery),
		kgo.RecordPartitioner(warmPartitioner{kgo.StickyKeyPartitioner(nil)}), // murmur2 of the key, as Java's
		// A partition of a fresh topic may have no leader in the first answer; with the default the client asks again after 5 s.
		kgo.MetadataMinAge(50 * time.Millisecond),
		kgo.ProducerBatchCompression(codecs[p.Producer.Compression]),
	}
	idempotent := p.Producer.Idempotent == nil || *p.Producer.Idempotent
	switch p.Producer.Acks {
	case "1":
		opts = append(opts, kgo.RequiredAcks(kgo.LeaderAck()))
		idempotent = false
	case "0":
		opts = append(opts, kgo.RequiredAcks(kgo.NoAck()))
		idempotent = false
	}
	if !idempotent {
		opts = append(opts, kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(1)) // one: a retry must not overtake
	}
	return opts
}

var codecs = map[string]kgo.CompressionCodec{
	"":       kgo.NoCompression(),
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression().WithLevel(1),
}

// batch is how large the profile wants a partition's batches.
func (p *Profile) batch() int {
	if p.Producer.Batch > 0 {
		return int(p.Producer.Batch)
	}
	return defaultBatch
}

func (p *Profile) deliveryTimeout() time.Duration {
	if p.Producer.Timeout > 0 {
		return time.Duration(p.Producer.Timeout)
	}
	return defaultDelivery
}

// warmPartitioner lets a warm-up message without a key say where it goes; all others go where Kafka's own producer puts them.
type warmPartitioner struct{ kgo.Partitioner }

func (w warmPartitioner) ForTopic(t string) kgo.TopicPartitioner {
	return warmTopic{w.Partitioner.ForTopic(t)}
}

type warmTopic struct{ kgo.TopicPartitioner }

func (w warmTopic) RequiresConsistency(r *kgo.Record) bool {
	return chosen(r) >= 0 || w.TopicPartitioner.RequiresConsistency(r)
}

func (w warmTopic) Partition(r *kgo.Record, n int) int {
	if p := chosen(r); p >= 0 {
		return int(p)
	}
	return w.TopicPartitioner.Partition(r, n)
}

func (w warmTopic) OnNewBatch() {
	if b, ok := w.TopicPartitioner.(kgo.TopicPartitionerOnNewBatch); ok {
		b.OnNewBatch()
	}
}

func chosen(r *kgo.Record) int32 {
	if p, ok := r.Context.(*parcel); ok && r.Key == nil {
		return p.partition
	}
	return -1
}
