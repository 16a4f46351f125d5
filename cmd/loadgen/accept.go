package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/config"
	"weir/internal/project"
	"weir/internal/regress"
	"weir/internal/results"
)

func newAccept(app *cli.App) *cobra.Command {
	var l results.Acceptance
	var file, upTo string
	c := &cobra.Command{
		Use: "accept", Short: "Let a known regression pass until a day: a line in a file of the repository", Args: cobra.NoArgs,
		Long: `Let a known regression pass until a day. It adds a line to ` + results.AcceptFile + `, which is reviewed and committed like code;
` + "`loadgen compare`" + ` reads the file, reports what it lets pass and why, and fails again once the day is over.`,
		Example: "  loadgen accept --metric p99 --up-to 15% --until 2027-01-31 --reason 'checksums, see #123'",
		RunE: func(*cobra.Command, []string) error {
			pr, err := project.Open(".", app.Home)
			if err != nil {
				return err
			}
			if upTo != "" {
				if err := l.UpTo.UnmarshalText([]byte(upTo)); err != nil || l.UpTo <= 0 {
					return cli.Usage(fmt.Errorf("--up-to: expected %s, got %q", l.UpTo.Expected(), upTo), "")
				}
			}
			all, err := everyMetric()
			if err != nil {
				return err
			}
			if !slices.ContainsFunc(all, func(m regress.Metric) bool { return m.Name == l.Metric }) {
				return cli.Usage(fmt.Errorf("--metric: expected one of %s, got %q", names(all), l.Metric), "")
			}
			if day := time.Now().UTC().Format(time.DateOnly); len(l.Until) == len(day) && l.Until < day {
				return cli.Usage(fmt.Errorf("--until: %s is over", l.Until), "")
			}
			path := acceptFile(pr, file)
			if err := l.Add(path); err != nil {
				if p := (config.Problems)(nil); errors.As(err, &p) {
					return err
				}
				return cli.Usage(err, "")
			}
			return app.Result(map[string]any{"file": path, "metric": l.Metric, "until": l.Until}, fmt.Sprintf("%s lets %s pass until %s; commit it\n", path, l.Metric, l.Until))
		},
	}
	f := c.Flags()
	f.StringVar(&l.Metric, "metric", "", "metric of `loadgen compare`")
	f.StringVar(&l.Until, "until", "", "last day on which it passes, as 2027-01-31")
	f.StringVar(&l.Reason, "reason", "", "why; it stands in every report")
	f.StringVar(&l.Profile, "profile", "", "only with this profile")
	f.StringVar(&upTo, "up-to", "", "only up to this change, as 15%")
	f.StringVar(&file, "file", "", "file of the acceptances (default: "+results.AcceptFile+" beside weir.yaml)")
	return c
}

func acceptFile(pr *project.Project, file string) string {
	if file == "" {
		return filepath.Join(pr.Dir, results.AcceptFile)
	}
	return file
}
