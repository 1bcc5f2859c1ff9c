package ledgertest

import (
	"time"

	"orderly/ledger"
)

// What CAs said of when certificates should be renewed: one moment for each window, whoever asks.

var renewalInfoTests = []test{
	{"every field of renewal information comes back", infoComesBack},
	{"a moment stays as long as its window", momentStays},
	{"renewal information is found by lineage", infoIsFound},
	{"renewal information is forgotten once its certificate expired", infoIsForgotten},
	{"a refused change tells no renewal information", infoIsTakenBack},
}

// infos is what is known of a lineage, "" for all.
func (b *bench) infos(lineage string) []ledger.RenewalInfo {
	b.Helper()
	return must(b.store.RenewalInfos(b.ctx, lineage))(b)
}

func infoComesBack(b *bench) {
	f := &filler{}
	var v, next ledger.RenewalInfo
	f.record(&v)
	b.commit(&ledger.Change{RenewalInfos: []ledger.RenewalInfo{v}})
	b.same("RenewalInfos", b.infos(""), []ledger.RenewalInfo{v})
	f.record(&next)
	next.Server, next.ID = v.Server, v.ID
	b.commit(&ledger.Change{RenewalInfos: []ledger.RenewalInfo{next}})
	next.FirstAt = v.FirstAt
	b.same("the next", b.infos(""), []ledger.RenewalInfo{next})
	blank := ledger.RenewalInfo{Server: v.Server, ID: v.ID}
	b.commit(&ledger.Change{RenewalInfos: []ledger.RenewalInfo{blank}})
	blank.FirstAt = v.FirstAt
	b.same("one made blank", b.infos(""), []ledger.RenewalInfo{blank})
}

func momentStays(b *bench) {
	say := func(hours, moment int, early bool) {
		b.commit(&ledger.Change{RenewalInfos: []ledger.RenewalInfo{{Server: "s", ID: "i", Early: early,
			Start: day, End: day.Add(time.Duration(hours) * time.Hour), FirstAt: day,
			Moment: day.Add(time.Duration(moment) * time.Minute), AskedAt: day.Add(time.Duration(moment))}}})
	}
	for _, c := range []struct {
		hours, moment int
		early         bool
		want          int
		wantEarly     bool
	}{{1, -1, false, -1, false}, {1, 10, true, 10, true}, {1, 20, false, 10, true}, {2, 30, false, 30, false}, {2, 40, true, 30, false},
		{1, 50, true, 50, true}} {
		if c.moment < 0 { // a window of no use, which is of use later
			b.commit(&ledger.Change{RenewalInfos: []ledger.RenewalInfo{{Server: "s", ID: "i", Start: day,
				End: day.Add(time.Hour), FirstAt: day}}})
			continue
		}
		say(c.hours, c.moment, c.early)
		got := b.infos("")
		b.equal("rows", len(got), 1)
		b.equal("the moment", got[0].Moment, day.Add(time.Duration(c.want)*time.Minute))
		b.equal("early", got[0].Early, c.wantEarly)
	}
}

func infoIsFound(b *bench) {
	b.commit(&ledger.Change{RenewalInfos: []ledger.RenewalInfo{{Server: "s", ID: "b", Lineage: "l"},
		{Server: "s", ID: "a", Lineage: "l"}, {Server: "r", ID: "c", Lineage: "m"}, {Server: "s"}}})
	line := func(i ledger.RenewalInfo) string { return i.Server + i.ID }
	b.equal("all", each(b.infos(""), line), "rc\ns\nsa\nsb\n")
	b.equal("a lineage's", each(b.infos("l"), line), "s\nsa\nsb\n")
	b.equal("nobody's", each(b.infos("n"), line), "s\n")
}

func infoIsForgotten(b *bench) {
	b.commit(&ledger.Change{RenewalInfos: []ledger.RenewalInfo{{Server: "s", ID: "a", Expires: day},
		{Server: "s", ID: "b", Expires: day.Add(time.Hour)}, {Server: "s"}}})
	b.commit(&ledger.Change{RenewalInfosOver: day.Add(time.Minute)})
	b.equal("what is left", each(b.infos(""), func(i ledger.RenewalInfo) string { return i.Server + i.ID }), "s\nsb\n")
}

func infoIsTakenBack(b *bench) {
	b.commit(&ledger.Change{RenewalInfos: []ledger.RenewalInfo{{Server: "s", ID: "a", Lineage: "l", Expires: day}}})
	b.refused(&ledger.Change{Tasks: []*ledger.Task{{ID: 99}}, RenewalInfosOver: day.AddDate(1, 0, 0),
		RenewalInfos: []ledger.RenewalInfo{{Server: "s", ID: "a", Lineage: "m"}, {Server: "s", ID: "b"}}}, ledger.ErrNone)
	b.equal("what is left", each(b.infos(""), func(i ledger.RenewalInfo) string { return i.ID + i.Lineage }), "al\n")
}
