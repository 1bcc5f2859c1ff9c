package renewal_test

import (
	"os"
	"path/filepath"
	"testing"

	"orderly/account"
	"orderly/certbot"
	"orderly/ledger"
	"orderly/renewal"
	"orderly/testca"
)

// An order whose CA does not answer any more makes every renew fail, until somebody gives it up
// here: what the CA may have open stays listed until it has expired, and the names can be had from
// another CA.
func TestAnOrderWhoseCAIsGoneCanBeGivenUpHere(t *testing.T) {
	t.Parallel()
	const name = "a.example.com"
	for _, kind := range []string{"new-order", "challenge", "finalize"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, testca.Config{})
			h.leave(kind, true, h.wish(name))
			h.ca.Inject(testca.Fault{Action: testca.Drop})
			o := h.newest(name)
			results := h.process("pending release").GiveUpAll(t.Context(), []*ledger.Order{o})
			if len(results) != 1 || results[0].Err != nil || renewal.Exit(results, nil) != 0 {
				t.Fatalf("%+v", results)
			}
			left, err := h.ledger.Pending(t.Context(), h.clock.Now())
			must(t, err)
			if open := len(h.ca.Truth().Orders) > 0 && h.ca.Truth().Pending() > 0; open && len(left) == 0 {
				t.Error("what is pending at the CA is not listed")
			}
			h.night()
			other := h.at(testca.Config{})
			if r := other.run(other.wish(name)); r.Outcome != renewal.Issued {
				t.Errorf("at another CA: %+v", r)
			}
		})
	}
}

// A certificate that is downloaded is put in place, and its hooks run, though its account is gone
// from this host, or was given up.
func TestADownloadedCertificateNeedsNoAccount(t *testing.T) {
	t.Parallel()
	const name = "a.example.com"
	for _, way := range []string{"gone", "given up"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, testca.Config{})
			blocked := filepath.Join(h.dir, "etc", "archive", name)
			w := h.hooked(name)
			h.site(name)
			s := h.process("certonly")
			s.Disk.Trace = func(string) { panic(errKilled) } // at the first change on disk, which is the installation
			a := h.registered()
			func() {
				defer func() { _ = recover() }()
				s.Obtain(t.Context(), w)
			}()
			h.vanish()
			if o := h.newest(name); len(o.Chain) == 0 || o.State == ledger.Installed {
				t.Fatalf("the order is %s", o.State)
			}
			if way == "gone" {
				must(t, os.RemoveAll(a.Dir))
			} else {
				must(t, os.MkdirAll(blocked, 0o755))
				must(t, os.WriteFile(filepath.Join(blocked, "somebodys.txt"), nil, 0o644))
				must(t, h.process("unregister").Accounts().Unregister(t.Context(), a))
				must(t, os.RemoveAll(blocked))
				h.vanish()
			}
			results, err := h.process("renew").ResumeAll(t.Context())
			must(t, err)
			if outcomes(results) != name+" issued" || !h.whole(name) || h.newest(name).State != ledger.Installed {
				t.Errorf("%+v", results)
			}
		})
	}
}

// registered makes an account, and returns it.
func (h *machine) registered() *certbot.Account {
	h.t.Helper()
	s := h.process("register")
	a, err := s.Accounts().RegisterNew(h.t.Context(), h.ca.DirectoryURL(), account.Registration{AgreeTOS: true, NoEmail: true})
	must(h.t, err)
	must(h.t, s.End("done", 0, ""))
	return a
}
