package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"weir/internal/cli"
	"weir/internal/results"
	"weir/internal/results/output"
)

// outputs are the flags that write a report in the formats of others.
type outputs struct {
	junit, markdown, openmetrics, hlog, benchfmt, benchjson, otava, html string
	annotations                                                          bool
}

func (o *outputs) flags(f *pflag.FlagSet) {
	f.StringVar(&o.html, "html", "", "file for one HTML page with plots, that needs nothing else")
	f.StringVar(&o.junit, "junit", "", "file for JUnit XML: a testcase for each gate")
	f.StringVar(&o.markdown, "markdown", "", "file for Markdown: for a comment that is replaced; it is added to $GITHUB_STEP_SUMMARY")
	f.BoolVar(&o.annotations, "annotations", false, "print ::error and ::warning lines, which GitHub shows beside the job")
	f.StringVar(&o.openmetrics, "openmetrics", "", "file for OpenMetrics text, as GitLab's metrics reports read it")
	f.StringVar(&o.benchfmt, "benchfmt", "", "file for the Go benchmark format: benchstat, Bencher")
	f.StringVar(&o.benchjson, "benchmark-json", "", "file for github-action-benchmark, with tool: customSmallerIsBetter")
	f.StringVar(&o.hlog, "hlog", "", "file for the log of HdrHistogram, interval by interval")
	f.StringVar(&o.otava, "otava", "", "CSV file for Apache Otava, to which a row is added")
}

// any reports that something is wanted.
func (o *outputs) any() bool { return *o != outputs{} }

func (o *outputs) write(app *cli.App, r results.Report) error {
	for _, f := range []struct {
		path   string
		format func(results.Report) ([]byte, error)
	}{
		{o.html, output.HTML}, {o.junit, output.JUnit}, {o.markdown, output.Markdown}, {o.openmetrics, output.OpenMetrics}, {o.benchfmt, output.BenchFmt}, {o.benchjson, output.BenchJSON}, {o.hlog, output.HLog},
	} {
		if f.path == "" {
			continue
		}
		b, err := f.format(r)
		if err == nil {
			err = o.put(app, f.path, b)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.path, err)
		}
	}
	if o.otava != "" {
		if err := addToOtava(app, o.otava, r); err != nil {
			return fmt.Errorf("%s: %w", o.otava, err)
		}
	}
	if o.annotations {
		b, err := output.Annotations(r)
		if err != nil {
			return err
		}
		_, err = app.Stdout.Write(b)
		return err
	}
	return nil
}

// put writes a file; - is stdout, and the summary of a GitHub step is added to: other commands write there, too.
func (o *outputs) put(app *cli.App, path string, b []byte) error {
	if path == "-" {
		_, err := app.Stdout.Write(b)
		return err
	}
	if dir := filepath.Dir(path); dir != "." {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if path == o.markdown && path == app.Getenv("GITHUB_STEP_SUMMARY") {
		return add(path, b)
	}
	return os.WriteFile(path, b, 0o644) //nolint:gosec // reports, no secrets: CI's next step may run as somebody else
}

func add(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644) //nolint:gosec // as put
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}

// addToOtava adds a run's row to a file with the same columns.
func addToOtava(app *cli.App, path string, r results.Report) error {
	if r.Run == nil {
		return output.ErrNoRun
	}
	e, err := results.EntryOf(r.Run)
	if err != nil {
		app.Log.Warn("no row for otava", "error", err)
		return nil
	}
	b, err := output.Otava([]results.Entry{e})
	if err != nil {
		return err
	}
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	head, row, _ := bytes.Cut(b, []byte("\n"))
	if first, _, _ := bytes.Cut(old, []byte("\n")); len(old) > 0 {
		if !bytes.Equal(first, head) {
			return fmt.Errorf("its columns are %s, this run has %s: `loadgen history --otava` writes a whole history with all columns", first, head)
		}
		b = row
	}
	return add(path, b)
}
