package renewal_test

import (
	"slices"
	"testing"
	"time"

	"orderly/renewal"
	"orderly/testca"
)

// A CA that adds a name of its own: what was asked for is found again, and renewed, and nothing
// else is ordered.
func TestWhatWasAskedForIsRenewedAndNotWhatWasReceived(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.ca.SetOdd(testca.Odd{OddCertificate: testca.OddCertificate{AddNames: []string{"www.a.example"}}})
	h.has("a.example")
	for range 2 {
		if r := h.process("certonly").Obtain(t.Context(), h.wish("a.example")); r.Outcome != renewal.Kept || r.Lineage != "a.example" {
			t.Fatalf("%+v", r)
		}
	}
	named := h.wish("a.example")
	named.CertName = "a.example"
	if r := h.process("certonly").Obtain(t.Context(), named); r.Outcome != renewal.Kept {
		t.Errorf("by its name: %+v", r)
	}
	h.due("a.example")
	results, err := h.renew(renewal.Round{})
	must(t, err)
	if got := outcomes(results); got != "a.example issued" {
		t.Errorf("%s: %v", got, results[0].Err)
	}
	for _, o := range h.ca.Truth().Orders {
		if !slices.Equal(o.Names, []string{"a.example"}) {
			t.Errorf("ordered for %q", o.Names)
		}
	}
	if n := len(h.ca.Truth().Orders); n != 2 {
		t.Errorf("%d orders", n)
	}
	h.site("b.example")
	w := h.wish("a.example", "b.example")
	w.Expand = true
	if r := h.process("certonly").Obtain(t.Context(), w); r.Outcome != renewal.Issued || r.Lineage != "a.example" {
		t.Errorf("expanded: %+v", r)
	}
}

// What a CA issues in answer to a renewal is not put over a good pair where it is not what was
// asked for; the next runs wait.
func TestAnUnfitRenewalLeavesTheGoodPair(t *testing.T) {
	t.Parallel()
	for name, odd := range map[string]testca.OddCertificate{
		"other names": {DropNames: []string{"a.example"}, AddNames: []string{"c.example"}},
		"expired":     {Ends: -time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, testca.Config{})
			h.has("a.example")
			before, err := h.disk().Open("a.example")
			must(t, err)
			h.due("a.example")
			h.ca.SetOdd(testca.Odd{OddCertificate: odd})
			for range 3 {
				results, err := h.renew(renewal.Round{})
				must(t, err)
				if got := outcomes(results); got != "a.example failed" {
					t.Errorf("%s", got)
				}
			}
			after, err := h.disk().Open("a.example")
			must(t, err)
			if n := len(h.ca.Truth().Orders); n != 2 || after.Certificate.Serial != before.Certificate.Serial {
				t.Errorf("%d orders; the certificate changed: %v", n, after.Certificate.Serial != before.Certificate.Serial)
			}
			h.ca.SetOdd(testca.Odd{})
			h.clock.skip(2 * time.Minute)
			results, err := h.renew(renewal.Round{})
			must(t, err)
			if got := outcomes(results); got != "a.example issued" {
				t.Errorf("once the CA is well: %s, %v", got, results[0].Err)
			}
		})
	}
}
