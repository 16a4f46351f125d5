//go:build real

package real

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"weir/internal/config"
	"weir/internal/notify"
	"weir/internal/outcome"
	"weir/test/real/parts"
)

// topics have queues behind them, as programs that live off a job have them.
type topics struct {
	t   *testing.T
	sns *sns.Client
	sqs *sqs.Client
}

func newTopics(t *testing.T, endpoint string) topics {
	t.Helper()
	cfg, err := awsconfig.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return topics{t, sns.NewFromConfig(cfg, func(o *sns.Options) { o.BaseEndpoint = &endpoint }), sqs.NewFromConfig(cfg, func(o *sqs.Options) { o.BaseEndpoint = &endpoint })}
}

func (b topics) topic(name string) string {
	b.t.Helper()
	in := &sns.CreateTopicInput{Name: &name}
	if strings.HasSuffix(name, ".fifo") {
		in.Attributes = map[string]string{"FifoTopic": "true", "ContentBasedDeduplication": "false"}
	}
	out, err := b.sns.CreateTopic(b.t.Context(), in)
	if err != nil {
		b.t.Fatal(err)
	}
	return *out.TopicArn
}

// queue subscribes a new queue, with raw delivery and this filter policy if there is one.
func (b topics) queue(topic, name, policy string) string {
	b.t.Helper()
	in := &sqs.CreateQueueInput{QueueName: &name}
	if strings.HasSuffix(name, ".fifo") {
		in.Attributes = map[string]string{"FifoQueue": "true"}
	}
	q, err := b.sqs.CreateQueue(b.t.Context(), in)
	if err != nil {
		b.t.Fatal(err)
	}
	a, err := b.sqs.GetQueueAttributes(b.t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: q.QueueUrl, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn}})
	if err != nil {
		b.t.Fatal(err)
	}
	attr := map[string]string{"RawMessageDelivery": "true"}
	if policy != "" {
		attr["FilterPolicy"] = policy
	}
	if _, err := b.sns.Subscribe(b.t.Context(), &sns.SubscribeInput{TopicArn: &topic, Protocol: aws.String("sqs"), Endpoint: aws.String(a.Attributes["QueueArn"]), Attributes: attr}); err != nil {
		b.t.Fatal(err)
	}
	return *q.QueueUrl
}

// messages takes all that lies in a queue.
func (b topics) messages(queue string) (all []types.Message) {
	b.t.Helper()
	for {
		out, err := b.sqs.ReceiveMessage(b.t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &queue, MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"},
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll}})
		if err != nil {
			b.t.Fatal(err)
		}
		if len(out.Messages) == 0 {
			return all
		}
		for _, m := range out.Messages {
			all = append(all, m)
			if _, err := b.sqs.DeleteMessage(b.t.Context(), &sqs.DeleteMessageInput{QueueUrl: &queue, ReceiptHandle: m.ReceiptHandle}); err != nil {
				b.t.Fatal(err)
			}
		}
	}
}

func stateOf(m types.Message) string { return aws.ToString(m.MessageAttributes["state"].StringValue) }

// What leaves the outbox for a topic arrives in the queues behind it: filtered by the attributes, in its order, once on a FIFO topic.
func TestSNSWithQueuesAndFilterPolicies(t *testing.T) {
	awsSettings(t)
	endpoint := parts.Moto(t)
	b := newTopics(t, endpoint)
	fifo, plain, chat := b.topic("fin.fifo"), b.topic("fin-mail"), b.topic("fin-chat")
	everything := b.queue(fifo, "all.fifo", "")
	bad := b.queue(fifo, "bad.fifo", `{"unit":["FIN"],"state":["failed","recovered"],"usable":["false","true"],"env":["prod-emr"]}`)
	letters := b.queue(plain, "letters", "")
	chats := b.queue(chat, "chats", `{"severity":["high"]}`)

	var units notify.Units
	text := fmt.Sprintf(`
version: 1
defaults: {env: prod-emr}
channels:
  fifo: {sns: {topic: %q, endpoint: %q}}
  mail: {sns: {topic: %q, endpoint: %q, format: text}}
  chat: {sns: {topic: %q, endpoint: %q, format: aws-chat}}
  gone: {sns: {topic: "arn:aws:sns:eu-central-1:123456789012:gone", endpoint: %q}}
default: [fifo, mail, chat]
`, fifo, endpoint, plain, endpoint, chat, endpoint, endpoint)
	if err := config.Decode("units.yaml", []byte(text), &units); err != nil {
		t.Fatal(err)
	}
	s, err := notify.Open(t.Context(), filepath.Join(t.TempDir(), "outbox.db"), units, notify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	found, err := s.Doctor(t.Context(), "fifo", "mail", "chat", "gone")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range found { // moto counts no subscriptions
		if said := fmt.Sprint(d.Findings); d.Bad() != (d.Channel == "gone") || !strings.Contains(said, map[bool]string{true: "NotFound", false: "agrees with ours"}[d.Bad()]) {
			t.Errorf("the doctor says of %s: %s", d.Channel, said)
		}
	}
	day := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	tell := func(job string, state outcome.State, minute int, cause string) {
		t.Helper()
		o := outcome.Outcome{RunID: "01JD7Q", Unit: "FIN", Job: job, Title: "Tägliche Umsätze", State: state, Revision: minute, At: day.Add(31*time.Hour + time.Duration(minute)*time.Minute),
			Interval: outcome.Interval{Start: day, End: day.AddDate(0, 0, 1)}, Cause: outcome.Cause{Text: cause}}
		for i := range 20_000 * min(minute-1, 1) { // more tables than fit into a message
			o.Outputs = append(o.Outputs, outcome.Dataset{Name: fmt.Sprintf("finance.settlements_daily_part_%d", i)})
		}
		if _, err := s.Accept(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		if err := s.Drain(ctx); err != nil {
			t.Fatal(err)
		}
	}
	tell("settlements_daily", outcome.Failed, 1, "fee_eur is missing")
	tell("settlements_daily", outcome.Ready, 3, "")
	tell("gl_report", outcome.Ready, 1, "")

	var got []string
	for _, m := range b.messages(everything) {
		got = append(got, *m.MessageAttributes["job"].StringValue+" "+stateOf(m)+" in "+m.Attributes["MessageGroupId"])
		var e struct {
			SpecVersion, Source string
			Data                struct {
				Outputs []string
				Cut     bool
			}
		}
		if err := json.Unmarshal([]byte(*m.Body), &e); err != nil || e.SpecVersion != "1.0" || e.Source != "/weir/prod-emr" || len(*m.Body) > 256<<10 {
			t.Errorf("%d bytes, %v, %+.200v", len(*m.Body), err, e)
		}
		if recovered := stateOf(m) == "recovered"; e.Data.Cut != recovered || recovered && !strings.HasSuffix(e.Data.Outputs[len(e.Data.Outputs)-1], " more") {
			t.Errorf("%s: cut %v, %d outputs", stateOf(m), e.Data.Cut, len(e.Data.Outputs))
		}
		if len(m.MessageAttributes) != 9 {
			t.Errorf("%d attributes", len(m.MessageAttributes))
		}
	}
	want := []string{"settlements_daily failed in FIN/settlements_daily", "settlements_daily recovered in FIN/settlements_daily", "gl_report ready in FIN/gl_report"}
	if !slices.Equal(got, want) {
		t.Errorf("everything:\ngot  %q\nwant %q", got, want)
	}
	if m := b.messages(bad); len(m) != 2 || stateOf(m[0]) != "failed" || stateOf(m[1]) != "recovered" {
		t.Errorf("the filter let %d messages through", len(m))
	}
	if m := b.messages(letters); len(m) != 3 || !strings.Contains(*m[0].Body, "What to do:") {
		t.Errorf("%d letters", len(m))
	}
	m := b.messages(chats)
	if len(m) != 1 || !strings.Contains(*m[0].Body, `"threadId":"FIN/settlements_daily/2026-11-20#1"`) {
		t.Errorf("chats: %+v", m)
	}
}
