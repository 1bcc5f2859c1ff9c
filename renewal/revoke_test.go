package renewal_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/renewal"
	"orderly/testca"
)

func (h *machine) certificateKey(lineage string) crypto.Signer {
	h.t.Helper()
	text, err := os.ReadFile(filepath.Join(h.dir, "etc", "live", lineage, "privkey.pem"))
	must(h.t, err)
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	must(h.t, err)
	return key.(crypto.Signer)
}

// gone reports whether nothing of a lineage is on the disk.
func (h *machine) gone(lineage string) bool {
	for _, path := range []string{"live/" + lineage, "archive/" + lineage, "renewal/" + lineage + ".conf"} {
		if _, err := os.Lstat(filepath.Join(h.dir, "etc", path)); err == nil {
			return false
		}
	}
	return true
}

func TestACertificateIsRevokedByAccountOrKey(t *testing.T) {
	t.Parallel()
	const name = "a.example.com"
	for way, wish := range map[string]func(h *machine) renewal.Revocation{
		"by name": func(*machine) renewal.Revocation { return renewal.Revocation{CertName: name} },
		"by path": func(h *machine) renewal.Revocation {
			return renewal.Revocation{CertPath: filepath.Join(h.dir, "etc", "live", name, "cert.pem")}
		},
		"by an old version's path": func(h *machine) renewal.Revocation {
			return renewal.Revocation{CertPath: filepath.Join(h.dir, "etc", "archive", name, "cert1.pem")}
		},
		"by key": func(h *machine) renewal.Revocation {
			return renewal.Revocation{CertName: name, Key: h.certificateKey(name), KeyPath: "privkey.pem"}
		},
		"kept": func(*machine) renewal.Revocation { return renewal.Revocation{CertName: name, Keep: true} },
	} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, testca.Config{})
			h.has(name)
			w := wish(h)
			w.Reason = acme.ReasonSuperseded
			serial := strings.TrimLeft(h.ca.Truth().Issued[0].Serial, "0")
			done, err := h.process(renewal.Revoking(w)).Revoke(t.Context(), w)
			must(t, err)
			revoked := h.ca.Truth().Revoked
			if len(revoked) != 1 || strings.TrimLeft(revoked[0].Serial, "0") != serial || revoked[0].Reason != 4 {
				t.Errorf("the CA has revoked %+v", revoked)
			}
			if done.Serial != serial || done.Lineage != name || done.Deleted == w.Keep || h.gone(name) == w.Keep {
				t.Errorf("done: %+v, gone: %t", done, h.gone(name))
			}
			events, err := h.ledger.Events(t.Context(), 0, 0)
			must(t, err)
			var kinds []string
			for _, e := range events {
				if e.Lineage == name && strings.Contains(e.Kind, "revoke") {
					kinds = append(kinds, e.Kind+" "+e.Detail)
				}
			}
			if want := "revoke intent " + serial + ", superseded; certificate revoked " + serial + ", superseded"; strings.Join(kinds, "; ") != want {
				t.Errorf("noted: %v", kinds)
			}
		})
	}
}

// A second run ends what one began whose answer was lost, or that was killed behind the revocation.
func TestARevocationThatGoesWrongIsEndedByTheNext(t *testing.T) {
	t.Parallel()
	const name = "a.example.com"
	w := renewal.Revocation{CertName: name}
	for _, step := range []string{"", "before remove cert.pem", "after remove cert.pem", "after remove archive", "before remove a.example.com.conf"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, testca.Config{})
			h.has(name)
			s := h.process(renewal.Revoking(w))
			s.Disk.Trace = func(at string) {
				if at == step {
					panic(errKilled)
				}
			}
			if step == "" {
				h.twice("revoke", testca.Fault{Action: testca.LoseAnswer})
			}
			func() {
				defer func() { _ = recover() }()
				if _, err := s.Revoke(t.Context(), w); failure.ClassOf(err) != failure.AnswerLost && failure.ClassOf(err) != failure.CAUnavailable {
					t.Errorf("the first: %v", err)
				}
			}()
			h.vanish()
			done, err := h.process(renewal.Revoking(w)).Revoke(t.Context(), w)
			must(t, err)
			if !done.Already || !done.Deleted || !h.gone(name) || len(h.ca.Truth().Revoked) != 1 {
				t.Errorf("the second: %+v", done)
			}
		})
	}
}

func TestWhatCannotBeRevokedIsExplained(t *testing.T) {
	t.Parallel()
	const name = "a.example.com"
	h := newHost(t, testca.Config{})
	h.has(name, "b.example.com")
	for what, one := range map[string]struct {
		wish  renewal.Revocation
		class failure.Class
		says  string
	}{
		"no such name":   {renewal.Revocation{CertName: "none"}, failure.Config, "No certificate found with name none (expected " + filepath.Join(h.dir, "etc/renewal/none.conf") + ")."},
		"no such file":   {renewal.Revocation{CertPath: filepath.Join(h.dir, "none.pem"), Default: h.ca.DirectoryURL()}, failure.Config, "the certificate cannot be read: open " + filepath.Join(h.dir, "none.pem") + ": no such file or directory"},
		"no certificate": {renewal.Revocation{CertPath: filepath.Join(h.dir, "etc/live/README"), Default: h.ca.DirectoryURL()}, failure.Config, filepath.Join(h.dir, "etc/live/README") + " holds no certificate"},
		"another's key":  {renewal.Revocation{CertName: name, Key: h.certificateKey("b.example.com")}, failure.Config, "the private key is not that of the certificate"},
		"no account":     {renewal.Revocation{CertName: name, Server: "https://127.0.0.1:1/dir"}, failure.Account, "You should register before running non-interactively"},
	} {
		_, err := h.process(renewal.Revoking(one.wish)).Revoke(t.Context(), one.wish)
		if failure.ClassOf(err) != one.class || !strings.Contains(err.Error(), one.says) {
			t.Errorf("%s: %s %v", what, failure.ClassOf(err), err)
		}
	}
	if h.gone(name) || len(h.ca.Truth().Revoked) != 0 {
		t.Error("something was done all the same")
	}
}

// left runs certonly for a name until the CA has processed or is asked the first request of a kind,
// and ends it there.
func (h *machine) left(kind string, after bool, names ...string) {
	h.t.Helper()
	h.site(names...)
	ctx, cancel := context.WithCancel(h.t.Context())
	defer cancel()
	h.ca.Inject(testca.Fault{Kind: kind, Nth: 1, Action: testca.Hold, After: after})
	go func() {
		<-h.ca.Held()
		cancel()
		h.ca.Release()
	}()
	w := h.wish(names...)
	w.Renew = true
	if r := h.process("certonly").Obtain(ctx, w); r.Outcome == renewal.Issued {
		h.t.Fatalf("not left: %+v", r)
	}
	h.vanish()
	h.ca.ClearFaults()
}

// Whatever is open of a lineage when it is deleted: nothing of it comes back, and nothing stays
// pending.
func TestNothingOfADeletedLineageComesBack(t *testing.T) {
	t.Parallel()
	const name = "a.example.com"
	for _, at := range []struct {
		kind  string
		after bool
	}{{"new-order", true}, {"challenge", false}, {"challenge", true}, {"finalize", false}, {"finalize", true}, {"certificate", false}, {"certificate", true}} {
		t.Run(at.kind+map[bool]string{true: " processed", false: " arrived"}[at.after], func(t *testing.T) {
			t.Parallel()
			h := newHost(t, testca.Config{})
			h.has(name)
			h.left(at.kind, at.after, name)
			must(t, h.process("delete").Delete(t.Context(), name))
			if !h.gone(name) {
				t.Error("it is still there")
			}
			h.vanish()
			_, err := h.process("resume").ResumeAll(t.Context())
			must(t, err)
			if !h.gone(name) {
				t.Error("it came back")
			}
			if n := h.ca.Truth().Pending(); n != 0 {
				t.Errorf("%d authorizations stay pending", n)
			}
			if left, err := h.ledger.Orders(t.Context(), ledger.OrderFilter{Unsettled: true}); err != nil || len(left) != 0 {
				t.Errorf("orders left: %+v, %v", left, err)
			}
			h.has(name) // the name can be had again
		})
	}
}

// Who deletes a certificate and wants it again goes on with the order that was open, and a run
// killed meanwhile is continued.
func TestADeletedLineageThatIsWantedAgainIsNoLongerUnwanted(t *testing.T) {
	t.Parallel()
	const name = "a.example.com"
	h := newHost(t, testca.Config{})
	h.has(name)
	h.left("challenge", false, name)
	must(t, h.process("delete").Delete(t.Context(), name))
	h.vanish()
	h.left("finalize", false, name)
	results, err := h.process("resume").ResumeAll(t.Context())
	must(t, err)
	if outcomes(results) != name+" issued" || h.gone(name) {
		t.Errorf("resumed: %s", outcomes(results))
	}
	if n := len(h.ca.Truth().Orders); n != 2 {
		t.Errorf("%d orders were made", n)
	}
}

// An order that rests, since another took its place, is taken up again; the renewal file then names
// the account by its new key.
func TestAnOrderThatRestsFollowsItsAccountsNewKey(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example.com")
	h.left("finalize", false, "b.example.com")
	w := h.wish("b.example.com", "c.example.com")
	w.CertName = "b.example.com"
	h.site("c.example.com")
	if r := h.process("certonly").Obtain(t.Context(), w); r.Outcome != renewal.Issued {
		t.Fatalf("%+v", r)
	}
	h.vanish()
	_, err := h.process("update_account").Accounts().ChangeKey(t.Context(), h.account())
	must(t, err)
	again := h.wish("b.example.com")
	again.CertName = "b.example.com"
	if r := h.process("certonly").Obtain(t.Context(), again); r.Outcome != renewal.Issued {
		t.Fatalf("%+v", r)
	}
	h.followed("a.example.com", "b.example.com")
}

func TestAnOrderOfARevokedCertificateThatIsKeptGoesOn(t *testing.T) {
	t.Parallel()
	const name = "a.example.com"
	h := newHost(t, testca.Config{})
	h.has(name)
	h.left("finalize", false, name)
	w := renewal.Revocation{CertName: name, Keep: true}
	_, err := h.process(renewal.Revoking(w)).Revoke(t.Context(), w)
	must(t, err)
	h.vanish()
	results, err := h.process("resume").ResumeAll(t.Context())
	must(t, err)
	truth := h.ca.Truth()
	if outcomes(results) != name+" issued" || len(truth.Issued) != 2 || len(truth.Revoked) != 1 || truth.Revoked[0].Serial != truth.Issued[0].Serial {
		t.Errorf("%s: issued %v, revoked %v", outcomes(results), truth.Issued, truth.Revoked)
	}
}

func TestNamesToDeleteAreAllThereOrNothingIsDeleted(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example.com", "b.example.com")
	s := h.process("delete")
	if names, err := s.CertificateNames(t.Context(), []string{"a.example.com,b.example.com", "a.example.com"}); err != nil || strings.Join(names, " ") != "a.example.com b.example.com" {
		t.Errorf("%v, %v", names, err)
	}
	if _, err := s.CertificateNames(t.Context(), []string{"a.example.com", "none"}); err == nil || !strings.HasPrefix(err.Error(), "No certificate found with name none (expected ") {
		t.Errorf("a missing one: %v", err)
	}
}

// A certificate that is revoked stays so: asking again does no harm, and what the CA says then is
// no news to the person.
func TestALostAnswerToARevocationIsAskedForOnceMore(t *testing.T) {
	t.Parallel()
	const name = "a.example.com"
	for _, action := range []testca.Action{testca.LoseAnswer, testca.Drop} {
		h := newHost(t, testca.Config{})
		h.has(name)
		h.once("revoke", action)
		done, err := h.process("revoke").Revoke(t.Context(), renewal.Revocation{CertName: name})
		must(t, err)
		truth := h.ca.Truth()
		if done.Already || !done.Deleted || len(truth.Revoked) != 1 || truth.RequestsByKind["revoke"] != 2 {
			t.Errorf("%s: %+v, %d requests", action, done, truth.RequestsByKind["revoke"])
		}
		h.vanish()
		h.night()
	}
}
