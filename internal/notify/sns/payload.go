package sns

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"golang.org/x/text/unicode/norm"

	"weir/internal/notify/channel"
	"weir/internal/notify/cloudevent"
)

// SNS's limits: bytes of body and attributes together, characters of a subject. maxValue is ours, for attributes: a name
// that is longer filters nothing.
const (
	maxBytes   = 256 << 10
	maxSubject = 100
	maxValue   = 512
)

func (t *topic) input(p channel.Post) (*sns.PublishInput, error) {
	in := &sns.PublishInput{TopicArn: &t.Topic, MessageAttributes: attributes(p, t.Env)}
	room := maxBytes
	for k, a := range in.MessageAttributes {
		room -= len(k) + len(*a.DataType) + len(*a.StringValue)
	}
	body, err := t.body(p, room)
	if err != nil {
		return nil, err
	}
	if t.Format == Text {
		in.Subject = aws.String(subject(p.Message))
		room -= len(*in.Subject)
	}
	if len(body) > room {
		return nil, fmt.Errorf("%d bytes, SNS takes %d with its attributes", len(body), maxBytes)
	}
	in.Message = aws.String(string(body))
	if t.fifo {
		in.MessageGroupId, in.MessageDeduplicationId = aws.String(group(p.Group)), aws.String(dedup(p))
	}
	return in, nil
}

func (t *topic) body(p channel.Post, room int) ([]byte, error) {
	switch t.Format {
	case Text:
		return []byte(cloudevent.Trim(visible(p.Message.Text()), maxBytes/4)), nil
	case AWSChat:
		return json.Marshal(chatOf(p))
	}
	return cloudevent.Marshal(p, t.Env, room)
}

// attributes are for filter policies: all lower case, at most nine, as raw delivery to SQS drops messages with more than ten.
// MessageStructure=json is never used: SNS would not send them.
func attributes(p channel.Post, env string) map[string]types.MessageAttributeValue {
	m := p.Message
	out := map[string]types.MessageAttributeValue{}
	set := func(name, value string) {
		if value = cloudevent.Trim(visible(value), maxValue); value != "" { // SNS refuses an empty one
			out[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(value)}
		}
	}
	set("event_id", m.EventID)
	set("type", cloudevent.Type(m))
	set("unit", m.Outcome.Unit)
	set("job", m.Outcome.Job)
	set("state", string(m.Outcome.State))
	set("severity", m.Severity)
	set("env", env)
	set("business_date", m.Outcome.BusinessDate())
	set("usable", strconv.FormatBool(m.Outcome.State.Good()))
	return out
}

// visible drops what SNS refuses, in text and in attributes: control characters, and bytes that are no character.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && unicode.IsControl(r) || r == 0xFFFE || r == 0xFFFF {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}

var german = strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue", "Ä", "Ae", "Ö", "Oe", "Ü", "Ue", "ß", "ss")

// ascii spells German letters out; VERSPÄTET stays in capitals.
func ascii(s string) string {
	out := german.Replace(s)
	if s == strings.ToUpper(s) {
		out = strings.ToUpper(out)
	}
	return out
}

// subject is ASCII in one line, and starts with a letter, a digit or a sign: SNS refuses others. Accents are left out.
func subject(m channel.Message) string {
	s := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r < ' ' || r > '~':
			return -1
		}
		return r
	}, norm.NFKD.String(ascii(m.Word)+" "+ascii(m.Subject)))
	if s = strings.Join(strings.Fields(s), " "); s == "" {
		s = string(m.Outcome.State) + " " + group(m.Outcome.Job) // written in other letters than ours
	}
	return cloudevent.Trim(s, maxSubject)
}

// dedup is by event, never by job: "recovered" soon after "failed" is another message.
func dedup(p channel.Post) string {
	return cloudevent.Trim(group(p.ID), 100) + "." + strconv.Itoa(p.Message.Revision)
}

// group keeps a unit's job in order; SNS takes letters, digits and ASCII punctuation, 128 at most.
func group(s string) string {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, s)
	return cloudevent.Trim(s, 128)
}

// Preview gives what programs that read the topic would get.
func Preview(p channel.Post, env string) any {
	attr := map[string]string{}
	for k, v := range attributes(p, env) {
		attr[k] = *v.StringValue
	}
	const limit = 8 << 10
	return map[string]any{"attributes": attr, "message": cloudevent.Of(p, env, limit)}
}
