//go:build real

package real

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// toldRun is a teller's process.
type toldRun struct {
	teller
	dir, url string
	port     int
	said     atomic.Int64 // so many jobs
	mended   atomic.Bool  // all of them are
	process  *exec.Cmd
	log      bytes.Buffer
}

func (r *toldRun) start(ctx context.Context) error {
	var args []string
	for _, a := range r.args {
		if strings.Contains(a, "%d") {
			a = fmt.Sprintf(a, r.port)
		}
		args = append(args, a)
	}
	r.process = exec.Command(args[0], args[1:]...)
	r.process.Dir, r.process.Env = r.dir, append(os.Environ(), "SLACK_TOKEN=xoxb-besides")
	r.process.Stdout, r.process.Stderr = &r.log, &r.log
	if err := r.process.Start(); err != nil {
		return err
	}
	err := comes(ctx, func() bool {
		resp, err := http.Get(r.url + r.ready)
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	if err != nil {
		r.kill()
		return fmt.Errorf("it does not start:\n%s", tail(r.log.String(), 10))
	}
	return nil
}

// kill is kill -9.
func (r *toldRun) kill() {
	_ = r.process.Process.Kill()
	_ = r.process.Wait()
}

// say tells how a job stands; nil: it was accepted.
func (r *toldRun) say(ctx context.Context, job int) error {
	body := r.body
	if r.mended.Load() {
		body = r.heals
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+r.path, strings.NewReader(fmt.Sprintf(body, jobName(job))))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", r.kind)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s: %s", jobName(job), resp.Status)
	}
	return nil
}

// sayAgain says all that was said again and again, until stop; a teller that is dead does not hear it.
func (r *toldRun) sayAgain() (stop func()) {
	if r.again == 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for tick := time.NewTicker(r.again); ; {
			select {
			case <-ctx.Done():
				tick.Stop()
				return
			case <-tick.C:
			}
			for i := range int(r.said.Load()) {
				_ = r.say(ctx, i)
			}
		}
	})
	return func() { cancel(); wg.Wait() }
}
