package drive_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/limit"
	"orderly/order"
	"orderly/order/drive"
	"orderly/testca"
)

// answeredOnce wants one order in place, nothing pending at the CA or in the ledger, and one validation for each name.
func (w *world) answeredOnce(r ledger.Request) {
	w.t.Helper()
	w.settled(r)
	w.served(r.Lineage, 1, true)
	truth := w.ca.Truth()
	accepted := count(truth.Requests, func(q testca.Request) bool { return q.Kind == "challenge" && q.Status == 200 })
	if truth.ValidatedTwice() != 0 || accepted != len(r.Names) {
		w.explain()
		w.t.Errorf("%d validated twice, %d answers to %d challenges", truth.ValidatedTwice(), accepted, len(r.Names))
	}
	pending, err := w.store.Pending(w.t.Context(), w.clock.Now())
	must(w.t, err)
	if len(pending) > 0 {
		w.t.Errorf("said to be pending: %+v", pending)
	}
}

// A CA that gives its authorizations other URLs: what the order names now is asked for, and no challenge is answered twice.
func TestWhatTheOrderNamesNowCounts(t *testing.T) {
	r := request("a.example", "a.example", "b.example")
	for name, c := range map[string]struct {
		kind  string
		nth   int
		after bool
	}{
		"before they were shown":       {"authorization", 1, false},
		"before one was answered":      {"challenge", 1, false},
		"after one was answered":       {"challenge", 1, true},
		"after both were answered":     {"challenge", 2, true},
		"before finalize":              {"finalize", 1, false},
		"after finalize":               {"finalize", 1, true},
		"before the certificate":       {"certificate", 1, false},
		"when one of them was shown":   {"authorization", 1, true},
		"when all of them were placed": {"challenge", 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testca.Config{HideProcessing: true})
			w.dieAt(r, c.kind, c.nth, c.after)
			w.ca.SetOdd(testca.Odd{Moved: 1})
			w.get(r)
			w.answeredOnce(r)
		})
	}
}

func TestURLsThatMoveUnderARunAreFollowed(t *testing.T) {
	for _, kind := range []string{"authorization", "challenge", "finalize"} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, testca.Config{})
			w.wire.before = func(_ int, k string, _ *http.Request) {
				if k == kind {
					w.ca.SetOdd(testca.Odd{Moved: 2})
				}
			}
			r := request("a.example", "a.example", "b.example")
			w.get(r)
			w.answeredOnce(r)
		})
	}
}

// To and fro between two forms, as with two front ends of which one is old.
func TestURLsThatTakeTurnsEndInOneCertificate(t *testing.T) {
	w := newWorld(t, testca.Config{})
	r := request("a.example", "a.example", "b.example")
	for i, kind := range []string{"authorization", "challenge", "challenge", "finalize"} {
		w.dieAt(r, kind, 1, false)
		w.ca.SetOdd(testca.Odd{Moved: (i + 1) % 2})
	}
	w.get(r)
	w.answeredOnce(r)
}

func TestRelativeURLsAreThoseOfTheCA(t *testing.T) {
	w := newWorld(t, testca.Config{})
	w.ca.SetOdd(testca.Odd{Relative: true})
	r := request("a.example", "a.example", "b.example")
	w.get(r)
	w.answeredOnce(r)
}

// Another authorization in the place of a former one has a challenge of its own, which is answered; the former one's token goes.
func TestAnotherAuthorizationInTheOldOnesPlaceIsAnswered(t *testing.T) {
	w := newWorld(t, testca.Config{})
	r := request("a.example", "a.example")
	w.dieAt(r, "authorization", 1, true)
	o := w.orders("a.example")[0]
	a := o.Authorizations[0]
	a.URL, a.Name, a.Token, a.ChallengeType = a.URL+"-former", "a.example", "former", ledger.HTTP01
	a.AnswerSentAt, a.Answers = w.clock.Now().Add(-time.Second), 1
	a.Placement = "/srv/a.example former"
	must(t, w.store.Commit(t.Context(), &ledger.Change{Orders: []*ledger.Order{o}}))
	w.get(r)
	w.answeredOnce(r)
}

// A name in Unicode, one with its "*.", and one without the mark of a wildcard are the names that were ordered.
func TestNamesAsTheCAShowsThem(t *testing.T) {
	w := newWorld(t, testca.Config{})
	w.ca.SetOdd(testca.Odd{Unicode: true})
	r := request("xn--bcher-kva.example", "xn--bcher-kva.example", "www.xn--bcher-kva.example")
	w.get(r)
	w.answeredOnce(r)
	for name, names := range map[string][]string{"alone": {"*.w.example"}, "with the apex": {"w.example", "*.w.example", "v.example"}} {
		w := newWorld(t, testca.Config{})
		w.zone()
		w.ca.SetOdd(testca.Odd{NotWild: true})
		r := byDNS("w.example", names...)
		if _, err := obtain(t.Context(), w.engine(), order.Plan{Request: r}); err != nil {
			w.explain()
			t.Fatalf("%s: %v", name, err)
		}
		w.answeredOnce(r)
		for _, a := range w.orders("w.example")[0].Authorizations {
			if !slices.Contains(names, a.FullName()) {
				t.Errorf("%s: an authorization of %s, of which nobody spoke", name, a.FullName())
			}
		}
	}
}

// Boulder refuses a name beside a wildcard that covers it, with every run: no order is made where that is known, and the name to
// leave out is said. Other CAs take both.
func TestANameThatAWildcardCovers(t *testing.T) {
	names := []string{"*.w.example", "a.w.example", "w.example"}
	w := newWorld(t, testca.Config{Boulder: true})
	w.zone()
	for range 2 {
		_, err := w.fails(order.Plan{Request: byDNS("w.example", names...)}, failure.BadName)
		if !strings.Contains(string(failure.RemedyOf(err)), "Leave a.w.example out") {
			t.Errorf("%v: %s", err, failure.RemedyOf(err))
		}
	}
	if n := w.requests("new-order"); n != 0 {
		t.Errorf("%d newOrders", n)
	}
	e := w.engine()
	e = drive.Changed(e, func(c *drive.Config) {
		c.Profiles = limit.Profiles{{Name: "here", Directory: w.ca.DirectoryURL(), Boulder: true, LongestValidation: time.Minute, OrderLifetime: time.Hour}}
	})
	w.wire.forget()
	before := len(w.ca.Truth().Requests)
	if _, err := obtain(t.Context(), e, order.Plan{Request: byDNS("w.example", names...)}); failure.ClassOf(err) != failure.BadName {
		t.Errorf("known by its address: %v", err)
	}
	if n := len(w.ca.Truth().Requests) - before; n != 0 {
		t.Errorf("%d requests to a CA that is known by its address", n)
	}
	w = newWorld(t, testca.Config{})
	w.zone()
	w.get(byDNS("w.example", names...))
	w.served("w.example", 1, true)
}
