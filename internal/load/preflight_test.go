package load

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"weir/internal/cli"
)

// told are the findings that are not good, as one text.
func told(p *Profile, facts []TopicFacts, v *Preview) string {
	var all []string
	for _, s := range p.Findings(facts, v) {
		sign := "✖ "
		if s.OK {
			sign = "! "
		}
		if !s.OK || s.Warn {
			all = append(all, sign+s.Said)
		}
	}
	return strings.Join(all, "\n")
}

func ask(t *testing.T, c *kfake.Cluster, p *Profile) []TopicFacts {
	t.Helper()
	cl, err := connect(c)()
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	return p.Ask(t.Context(), cl)
}

func makeTopic(t *testing.T, c *kfake.Cluster, name string, partitions int32, settings map[string]string) {
	t.Helper()
	cl, err := connect(c)()
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	all := map[string]*string{}
	for k, v := range settings {
		all[k] = &v
	}
	if r, err := kadm.NewClient(cl).CreateTopic(t.Context(), partitions, 1, all, name); err != nil || r.Err != nil {
		t.Fatal(err, r.Err)
	}
}

// What a cluster would do to a run is said before it: each with the topic and what to do.
func TestATopicIsHeldAgainstTheProfile(t *testing.T) {
	c := broker(t)
	p := mustParse(t, strings.Replace(small, "volume: {messages: 10}", "volume: {messages: 100k}\nverify: {destination: {drain_timeout: 1h}}", 1)+"size: {distribution: constant, bytes: 120KiB}\n")
	if got := told(p, ask(t, c, p), nil); got != "" {
		t.Errorf("a topic that may be created: got %s", got)
	}
	p.Topic.Create = "never"
	if got := told(p, ask(t, c, p), nil); got != "✖ orders does not exist, and the profile forbids making it (create: never)" {
		t.Errorf("got %s", got)
	}
	p.Topic.Create, p.Topic.Partitions = "", 12
	makeTopic(t, c, "orders", 3, map[string]string{"max.message.bytes": "100000", "retention.ms": "60000", "retention.bytes": "1000000", "cleanup.policy": "compact"})
	v, err := NewPreview(p, 0)
	if err != nil {
		t.Fatal(err)
	}
	got := told(p, ask(t, c, p), &v)
	for _, want := range []string{
		"! orders has 3 partitions, the profile counts on 12",
		"✖ orders takes messages of 97.66 KiB, the profile's largest has 120 KiB",
		"! orders keeps messages for 1m0s, the run with its drain_timeout lasts 1h16m40s",
		"! orders keeps 976.6 KiB in each of 3 partitions, the run sends 11.4",
		"! orders is compacted",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwant %s", got, want)
		}
	}
	small := mustParse(t, small)
	if got := told(small, ask(t, c, small), nil); !strings.Contains(got, "✖ orders takes batches of 97.66 KiB, the producer makes them up to 256 KiB") {
		t.Errorf("got %s", got)
	}
}

func TestMissingRightsAreSaid(t *testing.T) {
	c := broker(t)
	p := mustParse(t, small)
	answer := func(code int16, ops int32, exists bool) {
		c.ControlKey(int16(kmsg.Metadata), func(r kmsg.Request) (kmsg.Response, error, bool) {
			req := r.(*kmsg.MetadataRequest)
			if len(req.Topics) != 1 || !req.IncludeTopicAuthorizedOperations {
				c.KeepControl()
				return nil, nil, false
			}
			resp := req.ResponseKind().(*kmsg.MetadataResponse)
			one := kmsg.NewMetadataResponseTopic()
			one.Topic, one.ErrorCode, one.AuthorizedOperations = kmsg.StringPtr("orders"), code, ops
			if exists {
				one.Partitions = append(one.Partitions, kmsg.MetadataResponseTopicPartition{Leader: 0, ISR: []int32{0}}, kmsg.MetadataResponseTopicPartition{Leader: -1})
			}
			resp.Topics = append(resp.Topics, one)
			return resp, nil, true
		})
	}
	answer(kerr.TopicAuthorizationFailed.Code, -1<<31, false)
	if got := told(p, ask(t, c, p), nil); got != "✖ orders is not allowed to this user" {
		t.Errorf("got %s", got)
	}
	answer(0, 1<<kmsg.ACLOperationDescribe, true)
	got := told(p, ask(t, c, p), nil)
	if !strings.Contains(got, "✖ orders may not be written by this user") || !strings.Contains(got, "✖ orders has no leader for 1 of its 2 partitions") {
		t.Errorf("got %s", got)
	}
	c.ControlKey(int16(kmsg.CreateTopics), func(r kmsg.Request) (kmsg.Response, error, bool) {
		req := r.(*kmsg.CreateTopicsRequest)
		if !req.ValidateOnly {
			t.Error("asking must not create anything")
		}
		resp := req.ResponseKind().(*kmsg.CreateTopicsResponse)
		one := kmsg.NewCreateTopicsResponseTopic()
		one.Topic, one.ErrorCode = "orders", kerr.TopicAuthorizationFailed.Code
		resp.Topics = append(resp.Topics, one)
		return resp, nil, true
	})
	if got := told(p, ask(t, c, p), nil); got != "✖ orders does not exist, and this user may not create it" {
		t.Errorf("got %s", got)
	}
}

// create: recreate deletes a topic only where that was said twice, and the new one has the old one's settings.
func TestRecreateWantsAWord(t *testing.T) {
	c := broker(t)
	makeTopic(t, c, "orders", 4, map[string]string{"retention.ms": "777000"})
	cl, err := connect(c)()
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Value: []byte("old")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	read := func() *Profile {
		return mustParse(t, strings.Replace(small, "{name: orders}", "{name: orders, create: recreate}", 1))
	}
	p := read()
	_, err = Run(t.Context(), Options{Profile: p, Home: t.TempDir(), Connect: connect(c), Register: register})
	var said *cli.Error
	if !errors.As(err, &said) || said.Exit != cli.ExitUsage || !strings.Contains(said.Hint, "--yes-recreate") {
		t.Fatalf("got %v", err)
	}
	held := func() (n int64) {
		ends, err := kadm.NewClient(cl).ListEndOffsets(t.Context(), "orders")
		if err != nil {
			t.Fatal(err)
		}
		ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
		return n
	}
	if n := held(); n != 1 {
		t.Fatalf("the topic holds %d messages, want 1: nothing may be deleted", n)
	}
	p = read()
	p.AllowRecreate()
	sum, err := Run(t.Context(), Options{Profile: p, Home: t.TempDir(), Connect: connect(c), Register: register})
	if err != nil || sum.Errors != 0 {
		t.Fatalf("%d errors, %v", sum.Errors, err)
	}
	facts := ask(t, c, p)
	if n := held(); n != 10 || facts[0].Partitions != 4 || facts[0].RetentionMS != 777_000 {
		t.Errorf("got %d messages, %+v; want 10, 4 partitions, retention 777000", n, facts[0])
	}
	internal := Topic{Name: "__consumer_offsets", Create: "recreate", deletable: true}
	if _, err := deleteTopic(t.Context(), nil, internal); err == nil || !strings.Contains(err.Error(), "a topic of Kafka itself") {
		t.Errorf("got %v", err)
	}
}

// A leak is a rising floor: what a garbage collector gives back is none.
func TestMemoryGrowsWhereItsFloorRises(t *testing.T) {
	for name, c := range map[string]struct {
		perHour float64 // MiB
		hours   float64
		known   bool
	}{
		"a leak":                {30, 2, true},
		"none":                  {0, 8, true},
		"a leak for three days": {5, 72, true},
		"too short to tell":     {1000, 0.05, false},
	} {
		t.Run(name, func(t *testing.T) {
			var g growth
			for s := 0; s < int(c.hours*3600); s++ {
				at := float64(s) / 3600
				g.add(at, 200+c.perHour*at+float64(s%37)*4) // 37 s of garbage up to 144 MiB, again and again
			}
			got, known := g.slope()
			if known != c.known || known && (got < c.perHour-2 || got > c.perHour+2) {
				t.Errorf("got %.2f MiB/h, %v; want %v, %v", got, known, c.perHour, c.known)
			}
			if len(g.floors) > mostFloors {
				t.Errorf("%d floors are kept", len(g.floors))
			}
		})
	}
	var g growth
	if _, known := g.value(memoryMetric); known {
		t.Error("nothing was seen yet")
	}
	g.add(0, 100)
	g.add(0.1, 50)
	if v, known := g.value(memoryMetric); v != 100 || !known {
		t.Errorf("the most was 100 MiB, got %v", v)
	}
	if residentOf(1<<22+1) != 0 || residentOf(0) != 0 {
		t.Error("a process that is not there has no memory")
	}
}

// A preview says which thresholds the run cannot decide.
func TestPreviewWarnsOfWhatCannotBeMeasured(t *testing.T) {
	text := strings.Replace(small, "rate: {stages: [{target: 100/s}]}\nvolume: {messages: 10}\n", "warmup: 30s\nrate: {stages: [{name: up, duration: 20s, target: 100/s}, {name: hold, duration: 1m, target: 100/s}]}\n", 1) + `hooks: [{at: hold, run: "true", mark: chaos}, {at: 10m, run: ls}]
thresholds:
  - {metric: response_ms, stat: p99, stage: up, max: 1}
  - {metric: response_ms, stat: p99.9, max: 1}
  - {metric: service_ms, stat: p50, over: 10m, max: 1}
  - {metric: memory_mib_h, max: 1}
  - {metric: response_ms, stat: p50, max: 1}
  - {metric: lost, max: 0}
`
	v, err := NewPreview(mustParse(t, text), 0)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(v.Warnings, "\n")
	for _, want := range []string{
		"threshold response_ms p99 of up is never measured: the warm-up of 30s covers it",
		"threshold response_ms p99.9 rests on 5 of 5000 timed messages: chance decides it; it takes 10000",
		"threshold service_ms p50 over 10m0s: no whole window of 10m0s fits into the 50s that are timed",
		"threshold memory_mib_h is never measured: the growth of memory takes 30m0s after the warm-up to be seen",
		"hook chaos at hold has no command: nothing is disturbed",
		"hook ls at 10m is after the end of the run: it never runs",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwant %s", got, want)
		}
	}
	if n := len(v.Warnings); n != 6 {
		t.Errorf("got %d warnings, want 6:\n%s", n, got)
	}
}

// A day at twelve times its speed lasts two hours, and has its peak at a sixth before the evening.
func TestADayCanBeShortened(t *testing.T) {
	p := mustParse(t, strings.Replace(small, "{stages: [{target: 100/s}]}", "{shape: diurnal, peak: 90/s, trough: 10/s, speed: 12x}", 1))
	c, err := p.Curve(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	day := c.(Planned)
	if got := day.Rate(80 * time.Minute); got < 89.9 { // 16:00
		t.Errorf("the peak at 1h20m: got %.1f/s", got)
	}
	if got := day.Rate(20 * time.Minute); got > 10.1 { // 04:00
		t.Errorf("the trough at 20m: got %.1f/s", got)
	}
}

// A stair that a limit ends says which step broke it and which one was kept.
func TestABrokenStepIsNamed(t *testing.T) {
	text := strings.Replace(small, "rate: {stages: [{target: 100/s}]}\nvolume: {messages: 10}\n", "rate: {shape: step, from: 100/s, to: 900/s, by: 100/s, every: 1s}\n", 1)
	p := mustParse(t, text+"thresholds: [{metric: response_ms, stat: p50, max: 0.0001, abort: true, after: 1s}]\n")
	c := broker(t)
	sum, err := Run(t.Context(), Options{Profile: p, Home: t.TempDir(), Connect: connect(c), Register: register})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Verdict != VerdictSLO || !strings.Contains(sum.Reason, "(in stage step ") || !strings.Contains(sum.Reason, "/s, was kept)") {
		t.Errorf("got %s: %s", sum.Verdict, sum.Reason)
	}
}
