package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"

	"weir/internal/lake"
	"weir/internal/landing"
	"weir/internal/topic"
	"weir/minibatch"
)

// Raw is the `raw` block: a second output that keeps each message as it came.
type Raw struct {
	Location string `yaml:"location" jsonschema:"required,description=directory or s3://bucket/path or hdfs://namenode:8020/path for Avro container files named TOPIC-PARTITION-FIRST-LAST.avro; each is written before the batch with its messages is committed"`
}

// rawSpans are those of some parts.
func rawSpans(parts ...minibatch.Part) ([]landing.Span, error) {
	var all []landing.Span
	for _, p := range parts {
		spans, err := topic.Spans(p)
		if err != nil {
			return nil, err
		}
		for _, s := range spans {
			all = append(all, landing.Span{Partition: s.Partition, From: s.From, To: s.To})
		}
	}
	return all, nil
}

// landed passes a part's messages on and, once all are there and before anything is committed, puts them into the zone.
func landed(z *landing.Zone, p minibatch.Part, in iter.Seq2[topic.Records, error]) iter.Seq2[topic.Records, error] {
	return func(yield func(topic.Records, error) bool) {
		files := map[int32]*landing.File{}
		spans, err := rawSpans(p)
		for _, s := range spans {
			if err == nil {
				files[s.Partition], err = z.File(s)
			}
		}
		if err != nil {
			yield(nil, err)
			return
		}
		for recs, err := range in {
			for _, r := range recs {
				f := files[r.Partition]
				if f == nil {
					yield(nil, fmt.Errorf("raw: message of partition %d, which the batch does not read", r.Partition))
					return
				}
				m := landing.Message{Offset: r.Offset, Time: r.Timestamp, Key: r.Key, Value: r.Value}
				for _, h := range r.Headers {
					m.Headers = append(m.Headers, landing.Header{Key: h.Key, Value: h.Value})
				}
				f.Append(m)
			}
			if !yield(recs, err) || err != nil {
				return
			}
		}
		for _, f := range files {
			if err := f.Close(); err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// summaryRaw is where a commit says which raw files are its own, so that after a crash the next start removes those of other tries.
const summaryRaw = "weir.raw"

// openRaw opens the zone of the job, if it has one, and ends what a crash behind a commit left undone.
func (j *Job) openRaw(ctx context.Context, t *lake.Table) (*landing.Zone, error) {
	if j.cfg.Raw.Location == "" {
		return nil, nil
	}
	z, err := landing.Open(ctx, j.cfg.Raw.Location, j.parts.Storage, j.cfg.Topic, j.source.ID())
	if err != nil {
		return nil, err
	}
	committed, err := committedRaw(ctx, t, j.name, j.source.Owns)
	if err != nil {
		return nil, err
	}
	return z, z.Sweep(ctx, committed)
}

// committedRaw are the raw files of the topic that count, newest first, as far as the table still knows its commits. A person may have set
// positions back: what older commits hold beyond them is read again, and those files decide nothing any more.
func committedRaw(ctx context.Context, t *lake.Table, job string, owns func(topic.Offsets) bool) ([]landing.Span, error) {
	past, err := t.Past(ctx, job)
	if err != nil {
		return nil, err
	}
	var all []landing.Span
	lowest := map[int32]int64{} // where later commits left each partition
	for _, c := range past {
		o, err := topic.StoredOffsets(c.Cursor)
		if err != nil {
			return nil, err
		}
		if !owns(o) { // older ones are of a topic that was there before
			break
		}
		for p, next := range o.Next {
			if low, ok := lowest[p]; !ok || next < low {
				lowest[p] = next
			}
		}
		text := c.Summary[summaryRaw]
		if text == "" {
			continue
		}
		var spans []landing.Span
		if err := json.Unmarshal([]byte(text), &spans); err != nil {
			return nil, fmt.Errorf("table %s: %s of a snapshot: %w", t.Name(), summaryRaw, err)
		}
		for _, s := range spans {
			if s.To <= lowest[s.Partition] {
				all = append(all, s)
			}
		}
	}
	return all, nil
}

// tellRaw writes the batch's raw files into its commit.
func (s *sink) tellRaw(c *lake.Commit, b minibatch.Batch) {
	if s.zone == nil {
		return
	}
	if spans, err := rawSpans(b.Parts...); err == nil && len(spans) > 0 {
		text, _ := json.Marshal(spans)
		c.Summary = map[string]string{summaryRaw: string(text)}
	}
}

// sweep removes raw files of other tries of what has been committed. What it cannot remove now, the next start does.
func (s *sink) sweep(ctx context.Context, parts []minibatch.Part) {
	if s.zone == nil {
		return
	}
	spans, err := rawSpans(parts...)
	if err == nil && s.zone.Quiet(spans) {
		return
	}
	committed, err2 := committedRaw(ctx, s.table, s.job, s.owns)
	if err = errors.Join(err, err2); err == nil {
		ours := map[int32]bool{}
		for _, sp := range spans {
			ours[sp.Partition] = true
		}
		err = s.zone.Sweep(ctx, slices.DeleteFunc(committed, func(c landing.Span) bool { return !ours[c.Partition] }))
	}
	if err != nil {
		s.zone.Forget()
	}
}
