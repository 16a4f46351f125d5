package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"weir/internal/notify"
)

// Spool takes events from files in a directory, in the order of their names, and removes each file once all its events are
// on the disk. A file that holds something that can never be accepted moves to the directory bad in it, with the reason beside it.
type Spool struct {
	Dir     string
	Taker   Taker
	Metrics *Metrics
	Log     *slog.Logger
}

const (
	spoolEvery = time.Second
	spoolBatch = 100             // events for one fsync
	halfFile   = 5 * time.Second // a file whose end is missing may still be written by somebody who does not rename
)

// Run goes on until ctx ends. A directory that is missing is made.
func (s Spool) Run(ctx context.Context) error {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	wait := spoolEvery
	for ctx.Err() == nil {
		if _, err := s.Once(ctx); err != nil && ctx.Err() == nil {
			wait = min(2*wait, 30*time.Second)
			s.Log.Error("spool not taken over; it is tried again", "dir", s.Dir, "in", wait, "err", err)
		} else {
			wait = spoolEvery
		}
		pause(ctx, wait)
	}
	return nil
}

// Once takes over what is there, and says how many files.
func (s Spool) Once(ctx context.Context) (files int, err error) {
	all, err := os.ReadDir(s.Dir) // sorted
	if err != nil {
		return 0, err
	}
	for _, e := range all {
		if ctx.Err() != nil {
			return files, ctx.Err()
		}
		if !e.Type().IsRegular() || passing(e.Name()) {
			continue
		}
		done, err := s.file(ctx, filepath.Join(s.Dir, e.Name()))
		if errors.Is(err, fs.ErrNotExist) { // another notify was faster
			continue
		}
		if err != nil {
			return files, fmt.Errorf("%s: %w", e.Name(), err)
		}
		if done {
			files++
		}
	}
	return files, nil
}

func (s Spool) file(ctx context.Context, path string) (done bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	start := time.Now()
	var batch []notify.Arrival
	n := 0
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		_, err := s.Taker.AcceptAll(ctx, batch)
		if err == nil {
			n, batch = n+len(batch), batch[:0]
		}
		return err
	}
	_, err = Each(f, func(some []notify.Arrival) error {
		if batch = append(batch, some...); len(batch) < spoolBatch {
			return nil
		}
		return flush()
	})
	if err == nil || hopeless(err) { // what stands before a mistake counts
		if ferr := flush(); ferr != nil {
			err = ferr
		}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		if st, serr := f.Stat(); serr == nil && time.Since(st.ModTime()) < halfFile {
			return false, nil
		}
	}
	s.Metrics.took("spool", n, time.Since(start), err)
	switch {
	case err == nil:
		return true, os.Remove(path)
	case !hopeless(err):
		return false, err
	}
	why := fmt.Errorf("%w\n%d events of this file were accepted; put it back into the spool once it is mended: what is accepted already is not told twice", err, n)
	bad := filepath.Join(s.Dir, "bad")
	if err := Drop(bad, filepath.Base(path)+".why", []byte(why.Error()+"\n")); err != nil {
		return false, err
	}
	s.Log.Warn("file put aside", "file", filepath.Base(path), "err", err)
	return true, os.Rename(path, filepath.Join(bad, filepath.Base(path)))
}
