package renewal

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A year of 1,500 lineages that were issued in two days, two passes a day, at a CA without renewal
// information. `go test ./renewal -run AYear -v` prints the chart.
func TestAYearSpreadsWhatWasIssuedInTwoDays(t *testing.T) {
	t.Parallel()
	for _, life := range []time.Duration{90 * day, 45 * day} {
		made, third := year(t, 1500, life)
		var rest int
		for _, n := range made[third:] {
			rest += n
		}
		mean := float64(rest) / float64(len(made)-third)
		t.Logf("lifetime %.0f days; from day %d on, that of the first third renewal, %.1f a day\n%s", life.Hours()/24, third, mean,
			chart(made))
		for d, n := range made[third:] {
			if float64(n) > 3*mean {
				t.Errorf("lifetime %s: %d renewals on day %d, more than three times the mean of %.1f", life, n, third+d, mean)
			}
		}
	}
}

// year counts the renewals of each day, and says on which the first lineage is renewed for the third
// time.
func year(t *testing.T, lineages int, life time.Duration) (made []int, third int) {
	t.Helper()
	const days = 365
	terms, dues, times := make([]Term, lineages), make([]time.Time, lineages), make([]int, lineages)
	begin := func(i int, born time.Time) {
		terms[i].NotBefore, terms[i].NotAfter = born, born.Add(life)
		due, err := terms[i].Own()
		if dues[i] = due.At; err != nil {
			t.Fatal(err)
		}
	}
	for i := range terms {
		terms[i].Lineage = fmt.Sprintf("site%05d.example.com", i)
		begin(i, noon.Add(2*day*time.Duration(i)/time.Duration(lineages)))
	}
	made, third = make([]int, days), days
	for pass := range 2 * days {
		now, today := noon.Add(time.Duration(pass)*day/2), pass/2
		for i := range terms {
			if now.Before(dues[i]) {
				continue
			}
			begin(i, now)
			made[today]++
			if times[i]++; times[i] == 3 {
				third = min(third, today)
			}
		}
	}
	return made, third
}

// chart draws a bar for each day, thirty in a line.
func chart(made []int) string {
	const perLine, bars = 30, " ▁▂▃▄▅▆▇█"
	most := 1
	for _, n := range made {
		most = max(most, n)
	}
	var text strings.Builder
	levels := []rune(bars)
	for from := 0; from < len(made); from += perLine {
		line, highest := "", 0
		for _, n := range made[from:min(from+perLine, len(made))] {
			level := n * (len(levels) - 1) / most
			if n > 0 {
				level = max(level, 1)
			}
			line, highest = line+string(levels[level]), max(highest, n)
		}
		fmt.Fprintf(&text, "day %3d |%-*s| at most %d a day\n", from, perLine, line, highest)
	}
	return text.String()
}
