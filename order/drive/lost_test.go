package drive_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/limit"
	"orderly/order"
	"orderly/order/drive"
	"orderly/testca"
)

// shown is what `orderly pending` shows: how many authorizations are or may be pending.
func (w *world) shown() int {
	w.t.Helper()
	pending, err := w.store.Pending(context.Background(), w.clock.Now())
	must(w.t, err)
	n := 0
	for _, p := range pending {
		n += max(1, len(p.Names))
	}
	return n
}

// accounted wants the CA to hold no more pending than the ledger shows.
func (w *world) accounted() {
	w.t.Helper()
	if open, shown := w.ca.Truth().Pending(), w.shown(); open > shown {
		w.explain()
		w.t.Errorf("the CA holds %d authorizations pending, and the ledger shows %d", open, shown)
	}
}

// phantoms are the phantoms of a lineage.
func (w *world) phantoms(lineage string) []*ledger.Order {
	w.t.Helper()
	var found []*ledger.Order
	for _, o := range w.orders(lineage) {
		if o.State == ledger.Phantom {
			found = append(found, o)
		}
	}
	return found
}

// elsewhere makes an order in the account's name of which this ledger hears nothing.
func (w *world) elsewhere(profile string, names ...string) acme.Order {
	w.t.Helper()
	client, err := acme.New(w.ca.DirectoryURL(), acme.Options{HTTP: &http.Client{Transport: w.wire.real}, Now: w.clock.Now})
	must(w.t, err)
	o, err := client.Account(w.key, w.row.URL).NewOrder(w.t.Context(), acme.OrderRequest{Names: names, Profile: profile})
	must(w.t, err)
	return o
}

// wanted are the payloads of the newOrders that the engine sends from now on.
func (w *world) wanted() *[]map[string]any {
	var all []map[string]any
	w.wire.heard = func(kind string, payload []byte) {
		var object map[string]any
		if kind == "new-order" && json.Unmarshal(payload, &object) == nil {
			all = append(all, object)
		}
	}
	return &all
}

// Whatever a CA says of what is to be replaced, the order is made without it (C2).
func TestARefusedReplacementIsOrderedWithoutIt(t *testing.T) {
	for _, c := range []struct {
		status          int
		problem, detail string
	}{
		{409, "alreadyReplaced", "it has a replacement order"},
		{409, "conflict", "it has a replacement order"},
		{409, "", ""},
		{404, "malformed", "no such certificate"},
		{404, "notFound", "no such certificate"},
		{400, "malformed", "no name in common"},
		{400, "replacesInvalid", "unknown"},
		{403, "unauthorized", "Requester account did not request the certificate being replaced by this order"},
		{403, "unauthorized", "not yours"},
		{403, "unauthorized", "certificate not found for this account"},
		{401, "unauthorized", "Unknown serial for account"},
		{405, "", ""},
		{422, "about:blank", "unprocessable"},
	} {
		for _, lists := range []bool{false, true} {
			w := newWorld(t, testca.Config{OrdersList: lists})
			r := request("a.example", "a.example")
			r.Replaces = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"
			w.ca.Inject(testca.Fault{Kind: "new-order", Nth: 1, Action: testca.Respond, Status: c.status, Problem: c.problem, Detail: c.detail})
			sent := w.wanted()
			w.get(r)
			w.kept(r, 0)
			if len(*sent) != 2 || (*sent)[0]["replaces"] == nil || (*sent)[1]["replaces"] != nil {
				t.Errorf("%d %s: newOrders %v", c.status, c.problem, *sent)
			}
			if walked := w.requests("orders") > 0; walked != lists {
				t.Errorf("%d %s: the list is there: %v, was looked at: %v", c.status, c.problem, lists, walked)
			}
		}
	}
}

// An order that a run before made in vain, as far as anybody here knows, is why the CA refuses: the list shows it.
func TestWhatReplacesItIsFoundInTheList(t *testing.T) {
	w := newWorld(t, testca.Config{OrdersList: true})
	r := request("a.example", "a.example")
	w.elsewhere("", "a.example")
	r.Replaces = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"
	w.wire.forget()
	w.ca.Inject(testca.Fault{Kind: "new-order", Nth: 1, Action: testca.Respond, Status: 409, Problem: "conflict"})
	w.get(r)
	w.kept(r, 0)
	if n := len(w.truth("a.example")); n != 1 {
		t.Errorf("%d orders were made", n)
	}
}

func TestProblemsOfTheAccountStopAReplacement(t *testing.T) {
	for _, c := range []struct {
		status          int
		problem, detail string
	}{
		{400, "accountDoesNotExist", "who are you"},
		{403, "unauthorized", `Account is not valid, has status "deactivated"`},
	} {
		w := newWorld(t, testca.Config{})
		r := request("a.example", "a.example")
		r.Replaces = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"
		w.ca.Inject(testca.Fault{Kind: "new-order", Action: testca.Respond, Status: c.status, Problem: c.problem, Detail: c.detail})
		w.fails(order.Plan{Request: r}, failure.Account)
		if n := w.requests("new-order"); n != 1 {
			t.Errorf("%s: %d newOrders", c.problem, n)
		}
	}
}

// A 5xx and a 429 say nothing of what is to be replaced.
func TestAnOutageIsNoRefusalOfAReplacement(t *testing.T) {
	for _, status := range []int{500, 503} {
		w := newWorld(t, testca.Config{OrdersList: true})
		r := request("a.example", "a.example")
		w.get(r)
		replaced, err := w.store.Certificate(t.Context(), "a.example")
		must(t, err)
		r.Replaces = replaced.RenewalID
		w.ca.Inject(testca.Fault{Kind: "new-order", Nth: 1, Action: testca.Respond, Status: status, Problem: "serverInternal"})
		sent := w.wanted()
		w.get(r)
		if len(*sent) != 2 || (*sent)[1]["replaces"] == nil {
			t.Errorf("%d: newOrders %v", status, *sent)
		}
	}
	w := newWorld(t, testca.Config{})
	r := request("a.example", "a.example")
	r.Replaces = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"
	w.ca.Inject(testca.Fault{Kind: "new-order", Action: testca.Respond, Status: http.StatusTooManyRequests, Problem: "rateLimited", RetryAfter: "3600"})
	w.fails(order.Plan{Request: r}, failure.RateLimited)
	if n := w.requests("new-order"); n != 1 {
		t.Errorf("%d newOrders", n)
	}
}

// shadows are the ways in which an order of the name set ends a CA's habit of handing orders back, each made before the newOrder
// of which the answer is lost.
var shadows = map[string]func(w *world, r ledger.Request){
	"of another profile, its names made valid": func(w *world, r ledger.Request) {
		r.Profile = "shortlived"
		w.untilKind(r, "authorization")
	},
	"of another profile, given up": func(w *world, r ledger.Request) {
		r.Profile, r.Lineage = "shortlived", "other"
		w.untilKind(r, "authorization")
		o := w.orders("other")[0]
		if err := w.engine().Release(w.t.Context(), o); failure.ClassOf(err) != failure.Released {
			w.t.Fatal(err)
		}
	},
	"of another account": func(w *world, r ledger.Request) {
		w.untilKind(r, "authorization")
		w.register()
	},
}

// untilKind runs a process that dies before its first request of a kind.
func (w *world) untilKind(r ledger.Request, kind string) {
	w.t.Helper()
	w.wire.before = func(_ int, k string, _ *http.Request) {
		if k == kind {
			panic(killed{})
		}
	}
	defer w.wire.forget()
	defer func() {
		if _, ok := recover().(killed); !ok {
			w.t.Fatalf("the process has not come to its %s", kind)
		}
	}()
	_, _ = obtain(context.Background(), w.engine(), order.Plan{Request: r})
}

// Where an order that is not ours to have ends reuse, each newOrder makes another order, and the second is not the first (C18).
func TestAShadowedOrderIsNotTakenForTheLostOne(t *testing.T) {
	for name, before := range shadows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testca.Config{Boulder: true, Reuse: true, HideProcessing: true,
				Profiles: map[string]testca.Lifetimes{"shortlived": {Order: 8 * time.Hour, PendingAuthorization: time.Hour}}})
			r := request("a.example", "a.example", "b.example")
			before(w, r)
			w.lose("new-order", 1)
			w.get(r)
			w.accounted()
			if n := len(w.phantoms("a.example")); n != 1 {
				w.explain()
				t.Errorf("%d phantoms", n)
			}
		})
	}
}

// Whether a shadow has expired is for the CA's clock to say: ours may be weeks ahead.
func TestAShadowStandsWhateverOurClockSays(t *testing.T) {
	for name, before := range shadows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testca.Config{Boulder: true, Reuse: true, HideProcessing: true,
				Profiles: map[string]testca.Lifetimes{"shortlived": {Order: 8 * time.Hour, PendingAuthorization: time.Hour}}})
			r := request("a.example", "a.example", "b.example")
			before(w, r)
			w.lose("new-order", 1)
			e := drive.Changed(w.engine(), func(c *drive.Config) { c.Clock = ahead{w.clock, 9 * 24 * time.Hour} })
			_, err := obtain(t.Context(), e, order.Plan{Request: r})
			must(t, err)
			w.accounted()
		})
	}
}

// Under a shadow that has expired since, each newOrder made an order: that the CA hands one of them back by now says nothing of
// the other.
func TestAShadowThatIsOverHadItsTime(t *testing.T) {
	w := newWorld(t, testca.Config{Boulder: true, Reuse: true, HideProcessing: true,
		Profiles: map[string]testca.Lifetimes{"shortlived": {Order: 8 * time.Hour, PendingAuthorization: time.Hour}}})
	r := request("a.example", "a.example", "b.example")
	shadows["of another profile, given up"](w, r)
	for range 2 {
		w.dieAt(r, "new-order", 1, true)
		w.wire.forget()
		w.clock.skip(time.Minute)
	}
	w.clock.skip(9 * time.Hour)
	w.get(r)
	w.accounted()
	if n := len(w.phantoms("a.example")); n != 2 {
		w.explain()
		t.Errorf("%d phantoms", n)
	}
}

// Without a shadow the CA hands the first one back, and nothing is recorded for it.
func TestTheLostOrderIsHandedBack(t *testing.T) {
	w := newWorld(t, testca.Config{Boulder: true, Reuse: true, HideProcessing: true})
	r := request("a.example", "a.example", "b.example")
	w.lose("new-order", 1)
	w.get(r)
	w.accounted()
	w.kept(r, 0)
}

// A list proves only what it shows clearly (C4).
func TestWhatAListDoesNotShowClearlyProvesNothing(t *testing.T) {
	odd := func(shape testca.Shape) testca.Fault {
		return testca.Fault{Kind: "order", Action: testca.Misshape, Shape: shape}
	}
	for _, c := range []struct {
		name     string
		names    []string
		fault    testca.Fault
		phantoms int // 0: it is found
	}{
		{"an unknown status", []string{"a.example"}, testca.Fault{Kind: "order", Action: testca.Rewrite, Patch: []byte(`{"status":"under-review"}`)}, 1},
		{"no wildcard", []string{"*.a.example"}, odd(testca.NoWildcard), 1},
		{"no names", []string{"a.example"}, testca.Fault{Kind: "order", Action: testca.Rewrite, Patch: []byte(`{"identifiers":[]}`)}, 1},
		{"names that are none", []string{"a.example"}, odd(testca.OddNames), 1},
		{"a dot at the end", []string{"a.example"}, odd(testca.TrailingDot), 0},
		{"upper case", []string{"a.example"}, odd(testca.UpperCase), 0},
		{"Unicode", []string{"xn--bcher-kva.example"}, odd(testca.UnicodeNames), 0},
		{"an order that cannot be read", []string{"a.example"}, testca.Fault{Kind: "order", Action: testca.Respond, Status: 500, Problem: "serverInternal"}, 1},
		{"an order that is a page", []string{"a.example"}, testca.Fault{Kind: "order", Action: testca.Respond, Status: 200}, 1},
		{"an order that is gone", []string{"a.example"}, testca.Fault{Kind: "order", Action: testca.Respond, Status: 404, Problem: "malformed"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testca.Config{OrdersList: true})
			r := request("a.example", c.names...)
			w.lose("new-order", 1)
			w.ca.Inject(c.fault)
			ctx, cancel := context.WithCancel(t.Context())
			w.wire.before = func(_ int, kind string, _ *http.Request) {
				if kind == "authorization" { // until then the order is sought, from then on it is looked at
					w.ca.ClearFaults()
					cancel()
				}
			}
			_, err := obtain(ctx, w.engine(), order.Plan{Request: r})
			if failure.ClassOf(err) != failure.Stopped {
				w.explain()
				t.Fatal(err)
			}
			w.accounted()
			made := len(w.truth(c.names...))
			if n := len(w.phantoms("a.example")); n != c.phantoms || made != 1+c.phantoms {
				w.explain()
				t.Errorf("%d phantoms, %d orders at the CA", n, made)
			}
		})
	}
}

// Other orders of the account, well shown, prove that the lost one was never made.
func TestAListOfOthersProvesThatNothingWasMade(t *testing.T) {
	w := newWorld(t, testca.Config{OrdersList: true})
	for i := range 5 {
		w.elsewhere("", fmt.Sprintf("x%d.example", i), "a.example")
	}
	w.elsewhere("", "*.a.example", "a.example", "b.example")
	r := request("a.example", "*.a.example", "a.example")
	w.ca.Inject(testca.Fault{Kind: "new-order", Nth: 1, Action: testca.Drop})
	ctx, cancel := context.WithCancel(t.Context())
	w.wire.before = func(_ int, kind string, _ *http.Request) {
		if kind == "authorization" {
			cancel()
		}
	}
	if _, err := obtain(ctx, w.engine(), order.Plan{Request: r}); failure.ClassOf(err) != failure.Stopped {
		w.explain()
		t.Fatal(err)
	}
	if n, made := len(w.phantoms("a.example")), len(w.truth("*.a.example", "a.example")); n != 0 || made != 1 {
		w.explain()
		t.Errorf("%d phantoms, %d orders", n, made)
	}
}

// Two newOrders that both arrived are both in the list: one is gone on with, the other is counted.
func TestEveryLostOrderOfAListIsKnown(t *testing.T) {
	w := newWorld(t, testca.Config{OrdersList: true})
	r := request("a.example", "a.example", "b.example")
	w.elsewhere("", "a.example", "b.example")
	w.lose("new-order", 1)
	w.get(r)
	w.accounted()
	if n := len(w.truth("a.example", "b.example")); n != 2 {
		t.Errorf("%d orders", n)
	}
	if n := w.shown(); n != 2 {
		t.Errorf("%d authorizations are shown", n)
	}
	w.get(r) // a renewal takes it up
	if n := len(w.truth("a.example", "b.example")); n != 2 || w.ca.Truth().Pending() > 0 {
		w.explain()
		t.Errorf("%d orders, %d pending", n, w.ca.Truth().Pending())
	}
}

// An order of the list that may be the lost one and is dead is nothing to go on with, but what is pending of it is known.
func TestALostOrderThatDiedIsKnown(t *testing.T) {
	w := newWorld(t, testca.Config{OrdersList: true})
	w.lose("new-order", 1)
	dead := ""
	w.rewrite("order", func(_ http.Header, object map[string]any) {
		finalize, _ := object["finalize"].(string)
		if dead == "" {
			dead = finalize
		}
		if finalize == dead {
			object["status"] = "invalid"
		}
	})
	r := request("a.example", "a.example", "b.example")
	w.get(r)
	w.accounted()
	if n, shown := len(w.truth(r.Names...)), w.shown(); n != 2 || shown != 2 {
		w.explain()
		t.Errorf("%d orders, %d authorizations are shown", n, shown)
	}
	w.get(r) // another newOrder for the names does not make it forgotten
	w.accounted()
}

// A list that is of no use keeps nobody from his certificate, and is asked for once (C5).
func TestAListThatIsOfNoUseIsDoneWithout(t *testing.T) {
	for _, c := range []struct {
		name     string
		fault    testca.Fault
		asked    int // how often, at most
		phantoms int
	}{
		{"a bare array", testca.Fault{Kind: "orders", Action: testca.Misshape, Shape: testca.BareArray}, 9, 0},
		{"null", testca.Fault{Kind: "orders", Action: testca.Misshape, Shape: testca.NullList}, 1, 1},
		{"null in an object", testca.Fault{Kind: "orders", Action: testca.Rewrite, Patch: []byte(`{"orders":null}`)}, 1, 1},
		{"a page", testca.Fault{Kind: "orders", Action: testca.Respond, Status: 200}, 1, 1},
		{"405", testca.Fault{Kind: "orders", Action: testca.Respond, Status: 405}, 1, 1},
		{"403", testca.Fault{Kind: "orders", Action: testca.Respond, Status: 403, Problem: "unauthorized", Detail: "no lists here"}, 1, 1},
		{"404", testca.Fault{Kind: "orders", Action: testca.Respond, Status: 404, Problem: "malformed"}, 1, 1},
		{"500", testca.Fault{Kind: "orders", Action: testca.Respond, Status: 500, Problem: "serverInternal"}, 3, 1},
		{"502 page", testca.Fault{Kind: "orders", Action: testca.Respond, Status: 502}, 3, 1},
		{"503", testca.Fault{Kind: "orders", Action: testca.Respond, Status: 503}, 5, 1},
		{"no answer", testca.Fault{Kind: "orders", Action: testca.Drop}, 3, 1},
		{"an account that cannot be asked for", testca.Fault{Kind: "account", Action: testca.Respond, Status: 405}, 0, 1},
		{"an account that is a page", testca.Fault{Kind: "account", Action: testca.Respond, Status: 200}, 0, 1},
		{"an account that answers 500", testca.Fault{Kind: "account", Action: testca.Respond, Status: 500, Problem: "serverInternal"}, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testca.Config{OrdersList: true})
			w.ca.Inject(c.fault)
			for _, name := range []string{"a.example", "b.example"} {
				r := request(name, name)
				w.ca.Inject(testca.Fault{Kind: "new-order", Nth: 1, Action: testca.LoseAnswer})
				w.get(r)
				w.accounted()
				w.kept(r, c.phantoms)
				if n := len(w.phantoms(name)); n != c.phantoms {
					t.Errorf("%d phantoms", n)
				}
			}
			if n := w.requests("orders"); n > c.asked {
				t.Errorf("the list was asked for %d times", n)
			}
			row, err := w.store.AccountByID(t.Context(), w.row.ID)
			must(t, err)
			if unlisted := !row.UnlistedAt.IsZero(); unlisted != (c.phantoms > 0) {
				t.Errorf("it is remembered: %v", unlisted)
			}
		})
	}
}

// What is true of the account is not taken for the list's fault, and an outage not for a list that is none.
func TestAListDoesNotHideWhatStopsEverything(t *testing.T) {
	w := newWorld(t, testca.Config{OrdersList: true})
	w.lose("new-order", 1)
	w.ca.Inject(testca.Fault{Kind: "orders", Action: testca.Respond, Status: 400, Problem: "accountDoesNotExist"})
	w.fails(order.Plan{Request: request("a.example", "a.example")}, failure.Account)

	w = newWorld(t, testca.Config{OrdersList: true})
	w.lose("new-order", 1)
	w.ca.Inject(testca.Fault{Action: testca.Respond, Status: 502})
	r := request("a.example", "a.example")
	if _, err := obtain(t.Context(), w.engine(), order.Plan{Request: r}); err == nil {
		t.Error("an outage is no error")
	}
	row, err := w.store.AccountByID(t.Context(), w.row.ID)
	must(t, err)
	if !row.UnlistedAt.IsZero() {
		t.Error("an outage is remembered as an account without a list")
	}
	w.ca.ClearFaults()
	w.clock.skip(time.Hour)
	w.get(r)
	w.kept(r, 2)
}

// For as long as newOrder has no answer, one row goes on; once the CA answers, the certificate is there (C10).
func TestALongOutageOfNewOrderLeavesOneRow(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault testca.Fault
		made  bool // behind the page, the CA makes an order each time
	}{
		{"pages", testca.Fault{Kind: "new-order", Action: testca.Respond, Status: 502}, false},
		{"pages, and what is behind them works", testca.Fault{Kind: "new-order", Action: testca.Misshape, Shape: testca.PageInstead}, true},
		{"gateway time-outs", testca.Fault{Kind: "new-order", Action: testca.Misshape, Shape: testca.PageInstead, Status: 504}, true},
		{"500", testca.Fault{Kind: "new-order", Action: testca.Respond, Status: 500, Problem: "serverInternal"}, false},
		{"no answer", testca.Fault{Kind: "new-order", Action: testca.LoseAnswer}, true},
		{"a page that calls itself a success", testca.Fault{Kind: "new-order", Action: testca.Respond, Status: 200}, false},
	} {
		for _, ca := range characters() {
			t.Run(c.name+", "+ca.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, ca.config)
				r := request("a.example", "a.example", "b.example")
				w.ca.Inject(c.fault)
				for run := range 8 {
					_, err := obtain(t.Context(), w.engine(), order.Plan{Request: r})
					if err == nil && c.made && ca.lists {
						break // it was found
					}
					if class := failure.ClassOf(err); class != failure.AnswerLost && class != failure.CAUnavailable {
						w.explain()
						t.Fatalf("run %d: %v", run, err)
					}
					w.accounted()
					if n := len(w.orders("a.example")); n != 1 {
						t.Fatalf("run %d: %d rows", run, n)
					}
					w.clock.skip(5 * time.Hour)
				}
				w.ca.ClearFaults()
				if !w.disk.has("a.example") {
					w.get(r)
				}
				w.accounted()
				w.kept(r, 2)
				if n := len(w.truth(r.Names...)); n > 3 {
					t.Errorf("%d orders were made", n)
				}
			})
		}
	}
}

// A page with a 4xx is something before the CA that let nothing through: no refusal of the CA's, and no phantom.
func TestAPageIsNoRefusal(t *testing.T) {
	for _, status := range []int{403, 404, 413} {
		w := newWorld(t, testca.Config{})
		r := request("a.example", "a.example")
		w.ca.Inject(testca.Fault{Kind: "new-order", Action: testca.Respond, Status: status})
		_, err := w.fails(order.Plan{Request: r}, failure.CAUnavailable)
		if !strings.Contains(err.Error(), "not the CA itself") {
			t.Error(err)
		}
		w.ca.ClearFaults()
		w.get(r)
		w.kept(r, 0)
	}
}

// Where pending authorizations are counted, phantoms keep nobody from a CA that answers (C10).
func TestALockOutByPhantomsEndsWhenTheCAAnswers(t *testing.T) {
	w := newWorld(t, testca.Config{Limits: testca.Limits{PendingAuthorizations: testca.Limit{Count: 4}}})
	counts := func(e *drive.Engine) *drive.Engine {
		e = drive.Changed(e, func(c *drive.Config) {
			c.Profiles = limit.Profiles{{Name: "counting", CountsPending: 4, LongestValidation: time.Minute, OrderLifetime: 168 * time.Hour}}
		})
		return e
	}
	w.ca.Inject(testca.Fault{Kind: "new-order", Action: testca.Respond, Status: 502})
	first, second := request("a.example", "a.example"), request("b.example", "b.example", "c.example")
	for range 3 {
		for _, r := range []ledger.Request{first, second} {
			if _, err := obtain(t.Context(), counts(w.engine()), order.Plan{Request: r}); err == nil {
				t.Fatal("an outage is no error")
			}
			w.clock.skip(time.Hour)
		}
	}
	w.ca.ClearFaults()
	for _, r := range []ledger.Request{second, first} {
		if _, err := obtain(t.Context(), counts(w.engine()), order.Plan{Request: r}); err != nil {
			w.explain()
			t.Fatal(err)
		}
		w.kept(r, 2)
	}
}

// A run that dies while it fetches the nonce has sent no newOrder, and the ledger knows (C13).
func TestWhoDiesBeforeNewOrderLeavesNoPhantom(t *testing.T) {
	for _, c := range characters() {
		w := newWorld(t, c.config)
		r := request("a.example", "a.example", "b.example")
		w.untilKind(r, "new-nonce")
		if n := w.shown(); n > 0 {
			t.Errorf("%s: %d authorizations may be pending, it is said", c.name, n)
		}
		w.get(r)
		w.kept(r, 0)
	}
}

// A phantom lasts as long as an order of its profile does, and not for the longest that any has (C22).
func TestAPhantomExpiresWithAnOrderOfItsProfile(t *testing.T) {
	w := newWorld(t, testca.Config{Profiles: map[string]testca.Lifetimes{
		"shortlived": {Order: 8 * time.Hour, PendingAuthorization: time.Hour},
		"odd":        {Order: 8 * time.Hour, PendingAuthorization: 30 * time.Hour}}})
	for profile, life := range map[string]time.Duration{"": 168 * time.Hour, "shortlived": 8 * time.Hour, "odd": 30 * time.Hour} {
		name := "p" + profile + ".example"
		r := request(name, name, "www."+name)
		r.Profile = profile
		began := w.clock.Now()
		w.ca.ClearFaults()
		w.lose("new-order", 1)
		w.get(r)
		w.accounted()
		lost := w.truth(r.Names...)[0]
		end := lost.Expires
		for _, a := range lost.Authorizations {
			if a.Expires.After(end) {
				end = a.Expires
			}
		}
		ghosts := w.phantoms(name)
		if len(ghosts) != 1 || ghosts[0].Expires.Before(end) || ghosts[0].Expires.After(began.Add(life+time.Hour)) {
			w.explain()
			t.Errorf("%q: phantoms %v, the lost order and what is of it end at %s", profile, ghosts, end)
		}
	}
}

// A CA that looks at the earliest order of a name set, and hands back a later one, shows that nothing came of the lost one (C13).
func TestAPhantomIsRefutedByALaterOrderHandedBack(t *testing.T) {
	w := newWorld(t, testca.Config{Boulder: true, Reuse: true, HideProcessing: true})
	w.get(request("x.example", "x.example")) // its lifetime shows which newOrder an order was born of
	first, second := request("first", "a.example", "b.example"), request("second", "a.example", "b.example")
	w.untilKind(first, "new-order") // which never left
	w.clock.skip(time.Minute)
	w.untilKind(first, "authorization")
	if n := len(w.phantoms("first")); n != 1 {
		w.explain()
		t.Fatalf("%d phantoms", n)
	}
	for _, o := range w.orders("first") {
		o.SettledAt = w.clock.Now() // it rests, so that it is not brought to its end first
		must(t, w.store.Commit(t.Context(), &ledger.Change{Orders: []*ledger.Order{o}}))
	}
	w.get(second)
	w.accounted()
	if n := len(w.phantoms("first")); n != 0 {
		w.explain()
		t.Errorf("%d phantoms", n)
	}
}
