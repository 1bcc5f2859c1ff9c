package renewal_test

import (
	"encoding/json"
	"strings"
	"testing"

	"orderly/host"
	"orderly/renewal"
	"orderly/testca"
)

// certbot leaves out what the CA refuses by name, where a part is enough.
func TestNamesThatTheCADoesNotTakeAreLeftOutOfASubset(t *testing.T) {
	const urn = "urn:ietf:params:acme:error:rejectedIdentifier"
	for _, allowed := range []bool{true, false} {
		h := newHost(t, testca.Config{})
		h.site("a.example.com", "bank.example.com")
		h.ca.Inject(testca.Fault{Kind: "new-order", Nth: 1, Action: testca.Respond, Status: 400, Problem: "rejectedIdentifier", Detail: "1 name is refused",
			Patch: json.RawMessage(`{"subproblems":[{"type":"` + urn + `","detail":"forbidden by policy","identifier":{"type":"dns","value":"bank.example.com"}}]}`)})
		w := h.wish("a.example.com", "bank.example.com")
		w.Choice.AllowSubset = host.Say(allowed)
		r := h.obtain(w)
		truth := h.ca.Truth()
		switch {
		case !allowed && (r.Outcome != renewal.Failed || len(truth.Orders) != 0 || !strings.Contains(r.Sentence, "bank.example.com: forbidden by policy")):
			t.Errorf("without a word: %+v, %d orders", r, len(truth.Orders))
		case allowed && (r.Outcome != renewal.Issued || len(truth.Orders) != 1 || strings.Join(truth.Orders[0].Names, " ") != "a.example.com" || truth.Pending() != 0):
			t.Errorf("%+v, orders %+v", r, truth.Orders)
		}
	}
}
