package main

import (
	"testing"
)

// BenchmarkVerify proves a run of 200,000 messages from Parquet files.
func BenchmarkVerify(b *testing.B) {
	const n = 200_000
	home, pr := installation(b)
	if code, _, errs := loadgen(b.Context(), "run", "demo", "--home", home, "--rate", "max", "--count", "200k", "--topic", "bank.bench"); code != 0 {
		b.Fatalf("exit code %d\n%s", code, errs)
	}
	write(b, pr, "bank.bench", fill(b, pr, "bank.bench", n))
	for b.Loop() {
		if code, out, errs := loadgen(b.Context(), "verify", "--home", home); code != 0 {
			b.Fatalf("exit code %d\n%s%s", code, out, errs)
		}
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "rows/s")
}
