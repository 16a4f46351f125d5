package load

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"weir/internal/config"
)

// readCurve reads lines of time and rate. A time counts from the start (90s, 1h30m, or seconds) or is one of the day (08:30),
// and then the curve begins at the first line's.
func readCurve(file string, scale float64) (Curve, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if scale == 0 {
		scale = 1
	}
	var (
		all  Pieces
		last time.Duration
		rate float64
		zero time.Duration
		seen int
	)
	in := bufio.NewScanner(f)
	for n := 1; in.Scan(); n++ {
		line := strings.TrimSpace(in.Text())
		when, what, two := strings.Cut(line, ",")
		at, timeErr := moment(strings.TrimSpace(when))
		r, rateErr := perSecond(strings.TrimSpace(what))
		switch {
		case line == "" || line[0] == '#' || n == 1 && timeErr != nil && rateErr != nil: // a header
			continue
		case !two || timeErr != nil:
			return nil, fmt.Errorf("%s:%d: want a time and a rate, as 08:30,12k/s or 90s,500, got %q", file, n, line)
		case rateErr != nil:
			return nil, fmt.Errorf("%s:%d:%d: want a rate in messages/s, as 12k/s or 500, got %q", file, n, len(when)+2, what)
		case seen == 0:
			zero = at
		case at-zero <= last:
			return nil, fmt.Errorf("%s:%d: want a time behind %s's, which is the line before", file, n, when)
		default:
			all = all.Append("curve", rate*scale, r*scale, at-zero-last)
		}
		last, rate = at-zero, r
		if seen++; seen > 1_000_000 {
			return nil, fmt.Errorf("%s:%d: want at most a million lines", file, n)
		}
	}
	switch err := in.Err(); {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", file, err)
	case len(all) == 0:
		return nil, fmt.Errorf("%s: want two lines of time and rate or more: the rate goes from the one to the other", file)
	case all.Peak() == 0:
		return nil, fmt.Errorf("%s: the rate is 0/s all the time", file)
	}
	return all, nil
}

// moment reads 90s, 1h30m, 5400, 08:30 or 08:30:15.
func moment(s string) (time.Duration, error) {
	if v, err := strconv.ParseFloat(s, 64); err == nil && v >= 0 && v < 1e9 {
		return time.Duration(v * 1e9), nil
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second, nil
		}
	}
	d, err := time.ParseDuration(s)
	if err == nil && d < 0 {
		err = errors.New("below 0")
	}
	return d, err
}

// perSecond reads 12k/s or a number.
func perSecond(s string) (float64, error) {
	if v, err := strconv.ParseFloat(s, 64); err == nil && v >= 0 && v <= 100e6 {
		return v, nil
	}
	var r config.Rate
	if err := r.UnmarshalText([]byte(s)); err != nil {
		return 0, err
	}
	if r.Max || r.Bytes || r.PerSecond > 100e6 {
		return 0, errors.New("want messages/s")
	}
	return r.PerSecond, nil
}
