package acme_test

import (
	"slices"
	"testing"

	"orderly/acme"
)

func TestNamesThatAreAddressesAreOrderedAsAddresses(t *testing.T) {
	for name, want := range map[string][2]string{
		"a.example.com":        {"dns", "a.example.com"},
		"*.Example.com":        {"dns", "*.Example.com"},
		"192.0.2.1":            {"ip", "192.0.2.1"},
		"2001:DB8:0:0::1":      {"ip", "2001:db8::1"},
		"::ffff:192.0.2.1":     {"ip", "::ffff:192.0.2.1"},
		"192.0.2.01":           {"dns", "192.0.2.01"}, // octal or decimal? no address to anyone
		"192.0.2.1.":           {"dns", "192.0.2.1."},
		"fe80::1%eth0":         {"dns", "fe80::1%eth0"},
		"[2001:db8::1]":        {"dns", "[2001:db8::1]"},
		"192.0.2.1:80":         {"dns", "192.0.2.1:80"},
		"":                     {"dns", ""},
		"1.2.0.192.in-addr.ip": {"dns", "1.2.0.192.in-addr.ip"},
	} {
		if kind, value := acme.IdentifierOf(name); kind != want[0] || value != want[1] {
			t.Errorf("%q: %s %q", name, kind, value)
		}
	}
}

func TestAnOrderForAddressesSaysSo(t *testing.T) {
	ca := newFakeCA(t)
	_, a := ca.ready(t)
	ca.on("/new-order", ca.located(201, "/order/1", `{"status":"pending","identifiers":[{"type":"ip","value":"2001:DB8:0::1"},`+
		`{"type":"dns","value":"A.example.com"},{"type":"ip","value":"No address"}]}`))
	ca.on("/authz/1", ca.located(200, "", `{"status":"pending","identifier":{"type":"ip","value":"2001:0db8::0001"}}`))
	o, err := a.NewOrder(t.Context(), acme.OrderRequest{Names: []string{"a.example.com", "2001:DB8::1", "192.0.2.1"}})
	if err != nil || !slices.Equal(o.Names, []string{"2001:db8::1", "a.example.com", `not a name: "No address"`}) {
		t.Errorf("%q, %v", o.Names, err)
	}
	if got := string(ca.lastPost().payload); got != `{"identifiers":[{"type":"dns","value":"a.example.com"},{"type":"ip","value":"2001:db8::1"},{"type":"ip","value":"192.0.2.1"}]}` {
		t.Errorf("payload %s", got)
	}
	if z, err := a.Authorization(t.Context(), ca.URL+"/authz/1"); err != nil || z.Name != "2001:db8::1" {
		t.Errorf("%+v, %v", z, err)
	}
}
