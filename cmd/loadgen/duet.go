package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/internal/cli"
	"weir/internal/control"
	"weir/internal/kafka"
	"weir/internal/load"
	"weir/internal/project"
	"weir/internal/registry"
	"weir/internal/regress"
	"weir/internal/results"
	"weir/internal/verify"
)

// together compares two builds that read one log at the same time.
func (o *compareOptions) together(ctx context.Context, app *cli.App, pr *project.Project, b *bench) error {
	p, err := b.readDuet()
	if err != nil {
		return err
	}
	metrics, err := o.metrics(duet)
	if err != nil {
		return err
	}
	noise, err := o.readNoise()
	if err != nil {
		return err
	}
	o.shown = showComparison(ctx, app, pr, control.Compare, filepath.Base(b.dir), p.Name, metrics, 1)
	defer o.shown.close()
	b.shown = o.shown
	plan := regress.DuetPlan{
		Metrics: metrics, Confirm: regress.Confirm(o.confirm), Make: b.both,
		Advisory: func() string { return noise.advisory(metrics, b.window.Seconds(), b.place) },
		Say:      func(r regress.Run) { fmt.Fprintln(app.Stderr, runLine(r, metrics)) },
	}
	c, err := plan.Do(ctx)
	c.Profile, c.Window, c.Place = p.Name, b.window.Seconds(), b.place
	if err != nil {
		o.shown.failed(ctx, err)
		return kept(b.dir, c, err)
	}
	return o.tell(app, pr, b.dir, c)
}

// readDuet reads the profile and makes sure, before anything runs, that it gives enough windows, and each build a table of its own.
func (b *bench) readDuet() (*load.Profile, error) {
	if c := b.project.Weir.Lake.Catalog; c != "" && c != "sqlite" {
		return nil, cli.Usage(fmt.Errorf("a duet needs a table for each build, and weir.yaml's lake.catalog %s would give both the same", c), "compare without --duet, or leave the catalog to the homes (sqlite)")
	}
	if b.window <= 0 {
		return nil, cli.Usage(fmt.Errorf("--window: want more than 0s"), "")
	}
	p, err := b.read()
	if err != nil {
		return nil, err
	}
	length, err := lengthOf(p)
	if err != nil {
		return nil, err
	}
	if length == 0 {
		return nil, cli.Usage(fmt.Errorf("a duet needs a schedule, and profile %s sends as fast as it can: both builds would get the rate of the broker", p.Name), "give a --rate, or compare without --duet")
	}
	if n := int((length - time.Duration(p.Warmup)) / b.window); n < regress.LeastWindows {
		least := time.Duration(p.Warmup) + regress.LeastWindows*b.window
		return nil, cli.Usage(fmt.Errorf("profile %s has %d windows of %v after its warm-up of %v: a duet needs %d", p.Name, max(n, 0), b.window, time.Duration(p.Warmup), regress.LeastWindows),
			fmt.Sprintf("--duration %v, or a shorter --window", least))
	}
	return p, nil
}

// lengthOf is how long a profile's schedule lasts, 0 if it has none.
func lengthOf(p *load.Profile) (time.Duration, error) {
	curve, err := p.Curve(time.Now())
	if err != nil {
		return 0, err
	}
	planned, ok := curve.(load.Planned)
	if !ok || kindFor(p) == flat {
		return 0, nil
	}
	length := planned.End()
	if d := time.Duration(p.Volume.Duration); d > 0 {
		length = min(length, d)
	}
	if n := p.Volume.Messages; n > 0 {
		length = min(length, curve.At(float64(n)))
	}
	return length, nil
}

// both is one duet: two pipelines with a home each, one load, two proofs.
func (b *bench) both(ctx context.Context, round int) (base, cand regress.Run, err error) {
	b.made++
	names := []string{regress.Baseline, regress.Candidate}
	runs := []benchRun{{Run: regress.Run{Build: names[0], Round: round}}, {Run: regress.Run{Build: names[1], Round: round}}}
	fail := func(err error) (regress.Run, regress.Run, error) { return runs[0].Run, runs[1].Run, err }
	p, table, err := b.own()
	if err != nil {
		return fail(err)
	}
	var homes []*project.Project
	for _, name := range append([]string{"load"}, names...) {
		h, err := b.home(name)
		if err != nil {
			return fail(err)
		}
		homes = append(homes, h)
	}
	end, err := b.shared(ctx, homes)
	if err != nil {
		return fail(err)
	}
	defer end()
	var systems []*system
	stop := func() (err error) {
		for i, s := range systems {
			cpu, serr := s.stop()
			runs[i].CPU, err = cpu, errors.Join(err, serr)
		}
		systems = nil
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	for i, name := range names {
		s, err := serve(b.commands[name], homes[1+i].Home, b.env(name, p)...)
		if err != nil {
			return fail(err)
		}
		systems = append(systems, s)
	}
	clock := watchCPU(min(readCPU, b.window/4), systems...)
	res, windows, err := b.duet(ctx, homes, systems, p, table, runs)
	clock.end()
	if err = errors.Join(err, stop()); err != nil {
		return fail(err)
	}
	for i := range runs {
		judgeSide(&runs[i], res, windows, clock, i)
		if err := runs[i].save(homes[1+i].Home); err != nil {
			return fail(err)
		}
	}
	return runs[0].Run, runs[1].Run, nil
}

// duet sends the load once and proves both tables.
func (b *bench) duet(ctx context.Context, homes []*project.Project, systems []*system, p *load.Profile, table string, runs []benchRun) (*results.Result, verify.Windows, error) {
	var brokers kafka.Config
	var reg *registry.Client
	err := homes[0].Use(p.Cluster)
	if err != nil {
		return nil, verify.Windows{}, err
	}
	for i, s := range systems {
		if brokers, reg, err = connectWhenReady(ctx, homes[0], s); err != nil {
			return nil, verify.Windows{}, fmt.Errorf("%s: %w", runs[i].Build, err)
		}
	}
	if b.topics {
		defer dropTopic(ctx, b.app, brokers, p.Topic.Name)
	}
	res, err := b.send(ctx, homes[0], brokers, reg, p, nil)
	if err != nil {
		return nil, verify.Windows{}, err
	}
	for i, s := range systems {
		if err := s.died(); err != nil {
			return nil, verify.Windows{}, fmt.Errorf("%s: %w", runs[i].Build, err)
		}
	}
	where := res.Fingerprint
	where.Profile = fmt.Sprintf("%s --rate %q --size %q", p.Text(), b.overrides.rate, b.overrides.size) // its length may differ
	b.place = where.Key()
	w := counted(p, res)
	w.Every = b.window
	w.N = int((time.Duration(res.Summary.Seconds*float64(time.Second)) - time.Duration(p.Warmup)) / b.window)
	var g errgroup.Group // at the same time: neither table is looked at while only the other one still works
	for i := range runs {
		g.Go(func() (err error) {
			runs[i].Load = res.Summary
			if runs[i].Proof, err = b.prove(ctx, homes[0], homes[1+i], res, verifyOptions{table: table, windows: w}); err != nil {
				err = fmt.Errorf("%s: %w", runs[i].Build, err)
			}
			return err
		})
	}
	return res, w, g.Wait()
}

// shared gives both homes the same broker and registry: those of weir.yaml, or embedded ones of this process.
func (b *bench) shared(ctx context.Context, homes []*project.Project) (end func(), err error) {
	end = func() {}
	if !b.project.Weir.Kafka.Brokers.Embedded() && !b.project.Weir.Registry.Embedded() {
		return end, nil
	}
	k, err := kafka.ServeEmbedded(ctx, "127.0.0.1:0", homes[0].In("kafka"))
	if err != nil {
		return end, err
	}
	r, err := registry.ServeEmbedded(ctx, "127.0.0.1:0", homes[0].In("registry.json"))
	if err != nil {
		return end, errors.Join(err, k.Close())
	}
	end = func() {
		if err := errors.Join(r.Close(), k.Close()); err != nil {
			b.app.Log.Warn("embedded broker", "error", err)
		}
	}
	for _, h := range homes {
		if err := h.Announce(project.Embedded{Brokers: k.Addr(), Registry: r.URL()}); err != nil {
			end()
			return func() {}, err
		}
	}
	return end, nil
}

// judgeSide is judge for one side of a duet: what the broker has done is nobody's, limits are for a pipeline that has the machine for
// itself, and each window has its values.
func judgeSide(out *benchRun, res *results.Result, windows verify.Windows, clock *cpuClock, side int) {
	judge(out, res, windows, clock, side)
	out.Missed = nil
	for _, m := range []string{"p50", "p99", "p99.9", "max", "rate"} {
		delete(out.Values, m)
	}
	n := len(out.Proof.Windows)
	out.Windows = map[string][]float64{"fresh_p50": make([]float64, n), "fresh_p99": make([]float64, n), "cpu": make([]float64, n)}
	var p50, p99, cpu float64
	for i, w := range out.Proof.Windows {
		from := windows.From.Add(time.Duration(i) * windows.Every)
		out.Windows["fresh_p50"][i], out.Windows["fresh_p99"][i] = w.P50, w.P99
		if s, ok := clock.between(side, from, from.Add(windows.Every)); ok && w.Rows > 0 {
			out.Windows["cpu"][i] = math.Round(s/float64(w.Rows)*1e9) / 1e3
		}
		p50, p99, cpu = p50+w.P50, p99+w.P99, cpu+out.Windows["cpu"][i]
	}
	for name, sum := range map[string]float64{"fresh_p50": p50, "fresh_p99": p99, "cpu": cpu} {
		if sum > 0 {
			out.Values[name] = sum / float64(n) // a mean of the windows: what is compared
		}
	}
}

// advisory says why a duet may not fail a build, empty if this calibration proves that it may.
func (c *calibration) advisory(metrics []regress.Metric, window float64, place string) string {
	const how = "`loadgen calibrate --duet` proves it, and --noise names its file"
	switch {
	case c == nil:
		return "nothing proves that this machine treats both sides alike: " + how
	case c.Duet == nil:
		return "the calibration is one of runs, not of a duet: " + how
	case c.Duet.Place != place:
		return "the calibration is one of another machine, broker or profile: " + how
	case c.Duet.Window != window:
		return fmt.Sprintf("the calibration is one of windows of %g s, not %g s: %s", c.Duet.Window, window, how)
	}
	return regress.Asymmetric(metrics, c.Duet.Findings)
}
