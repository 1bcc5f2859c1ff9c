package acme_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"orderly/acme"
	"orderly/failure"
)

// anotherKey is a fresh P-384 key.
func anotherKey(t *testing.T) (*acme.Key, *ecdsa.PrivateKey) {
	t.Helper()
	raw, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	key, _ := mustKey(t, raw, err)
	return key, raw
}

// leaf is a certificate of the fake CA's only key.
func (ca *fakeCA) leaf(t *testing.T) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(0x1234), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, ca.raw.Public(), ca.raw)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

func TestAnAccountsContactsAreReplacedOrRemoved(t *testing.T) {
	ca := newFakeCA(t)
	_, a := ca.ready(t)
	for want, contact := range map[string][]string{
		`{"contact":["mailto:a@example.com","mailto:b@example.com"]}`: {"mailto:a@example.com", "mailto:b@example.com"},
		`{"contact":[]}`: nil,
	} {
		got, err := a.Update(t.Context(), contact)
		if err != nil || got.Status != "valid" || got.URL != ca.URL+"/account/1" {
			t.Errorf("%+v, %v", got, err)
		}
		if p := ca.lastPost(); string(p.payload) != want || p.path != "/account/1" || p.protected["kid"] == nil {
			t.Errorf("sent %s to %s", p.payload, p.path)
		}
	}
}

func TestAnAccountIsDeactivatedAtItsOwnURLAlone(t *testing.T) {
	ca := newFakeCA(t)
	c, a := ca.ready(t)
	ca.on("/account/1", ca.located(200, "", `{"status":"deactivated"}`))
	if got, err := a.DeactivateAccount(t.Context()); err != nil || got.Status != "deactivated" {
		t.Errorf("%+v, %v", got, err)
	}
	if p := ca.lastPost(); string(p.payload) != `{"status":"deactivated"}` || p.path != "/account/1" {
		t.Errorf("sent %s to %s", p.payload, p.path)
	}
	if _, err := c.Account(ca.key, "").DeactivateAccount(t.Context()); !isA[*acme.NotSent](err) {
		t.Errorf("without a URL: %v", err)
	}
}

func TestAKeyChangeIsSignedByBothKeys(t *testing.T) {
	ca := newFakeCA(t)
	_, a := ca.ready(t)
	ca.on("/key", ca.located(200, "", ""))
	next, raw := anotherKey(t)
	ca.forgetNonces() // the outer request goes twice, with the same inner one
	if r, err := a.ChangeKey(t.Context(), next); err != nil || r.Status != 200 {
		t.Fatalf("%+v, %v", r, err)
	}
	outer := ca.lastPost()
	if ca.count("/key") != 2 || string(outer.protected["kid"]) != `"`+ca.URL+`/account/1"` {
		t.Errorf("%d requests, header %s", ca.count("/key"), outer.protected)
	}
	jws, err := jose.ParseSignedJSON(string(outer.payload), []jose.SignatureAlgorithm{jose.ES384})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := jws.Verify(raw.Public())
	if err != nil {
		t.Fatal(err)
	}
	var flat struct{ Protected string }
	var header map[string]json.RawMessage
	json.Unmarshal(outer.payload, &flat)
	text, _ := base64.RawURLEncoding.DecodeString(flat.Protected)
	json.Unmarshal(text, &header)
	if !slices.Equal(names(header), []string{"alg", "jwk", "url"}) || string(header["url"]) != `"`+ca.URL+`/key"` {
		t.Errorf("inner header %s", text)
	}
	var change struct {
		Account string
		OldKey  jose.JSONWebKey
	}
	if err := json.Unmarshal(payload, &change); err != nil || change.Account != ca.URL+"/account/1" || !ca.raw.(*ecdsa.PrivateKey).PublicKey.Equal(change.OldKey.Key) || !change.OldKey.IsPublic() {
		t.Errorf("inner payload %s: %v", payload, err)
	}
}

func TestAKeyThatIsTakenTellsWhoseItIs(t *testing.T) {
	ca := newFakeCA(t)
	_, a := ca.ready(t)
	next, _ := anotherKey(t)
	for location, want := range map[string]string{"/account/2": ca.URL + "/account/2", "": "", "https://u@x.example/": "", "data:x": ""} {
		ca.on("/key", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusConflict)
		})
		_, err := a.ChangeKey(t.Context(), next)
		if p, ok := errors.AsType[*acme.Problem](err); !ok || p.Status != 409 || p.Location != want || !p.Detail.Is("Conflict") {
			t.Errorf("%q: %+v", location, p)
		}
	}
	before := ca.count("/key")
	if _, err := a.ChangeKey(t.Context(), ca.key); !isA[*acme.NotSent](err) || failure.ClassOf(err) != failure.Account {
		t.Errorf("the same key: %v", err)
	}
	if ca.count("/key") != before {
		t.Error("the same key was sent")
	}
}

func TestACertificateIsRevokedByTheAccountOrByItsOwnKey(t *testing.T) {
	ca := newFakeCA(t)
	c, a := ca.ready(t)
	ca.on("/revoke", ca.located(200, "", ""))
	leaf := ca.leaf(t)
	der := base64.RawURLEncoding.EncodeToString(leaf.Raw)
	for reason, more := range map[acme.Reason]string{
		acme.ReasonUnspecified: "", acme.ReasonKeyCompromise: `,"reason":1`, acme.ReasonAffiliationChanged: `,"reason":3`,
		acme.ReasonSuperseded: `,"reason":4`, acme.ReasonCessationOfOperation: `,"reason":5`,
	} {
		for signer, revoke := range map[string]func() (acme.Reply, error){
			"kid": func() (acme.Reply, error) { return a.Revoke(t.Context(), leaf, reason) },
			"jwk": func() (acme.Reply, error) { return c.RevokeByKey(t.Context(), ca.key, leaf, reason) },
		} {
			if r, err := revoke(); err != nil || r.Status != 200 {
				t.Fatalf("%s: %+v, %v", signer, r, err)
			}
			p := ca.lastPost()
			if string(p.payload) != `{"certificate":"`+der+`"`+more+`}` || !slices.Equal(names(p.protected), slices.Sorted(slices.Values([]string{"alg", "nonce", "url", signer}))) {
				t.Errorf("%s, reason %s: %s, %s", signer, reason, p.payload, p.protected)
			}
		}
	}
}

func TestARevocationThatCannotBeRightIsNotSent(t *testing.T) {
	ca := newFakeCA(t)
	c, a := ca.ready(t)
	leaf := ca.leaf(t)
	other, _ := anotherKey(t)
	for what, try := range map[string]func() (acme.Reply, error){
		"another key": func() (acme.Reply, error) {
			return c.RevokeByKey(t.Context(), other, leaf, acme.ReasonUnspecified)
		},
		"a reason of CAs": func() (acme.Reply, error) { return a.Revoke(t.Context(), leaf, 2) },
		"no account":      func() (acme.Reply, error) { return c.Account(ca.key, "").Revoke(t.Context(), leaf, 0) },
	} {
		if _, err := try(); !isA[*acme.NotSent](err) || ca.count("/revoke") != 0 {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := c.RevokeByKey(t.Context(), other, leaf, acme.ReasonUnspecified)
	if failure.ClassOf(err) != failure.Config || !strings.Contains(err.Error(), "1234") {
		t.Errorf("got %v", err)
	}
	ca.on("/revoke", refusing(400, "alreadyRevoked", "long ago"))
	_, err = a.Revoke(t.Context(), leaf, acme.ReasonSuperseded)
	if p, _ := errors.AsType[*acme.Problem](err); !p.IsType("alreadyRevoked") {
		t.Errorf("got %v", err)
	}
}

func TestReasonsBearCertbotsWords(t *testing.T) {
	for word, want := range map[string]acme.Reason{"unspecified": 0, "keyCompromise": 1, "AFFILIATIONCHANGED": 3, "superseded": 4, "cessationofoperation": 5} {
		if got, err := acme.ParseReason(word); err != nil || got != want || !strings.EqualFold(got.String(), word) {
			t.Errorf("%s: %d, %v", word, got, err)
		}
	}
	for _, word := range []string{"", "1", "cacompromise", "reason 2", "super\x1b"} {
		if _, err := acme.ParseReason(word); failure.ClassOf(err) != failure.Usage || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%q: %v", word, err)
		}
	}
}

// TestManagementStaysInsideTheOrigin is TestNothingSignedLeavesTheOrigin for what the directory alone names.
func TestManagementStaysInsideTheOrigin(t *testing.T) {
	foreign, ca := newFakeCA(t), newFakeCA(t)
	next, _ := anotherKey(t)
	leaf := ca.leaf(t)
	try := func(c *acme.Client, entry string) error {
		a := c.Account(ca.key, ca.URL+"/account/1")
		var err error
		switch entry {
		case "/revoke":
			if _, err = a.Revoke(t.Context(), leaf, 0); err != nil {
				_, err = c.RevokeByKey(t.Context(), ca.key, leaf, 0)
			}
		case "/key":
			_, err = a.ChangeKey(t.Context(), next)
		case "/ari":
			_, err = c.RenewalInfo(t.Context(), "a.b")
		}
		return err
	}
	for _, entry := range []string{"/revoke", "/key", "/ari"} {
		for _, elsewhere := range []string{foreign.URL + entry, "", entry, "http:" + strings.TrimPrefix(ca.URL, "https:") + entry} {
			ca.on("/directory", ca.located(200, "", strings.Replace(ca.directory(), ca.URL+entry, elsewhere, 1)))
			if err := try(ca.client(t), entry); !isA[*acme.NotSent](err) || failure.ClassOf(err) != failure.CARefused {
				t.Errorf("%s at %q: %v", entry, elsewhere, err)
			}
		}
	}
	_, a := newFakeCA(t).ready(t)
	for what, err := range map[string]error{
		"update":     second(ca.client(t).Account(ca.key, foreign.URL+"/account/1").Update(t.Context(), nil)),
		"deactivate": second(ca.client(t).Account(ca.key, foreign.URL+"/account/1").DeactivateAccount(t.Context())),
		"alternate":  second(a.Certificate(t.Context(), foreign.URL+"/cert/1/1")),
	} {
		if !isA[*acme.NotSent](err) || failure.ClassOf(err) != failure.CARefused {
			t.Errorf("%s: %v", what, err)
		}
	}
	foreign.mu.Lock()
	defer foreign.mu.Unlock()
	if len(foreign.seen) != 0 {
		t.Errorf("the other origin got %v", foreign.seen)
	}
}

func second[T any](_ T, err error) error { return err }

func TestManagementTellsLostFromRefused(t *testing.T) {
	ca := newFakeCA(t)
	_, a := ca.ready(t)
	next, _ := anotherKey(t)
	leaf := ca.leaf(t)
	for path, try := range map[string]func() error{
		"/account/1": func() error { return second(a.Update(t.Context(), nil)) },
		"/key":       func() error { return second(a.ChangeKey(t.Context(), next)) },
		"/revoke":    func() error { return second(a.Revoke(t.Context(), leaf, 0)) },
	} {
		for _, answer := range []http.HandlerFunc{cut, ca.located(200, "", strings.Repeat("x", acme.BodyLimit+1))} {
			before := ca.count(path)
			ca.on(path, answer)
			if err := try(); !isA[*acme.Lost](err) || ca.count(path) != before+1 {
				t.Errorf("%s: %d requests, %v", path, ca.count(path)-before, err)
			}
		}
		ca.on(path, ca.located(503, "", "<html>busy</html>"))
		if p, ok := errors.AsType[*acme.Problem](try()); !ok || p.Document || !p.Undecided() {
			t.Errorf("%s: %+v", path, p)
		}
	}
	for _, body := range []string{"", "<html>", "{}", "[]"} {
		ca.on("/account/1", ca.located(200, "", body))
		if err := second(a.DeactivateAccount(t.Context())); !isA[*acme.Lost](err) {
			t.Errorf("%q: %v", body, err)
		}
	}
}
