// Package channeltest is the conformance suite that each channel of notify passes: one call of [Run] in its test.
package channeltest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/internal/fake"
	"weir/internal/notify/channel"
	"weir/internal/outcome"
)

// Config says how the suite reaches the channel and the far side behind it.
type Config struct {
	Open    func(t *testing.T) Far
	Secrets []string // that no error may hold

	Undecidable bool         // after an unknown result nobody can tell: units.yaml decides (on_unknown)
	Mute        bool         // the far side cannot say when to come again
	Honest      []fake.Fault // faults that cannot be told from a plain refusal here
}

// Far is a channel and what is behind it.
type Far struct {
	Channel channel.Channel
	Arrived func() []string   // ids of the posts that arrived, doubles included
	Fault   func(fake.Fault)  // treats the next call so; nil: the far side cannot lie
	NoAuth  func(refuse bool) // makes the far side refuse everything, or no longer
	Loosen  func(id string)   // removes message ref, if a message can be edited
}

// Post is a post to try a channel with.
func Post(id string) channel.Post {
	o := outcome.Outcome{RunID: "01JD7Q", Job: "settlements_daily", Title: "Daily card settlements", Unit: "FIN", State: outcome.Failed,
		Cause: outcome.Cause{Text: `<!channel> see <http://evil.example|your bank> & "more"`}}
	return channel.Post{ID: id, Group: "FIN/settlements_daily", Message: channel.Message{
		EventID: id, Key: "FIN/settlements_daily/2026-11-20", Revision: 1, Symbol: "✖", Word: "FAILED",
		Subject: "Daily card settlements for Fri 20 Nov 2026", Verdict: "not usable", Why: o.Cause.Text, Todo: "wait", Footer: "settlements_daily · run 01JD7Q",
		Reply: "✖ failed", Severity: "high", Outcome: o,
	}}
}

// Run holds a channel against what channel.Channel promises.
func Run(t *testing.T, c Config) {
	send := func(t *testing.T, f Far, id string, fault fake.Fault) (channel.Receipt, error) {
		t.Helper()
		if fault != fake.None {
			f.Fault(fault)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if fault == fake.Hang {
			var stop context.CancelFunc
			ctx, stop = context.WithTimeout(t.Context(), 150*time.Millisecond)
			defer stop()
		}
		r, err := f.Channel.Send(ctx, Post(id))
		noSecret(t, c.Secrets, err)
		return r, err
	}
	t.Run("delivers once and says so", func(t *testing.T) {
		f := c.Open(t)
		if _, err := send(t, f, "a", fake.None); err != nil {
			t.Fatal(err)
		}
		want(t, f, "a")
	})
	t.Run("an authorization refused blocks the channel, and it works again when mended", func(t *testing.T) {
		f := c.Open(t)
		f.NoAuth(true)
		_, err := send(t, f, "a", fake.None)
		class(t, err, channel.Blocked)
		want(t, f)
		f.NoAuth(false)
		if _, err := send(t, f, "a", fake.None); err != nil {
			t.Fatal(err)
		}
		want(t, f, "a")
	})
	if c.Open(t).Fault != nil {
		faults(t, c, send)
	}
	t.Run("finds what has arrived and nothing else", func(t *testing.T) {
		f := c.Open(t)
		finder, ok := f.Channel.(channel.Finder)
		if !ok {
			t.Skip("this channel cannot look up")
		}
		since := time.Now()
		sent, err := send(t, f, "a", fake.None)
		if err != nil {
			t.Fatal(err)
		}
		got, found, err := finder.Find(t.Context(), "a", "", since)
		if err != nil || !found || got != sent {
			t.Errorf("find a: %+v, %v, %v; want %+v", got, found, err, sent)
		}
		if _, found, err := finder.Find(t.Context(), "b", "", since); found || err != nil {
			t.Errorf("find b, which was never sent: %v, %v", found, err)
		}
	})
	t.Run("edits and replies", func(t *testing.T) { edits(t, c, send) })
}

type sender func(t *testing.T, f Far, id string, fault fake.Fault) (channel.Receipt, error)

func faults(t *testing.T, c Config, send sender) {
	t.Run("refused for now: again, not before Retry-After, nothing delivered", func(t *testing.T) {
		f := c.Open(t)
		_, err := send(t, f, "a", fake.TooMany)
		if got := class(t, err, channel.Again); got != nil && got.After != time.Second && !c.Mute {
			t.Errorf("wait %v, the far side said 1s", got.After)
		}
		want(t, f)
	})
	for _, fault := range []fake.Fault{fake.Accept500, fake.AcceptCut, fake.Hang} {
		if slices.Contains(c.Honest, fault) {
			continue
		}
		t.Run(fmt.Sprintf("%s: unknown, and it has arrived", fault), func(t *testing.T) {
			f := c.Open(t)
			_, err := send(t, f, "a", fault)
			class(t, err, channel.Unknown)
			want(t, f, "a") // once: the channel must not have tried again by itself
			finder, ok := f.Channel.(channel.Finder)
			if !ok {
				if r, ok := f.Channel.(channel.Repeater); c.Undecidable == ok || ok && !r.Repeatable(time.Second) {
					t.Error("the channel can neither look up nor repeat, or does not admit it")
				}
				return
			}
			if _, found, err := finder.Find(t.Context(), "a", "", time.Now()); !found || err != nil {
				t.Errorf("find: %v, %v; it has arrived", found, err)
			}
		})
	}
	for _, fault := range []fake.Fault{fake.Refuse500, fake.Cut, fake.Garbage} {
		if slices.Contains(c.Honest, fault) {
			continue
		}
		t.Run(fmt.Sprintf("%s: unknown, as the sender cannot see that it has not arrived", fault), func(t *testing.T) {
			f := c.Open(t)
			_, err := send(t, f, "a", fault)
			class(t, err, channel.Unknown)
			want(t, f)
		})
	}
	t.Run("a message that is refused is the message's fault", func(t *testing.T) {
		f := c.Open(t)
		_, err := send(t, f, "a", fake.TooBig)
		class(t, err, channel.Refused)
		want(t, f)
	})
}

func edits(t *testing.T, c Config, send sender) {
	f := c.Open(t)
	ed, ok := f.Channel.(channel.Editor)
	if !ok {
		t.Skip("each post is a message of its own here")
	}
	root, err := send(t, f, "a", fake.None)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // idempotent
		if r, err := ed.Edit(t.Context(), root.Ref, Post("b")); err != nil || r.Ref != root.Ref {
			t.Fatalf("edit: %+v, %v", r, err)
		}
	}
	want(t, f, "b") // in place of a
	since := time.Now()
	reply, err := ed.Reply(t.Context(), root.Ref, Post("c"))
	if err != nil || reply.Ref == root.Ref {
		t.Fatalf("reply: %+v, %v", reply, err)
	}
	if got, found, err := f.Channel.(channel.Finder).Find(t.Context(), "c", root.Ref, since); err != nil || !found || got != reply {
		t.Errorf("find the reply: %+v, %v, %v", got, found, err)
	}
	f.Loosen(root.Ref)
	_, err = ed.Edit(t.Context(), root.Ref, Post("d"))
	class(t, err, channel.Gone)
	_, err = ed.Reply(t.Context(), root.Ref, Post("d"))
	class(t, err, channel.Gone)
	noSecret(t, c.Secrets, err)
}

func class(t *testing.T, err error, want channel.Class) *channel.Failure {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want one of class %s", want)
		return nil
	}
	f := channel.Classify(err)
	if f.Class != want {
		t.Errorf("%v is of class %s, want %s", err, f.Class, want)
	}
	return f
}

func want(t *testing.T, f Far, ids ...string) {
	t.Helper()
	if got := fmt.Sprint(f.Arrived()); got != fmt.Sprint(ids) {
		t.Errorf("arrived %s, want %v", got, ids)
	}
}

func noSecret(t *testing.T, secrets []string, err error) {
	t.Helper()
	for _, s := range secrets {
		if err != nil && strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), s) {
			t.Errorf("the error holds the secret: %v", err)
		}
	}
}
