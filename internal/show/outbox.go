package show

import (
	"time"

	"weir/internal/control"
	"weir/internal/notify"
)

// Outbox is the state of the notifications.
func Outbox(s notify.Status) *control.Notify {
	n := &control.Notify{
		At: time.Now(), Sent: s.Sent, Waiting: s.Waiting + s.Unrouted, Held: s.Held, Unknown: s.Unknown, Dead: s.Dead, OldestWait: s.OldestWait.Seconds(),
	}
	for _, c := range s.Channels {
		state := control.OK
		switch c.State {
		case "blocked":
			state = control.Down
		case "unconfigured":
			state = control.Warn
		}
		n.Channels = append(n.Channels, control.Channel{Name: c.Name, State: state, Detail: c.Reason, Since: c.Since})
	}
	for _, m := range s.Messages {
		n.Messages = append(n.Messages, control.Message{
			State: m.State, Title: m.Title, Unit: m.Unit, Channel: m.Channel, Try: m.Tries, At: m.SentAt, Text: m.Text, Why: m.Reason,
		})
	}
	return n
}
