package notify

import (
	"weir/internal/config"
	"weir/internal/notify/sns"
)

// ChannelCfg is one channel: exactly one of its kinds is set.
type ChannelCfg struct {
	Console *ConsoleCfg `yaml:"console" jsonschema:"description=A file or the terminal"`
	Slack   *SlackCfg   `yaml:"slack" jsonschema:"description=A Slack channel"`
	SNS     *SNSCfg     `yaml:"sns" jsonschema:"description=An Amazon SNS topic"`
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

// SNSCfg is a topic.
type SNSCfg struct {
	Topic    string `yaml:"topic" jsonschema:"description=Its ARN,required"`
	Format   string `yaml:"format" jsonschema:"description=cloudevents (for programs; the default) or text (for mail)"`
	Endpoint string `yaml:"endpoint" jsonschema:"description=Address of the service; AWS's own if empty"`
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
	if k := c.SNS; k != nil {
		n++
		if !sns.ValidTopic(k.Topic) {
			no(path+".sns.topic", "%q is no ARN of a topic; write arn:aws:sns:REGION:ACCOUNT:NAME", k.Topic)
		}
		switch k.Format {
		case "", sns.CloudEvents, sns.Text:
		case "aws-chat":
			no(path+".sns.format", "aws-chat: this version of weir has none yet; write cloudevents or text")
		default:
			no(path+".sns.format", "%q is unknown; write cloudevents or text", k.Format)
		}
	}
	if n != 1 {
		no(path, "must have exactly one of console, slack, sns")
	}
}
