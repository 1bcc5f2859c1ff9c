package diagnose_test

import (
	"testing"

	"orderly/diagnose"
)

// BenchmarkText prints how many of the collected texts are told in a second, on one core.
func BenchmarkText(b *testing.B) {
	all := collected(b)
	i := 0
	for b.Loop() {
		diagnose.Text(all[i%len(all)].text, ours)
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "texts/s")
}
