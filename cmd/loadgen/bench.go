package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/cli"
	"weir/internal/kafka"
	"weir/internal/lake"
	"weir/internal/load"
	"weir/internal/project"
	"weir/internal/regress"
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
	shown     *comparing
}

func (b *bench) read() (*load.Profile, error) {
	return b.overrides.read(b.project, b.profile)
}

// benchRun is all that a run has left; it lies in its home as run.json.
type benchRun struct {
	regress.Run
	Load  load.Summary  `json:"load"`
	Proof verify.Result `json:"proof"`
	CPU   float64       `json:"cpu_s"` // of the pipeline
	Drain float64       `json:"drain_s"`
}

const (
	readyTime = time.Minute
	endTime   = 30 * time.Second
)

// make is one run: a fresh home, the pipeline, the load, the proof.
func (b *bench) make(ctx context.Context, r regress.Run) (regress.Run, error) {
	b.made++
	home, err := filepath.Abs(filepath.Join(b.dir, fmt.Sprintf("%02d-%s", b.made, r.Build)))
	if err != nil {
		return r, err
	}
	if err := os.MkdirAll(home, 0o755); err != nil {
		return r, err
	}
	here, err := project.Open(b.project.Dir, home)
	if err != nil {
		return r, err
	}
	sys, err := b.serve(home, r)
	if err != nil {
		return r, err
	}
	out := benchRun{Run: r}
	err = b.measure(ctx, here, sys, &out)
	cpu, serr := sys.stop()
	if err = errors.Join(err, serr); err != nil {
		return r, err
	}
	out.CPU = cpu
	b.judge(&out)
	out.File = filepath.Join(home, "run.json")
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return r, err
	}
	return out.Run, os.WriteFile(out.File, append(text, '\n'), 0o600)
}

// measure sends the load and waits for the rows.
func (b *bench) measure(ctx context.Context, pr *project.Project, sys *system, out *benchRun) error {
	p, err := b.read()
	if err == nil {
		err = pr.Use(p.Cluster)
	}
	if err != nil {
		return err
	}
	brokers, reg, err := connectWhenReady(ctx, pr, sys)
	if err != nil {
		return err
	}
	select {
	case <-time.After(b.settle):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	b.shown.step("load")
	k := newKeeper(ctx, pr, brokers, p, b.overrides, "")
	out.Load, err = load.Run(ctx, load.Options{
		Pipeline: func() int { return sys.cmd.Process.Pid }, Keep: k.keep, Profile: p, Home: pr.Home, Log: b.app.Log, Register: reg.Register, Lookup: reg.Subject,
		Connect: func(opts ...kgo.Opt) (*kgo.Client, error) { return kafka.Connect(brokers, opts...) }, Progress: b.shown.run,
	})
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	b.shown.step("proof")
	sent := time.Now()
	m, err := load.ReadManifest(pr.Home, out.Load.Run)
	if err != nil {
		return err
	}
	lk, err := lake.Open(ctx, pr.Lake())
	if err != nil {
		return err
	}
	defer lk.Close()
	out.Proof, err = proveUntil(ctx, pr, lk, m, verifyOptions{wait: max(m.Drain, time.Minute)})
	out.Drain = time.Since(sent).Seconds()
	if err = errors.Join(err, k.err); err == nil {
		_, err = keepProof(pr, out.Load.Run, out.Proof)
	}
	return err
}

// judge turns what was measured into a run's values, and says what forbids to use them.
func (b *bench) judge(out *benchRun) {
	s, proof := out.Load, out.Proof
	switch s.Verdict {
	case load.VerdictInvalid:
		out.Invalid = s.Reason
	case load.VerdictFailed, load.VerdictInterrupted:
		out.Invalid = string(s.Verdict) + ": " + s.Reason
	}
	if !proof.Good() {
		out.Broken = fmt.Sprintf("lost %d, doubled %d, reordered %d, altered %d, quarantined without a reason %d", proof.Lost, proof.Doubled, proof.Reordered, proof.Altered, proof.Unexplained)
	}
	out.Values = map[string]float64{}
	put := func(name string, v float64) {
		if v > 0 {
			out.Values[name] = v
		}
	}
	put("drain", out.Drain)
	if s.Sent > 0 {
		put("cpu", out.CPU/float64(s.Sent)*1e6)
	}
	if s.Target == 0 { // as fast as it takes them
		put("rate", s.Rate)
		return
	}
	put("p50", s.P50)
	put("p99", s.P99)
	put("fresh_p99", proof.ReadableP99)
}

// system is the pipeline under test.
type system struct {
	cmd   *exec.Cmd
	log   string
	ended chan struct{}
	err   error
}

func (b *bench) serve(home string, r regress.Run) (*system, error) {
	s := &system{cmd: exec.Command("sh", "-c", "exec "+b.commands[r.Build]), log: filepath.Join(home, "system.log"), ended: make(chan struct{})} //nolint:gosec // the user's own command
	log, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.cmd.Env = append(os.Environ(), "WEIR_HOME="+home, "WEIR_BUILD="+r.Build, fmt.Sprintf("WEIR_RUN=%d", b.made))
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it is ended by us, after the proof
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { // ends with the process
		s.err = s.cmd.Wait()
		close(s.ended)
	}()
	return s, nil
}

// died says how the pipeline ended before its time.
func (s *system) died() error {
	select {
	case <-s.ended:
		text, _ := os.ReadFile(s.log)
		return &cli.Error{Err: fmt.Errorf("the pipeline under test ended (%w): %s", s.err, lastLine(string(text))), Hint: "its output: " + s.log}
	default:
		return nil
	}
}

// stop ends the pipeline and gives the CPU time that it and its children took.
func (s *system) stop() (cpu float64, err error) {
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGINT)
	select {
	case <-s.ended:
	case <-time.After(endTime):
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
		<-s.ended
		return 0, fmt.Errorf("the pipeline under test did not end within %v of SIGINT (its output: %s)", endTime, s.log)
	}
	st := s.cmd.ProcessState
	return (st.UserTime() + st.SystemTime()).Seconds(), nil
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}
