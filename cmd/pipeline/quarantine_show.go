package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/ingest"
	"weir/internal/lake"
	"weir/internal/project"
	"weir/internal/quarantine"
)

// heldGroup is the contract of `pipeline quarantine list --json`.
type heldGroup struct {
	Job   string `json:"job"`
	Table string `json:"table"`
	quarantine.Group
}

func quarantineList(app *cli.App) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "list [JOB]",
		Short: "count what jobs refused, by reason and schema",
		Long: `list counts the quarantined records of a job, or of all jobs: by reason and schema id, since when, how often tried, and the newest error.

    pipeline quarantine list
    pipeline quarantine list payments --json      the last line is {quarantine: [{job, table, reason, schema_id, records, …}]}`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return withLake(c.Context(), app, dir, func(p *project.Project, l *lake.Lake) error {
				jobs, err := jobsOf(p, args)
				if err != nil {
					return err
				}
				all := []heldGroup{}
				for _, j := range jobs {
					table, own := refusedOf(j)
					if own == nil {
						continue
					}
					groups, err := quarantine.Groups(c.Context(), l, table, own)
					if err != nil {
						return fmt.Errorf("quarantine of job %s: %w", j.Name, err)
					}
					for _, g := range groups {
						all = append(all, heldGroup{j.Name, table, g})
					}
				}
				return app.Result(map[string]any{"quarantine": all}, heldText(all))
			})
		},
	}
	c.Flags().StringVar(&dir, "project", ".", "directory of weir.yaml and jobs/")
	return c
}

func heldText(all []heldGroup) string {
	if len(all) == 0 {
		return "nothing is in quarantine\n"
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "JOB\tREASON\tSCHEMA\tRECORDS\tOLDEST\tNEWEST\tTRIED\tNEWEST ERROR")
	for _, g := range all {
		schema := "–"
		if g.SchemaID > 0 {
			schema = fmt.Sprint(g.SchemaID)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%d×\t%s\n", g.Job, g.Reason, schema, g.Records, second(g.Oldest), second(g.Newest), g.Attempts, g.Sample)
	}
	_ = w.Flush()
	return b.String()
}

func second(t time.Time) string { return t.Local().Format(time.DateTime) }

// heldRecord is the contract of `pipeline quarantine show --json`; key, value and headers are base64, null where there is none.
type heldRecord struct {
	Topic     string            `json:"topic"`
	Partition int32             `json:"partition"`
	Offset    int64             `json:"offset"`
	Timestamp time.Time         `json:"timestamp"`
	Reason    quarantine.Reason `json:"reason"`
	Error     string            `json:"error"`
	SchemaID  int32             `json:"schema_id"`
	Attempt   int32             `json:"attempt"`
	At        time.Time         `json:"quarantined_at"`
	LastTried time.Time         `json:"last_tried,omitzero"`
	Key       []byte            `json:"key"`
	Value     []byte            `json:"value"`
	Headers   []heldHeader      `json:"headers"`
}

type heldHeader struct {
	Key   string `json:"key"`
	Value []byte `json:"value"`
}

func quarantineShow(app *cli.App) *cobra.Command {
	var p picking
	var limit int
	c := &cobra.Command{
		Use:   "show JOB",
		Short: "show refused records: position, time, key, value, headers, error",
		Long: `show prints quarantined records of an ingest job. Bytes that are no text are shown in hex; --json has all of them in base64.

    pipeline quarantine show payments --limit 3
    pipeline quarantine show payments --partition 3 --offset 1200-1300 --reason undecodable`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			pick, err := p.pick(c)
			if err != nil {
				return err
			}
			if limit < 1 {
				return cli.Usage(fmt.Errorf("--limit: expected 1 or more, got %d", limit), "")
			}
			return withLake(c.Context(), app, p.dir, func(pr *project.Project, l *lake.Lake) error {
				j, cfg, err := streamed(pr.JobsDir(), args[0])
				if err != nil {
					return err
				}
				var rows []quarantine.Row
				more := false
				err = quarantine.Each(c.Context(), l, cfg.Table, func(r quarantine.Row) bool {
					if r.Topic != cfg.Topic || !pick.Has(r) {
						return true
					}
					if more = len(rows) == limit; !more {
						rows = append(rows, r)
					}
					return !more
				})
				if err != nil {
					return fmt.Errorf("quarantine of job %s: %w", j.Name, err)
				}
				return app.Result(map[string]any{"job": j.Name, "records": heldRecords(rows), "more": more}, recordsText(rows, more))
			})
		},
	}
	p.flags(c)
	c.Flags().IntVar(&limit, "limit", 10, "records at most")
	return c
}

func heldRecords(rows []quarantine.Row) []heldRecord {
	all := make([]heldRecord, len(rows))
	for i, r := range rows {
		all[i] = heldRecord{r.Topic, r.Partition, r.Offset, r.Timestamp, r.Reason, r.Error, r.SchemaID, max(1, r.Attempt), r.At, r.LastTried, r.Key, r.Value, []heldHeader{}}
		for _, h := range r.Headers {
			all[i].Headers = append(all[i].Headers, heldHeader(h))
		}
	}
	return all
}

func recordsText(rows []quarantine.Row, more bool) string {
	if len(rows) == 0 {
		return "no such record is in quarantine\n"
	}
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&b, "%s[%d]@%d  sent %s  %s", quarantine.Plain(r.Topic), r.Partition, r.Offset, second(r.Timestamp), r.Reason)
		if r.SchemaID > 0 {
			fmt.Fprintf(&b, ", schema %d", r.SchemaID)
		}
		fmt.Fprintf(&b, ", refused %s", second(r.At))
		if r.Attempt > 1 {
			fmt.Fprintf(&b, ", tried %d times, last %s", r.Attempt, second(r.LastTried))
		}
		fmt.Fprintf(&b, "\n  error   %s\n  key     %s\n  value   %s\n", quarantine.Plain(r.Error), quarantine.Preview(r.Key), quarantine.Preview(r.Value))
		for _, h := range r.Headers {
			fmt.Fprintf(&b, "  header  %q: %s\n", h.Key, quarantine.Preview(h.Value))
		}
	}
	if more {
		b.WriteString("… more records; --limit shows more of them\n")
	}
	return b.String()
}

func replayText(job, table string, r ingest.Replayed, dry bool) string {
	var b strings.Builder
	verb, stay := "replayed", "stayed in quarantine"
	if dry {
		verb, stay = "would replay", "would stay in quarantine"
	}
	switch {
	case r.Picked == 0 && r.Early == 0:
		return fmt.Sprintf("%s: no such record is in quarantine\n", job)
	default:
		fmt.Fprintf(&b, "%s: %s %d of %d records into %s; %d %s\n", job, verb, r.Replayed, r.Picked, table, r.Stayed, stay)
	}
	why := make([]string, 0, len(r.Why))
	for w := range r.Why {
		why = append(why, w)
	}
	slices.SortFunc(why, func(a, b string) int { return int(r.Why[b] - r.Why[a]) })
	for i, w := range why {
		if i == 5 {
			fmt.Fprintf(&b, "  … and %d other errors: `pipeline quarantine list %s`\n", len(why)-i, job)
			break
		}
		fmt.Fprintf(&b, "  %d × %s\n", r.Why[w], quarantine.Plain(w))
	}
	if r.Early > 0 {
		fmt.Fprintf(&b, "  %d others belong to a batch that the job has not committed yet: try again later\n", r.Early)
	}
	return b.String()
}
