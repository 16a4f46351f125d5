package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/etl"
	"weir/internal/ingest"
	"weir/internal/job"
	"weir/internal/lake"
	"weir/internal/project"
	"weir/internal/quarantine"
)

func quarantineCommand(app *cli.App) *cobra.Command {
	c := &cobra.Command{
		Use:   "quarantine",
		Short: "what jobs refused: list it, look at it, replay it, discard it",
		Long: `quarantine works on the records that jobs refused, which lie beside each table in NAME__quarantine.

    pipeline quarantine list                                  how much, and why
    pipeline quarantine show payments --reason undecodable    the records themselves
    pipeline quarantine replay payments --dry-run             would they fit now?
    pipeline quarantine replay payments                       into the table, each once, however often this is called
    pipeline quarantine discard payments --partition 3 --offset 17 --why "a test of the producer"

A replay may run beside the job and beside other replays. docs/quarantine.md tells how that is safe.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(quarantineList(app), quarantineShow(app), quarantineReplay(app), quarantineDiscard(app))
	return c
}

// picking are the flags that say which records are meant.
type picking struct {
	reason, offset string
	partition      int32
	schema         int32
	dir            string
}

func (p *picking) flags(c *cobra.Command) {
	c.Flags().StringVar(&p.reason, "reason", "", "only those refused for this: "+strings.Join(reasons(), ", "))
	c.Flags().Int32Var(&p.partition, "partition", -1, "only those of this partition")
	c.Flags().StringVar(&p.offset, "offset", "", "only this offset, or from-to with both included: 1200-1300")
	c.Flags().Int32Var(&p.schema, "schema", -1, "only those with this schema id")
	c.Flags().StringVar(&p.dir, "project", ".", "directory of weir.yaml and jobs/")
}

func reasons() (all []string) {
	for _, r := range quarantine.Reasons {
		all = append(all, string(r))
	}
	return all
}

func (p *picking) pick(c *cobra.Command) (ingest.Pick, error) {
	out := ingest.Pick{Reason: quarantine.Reason(p.reason)}
	if p.reason != "" && !slices.Contains(reasons(), p.reason) {
		return out, cli.Usage(fmt.Errorf("--reason: expected %s, got %q", strings.Join(reasons(), ", "), p.reason), "")
	}
	if c.Flags().Changed("partition") {
		out.Partition = &p.partition
	}
	if c.Flags().Changed("schema") {
		out.Schemas = map[int32]bool{p.schema: true}
	}
	if p.offset == "" {
		return out, nil
	}
	from, to, ranged := strings.Cut(p.offset, "-")
	if !ranged {
		to = from
	}
	first, err1 := strconv.ParseInt(from, 10, 64)
	last, err2 := strconv.ParseInt(to, 10, 64)
	if err := errors.Join(err1, err2); err != nil || first < 0 || last < first {
		return out, cli.Usage(fmt.Errorf("--offset: expected an offset such as 1200, or 1200-1300, got %q", p.offset), "")
	}
	out.From, out.To = first, last+1
	return out, nil
}

// refusedOf is the table of a job that refuses things, and which of the rows beside it are this job's.
func refusedOf(j job.Job) (table string, own func(quarantine.Row) bool) {
	switch c := j.Spec.(type) {
	case *ingest.Config:
		return c.Table, func(r quarantine.Row) bool { return r.Topic == c.Topic }
	case *etl.Config:
		return c.Table, func(quarantine.Row) bool { return true }
	}
	return "", nil
}

// streamed is the ingest job of a name.
func streamed(dir, name string) (job.Job, ingest.Config, error) {
	j, err := job.Find(dir, name, kinds)
	if err != nil {
		return j, ingest.Config{}, err
	}
	c, ok := j.Spec.(*ingest.Config)
	if !ok {
		return j, ingest.Config{}, cli.Usage(fmt.Errorf("job %s is of kind %s: only what an ingest job refused can be taken up again by itself", name, j.Kind),
			fmt.Sprintf("`pipeline quarantine list %s` counts what it refused; mend the file and run the job again", name))
	}
	return j, *c, nil
}

// quarantineReplay decodes with the job's schemas: it needs the registry, no broker.
func quarantineReplay(app *cli.App) *cobra.Command {
	var p picking
	var dry bool
	c := &cobra.Command{
		Use:   "replay JOB",
		Short: "decode what a job refused once more, and put what fits now into its table",
		Long: `replay decodes quarantined records of an ingest job with the schemas and the table of now. What fits becomes a row of the table, with
its position in Kafka as ever, and leaves the quarantine; what does not stays there, with the attempt counted and the new error.

    pipeline quarantine replay payments --dry-run
    pipeline quarantine replay payments --reason misfit

Twice is once: a record that is in the table is not in quarantine. Records of schema ids that the registry did not know are replayed by the
running job itself, soon after the id appears.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			pick, err := p.pick(c)
			if err != nil {
				return err
			}
			s, err := openSite(c.Context(), app, p.dir)
			if err != nil {
				return err
			}
			err = s.replay(c.Context(), args[0], pick, dry)
			return errors.Join(err, s.close())
		},
	}
	p.flags(c)
	c.Flags().BoolVar(&dry, "dry-run", false, "only say what would become of them")
	return c
}

func (s *site) replay(ctx context.Context, name string, pick ingest.Pick, dry bool) error {
	j, cfg, err := streamed(s.project.JobsDir(), name)
	if err != nil {
		return err
	}
	if err := s.connect(ctx); err != nil {
		return err
	}
	r, err := ingest.Replay(ctx, j.Name, cfg, s.ingestParts(j), pick, dry)
	s.readable(ctx, cfg.Table, r.Receipts)
	if err != nil {
		return err
	}
	return s.app.Result(map[string]any{"job": j.Name, "table": cfg.Table, "dry_run": dry, "picked": r.Picked, "replayed": r.Replayed, "stayed": r.Stayed, "early": r.Early, "why": r.Why},
		replayText(j.Name, cfg.Table, r, dry))
}

// readable notes when the rows of commits could be read.
func (s *site) readable(ctx context.Context, table string, all []lake.Receipt) {
	for _, rc := range all {
		if err := s.ledger.Readable(context.WithoutCancel(ctx), table, rc.Snapshot, rc.At); err != nil {
			s.app.Log.Warn("readable time not kept", "table", table, "error", err)
		}
	}
}

// replayedByItself tells what a running job did about schema ids that the registry knows by now.
func (s *site) replayedByItself(ctx context.Context, name, table string, r ingest.Replayed, err error) {
	s.readable(ctx, table, r.Receipts)
	if err != nil {
		s.app.Log.Warn("quarantine not replayed", "job", name, "error", err)
		s.hub.Event("warn", fmt.Sprintf("%s: quarantine not replayed: %v", name, err))
		return
	}
	s.app.Log.Info("quarantine replayed: the registry knows their schema now", "job", name, "table", table, "rows", r.Replayed, "stayed", r.Stayed)
	s.hub.Event("info", fmt.Sprintf("%s: %d records left the quarantine, their schema is known now; %d stay", name, r.Replayed, r.Stayed))
}

func quarantineDiscard(app *cli.App) *cobra.Command {
	var p picking
	var why string
	var yes bool
	c := &cobra.Command{
		Use:   "discard JOB --why TEXT",
		Short: "take records out of the quarantine for good, with a reason",
		Long: `discard removes quarantined records of an ingest job: nobody will see their bytes again through weir. Position, reason, error, who and
why stay in the table NAME__discarded, so that each message of the topic is still accounted for.

    pipeline quarantine show payments --partition 3 --offset 17
    pipeline quarantine discard payments --partition 3 --offset 17 --why "a test of the producer"

It asks before it does so; without a terminal it wants --yes.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			pick, err := p.pick(c)
			if err != nil {
				return err
			}
			if strings.TrimSpace(why) == "" {
				return cli.Usage(errors.New("expected --why: the reason is kept with each record"), "")
			}
			if !yes && !app.Interactive() {
				return cli.Usage(errors.New("expected --yes: discarded records cannot be brought back, and there is no terminal to ask at"), "`pipeline quarantine show "+args[0]+"` shows them")
			}
			return withLake(c.Context(), app, p.dir, func(pr *project.Project, l *lake.Lake) error {
				j, cfg, err := streamed(pr.JobsDir(), args[0])
				if err != nil {
					return err
				}
				if !yes {
					if err := confirm(c.Context(), app, l, j, pick); err != nil {
						return err
					}
				}
				n, err := ingest.Discard(c.Context(), j.Name, cfg, l, pick, who(app), why)
				if err != nil {
					return err
				}
				return app.Result(map[string]any{"job": j.Name, "table": cfg.Table, "discarded": n}, fmt.Sprintf("%s: discarded %d records; %s keeps who and why\n", j.Name, n, quarantine.Discards(cfg.Table)))
			})
		},
	}
	p.flags(c)
	c.Flags().StringVar(&why, "why", "", "the reason, for those who ask later (required)")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}

// confirm asks at the terminal.
func confirm(ctx context.Context, app *cli.App, l *lake.Lake, j job.Job, pick ingest.Pick) error {
	n := 0
	table, own := refusedOf(j)
	if err := quarantine.Each(ctx, l, table, func(r quarantine.Row) bool {
		if own(r) && pick.Has(r) {
			n++
		}
		return true
	}); err != nil {
		return err
	}
	fmt.Fprintf(app.Stdout, "discard %d records of %s for good? Type yes: ", n, j.Name)
	var answer string
	if _, err := fmt.Fscanln(app.Stdin, &answer); err != nil || answer != "yes" {
		return cli.ErrInterrupted
	}
	return nil
}

// flooded adds what to do about a stop because too much was refused.
func flooded(job string, err error) error {
	return &cli.Error{Err: err, Hint: fmt.Sprintf("nothing of this batch was committed. If the data are to be kept aside, raise quarantine.max_rows or quarantine.max_share in the job and run it; `pipeline quarantine list %[1]s` and `pipeline quarantine show %[1]s` show what was refused, `pipeline quarantine replay %[1]s` takes it up again", job)}
}
