package acme_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	pebbleca "github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"

	"orderly/acme"
)

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// runAgain runs the calling test alone in a new process.
func runAgain(t *testing.T, environment string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1")
	cmd.Env = append(os.Environ(), environment)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// pebble is the real Pebble behind one mutex, without which it deadlocks, and the number of requests it got.
func pebble(t *testing.T) (*httptest.Server, func() int) {
	t.Helper()
	t.Setenv("PEBBLE_VA_ALWAYS_VALID", "1")
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	t.Setenv("PEBBLE_WFE_NONCEREJECT", "0")
	t.Setenv("PEBBLE_AUTHZREUSE", "0")
	t.Setenv("PEBBLE_WFE_ORDERS_PER_PAGE", "1")
	store := db.NewMemoryStore()
	authority := pebbleca.New(quiet(), store, "", "ecdsa", 1, 1, map[string]pebbleca.Profile{"default": {ValidityPeriod: 7776000}})
	front := wfe.New(quiet(), store, va.New(quiet(), 5002, 5001, true, "", store), authority, nil, true, false, 1, 1)
	handler := front.Handler()
	var mu sync.Mutex
	requests := 0
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		requests++
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s, func() int {
		mu.Lock()
		defer mu.Unlock()
		return requests
	}
}

// TestPebbleIssuesWithOneRequestForEachMethod drives the whole flow, each step of it through one, which holds the count.
func TestPebbleIssuesWithOneRequestForEachMethod(t *testing.T) {
	s, requests := pebble(t)
	kinds := map[string]int{}
	c, err := acme.New(s.URL+"/dir", acme.Options{HTTP: s.Client(), Observe: func(_ context.Context, e acme.Exchange) { kinds[e.Kind]++ }})
	if err != nil {
		t.Fatal(err)
	}
	one := func(step string, do func() error) {
		t.Helper()
		before := requests()
		if err := do(); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		if n := requests() - before; n != 1 {
			t.Errorf("%s made %d requests", step, n)
		}
	}
	ctx := t.Context()
	raw, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	key, err := acme.NewKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	one("directory", func() error { _, err := c.Directory(ctx); return err })
	one("nonce", func() error { return c.FetchNonce(ctx) })
	var object acme.AccountObject
	one("account", func() (err error) {
		object, err = c.NewAccount(ctx, key, acme.Registration{TermsOfServiceAgreed: true})
		return err
	})
	a := c.Account(key, object.URL)
	var o acme.Order
	one("order", func() (err error) {
		o, err = a.NewOrder(ctx, acme.OrderRequest{Names: []string{"a.example.com", "WWW.a.example.com"}})
		return err
	})
	for _, url := range o.Authorizations {
		var z acme.Authorization
		one("authorization", func() (err error) { z, err = a.Authorization(ctx, url); return err })
		for _, challenge := range z.Challenges {
			if challenge.Type == "http-01" {
				one("challenge", func() error { _, err := a.Respond(ctx, challenge.URL); return err })
			}
		}
	}
	poll := func(status string) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); o.Status != status; {
			if time.Now().After(deadline) || o.Status == "invalid" {
				t.Fatalf("the order is %s, not %s", o.Status, status)
			}
			one("poll", func() (err error) { o, err = a.Order(ctx, o.URL); return err })
		}
	}
	poll("ready")
	leaf, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: o.Names}, leaf)
	if err != nil {
		t.Fatal(err)
	}
	finalize := o.Finalize
	one("finalize", func() (err error) { _, err = a.Finalize(ctx, finalize, csr); return err })
	poll("valid")
	var chain acme.Chain
	one("certificate", func() (err error) { chain, err = a.Certificate(ctx, o.Certificate); return err })
	block, _ := pem.Decode(chain.PEM)
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil || !leaf.PublicKey.Equal(certificate.PublicKey) || len(chain.Alternates) != 1 {
		t.Errorf("%v, %d alternates", err, len(chain.Alternates))
	}
	maps.DeleteFunc(kinds, func(kind string, n int) bool { return kind == acme.KindOrder || n == 1 })
	if !maps.Equal(kinds, map[string]int{acme.KindAuthorization: 2, acme.KindChallenge: 2}) {
		t.Errorf("more than once: %v", kinds)
	}
	one("second finalize", func() error {
		_, err := a.Finalize(ctx, finalize, csr)
		if p, ok := errors.AsType[*acme.Problem](err); !ok || !p.IsType("orderNotReady") {
			return errors.Join(errors.New("accepted"), err)
		}
		return nil
	})
}

func TestPebbleListsOrdersAndDeactivates(t *testing.T) {
	s, _ := pebble(t)
	c, err := acme.New(s.URL+"/dir", acme.Options{HTTP: s.Client()})
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	key, err := acme.NewKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.NewAccount(t.Context(), key, acme.Registration{OnlyReturnExisting: true})
	if p, _ := errors.AsType[*acme.Problem](err); !p.IsType("accountDoesNotExist") {
		t.Errorf("got %v", err)
	}
	object, err := c.NewAccount(t.Context(), key, acme.Registration{TermsOfServiceAgreed: true})
	if err != nil {
		t.Fatal(err)
	}
	a := c.Account(key, object.URL)
	made := map[string]bool{}
	var last acme.Order
	for range 3 {
		if last, err = newOrder(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		made[last.URL] = true
	}
	object, err = a.Fetch(t.Context())
	if err != nil || object.Orders == "" {
		t.Fatalf("%+v, %v", object, err)
	}
	pages := 0
	for url := object.Orders; url != "" && pages < 10; pages++ {
		page, err := a.Orders(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range page.URLs {
			delete(made, u)
		}
		url = page.Next
	}
	if pages != 3 || len(made) != 0 {
		t.Errorf("%d pages, %d orders missing in them", pages, len(made))
	}
	z, err := a.Authorization(t.Context(), last.Authorizations[0])
	if err != nil {
		t.Fatal(err)
	}
	if z, err = a.Deactivate(t.Context(), z); err != nil || z.Status != "deactivated" {
		t.Errorf("%+v, %v", z, err)
	}
	if object, err = a.Fetch(t.Context()); err != nil || object.Status != "valid" {
		t.Errorf("the account: %+v, %v", object, err)
	}
}
