package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"weir/internal/cli"
	"weir/internal/notify"
	"weir/internal/notify/intake"
	"weir/internal/outcome"
)

// outcomeFlags are an outcome on the command line.
type outcomeFlags struct {
	o     outcome.Outcome
	state string
	date  string
}

func (f *outcomeFlags) add(fs *pflag.FlagSet) {
	fs.StringVar(&f.o.Job, "job", "", "name of the job")
	fs.StringVar(&f.state, "state", "", "running, ready, warning, failed, cancelled, recovered, late, missing or replaced")
	fs.StringVar(&f.o.Unit, "unit", "", "business unit that is told; empty: the one of units.yaml that lists the job")
	fs.StringVar(&f.date, "date", "", "business date, 2026-11-20: messages about one job and date are one message")
	fs.StringVar(&f.o.RunID, "run", "", "id of the run; the same run and state twice is told once (default a new id)")
	fs.StringVar(&f.o.Title, "title", "", "what the business calls the job")
	fs.StringVar(&f.o.Kind, "kind", "", "ingest, etl, report")
	fs.StringVar(&f.o.Severity, "severity", "", "info, low, medium, high or critical (default by state)")
	fs.IntVar(&f.o.Attempt, "attempt", 0, "which try this was")
	fs.IntVar(&f.o.MaxAttempts, "max-attempts", 0, "how many tries there are")
	fs.IntVar(&f.o.Revision, "revision", 0, "tells outcomes of one run and state apart")
	fs.Int64Var(&f.o.RowsIn, "rows-in", 0, "rows read")
	fs.Int64Var(&f.o.RowsOut, "rows-out", 0, "rows written")
	fs.Int64Var(&f.o.Rejected, "rejected", 0, "rows refused")
	fs.Int64Var(&f.o.Filtered, "filtered", 0, "rows left out on purpose")
	fs.StringVar(&f.o.Cause.Text, "cause", "", "why it failed")
	fs.StringVar(&f.o.Cause.Code, "code", "", "why it failed, in one word")
	fs.BoolVar(&f.o.Cause.Retryable, "retryable", false, "it is tried again by itself")
	fs.StringVar(&f.o.Todo, "todo", "", "what the reader should do")
	fs.StringVar(&f.o.LogRef, "log", "", "where an engineer reads on")
}

func (f *outcomeFlags) outcome(now time.Time) (outcome.Outcome, error) {
	o := f.o
	o.State, o.At = outcome.State(f.state), now
	if o.RunID == "" {
		o.RunID = ulid.Make().String()
	}
	if f.date != "" {
		d, err := time.Parse(time.DateOnly, f.date)
		if err != nil {
			return o, cli.Usage(fmt.Errorf("--date %s: no such day", f.date), "write it as 2026-11-20")
		}
		o.Interval = outcome.Interval{Start: d, End: d.AddDate(0, 0, 1)}
	}
	if o.State.Terminal() {
		o.Ended = now
	} else {
		o.Started = now
	}
	if err := o.Validate(); err != nil {
		return o, cli.Usage(err, "give --job and --state, or a file with OpenLineage run events")
	}
	return o, nil
}

func emitCommand(p *program) *cobra.Command {
	var f outcomeFlags
	var noSend bool
	var spool string
	var wait time.Duration
	c := &cobra.Command{
		Use:   "emit [FILE]",
		Short: "Accept an outcome, durably, and send it",
		Long: `emit accepts outcomes: events from FILE ("-" is stdin; CloudEvents, OpenLineage run events or EMR's state changes, one JSON
object after the other), or one from flags.

It returns when they are on the disk and, unless --no-send, have been told or --wait is over; what still waits is sent by
'notify serve' or the next emit. The same event twice is told once.

    notify emit --job daily_totals --unit FIN --date 2026-11-20 --state ready --rows-in 1000 --rows-out 998 --rejected 2
    spark-job | notify emit -`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			all, err := p.arrivals(&f, c.Flags(), args)
			if err != nil {
				return err
			}
			if spool != "" {
				return p.drop(spool, all)
			}
			return p.with(c, func(ctx context.Context, s *notify.Service) error {
				return p.emit(ctx, s, all, noSend, wait)
			})
		},
	}
	f.add(c.Flags())
	c.Flags().BoolVar(&noSend, "no-send", false, "only accept; 'notify serve' sends")
	c.Flags().StringVar(&spool, "spool", "", "only put it as a file into this directory, which 'notify serve' watches")
	c.Flags().DurationVar(&wait, "wait", 10*time.Second, "how long to wait for the messages to leave")
	return c
}

// arrivals reads what is to be told, from the file or from the flags.
func (p *program) arrivals(f *outcomeFlags, fs *pflag.FlagSet, args []string) ([]notify.Arrival, error) {
	if len(args) == 0 {
		o, err := f.outcome(time.Now())
		return []notify.Arrival{{Outcome: o}}, err
	}
	if fs.Changed("job") || fs.Changed("state") {
		return nil, cli.Usage(errors.New("a file and --job or --state exclude each other"), "")
	}
	in := p.Stdin
	if args[0] != "-" {
		file, err := os.Open(args[0])
		if err != nil {
			return nil, cli.Usage(err, "")
		}
		defer file.Close()
		in = file
	}
	var all []notify.Arrival
	n, err := intake.Each(in, func(some []notify.Arrival) error {
		all = append(all, some...)
		return nil
	})
	if err != nil {
		return nil, cli.Usage(fmt.Errorf("%s: %w", args[0], err), "expected CloudEvents or OpenLineage run events, one JSON object after the other; nothing was accepted")
	}
	if n == 0 {
		return nil, cli.Usage(fmt.Errorf("%s: no event", args[0]), "")
	}
	return all, nil
}

// outcomes are what the events say, each by itself.
func (p *program) outcomes(f *outcomeFlags, fs *pflag.FlagSet, args []string) ([]outcome.Outcome, error) {
	arrivals, err := p.arrivals(f, fs, args)
	var all []outcome.Outcome
	for _, a := range arrivals {
		if a.Event != nil {
			a.Outcome = a.Event.Outcome()
		}
		all = append(all, a.Outcome)
	}
	return all, err
}

// drop puts events into a spool: for a machine that shares a directory with notify, but not its home.
func (p *program) drop(dir string, all []notify.Arrival) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, a := range all {
		e := outcome.FromOutcome(a.Outcome)
		if a.Event != nil {
			e = *a.Event
		}
		if err := enc.Encode(e); err != nil {
			return err
		}
	}
	name := ulid.Make().String() + ".json"
	if err := intake.Drop(dir, name, b.Bytes()); err != nil {
		return err
	}
	return p.Result(map[string]any{"file": filepath.Join(dir, name), "events": len(all)}, fmt.Sprintf("%d events in %s\n", len(all), filepath.Join(dir, name)))
}

// emitted is the result of emit.
type emitted struct {
	Event    string         `json:"event"` // the last one
	Events   []string       `json:"events"`
	Accepted int            `json:"accepted"`
	Sent     int            `json:"sent"`
	Waiting  int            `json:"waiting"`
	Messages []notify.Entry `json:"messages"`
}

func (p *program) emit(ctx context.Context, s *notify.Service, all []notify.Arrival, noSend bool, wait time.Duration) error {
	r := emitted{Messages: []notify.Entry{}}
	var err error
	if r.Events, err = s.AcceptAll(ctx, all); err != nil {
		return err
	}
	r.Accepted = len(all)
	if len(r.Events) > 0 {
		r.Event = r.Events[len(r.Events)-1]
	}
	if !noSend {
		send, stop := context.WithTimeout(ctx, wait)
		defer stop()
		if err := s.Drain(send); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	var b strings.Builder
	for _, id := range r.Events {
		entries, err := s.Outbox(ctx, notify.Filter{Event: id})
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "accepted %s\n", id)
		for i := len(entries) - 1; i >= 0; i-- {
			e := entries[i]
			if e.State == "sent" {
				r.Sent++
			} else if e.State != "superseded" && e.State != "suppressed" {
				r.Waiting++
			}
			r.Messages = append(r.Messages, e)
			b.WriteString("  " + line(e) + "\n")
		}
	}
	return p.Result(r, b.String())
}

// line shows a delivery in one line.
func line(e notify.Entry) string {
	s := fmt.Sprintf("%-10s %-14s %s", e.State, e.Channel, e.Title)
	if e.Reason != "" {
		s += " (" + e.Reason + ")"
	}
	return s
}
