package output

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"maps"
	"slices"
	"time"

	"weir/internal/results"
)

// Otava is the CSV that Apache Otava (Hunter) reads: time, attributes, a column for each metric, oldest first.
func Otava(all []results.Entry) ([]byte, error) {
	names := map[string]bool{}
	for _, e := range all {
		for m := range e.Values {
			names[m] = true
		}
	}
	metrics := slices.Sorted(maps.Keys(names))
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	err := w.Write(append([]string{"time", "profile", "run", "build", "key"}, metrics...))
	for _, e := range all {
		row := []string{e.At.UTC().Format(time.RFC3339), e.Profile, e.Run, e.Fingerprint.Build, e.Key}
		for _, m := range metrics {
			cell := ""
			if v, ok := e.Values[m]; ok {
				cell = plain(v)
			}
			row = append(row, cell)
		}
		if err == nil {
			err = w.Write(row)
		}
	}
	w.Flush()
	if err == nil {
		err = w.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("otava: %w", err)
	}
	return b.Bytes(), nil
}
