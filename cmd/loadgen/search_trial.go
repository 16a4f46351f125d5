package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/cli"
	"weir/internal/config"
	"weir/internal/control"
	"weir/internal/kafka"
	"weir/internal/lake"
	"weir/internal/load"
	"weir/internal/project"
	"weir/internal/registry"
	"weir/internal/search"
	"weir/internal/show"
	"weir/internal/verify"
)

// trials makes the trials of a search.
type trials struct {
	app     *cli.App
	project *project.Project
	state   *searching

	brokers  kafka.Config
	registry *registry.Client
	lake     *lake.Lake // nil: the SLO needs no proof
	screens  *screens
}

func (t *trials) open(ctx context.Context) (err error) {
	if t.brokers, t.registry, err = (servers{t.state.Brokers, t.state.Registry}).connect(ctx, t.project); err != nil {
		return err
	}
	if t.state.SLO.NeedsProof() {
		if t.lake, err = lake.Open(ctx, t.project.Lake()); err != nil {
			return err
		}
	}
	t.screens = newScreens(ctx, t.app, t.project, t.brokers, t.state.ID) // a trial is shown on screens, but has one line here
	return nil
}

func (t *trials) close() {
	t.screens.close()
	if t.lake != nil {
		_ = t.lake.Close()
	}
}

// all makes trials until the plan has its result, and shows how that ends.
func (t *trials) all(ctx context.Context) error {
	err := t.make(ctx)
	state := control.Done
	switch {
	case ctx.Err() != nil:
		state = control.Stopped
	case err != nil:
		state = control.Failed
	}
	end := t.state.shown(state, nil, err)
	t.screens.search(end)
	if kerr := show.KeepSearch(t.project.Home, end); kerr != nil {
		t.app.Log.Warn("the next screens will not show this search", "error", kerr)
	}
	return err
}

// make makes the trials. What is known is on the disk before the next one begins.
func (t *trials) make(ctx context.Context) error {
	s := t.state
	for {
		step, result := s.Config.Next(s.Trials)
		if result != nil {
			s.Result = result
			return s.save(t.project.Home)
		}
		trial, err := t.one(ctx, step)
		if err != nil && ctx.Err() != nil {
			return &cli.Error{Err: fmt.Errorf("search %s: interrupted after %d trials", s.ID, len(s.Trials)), Hint: "`loadgen search --resume " + s.ID + "` goes on", Exit: cli.ExitInterrupted}
		}
		if err != nil {
			fmt.Fprintf(t.app.Stderr, "the trial does not count; `loadgen search --resume %s` makes it again\n", s.ID)
			return err
		}
		s.Trials = append(s.Trials, trial)
		if err := s.save(t.project.Home); err != nil {
			return err
		}
		fmt.Fprintln(t.app.Stderr, s.trialLine(len(s.Trials)-1, trial))
	}
}

func (t *trials) one(ctx context.Context, step search.Step) (search.Trial, error) {
	s, began := t.state, time.Now()
	trial := search.Trial{Rate: step.Rate, Phase: step.Phase}
	length := (s.Warmup + s.Length + s.Settle).Seconds()
	doing := "load"
	shown := func() {
		t.screens.search(s.shown(control.Running, &control.Trial{Rate: step.Rate, Phase: string(step.Phase), Step: doing, Began: began, Took: time.Since(began).Seconds(), Length: length}, nil))
	}
	shown()
	p, err := s.read(t.project, config.Rate{PerSecond: step.Rate, Bytes: s.Bytes})
	if err != nil {
		return trial, err
	}
	fmt.Fprintf(t.app.Stderr, "trial %2d  %10s  for %s (%s)\n", len(s.Trials)+1, s.rate(step.Rate), short(s.Warmup+s.Length), step.Phase)
	sum, err := load.Run(ctx, load.Options{
		Profile: p, Home: t.project.Home, Log: t.app.Log, Register: t.registry.Register, Lookup: t.registry.Subject, Progress: func(p load.Progress) { t.screens.run(p); shown() },
		Connect: func(opts ...kgo.Opt) (*kgo.Client, error) { return kafka.Connect(t.brokers, opts...) },
	})
	if err == nil {
		err = t.counts(ctx, sum)
	}
	if err != nil {
		return trial, err
	}
	trial.Run, trial.Values = sum.Run, measured(sum)
	behind := ""
	if t.lake != nil {
		doing = "proof"
		shown()
		if behind, err = t.prove(ctx, sum.Run, trial.Values); err != nil {
			return trial, err
		}
	}
	trial.Outcome, trial.Reason = judgeTrial(s.SLO, sum, trial.Values, behind)
	select {
	case <-ctx.Done():
		return trial, context.Cause(ctx)
	case <-time.After(s.Settle):
	}
	trial.Took = time.Since(began)
	return trial, nil
}

// counts tells why a trial is none: it was stopped, or the broker has gone.
func (t *trials) counts(ctx context.Context, sum load.Summary) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, h := range sum.Hooks {
		if h.Failed > 0 {
			return fmt.Errorf("hook %s failed: %s", h.Name, h.Error)
		}
	}
	if sum.Verdict != load.VerdictFailed {
		return nil
	}
	cl, err := kafka.Connect(t.brokers)
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := kafka.Ping(ctx, cl); err != nil {
		return fmt.Errorf("run %s: %s; %w", sum.Run, sum.Reason, err)
	}
	return nil
}

// measured are the values that the run alone tells.
func measured(sum load.Summary) map[string]float64 {
	v := map[string]float64{"errors": float64(sum.Errors) / float64(max(1, sum.Sent))}
	for prefix, q := range map[string]load.Quantiles{"": sum.Response, "service_": sum.Service} {
		if q.Count > 0 {
			v[prefix+"p50"], v[prefix+"p90"], v[prefix+"p99"], v[prefix+"p99.9"], v[prefix+"max"] = q.P50, q.P90, q.P99, q.P999, q.Max
		}
	}
	return v
}

// judgeTrial: a trial that the generator itself held up says nothing of the target.
func judgeTrial(slo search.SLO, sum load.Summary, values map[string]float64, behind string) (search.Outcome, string) {
	broken := slo.Broken(values)
	late, held := sum.Late(bearable(slo))
	switch {
	case behind != "":
		return search.NotKept, behind
	case late && held:
		return search.NotKept, fmt.Sprintf("the target took less than the rate: its window was full for %.1f s", sum.BlockedS)
	case sum.Verdict == load.VerdictInvalid:
		return search.Invalid, sum.Reason
	case late && broken != "":
		return search.Invalid, fmt.Sprintf("the generator was %s behind its schedule at the 99th percentile", ms(sum.Lag.P99))
	case broken != "":
		return search.NotKept, broken
	}
	return search.Kept, ""
}

// bearable is how late the generator may be: half of the tightest limit on a response time. What is beyond is its own fault.
func bearable(slo search.SLO) float64 {
	least := math.Inf(1)
	for _, l := range slo.Limits {
		switch l.Metric {
		case "p50", "p90", "p99", "p99.9", "max":
			least = min(least, l.Max/2)
		}
	}
	return least
}

// patience is how much longer than the limit a table may take until the next trial can begin.
const patience = 5

// prove adds what the table tells. behind says that it has not caught up in time.
func (t *trials) prove(ctx context.Context, run string, values map[string]float64) (behind string, err error) {
	m, err := load.ReadManifest(t.project.Home, run)
	if err != nil {
		return "", err
	}
	ended := time.Now()
	proof, err := proveUntil(ctx, t.project, t.lake, m, verifyOptions{wait: t.state.Drain})
	if errors.Is(err, lake.ErrNoTable) {
		return "", &cli.Error{Err: fmt.Errorf("--slo %s needs the table: %w", t.state.SLO, err), Hint: "serve the pipeline that fills it while the search runs: `pipeline run JOB`"}
	}
	if err != nil {
		return "", err
	}
	if !caughtUp(proof) {
		behind = fmt.Sprintf("the table had not caught up %s after the load", short(t.state.Drain))
		if proof, err = proveUntil(ctx, t.project, t.lake, m, verifyOptions{wait: patience * t.state.Drain}); err != nil {
			return "", err
		}
		if !caughtUp(proof) {
			return "", &cli.Error{Err: fmt.Errorf("run %s: %s, nor %s later: no trial can begin", run, behind, short(patience*t.state.Drain)), Hint: "is the pipeline running?"}
		}
	}
	values["lag"] = float64(time.Since(ended).Milliseconds())
	values["lost"], values["duplicated"] = float64(proof.Lost), float64(proof.Doubled)
	if proof.ReadableRows > 0 {
		values["freshness"], values["freshness_p50"], values["freshness_max"] = proof.ReadableP99, proof.ReadableP50, proof.ReadableMax
	}
	return behind, nil
}

func caughtUp(r verify.Result) bool { return r.Drained || r.Lost == 0 }
