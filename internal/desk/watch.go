package desk

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"weir/internal/control"
)

const (
	watchEvery    = time.Second
	launchesShown = 12
	tailRead      = 4 << 10
)

// Watch shows on the hub what was started in this home, until ctx ends.
func (d *Desk) Watch(ctx context.Context, hub *control.Hub) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	var last []control.Launch
	for {
		all := d.Launches()
		if !slices.Equal(all, last) {
			for _, l := range all {
				if i := slices.IndexFunc(last, func(o control.Launch) bool { return o.ID == l.ID }); i >= 0 && last[i].State != l.State {
					hub.Event("load", l.Kind+" of "+l.Profile+" has ended: "+l.Last)
				}
			}
			last = all
			shown := slices.Clone(all)
			hub.Update(func(s *control.Snapshot) { s.Launches = shown })
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Launches are what was started in this home, the newest first, those that go on before those that have ended.
func (d *Desk) Launches() []control.Launch {
	files, err := filepath.Glob(filepath.Join(d.dir(), "*"+startSuffix))
	if err != nil {
		return nil
	}
	slices.Sort(files) // ULIDs sort by time
	slices.Reverse(files)
	var running, ended []control.Launch
	for i, f := range files {
		if i >= 10*launchesShown {
			break
		}
		l, err := d.started(strings.TrimSuffix(filepath.Base(f), startSuffix))
		switch {
		case err != nil:
		case l.State == control.Running:
			running = append(running, l)
		case len(ended) < launchesShown:
			ended = append(ended, l)
		}
	}
	all := append(running, ended...)
	return all[:min(len(all), launchesShown)]
}

// started reads a note, and asks the lock of its log whether the process lives.
func (d *Desk) started(id string) (control.Launch, error) {
	var l control.Launch
	b, err := os.ReadFile(filepath.Join(d.dir(), id+startSuffix))
	if err == nil {
		err = json.Unmarshal(b, &l)
	}
	if err != nil {
		return l, err
	}
	l.ID, l.Log = id, filepath.Join(d.dir(), id+".log")
	l.State = control.Done
	if locked(l.Log) {
		l.State = control.Running
	}
	text, err := tailOf(l.Log)
	if err != nil {
		return l, err
	}
	l.Last = lastWord(text)
	return l, nil
}

// lastWord is the last line that says how it stands: an error rather than the hint that follows it.
func lastWord(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i := len(lines) - 1; i > 0; i-- {
		if !strings.HasPrefix(lines[i], "loadgen: hint: ") {
			return strings.TrimPrefix(lines[i], "loadgen: error: ")
		}
	}
	return lines[0]
}

// locked reports that somebody has the file open who was started with it.
func locked(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// tailOf is the end of a file.
func tailOf(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return "", err
	}
	b := make([]byte, min(st.Size(), tailRead))
	n, err := f.ReadAt(b, st.Size()-int64(len(b)))
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return string(b[:n]), nil
}
