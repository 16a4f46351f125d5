package load

import (
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"weir/internal/cli"
)

// What the broker's user may not do is said before the schedule begins, with what to ask for.
func TestWhatAnAuthorizerForbidsIsSaid(t *testing.T) {
	may := func(name string, op kmsg.ACLOperation) kfake.ACL {
		return kfake.ACL{Resource: kmsg.ACLResourceTypeTopic, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: op, Allow: true}
	}
	c := broker(t, kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("PLAIN", "admin", "admin"), kfake.SeedTopics(1, "closed", "readonly", "open"),
		kfake.User("PLAIN", "ann", "ann", may("readonly", kmsg.ACLOperationDescribe), may("new", kmsg.ACLOperationDescribe), may("open", kmsg.ACLOperationAll)))
	as := func(o ...kgo.Opt) (*kgo.Client, error) {
		return kgo.NewClient(append(o, kgo.SeedBrokers(c.ListenAddrs()...), kgo.SASL(plain.Auth{User: "ann", Pass: "ann"}.AsMechanism()))...)
	}
	for _, x := range []struct {
		topic, says, hint string
		transactions      bool
	}{
		{"closed", "topic closed: the broker does not allow this user to see it", "write the topic", false},
		{"readonly", "warm-up: topic readonly: the broker does not allow this user to write to it", "write the topic", false},
		{"new", "create topic new: the broker does not allow this user to make it", "to create it", false},
		{"open", "warm-up: the broker does not allow this user to send in transactions", "transactional ids that begin with weir-load-", true},
	} {
		p := profile("1000", 1000)
		p.Topic.Name = x.topic
		if x.transactions {
			p.Producer.Transaction.Messages = 10
		}
		_, err := Run(t.Context(), Options{Profile: p, Home: t.TempDir(), Connect: as, Register: register})
		var e *cli.Error
		if !errors.As(err, &e) || e.Error() != x.says || !strings.Contains(e.Hint, x.hint) {
			t.Errorf("topic %s: got  %v\nwant %s", x.topic, err, x.says)
		}
	}
}
