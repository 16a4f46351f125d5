package notify

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"golang.org/x/time/rate"

	"weir/internal/config"
	"weir/internal/notify/channel"
	"weir/internal/notify/console"
	"weir/internal/notify/mail"
	"weir/internal/notify/slack"
	"weir/internal/notify/slackhook"
	"weir/internal/notify/sns"
	"weir/internal/notify/webhook"
)

// slackPace is what Slack allows: about one message per second and channel.
const slackPace = time.Second

// openChannels makes the channels of units.yaml. A new kind of channel is a folder beside slack, a field of ChannelCfg and
// a case here.
func (s *Service) openChannels() {
	s.channels = map[string]channel.Channel{}
	s.pace = map[string]time.Duration{}
	s.apps, s.edits = map[string]*rate.Limiter{}, map[string]*rate.Limiter{}
	secret := func(r Ref) func() (string, error) {
		return func() (string, error) { return r.reveal(s.opt.Getenv) }
	}
	env := s.units.Defaults.Env
	for name, c := range s.units.Channels {
		switch {
		case c.Console != nil:
			s.channels[name] = console.New(s.console(c.Console))
		case c.Slack != nil:
			s.channels[name] = slack.New(slack.Config{Channel: c.Slack.Channel, URL: c.Slack.URL, Token: secret(c.Slack.Token)})
			s.pace[name] = paceOf(c.Slack.Pace)
			s.limitEdits(name, c.Slack)
		case c.SlackWebhook != nil:
			s.channels[name] = slackhook.New(slackhook.Config{URL: secret(c.SlackWebhook.URL)})
			s.pace[name] = paceOf(c.SlackWebhook.Pace)
		case c.SNS != nil:
			s.channels[name] = sns.New(sns.Config{Topic: c.SNS.Topic, Format: c.SNS.Format, Endpoint: c.SNS.Endpoint, Env: env})
		case c.Mail != nil:
			k := c.Mail
			s.channels[name] = mail.New(mail.Config{Server: k.Server, Security: k.Security, User: k.User, Password: secret(k.Password), From: k.From, To: k.To})
		case c.Webhook != nil:
			k := c.Webhook
			hook := webhook.Config{URL: k.URL, Secret: secret(k.Secret), ReceiverDedups: k.ReceiverDedups, Env: env}
			if k.Bearer != "" {
				hook.Bearer = secret(k.Bearer)
			}
			s.channels[name] = webhook.New(hook)
		}
	}
	for name, c := range s.opt.Extra {
		s.channels[name] = c
	}
}

func paceOf(d *config.Duration) time.Duration {
	if d == nil {
		return slackPace
	}
	return time.Duration(*d)
}

func (s *Service) console(c *ConsoleCfg) console.Config {
	out := console.Config{Path: c.Path}
	switch c.Path {
	case "stdout":
		return console.Config{Stream: orDiscard(s.opt.Stdout)}
	case "stderr":
		return console.Config{Stream: orDiscard(s.opt.Stderr)}
	}
	if !filepath.IsAbs(out.Path) {
		out.Path = filepath.Join(s.opt.Home, out.Path)
	}
	if c.Echo {
		out.Stream = s.opt.Stderr
	}
	return out
}

func orDiscard(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}

// retryOf is how long a channel's messages are tried again: its own setting over the defaults.
func (s *Service) retryOf(name string) Retry {
	d, c := s.units.Defaults.Retry, s.units.Channels[name].Retry
	return Retry{
		Budget:  cmp.Or(c.Budget, d.Budget, config.Duration(24*time.Hour)),
		MaxWait: cmp.Or(c.MaxWait, d.MaxWait, config.Duration(5*time.Minute)),
		Tries:   cmp.Or(c.Tries, d.Tries, 40),
	}
}

func (s *Service) budgetOf(name string) time.Duration { return time.Duration(s.retryOf(name).Budget) }

// backoff is the wait before the next try after n failed ones: full jitter, so that senders do not come back together.
func (w *worker) backoff(n int) time.Duration {
	most := time.Duration(w.s.retryOf(w.name).MaxWait)
	if d := w.s.opt.FirstWait << min(n, 20); d < most {
		most = d
	}
	return jitter(most)
}

func (s *Service) channel(name string) (channel.Channel, error) {
	if c, ok := s.channels[name]; ok {
		return c, nil
	}
	return nil, fmt.Errorf("channel %s is not in units.yaml", name)
}
