package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/project"
	"weir/internal/regress"
	"weir/internal/results"
)

const baselineFile = "load/baseline.ndjson"

func newBaseline(app *cli.App) *cobra.Command {
	var store string
	var last int
	c := &cobra.Command{Use: "baseline", Short: "Keep runs that later ones are compared with"}
	save := &cobra.Command{
		Use: "save [RUN…]", Short: "Make runs the baseline of their profile on this kind of machine",
		Long: `Make runs the baseline of their profile on this kind of machine: those that are named, or the last ones of the newest run's profile.
They replace an older baseline of the same profile, machine, kernel, broker and build flags; others stay. A run that was changed by
hand or says nothing cannot be one. In CI let only the main branch do this, never a pull request.`,
		Example: "  loadgen baseline save --last 6 --store perf/baseline.ndjson",
		RunE: func(_ *cobra.Command, args []string) error {
			pr, err := project.Open(".", app.Home)
			if err != nil {
				return err
			}
			all, err := entriesOf(app, pr, args)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				all = lastAlike(all, "", last)
			}
			if len(all) == 0 {
				return cli.Usage(fmt.Errorf("there is no run in %s that can be a baseline", pr.In("load")), "`loadgen run PROFILE` makes one")
			}
			path := storePath(pr, store)
			old, err := results.ReadLog(path)
			if err != nil {
				return cli.Usage(err, "")
			}
			kept := slices.DeleteFunc(old, func(o results.Entry) bool {
				return slices.ContainsFunc(all, func(e results.Entry) bool { return e.Run == o.Run || e.Profile == o.Profile && e.Key == o.Key })
			})
			if err := results.WriteLog(path, append(kept, all...)); err != nil {
				return err
			}
			few := ""
			if len(all) < regress.LeastStored {
				few = fmt.Sprintf("; a comparison needs %d", regress.LeastStored)
			}
			return app.Result(map[string]any{"file": path, "runs": len(all), "profile": all[0].Profile, "key": all[0].Key}, fmt.Sprintf("%d runs of %s are the baseline in %s%s\n", len(all), all[0].Profile, path, few))
		},
	}
	save.Flags().IntVar(&last, "last", regress.LeastStored, "so many of the last runs, if none is named")
	c.PersistentFlags().StringVar(&store, "store", "", "file of the baselines (default: HOME/"+baselineFile+")")
	show := &cobra.Command{
		Use: "show", Short: "List the baselines", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			pr, err := project.Open(".", app.Home)
			if err != nil {
				return err
			}
			all, err := results.ReadLog(storePath(pr, store))
			if err != nil {
				return cli.Usage(err, "")
			}
			var b strings.Builder
			for _, e := range all {
				fmt.Fprintf(&b, "%s  %s  %s  %s, %d x %s, kernel %s, broker %s\n", e.Profile, e.At.UTC().Format("2006-01-02 15:04"), e.Run, e.Fingerprint.Host, e.Fingerprint.CPUs, e.Fingerprint.CPU, e.Fingerprint.Kernel, e.Fingerprint.Broker)
			}
			return app.Result(map[string]any{"runs": all}, b.String())
		},
	}
	c.AddCommand(save, show)
	return c
}

func storePath(pr *project.Project, store string) string {
	if store == "" {
		return pr.In(baselineFile)
	}
	return store
}

// lastAlike are the last n entries that are like the newest one of a profile.
func lastAlike(all []results.Entry, profile string, n int) []results.Entry {
	slices.SortStableFunc(all, func(a, b results.Entry) int { return a.At.Compare(b.At) })
	var out []results.Entry
	for _, e := range slices.Backward(all) {
		if profile == "" {
			profile = e.Profile
		}
		if e.Profile == profile && (len(out) == 0 || e.Key == out[0].Key) && len(out) < n {
			out = append(out, e)
		}
	}
	slices.Reverse(out)
	return out
}

// stored compares the last runs of this home with the baseline. It warns: another day is another host, and looks like a change.
func (o *compareOptions) stored(app *cli.App, pr *project.Project, args []string) error {
	base, err := results.ReadLog(storePath(pr, o.store))
	if err != nil {
		return cli.Usage(err, "")
	}
	all, err := entriesOf(app, pr, nil)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(e results.Entry) bool {
		return slices.ContainsFunc(base, func(b results.Entry) bool { return b.Run == e.Run })
	})
	runs := lastAlike(all, append(args, "")[0], o.last)
	if len(runs) == 0 {
		return cli.Usage(fmt.Errorf("there is no run in %s to compare", pr.In("load")), "`loadgen run PROFILE` makes one; those of the baseline itself do not count")
	}
	newest := runs[len(runs)-1]
	unlike := ""
	mine := slices.DeleteFunc(base, func(b results.Entry) bool {
		if b.Profile == newest.Profile && b.Key != newest.Key {
			unlike = strings.Join(b.Fingerprint.Differs(newest.Fingerprint), ", ")
		}
		return b.Profile != newest.Profile || b.Key != newest.Key
	})
	c, err := o.judgeStored(mine, runs)
	if err != nil {
		return err
	}
	c.Profile = newest.Profile
	if len(mine) == 0 {
		if c.Reason = "no baseline of " + newest.Profile + " is stored"; unlike != "" {
			c.Reason = "the stored baseline of " + newest.Profile + " cannot be compared: its " + unlike
		}
	}
	dir := o.out
	if dir == "" {
		dir = pr.In(filepath.Join("compare", "stored-"+newest.Run))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return o.tell(app, pr, dir, c)
}

func (o *compareOptions) judgeStored(base, runs []results.Entry) (regress.Comparison, error) {
	_, flat := runs[0].Values["rate"]
	metrics, err := o.metrics(flat)
	if err != nil {
		return regress.Comparison{}, err
	}
	noise, err := o.noiseOf()
	if err != nil {
		return regress.Comparison{}, err
	}
	var c regress.Comparison
	for _, side := range []struct {
		build string
		of    []results.Entry
	}{{regress.Baseline, base}, {regress.Candidate, runs}} {
		for i, e := range side.of {
			c.Runs = append(c.Runs, regress.Run{Build: side.build, Pair: i + 1, Round: 1, Values: e.Values, File: e.Run})
		}
	}
	for _, m := range metrics {
		y := values(runs, m.Name)
		if len(y) == 0 { // not measured by single runs, or not proven
			continue
		}
		f, err := regress.Stored(m, values(base, m.Name), y, noise[m.Name])
		if err != nil {
			return c, err
		}
		c.Findings = append(c.Findings, f)
	}
	c.Conclude()
	return c, nil
}

func values(all []results.Entry, metric string) []float64 {
	var out []float64
	for _, e := range all {
		if v, ok := e.Values[metric]; ok {
			out = append(out, v)
		}
	}
	return out
}

// noiseOf are the log-ratios of a calibration's pairs, by metric.
func (o *compareOptions) noiseOf() (map[string][]float64, error) {
	out := map[string][]float64{}
	if o.noise == "" {
		return out, nil
	}
	var cal calibration
	b, err := os.ReadFile(o.noise)
	if err == nil {
		err = json.Unmarshal(b, &cal)
	}
	if err != nil {
		return nil, cli.Usage(fmt.Errorf("--noise: %w", err), "`loadgen calibrate` writes the file")
	}
	first := map[int]map[string]float64{}
	for _, r := range cal.Runs {
		if r.Invalid != "" {
			continue
		}
		if r.Build == regress.Baseline {
			first[r.Pair] = r.Values
			continue
		}
		for m, v := range r.Values {
			if base := first[r.Pair][m]; base > 0 && v > 0 {
				out[m] = append(out[m], math.Log(v/base))
			}
		}
	}
	return out, nil
}
