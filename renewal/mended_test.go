package renewal_test

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"strings"
	"testing"

	"orderly/certbot"
	"orderly/failure"
	"orderly/host"
	"orderly/renewal"
	"orderly/testca"
)

// obtain is a run of certonly.
func (h *machine) obtain(w renewal.Wish) renewal.Result {
	h.t.Helper()
	s := h.process("certonly")
	r := s.Obtain(h.t.Context(), w)
	must(h.t, s.Finish(h.t.Context()))
	must(h.t, s.End("done", 0, ""))
	return r
}

// resume is what renew begins with.
func (h *machine) resume() []renewal.Result {
	h.t.Helper()
	s := h.process("resume")
	results, err := s.ResumeAll(h.t.Context())
	must(h.t, err)
	must(h.t, s.Finish(h.t.Context()))
	must(h.t, s.End("done", 0, ""))
	return results
}

func (h *machine) opened(lineage string) *certbot.Lineage {
	h.t.Helper()
	l, err := h.disk().Open(lineage)
	must(h.t, err)
	return l
}

// mustStaple reports whether a certificate has the extension (RFC 7633).
func mustStaple(c *certbot.Certificate) bool {
	for _, e := range c.Leaf.Extensions {
		if e.Id.String() == "1.3.6.1.5.5.7.1.24" {
			return true
		}
	}
	return false
}

// Trial L3.
func TestAnotherTypeOfKeyIsARenewal(t *testing.T) {
	t.Parallel()
	const name = "a.example.com"
	h := newHost(t, testca.Config{})
	h.site(name)
	w := h.wish(name)
	w.Choice.KeyType = host.Say("rsa")
	if r := h.obtain(w); r.Outcome != renewal.Issued {
		t.Fatalf("%+v", r)
	}
	for _, c := range []struct {
		what     string
		certName string
		choice   host.Choice
		outcome  string
		keyType  string // afterwards
	}{
		{"without the certificate's name it is not confirmed", "", host.Choice{KeyType: host.Say("ecdsa")}, renewal.Failed, "RSA"},
		{"nothing said of it", name, host.Choice{}, renewal.Kept, "RSA"},
		{"confirmed", name, host.Choice{KeyType: host.Say("ecdsa")}, renewal.Issued, "ECDSA"},
		{"the same again", name, host.Choice{KeyType: host.Say("ecdsa")}, renewal.Kept, "ECDSA"},
		{"another curve alone waits until it is due, as with certbot", name, host.Choice{KeyType: host.Say("ecdsa"), Curve: host.Say("secp384r1")}, renewal.Kept, "ECDSA"},
		{"must-staple alone, too", name, host.Choice{MustStaple: host.Say(true)}, renewal.Kept, "ECDSA"},
		{"and back, with a size", name, host.Choice{KeyType: host.Say("rsa"), RSABits: host.Say(3072)}, renewal.Issued, "RSA"},
	} {
		w := h.wish(name)
		w.CertName, w.Choice = c.certName, c.choice
		r := h.obtain(w)
		if l := h.opened(name); r.Outcome != c.outcome || l.Certificate.KeyType != c.keyType || !strings.EqualFold(l.Renewal.Params.KeyType, c.keyType) {
			t.Errorf("%s: %s %v, the key is %s and the file says %s", c.what, r.Outcome, r.Err, l.Certificate.KeyType, l.Renewal.Params.KeyType)
		}
		if r.Outcome == renewal.Failed && !strings.Contains(r.Sentence, "Are you trying to change the key type of the certificate named "+name+" from RSA to ECDSA?") {
			t.Errorf("%s: %s", c.what, r.Sentence)
		}
	}
	// The file says what the certificate is not: certbot compares with the certificate.
	h.edit(name, "key_type = rsa", "key_type = ecdsa")
	w = h.wish(name)
	w.CertName, w.Choice.KeyType = name, host.Say("ecdsa")
	if r := h.obtain(w); r.Outcome != renewal.Issued || h.opened(name).Certificate.KeyType != "ECDSA" {
		t.Errorf("a file that is ahead: %+v", r)
	}
	if key := h.opened(name).Certificate.Leaf.PublicKey.(*ecdsa.PublicKey); key.Params().BitSize != 256 {
		t.Errorf("the curve has %d bits", key.Params().BitSize)
	}
}

// Trial L3: the names are to grow, and the type of key is to change.
func TestAnotherTypeOfKeyIsConfirmedWhereNamesGrow(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example.com")
	h.site("b.example.com")
	w := h.wish("a.example.com", "b.example.com")
	w.Expand, w.Choice.KeyType = true, host.Say("rsa")
	if r := h.obtain(w); r.Class != failure.Config || !strings.Contains(r.Sentence, "from ECDSA to RSA") {
		t.Errorf("%+v", r)
	}
	w.CertName = "a.example.com"
	if r := h.obtain(w); r.Outcome != renewal.Issued || h.opened("a.example.com").Certificate.KeyType != "RSA" {
		t.Errorf("%+v", r)
	}
}

// Trial L6: what is mended in the renewal file while an order waits decides about the certificate,
// and stays in the file.
func TestTheMendedFileDecides(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what     string
		bad      string // lines of [renewalparams] that the CA refuses
		old, new string // the mend
		right    func(l *certbot.Lineage) bool
	}{
		{"must_staple", "must_staple = True\n", "must_staple = True\n", "", func(l *certbot.Lineage) bool {
			return !mustStaple(l.Certificate) && !l.Renewal.Params.MustStaple
		}},
		{"curve", "elliptic_curve = secp521r1\n", "secp521r1", "secp384r1", func(l *certbot.Lineage) bool {
			key, ok := l.Certificate.Leaf.PublicKey.(*ecdsa.PublicKey)
			return ok && key.Params().BitSize == 384 && l.Renewal.Params.EllipticCurve == "secp384r1"
		}},
		{"key type", "", "key_type = ecdsa", "key_type = rsa", func(l *certbot.Lineage) bool {
			_, ok := l.Certificate.Leaf.PublicKey.(*rsa.PublicKey)
			return ok && l.Renewal.Params.KeyType == "rsa"
		}},
		{"reuse_key", "reuse_key = True\n", "reuse_key = True\n", "", func(l *certbot.Lineage) bool { return !l.Renewal.Params.ReuseKey }},
		{"hooks", "renew_hook = false\n", "renew_hook = false", "renew_hook = true", func(l *certbot.Lineage) bool { return l.Renewal.Params.DeployHook == "true" }},
		{"subset", "allow_subset_of_names = True\n", "allow_subset_of_names = True\n", "", func(l *certbot.Lineage) bool { return !l.Renewal.Params.AllowSubset }},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			const name = "a.example.com"
			h := newHost(t, testca.Config{})
			h.has(name)
			before := h.opened(name).Certificate
			h.edit(name, "[renewalparams]\n", "[renewalparams]\n"+c.bad)
			h.due(name)
			h.ca.Inject(testca.Fault{Kind: "finalize", Nth: 1, Action: testca.Respond, Status: 400, Problem: "badCSR", Detail: "the CSR is not taken"})
			results, err := h.renew(renewal.Round{})
			must(t, err)
			if outcomes(results) != name+" failed" || results[0].Class != failure.BadCSR {
				t.Fatalf("%+v", results)
			}
			h.edit(name, c.old, c.new)
			if results = h.resume(); outcomes(results) != name+" issued" {
				t.Fatalf("%+v", results)
			}
			l, truth := h.opened(name), h.ca.Truth()
			if !c.right(l) || l.Certificate.Serial == before.Serial {
				t.Errorf("%+v\n%s", l.Certificate, h.conf(name))
			}
			if c.what == "reuse_key" && l.Certificate.Leaf.PublicKey.(*ecdsa.PublicKey).Equal(before.Leaf.PublicKey) {
				t.Error("the key is still the old one")
			}
			if len(truth.Orders) != 2 || len(truth.Issued) != 2 || truth.Pending() != 0 {
				t.Errorf("%d orders, %d certificates, %d pending", len(truth.Orders), len(truth.Issued), truth.Pending())
			}
		})
	}
}

// Trial L6: a flag that was given stays where the file was not touched.
func TestAFlagOfAKilledRunStays(t *testing.T) {
	t.Parallel()
	const name = "a.example.com"
	h := newHost(t, testca.Config{})
	h.has(name)
	h.ca.Inject(testca.Fault{Kind: "finalize", Nth: 1, Action: testca.Respond, Status: 400, Problem: "badCSR"})
	w := h.wish(name)
	w.Renew, w.Choice = true, host.Choice{MustStaple: host.Say(true), Curve: host.Say("secp384r1")}
	if r := h.obtain(w); r.Class != failure.BadCSR {
		t.Fatalf("%+v", r)
	}
	h.edit(name, "[renewalparams]\n", "[renewalparams]\npre_hook = true\n")
	h.resume()
	if l := h.opened(name); !mustStaple(l.Certificate) || l.Renewal.Params.EllipticCurve != "secp384r1" || l.Renewal.Params.PreHook != "true" {
		t.Errorf("%s", h.conf(name))
	}
	w = h.wish(name)
	w.Renew, w.Choice = true, host.Choice{MustStaple: host.Say(false)}
	if r := h.obtain(w); r.Outcome != renewal.Issued || mustStaple(h.opened(name).Certificate) || strings.Contains(h.conf(name), "must_staple") {
		t.Errorf("%+v\n%s", r, h.conf(name))
	}
}

// Trial L6: the order of another CA than the file names by now is not made a certificate of.
func TestAnOrderOfACANoLongerNamedIsNotIssued(t *testing.T) {
	t.Parallel()
	const name = "a.example.com"
	h, other := newHost(t, testca.Config{}), newHost(t, testca.Config{})
	h.has(name)
	h.ca.Inject(testca.Fault{Kind: "finalize", Nth: 1, Action: testca.Respond, Status: 500})
	w := h.wish(name)
	w.Renew = true
	h.set.Patience = 1
	if r := h.obtain(w); r.Outcome == renewal.Issued {
		t.Fatalf("%+v", r)
	}
	h.edit(name, h.ca.DirectoryURL(), other.ca.DirectoryURL())
	s := h.process("renew")
	_, err := s.ResumeAll(t.Context())
	must(t, err)
	if truth := h.ca.Truth(); len(truth.Issued) != 1 || truth.Pending() != 0 {
		t.Errorf("%d certificates, %d pending", len(truth.Issued), truth.Pending())
	}
	if !strings.Contains(h.conf(name), other.ca.DirectoryURL()) {
		t.Error("the old server was written back")
	}
}

// Trial L9.
func TestAKeyThatTheCARefusesIsTheCertificatesOwn(t *testing.T) {
	t.Parallel()
	const name = "a.example.com"
	for _, c := range []struct {
		problem string
		choice  host.Choice
		class   failure.Class
		said    []string
	}{
		{"badPublicKey", host.Choice{}, failure.BadCSR, []string{"ecdsa, secp256r1", string(failure.Do(failure.OfKey, failure.RSA2048))}},
		{"badCSR", host.Choice{KeyType: host.Say("rsa")}, failure.BadCSR, []string{"rsa, 2048 bits", string(failure.Do(failure.OfKey, failure.P256))}},
		{"badCSR", host.Choice{MustStaple: host.Say(true)}, failure.BadCSR, []string{"OCSP Must Staple", failure.Unstapled}},
		{"caa", host.Choice{}, failure.CAAForbids, []string{"CAA record"}},
		{"rejectedIdentifier", host.Choice{}, failure.BadName, []string{"Leave out the name"}},
	} {
		t.Run(c.problem, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, testca.Config{})
			h.site(name)
			h.ca.Inject(testca.Fault{Kind: "finalize", Nth: 1, Action: testca.Respond, Status: 400, Problem: c.problem, Detail: "no"})
			w := h.wish(name)
			w.Choice = c.choice
			r := h.obtain(w)
			text := r.Sentence + "\n" + string(r.Remedy)
			if r.Class != c.class || strings.Contains(text, "account") {
				t.Errorf("%s %s", r.Class, text)
			}
			for _, said := range c.said {
				if !strings.Contains(text, said) {
					t.Errorf("no %q in %s", said, text)
				}
			}
			if r := h.obtain(w); r.Outcome != renewal.Issued || len(h.ca.Truth().Orders) != 1 {
				t.Errorf("afterwards: %+v", r)
			}
		})
	}
}
