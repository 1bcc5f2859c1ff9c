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
	"orderly/outside"
	"orderly/preflight"
)

var noon = time.Date(2026, time.November, 24, 12, 0, 0, 0, time.UTC)

const week = 168 * time.Hour

func TestWhatBecameOfALostNewOrder(t *testing.T) {
	first, second := noon, noon.Add(5*time.Second)
	for _, c := range []struct {
		name string
		r    Resent
		want Fate
	}{
		{"the list does not have it", Resent{Listed: true}, NeverMade},
		{"the list counts more than all else", Resent{Listed: true, SentReplaces: "x", EchoedReplaces: "x"}, NeverMade},
		{"replaces is echoed (rule 3)", Resent{SentReplaces: "x", EchoedReplaces: "x"}, Recovered},
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
		if got := judge(c.r); got != c.want {
			t.Errorf("%s: %s, not %s", c.name, got, c.want)
		}
	}
	near := Resent{FirstSent: noon, SecondSent: noon.Add(time.Second), Expires: noon.Add(week), Lifetimes: []time.Duration{week}}
	if got := judge(near); got != Unknown {
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
		want fate
		has  bool
	}{
		{&acme.NotSent{Cause: errors.New("no route")}, notDone, false},
		{&acme.NotSent{Cause: p(503)}, notDone, true},
		{fmt.Errorf("wrapped: %w", &acme.NotSent{Cause: p(400)}), notDone, true},
		{&acme.Lost{Cause: errors.New("reset")}, undecided, false},
		{errors.New("anything else"), undecided, false},
		{p(429), notDone, true}, {p(503), notDone, true}, {problem(400, "badNonce", "", -1), notDone, true},
		{p(500), undecided, true}, {p(502), undecided, true}, {p(504), undecided, true},
		{p(400), refused, true}, {p(403), refused, true}, {p(404), refused, true}, {p(409), refused, true}, {p(301), refused, true},
	} {
		got, problem := judgeError(c.err)
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
		{"new orders", "too many: " + page + "#new-orders-per-account", 36 * time.Second, "new-order", failure.RateLimited, 36 * time.Second},
		{"failures", "too many: " + page + "#authorization-failures-per-identifier-per-account", time.Minute, "names:a,b", failure.RateLimited, time.Minute},
		{"exact set", "too many: " + page + "#new-certificates-per-exact-set-of-identifiers", 34 * time.Hour, "names:a,b", failure.RateLimited, 34 * time.Hour},
		{"domain", "too many: " + page + "#new-certificates-per-registered-domain", time.Hour, "names:a,b", failure.RateLimited, time.Hour},
		{"retired limit", "too many currently pending authorizations: " + page, -1, "new-order", failure.RateLimited, time.Hour},
		{"paused", "Your account is temporarily prevented from requesting certificates for a. Please visit: https://x/unpause?jwt=#", -1, "name:a", failure.Paused, never},
		{"paused without a name", "Please visit: https://x/unpause?jwt=#", -1, "names:a,b", failure.Paused, never},
		{"nginx", "Too Many Requests", 86400 * time.Second, "new-order", failure.RateLimited, 24 * time.Hour},
		{"nginx without a word", "Too Many Requests", -1, "new-order", failure.RateLimited, time.Hour},
		{"at once", "too many: " + page + "#new-orders-per-account", 0, "new-order", failure.RateLimited, 0},
	} {
		holds := holdsOf(problem(429, "rateLimited", c.detail, c.after), o, noon)
		until := noon.Add(c.wait)
		if c.wait == never {
			until = time.Time{}
		}
		if h := holds[0]; len(holds) != 1 || h.Scope != c.scope || h.Class != string(c.class) || !h.Until.Equal(until) || h.AccountID != 7 {
			t.Errorf("%s: %+v", c.name, holds)
		}
	}
	evil := holdsOf(problem(429, "", "\x1b[31m"+strings.Repeat("x", 1000), -1), o, noon)[0]
	if strings.Contains(evil.Detail, "\x1b") || len(evil.Detail) > 500 {
		t.Errorf("the CA's text is kept as it came: %q", evil.Detail)
	}
}

func TestBackOffGrowsAndEndsAtADay(t *testing.T) {
	for failures, want := range map[int]time.Duration{-1: 0, 0: 0, 1: time.Minute, 2: 10 * time.Minute, 3: 100 * time.Minute, 4: 24 * time.Hour, 99: 24 * time.Hour} {
		if got := backOff(failures); got != want {
			t.Errorf("%d failures: %s", failures, got)
		}
	}
}

func refusal(class failure.Class, local bool) preflight.Report {
	return preflight.Report{Fingerprint: "now", Results: []preflight.Result{{Verdict: preflight.Refuse, Class: class, Local: local, Sentence: "no"}}}
}

func TestWhenARefusalLetsAnAttemptThrough(t *testing.T) {
	day := 24 * time.Hour
	network := refusal(failure.DNSMissing, false)
	for _, c := range []struct {
		name            string
		report          preflight.Report
		plan            Plan
		since, through  time.Duration // ago; negative is never
		refused, passed bool
	}{
		{"nothing is refused", preflight.Report{}, Plan{}, -1, -1, false, false},
		{"a warning is no refusal", preflight.Report{Results: []preflight.Result{{Verdict: preflight.Warn, Class: failure.HTTPUnreached}}}, Plan{}, -1, -1, false, false},
		{"network, for the first time", network, Plan{}, -1, -1, true, false},
		{"network, for a while", network, Plan{}, day - time.Second, -1, true, false},
		{"network, for a day", network, Plan{}, day, -1, false, true},
		{"network, for long, but tried today", network, Plan{}, 9 * day, day - time.Second, true, false},
		{"network, for long, tried yesterday", network, Plan{}, 9 * day, day, false, true},
		{"network and urgent", network, Plan{Urgent: true}, -1, -1, false, true},
		{"network and urgent, but tried today", network, Plan{Urgent: true}, -1, time.Hour, true, false},
		{"network, and a person insists", network, Plan{Force: true}, -1, time.Hour, false, true},
		{"this host's own port is shut", refusal(failure.HTTPUnreached, false), Plan{}, -1, -1, true, false},
		{"this host's own port is shut, for a day", refusal(failure.HTTPUnreached, false), Plan{}, day, -1, false, true},
		{"no resolver answers", refusal(failure.DNSSilent, false), Plan{}, day - time.Second, -1, true, false},
		{"no resolver answers, and it is urgent", refusal(failure.DNSSilent, false), Plan{Urgent: true}, -1, -1, false, true},
		{"local, whatever else", refusal(failure.WebrootGone, true), Plan{Force: true, Urgent: true}, 9 * day, -1, true, false},
		{"network first, but one is local", preflight.Report{Results: append(network.Results, refusal(failure.WebrootGone, true).Results...)}, Plan{Urgent: true}, 9 * day, -1, true, false},
	} {
		v := evidence{now: noon, plan: c.plan, report: c.report}
		if c.since >= 0 {
			v.standing.RefusedSince = noon.Add(-c.since)
		}
		if c.through >= 0 {
			v.standing.LetThroughAt = noon.Add(-c.through)
		}
		err, passed := v.refused()
		if (err != nil) != c.refused || passed != c.passed {
			t.Errorf("%s: %v, let through %v", c.name, err, passed)
		}
	}
}

func TestWhenABackOffHolds(t *testing.T) {
	charge := func(name string, ago time.Duration) ledger.Charge {
		return ledger.Charge{Name: name, At: noon.Add(-ago)}
	}
	three := []ledger.Charge{charge("b", 59*time.Minute), charge("a", 50*time.Minute), charge("a", 40*time.Minute), charge("a", time.Minute)}
	failedOnce := ledger.Standing{Failures: 1, NextAt: noon.Add(time.Second), Fingerprint: "then", Sentence: "NXDOMAIN"}
	with := func(s ledger.Standing, change func(*ledger.Standing)) ledger.Standing { change(&s); return s }
	for _, c := range []struct {
		name     string
		standing ledger.Standing
		charges  []ledger.Charge
		report   preflight.Report
		force    bool
		held     string // a part of the sentence
	}{
		{"nothing failed", ledger.Standing{}, nil, preflight.Report{Fingerprint: "now"}, false, ""},
		{"it failed just now", failedOnce, nil, preflight.Report{Fingerprint: "then"}, false, "NXDOMAIN"},
		{"its rest is over", with(failedOnce, func(s *ledger.Standing) { s.NextAt = noon }), nil, preflight.Report{Fingerprint: "then"}, false, ""},
		{"something changed", failedOnce, nil, preflight.Report{Fingerprint: "now"}, false, ""},
		{"something changed, but preflight refuses", failedOnce, nil, refusal(failure.DNSMissing, false), false, "NXDOMAIN"},
		{"it is not known how it was", with(failedOnce, func(s *ledger.Standing) { s.Fingerprint = "" }), nil, preflight.Report{Fingerprint: "now"}, false, "NXDOMAIN"},
		{"a person insists", failedOnce, three, preflight.Report{Fingerprint: "then"}, true, ""},
		{"three charges within the hour, until the first of them is older", ledger.Standing{}, three, preflight.Report{Fingerprint: "now"}, false, "2026-11-24T12:10:00Z"},
		{"also if something changed", failedOnce, three, preflight.Report{Fingerprint: "now"}, false, "charged 3 failures for a"},
		{"two for one name, one for another", ledger.Standing{}, three[:3], preflight.Report{}, false, ""},
	} {
		v := evidence{now: noon, plan: Plan{Force: c.force}, standing: c.standing, charges: c.charges, report: c.report}
		err := v.backedOff()
		if (err != nil) != (c.held != "") || err != nil && (!strings.Contains(err.Error(), c.held) || failure.ClassOf(err) != failure.BackOff) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestAHoldConcernsTheAccountOrExactlyTheseNames(t *testing.T) {
	for scope, want := range map[string]bool{"new-order": true, "names:a,b": true, "names:a": false, "names:a,b,c": false, "": false} {
		v := evidence{now: noon, plan: Plan{Request: ledger.Request{Names: []string{"B", "a"}}},
			holds: []ledger.Hold{{Scope: scope, Until: noon.Add(time.Hour), Class: string(failure.RateLimited), Detail: "too many"}}}
		err := v.held()
		if (err != nil) != want || err != nil && failure.ClassOf(err) != failure.RateLimited {
			t.Errorf("%q: %v", scope, err)
		}
	}
}

func TestWithWhomWeDeal(t *testing.T) {
	plain := Habits(acme.Directory{})
	if plain.Reuses || plain.HidesProcessing || plain.Replacement || plain.LongestValidation < time.Minute || plain.OrderLifetime < week {
		t.Errorf("a CA that nothing is known of: %+v", plain)
	}
	boulder := Habits(acme.Directory{Boulder: true, RenewalInfo: "https://x"})
	if !boulder.Reuses || !boulder.HidesProcessing || !boulder.Replacement {
		t.Errorf("Boulder: %+v", boulder)
	}
}

func TestWhoseWordStopsEverything(t *testing.T) {
	d := &driver{e: &Engine{Account: &ledger.Account{URL: "https://x/1"}}}
	for _, c := range []struct {
		err  error
		want failure.Class
	}{
		{problem(400, "accountDoesNotExist", "", -1), failure.Account},
		{problem(403, "unauthorized", `Account is not valid, has status "deactivated"`, -1), failure.Account},
		{problem(403, "unauthorized", "the page said no", -1), ""},
		{problem(403, "orderNotReady", "account", -1), ""},
		{problem(400, "badPublicKey", "", -1), failure.Account},
		{&acme.NotSent{Cause: failure.New(failure.CARefused, "", "elsewhere")}, failure.CARefused},
		{&acme.NotSent{Cause: problem(400, "accountDoesNotExist", "", -1)}, failure.Account},
		{errors.New("reset"), ""},
	} {
		if got := failure.ClassOf(d.accountTrouble(c.err)); got != c.want {
			t.Errorf("%v: %q", c.err, got)
		}
	}
}

func TestAHoldOfAClockThatWasAheadIsDropped(t *testing.T) {
	now := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	for hold, kept := range map[time.Duration]bool{time.Hour: true, longestHold: true, 19 * 24 * time.Hour: false} {
		o := &ledger.Order{NotBefore: now.Add(hold)}
		if noLater(o, now); o.NotBefore.IsZero() == kept {
			t.Errorf("a hold of %s: %s", hold, o.NotBefore)
		}
	}
}
