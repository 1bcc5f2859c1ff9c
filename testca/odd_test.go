package testca_test

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly/testca"
)

// blocks are the types of the PEM blocks in a text, and the names of its certificates.
func blocks(text string) (types []string, certificates []*x509.Certificate) {
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		types = append(types, block.Type)
		if one, err := x509.ParseCertificate(block.Bytes); err == nil {
			certificates = append(certificates, one)
		}
	}
	return types, certificates
}

func TestACertificateIsServedAsOddlyAsAskedFor(t *testing.T) {
	l := start(t, testca.Config{})
	c := l.client()
	final := c.issue("a.example.com", "b.example.com")
	served := func(odd testca.OddCertificate) ([]string, []*x509.Certificate) {
		l.ca.SetOdd(testca.Odd{OddCertificate: odd})
		return blocks(c.get(final.str("certificate")).want(t, 200, "").text)
	}
	_, plain := served(testca.OddCertificate{})
	leaf := plain[0]
	isCA := func(list []*x509.Certificate) string {
		var all strings.Builder
		for _, one := range list {
			all.WriteString(map[bool]string{true: "C", false: "l"}[one.IsCA])
		}
		return all.String()
	}
	for chain, want := range map[string]string{"": "lC", "reversed": "CCl", "rotated": "Cl", "root": "lCC", "foreign": "lCC", "twice": "lClC",
		"text": "lC", "key": "l", "garbage": "l", "alone": "l", "none": ""} {
		if _, got := served(testca.OddCertificate{Chain: chain}); isCA(got) != want {
			t.Errorf("%q: %s, not %s", chain, isCA(got), want)
		}
	}
	if types, _ := served(testca.OddCertificate{Chain: "key"}); !slices.Equal(types, []string{"CERTIFICATE", "PRIVATE KEY"}) {
		t.Errorf("blocks %q", types)
	}
	_, got := served(testca.OddCertificate{AddNames: []string{"c.example.com"}, DropNames: []string{"a.example.com"}, Ends: -time.Minute})
	if !slices.Equal(got[0].DNSNames, []string{"b.example.com", "c.example.com"}) || !got[0].NotAfter.Before(time.Now()) {
		t.Errorf("names %q, until %s", got[0].DNSNames, got[0].NotAfter)
	}
	_, got = served(testca.OddCertificate{OtherKey: true})
	if string(got[0].RawSubjectPublicKeyInfo) == string(leaf.RawSubjectPublicKeyInfo) || got[0].SerialNumber.Cmp(leaf.SerialNumber) != 0 {
		t.Error("it is for the same key, or of another serial")
	}
}

func TestURLsMoveAndOldOnesLeadNowhere(t *testing.T) {
	l := start(t, testca.Config{})
	c := l.client()
	order := c.order("a.example.com").want(t, 201, "")
	old := order.list("authorizations")[0]
	l.ca.SetOdd(testca.Odd{Moved: 1, Unicode: true})
	c.get(old).want(t, 404, "malformed")
	moved := c.get(order.url()).want(t, 200, "")
	if moved.list("authorizations")[0] == old {
		t.Fatal("nothing moved")
	}
	c.post(c.serve(moved.list("authorizations")[0]), struct{}{}).want(t, 200, "")
	until(t, "the order becomes ready", func() bool { return l.truth(order.url()).Status == "ready" })
	c.finalize(moved).want(t, 200, "")
	l.ca.SetOdd(testca.Odd{Relative: true})
	if url := c.get(order.url()).list("authorizations")[0]; !strings.HasPrefix(url, "/") {
		t.Errorf("%s is not relative", url)
	}
}

func TestAFailedChallengeStaysPendingAndIsTriedAgain(t *testing.T) {
	for _, status := range []string{"pending", "invalid"} {
		l := start(t, testca.Config{})
		c := l.client()
		l.ca.SetOdd(testca.Odd{OddChallenge: testca.OddChallenge{FailedStays: status}})
		order := c.order("a.example.com").want(t, 201, "")
		authorization := order.list("authorizations")[0]
		url, _ := c.http01(c.get(authorization))
		c.post(url, struct{}{}).want(t, 200, "")
		until(t, "it fails", func() bool { return strings.Contains(c.get(authorization).text, "detail") })
		if truth := l.truth(order.url()); truth.Status != "pending" || c.get(authorization).str("status") != "pending" {
			t.Errorf("the order is %s", truth.Status)
		}
		c.authorize(order)
		until(t, "the order becomes ready", func() bool { return l.truth(order.url()).Status == "ready" })
		if text := c.get(authorization).text; strings.Contains(text, "detail") {
			t.Errorf("a valid one has an error: %s", text)
		}
	}
}

func TestAnOrderIsNotReadyForAWhileAndStatesTakeTurns(t *testing.T) {
	now := time.Now()
	l := start(t, testca.Config{Now: func() time.Time { return now }})
	c := l.client()
	order := c.order("a.example.com").want(t, 201, "")
	c.authorize(order)
	until(t, "the order becomes ready", func() bool { return l.truth(order.url()).Status == "ready" })
	l.ca.SetOdd(testca.Odd{Alternates: []string{"processing", "ready"}})
	for _, want := range []string{"processing", "ready", "processing"} {
		if got := c.get(order.url()).str("status"); got != want {
			t.Errorf("it is shown %s, not %s", got, want)
		}
	}
	l.ca.SetOdd(testca.Odd{NotReadyFor: time.Second})
	c.finalize(order).want(t, 403, "orderNotReady")
	now = now.Add(2 * time.Second)
	c.finalize(order).want(t, 200, "")
}

func TestOdditiesAreSetFromOutside(t *testing.T) {
	l := start(t, testca.Config{})
	control := httptest.NewServer(l.ca.Control())
	defer control.Close()
	for body, want := range map[string]int{`{"moved":1,"chain":"reversed","failed_stays":"pending"}`: 200, `{"wrong":1}`: 400} {
		answer, err := http.Post(control.URL+"/odd", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s: %d", body, answer.StatusCode)
		}
	}
	if moved := l.client().order("a.example.com").list("authorizations")[0]; !strings.Contains(moved, "form-1") {
		t.Errorf("nothing moved: %s", moved)
	}
}
