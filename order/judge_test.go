package order

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/limit"
	"orderly/outside"
)

var noon = time.Date(2026, time.November, 24, 12, 0, 0, 0, time.UTC)

const week = 168 * time.Hour

func TestWhatBecameOfALostNewOrder(t *testing.T) {
	first, second := noon, noon.Add(5*time.Second)
	for _, c := range []struct {
		name string
		r    Resent
		want Resolution
	}{
		{"the list does not have it", Resent{Listed: true}, NeverMade},
		{"the list counts more than all else", Resent{Listed: true, SentReplaces: "x", EchoedReplaces: "x"}, NeverMade},
		{"replaces is echoed (rule 3)", Resent{SentReplaces: "x", EchoedReplaces: "x"}, Recovered},
		{"replaces is echoed by an order that was born with the second",
			Resent{SentReplaces: "x", EchoedReplaces: "x", Expires: second.Add(week), Lifetimes: []time.Duration{week}}, Unknown},
		{"replaces is not echoed", Resent{SentReplaces: "x", Reuses: true}, Unknown},
		{"another one is echoed", Resent{SentReplaces: "x", EchoedReplaces: "y", Reuses: true}, Unknown},
		{"nothing is known", Resent{}, Unknown},
		{"the CA reuses orders", Resent{Reuses: true}, Recovered},
		{"but a dead one is in the way", Resent{Reuses: true, Shadowed: true}, Unknown},
		{"born with the first", Resent{Expires: first.Add(week), Lifetimes: []time.Duration{week}}, Recovered},
		{"born with the first, cut to seconds", Resent{Expires: first.Add(week - 900*time.Millisecond), Lifetimes: []time.Duration{week}}, Recovered},
		{"born with the second", Resent{Expires: second.Add(week), Lifetimes: []time.Duration{week}}, Unknown},
		{"born with the second, though the CA reuses", Resent{Expires: second.Add(week), Lifetimes: []time.Duration{week}, Reuses: true}, Unknown},
		{"born with the first, though a dead one is in the way", Resent{Expires: first.Add(week), Lifetimes: []time.Duration{week}, Reuses: true, Shadowed: true}, Recovered},
		{"tied to a reused authorization, so that the habit decides", Resent{Expires: first.Add(time.Hour), Lifetimes: []time.Duration{week}, Reuses: true}, Recovered},
		{"or nothing does", Resent{Expires: first.Add(time.Hour), Lifetimes: []time.Duration{week}}, Unknown},
		{"a lifetime measured while the clock was corrected decides nothing",
			Resent{Expires: second.Add(week), Lifetimes: []time.Duration{week + second.Sub(first), week}, Reuses: true, Shadowed: true}, Unknown},
		{"tied to a reused authorization, and later than the first could end",
			Resent{Expires: first.Add(week + time.Hour), Lifetimes: []time.Duration{time.Hour, week}, Reuses: true}, Unknown},
		{"a lifetime that fits among others", Resent{Expires: first.Add(week), Lifetimes: []time.Duration{time.Hour, week}}, Recovered},
	} {
		c.r.FirstSent, c.r.SecondSent = first, second
		if got := Judge(c.r); got != c.want {
			t.Errorf("%s: %s, not %s", c.name, got, c.want)
		}
	}
	near := Resent{FirstSent: noon, SecondSent: noon.Add(time.Second), Expires: noon.Add(week), Lifetimes: []time.Duration{week}}
	if got := Judge(near); got != Unknown {
		t.Errorf("sent so shortly after each other that both births fit: %s", got)
	}
}

func problem(status int, kind, detail string, after time.Duration) *acme.Problem {
	return &acme.Problem{Type: kind, Detail: outside.Of(detail), Reply: acme.Reply{Status: status, RetryAfter: max(after, 0), HasRetryAfter: after >= 0}}
}

func TestTheFateOfARequestThatDidNotSucceed(t *testing.T) {
	p := func(status int) error { return problem(status, "", "", -1) }
	for _, c := range []struct {
		err  error
		want Effect
		has  bool
	}{
		{&acme.NotSent{Cause: errors.New("no route")}, NotDone, false},
		{&acme.NotSent{Cause: p(503)}, NotDone, true},
		{fmt.Errorf("wrapped: %w", &acme.NotSent{Cause: p(400)}), NotDone, true},
		{&acme.Lost{Cause: errors.New("reset")}, Undecided, false},
		{errors.New("anything else"), Undecided, false},
		{p(429), NotDone, true}, {p(503), NotDone, true}, {problem(400, "badNonce", "", -1), NotDone, true},
		{p(500), Undecided, true}, {p(502), Undecided, true}, {p(504), Undecided, true},
		{p(400), Refused, true}, {p(403), Refused, true}, {p(404), Refused, true}, {p(409), Refused, true}, {p(301), Refused, true},
	} {
		got, problem := EffectOf(c.err)
		if got != c.want || (problem != nil) != c.has {
			t.Errorf("%v: fate %d, problem %v", c.err, got, problem)
		}
	}
}

// never is the wait for what does not end by itself.
const never = time.Duration(-1)

func TestWhatA429AsksFor(t *testing.T) {
	o := &ledger.Order{AccountID: 7, Names: []string{"a", "b"}}
	page := "see https://letsencrypt.org/docs/rate-limits/"
	for _, c := range []struct {
		name, detail string
		after        time.Duration
		scope        string
		class        failure.Class
		wait         time.Duration
	}{
		{"new orders", "too many: " + page + "#new-orders-per-account", 36 * time.Second, "first-order", failure.RateLimited, 36 * time.Second},
		{"new orders, of a renewal", "too many: " + page + "#new-orders-per-account", 36 * time.Second, "new-order", failure.RateLimited, 36 * time.Second},
		{"failures", "too many: " + page + "#authorization-failures-per-identifier-per-account", time.Minute, "names:a,b", failure.RateLimited, time.Minute},
		{"exact set", "too many: " + page + "#new-certificates-per-exact-set-of-identifiers", 34 * time.Hour, "names:a,b", failure.RateLimited, 34 * time.Hour},
		{"domain", "too many: " + page + "#new-certificates-per-registered-domain", time.Hour, "names:a,b", failure.RateLimited, time.Hour},
		{"retired limit", "too many currently pending authorizations: " + page, -1, "new-order", failure.RateLimited, time.Hour},
		{"paused", "Your account is temporarily prevented from requesting certificates for a. Please visit: https://x/unpause?jwt=#", -1, "name:a", failure.Paused, never},
		{"paused without a name", "Please visit: https://x/unpause?jwt=#", -1, "names:a,b", failure.Paused, never},
		{"nginx", "Too Many Requests", 86400 * time.Second, "new-order", failure.RateLimited, 24 * time.Hour},
		{"nginx without a word", "Too Many Requests", -1, "new-order", failure.RateLimited, time.Hour},
		{"a slip of a year", "too many", 366 * 24 * time.Hour, "new-order", failure.RateLimited, 7 * 24 * time.Hour},
		{"at once", "too many: " + page + "#new-orders-per-account", 0, "first-order", failure.RateLimited, 0},
	} {
		holds := HoldsOf(problem(429, "rateLimited", c.detail, c.after), o, c.name == "new orders, of a renewal", noon)
		until := noon.Add(c.wait)
		if c.wait == never {
			until = time.Time{}
		}
		if h := holds[0]; len(holds) != 1 || h.Scope != c.scope || h.Class != string(c.class) || !h.Until.Equal(until) || h.AccountID != 7 {
			t.Errorf("%s: %+v", c.name, holds)
		}
	}
	named := problem(429, "rateLimited", "too many certificates", time.Hour)
	named.Subproblems = []acme.Subproblem{{Type: "rateLimited", Name: "b"}}
	if h := HoldsOf(named, o, false, noon)[0]; h.Scope != "names:a,b" {
		t.Errorf("a limit on a name that a subproblem is about holds %s", h.Scope)
	}
	evil := HoldsOf(problem(429, "", "\x1b[31m"+strings.Repeat("x", 1000), -1), o, false, noon)[0]
	if strings.Contains(evil.Detail, "\x1b") || len(evil.Detail) > 500 {
		t.Errorf("the CA's text is kept as it came: %q", evil.Detail)
	}
}

func TestBackOffGrowsAndEndsAtADay(t *testing.T) {
	for failures, want := range map[int]time.Duration{-1: 0, 0: 0, 1: time.Minute, 2: 10 * time.Minute, 3: 100 * time.Minute, 4: 24 * time.Hour, 99: 24 * time.Hour} {
		if got := BackOff(failures); got != want {
			t.Errorf("%d failures: %s", failures, got)
		}
	}
}

func TestWithWhomWeDeal(t *testing.T) {
	habits := func(d acme.Directory) CA { return HabitsOf(limit.Profiles(nil).For("", d.Boulder), d) }
	plain := habits(acme.Directory{})
	if plain.Reuses || plain.HidesProcessing || plain.Replacement || plain.LongestValidation < time.Minute || plain.OrderLifetime < week {
		t.Errorf("a CA that nothing is known of: %+v", plain)
	}
	boulder := habits(acme.Directory{Boulder: true, RenewalInfo: "https://x"})
	if !boulder.Reuses || !boulder.HidesProcessing || !boulder.Replacement {
		t.Errorf("Boulder: %+v", boulder)
	}
}

func TestWhatEndsReuse(t *testing.T) {
	wanted := &ledger.Order{ID: 9, AccountID: 1, State: ledger.Creating, CreateSentAt: noon}
	later := noon.Add(time.Hour)
	for _, c := range []struct {
		name string
		o    ledger.Order
		want bool
	}{
		{"itself", ledger.Order{ID: 9, AccountID: 2, State: ledger.PendingState, Expires: later}, false},
		{"one that is alive is handed back", ledger.Order{AccountID: 1, State: ledger.PendingState, Expires: later}, false},
		{"one that is ready, too", ledger.Order{AccountID: 1, State: ledger.Ready, Expires: later}, false},
		{"another profile's", ledger.Order{AccountID: 1, Profile: "shortlived", State: ledger.PendingState, Expires: later}, true},
		{"another profile's, ready and settled", ledger.Order{AccountID: 1, Profile: "shortlived", State: ledger.Ready, SettledAt: noon, Expires: later}, true},
		{"another profile's, expired", ledger.Order{AccountID: 1, Profile: "shortlived", State: ledger.PendingState, Expires: noon}, false},
		{"another profile's, without an end", ledger.Order{AccountID: 1, Profile: "shortlived", State: ledger.PendingState}, true},
		{"another account's", ledger.Order{AccountID: 2, State: ledger.Ready, Expires: later}, true},
		{"another account's, seen", ledger.Order{AccountID: 2, State: ledger.Seen, Expires: later}, true},
		{"another account's phantom", ledger.Order{AccountID: 2, State: ledger.Phantom, Expires: later}, true},
		{"a phantom of the same", ledger.Order{AccountID: 1, State: ledger.Phantom, Expires: later}, false},
		{"another account's newOrder without an answer", ledger.Order{AccountID: 2, State: ledger.Creating, CreateSentAt: noon}, true},
		{"another account's newOrder that was not sent", ledger.Order{AccountID: 2, State: ledger.Creating}, false},
		{"one that is being finalized", ledger.Order{AccountID: 1, State: ledger.Processing, Expires: later}, true},
		{"one that died", ledger.Order{AccountID: 1, State: ledger.Invalid, Expires: later}, true},
		{"one that was deactivated", ledger.Order{AccountID: 1, State: ledger.ReleasedState, Releasing: true, Expires: later}, true},
		{"one that another row has", ledger.Order{AccountID: 1, State: ledger.ReleasedState, Expires: later}, false},
		{"one that was issued is forgotten", ledger.Order{AccountID: 2, State: ledger.Installed, Expires: later}, false},
	} {
		if got := Shadows(&c.o, wanted, noon); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
