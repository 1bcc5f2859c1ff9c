package drive_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/testca"
)

// oddStatuses are words that no order and no authorization has by RFC 8555.
func oddStatuses() []string { return []string{"foo", "PENDING"} }

// patched is a JSON object with one member.
func patched(member string, value any) json.RawMessage {
	text, err := json.Marshal(map[string]any{member: value})
	if err != nil {
		panic(err)
	}
	return text
}

// A status that nobody knows says neither that the order is dead nor that it lives: it is asked for again, then left to
// a later run, which finishes it. No second order is made.
func TestAStatusThatNobodyKnowsProvesNothing(t *testing.T) {
	r := request("a.example", "a.example", "b.example")
	for _, kind := range []string{"new-order", "order", "authorization", "challenge", "finalize"} {
		statuses := oddStatuses()
		if kind != "authorization" {
			statuses = append(statuses, "expired")
		}
		for _, status := range append(statuses, "") {
			for _, nth := range []int{1, 0} { // 0: for as long as the run lasts
				t.Run(kind+" "+status+" "+string(rune('0'+nth)), func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, testca.Config{AsyncFinalize: true})
					var value any = status
					if status == "" {
						value = nil // missing
					}
					w.ca.Inject(testca.Fault{Kind: kind, Nth: nth, Action: testca.Rewrite, Patch: patched("status", value)})
					_, err := obtain(t.Context(), w.engine(), order.Plan{Request: r})
					if err == nil && nth == 0 && (kind == "order" || kind == "authorization") {
						t.Error("nothing was shown, and the certificate is there")
					}
					if sent := len(w.wire.kinds()); sent > 60 {
						t.Errorf("%d requests", sent)
					}
					w.ca.ClearFaults()
					w.clock.skip(3 * time.Hour)
					if err != nil {
						w.get(r)
					}
					w.once(r)
				})
			}
		}
	}
}

// An order that is shown in no way that can be understood ends when its time is over, whatever word the CA has for that.
func TestAnOrderEndsWithItsTimeWhateverTheCASays(t *testing.T) {
	for name, fault := range map[string]testca.Fault{
		"a status that is none": {Action: testca.Rewrite, Patch: patched("status", "expired")},
		"no status":             {Action: testca.Rewrite, Patch: patched("status", nil)},
		"410":                   {Action: testca.Respond, Status: 410, Problem: "malformed", Detail: "gone"},
		"400":                   {Action: testca.Respond, Status: 400, Problem: "malformed", Detail: "no such order"},
		"403":                   {Action: testca.Respond, Status: 403, Problem: "unauthorized", Detail: "not yours"},
		"a redirect":            {Action: testca.Respond, Status: 302},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testca.Config{})
			r := request("a.example", "a.example")
			w.dieAt(r, "challenge", 1, false)
			w.wire.forget()
			fault.Kind = "order"
			w.ca.Inject(fault)
			out, err := obtain(t.Context(), w.engine(), order.Plan{Request: r})
			if err == nil || out.Order == nil || !out.Order.State.Live() {
				t.Fatalf("before its time: %v", err)
			}
			if n := w.requests("new-order"); n != 1 {
				t.Fatalf("%d newOrders before its time", n)
			}
			w.clock.skip(8 * 24 * time.Hour)
			for range 2 {
				_, _ = obtain(t.Context(), w.engine(), order.Plan{Request: r})
			}
			if first := w.orders("a.example")[0]; first.State != ledger.ExpiredState || first.SettledAt.IsZero() {
				w.explain()
				t.Errorf("the first order is %s", first.State)
			}
		})
	}
}

// An order for other names is not the one that was asked for, and not taken away from whom it belongs to.
func TestAnOrderForOtherNamesIsNotTheAnswer(t *testing.T) {
	for _, unread := range []bool{false, true} {
		w := newWorld(t, testca.Config{OrdersList: true})
		first := request("a.example", "a.example")
		w.dieAt(first, "challenge", 1, false)
		w.wire.forget()
		theirs := w.orders("a.example")[0]
		patch, _ := json.Marshal(map[string]any{"identifiers": []any{map[string]string{"type": "dns", "value": "a.example"}},
			"authorizations": []string{theirs.Authorizations[0].URL}, "finalize": theirs.Finalize})
		if unread {
			patch = patched("status", nil)
		}
		w.ca.Inject(testca.Fault{Kind: "new-order", Nth: 1, Action: testca.Rewrite, Patch: patch,
			Header: map[string]string{"Location": theirs.URL}})
		second := request("b.example", "b.example")
		w.get(second)
		w.get(first)
		if truth := w.ca.Truth(); len(truth.Orders) != 2 || truth.Pending() != 0 {
			w.explain()
			t.Errorf("%d orders, %d pending", len(truth.Orders), truth.Pending())
		}
		w.settled(first)
		w.settled(second)
	}
}

// What an order named once is not forgotten when it shows names of another one.
func TestALookThatShowsAnotherOrderProvesNothing(t *testing.T) {
	w := newWorld(t, testca.Config{})
	other := request("b.example", "b.example")
	w.dieAt(other, "challenge", 1, false)
	w.wire.forget()
	theirs := w.orders("b.example")[0]
	patch, _ := json.Marshal(map[string]any{"status": "invalid", "authorizations": []string{theirs.Authorizations[0].URL},
		"identifiers": []any{map[string]string{"type": "dns", "value": "b.example"}}})
	w.ca.Inject(testca.Fault{Kind: "order", Action: testca.Rewrite, Patch: patch})
	r := request("a.example", "a.example")
	w.fails(order.Plan{Request: r}, failure.CAUnavailable)
	w.ca.ClearFaults()
	w.get(r)
	w.get(other)
	if truth := w.ca.Truth(); len(truth.Orders) != 2 || truth.Pending() != 0 {
		w.explain()
		t.Errorf("%d orders, %d pending", len(truth.Orders), truth.Pending())
	}
}

// An authorization whose status nobody knows may be pending still: it is not called done, and not deactivated without end.
func TestADeactivationIsDoneWhenTheCASaysSo(t *testing.T) {
	for _, kind := range []string{"authorization", "deactivate"} {
		w := newWorld(t, testca.Config{})
		r := request("a.example", "a.example")
		w.dieAt(r, "challenge", 1, false)
		w.wire.forget()
		w.ca.Inject(testca.Fault{Kind: kind, Action: testca.Rewrite, Patch: patched("status", "maybe")})
		err := w.engine().Release(t.Context(), w.orders("a.example")[0])
		known, _ := w.store.Pending(t.Context(), w.clock.Now())
		if sent := w.wire.kinds(); err == nil || len(sent) > 40 || len(known) == 0 && w.ca.Truth().Pending() > 0 {
			t.Errorf("%s: %d requests, %d known to be pending: %v", kind, len(sent), len(known), err)
		}
		w.ca.ClearFaults()
		err = w.engine().Release(t.Context(), w.orders("a.example")[0])
		if n := w.ca.Truth().Pending(); n != 0 || err != nil && failure.ClassOf(err) != failure.Released || w.states("a.example") != "released" {
			t.Errorf("%s: %d pending, %s: %v", kind, n, w.states("a.example"), err)
		}
	}
}

// An order is born pending or ready. What else a CA calls it, or takes back, must not leave it unanswered, or be followed by
// another one.
func TestNoOrderIsBornAtItsEnd(t *testing.T) {
	r := request("a.example", "a.example", "b.example")
	for name, patch := range map[string]string{
		"valid":                    `{"status":"valid"}`,
		"valid with a certificate": `{"status":"valid","certificate":"https://127.0.0.1:1/certZ/1"}`,
		"processing":               `{"status":"processing"}`,
		"invalid":                  `{"status":"invalid"}`,
		"ready":                    `{"status":"ready"}`,
	} {
		for _, kind := range []string{"new-order", "order"} {
			if kind == "order" && name != "ready" && name != "processing" {
				continue // then it is at its end
			}
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, testca.Config{})
				if kind == "order" {
					w.dieAt(r, "authorization", 1, false)
					w.wire.forget()
				}
				w.ca.Inject(testca.Fault{Kind: kind, Nth: 1, Action: testca.Rewrite, Patch: json.RawMessage(patch)})
				w.get(r)
				w.once(r)
			})
		}
	}
}

// A redirect to what was made is no refusal.
func TestSeeOtherIsNoRefusalOfAnOrder(t *testing.T) {
	w := newWorld(t, testca.Config{})
	first := true
	w.wire.after = func(_ int, kind string, answer *http.Response) *http.Response {
		if kind == "new-order" && first {
			first, answer.StatusCode = false, 303
		}
		return answer
	}
	w.get(request("a.example", "a.example"))
	w.accounted()
}

// A list that leads back to where it began shows what it shows.
func TestAListWithoutAnEndShowsWhatItShows(t *testing.T) {
	w := newWorld(t, testca.Config{OrdersList: true})
	w.lose("new-order", 1)
	w.wire.after = func(_ int, kind string, answer *http.Response) *http.Response {
		if kind == "orders" {
			answer.Header.Set("Link", `<`+answer.Request.URL.String()+`>;rel="next"`)
		}
		return answer
	}
	r := request("a.example", "a.example")
	w.get(r)
	w.once(r)
	if n := w.requests("orders"); n > 2 {
		t.Errorf("%d pages of one were asked for", n)
	}
}
