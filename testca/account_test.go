package testca_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"orderly/testca"
)

func TestAccountsAreTruthOfTheirOwn(t *testing.T) {
	l := start(t, testca.Config{})
	c, other := l.client(), l.client()
	c.post(c.kid, map[string]any{"contact": []string{"mailto:a@example.com"}}).want(t, 200, "")
	other.post(other.kid, map[string]any{"status": "deactivated"}).want(t, 200, "")
	truth := l.ca.Truth()
	if len(truth.Accounts) != 2 || truth.Accounts[0].URL != c.kid || truth.Accounts[0].Status != "valid" || truth.Accounts[0].Customer != "" ||
		strings.Join(truth.Accounts[0].Contact, "") != "mailto:a@example.com" || truth.Accounts[1].Status != "deactivated" {
		t.Errorf("the accounts are %+v", truth.Accounts)
	}
	for _, a := range truth.Accounts {
		if len(a.Thumbprint) != 43 {
			t.Errorf("thumbprint %q", a.Thumbprint)
		}
	}
	c.get(c.kid).want(t, 200, "")
	kinds := l.ca.Truth().RequestsByKind
	if kinds["update-account"] != 1 || kinds["deactivate-account"] != 1 || kinds["account"] != 1 {
		t.Errorf("requests %v", kinds)
	}
}

func TestTheRenewalWindowThatWasSetCounts(t *testing.T) {
	l := start(t, testca.Config{Limits: testca.Limits{CertificatesPerFQDNSet: testca.Limit{Count: 1, Period: time.Hour}}})
	c := l.client()
	issued := leafOf(t, c.get(c.issue("a.example.com").str("certificate")).text)
	serial := l.ca.Truth().Issued[0].Serial
	replacing := map[string]any{"replaces": issued.certID}
	c.orderWith(replacing, "a.example.com").want(t, 429, "rateLimited") // its window is two months away
	if err := l.ca.SetRenewalInfo("none", time.Now(), time.Now(), ""); err == nil {
		t.Error("a certificate that was never issued has a window")
	}
	control := httptest.NewServer(l.ca.Control())
	defer control.Close()
	set := func(start, end string) int {
		t.Helper()
		response, err := http.PostForm(control.URL+"/renewal-info", url.Values{"serial": {serial}, "start": {start}, "end": {end}, "explanation": {"https://e.example/"}})
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		return response.StatusCode
	}
	now := time.Now().UTC()
	at := func(d time.Duration) string { return now.Add(d).Format(time.RFC3339) }
	for _, wrong := range [][2]string{{"", at(0)}, {at(0), "tomorrow"}} {
		if got := set(wrong[0], wrong[1]); got != 400 {
			t.Errorf("%q: %d", wrong, got)
		}
	}
	if got := set(at(-time.Hour), at(time.Hour)); got != 200 {
		t.Fatalf("answered %d", got)
	}
	info := c.send(http.MethodGet, c.dir["renewalInfo"].(string)+"/"+issued.certID, nil).want(t, 200, "")
	window, _ := info.json["suggestedWindow"].(map[string]any)
	if window["start"] != at(-time.Hour) || window["end"] != at(time.Hour) || info.str("explanationURL") != "https://e.example/" {
		t.Errorf("renewal information %s", info.text)
	}
	c.orderWith(replacing, "a.example.com").want(t, 201, "")
}

func TestAKeyInUseIsNotGivenToAnotherAccount(t *testing.T) {
	l := start(t, testca.Config{})
	c, other := l.client(), l.client()
	change := func(key *client) answer {
		inner := &client{lab: l, key: key.key, nonce: "n"}
		target := c.dir["keyChange"].(string)
		payload, _ := json.Marshal(map[string]any{"account": c.kid})
		var jws map[string]any
		if err := json.Unmarshal(inner.sign(target, payload), &jws); err != nil {
			t.Fatal(err)
		}
		return c.post(target, jws)
	}
	if got := change(other).want(t, 409, "conflict"); got.url() != other.kid {
		t.Errorf("the key is said to belong to %q", got.url())
	}
	change(c).want(t, 400, "malformed") // its own: Pebble says what is wrong
	c.post(c.dir["keyChange"].(string), "nothing signed").want(t, 400, "malformed")
}

func TestTheProgramKnowsCustomersAndChains(t *testing.T) {
	p := launch(t, build(t), "--http-port", "1", "--eab-key", "kid-1=c2VjcmV0", "--eab-required", "--alternate-chains", "1")
	var roots []testca.IssuingRoot
	if _, text := p.control(http.MethodGet, "/roots", ""); json.Unmarshal(text, &roots) != nil || len(roots) != 2 || roots[0].Name == roots[1].Name || !strings.Contains(roots[1].PEM, "CERTIFICATE") {
		t.Errorf("the roots are %+v", roots)
	}
	if truth := p.truth(); truth.Accounts == nil || truth.Revoked == nil {
		t.Errorf("the truth is %+v", truth)
	}
	for _, arguments := range [][]string{{"--eab-key", "kid-1=?"}, {"--eab-key", "kid-1"}, {"--alternate-chains", "-1"}, {"--alternate-chains", "21"}} {
		var out, complaint bytes.Buffer
		if code := testca.Main(t.Context(), arguments, &out, &complaint); code != 1 || complaint.Len() == 0 {
			t.Errorf("%q: exit %d, %q", arguments, code, complaint.String())
		}
	}
}

// Boulder has no customers, and does not read a binding that nobody asked for, whatever is in it. A CA that has customers reads it.
func TestABindingThatNobodyAskedForIsNotRead(t *testing.T) {
	l := start(t, testca.Config{Boulder: true})
	other := start(t, testca.Config{Boulder: true, ExternalAccountKeys: map[string]string{"kid-1": "c2VjcmV0LXNlY3JldA"}})
	for _, binding := range []string{`{}`, `{"protected":"e30","payload":"e30","signature":"AA"}`,
		`{"protected":"eyJhbGciOiJIUzI1NiIsImtpZCI6ImtpZC0yIiwidXJsIjoidSJ9","payload":"e30","signature":"AA"}`} {
		payload := json.RawMessage(`{"termsOfServiceAgreed":true,"externalAccountBinding":` + binding + `}`)
		c := l.bare()
		c.dir = c.send(http.MethodGet, l.ca.DirectoryURL(), nil).want(t, 200, "").json
		made := c.post(c.dir["newAccount"].(string), payload).want(t, 201, "")
		if again := c.post(c.dir["newAccount"].(string), payload).want(t, 200, ""); again.url() != made.url() {
			t.Errorf("%s: the account is %q, then %q", binding, made.url(), again.url())
		}
		c.kid = made.url()
		c.order("a.example.com").want(t, 201, "")
		stranger := other.bare()
		stranger.dir = stranger.send(http.MethodGet, other.ca.DirectoryURL(), nil).want(t, 200, "").json
		if got := stranger.post(stranger.dir["newAccount"].(string), payload); got.status < 400 {
			t.Errorf("%s: a CA with customers answers %d", binding, got.status)
		}
	}
	for _, a := range l.ca.Truth().Accounts {
		if a.Customer != "" || a.Status != "valid" {
			t.Errorf("%+v", a)
		}
	}
}
