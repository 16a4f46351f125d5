package load

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"
)

// captureHead is the first line of a capture. What follows is a line for each message: microseconds since the first one, bytes of
// the value, and a hash of the key (empty: none). Nothing of what a message holds is kept.
const captureHead = "# weir capture v1"

// mostCaptured bounds a capture's memory.
const mostCaptured = 50_000_000

// A Captured message is what a capture keeps of one.
type Captured struct {
	At   time.Duration // since the first one
	Size int
	Key  uint64 // hash; 0: it has no key
}

// WriteCapture writes a capture, in the order of time; file.gz is compressed.
func WriteCapture(file, about string, all []Captured) (err error) {
	sort.SliceStable(all, func(i, j int) bool { return all[i].At < all[j].At })
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("capture: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	var zip *gzip.Writer
	var to io.Writer = f
	if strings.HasSuffix(file, ".gz") {
		zip = gzip.NewWriter(f)
		to = zip
	}
	w := bufio.NewWriterSize(to, 1<<16)
	fmt.Fprintf(w, "%s %s\n", captureHead, about)
	line := make([]byte, 0, 64)
	for _, m := range all {
		line = strconv.AppendInt(line[:0], (m.At - all[0].At).Microseconds(), 10)
		line = strconv.AppendInt(append(line, ','), int64(m.Size), 10)
		line = append(line, ',')
		if m.Key != 0 {
			line = strconv.AppendUint(line, m.Key, 16)
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return fmt.Errorf("capture %s: %w", file, err)
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("capture %s: %w", file, err)
	}
	if zip != nil {
		return zip.Close()
	}
	return nil
}

// ReadCapture reads what WriteCapture wrote. isCapture is false if the file is something else.
func ReadCapture(file string) (all []Captured, isCapture bool, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	var from io.Reader = f
	if strings.HasSuffix(file, ".gz") {
		zip, err := gzip.NewReader(f)
		if err != nil {
			return nil, false, fmt.Errorf("%s: %w", file, err)
		}
		from = zip
	}
	in := bufio.NewScanner(from)
	for n := 1; in.Scan(); n++ {
		line := in.Text()
		if n == 1 {
			if !strings.HasPrefix(line, captureHead) {
				return nil, false, nil
			}
			continue
		}
		at, rest, _ := strings.Cut(line, ",")
		size, key, two := strings.Cut(rest, ",")
		us, err1 := strconv.ParseInt(at, 10, 64)
		bytes, err2 := strconv.Atoi(size)
		var hash uint64
		if key != "" {
			var err error
			if hash, err = strconv.ParseUint(key, 16, 64); err != nil {
				two = false
			}
		}
		if err1 != nil || err2 != nil || !two || us < 0 || bytes < 0 || us > int64(Forever)/2000 {
			return nil, true, fmt.Errorf("%s:%d: want microseconds,bytes,key, got %q", file, n, line)
		}
		m := Captured{time.Duration(us) * time.Microsecond, bytes, hash}
		if len(all) > 0 && m.At < all[len(all)-1].At {
			return nil, true, fmt.Errorf("%s:%d: this message is before the one above it", file, n)
		}
		if all = append(all, m); len(all) > mostCaptured {
			return nil, true, fmt.Errorf("%s:%d: want at most 50M messages", file, n)
		}
	}
	if err := in.Err(); err != nil {
		return nil, true, fmt.Errorf("read %s: %w", file, err)
	}
	if len(all) == 0 {
		return nil, true, fmt.Errorf("%s: the capture has no messages", file)
	}
	return all, true, nil
}

// A Replay is the curve of a capture: each message when its like was seen.
type Replay struct {
	times []time.Duration
	end   time.Duration
	peak  float64
}

// replay reads the profile's capture.
func (p *Profile) replay() (Curve, error) {
	file := p.path(p.Rate.Capture)
	all, ok, err := ReadCapture(file)
	if err != nil {
		return nil, fileError("rate.capture", p.Rate.Capture, err)
	}
	if !ok {
		return nil, fmt.Errorf("rate.capture: %s is no capture: `loadgen capture` writes one", file)
	}
	speed, err := p.Rate.speed()
	if err != nil {
		return nil, err
	}
	r := &Replay{times: make([]time.Duration, len(all))}
	for i, m := range all {
		r.times[i] = time.Duration(float64(m.At) / speed)
	}
	last := r.times[len(r.times)-1]
	r.end = last + max(time.Microsecond, last/time.Duration(len(r.times)))
	for t := time.Duration(0); t <= last; t += time.Second {
		r.peak = max(r.peak, r.Due(t+time.Second)-r.Due(t))
	}
	return r, nil
}

// At is when message x was seen.
func (r *Replay) At(x float64) time.Duration {
	if x >= float64(len(r.times)) {
		return Forever
	}
	return r.times[int(x)]
}

// Rate is that of the second around t.
func (r *Replay) Rate(t time.Duration) float64 {
	from := max(0, t-time.Second/2)
	to := min(r.end, from+time.Second)
	if to <= from {
		return 0
	}
	return (r.Due(to) - r.Due(from)) / (to - from).Seconds()
}

// Due is how many were seen before t.
func (r *Replay) Due(t time.Duration) float64 {
	return float64(sort.Search(len(r.times), func(i int) bool { return r.times[i] >= t }))
}

// End is the last message's time and the mean gap.
func (r *Replay) End() time.Duration { return r.end }

// Peak is the highest rate over a second.
func (r *Replay) Peak() float64 { return r.peak }

// Stages is one.
func (r *Replay) Stages() []Stage {
	return []Stage{{Name: "replay", Ramp: Ramp{r.Rate(0), r.Rate(r.end), r.end}}}
}
