//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
	"golang.org/x/sys/unix"

	"weir/internal/control"
	"weir/internal/desk"
	"weir/internal/project"
)

// terminal is a program on a real terminal of the kernel, with an emulator that shows what a person would see.
type terminal struct {
	t      *testing.T
	screen *vt.SafeEmulator
	master *os.File
	cmd    *exec.Cmd
	ended  chan error
}

func onTerminal(t *testing.T, w, h int, cmd *exec.Cmd) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(h), Col: uint16(w)})
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	x := &terminal{t: t, screen: vt.NewSafeEmulator(w, h), master: master, cmd: cmd, ended: make(chan error, 1)}
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = io.Copy(x.screen, master) }) // ends with the terminal
	wg.Go(func() { _, _ = io.Copy(master, x.screen) }) // the emulator's own answers
	go func() { x.ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		master.Close()
		x.screen.Close()
		wg.Wait()
	})
	return x
}

func (x *terminal) seen() string { return ansi.Strip(x.screen.Render()) }

// shows waits until the screen has all of these.
func (x *terminal) shows(want ...string) {
	x.t.Helper()
	tick, limit := time.NewTicker(20*time.Millisecond), time.After(30*time.Second)
	defer tick.Stop()
	for {
		text, missing := x.seen(), ""
		for _, w := range want {
			if !strings.Contains(text, w) {
				missing = w
			}
		}
		if missing == "" {
			return
		}
		select {
		case <-limit:
			x.t.Fatalf("%q is not shown:\n%s", missing, text)
		case <-tick.C:
		}
	}
}

func (x *terminal) press(keys string) {
	x.t.Helper()
	if _, err := x.master.WriteString(keys); err != nil {
		x.t.Fatal(err)
	}
}

// TestAProfileIsEditedAndRunFromTheScreensAlone is the whole way on a real terminal: no pipeline serves the home, a profile's rate is
// edited, its comments stay, it is saved and run, and the run goes on when the screens are gone.
func TestAProfileIsEditedAndRunFromTheScreensAlone(t *testing.T) {
	dir := t.TempDir()
	if _, err := writeTemplates(dir, false); err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	script := "#!/bin/sh\ntrap 'echo ended well; exit 130' INT\necho \"sending $*\"\nwhile :; do sleep 0.05; done\n"
	if err := os.WriteFile(filepath.Join(bin, "loadgen"), []byte(script), 0o755); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "tui") //nolint:gosec // process: the test binary is the program here
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "WEIR_TEST_MAIN=pipeline", "WEIR_HOME="+filepath.Join(dir, ".weir"), "PATH="+bin+":"+os.Getenv("PATH"), "TERM=xterm-256color", "LANG=C.UTF-8", "LC_ALL=C.UTF-8", "CI=", "NO_COLOR=")
	x := onTerminal(t, 120, 40, cmd)
	x.shows("[1 Overview]", "no pipeline serves this home")
	x.press("6")
	x.shows("[6 Profiles]", "Is my first pipeline fast enough", "peak 10k")
	x.press("\r")
	x.shows("profiles/first.yaml", "✔ valid")
	x.press("jjjl") // the first stage, unfolded
	x.shows("duration   5s")
	x.press("jjj\r\x15") // its target, typed anew
	x.press("fast")
	x.shows(`"fast" is no rate`)
	x.press("\x1520k/s\r")
	x.shows("● unsaved", "peak 20k", "+ - {name: ramp, duration: 5s, target: 20k/s}")
	x.press("\x13") // ctrl+s
	x.shows("saved profiles/first.yaml")
	was, err := templates.ReadFile("template/profiles/first.yaml")
	if err != nil {
		t.Fatal(err)
	}
	now, err := os.ReadFile(filepath.Join(dir, "profiles", "first.yaml"))
	if want := strings.Replace(string(was), "duration: 5s, target: 10k/s", "duration: 5s, target: 20k/s", 1); err != nil || string(now) != want {
		t.Fatalf("saved\n%s\nwant\n%s", now, want)
	}
	x.press("R")
	x.shows("run first:")
	x.press("y")
	x.shows("[2 Load]", "started as process")
	x.press("q")
	select {
	case err := <-x.ended:
		if err != nil {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("q does not end it")
	}
	p, err := project.Open(dir, filepath.Join(dir, ".weir"))
	if err != nil {
		t.Fatal(err)
	}
	d := desk.New(p)
	all := d.Launches()
	if len(all) != 1 || all[0].State != control.Running || !strings.HasSuffix(all[0].Last, "-- ./profiles/first.yaml") {
		t.Fatalf("after the screens have gone: %+v", all)
	}
	if _, err := d.Stop(all[0].ID); err != nil {
		t.Fatal(err)
	}
	tick, limit := time.NewTicker(20*time.Millisecond), time.After(10*time.Second)
	defer tick.Stop()
	for d.Launches()[0].State == control.Running {
		select {
		case <-limit:
			t.Fatal("it does not stop")
		case <-tick.C:
		}
	}
}
