package drive_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/preflight"
	"orderly/testca"
)

// silent wants that nothing is sent while f runs.
func (w *world) silent(f func()) {
	w.t.Helper()
	before := len(w.ca.Truth().Requests)
	f()
	if sent := w.ca.Truth().Requests[before:]; len(sent) > 0 {
		w.t.Errorf("the CA got %d requests, %s first", len(sent), sent[0].Kind)
	}
}

const orderLimit = "too many new orders (300) from this account in the last 3h0m0s, retry after x: see https://letsencrypt.org/docs/rate-limits/#new-orders-per-account"

func TestA429ToNewOrderHoldsLaterRunsBack(t *testing.T) {
	for _, c := range []struct {
		name, detail, after string
		class               failure.Class
		wait                time.Duration
		others              bool // other names are held as well
	}{
		{"the account's limit", orderLimit, "3600", failure.RateLimited, time.Hour, true},
		{"a limit of the names", "too many: see https://letsencrypt.org/docs/rate-limits/#new-certificates-per-exact-set-of-identifiers", "7200", failure.RateLimited, 2 * time.Hour, false},
		{"the retired limit", "too many currently pending authorizations: see https://letsencrypt.org/docs/rate-limits/", "", failure.RateLimited, time.Hour, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testca.Config{})
			w.ca.Inject(testca.Fault{Kind: "new-order", Action: testca.Respond, Status: 429, Problem: "rateLimited", Detail: c.detail, RetryAfter: c.after})
			r, other := request("a.example", "a.example"), request("b.example", "b.example")
			w.fails(order.Plan{Request: r}, c.class)
			if n := w.requests("new-order"); n != 1 {
				t.Errorf("%d newOrders", n)
			}
			w.ca.ClearFaults()
			w.clock.skip(c.wait - time.Minute)
			w.silent(func() { w.fails(order.Plan{Request: r}, c.class) })
			if c.others {
				w.silent(func() { w.fails(order.Plan{Request: other}, c.class) })
			} else {
				w.get(other)
			}
			w.clock.skip(2 * time.Minute)
			w.get(r)
			w.wantStates("a.example", "refused installed")
		})
	}
}

// Boulder counts no renewal against the limit of new orders: one new customer's order must not keep the account's
// certificates from being renewed. Where a renewal gets the 429 all the same, this CA counts it.
func TestTheLimitOfNewOrdersHoldsNoRenewalBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	ours, certbots, other := request("a.example", "a.example"), request("b.example", "b.example"), request("c.example", "c.example")
	w.get(ours)
	certbots.InPlaceSince = w.clock.Now().Add(-60 * 24 * time.Hour)
	w.ca.Inject(testca.Fault{Kind: "new-order", Action: testca.Respond, Status: 429, Problem: "rateLimited", Detail: orderLimit, RetryAfter: "36000"})
	w.fails(order.Plan{Request: request("d.example", "d.example")}, failure.RateLimited)
	w.ca.ClearFaults()
	w.silent(func() { w.fails(order.Plan{Request: other}, failure.RateLimited) })
	w.get(ours)
	w.wantStates("a.example", "installed installed")
	w.get(certbots)

	w.ca.Inject(testca.Fault{Kind: "new-order", Action: testca.Respond, Status: 429, Problem: "rateLimited", Detail: orderLimit, RetryAfter: "36000"})
	w.fails(order.Plan{Request: ours}, failure.RateLimited)
	w.ca.ClearFaults()
	w.silent(func() { w.fails(order.Plan{Request: certbots}, failure.RateLimited) })
}

func TestA429ToFinalizeIsWaitedForOrLeft(t *testing.T) {
	for _, after := range []time.Duration{5 * time.Second, time.Hour} {
		t.Run(after.String(), func(t *testing.T) {
			w := newWorld(t, testca.Config{})
			w.ca.Inject(testca.Fault{Kind: "finalize", Nth: 1, Action: testca.Respond, Status: 429, Problem: "rateLimited",
				RetryAfter: fmt.Sprint(int(after.Seconds()))})
			r := request("a.example", "a.example")
			began := w.clock.Now()
			if after < time.Minute {
				w.get(r)
				if took := w.clock.Now().Sub(began); took < after {
					t.Errorf("it went on after %s", took)
				}
				return
			}
			w.fails(order.Plan{Request: r}, failure.RateLimited)
			w.clock.skip(after - time.Minute)
			w.silent(func() { w.fails(order.Plan{Request: r}, failure.RateLimited) })
			overlapping := request("b.example", "b.example", "a.example")
			before := w.requests("finalize")
			w.get(overlapping) // it does not wait for the other, and sends nothing for it
			if n := w.requests("finalize") - before; n != 1 {
				t.Errorf("%d orders were finalized, not only its own", n)
			}
			w.clock.skip(2 * time.Minute)
			w.get(r)
			w.kept(r, 0)
		})
	}
}

// The schedule Let's Encrypt asks for: 1, 10, 100 minutes, then daily.
func TestFailuresAreFollowedByALongerAndLongerRest(t *testing.T) {
	w := newWorld(t, testca.Config{Boulder: true, Reuse: true, HideProcessing: true, Limits: testca.Limits{
		FailedAuthorizationsPerDomainPerAccount: testca.Limit{Count: 5, Period: time.Hour}}})
	w.ca.SetDead("a.example", true)
	p := order.Plan{Request: request("a.example", "a.example")}
	for i, rest := range []time.Duration{time.Minute, 10 * time.Minute, 100 * time.Minute, 24 * time.Hour, 24 * time.Hour} {
		_, err := w.fails(p, failure.Validation)
		if !strings.Contains(err.Error(), "a.example") {
			t.Error(err)
		}
		w.clock.skip(rest - 5*time.Second)
		w.silent(func() { _, err = w.fails(p, failure.BackOff) })
		if !strings.Contains(err.Error(), "NXDOMAIN") {
			t.Errorf("the reason is not told: %v", err)
		}
		w.clock.skip(10 * time.Second)
		if n := w.requests("new-order"); n != i+1 {
			t.Errorf("%d newOrders after %d failures", n, i+1)
		}
	}
	w.ca.SetDead("a.example", false)
	w.get(p.Request)
	s, err := w.store.Standing(t.Context(), "a.example")
	must(t, err)
	if s != (ledger.Standing{Lineage: "a.example"}) {
		t.Errorf("after a success there remains %+v", s)
	}
	if w.ca.Truth().RateLimited > 0 {
		t.Error("the CA had to refuse an order (I6)")
	}
}

func TestAChangeLiftsTheBackOffThreeTimesAnHour(t *testing.T) {
	w := newWorld(t, testca.Config{})
	w.ca.SetDead("a.example", true)
	p := order.Plan{Request: request("a.example", "a.example")}
	change := func(text string) {
		w.report = func(names []string) preflight.Report { return passing(text, names...) }
	}
	for i := range 3 {
		change(fmt.Sprint("mended ", i))
		w.fails(p, failure.Validation)
	}
	change("mended again")
	w.silent(func() { w.fails(p, failure.BackOff) })
	w.clock.skip(time.Hour)
	w.fails(p, failure.Validation)
	w.report = func(names []string) preflight.Report { return refusing("other", names[0], failure.DNSMissing, false) }
	w.silent(func() { w.fails(p, failure.DNSMissing) }) // changed, but for the worse
	change("mended again")
	w.silent(func() { w.fails(p, failure.BackOff) }) // as it was when it failed
	p.Force = true
	w.ca.SetDead("a.example", false)
	if _, err := obtain(t.Context(), w.engine(), p); err != nil {
		t.Errorf("a person insists: %v", err)
	}
}

// What an order was resumed for in part is compared with the whole later: only the names that were still open would give
// another fingerprint, and lift the back-off.
func TestAResumedOrdersFailureIsBackedOffFrom(t *testing.T) {
	w := newWorld(t, testca.Config{})
	w.report = func(names []string) preflight.Report { return passing(strings.Join(names, " "), names...) }
	r := request("a.example", "b.example", "a.example")
	w.web.lock("/srv/b.example", true)
	w.fails(order.Plan{Request: r}, failure.WebrootLocked) // a.example is valid, b.example is still open
	w.web.lock("/srv/b.example", false)
	w.ca.SetDead("b.example", true)
	w.fails(order.Plan{Request: r}, failure.Validation)
	w.silent(func() { w.fails(order.Plan{Request: r}, failure.BackOff) })
}

func TestARefusalIsSilentAndDelaysOrForbids(t *testing.T) {
	for _, c := range []struct {
		name   string
		class  failure.Class
		local  bool
		urgent bool
		days   []bool // whether an attempt is made on each day
	}{
		{"local", failure.WebrootGone, true, false, []bool{false, false, false}},
		{"local and urgent", failure.WebrootGone, true, true, []bool{false, false, false}},
		{"network", failure.DNSMissing, false, false, []bool{false, true, true}},
		{"network and urgent", failure.HTTPWrong, false, true, []bool{true, true, true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testca.Config{})
			w.ca.SetDead("a.example", true)
			w.report = func(names []string) preflight.Report { return refusing("bad", names[0], c.class, c.local) }
			p := order.Plan{Request: request("a.example", "a.example"), Urgent: c.urgent}
			for day, attempt := range c.days {
				if attempt {
					w.fails(p, failure.Validation)
				}
				w.silent(func() {
					_, err := w.fails(p, c.class)
					if failure.RemedyOf(err) != "Mend a.example" {
						t.Errorf("day %d: the remedy is %q", day, failure.RemedyOf(err))
					}
				})
				w.clock.skip(24*time.Hour + time.Minute)
			}
		})
	}
}

func TestAResumedOrderIsCheckedBeforeItIsAnswered(t *testing.T) {
	w := newWorld(t, testca.Config{})
	r := request("a.example", "A.Example", "b.example")
	w.dieAt(r, "challenge", 1, false)
	if len(w.checked) != 1 {
		t.Fatalf("preflight ran %d times", len(w.checked))
	}
	// The intents are in the ledger, so that the challenges are due again only much later.
	w.clock.skip(time.Hour)
	w.report = func([]string) preflight.Report { return refusing("bad", "A.Example", failure.WebrootGone, true) }
	w.fails(order.Plan{Request: r}, failure.WebrootGone)
	for _, a := range w.truth(r.Names...)[0].Authorizations {
		if want := map[string]int{"a.example": 0, "b.example": 1}[a.Name]; a.Validations != want {
			t.Errorf("%s was validated %d times", a.Name, a.Validations)
		}
	}
	w.report = func(names []string) preflight.Report { return refusing("bad", "A.Example", failure.DNSMissing, false) }
	before := w.requests("challenge")
	w.fails(order.Plan{Request: r}, failure.DNSMissing)
	if n := w.requests("challenge"); n != before {
		t.Error("a name was answered that preflight refuses")
	}
	p := order.Plan{Request: r, Urgent: true}
	if _, err := obtain(t.Context(), w.engine(), p); err != nil {
		t.Errorf("little time is left, and one attempt a day is let through: %v", err)
	}
	w.kept(r, 0)
}

// A newOrder that was not answered is sent again only if nothing speaks against a new order now (I3, I6).
func TestAnUnansweredNewOrderIsNotSentAgainAgainstARefusal(t *testing.T) {
	w := newWorld(t, testca.Config{})
	r := request("a.example", "a.example")
	w.dieAt(r, "new-order", 1, false)
	w.report = func(names []string) preflight.Report { return refusing("bad", names[0], failure.WebrootGone, true) }
	w.fails(order.Plan{Request: r}, failure.WebrootGone)
	w.wantStates("a.example", "creating")
	w.report = func(names []string) preflight.Report { return passing("", names...) }
	hold := ledger.Hold{AccountID: w.row.ID, Scope: "new-order", Until: w.clock.Now().Add(time.Hour), Class: string(failure.RateLimited)}
	must(t, w.store.Commit(t.Context(), &ledger.Change{Holds: []ledger.Hold{hold}}))
	w.fails(order.Plan{Request: r}, failure.RateLimited)
	if n := w.requests("new-order"); n != 0 {
		t.Errorf("%d newOrders", n)
	}
	w.clock.skip(2 * time.Hour)
	w.get(r)
	w.kept(r, 1)
}

// A newOrder that a killed run sent is sent again for the document roots of now, not for those of that time.
func TestAnUnansweredNewOrderIsCheckedWhereTheSiteIsNow(t *testing.T) {
	w := newWorld(t, testca.Config{})
	r := request("a.example", "a.example")
	w.dieAt(r, "new-order", 1, false)
	orders, err := w.store.Orders(t.Context(), ledger.OrderFilter{Unsettled: true})
	must(t, err)
	e, seen := w.engine(), ""
	on(e).refresh = func(_ context.Context, r *ledger.Request) { *r = inRoots(*r, map[string]string{"a.example": "/moved"}) }
	on(e).preflight = func(_ context.Context, r ledger.Request, names []string) preflight.Report {
		seen = rootsOf(r)["a.example"]
		return refusing("bad", names[0], failure.HTTPWrong, false)
	}
	did, err := e.Resume(t.Context(), orders[0])
	if !did || failure.ClassOf(err) != failure.HTTPWrong || seen != "/moved" || rootsOf(orders[0].Request)["a.example"] != "/moved" {
		t.Errorf("%v, %v, looked at %q", did, err, seen)
	}
}

func TestAnUnansweredNewOrderIsForgottenOnceItHasExpired(t *testing.T) {
	w := newWorld(t, testca.Config{})
	r := request("a.example", "a.example")
	w.dieAt(r, "new-order", 1, true)
	w.clock.skip(8 * 24 * time.Hour)
	w.get(r)
	w.wantStates("a.example", "phantom installed")
	pending, err := w.store.Pending(t.Context(), w.clock.Now())
	must(t, err)
	if len(pending) != 0 {
		t.Errorf("pending: %+v", pending)
	}
	before, err := w.store.Pending(t.Context(), w.clock.Now().Add(-2*24*time.Hour)) // this host's clock may have been ahead
	must(t, err)
	if len(before) != 1 || before[0].State != ledger.Phantom {
		t.Errorf("by an earlier clock: %+v", before)
	}
}

// Rule 13: the account cannot be used, and nothing more is sent.
func TestATroubleWithTheAccountStopsEverything(t *testing.T) {
	for _, kind := range []string{"new-order", "authorization", "challenge", "order", "finalize", "certificate"} {
		for _, problem := range []testca.Fault{
			{Status: 400, Problem: "accountDoesNotExist", Detail: "unknown"},
			{Status: 403, Problem: "unauthorized", Detail: `Account is not valid, has status "deactivated"`},
		} {
			t.Run(kind+" "+problem.Problem, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, testca.Config{})
				problem.Kind, problem.Action = kind, testca.Respond
				w.ca.Inject(problem)
				r := request("a.example", "a.example")
				_, err := w.fails(order.Plan{Request: r}, failure.Account)
				if failure.RemedyOf(err) == "" {
					t.Error("there is no remedy")
				}
				sent := w.ca.Truth().Requests
				if last := sent[len(sent)-1]; last.Kind != kind || last.Status != problem.Status {
					t.Errorf("after it a %s was sent", last.Kind)
				}
				w.ca.ClearFaults()
				w.get(r)
				if kind != "new-order" {
					w.kept(r, 0)
				}
			})
		}
	}
}

// A preflight that a signal cut short says nothing.
func TestAStoppedPreflightRefusesNothing(t *testing.T) {
	w := newWorld(t, testca.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	w.report = func(names []string) preflight.Report {
		cancel()
		return refusing("bad", names[0], failure.DNSMissing, false)
	}
	w.silent(func() {
		_, err := obtain(ctx, w.engine(), order.Plan{Request: request("a.example", "a.example")})
		if failure.ClassOf(err) != failure.Stopped {
			t.Errorf("error %v", err)
		}
	})
	s, err := w.store.Standing(t.Context(), "a.example")
	must(t, err)
	if s.Class != "" || !s.RefusedSince.IsZero() {
		t.Errorf("standing %+v", s)
	}
}

func TestAPlanThatFailsSendsNothing(t *testing.T) {
	w := newWorld(t, testca.Config{})
	broken := errors.New("the renewal file is broken")
	w.silent(func() {
		_, err := w.engine().Obtain(t.Context(), "a.example", []string{"a.example"}, func(context.Context) (*order.Plan, error) { return nil, broken })
		if !errors.Is(err, broken) {
			t.Error(err)
		}
	})
}

// A pause is a state of the name: it stays, whatever set the name is in, until a person has lifted it.
func TestAPausedNameWaitsForAPerson(t *testing.T) {
	page := "https://sfe.example/sfe/v1/unpause?jwt=" + strings.Repeat("x", 700) // longer than what is shown of other text
	w := newWorld(t, testca.Config{})
	r, wider, other := request("a.example", "a.example", "b.example"), request("c.example", "a.example", "c.example"), request("d.example", "b.example")
	w.ca.Inject(testca.Fault{Kind: "new-order", Nth: 1, Action: testca.Respond, Status: 429, Problem: "rateLimited",
		Detail: "Your account is temporarily prevented from requesting certificates for a.example and possibly others. Please visit: " + page})
	_, err := w.fails(order.Plan{Request: r}, failure.Paused)
	remedy := string(failure.RemedyOf(err))
	if !strings.Contains(remedy, page) ||
		!strings.HasSuffix(remedy, " run "+string(failure.Do(failure.Unpause, "a.example"))+".") {
		t.Errorf("the remedy is %q", remedy)
	}
	w.clock.skip(40 * 24 * time.Hour)
	for _, held := range []ledger.Request{r, wider} {
		w.silent(func() { _, err = w.fails(order.Plan{Request: held}, failure.Paused) })
		if !strings.Contains(string(failure.RemedyOf(err)), page) {
			t.Errorf("the remedy is %q", failure.RemedyOf(err))
		}
	}
	w.get(other)
	_, err = obtain(t.Context(), w.engine(), order.Plan{Request: r, Force: true})
	must(t, err)
	w.get(wider) // the first one showed that it is lifted
}

// A pre-hook returns before what it started listens: its port is looked at again for some seconds, and no order is made while
// it is shut.
func TestAPortThatAHookOpensIsWaitedFor(t *testing.T) {
	for shut, want := range map[int]int{0: 1, 1: 2, 3: 4, 99: 4} {
		for _, killed := range []bool{false, true} {
			w := newWorld(t, testca.Config{})
			r := request("a.example", "a.example")
			if killed {
				w.dieAt(r, "authorization", 1, false)
			}
			before := len(w.ca.Truth().Orders)
			e, begun, looks := w.engine(), false, 0
			on(e).begins = func(ledger.Request) bool { return !begun }
			on(e).begin = func(context.Context, ledger.Request) bool { did := !begun; begun = true; return did }
			on(e).preflight = func(_ context.Context, _ ledger.Request, names []string) preflight.Report {
				if begun {
					looks++
				}
				if looks <= shut {
					return refusing("shut", names[0], failure.HTTPUnreached, false)
				}
				return passing("open", names...)
			}
			_, err := obtain(t.Context(), e, order.Plan{Request: r})
			made := len(w.ca.Truth().Orders) - before
			if looks != want || (err == nil) != (shut < want) || shut == 99 && (made != 0 || failure.ClassOf(err) != failure.HTTPUnreached) {
				t.Errorf("shut for %d looks, killed %v: %d looks, %d orders, %v", shut, killed, looks, made, err)
			}
		}
	}
}

// A back-off says which name of the certificate failed, and what was to be done about it.
func TestABackOffNamesWhatFailed(t *testing.T) {
	w := newWorld(t, testca.Config{DeadNames: []string{"dead.example.com"}})
	r := request("a.example.com", "a.example.com", "dead.example.com")
	_, first := obtain(t.Context(), w.engine(), order.Plan{Request: r})
	_, err := obtain(t.Context(), w.engine(), order.Plan{Request: r})
	if failure.ClassOf(first) != failure.Validation || failure.ClassOf(err) != failure.BackOff {
		t.Fatalf("%v, then %v", first, err)
	}
	if !strings.Contains(err.Error(), "could not validate dead.example.com") ||
		!strings.HasPrefix(string(failure.RemedyOf(err)), string(failure.RemedyOf(first))) || !strings.Contains(string(failure.RemedyOf(err)), "dead.example.com") {
		t.Errorf("%v\n%s", err, failure.RemedyOf(err))
	}
}
