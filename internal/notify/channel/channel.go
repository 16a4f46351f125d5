// Package channel says what a channel is: a place where a business unit reads its messages.
//
// A new channel is a folder beside this one with a type that has [Channel]'s one method, and passes channeltest.Run. What
// else it can do is told by further interfaces, which notify finds by type assertion: [Editor], [Finder], [Repeater].
package channel

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Channel delivers posts. Notify calls it from one goroutine at a time and gives each call a deadline.
type Channel interface {
	// Send delivers a post as a new message. nil means that the far side has acknowledged it. Every error should be a
	// *Failure; any other one counts as an unknown result. A channel never tries again by itself: notify decides, and
	// writes each try down. No error may hold a secret.
	Send(ctx context.Context, p Post) (Receipt, error)
}

// An Editor can change a message and reply to it. Without it each post is a message of its own.
type Editor interface {
	// Edit replaces the content of message ref. It must be idempotent: notify repeats it after an unknown result.
	Edit(ctx context.Context, ref string, p Post) (Receipt, error)
	// Reply adds to the thread of message ref; p.Loud asks that the whole channel sees it.
	Reply(ctx context.Context, ref string, p Post) (Receipt, error)
}

// A Finder can look up whether a post of unknown result has arrived.
type Finder interface {
	// Find looks for post id, first tried at since; thread is the message that it was a reply to, or empty.
	Find(ctx context.Context, id, thread string, since time.Time) (Receipt, bool, error)
}

// A Repeater may be sent the same post again, as the far side or its readers drop the second.
type Repeater interface {
	// Repeatable reports whether that holds for a post that was first tried so long ago.
	Repeatable(age time.Duration) bool
}

// A Receipt is what the far side answered.
type Receipt struct {
	Ref string // names the message there; what Edit and Reply need
}

// A Post is one delivery to one channel.
type Post struct {
	ID      string // the same for each try of this post, different for any other
	Group   string // posts of one group must stay in order
	Message Message
	Mention string // who is pinged, as written in units.yaml
	Loud    bool   // a reply that the whole channel shall see
	Plain   bool   // the far side refused the full form: text only

	Continues bool // the message that this would have changed is gone: say that there was one
}

// A Class says what an error means for the post.
type Class string

// The classes of a failure.
const (
	Again   Class = "again"    // refused for now, not delivered: try later
	Unknown Class = "unknown"  // may have been delivered: look before trying again
	Blocked Class = "blocked"  // the channel's fault, for all its posts: token, permission, archived
	Refused Class = "refused"  // this post's fault: too big, malformed
	Gone    Class = "vanished" // the message to edit or to reply to is no longer there
)

// A Failure is a delivery that did not succeed, or is not known to have.
type Failure struct {
	Class Class
	Code  string        // one word of the far side: ratelimited, invalid_auth
	HTTP  int           // status, 0 if there was none
	After time.Duration // Again: not before; 0 if the far side did not say
	Err   error         // nil, or what is behind; must not hold a secret
}

func (f *Failure) Error() string {
	s := f.Code
	if f.HTTP != 0 && f.HTTP != 200 {
		s = fmt.Sprintf("%s (HTTP %d)", s, f.HTTP)
	}
	if f.Err != nil {
		s += ": " + f.Err.Error()
	}
	return s
}

func (f *Failure) Unwrap() error { return f.Err }

// Classify gives err's failure; what no channel has classified has an unknown result.
func Classify(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	code := "error"
	if errors.Is(err, context.DeadlineExceeded) {
		code = "timeout"
	}
	return &Failure{Class: Unknown, Code: code, Err: err}
}
