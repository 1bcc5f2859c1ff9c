package drive_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/testca"
)

// once wants one order, one certificate, and nothing pending, of all that the CA has.
func (w *world) once(r ledger.Request) {
	w.t.Helper()
	truth := w.ca.Truth()
	if len(truth.Orders) != 1 || len(truth.Issued) != 1 || truth.Pending() != 0 || truth.ValidatedTwice() != 0 {
		w.explain()
		w.t.Errorf("%d orders, %d certificates, %d pending, %d validated twice", len(truth.Orders), len(truth.Issued), truth.Pending(), truth.ValidatedTwice())
	}
	w.settled(r)
}

// A CA of several machines does not show at once everywhere what one of them has just made.
func TestWhatIsMissingForAMomentIsAskedForAgain(t *testing.T) {
	missing := testca.Fault{Action: testca.Respond, Status: 404, Problem: "malformed", Detail: "No such resource"}
	for _, c := range []struct {
		name, kind string
		async      bool
		requests   []int // that are answered so
	}{
		{"the order after finalize", "order", true, []int{2}},
		{"the order after finalize, for a while", "order", true, []int{2, 3, 4}},
		{"the order after the challenges", "order", false, []int{1}},
		{"an authorization", "authorization", false, []int{1}},
		{"the certificate", "certificate", false, []int{1}},
		{"every order once", "order", true, []int{1, 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, testca.Config{AsyncFinalize: c.async})
			for _, nth := range c.requests {
				f := missing
				f.Kind, f.Nth = c.kind, nth
				w.ca.Inject(f)
			}
			r := request("a.example", "a.example", "b.example")
			w.get(r)
			w.once(r)
		})
	}
}

// What is not needed of an order and its authorizations may be missing, or of any type.
func TestOddMembersKeepNoOrderFromItsEnd(t *testing.T) {
	for name, patches := range map[string]map[string]string{
		"times that are none":     {"order": `{"expires":1795000000}`, "new-order": `{"expires":1795000000}`, "authorization": `{"expires":0}`},
		"a wildcard in words":     {"authorization": `{"wildcard":"false"}`},
		"no names":                {"order": `{"identifiers":null}`},
		"nulls":                   {"order": `{"notBefore":null,"profile":null,"replaces":7,"error":"none"}`, "finalize": `{"certificate":null,"error":{}}`},
		"challenges of any shape": {"authorization": `{"challenges":null}`},
		"a challenge that says nothing of itself": {"challenge": `{"status":null,"token":null,"url":7}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, testca.Config{})
			for kind, patch := range patches {
				nth := 0
				if name == "challenges of any shape" {
					nth = 2 // once they were answered
				}
				w.ca.Inject(testca.Fault{Kind: kind, Nth: nth, Action: testca.Rewrite, Patch: json.RawMessage(patch)})
			}
			r := request("a.example", "a.example")
			w.get(r)
			w.once(r)
		})
	}
}

// A refusal of one domain must not stop what is done for others in the account's name, nor send a
// person to its directory.
func TestARefusalOfADomainIsNotTheAccounts(t *testing.T) {
	w := newWorld(t, testca.Config{})
	w.ca.Inject(testca.Fault{Kind: "new-order", Nth: 1, Action: testca.Respond, Status: 403, Problem: "unauthorized",
		Detail: "Your account is not authorized to issue for a.example"})
	_, err := w.fails(order.Plan{Request: request("a.example", "a.example")}, failure.CARefused)
	if !strings.Contains(err.Error(), "not authorized to issue for a.example") || strings.Contains(string(failure.RemedyOf(err)), "account") {
		t.Errorf("%v; %s", err, failure.RemedyOf(err))
	}
	r := request("b.example", "b.example")
	w.get(r)
	w.once(r)
}

func TestTheNamesThatACARefusesAreSaid(t *testing.T) {
	const urn = "urn:ietf:params:acme:error:rejectedIdentifier"
	w := newWorld(t, testca.Config{})
	w.ca.Inject(testca.Fault{Kind: "new-order", Nth: 1, Action: testca.Respond, Status: 400, Problem: "rejectedIdentifier", Detail: "Some names are refused",
		Patch: json.RawMessage(`{"subproblems":[{"type":"` + urn + `","detail":"forbidden by policy","identifier":{"type":"dns","value":"B.example"}}]}`)})
	out, err := w.fails(order.Plan{Request: request("a.example", "a.example", "b.example")}, failure.BadName)
	if !strings.Contains(err.Error(), "b.example: forbidden by policy") || !strings.HasPrefix(string(failure.RemedyOf(err)), "Leave out b.example, or") {
		t.Errorf("%v; %s", err, failure.RemedyOf(err))
	}
	if n := len(w.ca.Truth().Orders); n != 0 || out.Order.State != ledger.RefusedState {
		t.Errorf("%d orders, the row is %s", n, out.Order.State)
	}
}

func TestWhatTheCAWantsDoneIsShownWithItsPage(t *testing.T) {
	const page = "https://ca.example/terms/v2"
	for _, kind := range []string{"new-order", "finalize"} {
		w := newWorld(t, testca.Config{})
		w.ca.Inject(testca.Fault{Kind: kind, Action: testca.Respond, Status: 403, Problem: "userActionRequired", Detail: "Terms of service have changed",
			Header: map[string]string{"Link": `<` + page + `>;rel="terms-of-service"`}})
		r := request("a.example", "a.example")
		_, err := w.fails(order.Plan{Request: r}, failure.Account)
		if !strings.Contains(err.Error(), page) || !strings.Contains(string(failure.RemedyOf(err)), page) {
			t.Errorf("%s: %v; %s", kind, err, failure.RemedyOf(err))
		}
		w.ca.ClearFaults()
		w.get(r)
		w.once(r)
	}
}

// Later runs obey what a CA asks for; a person who insists may look.
func TestAPersonWhoInsistsMayLookBeforeTheCAsTime(t *testing.T) {
	for _, obtains := range []bool{true, false} {
		w := newWorld(t, testca.Config{})
		w.ca.Inject(testca.Fault{Kind: "order", Nth: 1, Action: testca.Respond, Status: http.StatusTooManyRequests, Problem: "rateLimited",
			Detail: "later", RetryAfter: "86000"})
		p := order.Plan{Request: request("a.example", "a.example")}
		w.fails(p, failure.RateLimited)
		w.silent(func() { w.fails(p, failure.RateLimited) })
		e := w.engine()
		var err error
		if p.Force = true; obtains {
			_, err = obtain(t.Context(), e, p)
		} else {
			insisting := patient
			insisting.Force = true
			_, err = e.With(insisting).Resume(t.Context(), w.orders("a.example")[0])
		}
		must(t, err)
		w.once(p.Request)
	}
}

// A private Boulder is one, whatever else an operator writes of it.
func TestAnEntryForABoulderKeepsItsHabits(t *testing.T) {
	w := newWorld(t, testca.Config{Boulder: true, Reuse: true, HideProcessing: true})
	ca, err := w.profiled(w.engine(), "longest_validation = \"9s\"\n").Habits(t.Context())
	must(t, err)
	if !ca.Reuses || !ca.HidesProcessing || !ca.ChargesDeactivation || ca.LongestValidation.Seconds() != 9 {
		t.Errorf("%+v", ca)
	}
}
