//go:build real

package real

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/internal/fake"
	"weir/test/real/parts"
)

// A teller is a program that is told of failed jobs over HTTP and tells them to Slack.
type teller struct {
	name  string
	files map[string]string // by name; %s is Slack's address
	args  []string          // %d is its port
	ready string            // path that answers once it takes requests
	path  string            // where it is told
	kind  string
	body  string        // %s is the job that has failed
	heals string        // the same, of a job that is mended
	word  string        // in a message about that
	again time.Duration // all is said again so often, as Prometheus does; 0: once
}

// A blow is what befalls a teller and its receiver.
type blow struct {
	name   string
	faults map[fake.Fault]float64 // of the receiver
	calls  bool                   // the kill waits until the receiver was called for each job
	told   float64                // the kill waits until so much of what was said has arrived
	kills  int
	mended bool // with the first kill the faults end
	repeat bool // at the end, the source says all once more
	heal   bool // at the end, all jobs are mended; what counts is that this is told
}

const (
	toldJobs = 20
	everyFew = 5 * time.Second // Alertmanager's group_interval, which is 5 min by default
	resends  = 2 * time.Second // Prometheus: 1 min
)

var blows = []blow{
	{name: "killed before anything was sent", faults: map[fake.Fault]float64{fake.Cut: 1}, kills: 1, mended: true},
	{name: "killed while Slack answers 500", faults: map[fake.Fault]float64{fake.Refuse500: 1}, calls: true, kills: 1, mended: true},
	{name: "Slack takes 30 %, and drops the connection", faults: map[fake.Fault]float64{fake.AcceptCut: 0.3}},
	{name: "Slack answers 30 % with 429", faults: map[fake.Fault]float64{fake.TooMany: 0.3}},
	{name: "all told, killed, the source says it again", told: 1, kills: 1, repeat: true},
	{name: "all told, killed, then all jobs are mended", told: 1, kills: 1, heal: true},
	{name: "storm: 429, 500, taken but 500, taken but dropped", told: 0.5, kills: 3,
		faults: map[fake.Fault]float64{fake.TooMany: 0.03, fake.Refuse500: 0.03, fake.Accept500: 0.03, fake.AcceptCut: 0.04}},
}

type toldResult struct {
	arrived, lost, doubled int
	last                   time.Duration // until the last one arrived, from when nothing stood in its way
}

// Alertmanager and notify are told of the same failed jobs, before the same Slack, with the same mishaps. notify loses and doubles
// nothing. What Alertmanager does is held fast where docs/notify-and-alertmanager.md says it.
func TestBesideAlertmanager(t *testing.T) {
	alertmanager, bin := parts.AlertmanagerCommand(t), t.TempDir()
	if out, err := exec.Command("go", "build", "-o", bin, "weir/cmd/notify").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	once := teller{
		name: "Alertmanager, told once", ready: "/-/ready", path: "/api/v2/alerts", kind: "application/json", body: `[{"labels": {"alertname": "JobFailed", "job": "%s"}}]`,
		heals: `[{"labels": {"alertname": "JobFailed", "job": "%s"}, "endsAt": "2026-11-23T08:26:00Z"}]`, word: "resolved",
		args: []string{alertmanager, "--config.file=am.yaml", "--storage.path=data", "--cluster.listen-address=", "--web.listen-address=127.0.0.1:%d"},
		files: map[string]string{"am.yaml": fmt.Sprintf(`route: {receiver: fin, group_by: [job], group_wait: 500ms, group_interval: %s, repeat_interval: 4h}
receivers:
  - name: fin
    slack_configs: [{send_resolved: true, channel: C0FIN, app_token: xoxb-besides, app_url: "%%schat.postMessage", message_text: "{{ .Status }} {{ .GroupLabels.job }}"}]
`, everyFew)},
	}
	repeated := once
	repeated.name, repeated.again = "Alertmanager, told again and again", resends
	weir := teller{
		name: "notify, told once", ready: "/readyz", path: "/v1/events", kind: "application/cloudevents+json",
		body:  `{"specversion": "1.0", "id": "%[1]s", "source": "/jobs", "type": "io.weir.job.failed.v1", "time": "2026-11-23T07:08:00Z", "data": {"job": "%[1]s", "run_id": "r1", "business_date": "2026-11-20"}}`,
		heals: `{"specversion": "1.0", "id": "%[1]s mended", "source": "/jobs", "type": "io.weir.job.ready.v1", "time": "2026-11-23T08:26:00Z", "data": {"job": "%[1]s", "run_id": "r2", "business_date": "2026-11-20"}}`,
		word:  "RECOVERED",
		args:  []string{filepath.Join(bin, "notify"), "serve", "--listen", "127.0.0.1:%d"},
		files: map[string]string{"weir.yaml": "apiVersion: weir/v1\nkind: Weir\n",
			"units.yaml": "version: 1\nchannels: {fin: {slack: {channel: C0FIN, token: env:SLACK_TOKEN, url: \"%s\", pace: 1ms}}}\ndefault: [fin]\n"}, // Alertmanager does not pace either
	}
	tellers := []teller{once, repeated, weir}
	results := make([][]toldResult, len(blows))
	var g errgroup.Group
	for i, b := range blows {
		results[i] = make([]toldResult, len(tellers))
		for k, who := range tellers {
			dir := t.TempDir()
			g.Go(func() (err error) {
				if results[i][k], err = who.suffer(t.Context(), dir, b); err != nil {
					err = fmt.Errorf("%s, %s: %w", b.name, who.name, err)
				}
				return err
			})
		}
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	for i, b := range blows {
		for k, who := range tellers {
			r := results[i][k]
			t.Logf("%-50s %-35s arrived %d of %d, lost %d, doubled %d, the last after %.1f s", b.name, who.name, r.arrived, toldJobs, r.lost, r.doubled, r.last.Seconds())
		}
		if r := results[i][2]; r.lost > 0 || r.doubled > 0 {
			t.Errorf("%s: notify lost %d and doubled %d", b.name, r.lost, r.doubled)
		}
	}
	if results[0][0].lost == 0 || results[2][0].doubled == 0 || results[4][1].doubled == 0 || results[5][0].lost == 0 {
		t.Error("Alertmanager has kept or found again what the docs say it loses and doubles: they are no longer true")
	}
}

// suffer lets a blow befall a teller, and waits until what can still arrive has arrived.
func (w teller) suffer(ctx context.Context, dir string, b blow) (r toldResult, err error) {
	slack := fake.NewSlack("xoxb-besides")
	defer slack.Close()
	slack.Random(7, b.faults)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return r, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	for name, text := range w.files {
		if strings.Contains(text, "%s") {
			text = fmt.Sprintf(text, slack.URL())
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return r, err
		}
	}
	run := &toldRun{teller: w, dir: dir, port: port, url: fmt.Sprintf("http://127.0.0.1:%d", port)}
	if err := run.start(ctx); err != nil {
		return r, err
	}
	defer run.kill()
	stop := run.sayAgain()
	defer stop()
	var from time.Time
	said := 0
	for k := range max(1, b.kills) {
		for upto := toldJobs * (k + 1) / max(1, b.kills); said < upto; said++ {
			if err := run.say(ctx, said); err != nil {
				return r, err
			}
		}
		run.said.Store(int64(said))
		if b.calls {
			err = comes(ctx, func() bool { return len(slack.Calls()) >= toldJobs })
		}
		if err == nil && b.told > 0 {
			err = comes(ctx, func() bool { return float64(heardOf(slack, "")) >= b.told*float64(said) })
		}
		if err != nil {
			return r, err
		}
		if from = time.Now(); b.kills == 0 {
			break
		}
		run.kill()
		if b.mended {
			slack.Random(7, nil)
		}
		if err := run.start(ctx); err != nil {
			return r, err
		}
		from = time.Now()
	}
	word := ""
	if b.heal {
		word = run.word
		time.Sleep(resends + time.Second) // real time: a source that says all again has done so
		run.mended.Store(true)
	}
	if b.repeat || b.heal {
		for i := range toldJobs {
			if err := run.say(ctx, i); err != nil {
				return r, err
			}
		}
	}
	if b.heal {
		from = time.Now()
	}
	quiet := from
	for calls := 0; time.Since(from) < 4*everyFew; time.Sleep(20 * time.Millisecond) { // real time: programs
		if n := len(slack.Calls()); n != calls {
			calls, quiet = n, time.Now() // the last call
		}
		if got := heardOf(slack, word); got > r.arrived {
			r.arrived, r.last = got, time.Since(from)
		}
		if r.arrived == toldJobs && time.Since(quiet) > everyFew+time.Second {
			break
		}
	}
	texts := map[string]int{}
	for _, m := range roots(slack) {
		if texts[m.Text]++; texts[m.Text] > 1 {
			r.doubled++
		}
	}
	r.lost = toldJobs - r.arrived
	return r, nil
}

// roots are the messages without what stands in their threads.
func roots(s *fake.Slack) []fake.SlackMessage {
	return slices.DeleteFunc(s.Messages(), func(m fake.SlackMessage) bool { return m.ThreadTS != "" })
}

// heardOf counts the jobs about which there is a message with this word.
func heardOf(s *fake.Slack, word string) (n int) {
	all := roots(s)
	for i := range toldJobs {
		if slices.ContainsFunc(all, func(m fake.SlackMessage) bool {
			return strings.Contains(m.Text, jobName(i)) && strings.Contains(m.Text, word)
		}) {
			n++
		}
	}
	return n
}

func jobName(i int) string { return fmt.Sprintf("job%02d", i) }

func comes(ctx context.Context, ok func() bool) error {
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) { // real time: programs
		if time.Now().After(end) || ctx.Err() != nil {
			return errors.New("it does not come")
		}
	}
	return nil
}
