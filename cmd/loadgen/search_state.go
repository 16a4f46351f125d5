package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"weir/internal/cli"
	"weir/internal/config"
	"weir/internal/load"
	"weir/internal/project"
	"weir/internal/search"
)

// searching is a search as it lies on the disk: what is looked for, and the trials so far.
type searching struct {
	Version int           `json:"version"`
	ID      string        `json:"search"`
	Started time.Time     `json:"started"`
	Profile string        `json:"profile"`
	Digest  string        `json:"profile_sha256"` // trials of another profile say nothing of this one
	SLO     search.SLO    `json:"slo"`
	Config  search.Config `json:"config"`
	Bytes   bool          `json:"bytes,omitempty"` // rates are in bytes/s

	Topic    string        `json:"topic,omitempty"`
	Size     string        `json:"size,omitempty"`
	Set      []string      `json:"set,omitempty"`
	Brokers  string        `json:"brokers,omitempty"`
	Registry string        `json:"registry,omitempty"`
	Warmup   time.Duration `json:"warmup_ns"`
	Length   time.Duration `json:"length_ns"`
	Settle   time.Duration `json:"settle_ns"`
	Drain    time.Duration `json:"drain_ns"`

	Trials []search.Trial `json:"trials"`
	Result *search.Result `json:"result,omitempty"`
}

const (
	searchVersion = 1
	searchPrefix  = "search-"
	searchSuffix  = ".state.json"
)

func searchPath(home, id string) string {
	return filepath.Join(home, "load", searchPrefix+id+searchSuffix)
}

func digest(p *load.Profile) string {
	sum := sha256.Sum256([]byte(p.Text()))
	return hex.EncodeToString(sum[:])
}

// start gives a new search its name and its file.
func (s *searching) start(pr *project.Project, p *load.Profile) error {
	s.Version, s.ID, s.Started, s.Digest, s.Trials = searchVersion, ulid.Make().String(), time.Now().UTC(), digest(p), []search.Trial{}
	return s.save(pr.Home)
}

// save writes the state whole, and it is on the disk when save returns.
func (s *searching) save(home string) error {
	b, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return err
	}
	path := searchPath(home, s.ID)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("state of search %s: %w", s.ID, err)
	}
	if err := load.WriteDurable(path, append(b, '\n')); err != nil {
		return fmt.Errorf("state of search %s: %w", s.ID, err)
	}
	return nil
}

// readSearch reads a search, or the newest one.
func readSearch(home, id string) (*searching, error) {
	if id == "last" {
		all, err := filepath.Glob(searchPath(home, "*"))
		if err != nil {
			return nil, err
		}
		if len(all) == 0 {
			return nil, cli.Usage(fmt.Errorf("--resume: there is no search in %s", filepath.Join(home, "load")), "a search is kept in the --home that it ran with")
		}
		slices.Sort(all)
		id = strings.TrimSuffix(strings.TrimPrefix(filepath.Base(all[len(all)-1]), searchPrefix), searchSuffix)
	}
	if filepath.Base(id) != id {
		return nil, cli.Usage(fmt.Errorf("--resume: expected the id of a search or last, got %q", id), "")
	}
	b, err := os.ReadFile(searchPath(home, id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, cli.Usage(fmt.Errorf("--resume: there is no search %s in %s", id, filepath.Join(home, "load")), "a search is kept in the --home that it ran with")
	}
	if err != nil {
		return nil, err
	}
	var s searching
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("state of search %s: %w", id, err)
	}
	if s.Version != searchVersion {
		return nil, fmt.Errorf("state of search %s: it has version %d, this loadgen reads %d", id, s.Version, searchVersion)
	}
	return &s, nil
}

// unchanged makes sure that the profile is still the one of the trials that there are.
func (s *searching) unchanged(pr *project.Project) error {
	p, err := readProfile(pr, s.Profile, s.Set...)
	if err != nil {
		return err
	}
	if digest(p) != s.Digest {
		return cli.Usage(fmt.Errorf("--resume: profile %s has changed since search %s began: its trials say nothing of it", s.Profile, s.ID), "begin a new search")
	}
	return nil
}

// read gives the profile as a trial at a rate.
func (s *searching) read(pr *project.Project, rate config.Rate) (*load.Profile, error) {
	o := overrides{topic: s.Topic, size: s.Size, sets: s.Set}
	p, err := o.read(pr, s.Profile)
	if err != nil {
		return nil, err
	}
	err = p.Trial(rate, s.Warmup, s.Length, s.hopeless()...)
	if err == nil {
		err = p.Check()
	}
	if err != nil {
		return nil, cli.Usage(fmt.Errorf("profile %s at %s for a trial: %w", p.Name, rate, err), "")
	}
	return p, nil
}

// hopeless are the thresholds that end a trial which can keep its limits no more: after a quarter of it so many messages were late
// that the rest cannot make up for them.
func (s *searching) hopeless() (all []load.Threshold) {
	for _, l := range s.SLO.Limits {
		metric, stat := "response_ms", l.Metric
		if rest, ok := strings.CutPrefix(l.Metric, "service_"); ok {
			metric, stat = "service_ms", rest
		}
		earlier, ok := map[string]string{"p99": "p90", "p99.9": "p99", "max": "max"}[stat]
		if !ok {
			continue
		}
		all = append(all, load.Threshold{Metric: metric, Stat: earlier, Max: l.Max, Abort: true, After: config.Duration(s.Length/4 + time.Second)})
	}
	return all
}
