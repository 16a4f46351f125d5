package load

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/oklog/ulid/v2"

	"weir/internal/cli"
	"weir/internal/content"
)

// ShardOf is one of the processes that send a run together, each on a machine of its own. They need no coordinator: message n is
// sent by shard n mod Of, all begin at StartAt, and the run's name follows from both.
type ShardOf struct {
	Index   int       `json:"index"`
	Of      int       `json:"of"` // 0: the run has no shards
	StartAt time.Time `json:"start_at,omitzero"`
}

// mostShards is how many a run may have.
const mostShards = 10_000

// ParseShard reads i/n, i from 0.
func ParseShard(s string) (ShardOf, error) {
	var o ShardOf
	if n, err := fmt.Sscanf(s, "%d/%d", &o.Index, &o.Of); n != 2 || err != nil || fmt.Sprintf("%d/%d", o.Index, o.Of) != s {
		return o, fmt.Errorf("expected i/n such as 0/4, got %q", s)
	}
	if o.Of < 1 || o.Of > mostShards || o.Index < 0 || o.Index >= o.Of {
		return o, fmt.Errorf("expected i/n with i from 0 to n-1 and n up to %d, got %q", mostShards, s)
	}
	return o, nil
}

// Run is the run's name: the same in all shards of the same profile and the same start.
func (o ShardOf) Run(p *Profile) (ulid.ULID, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return ulid.ULID{}, err
	}
	sum := sha256.Sum256(append(text, fmt.Sprintf("/%d/%d", o.Of, o.StartAt.UnixMilli())...))
	var id ulid.ULID
	return id, errors.Join(id.SetTime(uint64(o.StartAt.UnixMilli())), id.SetEntropy(sum[:10]))
}

// path is where the manifest lies.
func (m *Manifest) path(home string) string {
	if m.Shard.Of == 0 {
		return Path(home, m.Run)
	}
	return Path(home, fmt.Sprintf("%s.%d-of-%d", m.Run, m.Shard.Index, m.Shard.Of))
}

func shardFiles(home, run string) []string {
	all, err := filepath.Glob(Path(home, run+".*-of-*"))
	if err != nil {
		return nil
	}
	return all
}

// ShardManifests are the files of a run's shards in a home.
func ShardManifests(home, run string) ([]string, error) {
	if run == "" || filepath.Base(run) != run || strings.ContainsAny(run, "*?[") {
		return nil, fmt.Errorf("%w: %q", ErrNoRun, run)
	}
	all := shardFiles(home, run)
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: no shard of %s is in %s", ErrNoRun, run, filepath.Join(home, "load"))
	}
	return all, nil
}

// Merge joins the manifests of all shards of a run, so that one proof covers it, and writes the run's own into the home.
// Nothing is lost: the histograms' buckets are added, and each shard's record is kept.
func Merge(home string, files []string) (*Manifest, error) {
	var parts []*Manifest
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("merge: %w", err)
		}
		m, err := parseManifest(f, b)
		if err != nil {
			return nil, err
		}
		if m.Shard.Of == 0 {
			return nil, cli.Usage(fmt.Errorf("%s: the manifest of a whole run, not of a shard", f), "")
		}
		parts = append(parts, m)
	}
	slices.SortFunc(parts, func(a, b *Manifest) int { return a.Shard.Index - b.Shard.Index })
	if err := fit(parts); err != nil {
		return nil, err
	}
	whole := *parts[0]
	whole.Shard, whole.Histograms, whole.Shards, whole.State = ShardOf{}, nil, nil, Ended
	whole.Streams = slices.Clone(whole.Streams)
	for i := range whole.Streams {
		whole.Streams[i].Ends, whole.Streams[i].Faults = maps.Clone(whole.Streams[i].Ends), maps.Clone(whole.Streams[i].Faults)
	}
	for i, p := range parts {
		whole.Shards = append(whole.Shards, p.Shards...)
		whole.Written, whole.Ended = newer(whole.Written, p.Written), newer(whole.Ended, p.Ended)
		if p.State != Ended && whole.State != Running {
			whole.State = p.State
		}
		if i == 0 {
			continue
		}
		whole.Warmup += p.Warmup
		for k, s := range p.Streams {
			whole.Streams[k].add(s)
		}
	}
	sum, err := mergeSummaries(parts)
	if err != nil {
		return nil, err
	}
	if whole.Result = sum; sum == nil {
		whole.Ended = time.Time{}
	}
	if err := os.MkdirAll(filepath.Join(home, "load"), 0o755); err != nil {
		return nil, fmt.Errorf("merge: %w", err)
	}
	return &whole, whole.write(home)
}

func newer(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (s *StreamRecord) add(o StreamRecord) {
	for p, end := range o.Ends {
		if s.Ends == nil {
			s.Ends = map[int32]int64{}
		}
		s.Ends[p] = max(s.Ends[p], end)
	}
	for f, n := range o.Faults {
		if s.Faults == nil {
			s.Faults = maps.Clone(o.Faults)
			clear(s.Faults)
		}
		s.Faults[f] += n
	}
}

// fit refuses shards that are not all of one run.
func fit(parts []*Manifest) error {
	first := parts[0]
	has := map[int]bool{}
	for _, p := range parts {
		switch {
		case p.Run != first.Run || p.Shard.Of != first.Shard.Of:
			return cli.Usage(fmt.Errorf("merge: shard %d/%d is of run %s, and shard %d/%d of run %s", p.Shard.Index, p.Shard.Of, p.Run, first.Shard.Index, first.Shard.Of, first.Run), "")
		case has[p.Shard.Index]:
			return cli.Usage(fmt.Errorf("merge: shard %d/%d is there twice", p.Shard.Index, p.Shard.Of), "")
		}
		has[p.Shard.Index] = true
	}
	var missing []string
	for i := range first.Shard.Of {
		if !has[i] {
			missing = append(missing, fmt.Sprint(i))
		}
	}
	if len(missing) > 0 {
		text := strings.Join(missing[:min(len(missing), 10)], ", ")
		if len(missing) > 10 {
			text += ", …"
		}
		return cli.Usage(fmt.Errorf("merge: of %d shards of run %s %d are missing: %s", first.Shard.Of, first.Run, len(missing), text), "bring their files here: HOME/load/"+first.Run+".*-of-*.json of their machines")
	}
	return nil
}

// histograms are those of this process, to be merged.
func (r *run) histograms() map[string]string {
	lag, size, _, _ := r.statistics()
	all := map[string]string{}
	r.rec.mu.Lock()
	defer r.rec.mu.Unlock()
	for name, h := range map[string]*hdrhistogram.Histogram{"response": r.rec.whole.response, "service": r.rec.whole.service, "lag": lag, "size": size} {
		if b, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase); err == nil {
			all[name] = string(b)
		}
	}
	return all
}

// mergeSummaries makes the whole run's; nil while a shard has none.
func mergeSummaries(parts []*Manifest) (*Summary, error) {
	whole := map[string]*hdrhistogram.Histogram{"response": newHistogram(), "service": newHistogram(), "lag": newHistogram(), "size": newHistogram()}
	var s Summary
	for i, p := range parts {
		if p.Result == nil {
			return nil, nil
		}
		for name, h := range whole {
			got, err := hdrhistogram.Decode([]byte(p.Histograms[name]))
			if err != nil {
				return nil, fmt.Errorf("merge: shard %d: histogram %s: %w", p.Shard.Index, name, err)
			}
			h.Merge(got)
		}
		if i == 0 {
			s = *p.Result
			s.Causes, s.Faults, s.Streams = maps.Clone(s.Causes), maps.Clone(s.Faults), slices.Clone(s.Streams)
			s.Changes = nil
		} else {
			s.join(p.Result)
		}
		for _, c := range p.Result.Changes {
			s.Changes = append(s.Changes, Change{c.At, fmt.Sprintf("shard %d: %s", p.Shard.Index, c.What)})
		}
	}
	s.Response, s.Service = quantilesOf(whole["response"], 1000), quantilesOf(whole["service"], 1000)
	s.Lag, s.Size = quantilesOf(whole["lag"], 1000), quantilesOf(whole["size"], 1)
	s.P50, s.P99, s.Max = s.Response.P50, s.Response.P99, s.Response.Max
	s.rejudge(parts, whole)
	return &s, nil
}

// join adds a shard's figures.
func (s *Summary) join(o *Summary) {
	s.Sent, s.Errors, s.Acked, s.Warmup, s.Bytes = s.Sent+o.Sent, s.Errors+o.Errors, s.Acked+o.Acked, s.Warmup+o.Warmup, s.Bytes+o.Bytes
	s.Rate, s.Target, s.MBs, s.CPU, s.BlockedS = s.Rate+o.Rate, s.Target+o.Target, s.MBs+o.MBs, s.CPU+o.CPU, s.BlockedS+o.BlockedS
	s.Dropped, s.Aborted, s.Senders = s.Dropped+o.Dropped, s.Aborted+o.Aborted, s.Senders+o.Senders
	s.Seconds, s.PausedS, s.Interactive = max(s.Seconds, o.Seconds), max(s.PausedS, o.PausedS), s.Interactive || o.Interactive
	s.Generator.join(&o.Generator)
	s.Read = s.Read.join(o.Read)
	for c, n := range o.Causes {
		if s.Causes == nil {
			s.Causes = map[string]int64{}
		}
		s.Causes[c] += n
	}
	for f, n := range o.Faults {
		if s.Faults == nil {
			s.Faults = map[content.Fault]int64{}
		}
		s.Faults[f] += n
	}
	for i, t := range o.Streams {
		s.Streams[i].Sent, s.Streams[i].Bytes = s.Streams[i].Sent+t.Sent, s.Streams[i].Bytes+t.Bytes
	}
}

// rejudge takes the gravest verdict of the shards; thresholds are judged by the whole.
func (s *Summary) rejudge(parts []*Manifest, whole map[string]*hdrhistogram.Histogram) {
	s.Verdict, s.Reason, s.Thresholds = VerdictPass, "", joinChecks(parts, whole)
	s.judgeThresholds()
	for _, grave := range []Verdict{VerdictInvalid, VerdictInterrupted, VerdictFailed} {
		for _, p := range parts {
			if p.Result.Verdict == grave {
				s.Verdict, s.Reason = grave, fmt.Sprintf("shard %d: %s", p.Shard.Index, p.Result.Reason)
			}
		}
	}
}

// joinChecks: what the whole histograms decide is decided by them; of a stage or a window it is the worst shard that counts.
func joinChecks(parts []*Manifest, whole map[string]*hdrhistogram.Histogram) []Check {
	var all []Check
	for _, t := range parts[0].Thresholds {
		if !t.ofRun() {
			continue
		}
		var worst Check
		for _, p := range parts {
			if i := len(all); i < len(p.Result.Thresholds) {
				if c := p.Result.Thresholds[i]; worst.Name == "" || c.Measured && c.Got > worst.Got {
					worst = c
				}
			}
		}
		if h := whole[strings.TrimSuffix(t.Metric, "_ms")]; h != nil && t.Stage == "" && t.Over == 0 && h.TotalCount() > 0 {
			worst.set(at(h, t.Stat))
		}
		all = append(all, worst)
	}
	return all
}
