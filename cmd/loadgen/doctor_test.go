package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/kafka"
	"weir/internal/project"
)

// topicOf makes a topic with settings on the installation's broker.
func topicOf(t *testing.T, pr *project.Project, name string, partitions int32, settings map[string]string) {
	t.Helper()
	k, _, err := pr.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	cl, err := kafka.Connect(k)
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

func held(t *testing.T, pr *project.Project, topic string) (n int64) {
	t.Helper()
	k, _, err := pr.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	cl, err := kafka.Connect(k)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ends, err := kafka.Ends(t.Context(), cl, topic)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range ends {
		n += at
	}
	return n
}

// The whole way is looked at, nothing is made on it, and a part that fails has its remedy and exit code 1.
func TestCheckConnectLooksAtTheWholeWay(t *testing.T) {
	home, pr := installation(t)
	code, out, errs := loadgen(t.Context(), "check", "skew", "--connect", "--home", home)
	for _, want := range []string{"✔ tcp ", "✔ metadata ", "✔ topic     bank.transactions does not exist yet; it may be created with 12 partitions", "✔ registry ", "✔ schema    subject bank.transactions-value is new", "✔ clock "} {
		if !strings.Contains(out, want) {
			t.Errorf("no line %q in\n%s", want, out)
		}
	}
	if code != 0 || strings.Contains(out, "✖") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	topicOf(t, pr, "bank.transactions", 3, map[string]string{"max.message.bytes": "20000"})
	code, out, errs = loadgen(t.Context(), "check", "skew", "smoke", "--connect", "--home", home, "--json")
	r := result(t, out)
	all, _ := r["profiles"].([]any)
	if code != 1 || r["good"] != false || len(all) != 2 || !strings.Contains(errs, "2 of 2 profiles could not run as they are") {
		t.Fatalf("exit code %d, %v\n%s", code, r, errs)
	}
	found := ""
	for _, c := range all[0].(map[string]any)["checks"].([]any) {
		found += fmt.Sprintln(c)
	}
	for _, want := range []string{"takes messages of 19.53 KiB, the profile's largest has 900 KiB", "remedy:raise max.message.bytes", "has 3 partitions, the profile counts on 12"} {
		if !strings.Contains(found, want) {
			t.Errorf("no %q in\n%s", want, found)
		}
	}
	code, out, _ = loadgen(t.Context(), "check", "smoke", "--connect", "--home", home, "--set", "topic.name=other", "--set", "topic.create=never")
	if code != 1 || !strings.Contains(out, "✖ topic     other does not exist, and the profile forbids making it") || !strings.Contains(out, "→ make it") {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

func TestCheckConnectSaysWhereTheWayEnds(t *testing.T) {
	home := t.TempDir()
	t.Chdir(t.TempDir())
	none := httptest.NewServer(http.NotFoundHandler())
	defer none.Close()
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no such name":        {[]string{"--brokers", "nowhere.invalid:9092"}, 1, "✖ dns       nowhere.invalid"},
		"a closed port":       {[]string{"--brokers", "127.0.0.1:1"}, 1, "✖ tcp       127.0.0.1:1: connection refused"},
		"no registry":         {[]string{"--brokers", "127.0.0.1:1", "--registry", "http://127.0.0.1:1"}, 1, "✖ registry "},
		"another server":      {[]string{"--brokers", "127.0.0.1:1", "--registry", none.URL}, 1, "is the path right?"},
		"no profile":          {[]string{}, 2, "--connect: expected a profile"},
		"a profile not right": {[]string{"--set", "rate.start=fast"}, 2, `--set rate.start=fast: "fast" is no rate`},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"check", "--connect", "--home", home, "--registry", "http://127.0.0.1:1"}, c.args...)
			if name != "no profile" {
				args = append(args, "smoke")
			}
			code, out, errs := loadgen(t.Context(), args...)
			if code != c.code || !strings.Contains(out+errs, c.says) {
				t.Errorf("exit code %d, want %d and %q\n%s%s", code, c.code, c.says, out, errs)
			}
		})
	}
}

// A run that cannot go well ends with one line within ten seconds, before it has made anything.
func TestARunThatCannotGoWellEndsAtOnce(t *testing.T) {
	home, pr := installation(t)
	topicOf(t, pr, "small", 1, map[string]string{"max.message.bytes": "20000"})
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	for name, c := range map[string]struct {
		args []string
		says string
		hint string
	}{
		"messages too large": {[]string{"--topic", "small", "--size", "100KiB"}, "topic small takes messages of 19.53 KiB, the profile's largest has 100 KiB", "raise max.message.bytes"},
		"no topic":           {[]string{"--set", "topic.name=none", "--set", "topic.create=never"}, "topic none does not exist, and the profile forbids making it", "make it"},
		"no registry":        {[]string{"--topic", "fresh", "--registry", "http://127.0.0.1:1"}, "the registry does not answer (http://127.0.0.1:1)", "start it, or correct registry.url"},
		"a silent registry":  {[]string{"--topic", "fresh", "--registry", "http://" + silent.Addr().String()}, "the registry does not answer", "start it, or correct registry.url"},
		"a silent broker":    {[]string{"--brokers", silent.Addr().String()}, "no broker answers on", "is it a Kafka broker"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			code, _, errs := loadgen(t.Context(), append([]string{"run", "smoke", "--home", home}, c.args...)...)
			if code != 1 || !strings.Contains(errs, c.says) || !strings.Contains(errs, c.hint) || strings.Count(errs, "error:") != 1 {
				t.Errorf("exit code %d\n%s", code, errs)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// A preview asks the broker that it can reach, and is silent about one that it cannot.
func TestPreviewAsksTheBroker(t *testing.T) {
	home, pr := installation(t)
	topicOf(t, pr, "bank.transactions", 2, map[string]string{"retention.ms": "60000"})
	code, out, errs := loadgen(t.Context(), "preview", "smoke", "--home", home, "--set", "topic.partitions=6")
	for _, want := range []string{"asked     the broker at 127.0.0.1:", "bank.transactions has 2 partitions, the profile counts on 6", "bank.transactions keeps messages for 1m0s, the run with its drain_timeout lasts 2m0s"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s%s", want, out, errs)
		}
	}
	if _, out, _ = loadgen(t.Context(), "preview", "smoke", "--home", home, "--offline"); code != 0 || strings.Contains(out, "asked") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	alone := t.TempDir()
	code, out, errs = loadgen(t.Context(), "preview", "smoke", "--home", alone, "--brokers", "127.0.0.1:1", "--registry", "http://127.0.0.1:1")
	if code != 0 || errs != "" || strings.Contains(out, "asked") {
		t.Errorf("a broker that is not there: exit code %d\n%s%s", code, out, errs)
	}
	code, _, errs = loadgen(t.Context(), "preview", "smoke", "--home", alone, "--brokers", "127.0.0.1:1", "--registry", "http://127.0.0.1:1", "--online")
	if code != 1 || !strings.Contains(errs, "no broker answers on 127.0.0.1:1") {
		t.Errorf("--online: exit code %d\n%s", code, errs)
	}
}

func TestPreviewDrawsTheCurve(t *testing.T) {
	t.Chdir(t.TempDir())
	_, out, errs := loadgen(t.Context(), "preview", "average-load", "--home", t.TempDir(), "--samples", "1", "--offline")
	var drawn []string
	for _, l := range strings.Split(out, "\n") {
		if strings.ContainsAny(l, "▁▂▃▄▅▆▇█") && !strings.Contains(l, "keys") {
			drawn = append(drawn, l)
		}
	}
	if len(drawn) != 5 || !strings.Contains(drawn[0], "20,000/s") || strings.Count(drawn[0], "█") < 40 || strings.Count(drawn[4], "█") < 55 {
		t.Errorf("a ramp up, a long top, a ramp down:\n%s\n%s", strings.Join(drawn, "\n"), errs)
	}
	for _, line := range strings.Split(out, "\n") {
		if len(line) > 1000 {
			t.Errorf("a line of %d letters", len(line))
		}
	}
}

// --set reaches every verb that reads a profile, and what it broke names the flag.
func TestSetChangesAnyValue(t *testing.T) {
	home, pr := installation(t)
	code, out, errs := loadgen(t.Context(), "run", "smoke", "--home", home, "--json", "--set", "rate.stages[0].target=2k/s", "--set", "rate.stages[0].duration=500ms", "--set", "topic.name=set", "--set", "headers.source=load")
	r := result(t, out)
	if code != 0 || r["topic"] != "set" || r["sent"].(float64) < 900 || r["sent"].(float64) > 1500 {
		t.Fatalf("exit code %d, %v\n%s", code, r, errs)
	}
	if got := fill(t, pr, "set", int(r["sent"].(float64))); len(got[0].Headers) < 2 || string(got[0].Headers[len(got[0].Headers)-1].Value) != "load" && string(got[0].Headers[0].Value) != "load" {
		t.Errorf("got headers %v", got[0].Headers)
	}
	for _, verb := range []string{"run smoke", "preview smoke", "check smoke", "search smoke --slo p99<1s", "compare smoke --baseline true --candidate true"} {
		code, _, errs := loadgen(t.Context(), append(strings.Fields(verb), "--home", home, "--set", "rate.stages[3].target=1/s")...)
		if code != 2 || !strings.Contains(errs, "--set rate.stages[3].target=1/s: rate.stages has 1 items, the last is [0]; got [3]") {
			t.Errorf("%s: exit code %d\n%s", verb, code, errs)
		}
	}
}

// A profile names a connection of weir.yaml; flags are still above it.
func TestAProfileNamesItsCluster(t *testing.T) {
	_, pr := installation(t)
	k, reg, err := pr.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir() // where nothing is embedded
	weir := fmt.Sprintf("apiVersion: weir/v1\nkind: Weir\nkafka: {brokers: [\"127.0.0.1:1\"]}\nregistry: {url: \"http://127.0.0.1:1\"}\nclusters:\n  staging: {kafka: {brokers: [\"%s\"]}, registry: {url: \"%s\"}}\n  alone: {kafka: {brokers: [\"127.0.0.1:2\"]}}\n", k.Brokers, reg.URL)
	if err := os.WriteFile("weir.yaml", []byte(weir), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("mine.yaml", []byte("name: mine\nextends: smoke\ncluster: staging\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := loadgen(t.Context(), "run", "mine.yaml", "--home", home, "--count", "100", "--rate", "1k/s", "--json")
	if code != 0 || result(t, out)["sent"] != 100.0 {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	for set, want := range map[string]string{
		"stagin":  `--set cluster=stagin: cluster: weir.yaml has no cluster "stagin"; did you mean "staging"?`,
		"nothing": `--set cluster=nothing: cluster: weir.yaml has no cluster "nothing"; it has alone, staging`,
	} {
		if code, _, errs := loadgen(t.Context(), "check", "mine.yaml", "--home", home, "--set", "cluster="+set); code != 2 || !strings.Contains(errs, want) {
			t.Errorf("exit code %d\n%s", code, errs)
		}
	}
	if code, _, errs := loadgen(t.Context(), "run", "mine.yaml", "--home", home, "--set", "cluster=alone"); code != 1 || !strings.Contains(errs, "no broker answers on 127.0.0.1:2") {
		t.Errorf("exit code %d\n%s", code, errs)
	}
	if code, _, errs := loadgen(t.Context(), "run", "mine.yaml", "--home", home, "--brokers", "127.0.0.1:3"); code != 1 || !strings.Contains(errs, "no broker answers on 127.0.0.1:3") {
		t.Errorf("exit code %d\n%s", code, errs)
	}
}

func TestRecreateIsNeverSilent(t *testing.T) {
	home, pr := installation(t)
	run := func(more ...string) (int, string) {
		code, _, errs := loadgen(t.Context(), append([]string{"run", "smoke", "--home", home, "--topic", "again", "--rate", "1k/s", "--count", "200"}, more...)...)
		return code, errs
	}
	if code, errs := run(); code != 0 {
		t.Fatal(code, errs)
	}
	for want, more := range map[string][]string{
		"topic again: create: recreate would delete it":       {"--set", "topic.create=recreate"},
		"--yes-recreate: no topic of this profile has create": {"--yes-recreate"},
		"--yes-recreate: every shard would delete":            {"--set", "topic.create=recreate", "--yes-recreate", "--shard", "0/2", "--start-at", "2099-01-01T00:00:00Z"},
	} {
		if code, errs := run(more...); code != 2 || !strings.Contains(errs, want) {
			t.Errorf("exit code %d, want %q\n%s", code, want, errs)
		}
	}
	if n := held(t, pr, "again"); n != 200 {
		t.Fatalf("the topic holds %d messages, want 200", n)
	}
	if code, errs := run("--set", "topic.create=recreate", "--yes-recreate"); code != 0 || held(t, pr, "again") != 200 {
		t.Errorf("exit code %d, %d messages\n%s", code, held(t, pr, "again"), errs)
	}
}

// What init writes for a subject of the registry passes check and preview, and runs.
func TestInitWritesAProfileThatRuns(t *testing.T) {
	home, pr := installation(t)
	schema, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(filepath.Dir(goldens))), "internal/content/testdata/schemas/order.avsc"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("order.avsc", schema, 0o600); err != nil {
		t.Fatal(err)
	}
	_, reg, err := (servers{}).connect(t.Context(), pr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reg.Register(t.Context(), "shop.orders-value", string(schema)); err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		args []string
		code int
		says string
	}{
		{[]string{"init", "--subject", "shop.orders-value"}, 0, "wrote profiles/shop.orders.yaml"},
		{[]string{"init", "--subject", "shop.orders-value"}, 2, "profiles/shop.orders.yaml is there already"},
		{[]string{"init", "--subject", "shop.orders-value", "--force"}, 0, "wrote"},
		{[]string{"check", "profiles/shop.orders.yaml"}, 0, "ok"},
		{[]string{"preview", "profiles/shop.orders.yaml", "--samples", "1"}, 0, `"customer_id":`},
		{[]string{"run", "profiles/shop.orders.yaml", "--rate", "1k/s", "--count", "300"}, 0, "verdict   pass"},
		{[]string{"init", "--schema", "order.avsc", "--topic", "shop.more"}, 0, "wrote profiles/shop.more.yaml"},
		{[]string{"check", "profiles/shop.more.yaml", "--connect"}, 0, "✔ schema    subject shop.more-value is new"},
		{[]string{"init", "--subject", "nobody-value"}, 1, "the registry has no such subject"},
		{[]string{"init", "--schema", "none.avsc"}, 2, "no such file"},
		{[]string{"init"}, 2, "expected --subject or --schema"},
		{[]string{"profiles", "show", "skew"}, 0, "# Does one hot partition"},
		{[]string{"profiles", "show", "skew", "--whole"}, 0, "median: 1KiB"},
		{[]string{"profiles", "show", "nothing"}, 2, "there is no profile nothing"},
	}
	for _, s := range steps {
		code, out, errs := loadgen(t.Context(), append(s.args, "--home", home)...)
		if code != s.code || !strings.Contains(out+errs, s.says) {
			t.Errorf("%v: exit code %d, want %d and %q\n%s%s", s.args, code, s.code, s.says, out, errs)
		}
	}
	k, _, err := pr.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	cl, err := kafka.Connect(k, kgo.ConsumeTopics("shop.orders"))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if n := held(t, pr, "shop.orders"); n < 300 {
		t.Errorf("the topic holds %d messages, want 300", n)
	}
}
