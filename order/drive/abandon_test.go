package drive_test

import (
	"testing"
	"time"

	"orderly/ledger"
	"orderly/limit"
	"orderly/order"
	"orderly/order/drive"
	"orderly/testca"
)

// long is what an operator knows of a CA whose orders live for a month.
const long = "order_lifetime = \"720h\"\n[ca.limits]\nCertificatesPerFQDNSet = \"5/168h\"\n"

// abandoned gives up the newest order of a lineage, as a process that asks the CA nothing.
func (w *world) abandoned(lineage string, why order.Reason) *ledger.Order {
	w.t.Helper()
	list := w.orders(lineage)
	o := list[len(list)-1]
	before := len(w.ca.Truth().Requests)
	e := w.profiled(w.made(drive.NewSession(nil, nil, &ledger.Account{})), long)
	must(w.t, e.Abandon(w.t.Context(), why, []*ledger.Order{o}, nil))
	if n := len(w.ca.Truth().Requests); n != before {
		w.t.Errorf("it cost the CA %d requests", n-before)
	}
	return o
}

// Whoever gives up an order whose newOrder was sent twice without an answer leaves a phantom for each, for as long as that CA's
// orders live: what is pending at the CA is never more than what is shown.
func TestEveryUnansweredNewOrderLeavesAPhantomWhoeverGivesUp(t *testing.T) {
	for _, why := range []order.Reason{order.GivenUpHere, order.AccountDeactivated, order.AccountGone} {
		t.Run(string(why), func(t *testing.T) {
			w := newWorld(t, testca.Config{Lifetimes: testca.Lifetimes{Order: 720 * time.Hour}})
			w.lose("new-order", 1)
			w.dieAt(request("a", "a.example.com"), "new-order", 2, true)
			w.abandoned("a", why)
			if w.states("a") != "phantom phantom" {
				t.Errorf("it is %s", w.states("a"))
			}
			for _, o := range w.orders("a") {
				if life := o.Expires.Sub(o.CreatedAt); life < 720*time.Hour || o.SettledAt.IsZero() {
					t.Errorf("order %d is shown for %s", o.ID, life)
				}
			}
			open := len(w.ca.Truth().Orders)
			shown, err := w.store.Pending(t.Context(), w.clock.Now().Add(8*24*time.Hour))
			must(t, err)
			if open != 2 || len(shown) < open {
				t.Errorf("a week later the CA has %d, and %d are shown", open, len(shown))
			}
		})
	}
}

// The CA counts a certificate that it may have issued, also where nobody here wants it any more.
func TestACertificateThatMayBeIssuedIsCountedWhoeverGivesUp(t *testing.T) {
	for _, why := range []order.Reason{order.GivenUpHere, order.LineageDeleted, order.AccountDeactivated, order.AccountGone} {
		t.Run(string(why), func(t *testing.T) {
			w := newWorld(t, testca.Config{})
			w.dieAt(request("a", "a.example.com"), "finalize", 1, true)
			o := w.abandoned("a", why)
			if o.SettledAt.IsZero() || o.State.Live() || len(w.web.left()) > 0 {
				t.Errorf("it is %s, tokens %v", w.states("a"), w.web.left())
			}
			l := limit.Limit{Count: 5, Period: 168 * time.Hour}
			if n := w.left(limit.CertificatesPerFQDNSet, "a.example.com", l); n != 4 {
				t.Errorf("%d of 5 are left", n)
			}
			if _, ok := w.keys.Load(o); ok {
				t.Error("its private key is still there")
			}
		})
	}
}

// Of an order that is not issued the names still become valid when its lineage is deleted, so that nothing stays pending.
func TestADeletedLineageSupersedesWhatTheCAMayFinish(t *testing.T) {
	w := newWorld(t, testca.Config{})
	w.dieAt(request("a", "a.example.com"), "challenge", 1, false)
	o := w.abandoned("a", order.LineageDeleted)
	if !o.Superseded || !o.SettledAt.IsZero() || !o.State.Live() {
		t.Fatalf("%+v", o)
	}
	if _, err := w.engine().Resume(t.Context(), o); err != nil {
		t.Error(err)
	}
	if w.ca.Truth().Pending() != 0 || len(w.ca.Truth().Issued) != 0 || w.disk.has("a") {
		t.Errorf("%d pending", w.ca.Truth().Pending())
	}
}
