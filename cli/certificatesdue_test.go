package cli_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly/testca"
)

// What a round would do is told without one: from the disk and the ledger alone, whoever is at work beside it.
func TestWhenEachCertificateIsDueIsListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	names := []string{"life.example.com", "file.example.com", "gone.example.com", "off.example.com", "ca.example.com", "early.example.com"}
	h.lineages(names...)
	change := func(lineage, old, replacement string) {
		text := h.settings(lineage)
		if !strings.Contains(text, old) {
			t.Fatalf("%s has no %q", lineage, old)
		}
		if err := os.WriteFile(h.conf(lineage), []byte(strings.Replace(text, old, replacement, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	later := time.Now().Add(5 * time.Hour).Format("2006-01-02T15:04:05")
	change("life.example.com", "[renewalparams]\n", "[acme_renewal_info]\nari_retry_after = "+later+"\n[renewalparams]\n")
	change("file.example.com", "version = ", "renew_before_expiry = 45 days\nversion = ")
	change("off.example.com", "[renewalparams]\n", "[renewalparams]\nautorenew = False\n")
	h.must("revoke", "--cert-name", "gone.example.com", "--no-delete-after-revoke", "-n")
	now := time.Now()
	early := h.first(h.live("early.example.com", "cert.pem"))
	if err := w.ca.SetRenewalInfo(early.SerialNumber.Text(16), now.Add(24*time.Hour), now.Add(25*time.Hour), "https://ca.example/why"); err != nil {
		t.Fatal(err)
	}
	h.must("renew", "--cert-name", "ca.example.com")
	h.must("renew", "--cert-name", "life.example.com")
	h.must("renew", "--cert-name", "early.example.com")
	requests := len(w.ca.Truth().Requests)
	type due struct {
		Name        string
		DueAt       time.Time `json:"due_at"`
		Because     string    `json:"due_because"`
		Explanation string    `json:"explanation_url"`
		NotBefore   time.Time `json:"not_before"`
	}
	list := decode[struct{ Certificates []due }](w, h.must("certificates", "--due", "--json").stdout).Certificates
	var got []string
	for _, c := range list {
		got = append(got, strings.TrimSuffix(c.Name, ".example.com")+" "+c.Because)
		days := c.DueAt.Sub(c.NotBefore).Hours() / 24
		within := map[string][2]float64{"early": {0.9, 1.2}, "file": {44.9, 45.1}, "life": {50.9, 60.1}, "ca": {58.9, 61.1}, "gone": {0, 1}}
		name := strings.TrimSuffix(c.Name, ".example.com")
		if want, ok := within[name]; c.DueAt.IsZero() == ok || ok && (days < want[0] || days > want[1]) {
			t.Errorf("%s is due after %.1f days", name, days)
		}
		if (c.Explanation == "https://ca.example/why") != (name == "early") {
			t.Errorf("%s: explained at %q", name, c.Explanation)
		}
	}
	if !slices.IsSortedFunc(list[:len(list)-1], func(a, b due) int { return a.DueAt.Compare(b.DueAt) }) || got[len(got)-1] != "off off" {
		t.Errorf("in the order of %q", got)
	}
	slices.Sort(got)
	if want := []string{"ca ari", "early ari", "file renew_before_expiry", "gone revoked", "life lifetime", "off off"}; !slices.Equal(got, want) {
		t.Errorf("%q, not %q", got, want)
	}
	r := h.must("certificates", "--due")
	r.says(t, 0, "CERTIFICATE", "DUE (UTC)", "BECAUSE", "https://ca.example/why", "renew_before_expiry")
	if lines := strings.Split(r.stdout, "\n"); !strings.HasPrefix(lines[1], "gone.example.com") || !strings.Contains(r.stdout, "off.example.com    -  ") {
		t.Errorf("%s", r)
	}
	if n := len(w.ca.Truth().Requests) - requests; n != 0 {
		t.Errorf("%d requests were made", n)
	}
	h.must("certificates", "--due", "--cert-name", "none").says(t, 0, "No certificates found.")
	h.must("why", "early.example.com").says(t, 0, " as the CA suggests (https://ca.example/why)")
	if err := os.WriteFile(h.conf("life.example.com"), []byte("what is this\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if r := h.must("certificates", "--due", "--cert-name", "life.example.com"); strings.Contains(r.stdout, "No certificates found.") ||
		!strings.Contains(r.stderr, "life.example.com.conf") {
		t.Errorf("%s", r)
	}
}
