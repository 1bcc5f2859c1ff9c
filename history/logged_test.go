package history_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"orderly/failure"
	"orderly/history"
	"orderly/ledger"
	"orderly/ledger/memory"
)

// told is what logs of a server tell of a name on some days.
func told(host, lineage, name string, class failure.Class, renewed time.Time, days ...int) ledger.LogFailure {
	f := ledger.LogFailure{Host: host, Lineage: lineage, Name: name, Client: "certbot", File: "/logs/" + host, Line: 7,
		Renewed: renewed, Reason: ledger.Because(class, "mend it", "it fails")}
	for i, d := range days {
		at := day.AddDate(0, 0, d)
		if i == 0 {
			f.First = at
		}
		f.Last = at
		f.Days = append(f.Days, ledger.LogDay{Day: ledger.DayOf(at), Count: 2})
	}
	return f
}

// heard is a ledger that has nothing but what logs told.
func heard(t *testing.T, all ...ledger.LogFailure) history.Book {
	t.Helper()
	store := memory.New()
	if err := store.Commit(t.Context(), &ledger.Change{Logged: all}); err != nil {
		t.Fatal(err)
	}
	return history.Book{Store: store}
}

func TestLogsAreHistory(t *testing.T) {
	book := heard(t,
		told("web1", "a.example", "a.example", failure.DNSMissing, time.Time{}, 0, 10, 20),
		told("web1", "a.example", "", failure.Killed, time.Time{}, 5),
		told("web2", "b.example", "b.example", failure.HTTPWrong, day.AddDate(0, 0, 11), 8, 10),
		told("web2", "b.example", "b.example", failure.Hook, day.AddDate(0, 0, 11), 12),
		told("web4", "d.example", "", failure.Hook, day.AddDate(0, 0, 13), 13),
		told("", "", "www.c.example", failure.Killed, day.AddDate(0, 0, 3), 2),
		told("", "", "c.example", failure.Killed, day.AddDate(0, 0, 3), 2))
	past, err := book.Since(t.Context(), day.AddDate(0, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range past.ByLineage() {
		got = append(got, fmt.Sprintf("%s/%s failing %v since %d: %d %v", g.Server, g.Lineage, g.Failing,
			int(g.Since.Sub(day).Hours()/24), g.Failures, g.Classes))
	}
	want := []string{"web1/a.example failing true since 5: 6 [killed dns-missing]",
		"web2/b.example failing true since 12: 6 [http-wrong-answer hook]",
		"web4/d.example failing true since 13: 2 [hook]", "/c.example failing false since 2: 4 [killed]"}
	if !slices.Equal(got, want) {
		t.Errorf("by certificate: %q\nwant %q", got, want)
	}
	got = nil
	for _, g := range past.ByServer() {
		got = append(got, fmt.Sprintf("%s %d of %d, %d", g.Server, g.Failing, g.Lineages, g.Failures))
	}
	if want := []string{"web1 1 of 1, 6", "web2 1 of 1, 6", "web4 1 of 1, 2", " 0 of 1, 4"}; !slices.Equal(got, want) {
		t.Errorf("by server: %q, want %q", got, want)
	}
	got = nil
	for _, g := range history.ByClass(past.Failures, day.AddDate(0, 0, 1), day.AddDate(0, 0, 21)) {
		got = append(got, fmt.Sprintf("%s %d %v %s", g.Class, g.Failures, g.Names, g.Trend))
	}
	want = []string{"killed 6 [a.example c.example www.c.example] falling", "hook 4 [b.example d.example] rising",
		"http-wrong-answer 4 [b.example] falling", "dns-missing 4 [a.example] steady"}
	if !slices.Equal(got, want) {
		t.Errorf("by class: %q\nwant %q", got, want)
	}
	if src := past.Failures[0].Source; src != "certbot's log /logs/:7" {
		t.Errorf("known from %q", src)
	}
}

// A name has its own failures wherever they befell, and those of a whole certificate that has it
// there, and no others.
func TestLogsOfOneName(t *testing.T) {
	book := heard(t,
		told("web1", "shop", "www.a.example", failure.DNSMissing, time.Time{}, 1),
		told("web1", "shop", "", failure.Hook, time.Time{}, 2),
		told("web2", "shop", "", failure.Locked, time.Time{}, 3),
		told("web3", "www.a.example", "", failure.CAUnavailable, time.Time{}, 4),
		told("", "mine", "", failure.PortTaken, time.Time{}, 5),
		told("web3", "shop", "b.example", failure.HTTPWrong, time.Time{}, 6))
	for _, c := range []struct {
		lineages []string
		want     []failure.Class
	}{
		{nil, []failure.Class{failure.DNSMissing, failure.Hook, failure.CAUnavailable}},
		{[]string{"mine"}, []failure.Class{failure.DNSMissing, failure.Hook, failure.CAUnavailable, failure.PortTaken}},
	} {
		past, err := book.Of(t.Context(), "www.a.example", c.lineages)
		var got []failure.Class
		for _, e := range past.Failures {
			got = append(got, e.Class)
		}
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("with %q: %q, %v", c.lineages, got, err)
		}
	}
}
