package show

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"weir/internal/control"
)

// Prometheus reads each stream, and of its partitions those that are furthest behind: a topic with thousands must not drown it.
func TestMetricsOfStreams(t *testing.T) {
	hub := control.NewHub("test", t.TempDir())
	st := control.Stream{Job: "orders", State: control.Failed, BehindSeconds: 12.5, BehindRecords: 700, BehindBytes: 70_000, CatchUpSeconds: -1, Rows: 41, Quarantined: 2, BlockedSeconds: 1.5, LastCommit: time.UnixMilli(1_795_000_000_250)}
	for i := range int32(1000) {
		st.Partitions = append(st.Partitions, control.Partition{ID: i, Position: 1, End: 1 + int64(i), Seconds: float64(i)})
	}
	hub.Update(func(s *control.Snapshot) { s.Streams = append(s.Streams, st) })
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(Metrics(hub))
	if err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP weir_ingest_freshness_seconds age of the oldest message that is not in the table
# TYPE weir_ingest_freshness_seconds gauge
weir_ingest_freshness_seconds{job="orders"} 12.5
# HELP weir_ingest_last_commit_timestamp_seconds when the table moved last; 0: not since the start
# TYPE weir_ingest_last_commit_timestamp_seconds gauge
weir_ingest_last_commit_timestamp_seconds{job="orders"} 1.79500000025e+09
# HELP weir_ingest_complete_up_to_timestamp_seconds every message that came before this instant is in the table; 0: not known
# TYPE weir_ingest_complete_up_to_timestamp_seconds gauge
weir_ingest_complete_up_to_timestamp_seconds{job="orders"} 0
# HELP weir_ingest_failed 1 if the stream has ended with an error
# TYPE weir_ingest_failed gauge
weir_ingest_failed{job="orders"} 1
`), "weir_ingest_freshness_seconds", "weir_ingest_last_commit_timestamp_seconds", "weir_ingest_complete_up_to_timestamp_seconds", "weir_ingest_failed"); err != nil {
		t.Error(err)
	}
	n, err := testutil.GatherAndCount(reg, "weir_ingest_partition_lag_seconds")
	if err != nil || n != partitionsTold {
		t.Errorf("%d partitions are told, %v; want %d", n, err, partitionsTold)
	}
	all, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if f.GetName() == "weir_ingest_partition_lag_seconds" {
			for _, m := range f.GetMetric() {
				if m.GetGauge().GetValue() < 900 {
					t.Errorf("%v is told, and is not among the furthest behind", m)
				}
			}
		}
	}
}
