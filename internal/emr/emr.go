// Package emr runs a spark-submit on Amazon EMR: as a job run of an EMR Serverless application, as a step of a running cluster,
// or on a cluster that is made for it and goes with it.
//
// Start with [Open]. A [Submission] is [Client.Start]ed, its [Client.Status] asked for until it is [State.Terminal], and
// [Client.Cancel]led if need be; [Client.Find] gives the handle back to whoever has lost it.
//
// # Promises
//
// A submission with the same token is started once. EMR Serverless keeps that promise itself (its client token); steps and
// clusters have no such token, so theirs is in the name: before each call and after each answer that was lost, the name is looked
// for. Where it cannot be told whether EMR took a submission, Start fails with [ErrUnknown] and sends nothing again; the next
// Start with the token looks first.
package emr

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weir/internal/cli"
)

// ErrUnknown means that the answer to a submission was lost, and that EMR does not show the submission (yet).
var ErrUnknown = errors.New("it is not known whether EMR has taken the submission")

// Submission is a script with its arguments for spark-submit.
type Submission struct {
	Token   string // of letters, digits and hyphens
	Name    string // for people
	Script  string // URI
	Args    []string
	Conf    map[string]string
	Timeout time.Duration // 0: none
}

// name is how a submission is found again where there are no client tokens.
func (s Submission) name() string { return s.Name + " " + s.Token }

// Handle is where a submission runs.
type Handle struct {
	In string `json:"in"` // id of the application or cluster
	ID string `json:"id"` // of the job run or step
}

func (h Handle) String() string { return h.In + "/" + h.ID }

// State of a submission.
type State string

// The states.
const (
	Waiting   State = "waiting"
	Running   State = "running"
	Succeeded State = "succeeded"
	Failed    State = "failed"
	Cancelled State = "cancelled"
)

// Terminal reports whether it has ended.
func (s State) Terminal() bool { return s == Succeeded || s == Failed || s == Cancelled }

// Status is what EMR says of a submission.
type Status struct {
	State  State
	Detail string // EMR's own words
}

// service is one of EMR's ways to run something.
type service interface {
	// start sends one request. again reports whether the same request may be sent twice.
	start(ctx context.Context, s Submission) (h Handle, err error)
	again() bool
	find(ctx context.Context, s Submission, since time.Time) (Handle, bool, error)
	status(ctx context.Context, h Handle) (Status, error)
	cancel(ctx context.Context, h Handle) error
	request(s Submission) any
}

// Targets are what Open knows.
const (
	Serverless = "emr-serverless"
	Cluster    = "emr"
)

// Client is a way to run something on EMR.
type Client struct {
	service
	settle, every time.Duration
}

// Open makes a client for a target. Credentials come from where AWS's tools look for them: environment, profile, role.
func Open(ctx context.Context, c Config, target string) (*Client, error) {
	out := &Client{settle: 30 * time.Second, every: time.Second}
	var err error
	switch {
	case c.Staging == "":
		return nil, cli.Usage(errors.New("weir.yaml has no `emr` block"), "write emr: {staging: s3://bucket/path, …}; `pipeline schema weir` describes it")
	case target == Serverless && c.Serverless.Application == "":
		return nil, cli.Usage(errors.New("weir.yaml: emr.serverless names no application"), "write emr: {serverless: {application: ID, role: ARN}}")
	case target == Serverless:
		out.service, err = openServerless(ctx, c)
	case c.Cluster.ID != "":
		out.service, err = openSteps(ctx, c)
	case c.Cluster.Release != "":
		out.service, err = openOwn(ctx, c)
	default:
		return nil, cli.Usage(errors.New("weir.yaml: emr.cluster names no cluster"), "write emr: {cluster: {id: j-…}} for a running one, or {cluster: {release: emr-7.12.0, …}} for one that is made for each run")
	}
	return out, err
}

// Request is the API request that Start would send, for people to look at.
func (c *Client) Request(s Submission) any { return c.request(s) }

// Find looks for a submission since a time.
func (c *Client) Find(ctx context.Context, s Submission, since time.Time) (Handle, bool, error) {
	return c.find(ctx, s, since)
}

// Status asks how a submission stands.
func (c *Client) Status(ctx context.Context, h Handle) (Status, error) { return c.status(ctx, h) }

// Cancel asks for the end of a submission; that it has ended is no error.
func (c *Client) Cancel(ctx context.Context, h Handle) error { return c.cancel(ctx, h) }

// Start submits. since is when the token was made: the submission cannot be older.
func (c *Client) Start(ctx context.Context, s Submission, since time.Time) (Handle, error) {
	end := time.Now().Add(2 * c.settle)
	for wait := c.every; ; wait = min(2*wait, c.settle/3) {
		if h, ok, err := c.find(ctx, s, since); err != nil || ok {
			return h, err
		}
		h, err := c.start(ctx, s)
		switch verdict(err) {
		case taken:
			return h, nil
		case refused:
			return h, err
		case unknown:
			if h, ok, ferr := c.look(ctx, s, since); ferr != nil || ok {
				return h, ferr
			}
			if !c.again() {
				return h, &cli.Error{Err: fmt.Errorf("%w: %w", ErrUnknown, err), Hint: "submit it again: EMR is asked for it first"}
			}
		case notTaken:
		}
		if time.Now().After(end) {
			return h, err
		}
		if err := pause(ctx, wait); err != nil {
			return h, err
		}
	}
}

// look waits until EMR shows a submission whose answer was lost. Where a request may be sent again it looks once.
func (c *Client) look(ctx context.Context, s Submission, since time.Time) (Handle, bool, error) {
	for end := time.Now().Add(c.settle); ; {
		h, ok, err := c.find(ctx, s, since)
		if ok || err != nil || c.again() || time.Now().After(end) {
			return h, ok, err
		}
		if err := pause(ctx, c.every); err != nil {
			return h, false, err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
