package main

import (
	"context"
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
hand or says nothing cannot be one.

A baseline moves only by this command, and not from a pull or merge request: there it is refused. --store may be s3://bucket/path.`,
		Example: "  loadgen baseline save --last 6 --store perf/baseline.ndjson",
		RunE: func(c *cobra.Command, args []string) error {
			pr, err := project.Open(".", app.Home)
			if err != nil {
				return err
			}
			if where := request(app.Getenv); where != "" {
				return cli.Usage(fmt.Errorf("this is a job of %s: what is not merged yet is no baseline", where), "save it in a job of the main branch")
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
			file, err := openLog(c.Context(), pr, path)
			if err != nil {
				return err
			}
			old, err := file.read(c.Context())
			if err != nil {
				return cli.Usage(err, "")
			}
			kept := slices.DeleteFunc(old, func(o results.Entry) bool {
				return slices.ContainsFunc(all, func(e results.Entry) bool { return e.Run == o.Run || e.Profile == o.Profile && e.Key == o.Key })
			})
			if err := file.replace(append(kept, all...)); err != nil {
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
	c.PersistentFlags().StringVar(&store, "store", "", "file of the baselines, also file:// or s3://bucket/path (default: HOME/"+baselineFile+")")
	show := &cobra.Command{
		Use: "show", Short: "List the baselines", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			pr, err := project.Open(".", app.Home)
			if err != nil {
				return err
			}
			all, err := readEntries(c.Context(), pr, storePath(pr, store))
			if err != nil {
				return err
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

// request names the pull or merge request whose job this is, empty if it is none.
func request(getenv func(string) string) string {
	switch {
	case strings.HasPrefix(getenv("GITHUB_EVENT_NAME"), "pull_request"):
		return "a pull request (" + getenv("GITHUB_EVENT_NAME") + ")"
	case getenv("CI_MERGE_REQUEST_IID") != "":
		return "merge request !" + getenv("CI_MERGE_REQUEST_IID")
	}
	return ""
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
func (o *compareOptions) stored(ctx context.Context, app *cli.App, pr *project.Project, args []string) error {
	base, err := readEntries(ctx, pr, storePath(pr, o.store))
	if err != nil {
		return err
	}
	all, err := entriesOf(app, pr, nil)
	if err != nil {
		return err
	}
	all = results.Missing(base, all)
	runs := lastAlike(all, append(args, "")[0], o.last)
	if len(runs) == 0 {
		return cli.Usage(fmt.Errorf("there is no run in %s to compare", pr.In("load")), "`loadgen run PROFILE` makes one; those of the baseline itself do not count")
	}
	newest := runs[len(runs)-1]
	unlike := ""
	mine := slices.DeleteFunc(results.Missing(nil, base), func(b results.Entry) bool {
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
	if !o.strict {
		c.Advisory = "another day is another host: run the builds side by side to be sure"
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
	k := paced
	if _, ok := runs[0].Values["rate"]; ok {
		k = flat
	}
	all, err := o.metrics(k)
	if err != nil {
		return regress.Comparison{}, err
	}
	noise, err := o.readNoise()
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
	before, now := map[string][]float64{}, map[string][]float64{}
	var metrics []regress.Metric
	for _, m := range all {
		if now[m.Name] = values(runs, m.Name); len(now[m.Name]) > 0 { // else it is not measured by single runs, or not proven
			before[m.Name], metrics = values(base, m.Name), append(metrics, m)
		}
	}
	if c.Findings, err = regress.Stored(metrics, before, now, noise.ratios()); err != nil {
		return c, err
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

// ratios are the log-ratios of a calibration's pairs, by metric.
func (c *calibration) ratios() map[string][]float64 {
	out := map[string][]float64{}
	if c == nil {
		return out
	}
	first := map[int]map[string]float64{}
	for _, r := range c.Runs {
		if r.Invalid != "" {
			continue
		}
		other, seen := first[r.Pair]
		if !seen {
			first[r.Pair] = r.Values
			continue
		}
		delete(first, r.Pair)
		for m, v := range r.Values {
			if base := other[m]; base > 0 && v > 0 {
				out[m] = append(out[m], math.Log(v/base))
			}
		}
	}
	return out
}
