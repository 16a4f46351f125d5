package desk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/oklog/ulid/v2"

	"weir/internal/cli"
	"weir/internal/config"
	"weir/internal/control"
	"weir/internal/search"
)

// LoadArgs are those of load.start.
type LoadArgs struct {
	Profile string `json:"profile"`
}

// CompareArgs are those of compare.start; without commands those of weir.yaml.
type CompareArgs struct {
	Profile   string `json:"profile"`
	Baseline  string `json:"baseline"`
	Candidate string `json:"candidate"`
	Pairs     int    `json:"pairs"` // 0: as many as it needs
}

// SearchArgs are those of search.start.
type SearchArgs struct {
	Profile string `json:"profile"`
	SLO     string `json:"slo"`
	From    string `json:"from"`
	To      string `json:"to"`
	Trial   string `json:"trial"`
	MaxTime string `json:"max_time"`
}

// settled is how long a start is watched: what is wrong with brokers or flags shows within it.
const settled = 1500 * time.Millisecond

// StartLoad starts `loadgen run`.
func (d *Desk) StartLoad(ctx context.Context, a LoadArgs) (*control.Launch, error) {
	name, err := d.runnable(a.Profile)
	if err != nil {
		return nil, err
	}
	return d.launch(ctx, "load", a.Profile, "run", "--", name)
}

// StartCompare starts `loadgen compare`. The commands are whole arguments: no shell of ours reads them.
func (d *Desk) StartCompare(ctx context.Context, a CompareArgs) (*control.Launch, error) {
	name, err := d.runnable(a.Profile)
	if err != nil {
		return nil, err
	}
	c := d.project.Weir.Compare
	for i, v := range []*string{&a.Baseline, &a.Candidate} {
		if *v == "" {
			*v = []string{c.Baseline, c.Candidate}[i]
		}
		if err := oneLine([]string{"baseline", "candidate"}[i], *v); err != nil {
			return nil, err
		}
		if strings.TrimSpace(*v) == "" {
			return nil, &cli.Error{Err: fmt.Errorf("%s: want the command that serves that build", []string{"baseline", "candidate"}[i]), Hint: "as ./main/pipeline run transactions; weir.yaml can hold it: compare: {baseline: …, candidate: …}"}
		}
	}
	args := []string{"compare", "--baseline=" + a.Baseline, "--candidate=" + a.Candidate}
	if a.Pairs < 0 || a.Pairs > 12 {
		return nil, fmt.Errorf("pairs: want 1 to 12, or 0 for as many as it needs, got %d", a.Pairs)
	}
	if a.Pairs > 0 {
		args = append(args, "--pairs="+strconv.Itoa(a.Pairs))
	}
	return d.launch(ctx, "compare", a.Profile, append(args, "--", name)...)
}

// StartSearch starts `loadgen search`.
func (d *Desk) StartSearch(ctx context.Context, a SearchArgs) (*control.Launch, error) {
	name, err := d.runnable(a.Profile)
	if err != nil {
		return nil, err
	}
	if _, err := search.ParseSLO(a.SLO); err != nil {
		return nil, fmt.Errorf("slo: %w", err)
	}
	args := []string{"search", "--slo=" + a.SLO}
	for _, f := range []struct {
		name, value string
		as          interface{ UnmarshalText([]byte) error }
	}{{"from", a.From, new(config.Rate)}, {"to", a.To, new(config.Rate)}, {"trial", a.Trial, new(config.Duration)}, {"max-time", a.MaxTime, new(config.Duration)}} {
		if f.value == "" {
			continue
		}
		if err := f.as.UnmarshalText([]byte(f.value)); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		value := f.value
		if d, ok := f.as.(*config.Duration); ok { // flags know no days
			value = d.String()
		}
		args = append(args, "--"+f.name+"="+value)
	}
	return d.launch(ctx, "search", a.Profile, append(args, "--", name)...)
}

func oneLine(name, v string) error {
	if strings.ContainsAny(v, "\r\n\x00") {
		return fmt.Errorf("%s: want one line", name)
	}
	if len(v) > 4096 {
		return fmt.Errorf("%s: want at most 4096 characters", name)
	}
	return nil
}

// runnable is what loadgen is given: the file of the project's profile, or the name of one that comes with weir.
func (d *Desk) runnable(name string) (string, error) {
	text, shipped, err := d.text(name)
	if err != nil {
		return "", err
	}
	if _, err := parse(d.file(name), text); err != nil {
		return "", &cli.Error{Err: err, Hint: "nothing was started; mend the profile first"}
	}
	if !shipped {
		file, err := filepath.Rel(d.project.Dir, filepath.FromSlash(d.file(name)))
		return "." + string(filepath.Separator) + file, err
	}
	if st, err := os.Stat(d.project.File(name)); err == nil && st.Mode().IsRegular() {
		return "", &cli.Error{Err: fmt.Errorf("a file named %s in the project hides the profile that comes with weir", name), Hint: "rename that file, or save a copy of the profile"}
	}
	return name, nil
}

// findLoadgen looks beside the program that runs, then on the PATH.
func findLoadgen() (string, error) {
	here, err := os.Executable()
	if err == nil {
		if here, err = filepath.EvalSymlinks(here); err == nil {
			beside := filepath.Join(filepath.Dir(here), "loadgen")
			if st, err := os.Stat(beside); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
				return beside, nil
			}
		}
	}
	path, err := exec.LookPath("loadgen")
	if err != nil {
		return "", &cli.Error{
			Err:  fmt.Errorf("the program loadgen is neither in %s nor on the PATH", filepath.Dir(here)),
			Hint: "`make install` puts it beside pipeline; or add its folder to PATH and start this program again",
		}
	}
	return filepath.Abs(path)
}

// launch starts loadgen in a session of its own, with its output in a file, and watches its first second. Nothing ends it but its
// own end, `launch.stop` or a signal.
func (d *Desk) launch(ctx context.Context, kind, profile string, args ...string) (*control.Launch, error) {
	program, err := d.find()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(d.dir(), 0o755); err != nil {
		return nil, err
	}
	l := &control.Launch{ID: ulid.Make().String(), Kind: kind, Profile: profile, At: time.Now(), State: control.Running}
	// The flag stands before --, where all that follows is a name.
	args = append([]string{args[0], "--home=" + d.project.Home}, args[1:]...)
	l.Command = words(append([]string{"loadgen"}, args...))
	l.Log = filepath.Join(d.dir(), l.ID+".log")
	log, err := os.OpenFile(l.Log, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	// The lock belongs to the open file, which the child inherits: as long as it lives, everybody can see that it does.
	if err := syscall.Flock(int(log.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, err
	}
	cmd := exec.Command(program, args...) //nolint:gosec // our own program, with arguments that were checked
	cmd.Dir, cmd.Stdout, cmd.Stderr = d.project.Dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", program, err), os.Remove(l.Log))
	}
	l.PID = cmd.Process.Pid
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // ends with the process, or with ours: the child does not need us
	if err := d.note(l); err != nil {
		_ = cmd.Process.Signal(syscall.SIGINT)
		return nil, err
	}
	select {
	case err := <-ended:
		if err != nil {
			return nil, d.stillborn(l, err)
		}
	case <-ctx.Done():
	case <-time.After(d.settled):
	}
	return l, nil
}

// stillborn says why a program ended at once, in its own words.
func (d *Desk) stillborn(l *control.Launch, err error) error {
	text, _ := tailOf(l.Log)
	e := &cli.Error{Err: fmt.Errorf("%s ended at once: %w", l.Kind, err), Hint: "its output: " + l.Log}
	for _, line := range strings.Split(text, "\n") {
		if _, why, ok := strings.Cut(line, "loadgen: error: "); ok {
			e.Err = errors.New(why)
		}
		if _, hint, ok := strings.Cut(line, "loadgen: hint: "); ok {
			e.Hint = hint
		}
	}
	return e
}

// words is a command as a person would type it.
func words(args []string) string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = a
		if a == "" || strings.ContainsAny(a, " \t'\"\\$&|;<>()*?[]#~`!{}") {
			out[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
	}
	return strings.Join(out, " ")
}

func (d *Desk) dir() string { return d.project.In("load") }

const startSuffix = ".start.json"

// note writes down what was started, for servers to come.
func (d *Desk) note(l *control.Launch) error {
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	tmp := filepath.Join(d.dir(), "."+l.ID)
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(d.dir(), l.ID+startSuffix))
}

// Stop sends an interrupt to what was started: it ends with its results kept.
func (d *Desk) Stop(id string) (string, error) {
	if _, err := ulid.ParseStrict(id); err != nil {
		return "", fmt.Errorf("id: %q is none", id)
	}
	l, err := d.started(id)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("nothing was started as %s here", id)
	case err != nil:
		return "", err
	case l.State != control.Running:
		return "", fmt.Errorf("%s of %s has ended already", l.Kind, l.Profile)
	}
	if err := syscall.Kill(l.PID, syscall.SIGINT); err != nil {
		return "", fmt.Errorf("interrupt process %d: %w", l.PID, err)
	}
	return "it stops and keeps its results", nil
}
