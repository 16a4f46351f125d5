package show

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"weir/internal/control"
)

// partitionsTold of a stream have figures of their own: those furthest behind. Each is three time series at whoever reads them.
const partitionsTold = 100

// Metrics are the streams of a hub as Prometheus reads them; see docs/freshness.md for the list.
func Metrics(hub *control.Hub) prometheus.Collector { return streams{hub} }

type streams struct{ hub *control.Hub }

type figure struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*control.Stream) float64
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("weir_ingest_"+name, help, append([]string{"job"}, labels...), nil)
}

var figures = []figure{
	{desc("freshness_seconds", "age of the oldest message that is not in the table"), prometheus.GaugeValue, func(s *control.Stream) float64 { return s.BehindSeconds }},
	{desc("complete_up_to_timestamp_seconds", "every message that came before this instant is in the table; 0: not known"), prometheus.GaugeValue, func(s *control.Stream) float64 { return unix(s.CompleteUpTo) }},
	{desc("lag_records", "messages that are not in the table"), prometheus.GaugeValue, func(s *control.Stream) float64 { return float64(s.BehindRecords) }},
	{desc("lag_bytes", "their size, estimated"), prometheus.GaugeValue, func(s *control.Stream) float64 { return float64(s.BehindBytes) }},
	{desc("catch_up_seconds", "until nothing is left, at the rates of the last minute; -1: never"), prometheus.GaugeValue, func(s *control.Stream) float64 { return s.CatchUpSeconds }},
	{desc("in_rows_per_second", "what comes into the topic"), prometheus.GaugeValue, func(s *control.Stream) float64 { return s.InPerSec }},
	{desc("out_rows_per_second", "what comes into the table"), prometheus.GaugeValue, func(s *control.Stream) float64 { return s.OutPerSec }},
	{desc("held_bytes", "messages in memory, read ahead of the batch in work"), prometheus.GaugeValue, func(s *control.Stream) float64 { return float64(s.HeldBytes) }},
	{desc("workers", "parts that are worked on side by side, or worker processes"), prometheus.GaugeValue, func(s *control.Stream) float64 { return float64(s.Workers) }},
	{desc("last_commit_timestamp_seconds", "when the table moved last; 0: not since the start"), prometheus.GaugeValue, func(s *control.Stream) float64 { return unix(s.LastCommit) }},
	{desc("last_batch_seconds", "how long the last batch took, with its commit"), prometheus.GaugeValue, func(s *control.Stream) float64 { return s.CommitMillis / 1000 }},
	{desc("rows_total", "rows that came into the table since the start"), prometheus.CounterValue, func(s *control.Stream) float64 { return float64(s.Rows) }},
	{desc("quarantined_rows_total", "messages that came into the quarantine since the start"), prometheus.CounterValue, func(s *control.Stream) float64 { return float64(s.Quarantined) }},
	{desc("commits_total", "commits since the start"), prometheus.CounterValue, func(s *control.Stream) float64 { return float64(s.Commits) }},
	{desc("blocked_seconds_total", "time in which a batch waited for its commit, since the start"), prometheus.CounterValue, func(s *control.Stream) float64 { return s.BlockedSeconds }},
	{desc("failed", "1 if the stream has ended with an error"), prometheus.GaugeValue, func(s *control.Stream) float64 {
		if s.State == control.Failed {
			return 1
		}
		return 0
	}},
}

var (
	partitionSeconds = desc("partition_lag_seconds", "freshness of the partitions that are furthest behind, a hundred at most", "partition")
	partitionRecords = desc("partition_lag_records", "messages of those partitions that are not in the table", "partition")
	partitionBytes   = desc("partition_lag_bytes", "their size, estimated", "partition")
)

func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

// Describe names the figures.
func (m streams) Describe(to chan<- *prometheus.Desc) {
	for _, f := range figures {
		to <- f.desc
	}
	to <- partitionSeconds
	to <- partitionRecords
	to <- partitionBytes
}

// Collect gives the figures as they are now.
func (m streams) Collect(to chan<- prometheus.Metric) {
	sn := m.hub.Snapshot()
	for i := range sn.Streams {
		s := &sn.Streams[i]
		for _, f := range figures {
			to <- prometheus.MustNewConstMetric(f.desc, f.kind, f.value(s), s.Job)
		}
		worst := slices.SortedStableFunc(slices.Values(s.Partitions), func(a, b control.Partition) int {
			return cmp.Or(cmp.Compare(b.Seconds, a.Seconds), cmp.Compare(b.Behind(), a.Behind()))
		})
		for _, p := range worst[:min(len(worst), partitionsTold)] {
			id := strconv.Itoa(int(p.ID))
			to <- prometheus.MustNewConstMetric(partitionSeconds, prometheus.GaugeValue, p.Seconds, s.Job, id)
			to <- prometheus.MustNewConstMetric(partitionRecords, prometheus.GaugeValue, float64(p.Behind()), s.Job, id)
			to <- prometheus.MustNewConstMetric(partitionBytes, prometheus.GaugeValue, float64(p.Bytes), s.Job, id)
		}
	}
}
