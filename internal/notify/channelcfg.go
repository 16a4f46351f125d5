package notify

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"weir/internal/config"
	"weir/internal/notify/mail"
	"weir/internal/notify/sns"
	"weir/internal/notify/webhook"
)

// ChannelCfg is one channel: exactly one of its kinds is set.
type ChannelCfg struct {
	Console      *ConsoleCfg      `yaml:"console" jsonschema:"description=A file or the terminal"`
	Slack        *SlackCfg        `yaml:"slack" jsonschema:"description=A Slack channel"`
	SlackWebhook *SlackWebhookCfg `yaml:"slack_webhook" jsonschema:"description=An incoming webhook of Slack: without edits or threads or look-up"`
	SNS          *SNSCfg          `yaml:"sns" jsonschema:"description=An Amazon SNS topic"`
	Mail         *MailCfg         `yaml:"mail" jsonschema:"description=Mailboxes over SMTP"`
	Webhook      *WebhookCfg      `yaml:"webhook" jsonschema:"description=Any HTTP receiver; signed CloudEvents"`

	OnUnknown string `yaml:"on_unknown" jsonschema:"description=As in defaults but for this channel alone: resend or hold"`
	Retry     Retry  `yaml:"retry" jsonschema:"description=As in defaults but for this channel alone"`
}

// ConsoleCfg is a file to which each message is added.
type ConsoleCfg struct {
	Path string `yaml:"path" jsonschema:"description=A file below the home or stdout or stderr,required"`
	Echo bool   `yaml:"echo" jsonschema:"description=Also to stderr"`
}

// SlackCfg is a Slack channel.
type SlackCfg struct {
	Channel string           `yaml:"channel" jsonschema:"description=Its id (C0…): names can change,required"`
	Token   Ref              `yaml:"token" jsonschema:"description=Where the bot token is: env:NAME or file:PATH,required"`
	URL     string           `yaml:"url" jsonschema:"description=Address of the API; Slack's if empty"`
	Pace    *config.Duration `yaml:"pace" jsonschema:"description=The shortest time between two calls; 1s if empty: that is what Slack allows"`
}

// SlackWebhookCfg is an incoming webhook of Slack.
type SlackWebhookCfg struct {
	URL  Ref              `yaml:"url" jsonschema:"description=Where its address is (env:NAME or file:PATH): whoever knows it can post,required"`
	Pace *config.Duration `yaml:"pace" jsonschema:"description=The shortest time between two calls; 1s if empty: that is what Slack allows"`
}

// SNSCfg is a topic.
type SNSCfg struct {
	Topic    string `yaml:"topic" jsonschema:"description=Its ARN,required"`
	Format   string `yaml:"format" jsonschema:"description=cloudevents (for programs; the default) or text (for mail and SMS) or aws-chat (for Amazon Q Developer in chat applications)"`
	Endpoint string `yaml:"endpoint" jsonschema:"description=Address of the service; AWS's own if empty"`
}

// MailCfg are mailboxes.
type MailCfg struct {
	Server   string   `yaml:"server" jsonschema:"description=host:port of the mail server; like smtp.example.com:587,required"`
	Security string   `yaml:"security" jsonschema:"description=starttls (the default) or tls (from the first byte; port 465) or none (in clear: only for a relay on this machine)"`
	User     string   `yaml:"user" jsonschema:"description=Who logs in; nobody if empty"`
	Password Ref      `yaml:"password" jsonschema:"description=Where the password is: env:NAME or file:PATH"`
	From     string   `yaml:"from" jsonschema:"description=The sender: weir <weir@example.com>,required"`
	To       []string `yaml:"to" jsonschema:"description=Who gets it,required"`
}

// WebhookCfg is an HTTP receiver.
type WebhookCfg struct {
	URL            string `yaml:"url" jsonschema:"description=Where to post; https,required"`
	Secret         Ref    `yaml:"secret" jsonschema:"description=Where the secret of the signature is: env:NAME or file:PATH. Two with a blank between both sign: for a change without a gap,required"`
	Bearer         Ref    `yaml:"bearer" jsonschema:"description=Where a token for the Authorization header is; none if empty"`
	ReceiverDedups bool   `yaml:"receiver_dedups" jsonschema:"description=The receiver drops a second post with the same webhook-id: then an unknown result is sent again without harm"`
}

// kind names the kind that is set, as it is written in units.yaml.
func (c ChannelCfg) kind() string {
	switch {
	case c.Console != nil:
		return "console"
	case c.Slack != nil:
		return "slack"
	case c.SlackWebhook != nil:
		return "slack_webhook"
	case c.SNS != nil:
		return "sns"
	case c.Mail != nil:
		return "mail"
	case c.Webhook != nil:
		return "webhook"
	}
	return ""
}

func (c ChannelCfg) validate(path string, no complain) {
	n := 0
	if k := c.Console; k != nil {
		n++
		if k.Path == "" {
			no(path+".console", "path is missing: a file, stdout or stderr")
		}
	}
	if k := c.Slack; k != nil {
		n++
		if k.Channel == "" {
			no(path+".slack", "channel is missing: the id of a Slack channel, like C0FINDAILY")
		}
		if err := k.Token.validate(); err != nil {
			no(path+".slack.token", "%v", err)
		}
	}
	if k := c.SlackWebhook; k != nil {
		n++
		if err := k.URL.validate(); err != nil {
			no(path+".slack_webhook.url", "%v", err)
		}
	}
	if k := c.SNS; k != nil {
		n++
		if !sns.ValidTopic(k.Topic) {
			no(path+".sns.topic", "%q is no ARN of a topic; write arn:aws:sns:REGION:ACCOUNT:NAME", k.Topic)
		}
		if k.Format != "" && !slices.Contains(sns.Formats(), k.Format) {
			no(path+".sns.format", "%q is unknown; write one of %s%s", k.Format, strings.Join(sns.Formats(), ", "), didYouMean(k.Format, sns.Formats()))
		}
	}
	if k := c.Mail; k != nil {
		n++
		k.validate(path+".mail", no)
	}
	if k := c.Webhook; k != nil {
		n++
		k.validate(path+".webhook", no)
	}
	if n != 1 {
		no(path, "must have exactly one of console, slack, slack_webhook, sns, mail, webhook")
	}
	if c.OnUnknown != "" && c.OnUnknown != resend && c.OnUnknown != hold {
		no(path+".on_unknown", "%q is unknown; write resend or hold", c.OnUnknown)
	}
	c.Retry.validate(path+".retry", no)
}

func (k *MailCfg) validate(path string, no complain) {
	if host, port, err := net.SplitHostPort(k.Server); err != nil || host == "" || port == "" {
		no(path+".server", "%q is no server; write host:port, like smtp.example.com:587", k.Server)
	}
	if all := []string{mail.StartTLS, mail.TLS, mail.None}; k.Security != "" && !slices.Contains(all, k.Security) {
		no(path+".security", "%q is unknown; write one of %s%s", k.Security, strings.Join(all, ", "), didYouMean(k.Security, all))
	}
	if k.User != "" || k.Password != "" {
		if err := k.Password.validate(); err != nil {
			no(path+".password", "%v", err)
		}
		if k.User == "" {
			no(path+".user", "is missing: who logs in with the password")
		}
	}
	if !mail.ValidAddress(k.From) {
		no(path+".from", "%q is no mail address; write weir <weir@example.com>", k.From)
	}
	if len(k.To) == 0 {
		no(path+".to", "is missing: at least one mail address")
	}
	for i, to := range k.To {
		if !mail.ValidAddress(to) {
			no(fmt.Sprintf("%s.to[%d]", path, i), "%q is no mail address", to)
		}
	}
}

func (k *WebhookCfg) validate(path string, no complain) {
	if !webhook.ValidURL(k.URL) { // it is not repeated: there may be a secret in it
		no(path+".url", "is no address to post to; write https://host/path")
	}
	if err := k.Secret.validate(); err != nil {
		no(path+".secret", "%v", err)
	}
	if k.Bearer != "" {
		if err := k.Bearer.validate(); err != nil {
			no(path+".bearer", "%v", err)
		}
	}
}
