package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/audit"
	"weir/internal/cli"
	"weir/internal/ingest"
	"weir/internal/job"
	"weir/internal/lake"
	"weir/internal/project"
	"weir/internal/protocol"
	"weir/internal/topic"
)

func offsetsCommand(app *cli.App) *cobra.Command {
	c := &cobra.Command{
		Use: "offsets", Short: "where an ingest job stands in its topic, and what to do when the two do not fit", Args: cobra.NoArgs,
		Long: `offsets shows the positions that a job's table holds beside what the topic has, and carries out decisions about them:

    pipeline offsets show transactions                                  each partition: position, what is left of the topic, what is due
    pipeline offsets accept-gap transactions --why "retention 1d"       go on behind messages that are gone
    pipeline offsets set transactions --to latest --why "new topic"     leave out or read again; also after the topic was made again

A decision moves the position in the table, without rows, in one commit; it is kept with its reason and the name of who took it in the
table NAME__audit, so that table, quarantine and audit together account for every position of the topic.`,
	}
	c.AddCommand(offsetsShow(app), offsetsGap(app), offsetsSet(app))
	return c
}

// stand is where a job stands: its table and its topic, open.
type stand struct {
	job    job.Job
	lake   *lake.Lake
	table  *lake.Table
	source *topic.Source
}

func openStand(ctx context.Context, p *project.Project, l *lake.Lake, name string) (*stand, error) {
	j, err := job.Find(p.JobsDir(), name, kinds)
	if err != nil {
		return nil, err
	}
	spec, ok := j.Spec.(*ingest.Config)
	if !ok {
		return nil, cli.Usage(fmt.Errorf("job %s reads no topic", j.Name), "only ingest jobs have offsets")
	}
	s := &stand{job: j, lake: l}
	if s.table, err = l.Table(ctx, spec.Table); errors.Is(err, lake.ErrNoTable) {
		return nil, &cli.Error{Err: err, Hint: fmt.Sprintf("the job's first run makes it: `pipeline run %s`", j.Name)}
	}
	if err != nil {
		return nil, err
	}
	k, _, err := p.Resolve()
	if err != nil {
		return nil, err
	}
	s.source, err = topic.Open(ctx, k, spec.Topic, spec.Start)
	return s, err
}

// offsets are the job's positions, as the table has them, and the topic's.
func (s *stand) offsets(ctx context.Context) (at lake.Position, o topic.Offsets, t protocol.Topic, err error) {
	if at, err = s.table.Position(ctx, s.job.Name); err != nil {
		return at, o, t, resolvable(s.job.Name, err)
	}
	if o, err = topic.StoredOffsets(at.Cursor); err == nil {
		t, err = s.source.Topic(ctx)
	}
	return at, o, t, err
}

// onStand runs a verb on a job's stand.
func onStand(app *cli.App, c *cobra.Command, dir, name string, do func(context.Context, *stand) error) error {
	return withLake(c.Context(), app, dir, func(p *project.Project, l *lake.Lake) error {
		s, err := openStand(c.Context(), p, l, name)
		if err != nil {
			return err
		}
		defer s.source.Close()
		if err := audit.Keep(c.Context(), l, s.table, s.job.Name); err != nil {
			return err
		}
		return do(c.Context(), s)
	})
}

// partitionStand is one partition in the answer of offsets show.
type partitionStand struct {
	Partition int32  `json:"partition"`
	Next      *int64 `json:"next"` // null: the job has not seen the partition yet
	Start     int64  `json:"start"`
	End       int64  `json:"end"`
	Due       int64  `json:"due"`
	State     string `json:"state"` // ok, new, gap, beyond
	text      string
}

func partitions(o topic.Offsets, t protocol.Topic) []partitionStand {
	all := make([]partitionStand, 0, len(t.Ends))
	for _, p := range slices.Sorted(maps.Keys(t.Ends)) {
		x := partitionStand{Partition: p, Start: t.Starts[p], End: t.Ends[p], State: "new", text: "not read yet"}
		x.Due = x.End - x.Start
		if n, ok := o.Next[p]; ok && o.Same(t) == nil {
			x.Next, x.State, x.text, x.Due = &n, "ok", "", x.End-n
			switch {
			case n < x.Start:
				x.State, x.text = "gap", fmt.Sprintf("%d to %d are gone", n, x.Start-1)
			case n > x.End:
				x.State, x.text, x.Due = "beyond", "the topic ends before it", 0
			}
		}
		all = append(all, x)
	}
	return all
}

func offsetsShow(app *cli.App) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "show JOB", Short: "positions in the table, beside what the topic has", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return onStand(app, c, dir, args[0], func(ctx context.Context, s *stand) error {
				at, o, t, err := s.offsets(ctx)
				if err != nil {
					return err
				}
				all := partitions(o, t)
				fit := ""
				if _, err := o.Begin(t, t.Starts); err != nil {
					fit = undecided(s.job.Name, err).Error()
				}
				return app.Result(map[string]any{
					"job": s.job.Name, "table": s.table.Name(), "topic": t.Name, "topic_id": t.ID, "cluster": t.Cluster, "commit": at.Commit, "seq": at.Seq,
					"epoch": at.Epoch, "partitions": all, "problem": fit,
				}, standText(s, at, t, all, fit))
			})
		},
	}
	c.Flags().StringVar(&dir, "project", ".", "directory of weir.yaml and jobs/")
	return c
}

func standText(s *stand, at lake.Position, t protocol.Topic, all []partitionStand, problem string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: topic %s (%s) into table %s\n", s.job.Name, t.Name, t.ID, s.table.Name())
	if at.Commit == "" {
		b.WriteString("no commit yet\n")
	} else {
		fmt.Fprintf(&b, "commit %s, number %d, run %d\n", at.Commit, at.Seq, at.Epoch)
	}
	w := tabwriter.NewWriter(&b, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "partition\tnext\tfirst\tend\tdue\t ")
	for _, x := range all {
		next := "–"
		if x.Next != nil {
			next = fmt.Sprint(*x.Next)
		}
		fmt.Fprintf(w, "%d\t%s\t%d\t%d\t%d\t %s\n", x.Partition, next, x.Start, x.End, x.Due, x.text)
	}
	_ = w.Flush()
	if problem != "" {
		fmt.Fprintf(&b, "problem: %s\n", problem)
	}
	return b.String()
}

func offsetsGap(app *cli.App) *cobra.Command {
	var dir, why string
	c := &cobra.Command{
		Use: "accept-gap JOB --why TEXT", Short: "go on behind messages that the topic no longer has", Args: cobra.ExactArgs(1),
		Long: `accept-gap ends the stop of a job whose next messages are gone (the topic's retention was shorter than the job's delay): each such
partition goes on at the oldest message that is left. What is missing is kept as accept_gap in the table NAME__audit.`,
		RunE: func(c *cobra.Command, args []string) error {
			return onStand(app, c, dir, args[0], func(ctx context.Context, s *stand) error {
				at, o, t, err := s.offsets(ctx)
				if err != nil {
					return err
				}
				_, err = o.Begin(t, t.Starts)
				var gap *protocol.GapError
				if !errors.As(err, &gap) {
					if err != nil {
						return undecided(s.job.Name, err)
					}
					return cli.Usage(fmt.Errorf("job %s misses no messages: there is no gap to accept", s.job.Name), fmt.Sprintf("`pipeline offsets show %s` shows its positions", s.job.Name))
				}
				next := o
				next.Next = maps.Clone(o.Next)
				for p, g := range gap.Gaps {
					next.Next[p] = g[1]
				}
				return s.decide(ctx, app, at, o, next, audit.AcceptGap, why)
			})
		},
	}
	decision(c, &dir, &why)
	return c
}

func decision(c *cobra.Command, dir, why *string) {
	c.Flags().StringVar(dir, "project", ".", "directory of weir.yaml and jobs/")
	c.Flags().StringVar(why, "why", "", "the reason, for the audit table")
	_ = c.MarkFlagRequired("why")
}

func offsetsSet(app *cli.App) *cobra.Command {
	var dir, why, to string
	var again bool
	c := &cobra.Command{
		Use: "set JOB --to earliest|latest|0=4711,1=4800 --why TEXT", Short: "set the positions that a job reads on from", Args: cobra.ExactArgs(1),
		Long: `set moves positions by hand. What it leaves out is kept as skip in the table NAME__audit. Where it goes back, rows come into the table a
second time: that needs --again. After a topic was deleted and made again, or moved to another cluster, set takes the new one's positions
for all partitions (new_topic).

The job must not run meanwhile: a run that does is fenced by its next commit.`,
		RunE: func(c *cobra.Command, args []string) error {
			return onStand(app, c, dir, args[0], func(ctx context.Context, s *stand) error {
				at, o, t, err := s.offsets(ctx)
				if err != nil {
					return err
				}
				next, action, err := wanted(o, t, to)
				if err != nil {
					return cli.Usage(err, fmt.Sprintf("`pipeline offsets show %s` shows what there is", s.job.Name))
				}
				for _, m := range audit.Moves(o.Next, next.Next, action) {
					if action == audit.Skip && m.Action == audit.Again && m.From <= t.Ends[m.Partition] && !again {
						return cli.Usage(fmt.Errorf("partition %d would go back from %d to %d: rows that are in table %s come a second time", m.Partition, m.From, m.To, s.table.Name()), "--again allows it")
					}
				}
				return s.decide(ctx, app, at, o, next, action, why)
			})
		},
	}
	decision(c, &dir, &why)
	c.Flags().StringVar(&to, "to", "", "earliest, latest, or positions of partitions: 0=4711,1=4800")
	c.Flags().BoolVar(&again, "again", false, "allow positions that lie behind the present ones")
	_ = c.MarkFlagRequired("to")
	return c
}

// wanted are the positions that --to asks for.
func wanted(o topic.Offsets, t protocol.Topic, to string) (topic.Offsets, string, error) {
	next := topic.Offsets{Cluster: t.Cluster, Topic: t.Name, TopicID: t.ID, Next: map[int32]int64{}}
	action := audit.NewTopic
	if o.Same(t) == nil {
		action = audit.Skip
		maps.Copy(next.Next, o.Next)
	}
	switch to {
	case "earliest":
		maps.Copy(next.Next, t.Starts)
		return next, action, nil
	case "latest":
		maps.Copy(next.Next, t.Ends)
		return next, action, nil
	}
	for part := range strings.SplitSeq(to, ",") {
		left, right, _ := strings.Cut(part, "=")
		p, err1 := strconv.ParseInt(strings.TrimSpace(left), 10, 32)
		n, err2 := strconv.ParseInt(strings.TrimSpace(right), 10, 64)
		if err1 != nil || err2 != nil {
			return next, action, fmt.Errorf("--to: expected earliest, latest or partitions with their positions such as 0=4711,1=4800, got %q", part)
		}
		end, ok := t.Ends[int32(p)]
		if !ok || n < t.Starts[int32(p)] || n > end {
			return next, action, fmt.Errorf("--to: partition %d of topic %s has positions %d to %d, got %d", p, t.Name, t.Starts[int32(p)], end, n)
		}
		next.Next[int32(p)] = n
	}
	if len(next.Next) < len(t.Ends) && action == audit.NewTopic {
		return next, action, fmt.Errorf("--to: the topic is another one than before: expected positions of all its %d partitions, or earliest or latest", len(t.Ends))
	}
	return next, action, nil
}

// decide carries a decision out and keeps it.
func (s *stand) decide(ctx context.Context, app *cli.App, at lake.Position, before, after topic.Offsets, action, why string) error {
	to, err := json.Marshal(topic.Cursor(after))
	if err != nil {
		return err
	}
	d := audit.Decision{Job: s.job.Name, At: time.Now().UTC(), Who: who(app), Why: why, Before: at.Cursor, After: to, Moves: audit.Moves(before.Next, after.Next, action)}
	if action == audit.NewTopic {
		d.Moves = nil
		for _, p := range slices.Sorted(maps.Keys(after.Next)) {
			d.Moves = append(d.Moves, audit.Move{Partition: p, From: before.Next[p], To: after.Next[p], Action: action})
		}
	}
	if len(d.Moves) == 0 {
		return cli.Usage(errors.New("the positions are what they would become"), "nothing was changed")
	}
	if _, err := s.table.Decide(ctx, s.job.Name, at.Cursor, to, d.Note()); err != nil {
		if errors.Is(err, lake.ErrMoved) {
			err = &cli.Error{Err: err, Hint: "the job has committed meanwhile: stop it, look again with `pipeline offsets show`"}
		}
		return err
	}
	if err := audit.Keep(ctx, s.lake, s.table, s.job.Name); err != nil {
		return fmt.Errorf("the positions are set; the audit table gets it with the next `pipeline offsets`: %w", err)
	}
	var b strings.Builder
	for _, m := range d.Moves {
		fmt.Fprintf(&b, "partition %d: %d → %d (%s)\n", m.Partition, m.From, m.To, m.Action)
	}
	return app.Result(map[string]any{"job": s.job.Name, "table": s.table.Name(), "moves": d.Moves, "audit": audit.Table(s.table.Name())},
		b.String()+fmt.Sprintf("kept in %s\n", audit.Table(s.table.Name())))
}

// undecided adds the commands that end a stop about positions.
func undecided(name string, err error) error {
	var gap *protocol.GapError
	var other *protocol.IdentityError
	var tail *protocol.LostTailError
	switch {
	case errors.As(err, &gap):
		return &cli.Error{Err: err, Hint: fmt.Sprintf("they cannot be read any more: `pipeline offsets accept-gap %s --why \"…\"` goes on behind them and keeps a note of it", name)}
	case errors.As(err, &other):
		return &cli.Error{Err: err, Hint: fmt.Sprintf("the topic was deleted and made again, or the brokers are others: point the job at the old ones, or `pipeline offsets set %s --to earliest --why \"…\"` goes on with the new one", name)}
	case errors.As(err, &tail):
		return &cli.Error{Err: err, Hint: fmt.Sprintf("the broker came back without its newest messages: restore the topic, or `pipeline offsets set %s --to %d=%d --why \"…\"` goes on at its end", name, tail.Partition, tail.End)}
	}
	return err
}
