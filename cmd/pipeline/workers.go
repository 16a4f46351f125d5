package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/control"
	"weir/internal/ingest"
	"weir/internal/job"
	"weir/internal/lake"
	"weir/internal/outcome"
	"weir/internal/quarantine"
	"weir/internal/scale"
	"weir/internal/show"
	"weir/internal/topic"
	"weir/internal/workers"
	"weir/minibatch"
)

// workerRange reads --workers: 3 or 1..8.
func workerRange(text string) (least, most int, err error) {
	bad := cli.Usage(fmt.Errorf("--workers: expected a number such as 3 or a range such as 1..8, from 1 to 64, got %q", text), "")
	a, b, ranged := strings.Cut(text, "..")
	if !ranged {
		b = a
	}
	least, err1 := strconv.Atoi(a)
	most, err2 := strconv.Atoi(b)
	if err1 != nil || err2 != nil || least < 1 || most > 64 || least > most {
		return 0, 0, bad
	}
	return least, most, nil
}

// workerCommand is a worker process of `pipeline run JOB --workers`: it is told over stdin what to read.
func workerCommand(app *cli.App) *cobra.Command {
	var project string
	var epoch int64
	c := &cobra.Command{
		Use: "worker JOB", Short: "a worker of pipeline run --workers", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) (err error) {
			ctx := c.Context()
			s, err := openSite(ctx, app, project)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.close()) }()
			j, err := job.Find(s.project.JobsDir(), args[0], kinds)
			if err != nil {
				return err
			}
			if err := s.connect(ctx); err != nil {
				return err
			}
			cfg, ok := j.Spec.(*ingest.Config)
			if !ok {
				return fmt.Errorf("job %s is no ingest", j.Name)
			}
			in, err := s.openIngest(ctx, j, *cfg)
			if err != nil {
				return err
			}
			defer in.Close()
			in.InEpoch(epoch)
			in.OnReplay(func(r ingest.Replayed, err error) { s.replayedByItself(ctx, j.Name, cfg.Table, r, err) })
			run := func(ctx context.Context, partitions []int32) error {
				in.Only(partitions)
				_, err := in.Run(ctx, minibatch.Daemon, func(e minibatch.Event) {
					if e.Kind == minibatch.Committed {
						_ = s.ledger.Readable(context.WithoutCancel(ctx), cfg.Table, e.Receipt.Snapshot, e.Receipt.At)
					}
				})
				return err
			}
			return workers.Serve(ctx, app.Stdin, app.Stdout, run, func() workers.Work {
				w := in.Work()
				return workers.Work{Rows: w.Rows, Commits: w.Commits, Busy: w.Busy, Blocked: w.Blocked}
			})
		},
	}
	c.Flags().StringVar(&project, "project", ".", "directory of weir.yaml, jobs/ and units.yaml")
	c.Flags().Int64Var(&epoch, "epoch", 0, "number of the run that the worker belongs to")
	return c
}

// supervise runs an ingest with worker processes instead of in this one.
func (s *site) supervise(ctx context.Context, j job.Job, c ingest.Config, in *ingest.Job, w *show.Stream, x execution) error {
	start, err := in.Position(ctx)
	if err != nil {
		return err
	}
	lag, err := in.Lag(ctx, start)
	if err != nil {
		return err
	}
	if len(lag) < x.least {
		return cli.Usage(fmt.Errorf("--workers: topic %s has %d partitions, too few for %d workers", c.Topic, len(lag), x.least), "ask for fewer workers, or add partitions")
	}
	if c.Start != topic.Earliest && start.IsZero() {
		return cli.Usage(fmt.Errorf("job %s starts at %s and has no cursor yet: only one process can set it", j.Name, c.Start),
			"run it once without --workers, or with `start: earliest`")
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	epoch, err := in.Epoch(ctx)
	if err != nil {
		return err
	}
	age := time.Duration(c.Commit.Age)
	if age == 0 {
		age = 10 * time.Second
	}
	l := &lookout{in: in, watch: in.Watch(), tell: w.Moved}
	sup := workers.Supervisor{
		Config: scale.Config{Min: x.least, Max: x.most, Interval: age, Silence: 10 * time.Second, Keep: time.Duration(c.Processes.Keep), Capacity: float64(c.Limit.RowsPerSecond)},
		Command: func() *exec.Cmd {
			cmd := exec.Command(self, "worker", j.Name, "--epoch", strconv.FormatInt(epoch, 10), "--home", s.app.Home, "--project", s.project.Dir)
			cmd.Stderr = s.app.Stderr
			return cmd
		},
		Look: l.look, Drain: x.mode == minibatch.Drain,
		Tell: s.tellWorkers(j.Name, w),
	}
	return sup.Run(ctx)
}

// tellWorkers shows how many workers there are, and says each change with its reason.
func (s *site) tellWorkers(name string, w *show.Stream) func(scale.Decision, []workers.Row) {
	said := scale.None
	return func(d scale.Decision, rows []workers.Row) {
		if d.Step || d.Verdict != said {
			said = d.Verdict
			s.hub.Event("workers", name+": "+d.Reason)
		}
		for _, x := range d.Stop {
			s.hub.Event("warn", fmt.Sprintf("%s: %s", name, x.Reason))
		}
		team := &control.Team{Wanted: d.Wanted, Reason: d.Reason, Verdict: string(d.Verdict)}
		for _, r := range rows {
			team.Workers = append(team.Workers, control.Worker{
				ID: r.ID, PID: r.PID, State: r.State, Partitions: r.Reads, Rows: r.Rows, Commits: r.Commits, PerSec: r.Own, Waiting: r.Waiting, Blocked: r.Blocked, Reason: r.Reason,
			})
		}
		w.Team(team)
	}
}

// rowsOf counts a table's rows, 0 where it is not there yet.
func (s *site) rowsOf(ctx context.Context, table string) (n int64, err error) {
	t, err := s.lake.Table(ctx, table)
	if errors.Is(err, lake.ErrNoTable) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	p, err := t.Plan(ctx)
	if err != nil {
		return 0, err
	}
	for _, f := range p.Files {
		n += f.Rows
	}
	return n, nil
}

// superviseAndCount is supervise with what came into the tables meanwhile: killed workers cannot tell what they did.
func (s *site) superviseAndCount(ctx context.Context, j job.Job, c ingest.Config, in *ingest.Job, w *show.Stream, x execution) (t told, err error) {
	refused := quarantine.Table(c.Table)
	t = told{inputs: []outcome.Dataset{{Namespace: "kafka", Name: c.Topic}}, outputs: []outcome.Dataset{{Name: c.Table}}}
	rows, err := s.rowsOf(ctx, c.Table)
	if err != nil {
		return t, err
	}
	bad, err := s.rowsOf(ctx, refused)
	if err != nil {
		return t, err
	}
	err = s.supervise(ctx, j, c, in, w, x)
	ctx = context.WithoutCancel(ctx)
	now, err1 := s.rowsOf(ctx, c.Table)
	nowBad, err2 := s.rowsOf(ctx, refused)
	t.rowsOut, t.rejected = now-rows, nowBad-bad
	if t.rejected < 0 { // more was replayed than refused
		t.rowsOut, t.rejected = t.rowsOut+t.rejected, 0
	}
	t.rowsIn = t.rowsOut + t.rejected
	t.inputs[0].Rows, t.outputs[0].Rows = t.rowsIn, t.rowsOut
	return t, errors.Join(err, err1, err2)
}

// lookout measures what arrives in each partition, and how long it has waited for the table.
type lookout struct {
	in    *ingest.Job
	watch *ingest.Watch
	tell  func(to minibatch.Cursor, records int64)
	next  int64 // sum of the positions
	last  time.Time
	ends  map[int32]int64
}

func (l *lookout) look(ctx context.Context) ([]scale.Partition, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	at, err := l.in.Position(ctx)
	if err != nil {
		return nil, err
	}
	f, err := l.watch.Look(ctx, at)
	if err != nil {
		return nil, err
	}
	var next int64
	for _, p := range f.Partitions {
		next += p.Next
	}
	moved := int64(0)
	if l.ends != nil {
		moved = max(0, next-l.next)
	}
	l.next = next
	l.tell(at, moved)
	ends := map[int32]int64{}
	out := make([]scale.Partition, len(f.Partitions))
	for i, p := range f.Partitions {
		out[i] = scale.Partition{ID: p.ID, Backlog: float64(p.Records()), Age: p.Age}
		if was, had := l.ends[p.ID]; had { // since the last look: the policy averages by itself
			out[i].Arrival = max(0, float64(p.End-was)/max(f.At.Sub(l.last).Seconds(), 0.001))
		}
		ends[p.ID] = p.End
	}
	l.ends, l.last = ends, f.At
	return out, nil
}
