package ledgertest

import (
	"time"

	"orderly/ledger"
)

// What `failures` and `why` read: no failure may be missing from it, and none of another lineage or
// time be in it.

var failureTests = []test{
	{"the standings of all lineages are listed", standingsAreListed},
	{"refusals are told from other events, by lineage and time", refusalsAreFound},
	{"orders are selected by when something happened to them", ordersSince},
}

func standingsAreListed(b *bench) {
	b.equal("the standings of an empty ledger", len(must(b.store.Standings(b.ctx))(b)), 0)
	var all []ledger.Standing
	f := &filler{}
	for _, lineage := range []string{"a", "b", "c"} {
		var s ledger.Standing
		f.record(&s)
		s.Lineage = lineage
		all = append(all, s)
	}
	b.commit(&ledger.Change{Standings: []ledger.Standing{all[2], all[0], all[1]}})
	b.same("Standings", must(b.store.Standings(b.ctx))(b), all)
}

func refusalsAreFound(b *bench) {
	run := &ledger.Run{Command: "renew", StartedAt: day}
	event := func(at time.Time, lineage, kind string) ledger.Event {
		return ledger.Event{At: at, Lineage: lineage, Kind: kind, Detail: "dns-missing: " + lineage}
	}
	b.commit(&ledger.Change{Run: run, Events: []ledger.Event{
		event(day, "a", ledger.Refused), event(day, "a", "settled"),
		event(day.Add(time.Hour), "b", ledger.Refused), event(day.Add(2*time.Hour), "a", ledger.Refused)}})
	for _, c := range []struct {
		lineage string
		since   time.Time
		want    []time.Duration
	}{
		{"", time.Time{}, []time.Duration{0, time.Hour, 2 * time.Hour}},
		{"a", time.Time{}, []time.Duration{0, 2 * time.Hour}},
		{"", day.Add(time.Hour), []time.Duration{time.Hour, 2 * time.Hour}},
		{"b", day.Add(time.Hour + 1000), nil}, {"c", day, nil},
	} {
		var got []time.Duration
		for _, e := range must(b.store.Refusals(b.ctx, c.lineage, c.since))(b) {
			got = append(got, e.At.Sub(day))
			b.equal("a refusal", e.Kind+" "+e.Detail, "refused dns-missing: "+e.Lineage)
		}
		b.equal("refusals of "+c.lineage, got, c.want)
	}
}

func ordersSince(b *bench) {
	for i, lineage := range []string{"a", "b", "c"} {
		o := b.order(lineage, ledger.Invalid)
		o.UpdatedAt = day.Add(time.Duration(i) * time.Hour)
		b.saved(o)
	}
	for since, want := range map[time.Time]int{{}: 3, day: 3, day.Add(time.Hour): 2,
		day.Add(3 * time.Hour): 0} {
		b.equal("orders since "+since.String(),
			len(must(b.store.Orders(b.ctx, ledger.OrderFilter{Since: since}))(b)), want)
	}
}
