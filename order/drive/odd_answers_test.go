package drive_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"orderly/failure"
	"orderly/order"
	"orderly/order/drive"
	"orderly/testca"
)

// A CA that finds finalize too early, and asks for hours, is not waited for with the lineage's lock held.
func TestALongPauseAfterAnEarlyFinalizeIsNotSleptThrough(t *testing.T) {
	for _, asks := range []string{"7200", "99999999999"} {
		w := newWorld(t, testca.Config{})
		w.ca.Inject(testca.Fault{Kind: "finalize", Nth: 1, Action: testca.Respond, Status: 403, Problem: "orderNotReady",
			Detail: "wait", RetryAfter: asks})
		r := request("a.example", "a.example")
		began := w.clock.Now()
		w.fails(order.Plan{Request: r}, failure.Stopped)
		if took := w.clock.Now().Sub(began); took > 4*time.Minute {
			t.Errorf("%s: it was waited for %s", asks, took)
		}
		w.wire.forget()
		w.fails(order.Plan{Request: r}, failure.RateLimited)
		if sent := w.wire.kinds(); len(sent) > 0 {
			t.Errorf("%s: the CA asked for rest and got %v", asks, sent)
		}
		w.clock.skip(25 * time.Hour)
		w.get(r)
		w.once(r)
	}
}

// A redirect of the CA's own may say that the order was made, whichever it is. One of a proxy's says that nothing got through.
func TestARedirectOfTheCAsIsNoRefusalOfAnOrder(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		w := newWorld(t, testca.Config{})
		w.wire.after = func(_ int, kind string, answer *http.Response) *http.Response {
			if kind == "new-order" {
				answer.StatusCode = status
			}
			return answer
		}
		r := request("a.example", "a.example")
		for range 4 {
			_, _ = obtain(t.Context(), w.engine(), order.Plan{Request: r})
			w.accounted()
			w.clock.skip(time.Hour)
		}
		if n := len(w.truth("a.example")); n > 3 {
			t.Errorf("%d: %d orders", status, n)
		}
	}
}

// A moment that is over says nothing of when something ends that the CA shows: what is pending stays shown, and no other order
// follows.
func TestAnEndThatIsOverIsNone(t *testing.T) {
	for _, end := range []string{"1970-01-01T00:00:00Z", time.Now().Add(-8 * time.Hour).Format(time.RFC3339)} {
		w := newWorld(t, testca.Config{})
		for _, kind := range []string{"new-order", "order", "authorization"} {
			w.ca.Inject(testca.Fault{Kind: kind, Action: testca.Rewrite, Patch: patched("expires", end)})
		}
		w.web.lock("/srv/b.example", true)
		r := request("a.example", "a.example", "b.example")
		for range 5 {
			w.fails(order.Plan{Request: r}, failure.WebrootLocked)
			w.accounted()
			w.clock.skip(26 * time.Hour)
		}
		w.web.lock("/srv/b.example", false)
		w.get(r)
		w.once(r)
	}
}

// Where newOrder is not answered for what is to be replaced, it is sent without that: a renewal that waits for the CA to be mended
// may come too late.
func TestAReplacementThatBreaksTheCAIsGivenUp(t *testing.T) {
	for _, status := range []int{500, 502} {
		for _, c := range characters() {
			w := newWorld(t, c.config)
			breaks := false
			w.wire.heard = func(kind string, payload []byte) {
				var object map[string]any
				breaks = kind == "new-order" && json.Unmarshal(payload, &object) == nil && object["replaces"] != nil
			}
			w.wire.replace = func(_ string, _ *http.Request) *http.Response {
				if !breaks {
					return nil
				}
				return respond(status, nil, `{"type":"urn:ietf:params:acme:error:serverInternal","detail":"oops"}`)
			}
			r := request("a.example", "a.example")
			r.Replaces = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"
			if _, err := obtain(t.Context(), w.engine(), order.Plan{Request: r}); err != nil {
				w.clock.skip(12 * time.Hour)
				w.get(r)
			}
			if n := len(w.truth("a.example")); n != 1 {
				t.Errorf("%s, %d: %d orders", c.name, status, n)
			}
			w.settled(r)
			w.accounted()
		}
	}
}

// calls lets the CA show orders of one status with another.
func (w *world) calls(status, instead string) {
	answers := w.wire.after
	w.rewrite("order", func(_ http.Header, object map[string]any) {
		if object["status"] == status {
			object["status"] = instead
		}
	})
	orders := w.wire.after
	w.wire.after = func(n int, kind string, answer *http.Response) *http.Response {
		if kind == "new-order" {
			kind = "order"
		}
		if answers != nil {
			answer = answers(n, kind, answer)
		}
		return orders(n, kind, answer)
	}
}

// What a CA calls an order that waits for its names to be proven, or for finalize, keeps nobody from doing it: the authorizations
// tell, and finalize can be tried. No order is made in vain meanwhile, and nothing is pending unseen.
func TestWhatAnOrderIsCalledKeepsItFromNothing(t *testing.T) {
	for _, c := range []struct{ status, instead string }{
		{"pending", "processing"}, {"pending", "ready"}, {"pending", "valid"},
		{"ready", "pending"}, {"ready", "processing"}, {"ready", "valid"},
	} {
		for _, resumed := range []bool{false, true} {
			t.Run(c.status+" as "+c.instead, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, testca.Config{})
				r := request("a.example", "a.example", "b.example")
				if resumed {
					w.dieAt(r, "authorization", 1, false)
				}
				w.calls(c.status, c.instead)
				w.get(r)
				w.once(r)
			})
		}
	}
}

// An order that is called ready although a name has failed is not finalized again and again, and the name is said.
func TestAFailureIsFoundWhateverTheOrderIsCalled(t *testing.T) {
	for _, instead := range []string{"ready", "processing", "pending"} {
		w := newWorld(t, testca.Config{})
		w.calls("invalid", instead)
		w.calls("pending", instead)
		w.ca.SetDead("b.example", true)
		r := request("a.example", "a.example", "b.example")
		_, err := w.fails(order.Plan{Request: r}, failure.Validation)
		if n := w.requests("finalize"); n > 2 || !strings.Contains(err.Error(), "b.example") {
			t.Errorf("%s: finalize was sent %d times: %v", instead, n, err)
		}
		w.accounted()
	}
}

// An order that another holder of the account has under way, with its names valid, is not disturbed for long.
func TestAnOrderUnderWayElsewhereIsNotFinalizedAgainAndAgain(t *testing.T) {
	w := newWorld(t, testca.Config{AsyncFinalize: true, FinalizeDelay: time.Hour})
	r := request("a.example", "a.example")
	w.dieAt(r, "order", 1, false)
	w.otherHolder(w.orders("a.example")[0].URL)
	for range 3 {
		w.fails(order.Plan{Request: r}, failure.Stopped)
	}
	if n := w.requests("finalize"); n > 2 {
		t.Errorf("finalize was sent %d times", n)
	}
	w.clock.skip(2 * time.Hour)
	w.fails(order.Plan{Request: r}, failure.Stopped) // the next one takes as long
	w.clock.skip(2 * time.Hour)
	w.get(r)
	w.wantStates("a.example", "taken installed")
}

// A CA that names other authorizations with each look is asked for no more than it names, and what is pending of it stays counted.
func TestAuthorizationsThatAreNamedAnewWithEachLookStayCounted(t *testing.T) {
	w := newWorld(t, testca.Config{})
	form := 0
	w.wire.before = func(_ int, kind string, _ *http.Request) {
		if kind == "order" {
			form++
			w.ca.SetOdd(testca.Odd{Moved: form})
		}
	}
	w.web.lock("/srv/b.example", true)
	r := request("a.example", "a.example", "b.example")
	for range 12 {
		_, _ = w.fails(order.Plan{Request: r}, failure.WebrootLocked)
		w.accounted()
		if n := len(w.orders("a.example")[0].Authorizations); n > 8 {
			t.Fatalf("%d authorizations are kept for two names", n)
		}
		w.clock.skip(time.Hour)
	}
	w.web.lock("/srv/b.example", false)
	w.get(r)
	w.once(r)
}

// An order that its CA does not show, by whatever word, is given up like one that it does not know.
func TestAnOrderThatIsNotShownForADayIsGivenUp(t *testing.T) {
	for _, status := range []int{400, 401, 403, 405, 410, 308} {
		for _, kinds := range [][]string{{"order"}, {"order", "authorization"}} {
			w := newWorld(t, testca.Config{})
			r := request("a.example", "a.example", "b.example")
			w.dieAt(r, "challenge", 1, false)
			for _, kind := range kinds {
				w.ca.Inject(testca.Fault{Kind: kind, Action: testca.Respond, Status: status, Problem: "malformed", Detail: "no such thing"})
			}
			for range 2 {
				w.fails(order.Plan{Request: r}, failure.CARefused)
				w.accounted()
				w.clock.skip(13 * time.Hour)
			}
			if _, err := obtain(t.Context(), w.engine(), order.Plan{Request: r}); err == nil {
				t.Errorf("%d, %v: no back-off", status, kinds)
			}
			w.accounted()
			w.ca.ClearFaults()
			w.clock.skip(24 * time.Hour)
			w.get(r)
			w.accounted()
			if n := w.requests("new-order"); n != 2 {
				t.Errorf("%d, %v: %d newOrders, the orders are %s", status, kinds, n, w.states("a.example"))
			}
		}
	}
}

// What a list calls an order, or when it says that it ended, does not prove that a newOrder without an answer made none.
func TestAListProvesNothingByWhatItCallsAnOrder(t *testing.T) {
	for _, c := range []struct{ member, value string }{
		{"status", "processing"}, {"status", "valid"}, {"expires", "1970-01-01T00:00:00Z"},
	} {
		w := newWorld(t, testca.Config{OrdersList: true})
		r := request("a.example", "a.example", "b.example")
		w.lose("new-order", 1)
		w.ca.Inject(testca.Fault{Kind: "order", Nth: 1, Action: testca.Rewrite, Patch: patched(c.member, c.value)})
		w.get(r)
		w.accounted()
		if made, phantoms := len(w.truth(r.Names...)), len(w.phantoms("a.example")); made > 1+phantoms {
			t.Errorf("%s %s: %d orders, %d phantoms", c.member, c.value, made, phantoms)
		}
	}
}

// An end that nobody will see is none: a phantom would be measured by it, and an order that is not shown any more kept until then.
func TestAnEndInAThousandYearsIsNone(t *testing.T) {
	far := func(w *world) {
		for _, kind := range []string{"new-order", "order", "authorization"} {
			w.ca.Inject(testca.Fault{Kind: kind, Action: testca.Rewrite, Patch: patched("expires", "9999-12-31T23:59:59Z")})
		}
	}
	w := newWorld(t, testca.Config{})
	r := request("a.example", "a.example")
	w.dieAt(r, "new-order", 1, true)
	far(w)
	w.get(r)
	w.accounted()
	if n := len(w.phantoms("a.example")); n != 1 {
		t.Errorf("%d phantoms", n)
	}

	w = newWorld(t, testca.Config{})
	far(w)
	w.dieAt(r, "challenge", 1, false)
	w.wire.replace = func(kind string, _ *http.Request) *http.Response {
		if kind == "order" {
			return respond(http.StatusForbidden, http.Header{}, "<html>maintenance</html>")
		}
		return nil
	}
	for range 3 {
		_, _ = obtain(t.Context(), w.engine(), order.Plan{Request: r})
		w.clock.skip(20 * 24 * time.Hour)
	}
	w.wire.forget()
	w.get(r)
}

// A CA whose clock is weeks or years off says when something ends by that clock: what is pending stays shown here, and an order that
// has really expired is over.
func TestACAWhoseClockIsFarOff(t *testing.T) {
	const day = 24 * time.Hour
	for _, by := range []time.Duration{-8000 * day, -30 * day, 30 * day, 8000 * day} {
		w := newWorld(t, testca.Config{})
		w.ca.SetOdd(testca.Odd{OddCertificate: testca.OddCertificate{Begins: by - time.Hour, Ends: by + 90*day}})
		w.wire.after = offBy(by)
		r := request("a.example", "a.example", "b.example")
		w.web.lock("/srv/b.example", true)
		for range 3 {
			_, _ = obtain(t.Context(), w.engine(), order.Plan{Request: r})
			w.accounted()
			w.clock.skip(26 * time.Hour)
		}
		w.clock.skip(8 * day) // it has expired
		w.web.lock("/srv/b.example", false)
		for range 3 {
			if w.disk.has("a.example") {
				break
			}
			_, _ = obtain(t.Context(), w.engine(), order.Plan{Request: r})
			w.clock.skip(26 * time.Hour)
		}
		w.accounted()
		if n := len(w.truth(r.Names...)); n != 2 || !w.disk.has("a.example") {
			w.explain()
			t.Errorf("%s: %d orders, %s", by, n, w.states("a.example"))
		}
	}
}

// offBy moves the CA's clock, as far as its answers show it.
func offBy(by time.Duration) func(int, string, *http.Response) *http.Response {
	return func(_ int, _ string, answer *http.Response) *http.Response {
		if date, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
			answer.Header.Set("Date", date.Add(by).UTC().Format(http.TimeFormat))
		}
		text, _ := io.ReadAll(answer.Body)
		var object map[string]any
		if json.Unmarshal(text, &object) == nil {
			if end, err := time.Parse(time.RFC3339, fmt.Sprint(object["expires"])); err == nil {
				object["expires"] = end.Add(by).Format(time.RFC3339)
				text, _ = json.Marshal(object)
			}
		}
		answer.Header.Del("Content-Length")
		return respond(answer.StatusCode, answer.Header, string(text))
	}
}

// An order without a URL that may have been issued is not taken up again with another CSR once its names are wanted again.
func TestAnOrderThatMayBeIssuedIsNotFinalizedWithAnotherKey(t *testing.T) {
	w := newWorld(t, testca.Config{})
	w.unlocated("new-order", "finalize")
	first, second := request("a.example", "a.example", "b.example"), request("a.example", "a.example", "c.example")
	w.dieAt(first, "finalize", 1, true)
	w.get(second)
	w.clock.skip(2 * time.Hour)
	w.get(first) // the wire refuses two CSRs for one order
	w.wantStates("a.example", "lost installed installed")
}

// An address of IPv4 that is written as one of IPv6 is the same: CAs show it plainly, and the answer to newOrder is ours.
func TestAnAddressHasOneSpelling(t *testing.T) {
	w := newWorld(t, testca.Config{})
	r := request("a.example", "::ffff:127.0.0.1")
	w.get(r)
	w.once(r)
}

// What the list calls processing, or valid without a certificate, is seen where its names wait to be proven.
func TestALostLedgerSeesWhatIsPendingWhateverItIsCalled(t *testing.T) {
	for _, status := range []string{"processing", "valid"} {
		w := newWorld(t, testca.Config{OrdersList: true})
		w.elsewhere("", "a.example", "b.example")
		w.calls("pending", status)
		_, err := w.engine().Rebuild(t.Context(), func(drive.Lost) drive.Claim { return drive.Claim{} })
		must(t, err)
		w.accounted()
		w.wire.forget()
		r := request("a.example", "a.example", "b.example")
		w.get(r)
		w.once(r)
	}
}
