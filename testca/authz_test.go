package testca_test

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"orderly/testca"
)

func TestAChallengeBeingValidatedIsShownAsConfigured(t *testing.T) {
	seven := 7
	for _, hide := range []bool{true, false} {
		l := start(t, testca.Config{HideProcessing: hide, PollRetryAfter: &seven})
		open := l.web.shut()
		c := l.client()
		order := c.order("a.example.com")
		url := order.list("authorizations")[0]
		if c.get(url).header.Get("Retry-After") != "" {
			t.Error("an authorization nobody answered carries Retry-After")
		}
		want := map[bool]string{true: "pending", false: "processing"}[hide]
		challenge := c.serve(url)
		posted := c.post(challenge, struct{}{}).want(t, 200, "")
		if posted.str("status") != want || posted.str("validated") != "" {
			t.Errorf("HideProcessing %t: the answer to the challenge is %s", hide, posted.text)
		}
		if links := strings.Join(posted.header.Values("Link"), " "); !strings.Contains(links, "<"+url+`>;rel="up"`) {
			t.Errorf("no link to the authorization in %q", links)
		}
		shown := c.get(url).want(t, 200, "")
		if shown.str("status") != "pending" || strings.Contains(shown.text, `"processing"`) == hide {
			t.Errorf("HideProcessing %t: the authorization is %s", hide, shown.text)
		}
		if shown.header.Get("Retry-After") != "7" {
			t.Errorf("Retry-After %q", shown.header.Get("Retry-After"))
		}
		if got := c.get(challenge).str("status"); got != want {
			t.Errorf("HideProcessing %t: the challenge is %q", hide, got)
		}
		truth := l.truth(order.url()).Authorizations[0]
		if truth.Status != "pending" || truth.ChallengeStatus != "processing" || truth.Validations != 1 || l.ca.Truth().Pending() != 1 {
			t.Errorf("the truth is %+v", truth)
		}
		open()
		until(t, "the order is ready", func() bool { return l.truth(order.url()).Status == "ready" })
		if done := c.get(url); done.str("status") != "valid" || len(done.list("challenges")) != 1 {
			t.Errorf("the valid authorization is %s", done.text)
		}
	}
}

func TestAChallengePostedAgainWhileItValidatesIsAnotherFailure(t *testing.T) {
	l := start(t, testca.Config{HideProcessing: true, Limits: testca.Limits{
		FailedAuthorizationsPerDomainPerAccount: testca.Limit{Count: 3, Period: time.Hour}}})
	open := l.web.shut()
	c := l.client()
	order := c.order("a.example.com")
	challenge, _ := c.http01(c.get(order.list("authorizations")[0]))
	for range 3 {
		c.post(challenge, struct{}{}).want(t, 200, "")
	}
	open()
	until(t, "the third failure is charged", func() bool { return c.order("a.example.com").status == 429 })
	if truth := l.ca.Truth(); truth.ValidatedTwice() != 1 || l.truth(order.url()).Authorizations[0].Validations != 3 {
		t.Errorf("validated twice: %d, %+v", truth.ValidatedTwice(), l.truth(order.url()).Authorizations)
	}
	late := c.post(challenge, struct{}{}).want(t, 400, "malformed")
	if !strings.Contains(late.str("detail"), "authorization must be pending") {
		t.Errorf("detail %q", late.str("detail"))
	}
	final := c.get(order.url()).want(t, 200, "")
	if final.str("status") != "invalid" || final.json["error"] != nil {
		t.Errorf("the order is %s", final.text)
	}
	if got := l.truth(order.url()).Authorizations[0].Validations; got != 3 {
		t.Errorf("%d validations, want 3", got)
	}
}

func TestARepeatIsAConflictIfConfiguredSo(t *testing.T) {
	l := start(t, testca.Config{RepeatConflict: true})
	open := l.web.shut()
	c := l.client()
	order := c.order("a.example.com")
	challenge := c.serve(order.list("authorizations")[0])
	c.post(challenge, struct{}{}).want(t, 200, "")
	c.post(challenge, struct{}{}).want(t, 409, "conflict")
	open()
	until(t, "the order is ready", func() bool { return l.truth(order.url()).Status == "ready" })
	c.post(challenge, struct{}{}).want(t, 200, "") // valid already: nothing happens
	if got := l.truth(order.url()).Authorizations[0].Validations; got != 1 {
		t.Errorf("%d validations, want 1", got)
	}
}

func TestAnAuthorizationDeactivatedWhileItValidatesHarmsNobody(t *testing.T) {
	l := start(t, testca.Config{})
	open := l.web.shut()
	c := l.client()
	order := c.order("a.example.com")
	url := order.list("authorizations")[0]
	c.post(c.serve(url), struct{}{}).want(t, 200, "")
	c.post(url, map[string]string{"status": "deactivated"}).want(t, 200, "")
	c.get(url).want(t, 200, "")
	open()
	until(t, "the validation ends", func() bool { return l.truth(order.url()).Authorizations[0].ChallengeStatus != "processing" })
	if got := c.get(url).want(t, 200, "").str("status"); got != "deactivated" {
		t.Errorf("the authorization is %q", got)
	}
	c.issue("b.example.com")
}

func TestASiblingOfAFailedNameBecomesValidAndReusable(t *testing.T) {
	l := start(t, testca.Config{AuthzReuse: true, DeadNames: []string{"dead.example.com"}})
	c := l.client()
	order := c.order("dead.example.com", "ok.example.com")
	for _, url := range order.list("authorizations") {
		c.post(c.serve(url), struct{}{}).want(t, 200, "")
	}
	until(t, "no authorization is pending", func() bool { return l.ca.Truth().Pending() == 0 })
	if got := c.get(order.url()).str("status"); got != "invalid" {
		t.Errorf("the order is %q", got)
	}
	if again := c.order("ok.example.com").want(t, 201, ""); again.str("status") != "ready" {
		t.Errorf("the sibling's authorization is not reused: %s", again.text)
	}
}

func TestExpiredObjectsAreGone(t *testing.T) {
	l := start(t, testca.Config{})
	c := l.client()
	order := c.order("a.example.com")
	url := order.list("authorizations")[0]
	challenge := c.serve(url)
	l.ca.Advance(7*24*time.Hour + time.Second)
	c.get(order.url()).want(t, 404, "malformed")
	c.get(url).want(t, 404, "malformed")
	c.get(challenge).want(t, 404, "malformed")
	c.post(challenge, struct{}{}).want(t, 404, "malformed")
	c.post(url, map[string]string{"status": "deactivated"}).want(t, 404, "malformed")
	late := c.finalize(order).want(t, 404, "malformed")
	date, err := http.ParseTime(late.header.Get("Date"))
	if ahead := time.Until(date); err != nil || ahead < 6*24*time.Hour {
		t.Errorf("the CA's Date is %q", late.header.Get("Date"))
	}
	c.order("b.example.com").want(t, 201, "")
	if truth := l.truth(order.url()); truth.Status != "pending" || !truth.Expired {
		t.Errorf("the truth is %+v", truth)
	}
	for _, unheard := range []string{"/my-order/", "/authZ/", "/chalZ/", "/finalize-order/", "/certZ/"} {
		c.get(strings.Replace(l.ca.DirectoryURL(), "/dir", unheard+"none", 1)).want(t, 404, "malformed")
	}
}

func TestAnotherAccountsObjectsAreRefused(t *testing.T) {
	l := start(t, testca.Config{})
	owner, thief := l.client(), l.client()
	order := owner.order("a.example.com")
	thief.get(order.url()).want(t, 403, "unauthorized")
	thief.get(order.list("authorizations")[0]).want(t, 403, "unauthorized")
	thief.post(order.list("authorizations")[0], map[string]string{"status": "deactivated"}).want(t, 403, "unauthorized")
	thief.finalize(order).want(t, 403, "unauthorized")
	challenge, _ := thief.http01(owner.get(order.list("authorizations")[0]))
	thief.post(challenge, struct{}{}).want(t, 403, "unauthorized")
	thief.get(challenge).want(t, 403, "unauthorized")
	if got := l.ca.Truth().Pending(); got != 1 {
		t.Errorf("%d pending, want 1", got)
	}
}

func TestFinalizeNeedsReadyAndABadCSRLeavesIt(t *testing.T) {
	l := start(t, testca.Config{})
	c := l.client()
	order := c.order("a.example.com")
	c.finalize(order).want(t, 403, "orderNotReady")
	c.authorize(order)
	c.post(order.str("finalize"), map[string]string{"csr": "AAAA"}).want(t, 400, "malformed")
	if got := c.post(order.str("finalize"), map[string]string{"csr": accountKeyCSR(t, c, "a.example.com")}); got.problem() != "badCSR" {
		t.Errorf("a CSR with the account's key: %s", got.text)
	}
	if got := c.get(order.url()).str("status"); got != "ready" {
		t.Errorf("the order is %q, want ready", got)
	}
	c.finalize(order).want(t, 200, "")
	c.finalize(order).want(t, 403, "orderNotReady")
	if n := len(l.ca.Truth().Issued); n != 1 {
		t.Errorf("%d certificates, want 1", n)
	}
}

func accountKeyCSR(t *testing.T, c *client, name string) string {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{name}}, c.key)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(der)
}

func TestAsynchronousFinalizeShowsProcessing(t *testing.T) {
	three := 3
	l := start(t, testca.Config{AsyncFinalize: true, FinalizeDelay: time.Minute, PollRetryAfter: &three})
	c := l.client()
	order := c.issue("a.example.com")
	for _, shown := range []answer{order, c.get(order.url())} {
		if shown.str("status") != "processing" || shown.str("certificate") != "" || shown.header.Get("Retry-After") != "3" {
			t.Errorf("the order is %s, Retry-After %q", shown.text, shown.header.Get("Retry-After"))
		}
	}
	if got := l.truth(order.url()).Status; got != "processing" {
		t.Errorf("the truth is %q", got)
	}
	l.ca.Advance(time.Minute)
	done := c.get(order.url())
	if done.str("status") != "valid" || done.header.Get("Retry-After") != "" {
		t.Errorf("the order is %s", done.text)
	}
	c.get(done.str("certificate")).want(t, 200, "")
}

func TestAnOrderThatCannotBeIssuedIsInvalidWithAnError(t *testing.T) {
	l := start(t, testca.Config{AuthzReuse: true, Reuse: true})
	c := l.client()
	order := c.order("a.example.com")
	c.authorize(order)
	l.ca.Inject(testca.Fault{Kind: "finalize", Nth: 1, Action: testca.BreakOrder})
	broken := c.finalize(order).want(t, 500, "serverInternal")
	if broken.header.Get("Retry-After") != "60" {
		t.Errorf("Retry-After %q", broken.header.Get("Retry-After"))
	}
	if shown := c.get(order.url()); shown.str("status") != "invalid" || shown.json["error"] == nil {
		t.Errorf("the order is %s", shown.text)
	}
	if next := c.order("a.example.com"); next.str("status") != "ready" || next.url() == order.url() {
		t.Errorf("the next order is %s", next.text)
	}
}

func TestAnAccountKeyIsNeverMistaken(t *testing.T) {
	l := start(t, testca.Config{})
	c := l.client()
	again := l.bare()
	again.dir, again.key = c.dir, c.key
	if a := again.register().want(t, 200, ""); a.url() != c.kid {
		t.Errorf("the same key has the accounts %s and %s", c.kid, a.url())
	}
	stranger := l.bare()
	stranger.dir = c.dir
	stranger.post(c.dir["newAccount"].(string), map[string]any{"onlyReturnExisting": true}).want(t, 400, "accountDoesNotExist")
	c.post(c.kid, map[string]string{"status": "deactivated"}).want(t, 200, "")
	c.order("a.example.com").want(t, 403, "unauthorized")
}

// failure is the error of the only challenge of a name that was tried.
func failure(l *lab, c *client, name string) (kind, detail string) {
	l.t.Helper()
	order := c.order(name).want(l.t, 201, "")
	url := order.list("authorizations")[0]
	challenge, _ := c.http01(c.get(url))
	c.post(challenge, struct{}{}).want(l.t, 200, "")
	until(l.t, "the validation of "+name+" ends", func() bool { return l.truth(order.url()).Status == "invalid" })
	shown := c.get(challenge).want(l.t, 200, "")
	problem := answer{json: shown.json["error"].(map[string]any)}
	return problem.problem(), problem.str("detail")
}

func TestAFailedValidationSaysWhatBoulderSays(t *testing.T) {
	l := start(t, testca.Config{DeadNames: []string{"Dead.example.com."}, ValidationTimeout: 300 * time.Millisecond})
	c := l.client()
	for _, want := range []struct{ name, kind, detail string }{
		{"dead.example.com", "dns", "NXDOMAIN looking up A for dead.example.com"},
		{"a.servfail.test", "dns", "SERVFAIL looking up A for a.servfail.test"},
		{"a.silent.test", "dns", "query timed out looking up A for a.silent.test"},
		{"a.example.com", "unauthorized", "127.0.0.1: Invalid response from http://a.example.com/.well-known/acme-challenge/"},
	} {
		kind, detail := failure(l, c, want.name)
		if kind != want.kind || !strings.Contains(detail, want.detail) {
			t.Errorf("%s: %s %q, want %s …%s…", want.name, kind, detail, want.kind, want.detail)
		}
	}
	l.web.shut()
	if kind, detail := failure(l, c, "slow.example.com"); kind != "connection" || !strings.Contains(detail, "Timeout after connect") {
		t.Errorf("a slow server: %s %q", kind, detail)
	}
}

func TestAClosedPortIsAConnectionProblem(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	l := start(t, testca.Config{HTTPPort: port})
	if kind, detail := failure(l, l.client(), "a.example.com"); kind != "connection" || !strings.HasSuffix(detail, "Connection refused") {
		t.Errorf("%s %q", kind, detail)
	}
}

func TestTheChallengeFileIsComparedAndRedirectsAreFollowed(t *testing.T) {
	l := start(t, testca.Config{})
	c := l.client()
	for _, want := range []struct {
		content func(right string) string
		status  string
		detail  string
	}{
		{func(right string) string { return right + " \r\n" }, "valid", ""},
		{func(right string) string { return "x" + right }, "invalid", "did not match this challenge. Expected"},
		{func(string) string { return strings.Repeat("x", 200) }, "invalid", "Invalid response from"},
		{func(string) string { return "redirect http://other.example.com:8080/" }, "invalid", "Only ports 80 and 443 are supported, not 8080"},
		{func(string) string { return "redirect https://other.example.com/" }, "invalid", "Connection refused"},
		{func(right string) string {
			l.web.put("elsewhere", right)
			return "redirect http://other.example.com/.well-known/acme-challenge/elsewhere"
		}, "valid", ""},
	} {
		order := c.order("a.example.com")
		url, token := c.http01(c.get(order.list("authorizations")[0]))
		l.web.put(token, want.content(c.keyAuthorization(token)))
		c.post(url, struct{}{}).want(t, 200, "")
		until(t, "the validation ends", func() bool { return l.truth(order.url()).Status != "pending" })
		if shown := c.get(url); shown.str("status") != want.status || !strings.Contains(shown.text, want.detail) {
			t.Errorf("want %s …%s…, got %s", want.status, want.detail, shown.text)
		}
	}
	l.web.put("round", "redirect /.well-known/acme-challenge/round")
	order := c.order("a.example.com")
	url, token := c.http01(c.get(order.list("authorizations")[0]))
	l.web.put(token, "redirect /.well-known/acme-challenge/round")
	c.post(url, struct{}{}).want(t, 200, "")
	until(t, "the validation ends", func() bool { return l.truth(order.url()).Status != "pending" })
	if shown := c.get(url); !strings.Contains(shown.text, "Too many redirects") {
		t.Errorf("a redirect in a circle: %s", shown.text)
	}
}

func TestOtherChallengesThanHTTP01Fail(t *testing.T) {
	l := start(t, testca.Config{})
	c := l.client()
	order := c.order("*.example.com").want(t, 201, "")
	authorization := c.get(order.list("authorizations")[0])
	if authorization.json["wildcard"] != true || len(authorization.list("challenges")) == 0 {
		t.Fatalf("the authorization is %s", authorization.text)
	}
	dns01 := authorization.json["challenges"].([]any)[0].(map[string]any)["url"].(string)
	c.post(dns01, []string{"no object"}).want(t, 400, "malformed")
	c.post(dns01, struct{}{}).want(t, 200, "")
	until(t, "the order is invalid", func() bool { return l.truth(order.url()).Status == "invalid" })
}
