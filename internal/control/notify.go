package control

import "time"

// Verbs of the outbox. Each takes one JSON object.
//
//	notify.trace {id}                        Trace
//	notify.redrive {id}                      a dead, held or expired message is tried again, as if it were new
//	notify.drop {id, reason}                 it is given up for good
//	notify.silence {match, for, reason}      Silence; match in the words of routes, for as 4h
//	notify.unsilence {id}                    the silence ends
//	notify.test {channel}                    a test message goes to the channel at once
//	notify.doctor {channel}                  []ChannelFinding: token, permissions, clocks; without channel: of all
const (
	VerbNotifyTrace     = "notify.trace"
	VerbNotifyRedrive   = "notify.redrive"
	VerbNotifyDrop      = "notify.drop"
	VerbNotifySilence   = "notify.silence"
	VerbNotifyUnsilence = "notify.unsilence"
	VerbNotifyTest      = "notify.test"
	VerbNotifyDoctor    = "notify.doctor"
)

// Notify is the state of the outbox.
type Notify struct {
	At     time.Time `json:"at"`
	Own    bool      `json:"own,omitempty"`    // the program that draws the screens has read it itself: it stays true when its server has gone
	Error  string    `json:"error,omitempty"`  // why it cannot be read; all else is then as it was At
	Zone   string    `json:"zone,omitempty"`   // of the times in messages: Europe/Berlin
	Sender string    `json:"sender,omitempty"` // the process that sends, in words; empty: nobody does

	Sent       int64   `json:"sent"`
	Waiting    int64   `json:"waiting"`
	Held       int64   `json:"held"`
	Unknown    int64   `json:"unknown"`
	Dead       int64   `json:"dead"`
	OldestWait float64 `json:"oldest_wait_s"`

	Channels []Channel  `json:"channels,omitempty"`
	Messages []Message  `json:"messages,omitempty"` // the newest first
	Expected []Expected `json:"expected,omitempty"` // runs of today, in the order in which they are due
	Silences []Silence  `json:"silences,omitempty"` // in force
}

// A Channel is where messages go to.
type Channel struct {
	Name    string    `json:"name"`
	State   string    `json:"state"` // OK, Warn, Down (blocked)
	Detail  string    `json:"detail,omitempty"`
	Fix     string    `json:"fix,omitempty"`
	Since   time.Time `json:"since"`
	Waiting int64     `json:"waiting,omitempty"`
}

// A Message is one that a business unit gets, or does not get yet.
type Message struct {
	ID      int64     `json:"id"`
	State   string    `json:"state"`          // ready, retry, sending, unknown, sent, held, dead, superseded, suppressed, expired, dropped
	Gate    string    `json:"gate,omitempty"` // what keeps it back: quiet, retry, silence, fold
	Title   string    `json:"title"`
	Job     string    `json:"job,omitempty"`
	Run     string    `json:"run,omitempty"`
	Date    string    `json:"date,omitempty"`    // of the business: 2026-11-20
	Outcome string    `json:"outcome,omitempty"` // failed
	Notice  bool      `json:"notice,omitempty"`  // about the messages themselves: a blocked channel, a dead letter, a digest
	Unit    string    `json:"unit"`
	Channel string    `json:"channel"`
	Reply   bool      `json:"reply,omitempty"` // in the thread of an earlier one
	Try     int       `json:"try"`
	Created time.Time `json:"created,omitzero"`
	NextAt  time.Time `json:"next_at,omitzero"` // when it is tried, or let go
	At      time.Time `json:"at"`               // when it was sent
	Text    string    `json:"text,omitempty"`   // of the newest ones
	Why     string    `json:"why,omitempty"`
}

// Expected is a run that a business unit waits for today.
type Expected struct {
	Job   string    `json:"job"`
	Unit  string    `json:"unit,omitempty"`
	Title string    `json:"title,omitempty"`
	Date  string    `json:"date,omitempty"` // of the business: 2026-11-20
	State string    `json:"state"`          // done, running, late, missing, failed, to come, not today
	Why   string    `json:"why,omitempty"`  // of "not today": a holiday
	Due   time.Time `json:"due,omitzero"`   // finish by, else start by
	Usual time.Time `json:"usual,omitzero"` // ready by, as a median of past days
	Ready time.Time `json:"ready,omitzero"` // of "done"
	Again time.Time `json:"again,omitzero"` // when it is told again
}

// A Silence keeps messages back for a time.
type Silence struct {
	ID     int64     `json:"id"`
	Match  string    `json:"match"`
	Owner  string    `json:"owner"`
	Reason string    `json:"reason"`
	Until  time.Time `json:"until"`
	Kept   int64     `json:"kept"` // messages that it keeps back now
}

// A Trace is the way of one message from its event to its channel.
type Trace struct {
	Message
	Event    string    `json:"event"`
	Key      string    `json:"key"`      // what it is about: unit/job/date
	Revision int       `json:"revision"` // 1, 2, … within the key
	Accepted time.Time `json:"accepted"`
	Routes   []string  `json:"routes"` // why this channel gets it
	Tries    []Try     `json:"tries"`
	Fix      string    `json:"fix,omitempty"`
	Whole    string    `json:"whole"` // the event with all its channels, as `notify explain` tells it
	Previews []Preview `json:"previews"`
}

// A Try is one call to a channel.
type Try struct {
	At   time.Time `json:"at"`
	Good bool      `json:"good"`
	Text string    `json:"text"` // what was called, and what it answered
}

// A Preview is a message as one kind of channel gets it.
type Preview struct {
	As   string `json:"as"` // text, slack, sns, email
	Text string `json:"text"`
}

// A ChannelFinding is what the doctor says about a channel.
type ChannelFinding struct {
	Channel string `json:"channel,omitempty"` // empty: units.yaml
	State   string `json:"state"`             // OK, Warn, Bad
	Check   string `json:"check"`
	Text    string `json:"text"`
	Fix     string `json:"fix,omitempty"`
}
