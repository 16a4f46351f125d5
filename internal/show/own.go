package show

import (
	"context"
	"errors"
	"maps"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"weir/internal/control"
)

// ownPrefix begins the names of the folders that hold the sockets.
const ownPrefix = "weir-tui-"

// sweep removes what screens have left that were killed.
func sweep() {
	old, err := filepath.Glob(filepath.Join(os.TempDir(), ownPrefix+"*", control.SocketName))
	if err != nil {
		return
	}
	for _, socket := range old {
		c, err := net.DialTimeout("unix", socket, time.Second)
		switch {
		case err == nil:
			c.Close()
		case errors.Is(err, syscall.ECONNREFUSED):
			_ = os.RemoveAll(filepath.Dir(socket)) // of another user: it stays
		}
	}
}

// Own serves a control API for the screens of this process alone: the given verbs, and the newest load run of the home with the verbs
// that steer it. It is what [control.Either] falls back on where nobody serves the home. Each watch puts more on the hub until its context ends.
func Own(ctx context.Context, version, home string, verbs map[string]control.Verb, watch ...func(context.Context, *control.Hub)) (*control.Client, func() error, error) {
	sweep()
	dir, err := os.MkdirTemp("", ownPrefix) // 0700: nobody else's
	if err != nil {
		return nil, nil, err
	}
	hub := control.NewHub(version, home)
	hub.Update(func(s *control.Snapshot) {
		s.Parts = []control.Part{{Name: "pipeline", State: control.Wait, Detail: "none runs here"}}
	})
	hub.Event("info", "no pipeline serves this home: `pipeline run JOB` starts one; profiles and load runs do without")
	all := Steered(hub, home)
	maps.Copy(all, verbs)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	path := filepath.Join(dir, control.SocketName)
	srv, err := control.Start(ctx, path, hub, all)
	if err != nil {
		cancel()
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	var wg sync.WaitGroup
	wg.Go(func() { Mirror(ctx, hub, home) })
	for _, w := range watch {
		wg.Go(func() { w(ctx, hub) })
	}
	client := control.Dial(path)
	return client, func() error {
		client.Close()
		cancel()
		wg.Wait()
		return errors.Join(srv.Wait(), os.RemoveAll(dir))
	}, nil
}
