package cli_test

// What a certificate is like, and that it stays so.

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"os"
	"strings"
	"testing"
	"time"

	"orderly/testca"
)

// first reads the first certificate of a file.
func (h *host) first(path string) *x509.Certificate {
	h.t.Helper()
	block, _ := pem.Decode([]byte(h.read(path)))
	if block == nil {
		h.t.Fatalf("%s has no certificate", path)
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		h.t.Fatal(err)
	}
	return leaf
}

// The kind of key, its reuse and the extensions are what was asked for, at first and with every
// renewal.
func TestTheCertificateIsAsAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	root := w.site("a.example.com")
	command := append(h.certonly(root, "a.example.com"), "--elliptic-curve", "secp384r1",
		"--must-staple", "--reuse-key")
	h.must(command...)
	for _, line := range []string{"elliptic_curve = secp384r1", "must_staple = True",
		"reuse_key = True", "key_type = ecdsa"} {
		if !strings.Contains(h.settings("a.example.com"), line+"\n") {
			t.Errorf("the renewal file lacks %s:\n%s", line, h.settings("a.example.com"))
		}
	}
	stapled := func(c *x509.Certificate) bool {
		for _, e := range c.Extensions {
			if e.Id.String() == "1.3.6.1.5.5.7.1.24" {
				return true
			}
		}
		return false
	}
	first := h.first(h.live("a.example.com", "cert.pem"))
	key := h.read(h.live("a.example.com", "privkey.pem"))
	if public, ok := first.PublicKey.(*ecdsa.PublicKey); !ok || public.Curve != elliptic.P384() ||
		!stapled(first) {
		t.Errorf("the key is %T, stapled %v", first.PublicKey, stapled(first))
	}
	h.must("renew", "--force-renewal")
	second := h.first(h.live("a.example.com", "cert.pem"))
	if h.read(h.live("a.example.com", "privkey.pem")) != key ||
		second.SerialNumber.Cmp(first.SerialNumber) == 0 || !stapled(second) {
		t.Error("the renewal has another key, or is no renewal")
	}
	if r := h.orderly("renew", "--force-renewal", "--key-type", "rsa"); r.code != 1 ||
		!strings.Contains(r.stderr, "because --reuse-key is set") {
		t.Errorf("%s", r)
	}
	h.must("renew", "--force-renewal", "--key-type", "rsa", "--rsa-key-size", "3072", "--new-key")
	if third := h.first(h.live("a.example.com", "cert.pem")); third.PublicKeyAlgorithm != x509.RSA {
		t.Errorf("the key is %s", third.PublicKeyAlgorithm)
	}
	h.must("renew", "--force-renewal", "--no-reuse-key")
	if h.read(h.live("a.example.com", "privkey.pem")) == key ||
		strings.Contains(h.settings("a.example.com"), "reuse_key") {
		t.Errorf("the key is still reused:\n%s", h.settings("a.example.com"))
	}
	h.goodPair("a.example.com", "a.example.com")
}

func TestThePreferredChainIsTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{AlternateChains: 2})
	h := w.host("one")
	root := w.site("a.example.com")
	roots := w.ca.IssuingRoots()
	wanted := roots[len(roots)-1].Name
	h.must(append(h.certonly(root, "a.example.com"), "--preferred-chain", wanted)...)
	top := func() string {
		rest, last := []byte(h.read(h.live("a.example.com", "fullchain.pem"))), []byte(nil)
		for block, more := pem.Decode(rest); block != nil; block, more = pem.Decode(more) {
			last = block.Bytes
		}
		c, err := x509.ParseCertificate(last)
		if err != nil {
			t.Fatal(err)
		}
		return c.Issuer.CommonName
	}
	if got := top(); got != wanted {
		t.Errorf("the chain leads to %q, not %q", got, wanted)
	}
	h.must("renew", "--force-renewal")
	if got := top(); got != wanted {
		t.Errorf("the renewal's chain leads to %q, not %q", got, wanted)
	}
	r := h.orderly("renew", "--force-renewal", "--preferred-chain", "No Such Root")
	if r.code != 0 || !strings.Contains(r.stderr, `no chain up to "No Such Root"`) ||
		top() != roots[0].Name {
		t.Errorf("%s, up to %s", r, top())
	}
}

// Names that fail are left out where that was said, and never otherwise.
func TestASubsetOfTheNamesWillDo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{AuthzReuse: true, DeadNames: []string{"dead.example.com"}})
	h := w.host("one")
	root := w.site("a.example.com", "b.example.com", "dead.example.com", "late.example.com")
	command := h.certonly(root, "a.example.com", "b.example.com", "dead.example.com")
	if r := h.orderly(command...); r.code != 1 {
		t.Fatalf("%s", r)
	}
	r := h.orderly(append(command, "--allow-subset-of-names")...)
	if r.code != 0 || !strings.Contains(r.stderr,
		"dead.example.com cannot be validated and is left out") {
		t.Fatalf("%s", r)
	}
	h.goodPair("a.example.com", "a.example.com", "b.example.com")
	if !strings.Contains(h.settings("a.example.com"), "allow_subset_of_names = True\n") ||
		strings.Contains(h.settings("a.example.com"), "dead.example.com") {
		t.Errorf("the renewal file is\n%s", h.settings("a.example.com"))
	}
	// What only the CA finds out.
	command = append(h.certonly(root, "late.example.com", "b.example.com"), "--allow-subset-of-names",
		"--skip-preflight", "http,dns")
	w.ca.SetDead("late.example.com", true)
	if r = h.orderly(command...); r.code != 0 ||
		!strings.Contains(r.stderr, "late.example.com cannot be validated") {
		t.Fatalf("%s", r)
	}
	h.goodPair("late.example.com", "b.example.com")
	if truth := w.ca.Truth(); truth.Pending() != 0 {
		t.Errorf("%d pending", truth.Pending())
	}
	if r = h.orderly(append(h.certonly(root, "dead.example.com"),
		"--allow-subset-of-names")...); r.code != 1 {
		t.Errorf("no name is left: %s", r)
	}
}

// An IP address is proven and renewed like a name.
func TestACertificateForAnIPAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	root := w.site("127.0.0.1", "a.example.com")
	command := append(h.certonly(root), "--ip-address", "127.0.0.1", "-d", "a.example.com")
	h.must(command...)
	leaf := h.first(h.live("127.0.0.1", "cert.pem"))
	if len(leaf.IPAddresses) != 1 || leaf.IPAddresses[0].String() != "127.0.0.1" ||
		len(leaf.DNSNames) != 1 {
		t.Errorf("the certificate is for %v and %v", leaf.IPAddresses, leaf.DNSNames)
	}
	if r := h.orderly(command...); r.code != 0 || !strings.Contains(r.stdout, "not yet due") {
		t.Errorf("%s", r)
	}
	h.must("renew", "--force-renewal")
	if truth := w.ca.Truth(); len(truth.Issued) != 2 || truth.Pending() != 0 {
		t.Errorf("%d issued, %d pending", len(truth.Issued), truth.Pending())
	}
}

// What passes by itself must not shrink a certificate for good, and a name that is dead must not
// cost an order each day.
func TestASubsetDoesNotLoseWhatTheCertificateHas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{DeadNames: []string{"dead.example.com"}})
	h := w.host("one")
	root := w.site("a.example.com", "dead.example.com")
	other := w.site("b.example.com")
	command := append(h.certonly(root, "a.example.com", "dead.example.com"), "-w", other, "-d",
		"b.example.com", "--allow-subset-of-names", "--cert-name", "site")
	for range 3 {
		if r := h.orderly(command...); r.code != 0 {
			t.Fatalf("%s", r)
		}
	}
	h.goodPair("site", "a.example.com", "b.example.com")
	if n := len(w.ca.Truth().Issued); n != 1 {
		t.Errorf("%d certificates for one set of names", n)
	}
	if err := os.Rename(other, other+".away"); err != nil {
		t.Fatal(err)
	}
	if r := h.orderly("renew", "--force-renewal"); r.code != 1 ||
		!strings.Contains(r.stderr, "b.example.com") {
		t.Errorf("%s", r)
	}
	h.goodPair("site", "a.example.com", "b.example.com")
	if err := os.Rename(other+".away", other); err != nil {
		t.Fatal(err)
	}
	w.ca.Inject(testca.Fault{Kind: "new-order", Nth: 1, Action: testca.Respond, Status: 429,
		Problem: "rateLimited", RetryAfter: "3600",
		Detail: "too many: see https://letsencrypt.org/docs/rate-limits/#new-orders-per-account"})
	if r := h.orderly("renew", "--force-renewal"); r.code != 1 {
		t.Errorf("a limit is no name's fault: %s", r)
	}
	h.goodPair("site", "a.example.com", "b.example.com")
}

// Trial L15: what was revoked from here and kept is called revoked, and is due.
func TestAKeptRevokedCertificateIsCalledSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	h.lineages("a.example.com", "b.example.com")
	h.must("revoke", "--cert-name", "a.example.com", "--no-delete-after-revoke", "-n")
	h.must("certificates", "--cert-name", "a.example.com").says(t, 0, "(INVALID: REVOKED)")
	h.must("certificates", "--cert-name", "b.example.com").says(t, 0, "(VALID: 89 days)")
	type listing struct {
		Certificates []struct {
			Name           string
			Valid, Revoked bool
			Status         string
			RevokedAt      time.Time `json:"revoked_at"`
			Reason         string    `json:"revocation_reason"`
		}
	}
	for i, c := range decode[listing](w, h.must("certificates", "--json").stdout).Certificates {
		if first := i == 0; c.Revoked != first || c.Valid == first || c.RevokedAt.IsZero() == first ||
			(c.Reason == "unspecified") != first || strings.Contains(c.Status, "REVOKED") != first {
			t.Errorf("%+v", c)
		}
	}
	h.must("renew").says(t, 0, "a.example.com/fullchain.pem (success)",
		"b.example.com/fullchain.pem expires on ")
	h.must("certificates").says(t, 0, "(VALID: 89 days)")
	if r := h.must("certificates"); strings.Contains(r.stdout, "REVOKED") ||
		len(w.ca.Truth().Orders) != 3 {
		t.Errorf("%d orders, %s", len(w.ca.Truth().Orders), r)
	}
}
