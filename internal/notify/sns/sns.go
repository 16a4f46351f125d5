// Package sns is the channel to an Amazon SNS topic, standard or FIFO.
//
// A standard topic delivers at least once: after an unknown result the post is sent again with the same event_id attribute,
// by which its readers drop the second. A FIFO topic drops it itself, for five minutes, by the deduplication id, which is
// the event's and never the job's: "recovered" soon after "failed" is another message.
//
// PublishBatch is not used. It saves calls, of which a topic of outcomes makes a few per minute, and costs what the outbox
// is for: ten posts would share one unknown result, and a refused one would wait for its neighbours. Single calls, one after
// the other, carry some 50 messages a second.
package sns

import (
	"context"
	"errors"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"

	"weir/internal/notify/channel"
)

// Formats of the message's body.
const (
	CloudEvents = "cloudevents" // for programs: CloudEvents 1.0 in JSON
	Text        = "text"        // for people: e-mail, SMS
	AWSChat     = "aws-chat"    // for Amazon Q Developer in chat applications, which posts it to Slack or Teams
)

// Formats are all of them.
func Formats() []string { return []string{CloudEvents, Text, AWSChat} }

// Config says which topic, and how.
type Config struct {
	Topic    string // its ARN
	Format   string // one of Formats; empty: CloudEvents
	Env      string // environment, an attribute; empty: none
	Endpoint string // for tests and private endpoints; empty: AWS's own
}

// arn:aws:sns:eu-central-1:111122223333:fin.fifo
var arn = regexp.MustCompile(`^arn:[a-z-]+:sns:([a-z0-9-]+):\d+:[A-Za-z0-9_-]+(\.fifo)?$`)

// ValidTopic reports whether s is the ARN of a topic.
func ValidTopic(s string) bool { return arn.MatchString(s) }

// New makes the channel. Credentials come from where AWS's tools look for them: environment, profile, role.
func New(c Config) channel.Channel {
	t := &topic{Config: c}
	if m := arn.FindStringSubmatch(c.Topic); m != nil {
		t.region, t.fifo = m[1], m[2] != ""
	}
	return t
}

type topic struct {
	Config
	region string
	fifo   bool

	mu     sync.Mutex
	client *sns.Client // made at the first post: a missing profile must not keep notify from starting
}

func (t *topic) open(ctx context.Context) (*sns.Client, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.client != nil {
		return t.client, nil
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(t.region), config.WithLogger(logging.Nop{}), // what matters comes as an error
		// The SDK's retry is off: it would send again after an unknown result, and hide the tries.
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }))
	if err != nil {
		return nil, &channel.Failure{Class: channel.Blocked, Code: "aws_config", Err: err}
	}
	t.client = sns.NewFromConfig(cfg, func(o *sns.Options) {
		if t.Endpoint != "" {
			o.BaseEndpoint = &t.Endpoint
		}
	})
	return t.client, nil
}

// fifoWindow is a bit less than the five minutes for which SNS remembers a deduplication id.
const fifoWindow = 4 * time.Minute

// Repeatable: see the package's doc.
func (t *topic) Repeatable(age time.Duration) bool { return !t.fifo || age < fifoWindow }

func (t *topic) Send(ctx context.Context, p channel.Post) (channel.Receipt, error) {
	c, err := t.open(ctx)
	if err != nil {
		return channel.Receipt{}, err
	}
	in, err := t.input(p)
	if err != nil {
		return channel.Receipt{}, &channel.Failure{Class: channel.Refused, Code: "too_big", Err: err}
	}
	out, err := c.Publish(ctx, in)
	if err != nil {
		return channel.Receipt{}, classify(err)
	}
	return channel.Receipt{Ref: aws.ToString(out.MessageId)}, nil
}

func classify(err error) error {
	f := &channel.Failure{Class: channel.Unknown, Code: "connection"}
	var resp *awshttp.ResponseError
	if errors.As(err, &resp) {
		f.HTTP = resp.HTTPStatusCode()
	}
	var api smithy.APIError
	var op *net.OpError
	var dns *net.DNSError
	switch {
	case errors.As(err, &api):
		f.Code, f.Err = api.ErrorCode(), errors.New(api.ErrorMessage())
		f.Class = classOf(api.ErrorCode(), f.HTTP)
		if resp != nil && resp.Response != nil {
			f.After, _ = time.ParseDuration(resp.Response.Header.Get("Retry-After") + "s")
		}
	case errors.As(err, &dns), errors.As(err, &op) && op.Op == "dial":
		f.Class, f.Code, f.Err = channel.Again, "unreachable", inner(err)
	case errors.Is(err, context.DeadlineExceeded):
		f.Code = "timeout"
	case f.HTTP >= 500:
		f.Code = "http_5xx"
	case f.HTTP == http.StatusTooManyRequests:
		f.Class, f.Code = channel.Again, "throttled"
	case isSigning(err):
		f.Class, f.Code, f.Err = channel.Blocked, "no_credentials", errors.New("AWS credentials cannot be had")
	default:
		f.Err = inner(err)
	}
	return f
}

func classOf(code string, status int) channel.Class {
	switch {
	case strings.Contains(code, "Throttl") || code == "RequestLimitExceeded" || status == http.StatusTooManyRequests:
		return channel.Again
	case strings.HasPrefix(code, "Authorization"), strings.HasPrefix(code, "KMS"), strings.HasPrefix(code, "NotFound"),
		status == http.StatusForbidden, status == http.StatusUnauthorized, status == http.StatusNotFound:
		return channel.Blocked
	case status >= 500 || status == 0:
		return channel.Unknown
	}
	return channel.Refused
}

// isSigning finds errors from before the request was made: no credentials, an expired session.
func isSigning(err error) bool {
	return strings.Contains(err.Error(), "get identity") || strings.Contains(err.Error(), "credentials")
}

// inner is the deepest error: the outer ones name URLs and request ids.
func inner(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}
