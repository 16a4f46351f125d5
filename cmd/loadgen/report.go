package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/load"
	"weir/internal/project"
	"weir/internal/regress"
	"weir/internal/results"
)

func newReport(app *cli.App) *cobra.Command {
	var o outputs
	c := &cobra.Command{
		Use: "report [RUN]", Short: "Write the report of a run or a comparison in the formats of CI", Args: cobra.MaximumNArgs(1),
		Long: `Write the report of a run or a comparison in the formats of CI. RUN is the id of a run of this home, last, the file of a result, or
the directory of a comparison. A run that ` + "`loadgen verify`" + ` has proved brings its proof.`,
		Example: "  loadgen report last --html report.html\n  loadgen report .weir/compare/01K8ZJ9V4T8QH0M6W2X3Y5A7BC --markdown comment.md --junit junit.xml",
		RunE: func(_ *cobra.Command, args []string) error {
			pr, err := project.Open(".", app.Home)
			if err != nil {
				return err
			}
			r, err := storedReport(pr, append(args, "last")[0])
			if err != nil {
				return err
			}
			if !o.any() {
				return cli.Usage(errors.New("expected what to write: --html FILE, --junit FILE, …"), "`loadgen report --help` lists the formats")
			}
			if err := o.write(app, r); err != nil {
				return err
			}
			if app.JSON {
				return app.Result(map[string]any{"id": r.ID, "verdict": r.Verdict, "reason": r.Reason, "good": r.Good, "gates": len(r.Gates)}, "")
			}
			return nil
		},
	}
	o.flags(c.Flags())
	return c
}

// storedReport finds a run's result or a comparison.
func storedReport(pr *project.Project, what string) (results.Report, error) {
	if st, err := os.Stat(filepath.Join(what, comparisonFile)); err == nil {
		c, err := readComparison(what)
		return results.OfComparison(c.Profile, filepath.Base(what), st.ModTime(), &c), err
	}
	r, err := results.Load(pr.Home, what)
	if errors.Is(err, load.ErrNoRun) {
		return results.Report{}, cli.Usage(err, "a run is kept in the --home that it ran with; a comparison is named by its directory")
	}
	if err != nil {
		return results.Report{}, err
	}
	return results.OfRun(r), nil
}

func readComparison(dir string) (regress.Comparison, error) {
	var c regress.Comparison
	b, err := os.ReadFile(filepath.Join(dir, comparisonFile))
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return c, fmt.Errorf("%s: %w", filepath.Join(dir, comparisonFile), err)
	}
	return c, nil
}
