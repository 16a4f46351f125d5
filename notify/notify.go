// Package notify is weir's messenger for other Go programs: it tells business units what became of jobs, once, in their words, over the
// channels of a units.yaml, or over channels of your own.
//
//	box, err := notify.Open(ctx, notify.Config{Outbox: "outbox.db", Units: "units.yaml"})
//	defer box.Close()
//	_, err = box.Tell(ctx, notify.Outcome{RunID: "2026-11-20", Job: "daily_totals", Unit: "FIN", State: notify.Failed, At: time.Now(), Cause: notify.Cause{Text: "no input"}})
//	err = box.Send(ctx) // until ctx ends; or leave that to `notify serve` on the same outbox
//
// # Promises
//
// Tell returns after the outcome is on the disk (fsync); the same outcome twice is told once. What was accepted is delivered once
// per channel, or somebody is told that it was not: a crash, a refused call, a time-out whose message has arrived after all neither
// lose nor double a message. Messages about one job and date leave in their order. One process sends at a time; others stand by.
// No error holds a secret.
//
// The types are those of the program notify: what this package sends, the program explains, and the other way round.
package notify

import (
	"context"
	"io"
	"log/slog"
	"strings"

	"weir/internal/notify"
	"weir/internal/notify/channel"
	"weir/internal/outcome"
)

// What is told: see the fields' comments.
type (
	// An Outcome is what became of a run so far. RunID, Job, State and At are needed, zero fields are not known.
	Outcome = outcome.Outcome
	// A State says how a run stands.
	State = outcome.State
	// An Interval is the span of data of a run, [Start, End); its first day is the business date.
	Interval = outcome.Interval
	// A Cause says why a run did not end well.
	Cause = outcome.Cause
	// A Dataset is a table or topic that a run read or wrote.
	Dataset = outcome.Dataset
)

// The states that a program tells. Recovered, late and missing are found out by the outbox itself.
const (
	Running   = outcome.Running
	Ready     = outcome.Ready
	Warning   = outcome.Warning
	Failed    = outcome.Failed
	Cancelled = outcome.Cancelled
	Replaced  = outcome.Replaced
)

// Channels of your own: a type with Send; Editor, Finder and Repeater are what else it may be able to do.
type (
	// A Channel delivers posts. It never tries again by itself, and gives each error as a *Failure.
	Channel = channel.Channel
	// An Editor can change a message and reply to it.
	Editor = channel.Editor
	// A Finder can look up whether a post of unknown result has arrived.
	Finder = channel.Finder
	// A Repeater may be sent the same post again, as its readers drop the second.
	Repeater = channel.Repeater
	// A Post is one delivery to one channel; its ID is the same for each try.
	Post = channel.Post
	// A Message is what a business unit reads, in parts; Text puts them together.
	Message = channel.Message
	// A Receipt is what the far side answered.
	Receipt = channel.Receipt
	// A Failure is a delivery that did not succeed, or is not known to have.
	Failure = channel.Failure
	// A Class says what a failure means for the post.
	Class = channel.Class
)

// The classes of a failure.
const (
	Again   = channel.Again   // refused for now, not delivered: it is tried later
	Unknown = channel.Unknown // may have been delivered: it is looked up, or on_unknown decides
	Blocked = channel.Blocked // the channel's fault, for all its posts: they wait
	Refused = channel.Refused // this post's fault: the fallback is told
	Gone    = channel.Gone    // the message to edit or to reply to is no longer there
)

// What the outbox tells of itself.
type (
	// An Explanation says why somebody did, or did not, get a message.
	Explanation = notify.Explanation
	// A Status is the outbox at a glance.
	Status = notify.Status
)

// ErrNoEvent says that the outbox knows no such event, run or job.
var ErrNoEvent = notify.ErrNoEvent

// Config of an outbox. Outbox is needed.
type Config struct {
	// Outbox is a SQLite file, made if it is missing, or a PostgreSQL for a fleet: postgres://user@host:5432/database.
	Outbox string
	// Units is the file that says who is told what; empty or missing: everything goes to notifications.txt beside the outbox and to Console.
	Units string
	// Home is the directory of relative paths in channels; empty: that of the outbox's file, or of the process.
	Home string
	// Channels of your own, by the name that units.yaml has them under; they take the place of the ones there.
	Channels map[string]Channel
	// Console is where channels write that go to stdout or stderr; nil: nowhere but to their file.
	Console io.Writer
	// Getenv resolves env:NAME in units.yaml; nil: the process's environment.
	Getenv func(string) string
	// Log gets what an operator should know; nil: nothing is logged.
	Log *slog.Logger
}

// A Box is an open outbox. Its methods may be called from any goroutine.
type Box struct{ s *notify.Service }

// Open reads the units and opens the outbox. A mistake in the units is told with file:line:column.
func Open(ctx context.Context, c Config) (*Box, error) {
	units, err := notify.LoadUnits(c.Units)
	if err != nil {
		return nil, err
	}
	if c.Home == "" && strings.Contains(c.Outbox, "://") {
		c.Home = "."
	}
	s, err := notify.Open(ctx, c.Outbox, units, notify.Options{
		Home: c.Home, Stdout: c.Console, Stderr: c.Console, Getenv: c.Getenv, Log: c.Log, Extra: c.Channels,
	})
	if err != nil {
		return nil, err
	}
	return &Box{s}, nil
}

// Close closes the outbox; Send and Drain must have returned. What has not left stays for the next sender.
func (b *Box) Close() error { return b.s.Close() }

// Tell takes an outcome over and gives the id of its event. It waits for the disk, and for no channel.
func (b *Box) Tell(ctx context.Context, o Outcome) (event string, err error) {
	return b.s.Accept(ctx, o)
}

// Send sends what was told, by any program, until ctx ends; while another process sends it stands by. It fails only where the outbox
// cannot be used at all.
func (b *Box) Send(ctx context.Context) error { return b.s.Run(ctx) }

// Drain sends until nothing can leave any more: at the end of a program that runs once. What is held, blocked or dead stays.
func (b *Box) Drain(ctx context.Context) error { return b.s.Drain(ctx) }

// Explain tells the way of an event to each channel, sent or not: by its id, a run, or a job (its last event).
func (b *Box) Explain(ctx context.Context, what string) (Explanation, error) {
	return b.s.Explain(ctx, what)
}

// Status gives the figures, the channels and the n newest messages.
func (b *Box) Status(ctx context.Context, n int) (Status, error) { return b.s.Status(ctx, n) }

// Preview is the message about an outcome, without sending it: as text, slack, sns, email or aws-chat.
func (b *Box) Preview(o Outcome, as string) (string, error) { return b.s.Preview(o, as) }
