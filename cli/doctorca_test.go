package cli_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"orderly/doctor"
	"orderly/testca"
)

// saysOfCAs is what doctor --online --ca finds by D50, as "lineage severity".
func (h *host) saysOfCAs(flags ...string) (all []string, said string) {
	h.t.Helper()
	r := h.orderly(slices.Concat([]string{"doctor", "--online", "--ca", "--json"}, flags)...)
	for _, f := range decode[doctor.Document](h.world, r.stdout).Findings {
		if f.ID == "D50" {
			all = append(all, f.Lineage+" "+string(f.Severity))
			said += f.Sentence + "\n" + string(f.Remedy) + "\n"
		}
	}
	slices.Sort(all)
	return all, said
}

// What only the CA knows of a certificate is asked with --ca alone: one question for each that
// nothing is known of, none of them signed, and the CA is left as it was.
func TestTheCAIsAskedWhatItRevokedAndWantsReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	h.lineages("good.example.com", "gone.example.com", "soon.example.com")
	w.host("two").must("revoke", "--cert-path", h.live("gone.example.com", "cert.pem"), "--key-path",
		h.live("gone.example.com", "privkey.pem"), "-n", "--server", w.ca.DirectoryURL())
	now := time.Now()
	soon := h.first(h.live("soon.example.com", "cert.pem"))
	err := w.ca.SetRenewalInfo(soon.SerialNumber.Text(16), now.Add(-3*time.Hour), now.Add(-time.Hour),
		"https://ca.example/why")
	if err != nil {
		t.Fatal(err)
	}
	before := w.ca.Truth()
	h.orderly("doctor", "--online")
	if r := h.orderly("doctor", "--ca"); r.code != 2 {
		t.Errorf("without the network: %s", r)
	}
	if n := len(w.ca.Truth().Requests) - len(before.Requests); n != 0 {
		t.Fatalf("%d requests to a CA that was not to be asked", n)
	}
	all, said := h.saysOfCAs()
	if got := strings.Join(all, ", "); got != "gone.example.com will-fail, soon.example.com will-fail" {
		t.Errorf("%s\n%s", got, said)
	}
	for _, words := range []string{"revoked, or will be", "https://ca.example/why", "orderly renew --cert-name soon.example.com --force-renewal"} {
		if !strings.Contains(said, words) {
			t.Errorf("not %q in %s", words, said)
		}
	}
	after := w.ca.Truth()
	var kinds []string
	for _, r := range after.Requests[len(before.Requests):] {
		kinds = append(kinds, r.Kind)
	}
	slices.Sort(kinds)
	if got := strings.Join(kinds, " "); got != "directory renewal-info renewal-info renewal-info" {
		t.Errorf("asked: %s", got)
	}
	if len(after.Orders) != len(before.Orders) {
		t.Error("an order was made")
	}
}

// What the last round heard is not asked again before the CA's Retry-After, and counts.
func TestWhatTheLastRoundHeardOfTheCACounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	h.lineages("good.example.com")
	h.must("renew")
	before := w.requests("")
	if all, said := h.saysOfCAs(); len(all) > 0 {
		t.Errorf("%q %s", all, said)
	}
	if n := w.requests("") - before; n != 0 {
		t.Errorf("%d requests about what is known", n)
	}
}

// A CA that is busy is asked no more, which is said once and fails nothing.
func TestACAThatIsBusyIsLeftAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	h.lineages("a.example.com", "b.example.com")
	before := w.requests("")
	w.ca.Inject(testca.Fault{Kind: "directory", Action: testca.Respond, Status: 503})
	all, said := h.saysOfCAs()
	if got := strings.Join(all, ", "); got != " note" || !strings.Contains(said, "(2 of them)") {
		t.Errorf("%q %s", got, said)
	}
	if n := w.requests("") - before; n != 1 {
		t.Errorf("%d requests", n)
	}
}
