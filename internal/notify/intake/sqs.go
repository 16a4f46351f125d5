package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// SQS takes events from a queue: EMR's state changes as EventBridge puts them there, or any other form that Decode knows. A
// message is deleted once it is on the disk; until then the queue keeps it and gives it again.
type SQS struct {
	Queue    string // its URL
	Region   string // empty: that of the URL, or the environment's
	Endpoint string // empty: AWS
	Wait     int32  // seconds of a long poll; 0: 20
	Taker    Taker
	Aside    Aside
	Metrics  *Metrics
	Log      *slog.Logger
}

// Run goes on until ctx ends. A queue that cannot be reached is tried again, with waits that grow.
func (q SQS) Run(ctx context.Context) error {
	if q.Wait == 0 {
		q.Wait = 20
	}
	if u, err := url.Parse(q.Queue); err == nil && q.Region == "" {
		if parts := strings.Split(u.Hostname(), "."); len(parts) > 3 && parts[0] == "sqs" {
			q.Region = parts[1]
		}
	}
	var load []func(*config.LoadOptions) error
	if q.Region != "" {
		load = append(load, config.WithRegion(q.Region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return fmt.Errorf("queue %s: %w", q.Queue, err)
	}
	cl := sqs.NewFromConfig(cfg, func(o *sqs.Options) {
		if q.Endpoint != "" {
			o.BaseEndpoint = &q.Endpoint
		}
	})
	p := puller{"sqs", q.Taker, q.Aside, q.Metrics, q.Log}
	for ctx.Err() == nil {
		if err := again(ctx, q.Log, "sqs", func() error { return q.round(ctx, cl, p) }); err != nil {
			return nil
		}
	}
	return nil
}

// round takes ten messages at most.
func (q SQS) round(ctx context.Context, cl *sqs.Client, p puller) error {
	got, err := cl.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &q.Queue, MaxNumberOfMessages: 10, WaitTimeSeconds: q.Wait})
	if err != nil {
		return err
	}
	if len(got.Messages) == 0 {
		return nil
	}
	var items []item
	var handles []types.DeleteMessageBatchRequestEntry
	for i, m := range got.Messages {
		items = append(items, item{name: aws.ToString(m.MessageId), body: []byte(aws.ToString(m.Body))})
		handles = append(handles, types.DeleteMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(i)), ReceiptHandle: m.ReceiptHandle})
	}
	if err := p.take(ctx, items); err != nil {
		return err
	}
	gone, err := cl.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: &q.Queue, Entries: handles})
	if err == nil && len(gone.Failed) > 0 {
		err = errors.New(aws.ToString(gone.Failed[0].Message))
	}
	if err != nil && ctx.Err() == nil { // they come again, and are told once
		q.Log.Warn("messages not deleted from the queue", "n", len(handles), "err", err)
	}
	return nil
}
