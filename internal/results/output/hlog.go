package output

import (
	"bytes"
	"errors"

	"github.com/HdrHistogram/hdrhistogram-go"

	"weir/internal/results"
)

// ErrNoRun means that the format needs a run, and the report is of a comparison.
var ErrNoRun = errors.New("this format is one of a single run: name a run")

// HLog is the log format of HdrHistogram 1.3: the response times in µs, interval by interval.
func HLog(r results.Report) ([]byte, error) {
	if r.Run == nil {
		return nil, ErrNoRun
	}
	all, err := r.Run.Over()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := hdrhistogram.NewHistogramLogWriter(&b)
	start := r.At.UnixMilli()
	err = errors.Join(w.OutputLogFormatVersion(), w.OutputComment("[loadgen run "+oneLine(r.ID)+" of "+oneLine(r.Name)+": response times in µs, Interval_Max in s]"),
		w.OutputStartTime(start), w.OutputBaseTime(start/1000*1000), w.OutputLegend())
	w.SetBaseTime(start / 1000 * 1000)
	for i, h := range all {
		h.SetStartTimeMs(start + int64(1000*r.Run.Intervals[i].Start))
		h.SetEndTimeMs(start + int64(1000*r.Run.Intervals[i].End))
		err = errors.Join(err, w.OutputIntervalHistogram(h))
	}
	return b.Bytes(), err
}
