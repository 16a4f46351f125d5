package load

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"weir/internal/config"
)

// A ParseOption changes how a profile is read.
type ParseOption func(*reading)

// reading is what a profile is made of: its file, the profiles that it extends, and flags.
type reading struct {
	name    string
	data    []byte
	shipped fs.FS
	sets    []string
	literal bool // ${ stands for itself
	below   []config.Layer
	folders map[string]string // of the files below, by their names
}

// Shipped are the profiles, NAME.yaml, that `extends: NAME` finds where none lies beside the file.
func Shipped(all fs.FS) ParseOption { return func(r *reading) { r.shipped = all } }

// Setting changes values: rate.stages[1].target=30k/s. Complaints name --set.
func Setting(sets ...string) ParseOption {
	return func(r *reading) { r.sets = append(r.sets, sets...) }
}

// options are those of config for all layers.
func (r *reading) options() []config.Option {
	opts := []config.Option{config.Under(replaces, r.below...)}
	if r.literal {
		opts = append(opts, config.WithoutExpansion())
	}
	for _, s := range r.sets {
		path, value, _ := strings.Cut(s, "=")
		opts = append(opts, config.Set("--set "+s, strings.TrimSpace(path), value))
	}
	return opts
}

// otherChoice are keys that make a section another one: then nothing of the extended profile's is kept in it.
var otherChoice = map[string][]string{
	"rate":                       {"stages", "shape", "closed"},
	"value":                      {"builtin", "schema"},
	"size":                       {"distribution"},
	"event_time.late.by":         {"exponential", "uniform", "constant"},
	"event_time.out_of_order.by": {"exponential", "uniform", "constant"},
}

// replaces reports that a section takes the place of the one below.
func replaces(path string, keys []string) bool {
	if name, ok := strings.CutPrefix(path, "value.fields."); ok && name != "" {
		return true
	}
	return slices.ContainsFunc(keys, func(k string) bool { return slices.Contains(otherChoice[path], k) })
}

// A found profile is one that another extends.
type found struct {
	name    string
	data    []byte
	folder  string
	shipped bool
}

// gather reads the profiles that the file extends, the nearest first.
func (r *reading) gather() error {
	for _, s := range r.sets {
		if path, _, ok := strings.Cut(s, "="); !ok || strings.TrimSpace(path) == "" {
			return config.Problems{{File: "--set " + s, Message: "want PATH=VALUE, as rate.stages[1].target=30k/s"}}
		}
	}
	r.folders = map[string]string{}
	at := found{name: r.name, data: r.data, folder: filepath.Dir(r.name)}
	if r.shipped != nil {
		b, err := fs.ReadFile(r.shipped, r.name)
		at.shipped = err == nil && bytes.Equal(b, r.data) // a file of that name may be somebody's own
	}
	way := []string{at.name}
	for {
		base, place, ok, err := config.Lookup(at.name, at.data, "extends")
		if err != nil || !ok {
			return err
		}
		next, err := r.find(at, base)
		if err != nil {
			place.Message = "extends: " + err.Error()
			return config.Problems{place}
		}
		way = append(way, next.name)
		if slices.Contains(way[:len(way)-1], next.name) {
			place.Message = fmt.Sprintf("extends: want a profile that does not lead back here, got %s; remove one of them", strings.Join(way, " -> "))
			return config.Problems{place}
		}
		r.below = append(r.below, config.Layer{Name: next.name, Data: next.data})
		r.folders[next.name] = next.folder
		at = next
	}
}

// find looks beside the file that names it, then among those that come with weir. A file that extends its own name means the shipped one.
func (r *reading) find(from found, name string) (found, error) {
	if !from.shipped {
		for _, file := range []string{name, name + ".yaml"} {
			if !filepath.IsAbs(file) {
				file = filepath.Join(from.folder, file)
			}
			if filepath.Clean(file) == filepath.Clean(from.name) && filepath.Ext(name) == "" {
				continue
			}
			b, err := os.ReadFile(file)
			if err == nil {
				return found{name: file, data: b, folder: filepath.Dir(file)}, nil
			}
			var is *fs.PathError
			if info, serr := os.Stat(file); !errors.Is(err, fs.ErrNotExist) && errors.As(err, &is) && (serr != nil || !info.IsDir()) {
				return found{}, fmt.Errorf("%s: %w", file, is.Err)
			}
		}
	}
	var names []string
	if r.shipped != nil && filepath.Base(name) == name {
		file := strings.TrimSuffix(name, ".yaml") + ".yaml"
		if b, err := fs.ReadFile(r.shipped, file); err == nil {
			return found{name: file + " (comes with loadgen)", data: b, folder: ".", shipped: true}, nil
		}
		all, err := fs.Glob(r.shipped, "*.yaml")
		if err != nil {
			return found{}, err
		}
		for _, f := range all {
			names = append(names, strings.TrimSuffix(f, ".yaml"))
		}
	}
	beside, err := filepath.Glob(filepath.Join(from.folder, "*.yaml"))
	if err != nil {
		return found{}, err
	}
	for _, f := range beside {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".yaml"))
	}
	hint := "; give the name of a file beside this one, or of a profile that `loadgen profiles` lists"
	if near := config.Nearest(name, names); near != "" {
		hint = fmt.Sprintf("; did you mean %q?", near)
	}
	return found{}, fmt.Errorf("there is no profile %s%s", name, hint)
}

// decode reads all layers into p.
func (r *reading) decode(p *Profile) error {
	if err := r.gather(); err != nil {
		return err
	}
	if err := config.Decode(r.name, r.data, p, r.options()...); err != nil {
		return err
	}
	if len(r.below) > 0 {
		if _, _, ok, _ := config.Lookup(r.name, r.data, "name"); !ok && !slices.ContainsFunc(r.sets, func(s string) bool { return strings.HasPrefix(s, "name=") }) {
			return config.Problems{config.Place(r.name, r.data, "extends", "name: want a name of its own beside extends: by it, results are told apart")}
		}
	}
	return r.settle(p)
}

// settle makes the paths of files absolute that do not stand in the profile itself: they count from the file that has them, those
// of a flag from the working directory.
func (r *reading) settle(p *Profile) error {
	if len(r.below)+len(r.sets) == 0 {
		return nil
	}
	for at, file := range p.files() {
		if *file == "" || filepath.IsAbs(*file) {
			continue
		}
		origin := config.Place(r.name, r.data, at, "", r.options()...).File
		if origin == r.name {
			continue
		}
		abs, err := filepath.Abs(filepath.Join(r.folders[origin], *file))
		if err != nil {
			return err
		}
		*file = abs
	}
	return nil
}

// files are the paths of files in the profile, by their place.
func (p *Profile) files() map[string]*string {
	all := map[string]*string{"rate.file": &p.Rate.File, "rate.capture": &p.Rate.Capture, "value.schema.file": &p.Value.Schema.File, "size.file": &p.Size.File, "value.evolve.file": &p.Value.Evolve.File}
	for i := range p.Mix {
		m, at := &p.Mix[i], fmt.Sprintf("mix[%d].", i)
		all[at+"value.schema.file"], all[at+"size.file"], all[at+"value.evolve.file"] = &m.Value.Schema.File, &m.Size.File, &m.Value.Evolve.File
	}
	return all
}

// whole is the profile and what it extends in one piece.
func (r *reading) whole() []byte {
	if len(r.below) == 0 {
		return r.data
	}
	flat, err := config.Flat(r.name, r.data, config.Under(replaces, r.below...))
	if err != nil { // it has been decoded before
		return r.data
	}
	var lines []string
	for _, l := range strings.SplitAfter(string(flat), "\n") {
		if !strings.HasPrefix(l, "extends:") {
			lines = append(lines, l)
		}
	}
	question, _, _ := strings.Cut(string(r.data), "\n")
	if !strings.HasPrefix(question, "#") {
		question = "# " + r.name
	}
	return []byte(question + "\n" + strings.Join(lines, ""))
}

// Whole is the profile's text with what it extends.
func (p *Profile) Whole() string { return string(p.read.whole()) }

// text is the profile as it is kept with results: alone it says everything. The values of variables are told apart without being shown.
func (r *reading) text() string {
	all := r.whole()
	if !strings.Contains(string(all), "${") {
		return string(all)
	}
	var values any
	if config.Decode(r.name, all, &values) != nil {
		return string(all)
	}
	sum := sha256.Sum256([]byte(fmt.Sprint(values)))
	return strings.TrimRight(string(all), "\n") + "\n# with the environment " + hex.EncodeToString(sum[:6]) + "\n"
}

// Extended are the names of the profiles that this one extends, the nearest first.
func (p *Profile) Extended() (all []string) {
	for _, l := range p.read.below {
		all = append(all, l.Name)
	}
	return all
}

// Placed gives an error of [Profile.Check] its place.
func (p *Profile) Placed(err error) error {
	path, _, _ := strings.Cut(err.Error(), ": ")
	if strings.ContainsAny(path, " \t\"/") {
		path = ""
	}
	return config.Problems{config.Place(p.read.name, p.read.data, path, err.Error(), p.read.options()...)}
}

// At is the place of a key, for complaints that only a caller can make.
func (p *Profile) At(path, message string) error {
	return config.Problems{config.Place(p.read.name, p.read.data, path, message, p.read.options()...)}
}

// inherited says how a key goes that another profile has brought in.
func (p *Profile) inherited(key string) string {
	if len(p.read.below) == 0 {
		return ""
	}
	return "; " + key + ": without a value takes away what is extended"
}
