package testca_test

import (
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"orderly/testca"
)

// What Boulder shows beside what Pebble does.
func TestBoulderShowsWhatOthersDoNot(t *testing.T) {
	l := start(t, testca.Config{Boulder: true, Limits: testca.Limits{NewOrdersPerAccount: testca.Limit{Count: 1, Period: time.Hour}}})
	c := l.client()
	order := c.order("A.Example.com").want(t, 201, "")
	if !strings.Contains(order.text, `"a.example.com"`) || !strings.HasSuffix(c.kid, "/"+order.header.Get("Boulder-Requester")) {
		t.Errorf("Boulder-Requester %q, %s", order.header.Get("Boulder-Requester"), order.text)
	}
	authorization := c.get(order.list("authorizations")[0]).want(t, 200, "")
	var types, urls []string
	for _, one := range authorization.json["challenges"].([]any) {
		challenge := one.(map[string]any)
		types, urls = append(types, challenge["type"].(string)), append(urls, challenge["url"].(string))
	}
	if len(types) != 3 || strings.Contains(authorization.text, "validationRecord") {
		t.Fatalf("the authorization offers %q: %s", types, authorization.text)
	}
	if shown := c.get(urls[0]).want(t, 200, ""); shown.url() != urls[0] {
		t.Errorf("the challenge's Location is %q", shown.url())
	}
	c.authorize(order)
	if valid := c.get(order.list("authorizations")[0]); !strings.Contains(valid.text, "validationRecord") {
		t.Errorf("%s", valid.text)
	}
	for i, url := range urls {
		if types[i] != "http-01" {
			c.get(url).want(t, 404, "malformed")
		}
	}
	if again := c.get(order.url()).want(t, 200, ""); again.url() != order.url() {
		t.Errorf("the order's Location is %q", again.url())
	}
	chain := c.get(c.finalize(order).want(t, 200, "").str("certificate")).want(t, 200, "")
	if !strings.Contains(strings.Join(chain.header.Values("Link"), " "), `rel="alternate"`) || len(l.ca.IssuingRoots()) != 2 {
		t.Errorf("no alternate chain: %q", chain.header.Values("Link"))
	}
	block, _ := pem.Decode([]byte(chain.text))
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if early := time.Since(certificate.NotBefore); early < 59*time.Minute || certificate.NotAfter.Sub(certificate.NotBefore) != 90*24*time.Hour-time.Second {
		t.Errorf("the certificate is valid from %s to %s", certificate.NotBefore, certificate.NotAfter)
	}
	limited := c.order("b.example.com").want(t, 429, "rateLimited")
	if !strings.Contains(strings.Join(limited.header.Values("Link"), " "), `rel="help"`) {
		t.Errorf("the 429 has no page: %q", limited.header.Values("Link"))
	}
}
