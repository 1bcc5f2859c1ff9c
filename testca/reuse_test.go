package testca_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"orderly/testca"
)

func TestAnOrderOfTheSameSetIsHandedBackWhilePendingOrReady(t *testing.T) {
	l := start(t, testca.Config{Reuse: true})
	c := l.client()
	first := c.order("a.example.com", "b.example.com").want(t, 201, "")
	again := c.order("B.example.COM", "a.example.com", "A.example.com").want(t, 201, "")
	if again.url() != first.url() || again.text != first.text {
		t.Errorf("the second newOrder gave %s\n%s\nnot %s\n%s", again.url(), again.text, first.url(), first.text)
	}
	c.authorize(first)
	if again := c.order("a.example.com", "b.example.com"); again.url() != first.url() || again.str("status") != "ready" {
		t.Errorf("a ready order was not handed back: %s", again.text)
	}
	if other := c.order("a.example.com"); other.url() == first.url() {
		t.Error("another set got the same order")
	}
	if n := len(l.ca.Truth().Orders); n != 2 {
		t.Errorf("%d orders, want 2", n)
	}
}

func TestWithoutReuseEveryNewOrderIsNew(t *testing.T) {
	c := start(t, testca.Config{}).client()
	first, second := c.order("a.example.com").want(t, 201, ""), c.order("a.example.com").want(t, 201, "")
	if first.url() == second.url() {
		t.Error("an order was handed back")
	}
}

func TestADeadOrForeignOrderShadowsReuseUntilItExpires(t *testing.T) {
	profiles := map[string]testca.Lifetimes{"short": {}}
	cases := map[string]func(l *lab, c *client){
		"failed": func(_ *lab, c *client) { c.fail(c.order("a.example.com")) },
		"deactivated": func(l *lab, c *client) {
			c.post(c.order("a.example.com").list("authorizations")[0], map[string]string{"status": "deactivated"}).want(l.t, 200, "")
		},
		"another account's": func(l *lab, _ *client) { l.client().order("a.example.com").want(l.t, 201, "") },
		"another profile's": func(l *lab, c *client) {
			c.orderWith(map[string]any{"profile": "short"}, "a.example.com").want(l.t, 201, "")
		},
	}
	for what, shadow := range cases {
		t.Run(what, func(t *testing.T) {
			l := start(t, testca.Config{Reuse: true, Profiles: profiles})
			c := l.client()
			shadow(l, c)
			l.ca.Advance(time.Hour)
			first, second := c.order("a.example.com").want(t, 201, ""), c.order("a.example.com").want(t, 201, "")
			if first.url() == second.url() {
				t.Fatal("an order was reused although an earlier-expiring one shadows it")
			}
			l.ca.Advance(7*24*time.Hour - 30*time.Minute) // the shadowing one is gone, the others are not
			if c.order("a.example.com").url() != first.url() {
				t.Error("nothing was reused although the shadowing order has expired")
			}
		})
	}
}

func TestFinalizedOrdersAreNeverHandedBack(t *testing.T) {
	l := start(t, testca.Config{Reuse: true, AuthzReuse: true, AsyncFinalize: true, FinalizeDelay: time.Hour})
	c := l.client()
	done := c.issue("a.example.com")
	if done.str("status") != "processing" {
		t.Fatalf("finalize answered %q", done.str("status"))
	}
	second := c.order("a.example.com").want(t, 201, "")
	if second.url() == done.url() || second.str("status") != "ready" {
		t.Fatalf("beside a processing order, newOrder gave %s", second.text)
	}
	if c.order("a.example.com").url() == second.url() {
		t.Error("a processing order does not shadow")
	}
	l.ca.Advance(2 * time.Hour)
	if status := c.get(done.url()).str("status"); status != "valid" {
		t.Fatalf("the order is %q, want valid", status)
	}
	if c.order("a.example.com").url() != second.url() {
		t.Error("a valid order shadows; Boulder forgets it at issuance")
	}
}

func TestValidAuthorizationsAreReusedAlwaysOrNever(t *testing.T) {
	for _, reuse := range []bool{true, false} {
		l := start(t, testca.Config{AuthzReuse: reuse})
		c := l.client()
		first := c.issue("a.example.com")
		old := first.list("authorizations")[0]
		for range 150 { // Pebble's own "never" is once in a hundred
			order := c.order("a.example.com").want(t, 201, "")
			if got := order.list("authorizations")[0] == old; got != reuse {
				t.Fatalf("with AuthzReuse %t the authorization was reused: %t", reuse, got)
			}
		}
		if status := l.truth(first.url()).Status; status != "valid" {
			t.Errorf("the first order became %s", status)
		}
		other := l.client().order("a.example.com").want(t, 201, "")
		if other.list("authorizations")[0] == old {
			t.Error("another account got the authorization")
		}
		l.ca.Advance(31 * 24 * time.Hour)
		if late := c.order("a.example.com"); late.list("authorizations")[0] == old {
			t.Error("an expired authorization was reused")
		}
	}
}

func TestAnOrderWithoutAProfileGetsTheDefaultOne(t *testing.T) {
	l := start(t, testca.Config{AuthzReuse: true, Profiles: map[string]testca.Lifetimes{
		"short": {Certificate: 160 * time.Hour, Order: 8 * time.Hour, PendingAuthorization: time.Hour, ValidAuthorization: 7 * time.Hour},
	}})
	c := l.client()
	lifetime := func(order answer) time.Duration {
		return leafOf(t, c.get(c.finalize(order).want(t, 200, "").str("certificate")).text).lifetime
	}
	for range 10 {
		order := c.order("a.example.com").want(t, 201, "")
		c.authorize(order)
		if got := lifetime(order); got.Round(time.Hour) != 90*24*time.Hour {
			t.Fatalf("a certificate without a profile lives %s", got)
		}
	}
	short := c.orderWith(map[string]any{"profile": "short"}, "b.example.com").want(t, 201, "")
	if truth := l.truth(short.url()); truth.Expires.Sub(truth.Created).Round(time.Minute) != time.Hour {
		t.Errorf("an order lives %s, longer than its pending authorization", truth.Expires.Sub(truth.Created))
	}
	c.authorize(short)
	if got := lifetime(short); got.Round(time.Hour) != 160*time.Hour {
		t.Errorf("a certificate of the profile short lives %s", got)
	}
	c.orderWith(map[string]any{"profile": "unheard"}, "a.example.com").want(t, 400, "invalidProfile")
	c.orderWith(map[string]any{"notAfter": "2030-01-01T00:00:00Z"}, "a.example.com").want(t, 400, "malformed")
}

func TestTheListOfOrdersIsShownOrHidden(t *testing.T) {
	l := start(t, testca.Config{OrdersList: true})
	c := l.client()
	urls := map[string]bool{}
	for _, name := range strings.Fields("a b c d e f g") {
		urls[c.order(name+".example.com").want(t, 201, "").url()] = true
	}
	urls[c.issue("h.example.com").url()] = true
	next := c.get(c.kid).want(t, 200, "").str("orders")
	for pages := 0; next != "" && pages < 5; pages++ {
		page := c.get(next).want(t, 200, "")
		for _, url := range page.list("orders") {
			if !urls[url] {
				t.Errorf("%s is listed twice or was never made", url)
			}
			delete(urls, url)
		}
		next = ""
		for _, link := range page.header.Values("Link") {
			if url, found := strings.CutSuffix(link, `>;rel="next"`); found {
				next = strings.TrimPrefix(url, "<")
			}
		}
	}
	if len(urls) != 0 {
		t.Errorf("not listed: %v", urls)
	}
	list := c.get(c.kid).str("orders")
	l.ca.Advance(8 * 24 * time.Hour)
	if left := c.get(list).want(t, 200, "").list("orders"); len(left) != 0 {
		t.Errorf("expired orders are listed: %v", left)
	}

	hidden := start(t, testca.Config{}).client()
	if account := hidden.get(hidden.kid).want(t, 200, ""); account.str("orders") != "" || account.str("status") != "valid" {
		t.Errorf("the account is %s", account.text)
	}
	hidden.get(strings.Replace(hidden.kid, "/my-account/", "/list-orderz/", 1)).want(t, 404, "malformed")
}

func TestTheDirectoryShowsBouldersEntryOnlyIfAsked(t *testing.T) {
	const random = "https://community.letsencrypt.org/t/adding-random-entries-to-the-directory/33417"
	for _, boulder := range []bool{true, false} {
		l := start(t, testca.Config{Boulder: boulder})
		directory := l.bare().send(http.MethodGet, l.ca.DirectoryURL(), nil).want(t, 200, "")
		if got := strings.Contains(directory.text, random); got != boulder {
			t.Errorf("Boulder %t: %s", boulder, directory.text)
		}
	}
}

func TestAnOpenReplacementIsRefusedWith409(t *testing.T) {
	l := start(t, testca.Config{Reuse: true, AuthzReuse: true, Limits: testca.Limits{
		CertificatesPerFQDNSet: testca.Limit{Count: 1, Period: 365 * 24 * time.Hour}}})
	c := l.client()
	replaces := leafOf(t, c.get(c.issue("a.example.com").str("certificate")).text).certID
	with := map[string]any{"replaces": replaces}
	c.orderWith(with, "a.example.com").want(t, 429, "rateLimited") // the window has not begun
	l.client().orderWith(with, "a.example.com").want(t, 403, "unauthorized")
	c.orderWith(with, "b.example.com").want(t, 400, "malformed")
	c.orderWith(map[string]any{"replaces": strings.Split(replaces, ".")[0] + ".AQ"}, "a.example.com").want(t, 404, "malformed")

	l.ca.Advance(60 * 24 * time.Hour)
	order := c.orderWith(with, "a.example.com").want(t, 201, "")
	if order.str("replaces") != replaces {
		t.Errorf("the order does not echo replaces: %s", order.text)
	}
	c.orderWith(with, "a.example.com").want(t, 409, "alreadyReplaced")
	c.authorize(order)
	c.finalize(order).want(t, 200, "")
	c.orderWith(with, "a.example.com").want(t, 409, "alreadyReplaced")
}
