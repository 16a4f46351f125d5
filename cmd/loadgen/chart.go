package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"weir/internal/load"
)

const (
	chartWidth = 60
	chartRows  = 5
)

// chart draws the curve over its length, the peak on top.
func chart(v load.Preview) []string {
	end, peak := v.Duration, 0.0
	if v.Curve == nil || end == 0 {
		return nil
	}
	levels := make([]float64, chartWidth)
	for i := range levels {
		levels[i] = v.Curve.Rate(end * time.Duration(2*i+1) / (2 * chartWidth))
		peak = max(peak, levels[i])
	}
	if peak == 0 || slices.Min(levels) == peak { // a flat one is said by its stage
		return nil
	}
	const blocks = " ▁▂▃▄▅▆▇█"
	var lines []string
	for row := range chartRows {
		var b strings.Builder
		label := ""
		switch row {
		case 0:
			label = rateText(peak, v.Unit)
		case chartRows - 1:
			label = "0/s"
		}
		fmt.Fprintf(&b, "%10s ", label)
		for _, l := range levels {
			height := l / peak * chartRows * 8
			part := math.Round(height - float64(chartRows-1-row)*8)
			if row == chartRows-1 && l > 0 { // a little is not nothing
				part = max(part, 1)
			}
			b.WriteRune([]rune(blocks)[int(min(8, max(0, part)))])
		}
		lines = append(lines, strings.TrimRight(b.String(), " "))
	}
	left := "0s"
	return append(lines, fmt.Sprintf("%10s %s%*s", "", left, chartWidth-len(left), short(end)))
}

// bars are the shares of the partitions.
func bars(shares []float64) string {
	const most, blocks = 64, "▁▂▃▄▅▆▇█"
	top := 0.0
	for _, s := range shares {
		top = max(top, s)
	}
	if top == 0 || len(shares) > most {
		return ""
	}
	var b strings.Builder
	for _, s := range shares {
		b.WriteRune([]rune(blocks)[min(7, int(s/top*7.99))])
	}
	return b.String()
}
