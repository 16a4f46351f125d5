package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"weir/internal/config"
)

// A Hook is a command that runs at a time of the schedule: chaos on purpose, with a mark beside the figures.
type Hook struct {
	At      text            `yaml:"at" jsonschema:"required,description=Time of the schedule: 90s or a stage's name or steady+10m"`
	Every   config.Duration `yaml:"every,omitempty" jsonschema:"description=Again so often until the schedule ends"`
	Run     string          `yaml:"run" jsonschema:"required,description=Command for sh; it knows WEIR_RUN and WEIR_HOOK"`
	Mark    string          `yaml:"mark,omitempty" jsonschema:"description=Name beside the figures. Default: the command"`
	Timeout config.Duration `yaml:"timeout,omitempty" jsonschema:"description=After it the command is killed. Default 1m"`
}

func (h Hook) name() string {
	switch {
	case h.idle():
		return strings.TrimSpace(h.Mark + " (no command)")
	case h.Mark != "":
		return h.Mark
	}
	return h.Run[:min(len(h.Run), 60)]
}

// idle reports that the command is the shell's nothing: what a shipped profile has in the place of one that only its user can know.
func (h Hook) idle() bool { return slices.Contains([]string{"true", ":"}, strings.TrimSpace(h.Run)) }

func (p *Profile) validateHooks(c *complaints) {
	var stages []Stage
	if !p.Rate.flat() && p.Rate.Shape == "" && len(p.Rate.Stages) > 0 {
		if curve, err := p.Curve(time.Time{}); err == nil {
			stages = curve.(Planned).Stages()
		}
	}
	for i, h := range p.Hooks {
		at := fmt.Sprintf("hooks[%d].", i)
		if strings.TrimSpace(h.Run) == "" {
			c.add(at+"run", "run: want a command")
		}
		if h.Every < 0 || h.Timeout < 0 {
			c.add(at+"every", "every and timeout: want more than 0s")
		}
		if _, err := h.when(stages); err != nil && (stages != nil || p.Rate.Shape == "") {
			c.add(at+"at", "at: %v", err)
		}
	}
}

// when is the hook's time on the curve.
func (h Hook) when(stages []Stage) (time.Duration, error) {
	if d, err := time.ParseDuration(string(h.At)); err == nil && d >= 0 {
		return d, nil
	}
	name, offset, plus := strings.Cut(string(h.At), "+")
	var names []string
	for _, st := range stages {
		names = append(names, st.Name)
		if st.Name != strings.TrimSpace(name) {
			continue
		}
		d, err := time.ParseDuration(strings.TrimSpace(offset))
		if plus && (err != nil || d < 0) {
			return 0, fmt.Errorf("%q: want a stage and a duration, as %s+10m", h.At, name)
		}
		return st.Start + d, nil
	}
	return 0, fmt.Errorf("%q is no time of the schedule: want 90s, or one of its stages (%s), or %s", h.At, strings.Join(names, ", "), "steady+10m")
}

// HookResult is what became of a hook.
type HookResult struct {
	Name   string `json:"name"`
	Ran    int    `json:"ran"`
	Failed int    `json:"failed,omitempty"`
	Error  string `json:"error,omitempty"` // the last one
}

// hooks runs the profile's commands, each when its time has come on the curve, until ctx ends.
func (r *run) hooks(ctx context.Context) error {
	var stages []Stage
	if p, ok := r.curve.(Planned); ok {
		stages = p.Stages()
	}
	r.hooked = make([]HookResult, len(r.Profile.Hooks))
	due := make([]time.Duration, len(r.Profile.Hooks))
	for i, h := range r.Profile.Hooks {
		var err error
		if due[i], err = h.when(stages); err != nil {
			return fmt.Errorf("hooks[%d].at: %w", i, err)
		}
		r.hooked[i].Name = h.name()
	}
	r.helpers.Go(func() {
		var running sync.WaitGroup
		defer running.Wait()
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			now := r.pace.now()
			at := r.schedule.on(now)
			if r.flat {
				at = now
			}
			for i, h := range r.Profile.Hooks {
				if due[i] > at {
					continue
				}
				if due[i] = Forever; h.Every > 0 {
					due[i] = at + time.Duration(h.Every)
				}
				running.Go(func() { r.hook(ctx, i, h) })
			}
		}
	})
	return nil
}

// hook runs one command and marks its beginning and its end.
func (r *run) hook(ctx context.Context, i int, h Hook) {
	limit := time.Minute
	if h.Timeout > 0 {
		limit = time.Duration(h.Timeout)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r.note("hook: " + h.name())
	if h.idle() {
		r.hookLock.Lock()
		defer r.hookLock.Unlock()
		r.hooked[i].Ran++
		return
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", h.Run)
	cmd.Dir = r.Profile.dir
	cmd.Env = append(os.Environ(), "WEIR_RUN="+r.manifest.Run, "WEIR_HOOK="+h.name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what it started ends with it
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	r.hookLock.Lock()
	defer r.hookLock.Unlock()
	r.hooked[i].Ran++
	if err == nil {
		return
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("killed after %v", limit)
	} else if ctx.Err() != nil { // the run is over
		return
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	last := lines[len(lines)-1]
	r.hooked[i].Failed++
	r.hooked[i].Error = strings.TrimSuffix(fmt.Sprintf("%v: %s", err, last[:min(len(last), 200)]), ": ")
	r.note(fmt.Sprintf("hook %s failed: %s", h.name(), r.hooked[i].Error))
}

// note writes beside the figures what happened now.
func (r *run) note(what string) {
	r.Live.mu.Lock()
	defer r.Live.mu.Unlock()
	r.Live.note(r.pace.now(), what)
}
