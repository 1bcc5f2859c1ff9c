package testca_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"strconv"
	"testing"
	"time"

	"orderly/testca"
)

// clock is a CA's clock that stands still.
func clock() (time.Time, func() time.Time) {
	at := time.Now().Truncate(time.Second).Add(time.Hour)
	return at, func() time.Time { return at }
}

// wantWait checks the text and the Retry-After of a refusal.
func (a answer) wantWait(t *testing.T, wait time.Duration, now time.Time, text, anchor string) {
	t.Helper()
	a.want(t, 429, "rateLimited")
	want := fmt.Sprintf("%s, retry after %s: see https://letsencrypt.org/docs/rate-limits/#%s",
		text, now.Add(wait).UTC().Format("2006-01-02 15:04:05 MST"), anchor)
	if a.str("detail") != want {
		t.Errorf("detail %q\nwant   %q", a.str("detail"), want)
	}
	if got := a.header.Get("Retry-After"); got != strconv.Itoa(int(wait/time.Second)) {
		t.Errorf("Retry-After %q, want %s", got, wait)
	}
}

func TestNewOrdersPerAccountIsSpentByReusedOrdersToo(t *testing.T) {
	now, still := clock()
	l := start(t, testca.Config{Reuse: true, Now: still, Limits: testca.Limits{
		NewOrdersPerAccount: testca.Limit{Count: 3, Period: 3 * time.Hour}}})
	c := l.client()
	c.order("a.example.com").want(t, 201, "")
	c.order("a.example.com").want(t, 201, "")
	c.order("b.example.com").want(t, 201, "")
	for range 2 { // a refusal spends nothing
		c.order("a.example.com").wantWait(t, time.Hour, now,
			"too many new orders (3) from this account in the last 3h0m0s", "new-orders-per-account")
	}
	l.client().order("a.example.com").want(t, 201, "")
	l.ca.Advance(59 * time.Minute)
	c.order("a.example.com").want(t, 429, "rateLimited")
	l.ca.Advance(time.Minute)
	c.order("a.example.com").want(t, 201, "")
	c.order("a.example.com").want(t, 429, "rateLimited")
	if got := l.ca.Truth().RateLimited; got != 4 {
		t.Errorf("the truth counts %d refusals, want 4", got)
	}
}

func TestWhatPebbleRejectsSpendsNothing(t *testing.T) {
	l := start(t, testca.Config{Reuse: true, Limits: testca.Limits{
		NewOrdersPerAccount: testca.Limit{Count: 1, Period: time.Hour}}})
	c := l.client()
	c.order("not a name").want(t, 400, "malformed")
	c.nonce = "stale"
	c.order("a.example.com").want(t, 400, "badNonce")
	good := c.key
	c.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	c.order("a.example.com").want(t, 400, "malformed")
	c.key = good
	c.order("a.example.com").want(t, 201, "")

	// Nor is a forger told what the front itself would have answered.
	c.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	c.order("a.example.com").want(t, 400, "malformed")
	c.order("b.example.com").want(t, 400, "malformed")
	c.key = good
	c.nonce = "stale"
	c.order("b.example.com").want(t, 400, "badNonce")
	c.order("b.example.com").want(t, 429, "rateLimited")
}

func TestFailuresAndDeactivationsCostTheSame(t *testing.T) {
	now, still := clock()
	l := start(t, testca.Config{Now: still, Limits: testca.Limits{
		FailedAuthorizationsPerDomainPerAccount: testca.Limit{Count: 2, Period: time.Hour}}})
	c := l.client()
	other := c.order("a.example.com").want(t, 201, "")
	c.fail(c.order("a.example.com").want(t, 201, ""))
	order := c.order("a.example.com", "b.example.com").want(t, 201, "")
	for _, url := range order.list("authorizations") {
		off := c.post(url, map[string]string{"status": "deactivated"}).want(t, 200, "")
		if off.str("status") != "deactivated" {
			t.Errorf("deactivated: %s", off.text)
		}
	}
	if status := c.get(order.url()).str("status"); status != "invalid" {
		t.Errorf("the order is %q, want invalid", status)
	}
	c.order("c.example.com", "a.example.com").wantWait(t, 30*time.Minute, now,
		`too many failed authorizations (2) for "a.example.com" in the last 1h0m0s`,
		"authorization-failures-per-identifier-per-account")
	c.order("b.example.com").want(t, 201, "")
	l.client().order("a.example.com").want(t, 201, "")
	c.authorize(other) // an older pending order may go on and issue
	c.finalize(other).want(t, 200, "")
}

func TestAnEmptyBucketIsNotSpentFurther(t *testing.T) {
	now, still := clock()
	l := start(t, testca.Config{Now: still, Limits: testca.Limits{
		FailedAuthorizationsPerDomainPerAccount: testca.Limit{Count: 1, Period: time.Hour}}})
	c := l.client()
	for _, order := range []answer{c.order("a.example.com"), c.order("a.example.com")} {
		c.fail(order)
		off := c.post(order.list("authorizations")[0], map[string]string{"status": "deactivated"}).want(t, 200, "")
		if off.str("status") != "invalid" {
			t.Errorf("a failed authorization that is deactivated becomes %q", off.str("status"))
		}
	}
	c.order("a.example.com").wantWait(t, time.Hour, now,
		`too many failed authorizations (1) for "a.example.com" in the last 1h0m0s`,
		"authorization-failures-per-identifier-per-account")
}

func TestDeactivatingAValidAuthorizationIsFreeAndKillsItsOrder(t *testing.T) {
	l := start(t, testca.Config{Limits: testca.Limits{
		FailedAuthorizationsPerDomainPerAccount: testca.Limit{Count: 1, Period: time.Hour}}})
	c := l.client()
	issued := c.issue("a.example.com")
	c.post(issued.list("authorizations")[0], map[string]string{"status": "deactivated"}).want(t, 200, "")
	if status := c.get(issued.url()).str("status"); status != "invalid" {
		t.Errorf("the issued order is %q, want invalid", status)
	}
	c.get(issued.str("certificate")).want(t, 200, "")
	c.order("a.example.com").want(t, 201, "")
}

func TestTheExactSetIsLimitedOverAllAccountsAndRenewalsAreNotNewOrders(t *testing.T) {
	now, still := clock()
	l := start(t, testca.Config{Now: still, AuthzReuse: true, Limits: testca.Limits{
		NewOrdersPerAccount:    testca.Limit{Count: 1, Period: 24 * time.Hour},
		CertificatesPerFQDNSet: testca.Limit{Count: 2, Period: 48 * time.Hour},
	}})
	c := l.client()
	c.issue("a.example.com", "b.example.com")
	c.order("b.example.com").want(t, 429, "rateLimited") // the only new order is spent
	c.issue("B.example.com", "a.example.com")
	for _, anyone := range []*client{c, l.client()} {
		anyone.order("a.example.com", "b.example.com").wantWait(t, 24*time.Hour, now,
			"too many certificates (2) already issued for this exact set of identifiers in the last 48h0m0s",
			"new-certificates-per-exact-set-of-identifiers")
	}
}

func TestOfSeveralLimitsTheLongestWaitIsTold(t *testing.T) {
	for _, orders := range []time.Duration{time.Hour, 3 * time.Hour} {
		now, still := clock()
		l := start(t, testca.Config{Now: still, Limits: testca.Limits{
			NewOrdersPerAccount:                     testca.Limit{Count: 1, Period: orders},
			FailedAuthorizationsPerDomainPerAccount: testca.Limit{Count: 1, Period: 2 * time.Hour},
		}})
		c := l.client()
		c.fail(c.order("a.example.com"))
		text, anchor := `too many failed authorizations (1) for "a.example.com" in the last 2h0m0s`,
			"authorization-failures-per-identifier-per-account"
		if orders > 2*time.Hour {
			text, anchor = "too many new orders (1) from this account in the last 3h0m0s", "new-orders-per-account"
		}
		c.order("a.example.com").wantWait(t, max(orders, 2*time.Hour), now, text, anchor)
	}
}

func TestTheRetiredLimitCountsPendingAuthorizations(t *testing.T) {
	l := start(t, testca.Config{Reuse: true, AuthzReuse: true, Limits: testca.Limits{
		PendingAuthorizations: testca.Limit{Count: 3}}})
	c := l.client()
	c.issue("ok.example.com")
	first := c.order("a.example.com", "b.example.com").want(t, 201, "")
	c.order("c.example.com").want(t, 201, "")
	refused := c.order("d.example.com").want(t, 429, "rateLimited")
	if got := refused.str("detail"); got != "too many currently pending authorizations: see https://letsencrypt.org/docs/rate-limits/" {
		t.Errorf("detail %q", got)
	}
	if refused.header.Get("Retry-After") != "" {
		t.Error("the refusal carries Retry-After")
	}
	if c.order("a.example.com", "b.example.com").url() != first.url() {
		t.Error("an existing order was not handed back")
	}
	c.order("ok.example.com").want(t, 201, "") // adds nothing that is pending
	l.client().order("d.example.com").want(t, 201, "")
	c.authorize(first)
	c.order("d.example.com").want(t, 201, "")
	l.ca.Advance(8 * 24 * time.Hour)
	if got := l.ca.Truth().Pending(); got != 0 {
		t.Errorf("%d pending after they expired", got)
	}
	c.order("d.example.com", "e.example.com", "f.example.com").want(t, 201, "")
}

func TestALimitIsReadAsItIsWritten(t *testing.T) {
	for text, want := range map[string]testca.Limit{
		"300/3h0m0s": {Count: 300, Period: 3 * time.Hour}, "300": {Count: 300}, "off": {},
	} {
		var l testca.Limit
		if err := l.Set(text); err != nil || l != want || l.String() != text {
			t.Errorf("%s: %+v, %q, %v", text, l, l.String(), err)
		}
	}
	for _, text := range []string{"", "0/3h", "-1", "x/3h", "3/", "3/0s", "3/-1h", "3/h"} {
		var l testca.Limit
		if err := l.Set(text); err == nil {
			t.Errorf("%q was read as %s", text, l)
		}
	}
}

func FuzzLimit(f *testing.F) {
	for _, seed := range []string{"300/3h", "5", "off", "1/", "/1h", "-3/1h"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var l, again testca.Limit
		if l.Set(text) != nil {
			return
		}
		if err := again.Set(l.String()); err != nil || again != l {
			t.Errorf("%q was read as %+v, written %q, read as %+v (%v)", text, l, l.String(), again, err)
		}
	})
}
