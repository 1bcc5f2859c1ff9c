package drive_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/testca"
)

// oddly makes the CA serve certificates oddly.
func (w *world) oddly(o testca.OddCertificate) { w.ca.SetOdd(testca.Odd{OddCertificate: o}) }

// served wants that the CA made so many orders, that nothing is pending there, and that the lineage is in place or not.
func (w *world) served(lineage string, orders int, installed bool) {
	w.t.Helper()
	truth := w.ca.Truth()
	if len(truth.Orders) != orders || truth.Pending() != 0 || w.disk.has(lineage) != installed {
		w.explain()
		w.t.Errorf("%d orders, not %d; %d pending; in place: %v", len(truth.Orders), orders, truth.Pending(), w.disk.has(lineage))
	}
}

// The order of the certificates is the CA's business: ours is found by its key.
func TestAChainInAnyOrderIsInstalled(t *testing.T) {
	for _, chain := range []string{"reversed", "rotated", "root", "text", "foreign", "twice"} {
		t.Run(chain, func(t *testing.T) {
			w := newWorld(t, testca.Config{})
			w.oddly(testca.OddCertificate{Chain: chain})
			r := request("a.example", "a.example", "b.example")
			w.get(r)
			w.settled(r)
			w.served("a.example", 1, true)
			if text := string(w.orders("a.example")[0].Chain); strings.Contains(text, "subject=") || strings.Count(text, "BEGIN") > 3 {
				t.Errorf("durable is %s", text)
			}
		})
	}
}

// A certificate that is not what was asked for is not put in place, and not ordered for ever: one order, the reason, and a
// back-off after which one more is tried.
func TestACertificateThatCannotBeUsedEndsItsOrder(t *testing.T) {
	for name, c := range map[string]struct {
		odd  testca.OddCertificate
		said string
	}{
		"lacks a name":  {testca.OddCertificate{DropNames: []string{"b.example"}}, "not for b.example"},
		"other names":   {testca.OddCertificate{DropNames: []string{"a.example", "b.example"}, AddNames: []string{"c.example"}}, "a.example, b.example"},
		"expired":       {testca.OddCertificate{Begins: -48 * time.Hour, Ends: -time.Hour}, "expired"},
		"not begun":     {testca.OddCertificate{Begins: 24 * time.Hour}, "begins"},
		"another's key": {testca.OddCertificate{OtherKey: true}, "another key"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, testca.Config{})
			w.oddly(c.odd)
			p := order.Plan{Request: request("a.example", "a.example", "b.example")}
			_, err := w.fails(p, failure.CARefused)
			if !strings.Contains(err.Error(), c.said) {
				t.Errorf("it is said: %v", err)
			}
			w.served("a.example", 1, false)
			for range 3 {
				_, err = w.fails(p, failure.BackOff)
			}
			if !strings.Contains(err.Error(), c.said) {
				t.Errorf("the back-off says: %v", err)
			}
			w.served("a.example", 1, false)
			w.clock.skip(2 * time.Minute)
			w.fails(p, failure.CARefused)
			w.fails(p, failure.BackOff)
			w.clock.skip(2 * time.Minute)
			w.fails(p, failure.BackOff) // ten minutes by now
			w.served("a.example", 2, false)
			w.oddly(testca.OddCertificate{})
			w.clock.skip(10 * time.Minute)
			w.get(p.Request)
			w.served("a.example", 3, true)
			w.wantStates("a.example", "invalid invalid installed")
		})
	}
}

// What is more than was asked for is in place, and said.
func TestACertificateWithMoreNamesIsInstalledWithANote(t *testing.T) {
	w := newWorld(t, testca.Config{})
	w.oddly(testca.OddCertificate{AddNames: []string{"www.a.example"}})
	e := w.engine()
	var told []string
	on(e).tell = func(format string, args ...any) { told = append(told, fmt.Sprintf(format, args...)) }
	_, err := obtain(t.Context(), e, order.Plan{Request: request("a.example", "a.example")})
	must(t, err)
	w.served("a.example", 1, true)
	if !strings.Contains(strings.Join(told, "\n"), "www.a.example") {
		t.Errorf("told: %q", told)
	}
}

// Nothing that is no certificate becomes durable; what cannot be read is asked for again, run by run, and in the end given
// up: an order whose certificate is damaged must not keep its lineage from another one.
func TestADamagedChainIsNotKept(t *testing.T) {
	for _, chain := range []string{"key", "garbage", "none", "alone"} {
		t.Run(chain, func(t *testing.T) {
			w := newWorld(t, testca.Config{})
			w.oddly(testca.OddCertificate{Chain: chain})
			p := order.Plan{Request: request("a.example", "a.example")}
			for range 2 {
				out, _ := w.fails(p, failure.CAUnavailable)
				if len(out.Order.Chain) > 0 || out.Order.State != ledger.Valid {
					t.Fatalf("it is %s with %d bytes", out.Order.State, len(out.Order.Chain))
				}
			}
			w.served("a.example", 1, false)
			w.clock.skip(25 * time.Hour)
			w.fails(p, failure.CARefused)
			w.fails(p, failure.BackOff)
			w.served("a.example", 1, false)
			w.oddly(testca.OddCertificate{})
			w.clock.skip(24 * time.Hour)
			w.get(p.Request)
			w.served("a.example", 2, true)
		})
	}
	w := newWorld(t, testca.Config{})
	w.oddly(testca.OddCertificate{Chain: "key"})
	r := request("a.example", "a.example")
	w.fails(order.Plan{Request: r}, failure.CAUnavailable)
	w.oddly(testca.OddCertificate{})
	w.get(r) // it was the CA's passing trouble
	w.served("a.example", 1, true)
}

// A certificate that the CA serves alone is taken from another of its chains that is whole.
func TestACertificateThatStandsAloneIsTakenFromAnotherChain(t *testing.T) {
	w := newWorld(t, testca.Config{AlternateChains: 1})
	served := 0
	w.wire.after = func(_ int, kind string, answer *http.Response) *http.Response {
		if kind != "certificate" {
			return answer
		}
		if served++; served > 1 {
			return answer
		}
		text, err := io.ReadAll(answer.Body)
		must(t, err)
		_ = answer.Body.Close()
		leaf, _, _ := strings.Cut(string(text), "-----END")
		answer.Header.Del("Content-Length")
		return respond(200, answer.Header, leaf+"-----END CERTIFICATE-----\n")
	}
	w.get(request("a.example", "a.example"))
	w.served("a.example", 1, true)
	if text := string(w.orders("a.example")[0].Chain); strings.Count(text, "BEGIN") < 2 || served != 2 {
		t.Errorf("durable after %d downloads is %s", served, text)
	}
}

// No order is kept against the operator's word: one whose certificate cannot be put in place is given up when that is said.
func TestAnOrderWhoseCertificateCannotBeInstalledIsReleased(t *testing.T) {
	w := newWorld(t, testca.Config{})
	p := order.Plan{Request: request("a.example", "a.example")}
	w.disk.refuse = failure.New(failure.LineageBroken, "Repair it.", "the links are wrong")
	w.fails(p, failure.LineageBroken)
	w.fails(p, failure.LineageBroken)
	o := w.orders("a.example")[0]
	must(t, w.engine().Release(t.Context(), o))
	w.wantStates("a.example", "released")
	w.served("a.example", 1, false)
	w.disk.refuse = nil
	w.get(p.Request)
	w.served("a.example", 2, true)
	w.oddly(testca.OddCertificate{Chain: "none"})
	p = order.Plan{Request: request("b.example", "b.example")}
	w.fails(p, failure.CAUnavailable)
	must(t, w.engine().Release(t.Context(), w.orders("b.example")[0]))
	w.wantStates("b.example", "released")
}

// An order that dies at finalize, for whatever reason, is not followed by another one with every run.
func TestAnOrderThatDiesAtFinalizeHasABackOff(t *testing.T) {
	for name, fault := range map[string]testca.Fault{
		"broken":     {Kind: "finalize", Action: testca.BreakOrder},
		"its answer": {Kind: "finalize", Action: testca.BreakOrder, Nth: 1},
	} {
		w := newWorld(t, testca.Config{AuthzReuse: true})
		w.ca.Inject(fault)
		p := order.Plan{Request: request("a.example", "a.example")}
		_, err := w.fails(p, failure.CARefused)
		if !strings.Contains(err.Error(), "serverInternal") {
			t.Errorf("%s: %v", name, err)
		}
		w.clock.skip(2 * time.Minute)
		if fault.Nth == 1 {
			w.get(p.Request) // the CA is well again
			continue
		}
		w.fails(p, failure.CARefused)
		for range 5 {
			w.clock.skip(time.Minute)
			w.fails(p, failure.BackOff)
		}
		w.clock.skip(10 * time.Minute)
		w.fails(p, failure.CARefused)
		w.clock.skip(time.Hour)
		w.fails(p, failure.BackOff)
		w.served("a.example", 3, false)
	}
}

// Orders that die one after the other though nobody here is to blame are two in a run at the most, and then wait.
func TestOrdersThatAreGoneAtOnceAreNotMadeForEver(t *testing.T) {
	w := newWorld(t, testca.Config{})
	w.ca.Inject(testca.Fault{Kind: "order", Action: testca.Respond, Status: 404, Problem: "malformed", Detail: "no such order"})
	w.rewrite("new-order", func(_ http.Header, object map[string]any) {
		object["expires"] = w.clock.Now().Add(2 * time.Second).Format(time.RFC3339)
	})
	p := order.Plan{Request: request("a.example", "a.example")}
	_, _ = obtain(t.Context(), w.engine(), p)
	for range 3 {
		w.fails(p, failure.BackOff)
	}
	if n := w.requests("new-order"); n != 2 {
		w.explain()
		t.Errorf("%d newOrders", n)
	}
}
