package ledgertest

import (
	"slices"
	"time"

	"orderly/ledger"
)

// What logs tell: the same logs are read every night, so that nothing may be counted twice, and
// nothing of one server be said of another.

var loggedTests = []test{
	{"every field of a failure that logs tell comes back", loggedComesBack},
	{"failures that logs tell are merged, whatever comes first", loggedMerges},
	{"counts of a day are kept for a year", loggedDaysEnd},
	{"failures that logs tell are found by host, time, name and lineage", loggedIsFound},
	{"failures that logs tell are forgotten when they are over", loggedIsForgotten},
	{"a refused change merges nothing", loggedIsTakenBack},
}

// told are all failures that logs told.
func (b *bench) told(f ledger.LogFilter) []ledger.LogFailure {
	b.Helper()
	return must(b.store.LogFailures(b.ctx, f))(b)
}

func loggedComesBack(b *bench) {
	var v ledger.LogFailure
	(&filler{}).record(&v)
	b.commit(&ledger.Change{Logged: []ledger.LogFailure{v}})
	b.same("LogFailures", b.told(ledger.LogFilter{}), []ledger.LogFailure{v})
}

// logged is a failure that befell count times on the days after day, the last time at noon.
func logged(name string, count int64, days ...int64) ledger.LogFailure {
	f := ledger.LogFailure{Host: "h", Lineage: "l", Name: name, File: "f", Line: days[0],
		Reason: ledger.Reason{Class: "dns-missing", Sentence: "no " + name, Remedy: "mend"}}
	for _, d := range days {
		at := day.AddDate(0, 0, int(d))
		if f.First.IsZero() {
			f.First = at
		}
		f.Last = at
		f.Days = append(f.Days, ledger.LogDay{Day: ledger.DayOf(at), Count: count})
	}
	return f
}

func loggedMerges(b *bench) {
	early, late := logged("a", 2, 0, 1), logged("a", 1, 1, 3)
	late.Renewed, early.Sentence = day.AddDate(0, 0, 2), "earlier"
	want := late
	want.First, want.Days = early.First, []ledger.LogDay{{Day: ledger.DayOf(day), Count: 2},
		{Day: ledger.DayOf(day) + 1, Count: 2}, {Day: ledger.DayOf(day) + 3, Count: 1}}
	for i, all := range [][]ledger.LogFailure{{early, late}, {late, early}, {early, late, early, late, late}} {
		name := string(rune('a' + i))
		for j := range all {
			all[j].Name = name
			b.commit(&ledger.Change{Logged: all[j : j+1]})
		}
		want.Name = name
		b.same("LogFailures", b.told(ledger.LogFilter{Names: []string{name}}), []ledger.LogFailure{want})
	}
	together := []ledger.LogFailure{logged("z", 1, 0), logged("z", 1, 1)}
	b.commit(&ledger.Change{Logged: together})
	b.equal("days of one change", len(b.told(ledger.LogFilter{Names: []string{"z"}})[0].Days), 2)
}

func loggedDaysEnd(b *bench) {
	b.commit(&ledger.Change{Logged: []ledger.LogFailure{logged("a", 1, 0, 1)}})
	b.commit(&ledger.Change{Logged: []ledger.LogFailure{logged("a", 1, 366)}})
	got := b.told(ledger.LogFilter{})[0]
	b.equal("the first day", got.Days[0].Day-ledger.DayOf(day), 1)
	b.equal("the first time", got.First, day)
}

func loggedIsFound(b *bench) {
	whole, other := logged("", 1, 2), logged("a", 1, 3)
	other.Host = ""
	b.commit(&ledger.Change{Logged: []ledger.LogFailure{logged("a", 1, 0), logged("b", 1, 1), whole, other}})
	for _, c := range []struct {
		filter ledger.LogFilter
		want   []string
	}{
		{ledger.LogFilter{}, []string{"/a", "h/", "h/a", "h/b"}},
		{ledger.LogFilter{Hosts: []string{"h"}}, []string{"h/", "h/a", "h/b"}},
		{ledger.LogFilter{Hosts: []string{"", "x"}}, []string{"/a"}},
		{ledger.LogFilter{Since: day.AddDate(0, 0, 2)}, []string{"/a", "h/"}},
		{ledger.LogFilter{Names: []string{"a"}}, []string{"/a", "h/a"}},
		{ledger.LogFilter{Lineages: []string{"l", "m"}}, []string{"h/"}},
		{ledger.LogFilter{Names: []string{"b", "c"}, Lineages: []string{"l"}}, []string{"h/", "h/b"}},
		{ledger.LogFilter{Names: []string{"c", ""}}, nil},
	} {
		var got []string
		for _, f := range b.told(c.filter) {
			got = append(got, f.Host+"/"+f.Name)
		}
		if !slices.Equal(got, c.want) {
			b.Errorf("%+v finds %q, want %q", c.filter, got, c.want)
		}
	}
}

func loggedIsForgotten(b *bench) {
	b.commit(&ledger.Change{Logged: []ledger.LogFailure{logged("a", 1, 0), logged("b", 1, 0, 2)}})
	b.commit(&ledger.Change{LoggedOver: day.Add(time.Hour)})
	b.equal("what is left", b.told(ledger.LogFilter{})[0].Name, "b")
	b.equal("how many are left", len(b.told(ledger.LogFilter{})), 1)
}

func loggedIsTakenBack(b *bench) {
	b.commit(&ledger.Change{Logged: []ledger.LogFailure{logged("a", 1, 0)}})
	b.refused(&ledger.Change{Tasks: []*ledger.Task{{ID: 99}}, Logged: []ledger.LogFailure{logged("a", 5, 0)},
		LoggedOver: day.AddDate(1, 0, 0)}, ledger.ErrNone)
	b.equal("the count", b.told(ledger.LogFilter{})[0].Days[0].Count, 1)
}
