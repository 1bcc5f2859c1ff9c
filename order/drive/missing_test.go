package drive_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/order/drive"
	"orderly/testca"
)

// unknown is the CA's word that it does not know something.
func unknown(kind string) testca.Fault {
	return testca.Fault{Kind: kind, Action: testca.Respond, Status: 404, Problem: "malformed", Detail: "No such resource"}
}

// shown wants every authorization that is pending at the CA to be known to be.
func (w *world) countsPending(when string) {
	w.t.Helper()
	known, err := w.store.Pending(w.t.Context(), w.clock.Now())
	must(w.t, err)
	if n := w.ca.Truth().Pending(); n > len(known) {
		w.explain()
		w.t.Errorf("%s: %d are pending at the CA, %d are known", when, n, len(known))
	}
}

// stoppedAt is a run that gets a signal when it sends its first request of a kind.
func (w *world) stoppedAt(r ledger.Request, kind string) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	w.wire.before = func(_ int, k string, _ *http.Request) {
		if k == kind {
			cancel()
		}
	}
	defer w.wire.forget()
	if _, err := obtain(ctx, w.engine(), order.Plan{Request: r}); failure.ClassOf(err) != failure.Stopped {
		w.t.Fatalf("not stopped at its %s: %v", kind, err)
	}
}

// An order that said where its certificate is, and that its CA does not know any more, is issued all
// the same: the certificate is asked for where it was said to be. Where that is gone as well, another
// order follows after a day, and not before.
func TestTheCertificateOfAMissingOrderIsAskedFor(t *testing.T) {
	r := request("a.example", "a.example", "b.example")
	w := newWorld(t, testca.Config{})
	w.stoppedAt(r, "finalize")
	w.ca.Inject(unknown("order"))
	w.get(r)
	w.served("a.example", 1, true)

	w = newWorld(t, testca.Config{})
	w.stoppedAt(r, "finalize")
	w.ca.Inject(unknown("order"))
	w.ca.Inject(unknown("certificate"))
	before := len(w.ca.Truth().Requests)
	for range 3 {
		if _, err := obtain(t.Context(), w.engine(), order.Plan{Request: r}); err == nil {
			t.Fatal("nobody has the certificate")
		}
		w.clock.skip(7 * time.Hour)
	}
	if sent := len(w.ca.Truth().Requests) - before; sent > 80 || len(w.ca.Truth().Orders) != 1 {
		w.explain()
		t.Errorf("%d requests, %d orders", sent, len(w.ca.Truth().Orders))
	}
	w.clock.skip(24 * time.Hour)
	_, _ = obtain(t.Context(), w.engine(), order.Plan{Request: r})
	w.ca.ClearFaults()
	w.clock.skip(24 * time.Hour)
	w.get(r)
	w.served("a.example", 2, true)
}

// An order that the CA does not know, day in, day out, does not keep its names from a certificate until it would have expired.
// It is one order more, what may be pending of the first stays counted, and what certainly is is answered.
func TestAnOrderThatIsMissingForADayIsGivenUp(t *testing.T) {
	r := request("a.example", "a.example", "b.example")
	for name, c := range map[string]struct {
		dies    string // at which request
		after   bool
		gone    []string // what the CA does not know
		states  string
		pending int // at the CA, after all
	}{
		"before it was answered":      {"challenge", false, []string{"order", "authorization"}, "released installed", 2},
		"its authorizations are left": {"challenge", false, []string{"order"}, "invalid installed", 0},
		"after finalize":              {"finalize", true, []string{"order", "authorization"}, "lost installed", 0},
		"before finalize":             {"finalize", false, []string{"order", "authorization"}, "lost installed", 0},
		"when it was just made":       {"authorization", false, []string{"order", "authorization"}, "released installed", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testca.Config{})
			w.dieAt(r, c.dies, 1, c.after)
			w.wire.forget()
			for _, kind := range c.gone {
				w.ca.Inject(unknown(kind))
			}
			for range 4 {
				_, err := w.fails(order.Plan{Request: r}, failure.CARefused)
				if !strings.Contains(err.Error(), "does not know the order") {
					t.Error(err)
				}
				w.countsPending("while it is missing")
				w.clock.skip(7 * time.Hour)
			}
			if n := w.requests("new-order"); n != 1 {
				t.Fatalf("%d newOrders within the day", n)
			}
			before := len(w.ca.Truth().Requests)
			_, err := obtain(t.Context(), w.engine(), order.Plan{Request: r})
			if sent := len(w.ca.Truth().Requests) - before; err == nil || sent > 60 {
				t.Errorf("%d requests: %v", sent, err)
			}
			w.countsPending("when it was given up")
			w.ca.ClearFaults()
			if strings.HasPrefix(c.states, "lost") {
				w.clock.skip(time.Hour)
			} else if _, err := w.fails(order.Plan{Request: r}, failure.BackOff); err == nil {
				t.Error("no back-off")
			}
			w.clock.skip(time.Hour)
			w.get(r)
			w.countsPending("in the end")
			truth := w.ca.Truth()
			if truth.Pending() != c.pending || truth.ValidatedTwice() != 0 {
				w.explain()
				t.Errorf("%d pending, %d validated twice", truth.Pending(), truth.ValidatedTwice())
			}
			if got := w.states("a.example"); got != c.states {
				w.explain()
				t.Errorf("the orders are %s", got)
			}
		})
	}
}

// Only the CA's own word counts, for a day of its own clock, without a break.
func TestAnOrderThatIsMissingForAWhileIsKept(t *testing.T) {
	r := request("a.example", "a.example")
	for name, fault := range map[string]testca.Fault{
		"a page of a proxy's": {Kind: "order", Action: testca.Respond, Status: 404},
		"the CA's word":       unknown("order"),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, testca.Config{})
			w.dieAt(r, "challenge", 1, false)
			w.wire.forget()
			for range 3 {
				w.ca.Inject(fault)
				w.fails(order.Plan{Request: r}, failure.CARefused)
				w.clock.skip(10 * time.Hour)
				if fault.Problem == "" {
					continue
				}
				e := w.engine() // whose clock is ahead
				e = drive.Changed(e, func(c *drive.Config) { c.Clock = ahead{w.clock, 30 * time.Hour} })
				if _, err := obtain(t.Context(), e, order.Plan{Request: r}); failure.ClassOf(err) != failure.CARefused {
					t.Fatal(err)
				}
				w.ca.ClearFaults() // the CA shows it, and is stopped before anything else
				w.dieAt(r, "challenge", 1, false)
				w.wire.forget()
			}
			w.ca.ClearFaults()
			w.get(r)
			w.once(r)
		})
	}
}

// An order that comes back when it was given up is not gone on with: another may have been made meanwhile.
func TestAnOrderThatComesBackStaysGivenUp(t *testing.T) {
	w := newWorld(t, testca.Config{})
	r := request("a.example", "a.example")
	w.dieAt(r, "challenge", 1, false)
	w.wire.forget()
	w.ca.Inject(unknown("order"))
	w.fails(order.Plan{Request: r}, failure.CARefused)
	w.clock.skip(25 * time.Hour)
	w.ca.Inject(testca.Fault{Kind: "challenge", Nth: 1, Action: testca.Drop})
	w.dieAt(r, "challenge", 1, false)
	w.wire.forget()
	w.ca.ClearFaults()
	w.clock.skip(time.Hour)
	w.get(r)
	if got := w.states("a.example"); got != "invalid installed" {
		w.explain()
		t.Errorf("the orders are %s", got)
	}
	if o := w.orders("a.example")[0]; o.SettledAt.IsZero() || o.State == ledger.PendingState || w.ca.Truth().Pending() != 0 {
		t.Errorf("%s, %d pending", o.State, w.ca.Truth().Pending())
	}
}

// What may be pending of an order that was given up is counted until its time is over, also where the CA never said when that
// is: nobody looks at it any more.
func TestWhatIsMissingIsNotCountedForEver(t *testing.T) {
	w := newWorld(t, testca.Config{})
	for _, kind := range []string{"new-order", "order", "authorization"} {
		w.ca.Inject(testca.Fault{Kind: kind, Action: testca.Rewrite, Patch: patched("expires", 12)})
	}
	r := request("a.example", "a.example", "b.example")
	w.dieAt(r, "challenge", 1, false)
	w.wire.forget()
	w.ca.ClearFaults()
	for _, kind := range []string{"order", "authorization"} {
		w.ca.Inject(unknown(kind))
	}
	for range 2 {
		w.fails(order.Plan{Request: r}, failure.CARefused)
		w.countsPending("while it is missing")
		w.clock.skip(25 * time.Hour)
	}
	if got := w.states("a.example"); got != "released" {
		w.explain()
		t.Fatalf("the order is %s", got)
	}
	w.countsPending("when it was given up")
	w.clock.skip(7 * 24 * time.Hour)
	if left, err := w.store.Pending(t.Context(), w.clock.Now()); err != nil || len(left) != 0 {
		t.Errorf("%d are counted when their time is over: %v", len(left), err)
	}
}
