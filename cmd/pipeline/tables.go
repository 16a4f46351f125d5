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

	"weir/internal/cli"
	"weir/internal/lake"
	"weir/internal/project"
	"weir/internal/quarantine"
)

func tablesCommand(app *cli.App) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "tables [TABLE]",
		Short: "list the tables, or show one with its columns and its history",
		Long: `tables shows what the tables of the catalog hold: rows, files, snapshots, the job that writes each and how far it has come.

    pipeline tables
    pipeline tables bank.transactions

With --json the last line is {tables: […]}, or for one table {table, columns, history, jobs, properties, …}.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return withLake(c.Context(), app, dir, func(p *project.Project, l *lake.Lake) error {
				names, err := tablesOf(c.Context(), p, l, args)
				if err != nil {
					return err
				}
				if len(args) > 0 {
					names = names[:1]
				}
				var rows []tableRow
				for _, name := range names {
					t, err := l.Table(c.Context(), name)
					if err != nil {
						return err
					}
					r, err := rowOfTable(c.Context(), l, t)
					if err != nil {
						return err
					}
					if len(args) > 0 {
						d := detailOf(r, t)
						return app.Result(d, d.text())
					}
					rows = append(rows, r)
				}
				return app.Result(map[string]any{"tables": rows}, tablesText(rows))
			})
		},
	}
	c.Flags().StringVar(&dir, "project", ".", "directory of weir.yaml and jobs/")
	return c
}

// tableRow is the contract of `pipeline tables --json`.
type tableRow struct {
	Table string `json:"table"`
	lake.Stats
	Committed  time.Time                `json:"committed,omitzero"` // last commit of rows
	Jobs       map[string]lake.Position `json:"jobs"`
	Partition  []string                 `json:"partition"`
	Sort       []string                 `json:"sort"`
	Quarantine int64                    `json:"quarantine_rows"`
}

func rowOfTable(ctx context.Context, l *lake.Lake, t *lake.Table) (r tableRow, err error) {
	r = tableRow{Table: t.Name()}
	if r.Stats, err = t.Stats(ctx); err != nil {
		return r, err
	}
	if r.Jobs, err = t.Jobs(); err != nil {
		return r, err
	}
	r.Partition, r.Sort = t.Layout()
	for _, s := range t.Snapshots() {
		if s.Summary["operation"] != "replace" && s.At.After(r.Committed) {
			r.Committed = s.At
		}
	}
	if strings.HasSuffix(t.Name(), quarantine.Suffix) {
		return r, nil
	}
	q, err := l.Table(ctx, quarantine.Table(t.Name()))
	if errors.Is(err, lake.ErrNoTable) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	s, err := q.Stats(ctx)
	r.Quarantine = s.Rows
	return r, err
}

func tablesText(rows []tableRow) string {
	if len(rows) == 0 {
		return "no tables\n"
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TABLE\tROWS\tFILES\tBYTES\tAVERAGE\tSNAPSHOTS\tCOMMITTED\tJOB\tPARTITION\tQUARANTINE")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%s\t%d\t%s\t%s\t%s\t%d\n", r.Table, r.Rows, r.Files, size(r.Bytes), size(average(r.Stats)), r.Snapshots, ago(r.Committed),
			orDash(strings.Join(slices.Sorted(maps.Keys(r.Jobs)), ", ")), orDash(strings.Join(r.Partition, ", ")), r.Quarantine)
	}
	_ = w.Flush()
	return b.String()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// ago is how long ago something was, in one unit.
func ago(at time.Time) string {
	d := time.Since(at)
	switch {
	case at.IsZero():
		return "never"
	case d < time.Minute:
		return fmt.Sprintf("%ds ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh ago", int(d.Hours()))
	}
	return fmt.Sprintf("%dd ago", int(d.Hours()/24))
}

// tableDetail is the contract of `pipeline tables TABLE --json`.
type tableDetail struct {
	tableRow
	Location   string            `json:"location"`
	Columns    []tableColumn     `json:"columns"`
	History    []tableCommit     `json:"history"` // newest first
	Properties map[string]string `json:"properties"`
}

type tableColumn struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

type tableCommit struct {
	Snapshot  int64     `json:"snapshot"`
	At        time.Time `json:"at"`
	Operation string    `json:"operation"`
	Added     int64     `json:"rows_added"`
	Removed   int64     `json:"rows_removed"`
	Job       string    `json:"job,omitempty"`
	Commit    string    `json:"commit,omitempty"`
}

func detailOf(r tableRow, t *lake.Table) tableDetail {
	d := tableDetail{tableRow: r, Location: t.Location(), Properties: t.Properties()}
	for _, c := range t.Columns() {
		d.Columns = append(d.Columns, tableColumn{c.Name, c.Type})
	}
	for _, s := range slices.Backward(t.Snapshots()) {
		number := func(key string) int64 {
			n, _ := strconv.ParseInt(s.Summary[key], 10, 64) // left out where it is 0
			return n
		}
		d.History = append(d.History, tableCommit{
			Snapshot: s.ID, At: s.At, Operation: s.Summary["operation"], Added: number("added-records"), Removed: number("deleted-records"),
			Job: s.Summary["weir.job"], Commit: s.Summary["weir.commit"],
		})
	}
	return d
}

func (d tableDetail) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", d.Table)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) { fmt.Fprintf(w, "  "+name+"\t"+format+"\n", args...) }
	line("rows", "%d, committed %s", d.Rows, ago(d.Committed))
	line("files", "%d, %s, %s each", d.Files, size(d.Bytes), size(average(d.Stats)))
	line("metadata", "%s, %d snapshots, %d manifests", size(d.Metadata), d.Snapshots, d.Manifests)
	line("partition", "%s", orDash(strings.Join(d.Partition, ", ")))
	line("sort", "%s", orDash(strings.Join(d.Sort, ", ")))
	line("quarantine", "%d rows", d.Quarantine)
	line("location", "%s", d.Location)
	for _, name := range slices.Sorted(maps.Keys(d.Jobs)) {
		line("job", "%s, commit %s (number %d), cursor %s", name, d.Jobs[name].Commit, d.Jobs[name].Seq, cut(d.Jobs[name].Cursor))
	}
	_ = w.Flush()
	fmt.Fprintln(&b, "\ncolumns")
	for _, c := range d.Columns {
		fmt.Fprintf(w, "  %s\t%s\n", c.Name, c.Type)
	}
	_ = w.Flush()
	fmt.Fprintln(&b, "\nhistory")
	for _, h := range d.History {
		fmt.Fprintf(w, "  %s\t%s\t+%d -%d rows\t%s\t%s\n", h.At.UTC().Format("2006-01-02 15:04:05Z"), h.Operation, h.Added, h.Removed, orDash(h.Job), orDash(h.Commit))
	}
	_ = w.Flush()
	fmt.Fprintln(&b, "\nproperties")
	for _, k := range slices.Sorted(maps.Keys(d.Properties)) {
		fmt.Fprintf(w, "  %s\t%s\n", k, d.Properties[k])
	}
	_ = w.Flush()
	return b.String()
}

// cut shortens a cursor to a line.
func cut(c json.RawMessage) string {
	if len(c) > 200 {
		return string(c[:200]) + "…"
	}
	return string(c)
}
