package drive_test

import (
	"fmt"
	"testing"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/order/drive"
	"orderly/testca"
)

// unlocated leaves the Location out of every answer of a kind.
func (w *world) unlocated(kinds ...string) {
	for _, kind := range kinds {
		w.ca.Inject(testca.Fault{Kind: kind, Action: testca.Rewrite, Header: map[string]string{"Location": ""}})
	}
}

// onlyOnce wants one order and one newOrder for the names, and each challenge answered once.
func (w *world) onlyOnce(r ledger.Request, newOrders int) {
	w.t.Helper()
	w.accounted()
	w.settled(r)
	if n := len(w.phantoms(r.Lineage)); n > 0 {
		w.t.Errorf("%d phantoms", n)
	}
	for _, o := range w.truth(r.Names...) {
		for _, a := range o.Authorizations {
			if a.Validations != 1 {
				w.t.Errorf("%s was validated %d times", a.Name, a.Validations)
			}
		}
	}
	if made, sent := len(w.truth(r.Names...)), w.requests("new-order"); made != 1 || sent != newOrders {
		w.explain()
		w.t.Errorf("%d orders of %d newOrders", made, sent)
	}
}

// An order whose URL the CA does not show is certain, and is brought to its end (C11).
func TestAnOrderWithoutAURLIsBroughtToItsEnd(t *testing.T) {
	late := func(c testca.Config) testca.Config {
		c.AsyncFinalize, c.FinalizeDelay = true, 3*time.Second
		return c
	}
	for _, c := range append(characters(), character{"with a list, slow to issue", late(testca.Config{OrdersList: true}), true, false}) {
		for _, finalize := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, finalize has a Location: %v", c.name, finalize), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, c.config)
				w.unlocated("new-order")
				if !finalize {
					w.unlocated("finalize")
				}
				r := request("a.example", "a.example", "b.example")
				w.get(r)
				w.onlyOnce(r, 1)
				if o := w.orders("a.example")[0]; (o.URL != "") != (finalize || c.lists) {
					t.Errorf("its URL is %q", o.URL)
				}
			})
		}
	}
}

func TestAnOrderWithoutAURLOutlivesItsProcess(t *testing.T) {
	for _, c := range characters() {
		for _, kind := range []string{"authorization", "challenge", "finalize", "certificate"} {
			t.Run(c.name+", killed before "+kind, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, c.config)
				w.unlocated("new-order", "finalize")
				r := request("a.example", "a.example", "b.example")
				w.untilKind(r, kind)
				w.accounted()
				w.get(r)
				w.onlyOnce(r, 1)
			})
		}
	}
}

// A lost answer to finalize: the same CSR goes once more.
func TestALostFinalizeOfAnOrderWithoutAURL(t *testing.T) {
	w := newWorld(t, testca.Config{})
	w.unlocated("new-order")
	w.ca.Inject(testca.Fault{Kind: "finalize", Nth: 1, Action: testca.Drop})
	r := request("a.example", "a.example", "b.example")
	w.get(r)
	w.onlyOnce(r, 1)
}

// Where nobody says any more what became of it, it does not keep its lineage until it expires.
func TestAnOrderThatNobodyCanFindIsLost(t *testing.T) {
	w := newWorld(t, testca.Config{})
	w.lose("finalize", 1)
	w.unlocated("new-order", "finalize")
	r := request("a.example", "a.example", "b.example")
	if _, err := obtain(t.Context(), w.engine(), order.Plan{Request: r}); err == nil {
		t.Fatal("nobody has the certificate")
	}
	w.clock.skip(2 * time.Hour)
	w.get(r)
	w.accounted()
	if got := w.states("a.example"); got != "lost installed" {
		t.Errorf("the orders are %s", got)
	}
}

// A CA that refuses finalize for some seconds, since it does not see yet what it has validated, takes
// it then: also from a run that continues an order long after it was made.
func TestAnOrderWithoutAURLIsNotLostForAnEarlyFinalize(t *testing.T) {
	for _, before := range []string{"finalize", "challenge"} {
		t.Run(before, func(t *testing.T) {
			w := newWorld(t, testca.Config{})
			w.unlocated("new-order")
			r := request("a.example", "a.example", "b.example")
			w.untilKind(r, before)
			w.clock.skip(2 * time.Hour)
			for n := range 4 {
				w.ca.Inject(testca.Fault{Kind: "finalize", Nth: n + 1, Action: testca.Respond, Status: 403,
					Problem: "orderNotReady"})
			}
			w.get(r)
			w.onlyOnce(r, 1)
		})
	}
}

func TestAnOrderWithoutAURLThatFailsIsCounted(t *testing.T) {
	w := newWorld(t, testca.Config{})
	w.unlocated("new-order")
	w.web.roots["a.example"] = "/elsewhere"
	r := request("a.example", "a.example", "b.example")
	_, err := w.fails(order.Plan{Request: r}, failure.Validation)
	w.accounted()
	if o := w.orders("a.example")[0]; o.State != ledger.Invalid || o.SettledAt.IsZero() || w.ca.Truth().Pending() > 0 {
		w.explain()
		t.Errorf("order %s: %v", o.State, err)
	}
}

func TestAnOrderWithoutAURLCanBeGivenUp(t *testing.T) {
	w := newWorld(t, testca.Config{})
	w.unlocated("new-order")
	r := request("a.example", "a.example", "b.example")
	w.untilKind(r, "authorization")
	if err := w.engine().Release(t.Context(), w.orders("a.example")[0]); failure.ClassOf(err) != failure.Released {
		w.explain()
		t.Fatal(err)
	}
	w.accounted()
	if w.ca.Truth().Pending() > 0 {
		t.Error("it is pending")
	}
}

// A CA that hands orders back does so without a Location, too: it is the same order.
func TestAnOrderWithoutAURLHasOneOwner(t *testing.T) {
	w := newWorld(t, testca.Config{Boulder: true, Reuse: true, HideProcessing: true})
	w.unlocated("new-order")
	first, second := request("first", "a.example", "b.example"), request("second", "a.example", "b.example")
	w.untilKind(first, "authorization")
	o := w.orders("first")[0]
	o.SettledAt = w.clock.Now() // it rests
	must(t, w.store.Commit(t.Context(), &ledger.Change{Orders: []*ledger.Order{o}}))
	w.get(second)
	w.accounted()
	if got := w.states("first"); got != "released" {
		t.Errorf("the first one is %s", got)
	}
	w.onlyOnce(second, 2)
}

// Whether an order of which nobody can ask is over is for the CA's clock to say.
func TestAClockThatJumpedDoesNotEndAnOrderWithoutAURL(t *testing.T) {
	w := newWorld(t, testca.Config{ValidationDelay: 50 * time.Millisecond})
	w.unlocated("new-order")
	r := request("a.example", "a.example")
	w.dieAt(r, "challenge", 1, false)
	e := drive.Changed(w.engine(), func(c *drive.Config) { c.Clock = ahead{w.clock, 9 * 24 * time.Hour} })
	_, err := obtain(t.Context(), e, order.Plan{Request: r})
	must(t, err)
	w.wantStates("a.example", "installed")
	w.onlyOnce(r, 1)
}
