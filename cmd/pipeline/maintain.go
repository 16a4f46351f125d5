package main

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/config"
	"weir/internal/job"
	"weir/internal/lake"
	"weir/internal/project"
	"weir/internal/quarantine"
)

// upkeep is what `pipeline maintain` was asked for.
type upkeep struct {
	compact, expire, orphans, dry, forced bool

	target    config.Size
	least     int
	keep      int
	olderThan time.Duration
	project   string
}

func maintainCommand(app *cli.App) *cobra.Command {
	o := upkeep{target: 128 << 20, least: 2, olderThan: 24 * time.Hour}
	c := &cobra.Command{
		Use:   "maintain [JOB|TABLE]",
		Short: "put small files together, drop old snapshots, delete what dead batches left",
		Long: `maintain looks after tables by hand; ingest jobs do it by themselves while they run (maintain in the job file). It may run beside
the jobs and beside readers: rows and cursors stay as they are, and files that were replaced stay for an hour.

    pipeline maintain transactions                the tables of a job: compact and expire; orphans are only listed
    pipeline maintain bank.transactions --compact
    pipeline maintain --orphans                   every table: delete files that nothing refers to and that are a day old
    pipeline maintain --dry-run                   only say what would be done

With --json the last line is {tables: [{table, before, after, compacted, expired, orphans}]}.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return o.run(c.Context(), app, args) },
	}
	f := c.Flags()
	f.BoolVar(&o.compact, "compact", false, "put small files together (with none of --compact, --expire, --orphans: compact and expire)")
	f.BoolVar(&o.expire, "expire", false, "drop old snapshots and the files that only they need")
	f.BoolVar(&o.orphans, "orphans", false, "delete files that nothing refers to; without it they are only listed")
	f.BoolVar(&o.dry, "dry-run", false, "change nothing")
	f.Var(sizeFlag{&o.target}, "target-file", "size of the files that compaction makes")
	f.IntVar(&o.least, "least", o.least, "compact a partition that has so many small files")
	f.IntVar(&o.keep, "keep", 0, "snapshots that stay at least (default: what the table says, 20)")
	f.DurationVar(&o.olderThan, "older-than", o.olderThan, "age from which on a file is an orphan, at least 1h")
	f.BoolVar(&o.forced, "force-age", false, "take any age: for tests, while no job runs")
	_ = f.MarkHidden("force-age")
	f.StringVar(&o.project, "project", ".", "directory of weir.yaml and jobs/")
	return c
}

// sizeFlag is a flag that takes 128MiB.
type sizeFlag struct{ s *config.Size }

func (f sizeFlag) String() string {
	if f.s == nil {
		return ""
	}
	return f.s.String()
}
func (f sizeFlag) Set(text string) error { return f.s.UnmarshalText([]byte(text)) }
func (f sizeFlag) Type() string          { return "size" }

// upkept is what became of one table.
type upkept struct {
	Table     string          `json:"table"`
	Before    lake.Stats      `json:"before"`
	After     lake.Stats      `json:"after"`
	Compacted *lake.Compacted `json:"compacted,omitempty"`
	Expired   *lake.Expired   `json:"expired,omitempty"`
	Orphans   []lake.Orphan   `json:"orphans"`
	Deleted   bool            `json:"orphans_deleted"`
}

func (o upkeep) run(ctx context.Context, app *cli.App, args []string) error {
	if o.olderThan < lake.ShortestOrphan && !o.forced {
		return cli.Usage(fmt.Errorf("--older-than: expected at least 1h, got %v: the files of a batch that is not committed yet would be among the orphans", o.olderThan), "")
	}
	if o.least < 2 {
		return cli.Usage(fmt.Errorf("--least: expected 2 or more, got %d", o.least), "")
	}
	if !o.compact && !o.expire && !o.orphans {
		o.compact, o.expire = true, true
	}
	return withLake(ctx, app, o.project, func(p *project.Project, l *lake.Lake) error {
		names, err := tablesOf(ctx, p, l, args)
		if err != nil {
			return err
		}
		var all []upkept
		for _, name := range names {
			t, err := l.Table(ctx, name)
			if err != nil {
				return err
			}
			u, err := o.table(ctx, t)
			if err != nil {
				return err
			}
			all = append(all, u)
		}
		return app.Result(map[string]any{"tables": all}, upkeptText(all, o.dry))
	})
}

// tablesOf are the tables that an argument names: a job's, with its quarantine, or one, or all without it.
func tablesOf(ctx context.Context, p *project.Project, l *lake.Lake, args []string) ([]string, error) {
	known, err := l.Tables(ctx)
	if err != nil || len(args) == 0 {
		return known, err
	}
	if slices.Contains(known, args[0]) {
		return args, nil
	}
	j, err := job.Find(p.JobsDir(), args[0], kinds)
	if err != nil {
		hint := "known tables: " + strings.Join(known, ", ")
		if near := config.Nearest(args[0], known); near != "" {
			hint = fmt.Sprintf("did you mean %q? %s", near, hint)
		}
		return nil, cli.Usage(fmt.Errorf("there is no table and no job %s", args[0]), hint)
	}
	var names []string
	for _, n := range []string{tableOf(j), quarantine.Table(tableOf(j))} {
		if slices.Contains(known, n) {
			names = append(names, n)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("job %s has no table yet", j.Name)
	}
	return names, nil
}

func (o upkeep) table(ctx context.Context, t *lake.Table) (u upkept, err error) {
	u = upkept{Table: t.Name(), Orphans: []lake.Orphan{}}
	if u.Before, err = t.Stats(ctx); err != nil {
		return u, err
	}
	found, err := t.Orphans(ctx, o.olderThan) // first: what is replaced now is not among them
	if err != nil {
		return u, err
	}
	u.Orphans = append(u.Orphans, found...)
	if u.Deleted = o.orphans && !o.dry; u.Deleted {
		if err := t.RemoveOrphans(ctx, found); err != nil {
			return u, err
		}
	}
	if o.compact {
		c, err := t.Compact(ctx, lake.Compaction{Target: int64(o.target), Least: o.least, DryRun: o.dry})
		if err != nil {
			return u, err
		}
		u.Compacted = &c
	}
	if o.expire {
		e, err := t.Expire(ctx, o.keep, 0, o.dry)
		if err != nil {
			return u, err
		}
		u.Expired = &e
	}
	if err := t.Refresh(ctx); err != nil {
		return u, err
	}
	u.After, err = t.Stats(ctx)
	return u, err
}

func upkeptText(all []upkept, dry bool) string {
	if len(all) == 0 {
		return "no tables\n"
	}
	var b strings.Builder
	for _, u := range all {
		fmt.Fprintf(&b, "%s\n", u.Table)
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprintf(w, "  \trows\tfiles\tbytes\taverage\tsnapshots\tmetadata\n")
		for _, line := range []struct {
			name string
			s    lake.Stats
		}{{"before", u.Before}, {"after", u.After}} {
			if line.name == "before" || !dry {
				fmt.Fprintf(w, "  %s\t%d\t%d\t%s\t%s\t%d\t%s\n", line.name, line.s.Rows, line.s.Files, size(line.s.Bytes), size(average(line.s)), line.s.Snapshots, size(line.s.Metadata))
			}
		}
		_ = w.Flush()
		would := ""
		if dry {
			would = "would be "
		}
		if c := u.Compacted; c != nil && c.Rewritten > 0 {
			fmt.Fprintf(&b, "  %d small files with %d rows %sput together", c.Rewritten, c.Rows, would)
			if !dry {
				fmt.Fprintf(&b, " into %d: %s became %s", c.Written, size(c.From), size(c.To))
			}
			fmt.Fprintln(&b)
		}
		if e := u.Expired; e != nil && e.Snapshots > 0 {
			fmt.Fprintf(&b, "  %d snapshots %sdropped, %d kept\n", e.Snapshots, would, e.Kept)
		}
		orphansText(&b, u)
	}
	return b.String()
}

func orphansText(b *strings.Builder, u upkept) {
	if len(u.Orphans) == 0 {
		return
	}
	var sum int64
	for _, o := range u.Orphans {
		sum += o.Bytes
	}
	if u.Deleted {
		fmt.Fprintf(b, "  %d orphans (%s) deleted\n", len(u.Orphans), size(sum))
		return
	}
	fmt.Fprintf(b, "  %d orphans (%s); --orphans deletes them:\n", len(u.Orphans), size(sum))
	for i, o := range u.Orphans {
		if i == 10 {
			fmt.Fprintf(b, "    … %d more (--json lists them)\n", len(u.Orphans)-i)
			break
		}
		fmt.Fprintf(b, "    %s  %s  %s\n", o.At.UTC().Format(time.DateTime), size(o.Bytes), path.Base(o.Path))
	}
}

func average(s lake.Stats) int64 {
	if s.Files == 0 {
		return 0
	}
	return s.Bytes / int64(s.Files)
}

// size is a number of bytes for people.
func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}

// maintained tells of what an ingest job did for its tables beside the stream.
func (s *site) maintained(k lake.Kept, err error) {
	if err != nil {
		s.app.Log.Warn("table not maintained", "table", k.Table, "error", err)
		s.hub.Event("warn", fmt.Sprintf("%s was not maintained, which is tried again later: %v", k.Table, err))
		return
	}
	var did []string
	if c := k.Compacted; c.Rewritten > 0 {
		did = append(did, fmt.Sprintf("%d small files became %d", c.Rewritten, c.Written))
	}
	if n := k.Expired.Snapshots; n > 0 {
		did = append(did, fmt.Sprintf("%d snapshots expired", n))
	}
	if n := len(k.Orphans); n > 0 {
		did = append(did, fmt.Sprintf("%d orphans deleted", n))
	}
	s.app.Log.Info("table maintained", "table", k.Table, "rewritten", k.Compacted.Rewritten, "written", k.Compacted.Written, "expired", k.Expired.Snapshots, "orphans", len(k.Orphans))
	s.hub.Event("commit", fmt.Sprintf("%s: %s", k.Table, strings.Join(did, ", ")))
}
