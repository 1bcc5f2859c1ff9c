package testca_test

import (
	"strings"
	"testing"
	"time"

	"orderly/testca"
)

// wantCut fails the test unless the connection ended without an answer.
func (a answer) wantCut(t *testing.T) {
	t.Helper()
	if a.err == nil {
		t.Fatalf("answered %d %s, want a cut connection", a.status, a.text)
	}
}

func TestAFaultActsAtItsRequestAlone(t *testing.T) {
	l := start(t, testca.Config{})
	c := l.client()
	l.ca.Inject(testca.Fault{Kind: "new-order", Nth: 2, Action: testca.Respond, Status: 503, RetryAfter: "120"})
	l.ca.Inject(testca.Fault{Kind: "new-order", Nth: 3, Action: testca.Respond, Status: 429, Problem: "rateLimited", Detail: "slowly"})
	c.order("a.example.com").want(t, 201, "")
	c.get(c.kid).want(t, 200, "")
	html := c.order("a.example.com").want(t, 503, "")
	if html.header.Get("Retry-After") != "120" || html.header.Get("Content-Type") != "text/html" || html.header.Get("Replay-Nonce") != "" {
		t.Errorf("the answer is %v %s", html.header, html.text)
	}
	document := c.order("a.example.com").want(t, 429, "rateLimited")
	if document.str("detail") != "slowly" || document.header.Get("Content-Type") != "application/problem+json" || document.header.Get("Replay-Nonce") == "" {
		t.Errorf("the answer is %v %s", document.header, document.text)
	}
	c.order("a.example.com").want(t, 201, "")
	truth := l.ca.Truth()
	if len(truth.Orders) != 2 || truth.RateLimited != 0 || truth.RequestsByKind["new-order"] != 4 {
		t.Errorf("%d orders, %d limited, %v", len(truth.Orders), truth.RateLimited, truth.RequestsByKind)
	}
	var faults []string
	for _, r := range truth.Requests {
		if r.Fault != "" {
			faults = append(faults, string(r.Fault)+" "+r.Kind+" "+r.Problem)
		}
	}
	if got := strings.Join(faults, ", "); got != "respond new-order , respond new-order rateLimited" {
		t.Errorf("the log has the faults %q", got)
	}
}

// A fault whose turn comes at a request on which another acts is not lost: a test would wait for it in vain.
func TestAFaultThatFindsAnotherAtItsRequestActsAtTheNext(t *testing.T) {
	l := start(t, testca.Config{})
	c := l.client()
	l.ca.Inject(testca.Fault{Kind: "new-order", Name: "b.example.com", Action: testca.Respond, Status: 400, Problem: "rejectedIdentifier"})
	l.ca.Inject(testca.Fault{Kind: "new-order", Nth: 2, Action: testca.Respond, Status: 503})
	c.order("a.example.com").want(t, 201, "")
	c.order("b.example.com").want(t, 400, "rejectedIdentifier")
	c.order("a.example.com").want(t, 503, "")
	c.order("a.example.com").want(t, 201, "")
}

func TestAFaultAtEveryRequestLastsUntilCleared(t *testing.T) {
	l := start(t, testca.Config{})
	c := l.client()
	l.ca.Inject(testca.Fault{Kind: "account", Action: testca.Respond})
	for range 3 {
		c.get(c.kid).want(t, 500, "")
	}
	l.ca.ClearFaults()
	c.get(c.kid).want(t, 200, "")
	l.ca.Inject(testca.Fault{Nth: 1, Action: testca.BadNonce})
	if bad := c.get(c.kid).want(t, 400, "badNonce"); bad.header.Get("Replay-Nonce") == "" {
		t.Error("badNonce brought no fresh nonce")
	}
	c.get(c.kid).want(t, 200, "")
}

// What is asked about one name is answered badly, whatever kind of request it is, and another's order is served meanwhile.
func TestAFaultOfANameLeavesOthersAlone(t *testing.T) {
	l := start(t, testca.Config{})
	c := l.client()
	good, bad := c.issue("a.example.com"), c.issue("b.example.com")
	l.ca.Inject(testca.Fault{Name: "b.example.com", Action: testca.Respond, Status: 503})
	c.order("a.example.com").want(t, 201, "")
	c.order("x.example.com", "b.example.com").want(t, 503, "")
	for _, url := range []func(answer) string{
		func(order answer) string { return order.url() },
		func(order answer) string { return order.list("authorizations")[0] },
		func(order answer) string { return order.str("certificate") },
	} {
		c.get(url(good)).want(t, 200, "")
		c.get(url(bad)).want(t, 503, "")
	}
	c.finalize(bad).want(t, 503, "")
	l.ca.ClearFaults()
	url, _ := c.http01(c.get(bad.list("authorizations")[0]))
	l.ca.Inject(testca.Fault{Name: "b.example.com", Action: testca.Respond, Status: 503})
	c.get(url).want(t, 503, "")
	c.get(c.kid).want(t, 200, "")
}

func TestADroppedRequestIsNotProcessedAndALostAnswerIs(t *testing.T) {
	l := start(t, testca.Config{})
	c := l.client()
	l.ca.Inject(testca.Fault{Kind: "new-order", Nth: 1, Action: testca.Drop})
	c.order("a.example.com").wantCut(t)
	if n := len(l.ca.Truth().Orders); n != 0 {
		t.Errorf("a dropped newOrder made %d orders", n)
	}
	l.ca.Inject(testca.Fault{Kind: "new-order", Nth: 1, Action: testca.LoseAnswer})
	c.order("a.example.com").wantCut(t)
	truth := l.ca.Truth()
	if len(truth.Orders) != 1 {
		t.Errorf("a newOrder whose answer was lost made %d orders", len(truth.Orders))
	}
	last := truth.Requests[len(truth.Requests)-1]
	if last.Status != 201 || last.Fault != testca.LoseAnswer {
		t.Errorf("the log has %+v", last)
	}
}

func TestALostAnswerAtEachStepIsProcessed(t *testing.T) {
	l := start(t, testca.Config{})
	c := l.client()
	lose := func(kind string) { l.ca.Inject(testca.Fault{Kind: kind, Nth: 1, Action: testca.LoseAnswer}) }
	order := c.order("a.example.com")
	challenge := c.serve(order.list("authorizations")[0])
	lose("challenge")
	c.post(challenge, struct{}{}).wantCut(t)
	until(t, "the order is ready", func() bool { return l.truth(order.url()).Status == "ready" })
	lose("finalize")
	c.finalize(order).wantCut(t)
	done := c.get(order.url()).want(t, 200, "")
	lose("certificate")
	c.get(done.str("certificate")).wantCut(t)
	c.get(done.str("certificate")).want(t, 200, "")
	other := c.order("b.example.com").list("authorizations")[0]
	lose("deactivate")
	c.post(other, map[string]string{"status": "deactivated"}).wantCut(t)
	if got := l.ca.Truth().Pending(); got != 0 {
		t.Errorf("%d pending", got)
	}
}

func TestADelayPassesBeforeOrAfterTheRequestIsProcessed(t *testing.T) {
	l := start(t, testca.Config{})
	c := l.client()
	for _, after := range []bool{false, true} {
		l.ca.Inject(testca.Fault{Kind: "new-order", Nth: 1, Action: testca.Delay, Delay: 100 * time.Millisecond, After: after})
		before := time.Now()
		c.order("a.example.com").want(t, 201, "")
		if took := time.Since(before); took < 100*time.Millisecond {
			t.Errorf("answered after %s", took)
		}
	}
}

// held is the next request that the CA holds.
func (l *lab) held() testca.Held {
	l.t.Helper()
	select {
	case h := <-l.ca.Held():
		return h
	case <-time.After(patience):
		l.t.Fatal("hung: no request was held")
		return testca.Held{}
	}
}

func TestAHeldRequestWaitsUntilReleased(t *testing.T) {
	for _, after := range []bool{false, true} {
		l := start(t, testca.Config{})
		c := l.client()
		l.ca.Inject(testca.Fault{Kind: "new-order", Nth: 1, Action: testca.Hold, After: after})
		answers := make(chan answer, 1)
		go func() { answers <- c.order("a.example.com") }()
		held := l.held()
		if held.Kind != "new-order" || held.Account != c.kid || held.Processed != after {
			t.Errorf("held %+v", held)
		}
		orders := len(l.ca.Truth().Orders)
		if (orders == 1) != after {
			t.Errorf("held, After %t: %d orders", after, orders)
		}
		l.client().order("b.example.com").want(t, 201, "") // others are not held up
		select {
		case a := <-answers:
			t.Fatalf("answered %d while held", a.status)
		default:
		}
		l.ca.Release(held.ID + 1) // another one
		l.ca.Release(held.ID)
		(<-answers).want(t, 201, "")
	}
}

func TestAHeldRequestEndsWhenItsClientGoesAway(t *testing.T) {
	l := start(t, testca.Config{})
	c := l.client()
	l.ca.Inject(testca.Fault{Kind: "new-order", Action: testca.Hold})
	c.http.Timeout = 100 * time.Millisecond
	c.order("a.example.com").wantCut(t)
	l.held()
	l.ca.ClearFaults()
	until(t, "the request ends", func() bool {
		requests := l.ca.Truth().Requests
		return !requests[len(requests)-1].Open
	})
	l.ca.Release()
	c.http.Timeout = 10 * time.Second
	c.order("b.example.com").want(t, 201, "")
	if truth := l.ca.Truth(); len(truth.Orders) != 1 || truth.Orders[0].Names[0] != "b.example.com" {
		t.Errorf("the request of a client that went away was processed: %+v", truth.Orders)
	}
}

func TestAFaultWithoutSenseIsAMistakeInTheTest(t *testing.T) {
	l := start(t, testca.Config{})
	for _, fault := range []testca.Fault{
		{Kind: "new-order"}, {Kind: "neworder", Action: testca.Drop}, {Action: "explode"},
		{Action: testca.Respond, Status: 42}, {Action: testca.Drop, Nth: -1}, {Kind: "order", Action: testca.BreakOrder},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v was accepted", fault)
				}
			}()
			l.ca.Inject(fault)
		}()
	}
}
