package testca_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"orderly/testca"
)

func TestOneIssuanceOfTwoNamesTakesElevenRequests(t *testing.T) {
	l := start(t, testca.Config{})
	c := l.client()
	order := c.order("a.example.com", "www.a.example.com").want(t, 201, "")
	if order.str("status") != "pending" || len(order.list("authorizations")) != 2 {
		t.Fatalf("the new order is %s", order.text)
	}
	var challenges []string
	for _, url := range order.list("authorizations") {
		challenges = append(challenges, c.serve(url))
	}
	for _, url := range challenges {
		c.post(url, struct{}{}).want(t, 200, "")
	}
	until(t, "the order becomes ready", func() bool { return l.truth(order.url()).Status == "ready" })
	if status := c.get(order.url()).want(t, 200, "").str("status"); status != "ready" {
		t.Errorf("the order is shown %q, want ready", status)
	}
	final := c.finalize(order).want(t, 200, "")
	if final.str("status") != "valid" || final.url() != order.url() {
		t.Errorf("finalize answered %q at %q", final.str("status"), final.url())
	}
	chain := c.get(final.str("certificate")).want(t, 200, "")
	verify(t, l, []byte(chain.text), "www.a.example.com")

	truth := l.ca.Truth()
	want := map[string]int{"directory": 1, "new-nonce": 1, "new-account": 1, "new-order": 1, "authorization": 2,
		"challenge": 2, "order": 1, "finalize": 1, "certificate": 1}
	if !maps.Equal(truth.RequestsByKind, want) || len(truth.Requests) != 11 {
		t.Errorf("requests %v, want %v", truth.RequestsByKind, want)
	}
	if truth.Pending() != 0 || truth.ValidatedTwice() != 0 || len(truth.Issued) != 1 {
		t.Errorf("pending %d, validated twice %d, certificates %v", truth.Pending(), truth.ValidatedTwice(), truth.Issued)
	}
	if got := truth.Issued[0]; got.Order != order.url() || !slices.Equal(got.Names, []string{"a.example.com", "www.a.example.com"}) {
		t.Errorf("the certificate is %+v", got)
	}
	if l.web.hits != 2 {
		t.Errorf("%d fetches of challenge files, want one per name", l.web.hits)
	}
}

func verify(t *testing.T, l *lab, chain []byte, name string) {
	t.Helper()
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AppendCertsFromPEM(l.ca.IssuingRootPEM())
	block, rest := pem.Decode(chain)
	if block == nil {
		t.Fatalf("no certificate in %q", chain)
	}
	between.AppendCertsFromPEM(rest)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, Intermediates: between}); err != nil {
		t.Error(err)
	}
}

func TestThirtyClientsAtOnceDoNotDeadlock(t *testing.T) {
	l := start(t, testca.Config{Reuse: true, AuthzReuse: true, HideProcessing: true})
	var all sync.WaitGroup
	for range 30 {
		c := l.client()
		all.Go(func() {
			order := c.order("one.example.com", "two.example.com")
			for _, url := range order.list("authorizations") {
				challenge, token := c.http01(c.get(url))
				l.web.put(token, c.keyAuthorization(token))
				c.post(challenge, struct{}{})
			}
			for range 10000 {
				if order = c.get(l.orderURL(c, order)); order.str("status") != "pending" {
					break
				}
			}
			if final := c.finalize(order); final.str("status") != "valid" {
				t.Errorf("finalize answered %d %s", final.status, final.text)
			}
		})
	}
	all.Wait()
	if truth := l.ca.Truth(); len(truth.Issued) != 30 || truth.Pending() != 0 || truth.ValidatedTwice() != 0 {
		t.Errorf("%d certificates, %d pending, %d validated twice", len(truth.Issued), truth.Pending(), truth.ValidatedTwice())
	}
}

// orderURL is an order's URL, which only newOrder and finalize tell.
func (l *lab) orderURL(_ *client, order answer) string {
	return strings.Replace(order.str("finalize"), "/finalize-order/", "/my-order/", 1)
}

func TestBothNamesOfTheServerAreReachedConsistently(t *testing.T) {
	l := start(t, testca.Config{})
	c := l.bare()
	base := strings.Replace(l.ca.DirectoryURL(), "127.0.0.1", "localhost", 1)
	c.dir = c.send(http.MethodGet, base, nil).want(t, 200, "").json
	c.register().want(t, 201, "")
	order := c.order("a.example.com").want(t, 201, "")
	origin := strings.TrimSuffix(base, "/dir") + "/"
	for _, url := range append(order.list("authorizations"), order.url(), order.str("finalize"), c.kid) {
		if !strings.HasPrefix(url, origin) {
			t.Errorf("%s leaves the origin %s", url, origin)
		}
	}
}

func TestTheEnvironmentIsLeftAsItWas(t *testing.T) {
	t.Setenv("PEBBLE_AUTHZREUSE", "17")
	start(t, testca.Config{})
	_, set := os.LookupEnv("PEBBLE_WFE_NONCEREJECT")
	if got := os.Getenv("PEBBLE_AUTHZREUSE"); got != "17" || set {
		t.Errorf("PEBBLE_AUTHZREUSE=%q, PEBBLE_WFE_NONCEREJECT set: %t", got, set)
	}
}

func TestNoncesAreRefusedOnlyWhenAsked(t *testing.T) {
	quiet := start(t, testca.Config{}).client()
	for range 100 {
		quiet.get(quiet.kid).want(t, 200, "")
	}
	c := start(t, testca.Config{NonceReject: 50}).bare()
	c.dir = c.send(http.MethodGet, c.lab.ca.DirectoryURL(), nil).json
	refused := 0
	for range 100 {
		if c.register(); c.kid != "" {
			break
		}
		refused++
	}
	for range 100 {
		if a := c.get(c.kid); a.problem() == "badNonce" {
			refused++
			if a.header.Get("Replay-Nonce") == "" {
				t.Fatal("a badNonce brought no fresh nonce")
			}
		}
	}
	if refused < 20 || refused > 90 {
		t.Errorf("%d of about 100 nonces refused, want about 50", refused)
	}
}

func TestWhatCannotBeIsRefusedAtStart(t *testing.T) {
	cases := map[string]testca.Config{
		"a limit without a period": {Limits: testca.Limits{NewOrdersPerAccount: testca.Limit{Count: 3}}},
		"every nonce refused":      {NonceReject: 100},
		"a second default profile": {Profiles: map[string]testca.Lifetimes{"default": {}}},
		"an address of nobody":     {Listen: "nobody.invalid:1"},
	}
	for what, config := range cases {
		if ca, err := testca.Start(config); err == nil {
			t.Errorf("%s was accepted", what)
			_ = ca.Close()
		}
	}
}

func TestTheTruthKeepsItsNames(t *testing.T) {
	l := start(t, testca.Config{})
	c := l.client()
	order := c.orderWith(nil, "b.example.com", "A.example.com").want(t, 201, "")
	text, err := json.Marshal(l.ca.Truth())
	if err != nil {
		t.Fatal(err)
	}
	var truth map[string]any
	if err := json.Unmarshal(text, &truth); err != nil {
		t.Fatal(err)
	}
	keys := func(v any) []string { return slices.Sorted(maps.Keys(v.(map[string]any))) }
	o := truth["orders"].([]any)[0]
	a := o.(map[string]any)["authorizations"].([]any)[0]
	for _, c := range []struct {
		what string
		got  []string
		want string
	}{
		{"truth", keys(truth), "accounts certificates now orders rate_limited requests requests_by_kind revoked"},
		{"order", keys(o), "account authorizations created expired expires names profile status url"},
		{"authorization", keys(a), "challenge_status challenge_type expired expires name status url validations"},
		{"request", keys(truth["requests"].([]any)[3]), "account kind method path status"},
	} {
		if got := strings.Join(c.got, " "); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
	got := l.truth(order.url())
	if got.Account != c.kid || strings.Join(got.Names, " ") != "a.example.com b.example.com" || got.Expires.Sub(got.Created) > 7*24*time.Hour {
		t.Errorf("the order is %+v", got)
	}
	if truth := l.ca.Truth(); truth.Pending() != 2 {
		t.Errorf("%d pending, want 2", truth.Pending())
	}
}
