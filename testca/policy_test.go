package testca_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"orderly/testca"
)

func TestNamesThatNobodyCanOwnAreRefused(t *testing.T) {
	l := start(t, testca.Config{Strict: true, Profiles: testca.LetsEncryptProfiles()})
	c := l.client()
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprintf("n%d.example.com", i)
	}
	cases := map[string]struct {
		names         []string
		problem, says string
		subproblems   int
	}{
		"no public suffix":   {[]string{"a.test"}, "rejectedIdentifier", `Cannot issue for "a.test": Domain name does not end with a valid public suffix (TLD)`, 0},
		"several":            {[]string{"a.test", "localhost", "a.example.com"}, "rejectedIdentifier", "(and 1 more problems. Refer to sub-problems for more information.)", 2},
		"a suffix itself":    {[]string{"co.uk"}, "rejectedIdentifier", "Domain name is an ICANN TLD", 0},
		"under a wildcard":   {[]string{"*.example.com", "a.example.com"}, "malformed", `"a.example.com" is redundant with a wildcard domain`, 0},
		"a hundred and one":  {many, "malformed", "Order cannot contain more than 100 identifiers", 0},
		"a wildcard's names": {[]string{"*.test"}, "rejectedIdentifier", `Cannot issue for "*.test"`, 0},
	}
	for what, k := range cases {
		t.Run(what, func(t *testing.T) {
			refused := c.order(k.names...).want(t, 400, k.problem)
			subproblems, _ := refused.json["subproblems"].([]any)
			if !strings.Contains(refused.str("detail"), k.says) || len(subproblems) != k.subproblems {
				t.Errorf("%s", refused.text)
			}
			for _, one := range subproblems {
				problem := one.(map[string]any)
				if problem["identifier"].(map[string]any)["value"] == "" || problem["detail"] == "" {
					t.Errorf("the subproblem %v names nothing", problem)
				}
			}
		})
	}
	address := func(profile string) answer {
		return c.post(c.dir["newOrder"].(string), map[string]any{"profile": profile, "identifiers": []map[string]string{{"type": "ip", "value": "192.0.2.1"}}})
	}
	address("classic").want(t, 400, "rejectedIdentifier")
	address("shortlived").want(t, 201, "")
	c.order("*.example.com", "example.com", "b.a.example.com").want(t, 201, "")
	if n := len(l.ca.Truth().Orders); n != 2 {
		t.Errorf("%d orders were made", n)
	}
}

func csrOf(t *testing.T, key crypto.Signer, common string, names ...string) map[string]string {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: names, Subject: pkix.Name{CommonName: common}}, key)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{"csr": base64.RawURLEncoding.EncodeToString(der)}
}

// An order whose CSR is refused stays ready.
func TestABadCSRIsRefusedAndTheOrderStaysReady(t *testing.T) {
	l := start(t, testca.Config{Strict: true})
	c := l.client()
	order := c.order("a.example.com").want(t, 201, "")
	c.authorize(order)
	good, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	large, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GODEBUG", "rsa1024min=0")
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	finalize := order.str("finalize")
	c.post(finalize, csrOf(t, good, "other.example.com", "a.example.com")).want(t, 403, "unauthorized")
	c.post(finalize, csrOf(t, good, "", "a.example.com", "b.example.com")).want(t, 403, "unauthorized")
	c.post(finalize, csrOf(t, small, "", "a.example.com")).want(t, 400, "badPublicKey")
	c.post(finalize, csrOf(t, large, "", "a.example.com")).want(t, 400, "badPublicKey")
	if again := c.get(order.url()); again.str("status") != "ready" {
		t.Fatalf("the order is %s", again.text)
	}
	done := c.post(finalize, csrOf(t, good, "a.example.com", "a.example.com")).want(t, 200, "")
	block, _ := pem.Decode([]byte(c.get(done.str("certificate")).want(t, 200, "").text))
	c.post(c.dir["revokeCert"].(string), map[string]any{"certificate": base64.RawURLEncoding.EncodeToString(block.Bytes), "reason": 1}).want(t, 200, "")
	again := c.order("b.example.com").want(t, 201, "")
	c.authorize(again)
	refused := c.post(again.str("finalize"), csrOf(t, good, "", "b.example.com")).want(t, 400, "badPublicKey")
	if !strings.Contains(refused.str("detail"), "public key is forbidden") {
		t.Errorf("%s", refused.text)
	}
}

func TestAnAccountNeedsAgreementAndContactsThatCanBe(t *testing.T) {
	l := start(t, testca.Config{Strict: true, Boulder: true})
	c := l.bare()
	c.dir = c.send(http.MethodGet, l.ca.DirectoryURL(), nil).want(t, 200, "").json
	newAccount := func(payload string) answer { return c.post(c.dir["newAccount"].(string), json.RawMessage(payload)) }
	newAccount(`{}`).want(t, 400, "malformed")
	newAccount(`{"onlyReturnExisting":true}`).want(t, 400, "accountDoesNotExist")
	for contact, problem := range map[string]string{"tel:+123": "unsupportedContact", "mailto:a@b@c": "invalidContact",
		"mailto:me@host.test": "invalidContact", "mailto:me@example.com": "invalidContact"} {
		newAccount(`{"termsOfServiceAgreed":true,"contact":["`+contact+`"]}`).want(t, 400, problem)
	}
	made := newAccount(`{"termsOfServiceAgreed":true,"contact":["mailto:me@letsencrypt.org"]}`).want(t, 201, "")
	if strings.Contains(made.text, "contact") || made.str("createdAt") == "" {
		t.Errorf("the account is shown as %s", made.text)
	}
	c.kid = made.url()
	c.post(c.kid, json.RawMessage(`{"contact":["mailto:me@host.test"]}`)).want(t, 400, "invalidContact")
	if n := len(l.ca.Truth().Accounts); n != 1 {
		t.Errorf("%d accounts were made", n)
	}
}
