package drive_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/order/drive"
	"orderly/testca"
)

// forgets lets the CA answer with 404 for the authorizations of these names, while it shows their
// order.
func (w *world) forgets(names ...string) {
	gone := map[string]bool{}
	for _, o := range w.ca.Truth().Orders {
		for _, a := range o.Authorizations {
			for _, name := range names {
				gone[a.URL] = gone[a.URL] || a.Name == name
			}
		}
	}
	w.wire.after = func(_ int, _ string, answer *http.Response) *http.Response {
		if !gone[answer.Request.URL.String()] {
			return answer
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
		text, _ := json.Marshal(map[string]string{"type": "urn:ietf:params:acme:error:malformed", "detail": "No such authorization"})
		answer.Header.Del("Content-Length")
		answer.Header.Set("Content-Type", "application/problem+json")
		return respond(404, answer.Header, string(text))
	}
}

// An authorization that the CA does not know, day in, day out, while it shows the order, keeps
// neither its siblings from being proven nor its names from a certificate until the order would
// have expired. It is one order more, after a back-off, and what may be pending stays counted.
func TestAnAuthorizationThatIsMissingForADayEndsItsOrder(t *testing.T) {
	r := request("a.example", "a.example", "b.example")
	for name, c := range map[string]struct {
		gone    []string
		pending int
	}{
		"one of them": {[]string{"b.example"}, 1},
		"all":         {[]string{"a.example", "b.example"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testca.Config{})
			w.dieAt(r, "challenge", 1, false)
			w.forgets(c.gone...)
			w.clock.skip(2 * time.Minute)
			for range 4 {
				_, err := w.fails(order.Plan{Request: r}, failure.CARefused)
				if !strings.Contains(err.Error(), "does not know the authorization of") {
					t.Error(err)
				}
				w.countsPending("while it is missing")
				w.clock.skip(7 * time.Hour)
			}
			if n := w.requests("new-order"); n != 1 {
				t.Fatalf("%d newOrders within the day", n)
			}
			before := len(w.ca.Truth().Requests)
			w.fails(order.Plan{Request: r}, failure.CARefused)
			if sent := len(w.ca.Truth().Requests) - before; sent > 20 {
				t.Errorf("%d requests", sent)
			}
			w.countsPending("when it was given up")
			w.fails(order.Plan{Request: r}, failure.BackOff)
			w.clock.skip(time.Hour)
			w.get(r)
			w.countsPending("in the end")
			if got := w.states("a.example"); got != "released installed" {
				w.explain()
				t.Errorf("the orders are %s", got)
			}
			if truth := w.ca.Truth(); len(truth.Orders) != 2 || truth.Pending() != c.pending || truth.ValidatedTwice() != 0 {
				w.explain()
				t.Errorf("%d orders, %d pending", len(truth.Orders), truth.Pending())
			}
		})
	}
}

// One that comes back within the day, however often it goes, is gone on with.
func TestAnAuthorizationThatIsMissingForAWhileIsKept(t *testing.T) {
	w := newWorld(t, testca.Config{})
	r := request("a.example", "a.example", "b.example")
	w.dieAt(r, "challenge", 1, false)
	for range 3 {
		w.forgets("a.example", "b.example")
		w.clock.skip(10 * time.Hour)
		w.fails(order.Plan{Request: r}, failure.CARefused)
		w.clock.skip(10 * time.Hour)
		w.fails(order.Plan{Request: r}, failure.CARefused)
		w.wire.forget()
		w.dieAt(r, "challenge", 1, false) // it is shown, and nothing comes of it
	}
	w.wire.forget()
	w.clock.skip(2 * time.Minute)
	w.get(r)
	w.settled(r)
	w.served("a.example", 1, true)
}

// An order is not given up where pending ones are counted because the CA does not know one of them
// for a moment; and a person's word counts, once it is certain that it stays so.
func TestWhatTheCADoesNotKnowIsNotDeactivated(t *testing.T) {
	w := newWorld(t, testca.Config{})
	r := request("a.example", "a.example", "b.example")
	w.dieAt(r, "challenge", 1, false)
	w.forgets("b.example")
	w.clock.skip(2 * time.Minute)
	if _, err := obtain(t.Context(), w.counting(), order.Plan{Request: r}); failure.ClassOf(err) != failure.CARefused {
		t.Error(err)
	}
	o := w.orders("a.example")[0]
	if o.State != ledger.PendingState || o.Releasing {
		t.Errorf("it is %s, given up: %t", o.State, o.Releasing)
	}
	if err := w.engine().Release(t.Context(), o); failure.ClassOf(err) != failure.CARefused {
		t.Error(err)
	}
	w.countsPending("while it is given up")
	w.clock.skip(25 * time.Hour)
	_ = w.engine().Release(t.Context(), w.orders("a.example")[0])
	w.countsPending("when it was given up")
	if o := w.orders("a.example")[0]; o.SettledAt.IsZero() {
		w.explain()
		t.Errorf("it is %s", o.State)
	}
}

// Of an order that was seen in the account's list, one 404 does not show that an authorization is
// over: it stays counted.
func TestAnAuthorizationOfASeenOrderIsNotOverAtTheFirst404(t *testing.T) {
	w := newWorld(t, testca.Config{OrdersList: true})
	other, err := acme.New(w.ca.DirectoryURL(),
		acme.Options{HTTP: &http.Client{Transport: w.wire.real}, Now: w.clock.Now})
	must(t, err)
	_, err = other.Account(w.key, w.row.URL).NewOrder(t.Context(), acme.OrderRequest{Names: []string{"c.example"}})
	must(t, err)
	rebuild := func() {
		t.Helper()
		_, err := w.engine().Rebuild(t.Context(), func(drive.Lost) drive.Claim { return drive.Claim{} })
		must(t, err)
		w.countsPending("after a look")
	}
	rebuild()
	w.forgets("c.example")
	rebuild()
	w.wire.forget()
	rebuild()
	if known, err := w.store.Pending(t.Context(), w.clock.Now()); err != nil || len(known) != 1 {
		t.Errorf("%d are said to be pending: %v", len(known), err)
	}
	w.forgets("c.example")
	w.clock.skip(10 * 24 * time.Hour)
	if known, err := w.store.Pending(t.Context(), w.clock.Now()); err != nil || len(known) != 0 {
		t.Errorf("%d are said to be pending when their time is over: %v", len(known), err)
	}
}
