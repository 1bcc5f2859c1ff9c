package acme_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"orderly/acme"
)

func TestARequestTakesANonceAtHandAndBringsOneBack(t *testing.T) {
	ca := newFakeCA(t)
	c, a := ca.ready(t)
	for range 5 {
		if _, err := a.Order(t.Context(), ca.URL+"/order/1"); err != nil {
			t.Fatal(err)
		}
	}
	if c.Nonces() != 1 || ca.count("/nonce") != 1 {
		t.Errorf("%d nonces at hand, %d fetched", c.Nonces(), ca.count("/nonce"))
	}
}

func TestAProblemBringsANonceToo(t *testing.T) {
	ca := newFakeCA(t)
	c, a := ca.ready(t)
	ca.on("/order/1", refusing(404, "malformed", "gone"))
	if _, err := a.Order(t.Context(), ca.URL+"/order/1"); !isA[*acme.Problem](err) {
		t.Error(err)
	}
	if c.Nonces() != 1 {
		t.Errorf("%d nonces at hand", c.Nonces())
	}
}

func TestNoncesAreNeverSharedBetweenGoroutines(t *testing.T) {
	ca := newFakeCA(t)
	c, a := ca.ready(t)
	var wait sync.WaitGroup
	for range 40 {
		wait.Go(func() {
			if _, err := a.Order(t.Context(), ca.URL+"/order/1"); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	// Each of 40 needs one nonce and each answer brings one, so that every request is sent once and none is refused.
	if n := ca.count("/order/1"); n != 40 {
		t.Errorf("%d requests for 40", n)
	}
	if c.Nonces() != ca.count("/nonce") {
		t.Errorf("%d nonces at hand, %d fetched", c.Nonces(), ca.count("/nonce"))
	}
}

func TestABadNonceEmptiesThePoolAndGoesAgainWithTheFreshOne(t *testing.T) {
	ca := newFakeCA(t)
	c, a := ca.ready(t)
	for range 3 {
		if err := c.FetchNonce(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ca.forgetNonces()
	if _, err := newOrder(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if ca.count("/new-order") != 2 || ca.count("/nonce") != 4 || c.Nonces() != 1 {
		t.Errorf("%d requests, %d nonces fetched, %d at hand", ca.count("/new-order"), ca.count("/nonce"), c.Nonces())
	}
}

func TestABadNonceWithoutAFreshOneCostsOneHead(t *testing.T) {
	ca := newFakeCA(t)
	_, a := ca.ready(t)
	refused := false
	good := ca.located(201, "/order/1", ca.order("pending"))
	ca.on("/new-order", func(w http.ResponseWriter, r *http.Request) {
		if refused {
			good(w, r)
			return
		}
		refused = true
		w.Header().Del("Replay-Nonce")
		refusing(400, "badNonce", "unknown")(w, r)
	})
	if _, err := newOrder(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if ca.count("/new-order") != 2 || ca.count("/nonce") != 2 {
		t.Errorf("%d requests, %d nonces fetched", ca.count("/new-order"), ca.count("/nonce"))
	}
}

func TestABadNonceIsNotFollowedForEver(t *testing.T) {
	ca := newFakeCA(t)
	_, a := ca.ready(t)
	ca.on("/new-order", refusing(400, "badNonce", "never good enough"))
	_, err := newOrder(t.Context(), a)
	if p, ok := errors.AsType[*acme.Problem](err); !ok || !p.IsType("badNonce") {
		t.Errorf("got %v", err)
	}
	if n := ca.count("/new-order"); n != 1+acme.NonceRetries {
		t.Errorf("%d requests", n)
	}
}

func TestNoOtherAnswerIsFollowedByTheSameRequest(t *testing.T) {
	ca := newFakeCA(t)
	_, a := ca.ready(t)
	for i, answer := range []http.HandlerFunc{
		refusing(429, "rateLimited", "later"), refusing(500, "serverInternal", "broken"), refusing(503, "serverInternal", "busy"),
		refusing(409, "alreadyReplaced", "done"), refusing(400, "malformed", "bad nonce"), refusing(403, "unauthorized", "no"), http.NotFound,
	} {
		ca.on("/new-order", answer)
		if _, err := newOrder(t.Context(), a); !isA[*acme.Problem](err) {
			t.Error(err)
		}
		if n := ca.count("/new-order"); n != i+1 {
			t.Errorf("case %d was sent again", i)
		}
	}
}

func TestANonceThatCannotBeHadMeansNotSent(t *testing.T) {
	ca := newFakeCA(t)
	c := ca.client(t)
	a := c.Account(ca.key, ca.URL+"/account/1")
	ca.on("/nonce", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Del("Replay-Nonce")
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(503)
	})
	_, err := newOrder(t.Context(), a)
	if p, ok := errors.AsType[*acme.Problem](err); !isA[*acme.NotSent](err) || !ok || p.RetryAfter != 7*time.Second {
		t.Errorf("503: %v", err)
	}
	for _, value := range []string{"", "has blank", "bad=", "ümlaut"} {
		ca.on("/nonce", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Replay-Nonce", value) })
		if _, err := newOrder(t.Context(), a); !isA[*acme.NotSent](err) || isA[*acme.Lost](err) {
			t.Errorf("%q: %v", value, err)
		}
		if err := c.FetchNonce(t.Context()); !isA[*acme.Lost](err) {
			t.Errorf("%q: %v", value, err)
		}
	}
	ca.on("/nonce", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if _, err := newOrder(t.Context(), a); !isA[*acme.NotSent](err) || isA[*acme.Lost](err) {
		t.Errorf("a broken connection: %v", err)
	}
	if ca.count("/new-order") != 0 {
		t.Error("an order was sent without a nonce")
	}
}

func TestNoncesAge(t *testing.T) {
	ca := newFakeCA(t)
	var mu sync.Mutex
	now := time.Date(2026, 11, 7, 10, 0, 0, 0, time.UTC)
	c, a := ca.ready(t, func(o *acme.Options) {
		o.Now = func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return now
		}
	})
	pass := func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(d)
	}
	pass(acme.NonceAge)
	if err := c.FetchNonce(t.Context()); err != nil || c.Nonces() != 2 {
		t.Errorf("%d nonces at the age limit, %v", c.Nonces(), err)
	}
	pass(time.Second)
	if c.Nonces() != 1 {
		t.Errorf("%d nonces past the age limit of one", c.Nonces())
	}
	pass(acme.NonceAge)
	if _, err := a.Order(t.Context(), ca.URL+"/order/1"); err != nil || ca.count("/order/1") != 1 || ca.count("/nonce") != 3 {
		t.Errorf("%d requests, %d nonces fetched, %v", ca.count("/order/1"), ca.count("/nonce"), err)
	}
}

func TestThePoolIsBoundedAndKeepsTheNewest(t *testing.T) {
	ca := newFakeCA(t)
	c, a := ca.ready(t)
	for i := range acme.NoncesKept + 10 {
		if err := c.FetchNonce(t.Context()); err != nil {
			t.Fatal(i, err)
		}
	}
	if c.Nonces() != acme.NoncesKept {
		t.Errorf("%d nonces at hand", c.Nonces())
	}
	if _, err := a.Order(t.Context(), ca.URL+"/order/1"); err != nil {
		t.Fatal(err)
	}
	if got, want := string(ca.lastPost().protected["nonce"]), fmt.Sprintf(`"nonce-%d"`, acme.NoncesKept+11); got != want {
		t.Errorf("used %s, the newest was %s", got, want)
	}
}
