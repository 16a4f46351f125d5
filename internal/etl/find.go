package etl

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/itchyny/timefmt-go"
)

// pattern finds files by name, and the business date in the name.
type pattern struct {
	form  *regexp.Regexp
	date  string // strftime of {date}; empty: the name has none
	glob  string
	dated bool
}

func newPattern(p string) (pattern, error) {
	if p == "" || strings.ContainsAny(p, "/\\") {
		return pattern{}, fmt.Errorf("expected a file name such as sales_{date}.csv, got %q", p)
	}
	out := pattern{glob: p}
	rest, form := p, "^"
	if m := dateMark.FindStringSubmatchIndex(p); m != nil {
		out.dated, out.date = true, "%Y-%m-%d"
		if m[2] >= 0 {
			out.date = p[m[2]:m[3]]
		}
		now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
		if back, err := timefmt.Parse(timefmt.Format(now, out.date), out.date); err != nil || !back.Equal(now) {
			return out, fmt.Errorf("{date:%s}: expected a strftime format with year, month and day, such as %%Y%%m%%d", out.date)
		}
		form, rest = form+wildcards(p[:m[0]])+"("+dateForm(out.date)+")", p[m[1]:]
	}
	if strings.ContainsAny(rest, "{}") {
		return out, fmt.Errorf("expected {date} or {date:%%Y%%m%%d}, got %q", p)
	}
	var err error
	out.form, err = regexp.Compile(form + wildcards(rest) + "$")
	return out, err
}

// dateForm is a regular expression for a strftime format, so that a wildcard beside the date takes none of it.
func dateForm(format string) string {
	widths := map[byte]string{'Y': `\d{4}`, 'm': `\d{2}`, 'd': `\d{2}`, 'y': `\d{2}`, 'j': `\d{3}`, 'b': `[A-Za-z]{3}`, 'F': `\d{4}-\d{2}-\d{2}`}
	out := ""
	for i := 0; i < len(format); i++ {
		switch {
		case format[i] != '%' || i+1 == len(format):
			out += regexp.QuoteMeta(format[i : i+1])
		case widths[format[i+1]] != "":
			i++
			out += widths[format[i]]
		default:
			i++
			out += ".+?"
		}
	}
	return out
}

func wildcards(p string) string {
	q := regexp.QuoteMeta(p)
	return strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(q)
}

// day is the business date of a name; ok is false if the name is not of the pattern.
func (p pattern) day(name string) (day string, ok bool) {
	m := p.form.FindStringSubmatch(name)
	if m == nil {
		return "", false
	}
	if !p.dated {
		return "", true
	}
	t, err := timefmt.Parse(m[1], p.date)
	if err != nil || timefmt.Format(t, p.date) != m[1] {
		return "", false
	}
	return t.Format(time.DateOnly), true
}

// source is a file of a delivery, with what it held when it was found.
type sourceFile struct {
	Path   string `json:"path"`
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// delivery is all files of one business date.
type delivery struct {
	Day   string       `json:"day"` // 2026-11-20; empty where names have no date
	Files []sourceFile `json:"files"`
}

// digest names the content of a delivery, whatever its files are called.
func (d delivery) digest() string {
	sums := make([]string, len(d.Files))
	for i, f := range d.Files {
		sums[i] = f.SHA256
	}
	slices.Sort(sums)
	h := sha256.Sum256([]byte(strings.Join(sums, "\n")))
	return hex.EncodeToString(h[:8])
}

// find lists the deliveries in a directory, the earliest first. Files that cannot be read end it: a day is loaded whole.
func find(dir string, p pattern, want func(day string) bool) ([]delivery, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	days := map[string]*delivery{}
	for _, e := range entries {
		day, ok := p.day(e.Name())
		if !ok || e.IsDir() || !want(day) {
			continue
		}
		f := sourceFile{Path: filepath.Join(dir, e.Name()), Name: e.Name()}
		if f.SHA256, f.Size, err = sum(f.Path); err != nil {
			return nil, err
		}
		if days[day] == nil {
			days[day] = &delivery{Day: day}
		}
		days[day].Files = append(days[day].Files, f)
	}
	var all []delivery
	for _, d := range days {
		all = append(all, *d)
	}
	slices.SortFunc(all, func(a, b delivery) int { return cmp.Compare(a.Day, b.Day) })
	return all, nil
}

func sum(path string) (hash string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), size, err
}

var errChanged = errors.New("the file changed while it was read")
