package testca_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"orderly/testca"
)

func TestCertificatesPerDomainIsSpentAtIssuanceButForRenewals(t *testing.T) {
	now, still := clock()
	l := start(t, testca.Config{Now: still, Limits: testca.Limits{CertificatesPerDomain: testca.Limit{Count: 2, Period: 48 * time.Hour}}})
	c := l.client()
	c.order("never.finished.example.com").want(t, 201, "")
	c.issue("a.example.com")
	c.issue("b.example.com", "www.b.example.com")
	other := l.client() // the domain's bucket is everybody's
	for _, names := range [][]string{{"c.example.com"}, {"other.example.net", "a.example.com"}} {
		other.order(names...).wantWait(t, 24*time.Hour, now,
			`too many certificates (2) already issued for "example.com" in the last 48h0m0s`, "new-certificates-per-registered-domain")
	}
	other.issue("other.example.net")
	c.issue("a.example.com") // a renewal
	l.ca.Advance(24 * time.Hour)
	other.issue("c.example.com")
	other.order("d.example.com").want(t, 429, "rateLimited")
}

func TestNewAccountsAreLimitedForEachAddress(t *testing.T) {
	now, still := clock()
	l := start(t, testca.Config{Now: still, Limits: testca.Limits{NewRegistrationsPerIPAddress: testca.Limit{Count: 1, Period: 3 * time.Hour}}})
	c := l.client()
	late := l.bare()
	late.dir = late.send(http.MethodGet, l.ca.DirectoryURL(), nil).want(t, 200, "").json
	late.register().wantWait(t, 3*time.Hour, now,
		"too many new registrations (1) from this IP address in the last 3h0m0s", "new-registrations-per-ip-address")
	kid := c.kid
	c.kid = ""
	if again := c.register().want(t, 200, ""); again.url() != kid { // it asks for the one there is
		t.Errorf("the account is %s, not %s", again.url(), kid)
	}
	l.ca.Advance(3 * time.Hour)
	late.kid = ""
	late.register().want(t, 201, "")
}

// A paused name is refused with a page for a person, and no time after which it would be allowed.
func TestAPausedNameWaitsForAPerson(t *testing.T) {
	l := start(t, testca.Config{Limits: testca.Limits{
		FailedAuthorizationsForPausingPerDomainPerAccount: testca.Limit{Count: 2, Period: 48 * time.Hour}}})
	c := l.client()
	c.fail(c.order("a.example.com"))
	c.authorize(c.order("a.example.com").want(t, 201, "")) // the count begins anew
	for range 3 {
		c.fail(c.order("a.example.com").want(t, 201, ""))
	}
	refused := c.order("a.example.com", "b.example.com").want(t, 429, "rateLimited")
	text := refused.str("detail")
	if refused.header.Get("Retry-After") != "" || !strings.Contains(text, "temporarily prevented from requesting certificates for a.example.com") ||
		!strings.Contains(text, "Please visit: https://") {
		t.Errorf("Retry-After %q, %s", refused.header.Get("Retry-After"), text)
	}
	c.order("b.example.com").want(t, 201, "")
	l.client().order("a.example.com").want(t, 201, "")
	l.ca.Advance(365 * 24 * time.Hour)
	c.order("a.example.com").want(t, 429, "rateLimited")
	l.ca.Unpause()
	c.order("a.example.com").want(t, 201, "")
	l.ca.Pause(c.kid, "b.example.com")
	c.order("b.example.com").want(t, 429, "rateLimited")
}

// Reuse is not atomic: newOrders that are under way at the same time do not see each other's orders.
func TestNewOrdersAtOnceMakeSeveralOrders(t *testing.T) {
	l := start(t, testca.Config{Reuse: true})
	c := l.client()
	const many = 8
	l.ca.Inject(testca.Fault{Kind: "new-order", Action: testca.Hold})
	var group sync.WaitGroup
	for range many {
		group.Go(func() {
			same := &client{lab: l, http: c.http, dir: c.dir, key: c.key, kid: c.kid, agent: c.agent}
			if a := same.order("a.example.com"); a.status != 201 {
				t.Errorf("answered %d: %s", a.status, a.text)
			}
		})
	}
	for range many {
		<-l.ca.Held()
	}
	l.ca.ClearFaults()
	l.ca.Release()
	group.Wait()
	orders := l.ca.Truth().Orders
	if len(orders) != many {
		t.Errorf("%d newOrders at once made %d orders", many, len(orders))
	}
	again := c.order("a.example.com").want(t, 201, "")
	if len(l.ca.Truth().Orders) != many || again.url() != orders[0].URL {
		t.Errorf("a newOrder after them was not handed the earliest: %s", again.url())
	}
}
