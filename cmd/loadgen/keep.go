package main

import (
	"context"
	"fmt"
	"path/filepath"

	"weir/internal/cli"
	"weir/internal/kafka"
	"weir/internal/load"
	"weir/internal/project"
	"weir/internal/results"
)

// keeper stores the result of a run beside its manifest, and where the user wants it.
type keeper struct {
	home, out string
	profile   *load.Profile
	flags     []string
	print     results.Fingerprint
	result    *results.Result
	err       error
}

// newKeeper asks the broker for its version, before the run: afterwards it may be gone.
func newKeeper(ctx context.Context, pr *project.Project, brokers kafka.Config, p *load.Profile, o overrides, out string) *keeper {
	version := "unknown"
	if cl, err := kafka.Connect(brokers); err == nil {
		version = kafka.Version(ctx, cl)
		cl.Close()
	}
	return &keeper{home: pr.Home, out: out, profile: p, flags: o.given(), print: results.Here(version)}
}

// keep is for [load.Options.Keep].
func (k *keeper) keep(rec *load.Record) {
	if k.result, k.err = results.New(rec, k.profile.Text(), k.flags, k.print); k.err != nil {
		return
	}
	if _, k.err = results.Save(filepath.Join(k.home, "load"), k.result); k.err == nil && k.out != "" {
		_, k.err = results.Save(k.out, k.result)
	}
}

// tell writes the reports and prints the result; its error carries the verdict's exit code.
func (k *keeper) tell(app *cli.App, o *outputs, sum load.Summary) error {
	if k.err == nil {
		k.err = o.write(app, results.OfRun(k.result))
	}
	if err := app.Result(sum, summaryText(sum)); err != nil {
		return err
	}
	if err := verdictError(sum); err != nil || k.err == nil {
		return err
	}
	return k.err
}

// given are the flags that were used, as they were written.
func (o *overrides) given() []string {
	var all []string
	for _, f := range [][2]string{{"topic", o.topic}, {"rate", o.rate}, {"size", o.size}, {"count", o.count}} {
		if f[1] != "" {
			all = append(all, "--"+f[0]+" "+f[1])
		}
	}
	for _, x := range o.sets {
		all = append(all, "--set "+x)
	}
	if o.duration > 0 {
		all = append(all, fmt.Sprintf("--duration %v", o.duration))
	}
	return all
}
