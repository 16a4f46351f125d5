//go:build real

package real

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"weir/internal/config"
	"weir/internal/notify"
	"weir/internal/notify/intake"
	"weir/test/real/parts"
)

// emrEvents are state changes as EventBridge puts them into a queue: of a step on a cluster, of an EMR Serverless job run, and of things
// that no business unit wants to know.
var emrEvents = []string{
	`{"version": "0", "id": "e1", "detail-type": "EMR Step Status Change", "source": "aws.emr", "account": "123456789012", "time": "2026-11-23T06:00:00Z", "region": "eu-central-1", "resources": [],
		"detail": {"severity": "INFO", "actionOnFailure": "CONTINUE", "stepId": "s-1", "name": "settlements_daily 2026-11-20", "clusterId": "j-1", "state": "RUNNING", "message": "Step s-1 started running"}}`,
	`{"version": "0", "id": "e2", "detail-type": "EMR Step Status Change", "source": "aws.emr", "account": "123456789012", "time": "2026-11-23T07:03:00Z", "region": "eu-central-1", "resources": [],
		"detail": {"severity": "INFO", "actionOnFailure": "CONTINUE", "stepId": "s-1", "name": "settlements_daily 2026-11-20", "clusterId": "j-1", "state": "COMPLETED", "message": "Step s-1 completed execution"}}`,
	`{"version": "0", "id": "e3", "detail-type": "EMR Serverless Job Run State Change", "source": "aws.emr-serverless", "account": "123456789012", "time": "2026-11-23T07:08:00Z", "region": "eu-central-1",
		"resources": ["arn:aws:emr-serverless:eu-central-1:123456789012:/applications/a1/jobruns/r1"],
		"detail": {"jobRunId": "r1", "applicationId": "a1", "releaseLabel": "emr-7.12.0", "state": "FAILED", "previousState": "RUNNING", "jobRunName": "gl_report 2026-11-20", "stateDetails": "Job failed: column fee_eur is missing"}}`,
	`{"version": "0", "id": "e4", "detail-type": "EMR Serverless Application State Change", "source": "aws.emr-serverless", "account": "123456789012", "time": "2026-11-23T07:09:00Z", "region": "eu-central-1", "resources": [],
		"detail": {"applicationId": "a1", "applicationName": "etl", "releaseLabel": "emr-7.12.0", "applicationType": "SPARK", "state": "STOPPED", "previousState": "STOPPING"}}`,
}

// forgets lets a taker's first answers get lost: what it took is on the disk, the queue is not told.
type forgets struct {
	intake.Taker
	left int // only the reader's goroutine uses it
}

func (f *forgets) AcceptAll(ctx context.Context, all []notify.Arrival) ([]string, error) {
	ids, err := f.Taker.AcceptAll(ctx, all)
	if f.left--; err == nil && f.left >= 0 {
		return nil, errors.New("the answer is lost")
	}
	return ids, err
}

// EMR's state changes on an SQS queue become messages once: also those that were taken and not deleted, and come again when the queue
// shows them again; also those that EventBridge delivers twice. What is no event is put aside and keeps nothing back.
func TestSQSTellsOfEMR(t *testing.T) {
	awsSettings(t)
	endpoint := parts.Moto(t)
	q := newTopics(t, endpoint).sqs
	queue, err := q.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("emr-events"), Attributes: map[string]string{"VisibilityTimeout": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	put := func(bodies ...string) {
		t.Helper()
		for _, body := range bodies {
			if _, err := q.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: queue.QueueUrl, MessageBody: &body}); err != nil {
				t.Fatal(err)
			}
		}
	}
	left := func() string {
		got, err := q.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: queue.QueueUrl,
			AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible}})
		if err != nil {
			t.Fatal(err)
		}
		return got.Attributes["ApproximateNumberOfMessages"] + " and " + got.Attributes["ApproximateNumberOfMessagesNotVisible"]
	}

	dir := t.TempDir()
	var units notify.Units
	text := "version: 1\nchannels: {fin: {console: {path: told.txt}}, other: {console: {path: other.txt}}}\nunits: {FIN: {jobs: [settlements_daily, gl_report]}}\nroutes: [{when: 'unit = \"FIN\"', to: [fin]}]\ndefault: [other]\n"
	if err := config.Decode("units.yaml", []byte(text), &units); err != nil {
		t.Fatal(err)
	}
	s, err := notify.Open(t.Context(), filepath.Join(dir, "outbox.db"), units, notify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var log bytes.Buffer
	aside := filepath.Join(dir, "refused")
	taker := &forgets{Taker: s, left: 1}
	reader := intake.SQS{Queue: *queue.QueueUrl, Endpoint: endpoint, Wait: 1, Taker: taker, Aside: intake.Aside(aside), Log: slog.New(slog.NewTextHandler(&log, nil))}

	put(append([]string{`{"this is": "no event"`, `{"source": "aws.ec2", "detail-type": "EC2 Instance State-change Notification", "detail": {}}`}, emrEvents...)...)
	put(emrEvents[1:3]...) // EventBridge delivers at least once
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- reader.Run(ctx) }()
	until(t, func() bool { return left() == "0 and 0" }, &log)
	put(emrEvents[2])
	until(t, func() bool { return left() == "0 and 0" }, &log)
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if taker.left >= 0 || !strings.Contains(log.String(), "the answer is lost") {
		t.Error("no answer was lost: nothing came a second time")
	}
	if err := s.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	told, err := os.ReadFile(filepath.Join(dir, "told.txt"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", told)
	for _, first := range []string{"✅ READY  settlements_daily for Fri 20 Nov 2026: usable", "✖ FAILED  gl_report for Fri 20 Nov 2026: not usable"} {
		if n := strings.Count(string(told), first); n != 1 {
			t.Errorf("%d times told: %s", n, first)
		}
	}
	if !strings.Contains(string(told), "column fee_eur is missing") {
		t.Error("the cause is not told")
	}
	if other, err := os.ReadFile(filepath.Join(dir, "other.txt")); err == nil {
		t.Errorf("somebody else was told:\n%s", other)
	}
	var reasons []string
	files, err := filepath.Glob(filepath.Join(aside, "*.why"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		why, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		reasons = append(reasons, string(why))
	}
	if len(reasons) != 2 || !strings.Contains(strings.Join(reasons, ""), "no JSON object") || !strings.Contains(strings.Join(reasons, ""), "aws.ec2") {
		t.Errorf("put aside: %q", reasons)
	}
}
