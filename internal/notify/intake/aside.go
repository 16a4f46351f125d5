package intake

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Aside is a directory for what can never be accepted: each event in a file, beside it NAME.why with the reason.
type Aside string

var odd = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// Put keeps one. After a mistake is mended, the file can be moved into the spool.
func (a Aside) Put(name string, body []byte, why error) error {
	name = time.Now().UTC().Format("20060102T150405.000000000") + "-" + odd.ReplaceAllString(name, "_")
	if err := errors.Join(Drop(string(a), name, body), Drop(string(a), name+".why", []byte(why.Error()+"\n"))); err != nil {
		return fmt.Errorf("put %s aside: %w", name, err)
	}
	return nil
}

// Drop writes a file so that a reader of the directory sees all of it or nothing, also after a loss of power: a file of
// another name, fsync, rename. It is how other programs should put files into the spool.
func Drop(dir, name string, body []byte) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".tmp-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // the first error tells more
		}
	}()
	_, err = f.Write(body)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, name)); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// passing reports whether a file of the spool is none that was dropped there: hidden, or half written by others.
func passing(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".tmp") || strings.HasSuffix(name, "~") || strings.HasSuffix(name, ".part")
}
