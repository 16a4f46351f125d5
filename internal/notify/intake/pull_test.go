package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/fake"
	"weir/internal/kafka"
	"weir/internal/notify"
)

var quiet = slog.New(slog.DiscardHandler)

// failing takes nothing over as long as it fails.
type failing struct {
	Taker
	left atomic.Int32
}

func (f *failing) AcceptAll(ctx context.Context, all []notify.Arrival) ([]string, error) {
	if f.left.Add(-1) >= 0 {
		return nil, errors.New("disk is full")
	}
	return f.Taker.AcceptAll(ctx, all)
}

func event(run string) string { return strings.ReplaceAll(ready, "01JD7Q", run) }

func names(t *testing.T, dir string) []string {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var out []string
	for _, e := range all {
		out = append(out, e.Name())
	}
	return out
}

// eventually waits for a condition that other goroutines bring about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatal("not within 20 s: " + what)
		}
	}
}

func TestSpool(t *testing.T) {
	s, fin, _ := service(t)
	dir := filepath.Join(t.TempDir(), "spool")
	sp := Spool{Dir: dir, Taker: s, Log: quiet}
	old := time.Now().Add(-time.Minute)
	for name, body := range map[string]string{
		"1.json": event("r1") + "\n" + event("r2"), "2.json": event("r3") + `{"specversion":"1.0"}` + event("r4"), "3.json": `{"half":`, "4.json": "",
		"5.json.tmp": event("r5"), ".6.json": event("r6"),
	} {
		if err := Drop(dir, name, []byte(body)); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(dir, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	if err := Drop(dir, "7.json", []byte(`{"specversion":"1.0","id":`)); err != nil { // somebody is writing it
		t.Fatal(err)
	}
	if _, err := sp.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := names(t, dir); !slices.Equal(left, []string{".6.json", "5.json.tmp", "7.json", "bad"}) {
		t.Errorf("left %v", left)
	}
	if bad := names(t, filepath.Join(dir, "bad")); !slices.Equal(bad, []string{"2.json", "2.json.why", "3.json", "3.json.why"}) {
		t.Errorf("bad %v", bad)
	}
	why, err := os.ReadFile(filepath.Join(dir, "bad", "2.json.why"))
	if err != nil || !strings.Contains(string(why), "event 2: CloudEvent: ") || !strings.Contains(string(why), "1 events of this file were accepted") {
		t.Errorf("why: %s %v", why, err)
	}
	drain(t, s)
	var runs []string
	for _, p := range fin.posts {
		runs = append(runs, p.Message.Outcome.RunID)
	}
	if got := fin.last(t).Outcome.RunID; got != "r3" || slices.Contains(runs, "r4") {
		t.Errorf("told of runs %v", runs)
	}
}

// A file is removed only after its events are on the disk; one that comes again is told once.
func TestSpoolKeepsWhatCannotBeStored(t *testing.T) {
	s, fin, _ := service(t)
	dir := t.TempDir()
	full := &failing{Taker: s}
	full.left.Store(1)
	sp := Spool{Dir: dir, Taker: full, Log: quiet}
	for _, name := range []string{"a.json", "b.json"} { // the same event twice
		if err := Drop(dir, name, []byte(event("r1"))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := sp.Once(t.Context()); err == nil || len(names(t, dir)) != 2 {
		t.Fatalf("%v, left %v", err, names(t, dir))
	}
	if n, err := sp.Once(t.Context()); err != nil || n != 2 || len(names(t, dir)) != 0 {
		t.Fatalf("%d %v, left %v", n, err, names(t, dir))
	}
	drain(t, s)
	if told := fin.told(); len(told) != 1 {
		t.Errorf("told %q", told)
	}
}

func TestKafkaCommitsWhatIsOnTheDisk(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "events"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	cl, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	records := []*kgo.Record{
		{Topic: "events", Value: []byte(event("r1"))}, {Topic: "events", Value: []byte("poison")},
		{Topic: "events", Value: []byte(`{"unit":"FIN","job":"bin","run_id":"b1"}`), Headers: []kgo.RecordHeader{
			{Key: "ce_specversion", Value: []byte("1.0")}, {Key: "ce_id", Value: []byte("1")}, {Key: "ce_source", Value: []byte("s")}, {Key: "ce_type", Value: []byte("io.weir.job.ready.v1")}}},
		{Topic: "events", Value: []byte(event("r1"))},
	}
	if err := cl.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	committed := func() (n int64) {
		offsets, err := kadm.NewClient(cl).FetchOffsets(t.Context(), "weir-notify")
		if err == nil {
			offsets.Each(func(o kadm.OffsetResponse) { n += max(o.At, 0) })
		}
		return n
	}
	s, fin, _ := service(t)
	aside := Aside(filepath.Join(t.TempDir(), "refused"))
	stopped := &failing{Taker: s}
	stopped.left.Store(1 << 30)
	run := func(taker Taker) (stop func()) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- Kafka{Config: kafka.Config{Brokers: cluster.ListenAddrs()}, Topic: "events", Taker: taker, Aside: aside, Log: quiet}.Run(ctx)
		}()
		return func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	stop := run(stopped)
	eventually(t, "a try", func() bool { return stopped.left.Load() < 1<<30 })
	stop()
	if n := committed(); n != 0 {
		t.Fatalf("%d offsets are committed and nothing is on the disk", n)
	}
	stop = run(s)
	eventually(t, "all are committed", func() bool { return committed() == int64(len(records)) })
	stop()
	drain(t, s)
	told := fin.told()
	slices.Sort(told)
	if len(told) != 2 || !strings.Contains(told[0], "bin") || !strings.Contains(told[1], "settlements_daily") {
		t.Errorf("told %q", told)
	}
	var bodies []string
	for _, name := range names(t, string(aside)) {
		b, err := os.ReadFile(filepath.Join(string(aside), name))
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, string(b))
	}
	if text := strings.Join(bodies, " "); !strings.Contains(text, "poison") || !strings.Contains(text, "no JSON object") {
		t.Errorf("put aside: %q", bodies)
	}
}

const emrFailed = `{"version":"0","id":"1234abcd-ab12-123a-123a-1234567890ab","detail-type":"EMR Serverless Job Run State Change","source":"aws.emr-serverless",
	"account":"123456789012","time":"2026-11-23T07:08:11Z","region":"eu-central-1","resources":["arn:aws:emr-serverless:eu-central-1:123456789012:/applications/00f1/jobruns/%s"],
	"detail":{"jobRunId":"%[1]s","jobRunName":"by_place 2026-11-20","applicationId":"00f1","arn":"arn","releaseLabel":"emr-7.12.0","state":"FAILED","previousState":"RUNNING","stateDetails":"Job failed, please check complete logs. ExitCode: 1. password=hunter2","attempt":1}}`

func TestQueueKeepsMessagesUntilTheyAreOnTheDisk(t *testing.T) {
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull} {
		t.Setenv(name, value)
	}
	server := fake.NewSQS()
	defer server.Close()
	server.Hide = 50 * time.Millisecond
	server.Next(fake.Refuse500, fake.AcceptCut) // the first answers get lost
	s, fin, rest := service(t)
	for i := range 12 {
		server.Put(fmt.Sprintf(emrFailed, fmt.Sprintf("00jr%02d", i)))
	}
	server.Put("poison")
	server.Put(fmt.Sprintf(emrFailed, "00jr00")) // EventBridge delivers at least once
	aside := Aside(filepath.Join(t.TempDir(), "refused"))
	full := &failing{Taker: s}
	full.left.Store(1)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- SQS{Queue: server.Queue(), Region: "eu-central-1", Endpoint: server.URL(), Wait: 1, Taker: full, Aside: aside, Log: quiet}.Run(ctx)
	}()
	eventually(t, "the queue is empty", func() bool { return server.Left() == 0 })
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	drain(t, s)
	st, err := s.Status(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	events := map[string]bool{}
	for _, p := range append(fin.posts, rest.posts...) {
		events[p.Message.Outcome.RunID] = true
	}
	t.Logf("status %+v, runs told %d", st, len(events))
	m := fin.last(t)
	if o := m.Outcome; o.Job != "by_place" || o.BusinessDate() != "2026-11-20" || o.Namespace != "emr-serverless/00f1" || strings.Contains(m.Text(), "hunter2") || !strings.Contains(m.Why, "ExitCode: 1") {
		t.Errorf("told %s", m.Text())
	}
	if n := len(names(t, string(aside))); n < 2 {
		t.Errorf("%d files aside", n)
	}
}
