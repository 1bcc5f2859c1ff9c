package e2e_test

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"orderly/testca"
)

// failing is a host whose name cannot be validated though preflight finds nothing wrong.
func failing(t *testing.T, config testca.Config) (*host, []string) {
	w := newWorld(t, config)
	h := w.host("one")
	w.web.intercept(onlyProbes)
	return h, h.certonly(w.site("a.example.com"), "a.example.com")
}

func (h *host) wants(r result, code int, class string) {
	h.t.Helper()
	view := decode[struct{ Class, Error, Sentence, Remedy string }](h.world, r.stdout)
	if r.code != code || view.Class != class {
		h.t.Errorf("class %q instead of %q: %s", view.Class, class, r)
	}
	if view.Remedy == "" || view.Error+view.Sentence == "" {
		h.t.Errorf("no sentence or no remedy: %s", r)
	}
}

func TestAFailureIsNotRepeatedAtOnce(t *testing.T) {
	t.Parallel()
	h, command := failing(t, characters()[2].config)
	h.wants(h.orderly(append(command, "--json")...), 1, "http-wrong-answer")
	before := h.requests("")
	for range 3 {
		h.wants(h.orderly(append(command, "--json")...), 1, "back-off")
	}
	if n := h.requests("") - before; n != 0 {
		t.Errorf("%d requests were made in back-off", n)
	}
	h.wants(h.orderly(append(command, "--json", "--force")...), 1, "http-wrong-answer")
	if n := h.requests("new-order"); n != 2 {
		t.Errorf("%d newOrders in all, not 2", n)
	}
	noOrder(h)
	h.tidy()
}

func TestAChangeLiftsTheBackOff(t *testing.T) {
	t.Parallel()
	h, command := failing(t, characters()[2].config)
	h.wants(h.orderly(append(command, "--json")...), 1, "http-wrong-answer")
	elsewhere := h.site("elsewhere")
	h.web.serve("a.example.com", elsewhere)
	h.web.intercept(nil)
	h.must(h.certonly(elsewhere, "a.example.com")...)
	h.kept(promise{names: []string{"a.example.com"}})
}

// The CA's own limit of five an hour must never be met, whatever a script does (I6).
func TestNoScriptMeetsTheFailureLimit(t *testing.T) {
	t.Parallel()
	config := characters()[2].config
	config.Limits.FailedAuthorizationsPerDomainPerAccount = testca.Limit{Count: 5, Period: time.Hour}
	h, _ := failing(t, config)
	for i := range 8 {
		elsewhere := h.site("elsewhere", "a.example.com") // a change each time, and no help
		if i%2 == 0 {
			elsewhere = h.site("a.example.com")
		}
		if r := h.orderly(h.certonly(elsewhere, "a.example.com")...); r.code != 1 {
			t.Errorf("%s", r)
		}
	}
	if n := h.ca.Truth().RateLimited; n != 0 {
		t.Errorf("the CA had to refuse %d times", n)
	}
	if n := h.requests("new-order"); n > 3 {
		t.Errorf("%d newOrders within an hour, more than 3", n)
	}
	h.web.intercept(nil)
	h.must(append(h.certonly(h.site("a.example.com"), "a.example.com"), "--force")...)
	h.kept(promise{names: []string{"a.example.com"}})
}

// One failed validation, three kills after newOrder, one healthy run, on a CA with Boulder's reuse, which the dead order then
// shadows: issued, nothing pending. Four of eleven clients end with five orders and six pending authorizations here.
func TestAFailureAndThreeKillsLeaveNothingPending(t *testing.T) {
	t.Parallel()
	for name, kills := range map[string][]point{
		"always at the same request": {{"authorization", 1, false}, {"authorization", 1, false}, {"authorization", 1, false}},
		"each time a little later":   {{"authorization", 1, true}, {"challenge", 1, true}, {"order", 1, true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, characters()[2].config)
			h := w.host("one")
			names := someNames(2)
			command := h.certonly(w.site(names...), names...)
			w.web.intercept(onlyProbes)
			if r := h.orderly(command...); r.code != 1 {
				t.Errorf("%s", r)
			}
			w.web.intercept(nil)
			for _, at := range kills {
				h.interrupt(at, syscall.SIGKILL, append(command, "--force")...)
			}
			h.must(command...)
			h.kept(promise{names: names})
			noOrder(h)
			if n := len(w.ca.Truth().Orders); n != 2 {
				t.Errorf("%d orders were made, not the dead one and another", n)
			}
		})
	}
}

// A sibling of the name that fails is answered all the same, so that it is valid and not pending.
func TestASiblingOfAFailedNameIsNotLeftPending(t *testing.T) {
	t.Parallel()
	for _, at := range []point{{}, {"order", 1, true}, {"challenge", 2, false}} {
		t.Run(at.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, characters()[2].config)
			h := w.host("one")
			names := someNames(4)
			command := h.certonly(w.site(names...), names...)
			w.web.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
				return strings.HasPrefix(r.Host, "www1.") && onlyProbes(rw, r)
			})
			if at.kind != "" {
				h.interrupt(at, 9, command...)
			}
			r := h.orderly(append(command, "--json")...)
			h.wants(r, 1, "http-wrong-answer")
			if !strings.Contains(r.stdout, "www1.a.example.com") {
				t.Errorf("the name to blame is not named: %s", r)
			}
			noOrder(h)
			h.tidy()
			if n := w.ca.Truth().ValidatedTwice(); n != 0 {
				t.Errorf("%d authorizations were validated twice", n)
			}
		})
	}
}

func TestRetryAfterOfNewOrderIsObeyedAcrossRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	h.lineages("other.example.com")
	command := h.certonly(w.site("a.example.com"), "a.example.com")
	another := h.certonly(w.site("new.example.com"), "new.example.com")
	w.ca.Inject(testca.Fault{Kind: "new-order", Nth: 1, Action: testca.Respond, Status: 429, Problem: "rateLimited", RetryAfter: "3600",
		Detail: "too many new orders (300) from this account in the last 3h0m0s, retry after 2026-11-23 21:00:00 UTC: see https://letsencrypt.org/docs/rate-limits/#new-orders-per-account"})
	h.wants(h.orderly(append(command, "--json")...), 1, "rate-limited")
	before := w.requests("")
	h.wants(h.orderly(append(command, "--json")...), 1, "rate-limited")
	h.wants(h.orderly(append(another, "--json")...), 1, "rate-limited") // of the same account
	if n := w.requests("") - before; n != 0 {
		t.Errorf("%d requests were made before the CA's time", n)
	}
	h.must("renew", "--force-renewal") // which that limit does not count
	h.must(append(command, "--force")...)
}

// What one exact set of names used up concerns no other.
func TestALimitOnOneSetHoldsNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{Limits: testca.Limits{CertificatesPerFQDNSet: testca.Limit{Count: 1, Period: time.Hour}}})
	h := w.host("one")
	h.lineages("a.example.com")
	if r := h.orderly("renew", "--force-renewal"); r.code != 1 || !strings.Contains(r.stderr, "rate-limited") {
		t.Errorf("%s", r)
	}
	h.lineages("b.example.com")
	before := w.requests("")
	if r := h.orderly("renew", "--force-renewal", "--cert-name", "a.example.com"); r.code != 1 {
		t.Errorf("%s", r)
	}
	if n := w.requests("") - before; n != 0 {
		t.Errorf("%d requests were made in vain", n)
	}
}

func TestAPausedNameAsksForAPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	command := h.certonly(w.site("a.example.com"), "a.example.com")
	w.ca.Inject(testca.Fault{Kind: "new-order", Nth: 1, Action: testca.Respond, Status: 429, Problem: "rateLimited",
		Detail: "Your account is temporarily prevented from requesting certificates for a.example.com. Please visit: https://portal.example/sfe/v1/unpause?jwt=abc"})
	r := h.orderly(append(command, "--json")...)
	h.wants(r, 1, "paused")
	if !strings.Contains(r.stdout, "https://portal.example/sfe/v1/unpause?jwt=abc") {
		t.Errorf("the page to visit is not named: %s", r)
	}
	before := w.requests("")
	r = h.orderly(append(command, "--json")...)
	h.wants(r, 1, "paused")
	if n := w.requests("") - before; n != 0 {
		t.Errorf("%d requests were made for a paused name", n)
	}
	if r = h.orderly("limits"); r.code != 0 || !strings.Contains(r.stdout, "a person lifts it") || !strings.Contains(r.stdout, "unpause?jwt=abc") {
		t.Errorf("limits does not tell of the pause: %s", r)
	}
	if r = h.orderly("unpause", "b.example.com"); r.code != 1 || !strings.Contains(r.stderr, "b.example.com is not paused") {
		t.Errorf("%s", r)
	}
	if r = h.orderly("unpause"); r.code != 2 {
		t.Errorf("%s", r)
	}
	h.must("unpause", "A.example.com")
	h.must(command...)
	if r = h.orderly("unpause", "--all"); r.code != 0 || !strings.Contains(r.stdout, "Nothing is paused.") {
		t.Errorf("%s", r)
	}
}

// The historic limit on pending authorizations: whatever is killed, the account never comes near it.
func TestThePendingLimitIsNeverMet(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{Limits: testca.Limits{PendingAuthorizations: testca.Limit{Count: 6}}})
	h := w.host("one")
	names := someNames(2)
	command := h.certonly(w.site(names...), names...)
	for range 8 {
		h.interrupt(point{"authorization", 1, true}, 9, command...)
	}
	h.must(command...)
	h.kept(promise{names: names})
	if n := w.ca.Truth().RateLimited; n != 0 {
		t.Errorf("the CA had to refuse %d times", n)
	}
}

// Preflight refuses what the CA would charge for, and nothing reaches the CA but, the first time, the account.
func TestWhatPreflightRefusesCostsNoOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{DeadNames: []string{"dead.example.com"}})
	h := w.host("one")
	root := w.site("a.example.com", "dead.example.com", "x.servfail.test")
	w.web.serve("elsewhere.example.com", w.site("elsewhere"))
	for _, c := range []struct{ name, class string }{
		{"dead.example.com", "dns-missing"}, {"x.servfail.test", "dns-broken"}, {"elsewhere.example.com", "http-wrong-answer"},
	} {
		r := h.orderly(append(h.certonly(root, "a.example.com", c.name), "--json")...)
		h.wants(r, 1, c.class)
		if !strings.Contains(r.stdout, c.name) {
			t.Errorf("the name is not named: %s", r)
		}
	}
	if n := w.requests("new-order"); n != 0 {
		t.Errorf("%d newOrders were sent", n)
	}
	h.tidy()
}
