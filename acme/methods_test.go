package acme_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/outside"
)

func TestTheDirectoryIsReadOnceAndWholly(t *testing.T) {
	ca := newFakeCA(t)
	c := ca.client(t)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			if _, err := c.Directory(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	d, err := c.Directory(t.Context())
	want := acme.Directory{
		NewNonce: ca.URL + "/nonce", NewAccount: ca.URL + "/new-account", NewOrder: ca.URL + "/new-order",
		RevokeCert: ca.URL + "/revoke", KeyChange: ca.URL + "/key", RenewalInfo: ca.URL + "/ari", Boulder: true,
		Meta: acme.Meta{
			TermsOfService: outside.Of("https://t.example/"), Website: outside.Of("https://w.example/"), CAAIdentities: []outside.Text{outside.Of("ca.example")},
			ExternalAccountRequired: true, Profiles: map[string]outside.Text{"classic": outside.Of("as ever")},
		},
	}
	if err != nil || !reflect.DeepEqual(d, want) {
		t.Errorf("got %+v, %v", d, err)
	}
	if n := ca.count("/directory"); n != 1 {
		t.Errorf("the directory was fetched %d times", n)
	}
}

func TestADirectoryThatCouldNotBeReadIsAskedForAgain(t *testing.T) {
	ca := newFakeCA(t)
	c := ca.client(t)
	good := ca.directory()
	for _, body := range []string{"<html>", "[]", `{"newNonce":"x"}`} {
		ca.on("/directory", ca.located(200, "", body))
		if _, err := c.Directory(t.Context()); !isA[*acme.Lost](err) {
			t.Errorf("%q gave %v", body, err)
		}
	}
	ca.on("/directory", refusing(503, "serverInternal", "later"))
	_, err := newOrder(t.Context(), c.Account(ca.key, ca.URL+"/account/1"))
	if p, ok := errors.AsType[*acme.Problem](err); !isA[*acme.NotSent](err) || !ok || p.Status != 503 {
		t.Errorf("an order without a directory gave %v", err)
	}
	ca.on("/directory", ca.located(200, "", good))
	if d, err := c.Directory(t.Context()); err != nil || d.NewOrder == "" {
		t.Errorf("got %+v, %v", d, err)
	}
}

func TestAnAccountIsMadeFoundFetchedAndItsOrdersPaged(t *testing.T) {
	ca := newFakeCA(t)
	c := ca.client(t)
	made, err := c.NewAccount(t.Context(), ca.key, acme.Registration{Contact: []string{"mailto:a@example.com"}, TermsOfServiceAgreed: true})
	if err != nil || made.URL != ca.URL+"/account/1" || made.Status != "valid" || made.Reply.Status != 201 || made.Orders != ca.URL+"/orders" {
		t.Fatalf("got %+v, %v", made, err)
	}
	if got, want := string(ca.lastPost().payload), `{"contact":["mailto:a@example.com"],"termsOfServiceAgreed":true}`; got != want {
		t.Errorf("payload %s", got)
	}
	ca.on("/new-account", refusing(400, "accountDoesNotExist", "none"))
	_, err = c.NewAccount(t.Context(), ca.key, acme.Registration{OnlyReturnExisting: true})
	if p, _ := errors.AsType[*acme.Problem](err); !p.IsType("accountDoesNotExist") {
		t.Errorf("got %v", err)
	}
	if got, want := string(ca.lastPost().payload), `{"onlyReturnExisting":true}`; got != want {
		t.Errorf("payload %s", got)
	}
	a := c.Account(ca.key, made.URL)
	if got, err := a.Fetch(t.Context()); err != nil || got.URL != made.URL || !slices.Equal(got.Contact, []outside.Text{outside.Of("mailto:a@example.com")}) {
		t.Errorf("got %+v, %v", got, err)
	}
	ca.on("/orders", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Link", `<`+ca.URL+`/directory>;rel="index"`)
		if r.URL.RawQuery == "" {
			w.Header().Add("Link", `</orders?page=2>; rel="next"`)
		}
		w.Write([]byte(`{"orders":["` + ca.URL + `/order/` + r.URL.RawQuery + `"]}`))
	})
	first, err := a.Orders(t.Context(), made.Orders)
	if err != nil || first.Next != ca.URL+"/orders?page=2" || len(first.URLs) != 1 {
		t.Fatalf("got %+v, %v", first, err)
	}
	if last, err := a.Orders(t.Context(), first.Next); err != nil || last.Next != "" || last.URLs[0] != ca.URL+"/order/page=2" {
		t.Errorf("got %+v, %v", last, err)
	}
}

func TestAnOrderGoesItsWay(t *testing.T) {
	ca := newFakeCA(t)
	_, a := ca.ready(t)
	o, err := a.NewOrder(t.Context(), acme.OrderRequest{Names: []string{"a.example.com"}, Profile: "classic", Replaces: "x.y"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(ca.lastPost().payload), `{"identifiers":[{"type":"dns","value":"a.example.com"}],"profile":"classic","replaces":"x.y"}`; got != want {
		t.Errorf("payload %s", got)
	}
	want := acme.Order{
		Reply: o.Reply, URL: ca.URL + "/order/1", Status: "pending", Expires: time.Date(2026, 11, 14, 10, 0, 0, 0, time.UTC),
		Names: []string{"a.example.com"}, Authorizations: []string{ca.URL + "/authz/1"}, Finalize: ca.URL + "/finalize/1",
		Certificate: ca.URL + "/cert/1", Profile: "classic", Replaces: "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE",
	}
	if !reflect.DeepEqual(o, want) || o.Reply.Status != 201 || !o.Date.Equal(time.Date(2026, 11, 7, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("got %+v", o)
	}
	z, err := a.Authorization(t.Context(), o.Authorizations[0])
	if err != nil || z.Name != "a.example.com" || !z.Wildcard || z.Status != "pending" || z.Expires.IsZero() || z.URL != o.Authorizations[0] {
		t.Fatalf("got %+v, %v", z, err)
	}
	if len(z.Challenges) != 2 || z.Challenges[1].Type != "dns-persist-01" || z.Challenges[0].Token != "tok" || !z.Challenges[0].Error.IsType("dns") {
		t.Errorf("challenges %+v", z.Challenges)
	}
	if h, err := a.Respond(t.Context(), z.Challenges[0].URL); err != nil || h.Reply.Status != 200 || h.Type != "http-01" || h.Validated.IsZero() {
		t.Errorf("got %+v, %v", h, err)
	}
	if got := string(ca.lastPost().payload); got != "{}" {
		t.Errorf("a challenge is answered with {}, not %q", got)
	}
	if f, err := a.Finalize(t.Context(), o.Finalize, []byte{0, 0xff}); err != nil || f.URL != o.URL || f.Status != "processing" {
		t.Errorf("got %+v, %v", f, err)
	}
	if got := string(ca.lastPost().payload); got != `{"csr":"AP8"}` {
		t.Errorf("payload %s", got)
	}
	if v, err := a.Order(t.Context(), o.URL); err != nil || v.Status != "valid" || v.URL != o.URL {
		t.Errorf("got %+v, %v", v, err)
	}
}

func TestACertificateComesAsServedWithItsAlternates(t *testing.T) {
	ca := newFakeCA(t)
	_, a := ca.ready(t)
	served := "leading words\r\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n\n\n"
	ca.on("/cert/1", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Link", `<`+ca.URL+`/cert/1/1>;rel="alternate", </cert/1/2>; rel=alternate`)
		w.Header().Add("Link", `<`+ca.URL+`/directory>;rel="index"`)
		w.Write([]byte(served))
	})
	chain, err := a.Certificate(t.Context(), ca.URL+"/cert/1")
	if err != nil || string(chain.PEM) != served || !slices.Equal(chain.Alternates, []string{ca.URL + "/cert/1/1", ca.URL + "/cert/1/2"}) {
		t.Errorf("got %+v, %v", chain, err)
	}
	if got := ca.lastPost().header.Get("Accept"); got != "application/pem-certificate-chain" {
		t.Errorf("Accept: %s", got)
	}
}

func TestOnlyAnAuthorizationThisAccountSawIsDeactivated(t *testing.T) {
	ca := newFakeCA(t)
	c, a := ca.ready(t)
	seen, err := a.Authorization(t.Context(), ca.URL+"/authz/1")
	if err != nil {
		t.Fatal(err)
	}
	moved := seen
	moved.URL = ca.URL + "/account/1"
	elsewhere := seen
	elsewhere.URL = ca.URL + "/authz/2"
	_, other := ca.ready(t)
	for name, try := range map[string]func() (acme.Authorization, error){
		"the account":    func() (acme.Authorization, error) { return a.Deactivate(t.Context(), moved) },
		"another URL":    func() (acme.Authorization, error) { return a.Deactivate(t.Context(), elsewhere) },
		"another client": func() (acme.Authorization, error) { return other.Deactivate(t.Context(), seen) },
		"another account": func() (acme.Authorization, error) {
			return c.Account(ca.key, ca.URL+"/account/2").Deactivate(t.Context(), seen)
		},
		"made by hand": func() (acme.Authorization, error) {
			return a.Deactivate(t.Context(), acme.Authorization{URL: seen.URL, Status: "pending", Name: "a.example.com"})
		},
		"nothing": func() (acme.Authorization, error) { return a.Deactivate(t.Context(), acme.Authorization{}) },
	} {
		if _, err := try(); !isA[*acme.NotSent](err) || failure.ClassOf(err) != failure.Internal {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := ca.count("/authz/1") + ca.count("/account/1") + ca.count("/authz/2"); n != 1 {
		t.Errorf("%d requests, one was asked for", n)
	}
	ca.on("/authz/1", ca.located(200, "", ca.authorization("deactivated")))
	if z, err := a.Deactivate(t.Context(), seen); err != nil || z.Status != "deactivated" {
		t.Errorf("got %+v, %v", z, err)
	}
	if got := string(ca.lastPost().payload); got != `{"status":"deactivated"}` {
		t.Errorf("payload %s", got)
	}
}

func TestAnAccountIsNeverTakenForAnAuthorization(t *testing.T) {
	ca := newFakeCA(t)
	c, _ := ca.ready(t)
	a := c.Account(ca.key, ca.URL+"/account/2") // asks for the URL of another account of the same client
	z, err := a.Authorization(t.Context(), ca.URL+"/account/1")
	if !isA[*acme.Lost](err) {
		t.Fatalf("got %+v, %v", z, err)
	}
	if _, err := a.Deactivate(t.Context(), z); !isA[*acme.NotSent](err) {
		t.Errorf("got %v", err)
	}
}

func TestTheAccountIsNotDeactivatedThoughTheCACallsItAnAuthorization(t *testing.T) {
	ca := newFakeCA(t)
	_, a := ca.ready(t)
	ca.on("/account/1", ca.located(200, "", ca.authorization("valid")))
	z, err := a.Authorization(t.Context(), ca.URL+"/account/1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Deactivate(t.Context(), z); !isA[*acme.NotSent](err) || ca.count("/account/1") != 1 {
		t.Errorf("%d requests, %v", ca.count("/account/1"), err)
	}
}

func TestNothingSignedLeavesTheOrigin(t *testing.T) {
	foreign := newFakeCA(t)
	ca := newFakeCA(t)
	c, a := ca.ready(t)
	host := strings.TrimPrefix(ca.URL, "https://")
	for _, url := range []string{
		foreign.URL + "/order/1", "http://" + host + "/order/1", "https://user@" + host + "/order/1",
		"https://127.0.0.1/order/1", "//" + host + "/order/1", "/order/1", "", "https:" + host, "https://" + host + "@evil.invalid/", "::",
	} {
		for name, try := range map[string]func() error{
			"order":         func() error { _, err := a.Order(t.Context(), url); return err },
			"authorization": func() error { _, err := a.Authorization(t.Context(), url); return err },
			"challenge":     func() error { _, err := a.Respond(t.Context(), url); return err },
			"finalize":      func() error { _, err := a.Finalize(t.Context(), url, nil); return err },
			"certificate":   func() error { _, err := a.Certificate(t.Context(), url); return err },
			"orders":        func() error { _, err := a.Orders(t.Context(), url); return err },
		} {
			if err := try(); !isA[*acme.NotSent](err) || failure.ClassOf(err) != failure.CARefused {
				t.Errorf("%s to %q: %v", name, url, err)
			}
		}
	}
	if n := c.Nonces(); n != 1 {
		t.Errorf("a nonce was spent on it: %d left", n)
	}
	for _, entry := range []string{"/nonce", "/new-account", "/new-order"} {
		ca.on("/directory", ca.located(200, "", strings.Replace(ca.directory(), ca.URL+entry, foreign.URL+entry, 1)))
		c := ca.client(t)
		_, first := c.NewAccount(t.Context(), ca.key, acme.Registration{})
		_, second := newOrder(t.Context(), c.Account(ca.key, ca.URL+"/account/1"))
		if failure.ClassOf(first) != failure.CARefused && failure.ClassOf(second) != failure.CARefused {
			t.Errorf("%s elsewhere: %v, %v", entry, first, second)
		}
	}
	foreign.mu.Lock()
	defer foreign.mu.Unlock()
	if len(foreign.seen) != 0 {
		t.Errorf("the other origin got %v", foreign.seen)
	}
}

func TestTheOriginIsComparedAsAnOrigin(t *testing.T) {
	ca := newFakeCA(t)
	c, err := acme.New(strings.Replace(ca.URL, "https://127.0.0.1", "HTTPS://LOCALHOST", 1)+"/directory", acme.Options{HTTP: ca.Client()})
	if err != nil {
		t.Fatal(err)
	}
	// The certificate is not for localhost, so that what is permitted ends at TLS, and what is not ends before.
	target := strings.Replace(ca.URL, "127.0.0.1", "LocalHost", 1) + "/order/1"
	_, err = c.Account(ca.key, ca.URL+"/account/1").Order(t.Context(), target)
	if err == nil || failure.ClassOf(err) == failure.CARefused {
		t.Errorf("got %v", err)
	}
}

func TestARedirectIsFollowedForTheDirectoryAloneAndInsideTheOrigin(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the other origin was asked") }))
	defer other.Close()
	ca := newFakeCA(t)
	good := ca.directory()
	ca.on("/directory", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/v2", http.StatusFound) })
	ca.on("/v2", ca.located(200, "", good))
	if _, err := ca.client(t).Directory(t.Context()); err != nil {
		t.Error(err)
	}
	for _, target := range []string{other.URL, "/directory"} {
		ca.on("/directory", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target, http.StatusFound) })
		_, err := ca.client(t).Directory(t.Context())
		if p, ok := errors.AsType[*acme.Problem](err); !ok || p.Status != 302 {
			t.Errorf("to %s: %v", target, err)
		}
	}
	ca.on("/directory", ca.located(200, "", good))
	_, a := ca.ready(t)
	for _, status := range []int{301, 302, 303, 307, 308} {
		ca.on("/new-order", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/order/1", status) })
		_, err := newOrder(t.Context(), a)
		if p, ok := errors.AsType[*acme.Problem](err); !ok || p.Status != status || p.Document {
			t.Errorf("%d: %v", status, err)
		}
	}
	if ca.count("/order/1") != 0 {
		t.Error("a redirect of a signed request was followed")
	}
}

func TestADirectoryURLMustBeHTTPS(t *testing.T) {
	for _, url := range []string{"", "ca.example", "http://ca.example/directory", "https:///x", "https://u:p@ca.example/", "ftp://ca.example/", "https://\x1b[2J"} {
		_, err := acme.New(url, acme.Options{HTTP: http.DefaultClient})
		if failure.ClassOf(err) != failure.Usage || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%q: %v", url, err)
		}
	}
	for _, url := range []string{"https://ca.example/directory", "http://127.0.0.1:1/d", "http://[::1]/d", "http://localhost/d"} {
		if _, err := acme.New(url, acme.Options{HTTP: http.DefaultClient}); err != nil {
			t.Errorf("%q: %v", url, err)
		}
	}
	if _, err := acme.New("https://ca.example/", acme.Options{}); err == nil {
		t.Error("no HTTP client, no error")
	}
}

func TestEveryExchangeIsObserved(t *testing.T) {
	ca := newFakeCA(t)
	var mu sync.Mutex
	var seen []string
	c := ca.client(t, func(o *acme.Options) {
		o.Observe = func(_ context.Context, e acme.Exchange) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, e.Method+" "+e.Kind)
			if e.Err != nil || e.Status == 0 || e.Date.IsZero() || e.Took <= 0 {
				t.Errorf("%+v", e)
			}
		}
	})
	a := c.Account(ca.key, ca.URL+"/account/1")
	if _, err := newOrder(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	ca.forgetNonces()
	if _, err := a.Order(t.Context(), ca.URL+"/order/1"); err != nil {
		t.Fatal(err)
	}
	if want := []string{"GET directory", "HEAD new-nonce", "POST new-order", "POST order", "POST order"}; !slices.Equal(seen, want) {
		t.Errorf("saw %q", seen)
	}
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
