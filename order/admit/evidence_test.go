package admit

import (
	"strings"
	"testing"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/preflight"
)

var noon = time.Date(2026, time.November, 24, 12, 0, 0, 0, time.UTC)

func refusal(class failure.Class, local bool) preflight.Report {
	return preflight.Report{Fingerprint: "now", Results: []preflight.Result{{Verdict: preflight.Refuse, Class: class, Local: local, Sentence: "no"}}}
}

func TestWhenARefusalLetsAnAttemptThrough(t *testing.T) {
	day := 24 * time.Hour
	network := refusal(failure.DNSMissing, false)
	for _, c := range []struct {
		name            string
		report          preflight.Report
		plan            order.Plan
		since, through  time.Duration // ago; negative is never
		refused, passed bool
	}{
		{"nothing is refused", preflight.Report{}, order.Plan{}, -1, -1, false, false},
		{"a warning is no refusal", preflight.Report{Results: []preflight.Result{{Verdict: preflight.Warn, Class: failure.HTTPUnreached}}}, order.Plan{}, -1, -1, false, false},
		{"network, for the first time", network, order.Plan{}, -1, -1, true, false},
		{"network, for a while", network, order.Plan{}, day - time.Second, -1, true, false},
		{"network, for a day", network, order.Plan{}, day, -1, false, true},
		{"network, for long, but tried today", network, order.Plan{}, 9 * day, day - time.Second, true, false},
		{"network, for long, tried yesterday", network, order.Plan{}, 9 * day, day, false, true},
		{"network and urgent", network, order.Plan{Urgent: true}, -1, -1, false, true},
		{"network and urgent, but tried today", network, order.Plan{Urgent: true}, -1, time.Hour, true, false},
		{"network, and a person insists", network, order.Plan{Force: true}, -1, time.Hour, false, true},
		{"this host's own port is shut", refusal(failure.HTTPUnreached, false), order.Plan{}, -1, -1, true, false},
		{"this host's own port is shut, for a day", refusal(failure.HTTPUnreached, false), order.Plan{}, day, -1, false, true},
		{"no resolver answers", refusal(failure.DNSSilent, false), order.Plan{}, day - time.Second, -1, true, false},
		{"no resolver answers, and it is urgent", refusal(failure.DNSSilent, false), order.Plan{Urgent: true}, -1, -1, false, true},
		{"local, whatever else", refusal(failure.WebrootGone, true), order.Plan{Force: true, Urgent: true}, 9 * day, -1, true, false},
		{"network first, but one is local", preflight.Report{Results: append(network.Results, refusal(failure.WebrootGone, true).Results...)}, order.Plan{Urgent: true}, 9 * day, -1, true, false},
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
	failedOnce := ledger.Standing{Failures: 1, NextAt: noon.Add(time.Second), Fingerprint: "then", Reason: ledger.Reason{Sentence: "NXDOMAIN"}}
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
		{"what failed is told", failedOnce, three, preflight.Report{Fingerprint: "now"}, false, "Last time: NXDOMAIN"},
		{"two for one name, one for another", ledger.Standing{}, three[:3], preflight.Report{}, false, ""},
	} {
		v := evidence{now: noon, plan: order.Plan{Force: c.force}, standing: c.standing, charges: c.charges, report: c.report}
		err := v.backedOff()
		if (err != nil) != (c.held != "") || err != nil && (!strings.Contains(err.Error(), c.held) || failure.ClassOf(err) != failure.BackOff) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestAHoldConcernsTheAccountOrExactlyTheseNames(t *testing.T) {
	for scope, want := range map[string]bool{"new-order": true, "names:a,b": true, "names:a": false, "names:a,b,c": false, "": false,
		"first-order": true} {
		v := evidence{now: noon, plan: order.Plan{Request: ledger.Request{Names: []string{"B", "a"}}},
			holds: []ledger.Hold{{Scope: scope, Until: noon.Add(time.Hour), Class: string(failure.RateLimited), Detail: "too many"}}}
		err := v.held()
		if (err != nil) != want || err != nil && failure.ClassOf(err) != failure.RateLimited {
			t.Errorf("%q: %v", scope, err)
		}
	}
}
