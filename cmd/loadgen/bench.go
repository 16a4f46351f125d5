package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/cli"
	"weir/internal/kafka"
	"weir/internal/lake"
	"weir/internal/load"
	"weir/internal/project"
	"weir/internal/registry"
	"weir/internal/regress"
	"weir/internal/results"
	"weir/internal/verify"
)

// bench makes runs of a profile against a pipeline that a shell command serves.
type bench struct {
	app       *cli.App
	project   *project.Project
	profile   string
	overrides overrides
	commands  map[string]string // by build
	dir       string            // each run has a home below it
	made      int
	settle    time.Duration
	topics    bool          // each run has a topic of its own
	window    time.Duration // of a duet
	place     string        // of a duet: machine, broker and profile
	shown     *comparing    // nil: on no screen
}

func (b *bench) read() (*load.Profile, error) {
	return b.overrides.read(b.project, b.profile)
}

// benchRun is all that a run has left; it lies in its home as run.json.
type benchRun struct {
	regress.Run
	Load  load.Summary  `json:"load"`
	Proof verify.Result `json:"proof"`
	CPU   float64       `json:"cpu_s"` // of the pipeline, from its start to its end
	Drain float64       `json:"drain_s"`
}

const (
	readyTime = time.Minute
	endTime   = 30 * time.Second
	// readCPU is how often the pipeline's CPU time is read.
	readCPU = 250 * time.Millisecond
)

// make is one run: a fresh home, the pipeline, the load, the proof.
func (b *bench) make(ctx context.Context, r regress.Run) (regress.Run, error) {
	b.made++
	here, err := b.home(r.Build)
	if err != nil {
		return r, err
	}
	p, table, err := b.own()
	if err != nil {
		return r, err
	}
	sys, err := serve(b.commands[r.Build], here.Home, b.env(r.Build, p)...)
	if err != nil {
		return r, err
	}
	out := benchRun{Run: r}
	clock := watchCPU(readCPU, sys)
	res, err := b.measure(ctx, here, sys, p, table, &out)
	clock.end()
	cpu, serr := sys.stop()
	if err = errors.Join(err, serr); err != nil {
		return r, err
	}
	out.CPU = cpu
	judge(&out, res, counted(p, res), clock, 0)
	return out.Run, out.save(here.Home)
}

// home is a fresh one.
func (b *bench) home(name string) (*project.Project, error) {
	home, err := filepath.Abs(filepath.Join(b.dir, fmt.Sprintf("%02d-%s", b.made, name)))
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(home); err == nil {
		return nil, cli.Usage(fmt.Errorf("%s is there already, and each run needs a fresh home", home), "name a directory with --out that holds no comparison yet")
	}
	return project.Open(b.project.Dir, home)
}

// own is the profile of the next run, with a topic of its own if that is wanted; table is where its rows are expected.
func (b *bench) own() (p *load.Profile, table string, err error) {
	if p, err = b.read(); err != nil || !b.topics {
		return p, "", err
	}
	table = p.Table()
	err = p.Apply(load.Override{Topic: fmt.Sprintf("%s-%s-%02d", p.Topic.Name, filepath.Base(b.dir), b.made)})
	return p, table, err
}

// env is what the command of a pipeline finds.
func (b *bench) env(build string, p *load.Profile) []string {
	return []string{"WEIR_BUILD=" + build, fmt.Sprintf("WEIR_RUN=%d", b.made), "WEIR_TOPIC=" + p.Topic.Name}
}

func (r *benchRun) save(home string) error {
	r.File = filepath.Join(home, "run.json")
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(r.File, append(text, '\n'), 0o600)
}

// measure sends the load and waits for the rows.
func (b *bench) measure(ctx context.Context, pr *project.Project, sys *system, p *load.Profile, table string, out *benchRun) (*results.Result, error) {
	if err := pr.Use(p.Cluster); err != nil {
		return nil, err
	}
	brokers, reg, err := connectWhenReady(ctx, pr, sys)
	if err != nil {
		return nil, err
	}
	if b.topics {
		defer dropTopic(ctx, b.app, brokers, p.Topic.Name)
	}
	res, err := b.send(ctx, pr, brokers, reg, p, func() int { return sys.cmd.Process.Pid })
	if err != nil {
		return nil, err
	}
	out.Load = res.Summary
	b.shown.step("proof")
	out.Proof, err = b.prove(ctx, pr, pr, res, verifyOptions{table: table, windows: counted(p, res)})
	return res, err
}

// send waits until the pipelines are settled and makes the load. pipeline is the process whose memory a threshold means; nil: none.
func (b *bench) send(ctx context.Context, pr *project.Project, brokers kafka.Config, reg *registry.Client, p *load.Profile, pipeline func() int) (*results.Result, error) {
	select {
	case <-time.After(b.settle):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	b.shown.step("load")
	k := newKeeper(ctx, pr, brokers, p, b.overrides, "")
	_, err := load.Run(ctx, load.Options{
		Pipeline: pipeline, Progress: b.shown.run, Keep: k.keep, Profile: p, Home: pr.Home, Log: b.app.Log, Register: reg.Register, Lookup: reg.Subject,
		Connect: func(opts ...kgo.Opt) (*kgo.Client, error) { return kafka.Connect(brokers, opts...) },
	})
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return k.result, errors.Join(err, k.err)
}

// prove waits for the rows of a load in the table of a home and proves them; the load's own home keeps the proof.
func (b *bench) prove(ctx context.Context, sent, pr *project.Project, res *results.Result, o verifyOptions) (verify.Result, error) {
	m, err := load.ReadManifest(sent.Home, res.Run)
	if err != nil {
		return verify.Result{}, err
	}
	lk, err := lake.Open(ctx, pr.Lake())
	if err != nil {
		return verify.Result{}, err
	}
	defer lk.Close()
	o.wait = max(m.Drain, time.Minute)
	proof, err := proveUntil(ctx, pr, lk, m, o)
	if err == nil && sent == pr { // one of two proofs is not that of the run
		_, err = keepProof(pr, res.Run, proof)
	}
	return proof, err
}

// dropTopic deletes the topic that was made for one run.
func dropTopic(ctx context.Context, app *cli.App, brokers kafka.Config, topic string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	cl, err := kafka.Connect(brokers)
	if err == nil {
		defer cl.Close()
		_, err = kadm.NewClient(cl).DeleteTopic(ctx, topic)
	}
	if err != nil {
		app.Log.Warn("topic of a run stays", "topic", topic, "error", err)
	}
}

// counted is the one window of a run that counts: from the end of the warm-up on.
func counted(p *load.Profile, res *results.Result) verify.Windows {
	w := verify.Windows{Every: 7 * 24 * time.Hour, N: 1}
	if res != nil {
		w.From = res.Started.Add(time.Duration(p.Warmup))
	}
	return w
}

// tooEarly is the share of rows that may be readable before they were due: a clock may be set while a run goes on.
const tooEarly = 0.001

// judge turns what was measured into a run's values, and says what forbids to use them. side is the pipeline's in the clock.
func judge(out *benchRun, res *results.Result, windows verify.Windows, clock *cpuClock, side int) {
	s, proof := out.Load, out.Proof
	out.Values = map[string]float64{}
	put := func(name string, v float64) {
		if v > 0 {
			out.Values[name] = v
		}
	}
	var w verify.Window
	for _, x := range proof.Windows {
		w.Rows, w.Early = w.Rows+x.Rows, w.Early+x.Early
		if x.Last.After(w.Last) {
			w.Last = x.Last
		}
	}
	switch why := res.Strained(); {
	case s.Verdict == load.VerdictInvalid:
		out.Invalid = s.Reason
	case s.Verdict == load.VerdictFailed || s.Verdict == load.VerdictInterrupted:
		out.Invalid = string(s.Verdict) + ": " + s.Reason
	case why != "":
		out.Invalid = why
	case float64(w.Early) > tooEarly*float64(w.Rows):
		out.Invalid = fmt.Sprintf("%d of %d rows were readable before they were due: the clocks of generator and pipeline differ", w.Early, w.Rows)
	}
	out.Proven, out.Broken = true, broken(proof)
	with := *res
	with.Proof = &proof
	for _, g := range results.OfRun(&with).Gates {
		if g.Group == "threshold" && g.State == results.Fail {
			out.Missed = append(out.Missed, g.Text)
		}
	}
	if w.Rows > 0 {
		out.Drain = w.Last.Sub(res.Started).Seconds() - s.Seconds
		put("drain", out.Drain)
		if cpu, ok := clock.between(side, windows.From, w.Last); ok {
			put("cpu", cpu/float64(w.Rows)*1e6)
		} else if s.Sent > 0 {
			put("cpu", out.CPU/float64(s.Sent)*1e6)
		}
	}
	if s.Target == 0 { // as fast as it takes them
		put("rate", s.Rate)
		return
	}
	put("p50", s.P50)
	put("p99", s.P99)
	put("p99.9", s.Response.P999)
	put("max", s.Max)
	if len(proof.Windows) == 1 {
		put("fresh_p50", proof.Windows[0].P50)
		put("fresh_p99", proof.Windows[0].P99)
	}
}

// broken says what is wrong with the data, empty if nothing is.
func broken(p verify.Result) string {
	if p.Good() {
		return ""
	}
	text := fmt.Sprintf("lost %d, doubled %d, reordered %d, altered %d, quarantined without a reason %d", p.Lost, p.Doubled, p.Reordered, p.Altered, p.Unexplained)
	if p.Lost > 0 && !p.Drained {
		text += ": the table was not drained in time"
	}
	return text
}
