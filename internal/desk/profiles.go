package desk

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/oklog/ulid/v2"

	"weir/internal/cli"
	"weir/internal/config/edit"
	"weir/internal/control"
	"weir/profiles"
)

// nameForm is a profile's name: also the name of its file, so it cannot lead anywhere else.
var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// largest text of a profile that is read or written.
const largest = 256 << 10

const suffix = ".yaml"

func checkName(name string) error {
	if !nameForm.MatchString(name) {
		return &cli.Error{Err: fmt.Errorf("profile %q: a name has lower-case letters, digits, - and _", name), Hint: "it is also the name of its file in profiles/"}
	}
	return nil
}

func hashOf(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])
}

// root opens the profiles folder; what is opened through it cannot lie outside, not even by a link.
func (d *Desk) root() (*os.Root, error) { return os.OpenRoot(d.project.ProfilesDir()) }

// file of a profile, as complaints and people name it.
func (d *Desk) file(name string) string {
	return filepath.ToSlash(filepath.Join(d.project.ProfilesDir(), name+suffix))
}

// own reads a profile of the project; fs.ErrNotExist if there is none.
func (d *Desk) own(name string) (string, error) {
	root, err := d.root()
	if err != nil {
		return "", err
	}
	defer root.Close()
	return readIn(root, name+suffix)
}

func readIn(root *os.Root, file string) (string, error) {
	f, err := root.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !st.Mode().IsRegular() || st.Size() > largest {
		return "", fmt.Errorf("%s is no file of at most %d KiB", file, largest>>10)
	}
	b, err := io.ReadAll(io.LimitReader(f, largest))
	return string(b), err
}

// text of a profile: the project's own, or else the one that comes with weir.
func (d *Desk) text(name string) (text string, shipped bool, err error) {
	if err := checkName(name); err != nil {
		return "", false, err
	}
	text, err = d.own(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return text, false, err
	}
	b, err := profiles.Files.ReadFile(name + suffix)
	if err != nil {
		return "", false, &cli.Error{Err: fmt.Errorf("there is no profile %s", name), Hint: "`loadgen profiles` lists the names"}
	}
	return string(b), true, nil
}

// List names the project's profiles and those that come with weir.
func (d *Desk) List() ([]control.ProfileInfo, error) {
	all := []control.ProfileInfo{}
	root, err := d.root()
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		defer root.Close()
		entries, err := fs.ReadDir(root.FS(), ".")
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			name, yaml := strings.CutSuffix(e.Name(), suffix)
			if !yaml || !nameForm.MatchString(name) || e.IsDir() {
				continue
			}
			text, err := readIn(root, e.Name())
			if err != nil {
				all = append(all, control.ProfileInfo{Name: name, File: d.file(name), Problem: &control.Problem{File: d.file(name), Message: err.Error()}})
				continue
			}
			all = append(all, d.info(name, d.file(name), text))
		}
	}
	shipped, err := profiles.Files.ReadDir(".")
	if err != nil {
		return nil, err
	}
	for _, e := range shipped {
		name := strings.TrimSuffix(e.Name(), suffix)
		if i := slices.IndexFunc(all, func(p control.ProfileInfo) bool { return p.Name == name }); i >= 0 {
			all[i].Hides = true
			continue
		}
		text, err := profiles.Files.ReadFile(e.Name())
		if err != nil {
			return nil, err
		}
		all = append(all, d.info(name, "", string(text)))
	}
	slices.SortFunc(all, func(a, b control.ProfileInfo) int {
		if (a.File == "") != (b.File == "") { // the project's own first
			return strings.Compare(b.File, a.File)
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all, nil
}

func (d *Desk) info(name, file, text string) control.ProfileInfo {
	p := control.ProfileInfo{Name: name, File: file, Question: question(text), Hash: hashOf(text)}
	if bad := problems(d.file(name), text); len(bad) > 0 {
		p.Problem = &bad[0]
	}
	return p
}

// question is the first line of a profile: what a run with it answers.
func question(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	q, comment := strings.CutPrefix(strings.TrimSpace(line), "#")
	if !comment {
		return ""
	}
	return strings.TrimSpace(q)
}

// Read gives a profile for its editor.
func (d *Desk) Read(name string) (*control.Profile, error) {
	text, shipped, err := d.text(name)
	if err != nil {
		return nil, err
	}
	p := d.profile(name, text)
	p.Shipped = shipped
	if !shipped {
		p.Hash = hashOf(text)
	}
	return p, nil
}

// profile is a text with its fields and problems.
func (d *Desk) profile(name, text string) *control.Profile {
	return &control.Profile{Name: name, File: d.file(name), Text: text, Fields: fields(text), Problems: problems(d.file(name), text)}
}

// SaveArgs are those of profile.save.
type SaveArgs struct {
	Name string `json:"name"`
	Text string `json:"text"`
	Hash string `json:"hash"` // of the file that was read; empty: there must be none
	// Rename puts Name into the text as well: a copy is told apart in reports.
	Rename bool `json:"rename"`
}

// Save writes a profile into the project: whole or not at all, and only over the text that the caller has read.
func (d *Desk) Save(a SaveArgs) (*control.Profile, error) {
	if err := checkName(a.Name); err != nil {
		return nil, err
	}
	if len(a.Text) > largest {
		return nil, fmt.Errorf("%s: a profile has at most %d KiB", d.file(a.Name), largest>>10)
	}
	if a.Rename {
		text, err := edit.Set(a.Text, "name", a.Name)
		if err != nil {
			return nil, err
		}
		a.Text = text
	}
	if _, err := parse(d.file(a.Name), a.Text); err != nil {
		return nil, &cli.Error{Err: err, Hint: "nothing was written; a profile is saved when it can run"}
	}
	d.saving.Lock()
	defer d.saving.Unlock()
	if err := os.MkdirAll(d.project.ProfilesDir(), 0o755); err != nil {
		return nil, err
	}
	root, err := d.root()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	unlock, err := lockDir(root)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := d.replace(root, a); err != nil {
		return nil, err
	}
	return d.Read(a.Name)
}

// replace compares and sets; another weir cannot come between because of the lock, and an editor's save in the same instant is a race
// that every editor has.
func (d *Desk) replace(root *os.Root, a SaveArgs) (err error) {
	file := a.Name + suffix
	there, err := readIn(root, file)
	moved := &cli.Error{
		Err:  fmt.Errorf("%s has changed on disk since it was read; nothing was written", d.file(a.Name)),
		Hint: "open it again, or save under another name",
	}
	switch missing := errors.Is(err, fs.ErrNotExist); {
	case err != nil && !missing:
		return err
	case missing && a.Hash != "":
		moved.Err = fmt.Errorf("%s is gone from the disk since it was read; nothing was written", d.file(a.Name))
		return moved
	case !missing && a.Hash == "":
		return &cli.Error{Err: fmt.Errorf("%s is there already; nothing was written", d.file(a.Name)), Hint: "save under another name"}
	case !missing && hashOf(there) != a.Hash:
		return moved
	}
	mode := fs.FileMode(0o644)
	if st, err := root.Lstat(file); err == nil {
		if !st.Mode().IsRegular() {
			return fmt.Errorf("%s is a link: it is not written through", d.file(a.Name))
		}
		mode = st.Mode().Perm()
	}
	tmp := "." + a.Name + "-" + ulid.Make().String() + ".tmp"
	f, err := root.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, root.Remove(tmp))
		}
	}()
	_, err = io.WriteString(f, a.Text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return root.Rename(tmp, file)
}

// lockDir keeps other programs of weir from saving at the same time.
func lockDir(root *os.Root) (unlock func(), err error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return func() { _ = dir.Close() }, nil // closing lets go
}
