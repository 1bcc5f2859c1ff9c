package history_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"orderly/failure"
	"orderly/history"
	"orderly/ledger"
	"orderly/ledger/memory"
)

var day = time.Date(2026, 11, 28, 3, 0, 0, 0, time.UTC)

// filled is a ledger in which some things went wrong.
func filled(t *testing.T) history.Book {
	t.Helper()
	store := memory.New()
	account := &ledger.Account{Server: "https://ca.example/dir", URL: "https://ca.example/acct/1", CreatedAt: day}
	commit := func(c *ledger.Change) {
		t.Helper()
		if err := store.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	commit(&ledger.Change{Account: account})
	order := func(lineage string, at time.Time, change func(*ledger.Order)) {
		o := &ledger.Order{AccountID: account.ID, Lineage: lineage, Names: []string{lineage, "www." + lineage}, State: ledger.Invalid, CreatedAt: at, UpdatedAt: at, SettledAt: at,
			Reason: ledger.Reason{Class: string(failure.Validation), Sentence: "the CA could not validate names"}}
		change(o)
		commit(&ledger.Change{Orders: []*ledger.Order{o}})
	}
	order("a.example", day, func(o *ledger.Order) {
		o.Authorizations = []*ledger.Authorization{
			{URL: "1", Name: "a.example", Status: "invalid", ErrorType: "dns", ErrorDetail: "DNS problem: NXDOMAIN looking up A for a.example"},
			{URL: "2", Name: "www.a.example", Status: "invalid", ErrorType: "connection", ErrorDetail: "During secondary validation: 192.0.2.1: Fetching http://www.a.example/.well-known/acme-challenge/x: Timeout during connect (likely firewall problem)"},
			{URL: "3", Name: "ok.a.example", Status: "valid"},
		}
	})
	order("b.example", day.Add(time.Hour), func(o *ledger.Order) {
		o.State, o.Reason.Class = ledger.RefusedState, string(failure.RateLimited)
		o.Problem = []byte(`{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry after 2026-11-30 01:00:00 UTC"}`)
	})
	order("good.example", day.Add(2*time.Hour), func(o *ledger.Order) {
		o.State, o.InstalledAt, o.Reason.Class = ledger.Installed, day.Add(2*time.Hour), string(failure.CAUnavailable)
	})
	order("given.example", day.Add(3*time.Hour), func(o *ledger.Order) { o.State, o.Reason.Class = ledger.ReleasedState, string(failure.Released) })
	event := func(at time.Duration, lineage, detail string) ledger.Event {
		return ledger.Event{At: day.Add(at), Lineage: lineage, Kind: ledger.Refused, Detail: detail}
	}
	commit(&ledger.Change{Run: &ledger.Run{Command: "renew", StartedAt: day}, Events: []ledger.Event{
		event(4*time.Hour, "a.example", "dns-missing: a.example does not exist in DNS (NXDOMAIN)"),
		event(5*time.Hour, "c.example", "webroot-missing: document root /srv/c does not exist"),
		event(5*time.Hour, "c.example", "back-off: too soon"),
		event(5*time.Hour, "c.example", "no class at all"),
	}})
	return history.Book{Store: store}
}

func shown(all []history.Entry) string {
	var lines []string
	for _, e := range all {
		lines = append(lines, fmt.Sprintf("%s %s/%s %s", e.At.Format("15:04"), e.Lineage, e.Name, e.Class))
	}
	return strings.Join(lines, "\n")
}

// Each name has the class of its own cause, whatever the order's is; what was meant to be is no failure.
func TestEachNameHasItsOwnCause(t *testing.T) {
	past, err := filled(t).Since(t.Context(), time.Time{})
	all := past.Failures
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{"03:00 a.example/a.example dns-missing", "03:00 a.example/www.a.example blocked-abroad",
		"04:00 b.example/ rate-limited-duplicates", "07:00 a.example/a.example dns-missing", "08:00 c.example/ webroot-missing"}, "\n")
	if got := shown(all); got != want {
		t.Errorf("the history is\n%s\nwant\n%s", got, want)
	}
	if all[0].Customer == "" || all[2].Customer != "" || all[0].Remedy == "" {
		t.Errorf("what is said of it: %+v", all)
	}
	some, err := filled(t).Of(t.Context(), "www.a.example", []string{"a.example"})
	if err != nil || len(some.Failures) != 3 || len(some.Orders) != 1 {
		t.Errorf("of one lineage: %s, %d orders, %v", shown(some.Failures), len(some.Orders), err)
	}
	if late, err := filled(t).Since(t.Context(), day.Add(5*time.Hour)); err != nil || shown(late.Failures) != "08:00 c.example/ webroot-missing" {
		t.Errorf("lately: %s, %v", shown(late.Failures), err)
	}
}

func TestFailuresAreGrouped(t *testing.T) {
	past, err := filled(t).Since(t.Context(), time.Time{})
	all := past.Failures
	if err != nil {
		t.Fatal(err)
	}
	classes := history.ByClass(all, day, day.Add(8*time.Hour))
	if len(classes) != 4 || classes[0].Class != failure.DNSMissing && len(classes[0].Names) < len(classes[1].Names) {
		t.Errorf("classes: %+v", classes)
	}
	for _, g := range classes {
		want := map[failure.Class]history.Trend{failure.DNSMissing: history.Steady, failure.BlockedAbroad: history.Falling,
			failure.LimitSet: history.Falling, failure.WebrootGone: history.Rising}[g.Class]
		if g.Trend != want {
			t.Errorf("%s is %s, want %s", g.Class, g.Trend, want)
		}
	}
	lineages := past.ByLineage()
	if len(lineages) != 3 || lineages[0].Lineage != "a.example" || lineages[0].Failures != 3 || !lineages[0].Failing ||
		!lineages[0].Since.Equal(day) || !lineages[0].Last.Equal(day.Add(4*time.Hour)) || len(lineages[0].Newest) != 1 {
		t.Errorf("lineages: %+v", lineages)
	}
	past.Renewed["a.example"] = day.Add(time.Hour)
	if again := past.ByLineage(); again[1].Lineage != "a.example" || !again[1].Since.Equal(day.Add(4*time.Hour)) {
		t.Errorf("a lineage that was renewed between: %+v", again)
	}
	past.Renewed["a.example"] = day.Add(24 * time.Hour)
	if again := past.ByLineage(); again[2].Lineage != "a.example" || again[2].Failing {
		t.Errorf("a lineage that was renewed: %+v", again)
	}
	if servers := past.ByServer(); len(servers) != 1 || servers[0].Failures != 5 || servers[0].Lineages != 3 {
		t.Errorf("servers: %+v", servers)
	}
}
