package sns

import (
	"context"
	"fmt"
	"strings"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"weir/internal/notify/channel"
)

// Examine reads the topic's attributes.
func (t *topic) Examine(ctx context.Context) []channel.Finding {
	c, err := t.open(ctx)
	if err != nil {
		return []channel.Finding{channel.Failed("topic", err)}
	}
	asked := time.Now()
	out, err := c.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: &t.Topic})
	if err != nil {
		f := channel.Failed("topic", classify(err))
		if strings.HasPrefix(f.Code, "Authorization") { // posting may be allowed even so
			f.Level, f.Fix = channel.Warn, "grant sns:GetTopicAttributes, or see with notify test whether sns:Publish is granted"
		}
		return []channel.Finding{f}
	}
	f := channel.Finding{Check: "topic", Level: channel.Good, Text: "is there"}
	if key := out.Attributes["KmsMasterKeyId"]; key != "" {
		f.Text += ", encrypted with a key that the publisher must be allowed to use"
	}
	subs := channel.Finding{Check: "subscribers", Level: channel.Good, Text: fmt.Sprintf("%s confirmed", out.Attributes["SubscriptionsConfirmed"])}
	if n := out.Attributes["SubscriptionsConfirmed"]; n == "" || n == "0" {
		subs.Level, subs.Text, subs.Fix = channel.Warn, "nobody reads this topic", "subscribe its readers"
		if p := out.Attributes["SubscriptionsPending"]; p != "" && p != "0" {
			subs.Text += "; " + p + " have not confirmed yet"
			subs.Fix = "let them follow the link in the mail that AWS has sent"
		}
	}
	all := []channel.Finding{f, subs}
	if theirs, ok := awsmiddleware.GetServerTime(out.ResultMetadata); ok {
		now := time.Now()
		all = append(all, channel.Clock(theirs, now, now.Sub(asked)))
	}
	return all
}
