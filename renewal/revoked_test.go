package renewal_test

import (
	"testing"

	"orderly/acme"
	"orderly/renewal"
	"orderly/testca"
)

func (h *machine) revoke(w renewal.Revocation) renewal.Revoked {
	h.t.Helper()
	s := h.process(renewal.Revoking(w))
	done, err := s.Revoke(h.t.Context(), w)
	must(h.t, err)
	must(h.t, s.Finish(h.t.Context()))
	must(h.t, s.End("done", 0, ""))
	return done
}

// Trial L15: a certificate that was revoked and kept is due at once, and once.
func TestARevokedCertificateIsDueAtOnce(t *testing.T) {
	t.Parallel()
	const kept, other, off = "kept.example.com", "other.example.com", "off.example.com"
	h := newHost(t, testca.Config{})
	h.has(kept, other, off)
	h.edit(off, "[renewalparams]\n", "[renewalparams]\nautorenew = False\n")
	for _, name := range []string{kept, off} {
		if done := h.revoke(renewal.Revocation{CertName: name, Reason: acme.ReasonSuperseded, Keep: true}); done.Deleted || done.Already {
			t.Fatalf("%+v", done)
		}
	}
	known, err := renewal.KnownRevocations(t.Context(), h.ledger)
	must(t, err)
	if v, ok := known.Of(h.opened(kept).Certificate); !ok || v.Lineage != kept || v.Reason != "superseded" || v.Serial != h.serial(kept) || v.At.IsZero() {
		t.Errorf("%+v, %v", v, ok)
	}
	if _, ok := known.Of(h.opened(other).Certificate); ok {
		t.Error("another one is called revoked")
	}
	results, err := h.renew(renewal.Round{})
	must(t, err)
	if got, want := outcomes(results), kept+" issued, "+off+" kept, "+other+" kept"; got != want {
		t.Errorf("%s, not %s", got, want)
	}
	results, err = h.renew(renewal.Round{})
	if must(t, err); len(h.ca.Truth().Orders) != 4 {
		t.Errorf("renewed again: %s, %d orders", outcomes(results), len(h.ca.Truth().Orders))
	}
	// certonly asks for the same names.
	h.revoke(renewal.Revocation{CertName: other, Keep: true})
	if r := h.obtain(h.wish(other)); r.Outcome != renewal.Issued {
		t.Errorf("certonly: %+v", r)
	}
	if r := h.obtain(h.wish(other)); r.Outcome != renewal.Kept {
		t.Errorf("certonly again: %+v", r)
	}
}

// A revocation whose answer was lost, asked for again, is known as well: the CA says that it was
// done.
func TestARevocationThatTheCAHadDoneIsKnown(t *testing.T) {
	t.Parallel()
	const name = "a.example.com"
	h := newHost(t, testca.Config{})
	h.has(name)
	w := renewal.Revocation{CertName: name, Keep: true}
	h.ca.Inject(testca.Fault{Kind: "revoke", Nth: 1, Action: testca.LoseAnswer})
	s := h.process(renewal.Revoking(w))
	_, _ = s.Revoke(t.Context(), w) // it may ask again itself
	must(t, s.End("failed", 1, ""))
	h.openLocks() // the process is gone
	h.revoke(w)
	if results, err := h.renew(renewal.Round{}); err != nil || outcomes(results) != name+" issued" {
		t.Errorf("%s, %v", outcomes(results), err)
	}
}
