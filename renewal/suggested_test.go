package renewal

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"orderly/ledger"
)

// ninety is a lineage of 90 days that begins at noon.
func ninety(before string) Term {
	return Term{Lineage: "a.example.com", NotBefore: noon, NotAfter: noon.Add(90 * day), RenewBefore: before}
}

func TestEachLineageHasAMomentOfItsOwn(t *testing.T) {
	t.Parallel()
	// What a version says, every later one must: a lineage would otherwise be renewed with its neighbours once.
	for lineage, want := range map[string]string{"a.example.com": "0.4622", "site00001.example.com": "0.6776", "": "0.8894"} {
		if got := fmt.Sprintf("%.4f", share(lineage)); got != want {
			t.Errorf("%q has %s, not %s", lineage, got, want)
		}
	}
	var shares []float64
	for i := range 1000 {
		one := Term{Lineage: fmt.Sprint("l", i), NotBefore: noon, NotAfter: noon.Add(90 * day)}
		due, err := one.Own()
		if err != nil || due.Because != DueByLifetime || due.At.After(noon.Add(60*day)) || due.At.Before(noon.Add(51*day)) {
			t.Fatalf("%+v, %v", due, err)
		}
		shares = append(shares, noon.Add(60*day).Sub(due.At).Hours()/24/9)
	}
	slices.Sort(shares)
	for i, s := range shares {
		if off := s - float64(i)/1000; off > 0.06 || off < -0.06 {
			t.Errorf("share %d is %.3f", i, s)
		}
	}
	if due, err := ninety("30 days").Own(); err != nil || !due.At.Equal(noon.Add(60*day)) || due.Because != DueByFile {
		t.Errorf("an explicit interval is spread: %+v, %v", due, err)
	}
}

func TestWhatACAMaySuggest(t *testing.T) {
	t.Parallel()
	now := noon.Add(40 * day)
	year := func(y int) time.Time { return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC) }
	at := func(days float64) time.Time { return noon.Add(time.Duration(days * float64(day))) }
	own, _ := ninety("").Own()
	for _, c := range []struct {
		name       string
		start, end time.Time
		before     string
		want       time.Time
		because    string
	}{
		{"the usual window", at(59), at(61), "", at(60), DueByCA},
		{"it delays", at(64), at(66), "", at(65), DueByCA},
		{"it delays too long", at(80), at(85), "", at(72), DueByCA},
		{"a part of it delays too long", at(70), at(88), "", at(71), DueByCA},
		{"until the year 9999", at(71), year(9999), "", at(71.5), DueByCA},
		{"it brings it forward", at(30), at(50), "", at(40), DueByCA},
		{"in the past", at(39), at(39.5), "", at(39.25), DueByCA},
		{"from the year 1 to the past", year(1), at(2), "", at(1), DueByCA},
		{"from the year 1 to the future", year(1), at(50), "", own.At, DueByLifetime},
		{"for ever", year(1), year(9999), "", own.At, DueByLifetime},
		{"after its end", at(91), at(92), "", own.At, DueByLifetime},
		{"in the year 9999", year(9998), year(9999), "", own.At, DueByLifetime},
		{"begun before it and not over", at(-0.5), at(29), "", at(14.5), DueByCA},
		{"just before its beginning", at(-3), at(-2), "", at(0), DueByCA},
		{"at its beginning", at(-3), at(0), "", at(0), DueByCA},
		{"long before its beginning", at(-100), at(-91), "", own.At, DueByLifetime},
		{"no window", at(50), at(50), "", own.At, DueByLifetime},
		{"backwards", at(61), at(59), "", own.At, DueByLifetime},
		{"a person wants it earlier", at(59), at(61), "40 days", at(50), DueByFile},
		{"a person wants it later", at(59), at(61), "20 days", at(60), DueByCA},
		{"a person wants it later than a fifth", at(80), at(85), "10 days", at(72), DueByCA},
	} {
		term := ninety(c.before)
		info := ledger.RenewalInfo{Start: c.start, End: c.end, FirstAt: noon,
			Moment: term.drawn(c.start, c.end, now, 0.5)}
		due, err := term.With(info, 0)
		if err != nil || due.Because != c.because || due.At.Sub(c.want).Abs() > time.Microsecond {
			t.Errorf("%s: due on day %.2f, %s, %v; want day %.2f, %s", c.name, due.At.Sub(noon).Hours()/24, due.Because, err,
				c.want.Sub(noon).Hours()/24, c.because)
		}
		for _, chance := range []float64{0, 0.999999999} {
			got := term.drawn(c.start, c.end, now, chance)
			if !got.IsZero() && (got.Before(noon) || got.After(at(72)) || got.Before(c.start.Add(-time.Microsecond)) && !got.Equal(at(72))) {
				t.Errorf("%s, chance %v: drawn on day %.2f", c.name, chance, got.Sub(noon).Hours()/24)
			}
		}
	}
}

// A CA that suggests the past for whatever it issues gets one early order, the next after six hours, then after twelve, a day, two, four …
func TestACAThatAlwaysWantsItNowIsNotObeyedForEver(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		begun      time.Duration // how long a new certificate has begun already
		start, end time.Duration // of the window, from its issuance
		want       string
	}{
		{"a CA that always revokes", time.Hour, -time.Hour, -time.Minute, "[0 1 2 4 6 11 19 36]"},
		// from here on a fifth of the lifetime is the limit
		{"a CA whose window began yesterday", time.Hour, -day, 2 * time.Minute, "[0 1 2 4 6 11 19 36]"},
		{"with certificates that began long ago", 60 * day, -time.Hour, -time.Minute, "[0 1 2 4 6 11 19 31 43 55]"},
		{"that were due when they were issued", 65 * day, -6 * day, -4 * day, "[0 1 2 4 6 11 18 25 32 39 46 53 60]"},
	} {
		if got := fmt.Sprint(hastily(t, c.begun, c.start, c.end)); got != c.want {
			t.Errorf("%s: orders were made on days %s", c.name, got)
		}
	}
}

// hastily are the days of 60 on which a certificate is renewed whose CA suggests the same window, as seen from its
// issuance, for each.
func hastily(t *testing.T, begun, start, end time.Duration) (orders []int) {
	t.Helper()
	known := Suggestions{map[suggestion]ledger.RenewalInfo{}, map[string][]string{}}
	term := Term{Lineage: "a.example.com", NotBefore: noon.Add(-begun), NotAfter: noon.Add(90*day - begun)}
	issued, now := noon, noon
	for range 2 * 60 {
		now = now.Add(day / 2)
		id := fmt.Sprint("id", len(orders))
		if _, asked := known.said[suggestion{"ca", id}]; !asked {
			info := ledger.RenewalInfo{Server: "ca", ID: id, Lineage: term.Lineage, FirstAt: now}
			info = term.judged(info, issued.Add(start), issued.Add(end), now, 0.5)
			known.take(info)
		}
		due, err := Known{Suggestions: known}.without(term, "ca", id)
		if err != nil {
			t.Fatal(err)
		}
		if !now.Before(due.At) {
			orders = append(orders, int(now.Sub(noon)/day))
			issued, term.NotBefore, term.NotAfter = now, now.Add(-begun), now.Add(90*day-begun)
		}
	}
	return orders
}

// Where a CA is let alone although it wants the certificate sooner, that can be told.
func TestWhoLetsACAAloneSaysSo(t *testing.T) {
	t.Parallel()
	now := noon.Add(5 * day)
	for _, c := range []struct {
		start, end time.Duration
		rest       time.Duration
		want       bool
	}{{-time.Hour, -time.Minute, 0, false}, {-time.Hour, -time.Minute, day, true}, {59 * day, 61 * day, day, false}} {
		term := ninety("")
		info := term.judged(ledger.RenewalInfo{FirstAt: now}, noon.Add(c.start), noon.Add(c.end), now, 0.5)
		if due, err := term.With(info, c.rest); err != nil || due.Calmed != c.want || c.want != due.At.Equal(now.Add(c.rest)) {
			t.Errorf("%+v: %+v, %v", c, due, err)
		}
	}
}
