package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"orderly/testca"
)

// accountIDs are the names of the account directories for the CA.
func (h *host) accountIDs() []string {
	h.t.Helper()
	entries, err := os.ReadDir(filepath.Join(h.config, "accounts", strings.TrimPrefix(h.ca.DirectoryURL(), "https://")))
	if err != nil && !os.IsNotExist(err) {
		h.t.Fatal(err)
	}
	var ids []string
	for _, e := range entries {
		ids = append(ids, e.Name())
	}
	return ids
}

// onServer puts the CA's URL behind a command.
func (h *host) onServer(args ...string) []string {
	return append(args, "-n", "--server", h.ca.DirectoryURL())
}

// account is the only account at the CA.
func (w *world) account() testca.TruthAccount {
	w.t.Helper()
	accounts := w.ca.Truth().Accounts
	if len(accounts) != 1 {
		w.t.Fatalf("the CA has the accounts %+v", accounts)
	}
	return accounts[0]
}

// says wants a text on one of a program's outputs.
func (r result) says(t *testing.T, code int, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if r.code != code || !strings.Contains(r.stdout+r.stderr, text) {
			t.Errorf("not %d and %q: %s", code, text, r)
		}
	}
}

func TestAnAccountOfCertbotsIsManagedAndGivenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	h.mustCertbot(h.onServer("register", "--agree-tos", "-m", "a@example.com", "--no-eff-email")...)
	h.orderly(h.onServer("register", "--agree-tos", "-m", "b@example.com")...).says(t, 1,
		"There is an existing account; registration of a duplicate account with this command is currently unsupported.")
	theirs := w.account()
	h.must(h.onServer("show_account")...).says(t, 0, "Account details for server "+w.ca.DirectoryURL()+":\n  Account URL: "+theirs.URL+"\n",
		"  Account Thumbprint: "+theirs.Thumbprint+"\n", "  Email contact: a@example.com\n")
	h.must(h.onServer("update_account", "-m", "b@example.com,c@example.com", "--no-eff-email")...).says(t, 0, "Your e-mail address was updated to b@example.com,c@example.com.")
	h.mustCertbot(h.onServer("show_account")...).says(t, 0, "  Email contacts: b@example.com, c@example.com\n")
	h.must(h.onServer("update_account", "--register-unsafely-without-email")...).says(t, 0, "Any contact information associated with this account has been removed.")
	h.must(h.onServer("show_account")...).says(t, 0, "  Email contact: none\n")
	h.must(h.onServer("unregister")...).says(t, 0, "Account deactivated.")
	if a := w.account(); a.Status != "deactivated" || len(h.accountIDs()) != 0 {
		t.Errorf("left: %+v, %v", a, h.accountIDs())
	}
	h.certbot(h.onServer("show_account")...).says(t, 1, "Could not find an existing account for server "+w.ca.DirectoryURL()+".")
	h.orderly(h.onServer("unregister")...).says(t, 1, "Could not find existing account for server "+w.ca.DirectoryURL()+".")
}

func TestAnAccountOfOrderlysIsManagedAndGivenUpByCertbot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	h.must(h.onServer("register", "--agree-tos", "-m", "a@example.com")...).says(t, 0, "Account registered.")
	h.certbot(h.onServer("register", "--agree-tos", "-m", "b@example.com")...).says(t, 1, "There is an existing account")
	h.mustCertbot(h.onServer("update_account", "-m", "b@example.com", "--no-eff-email")...)
	h.must(h.onServer("show_account")...).says(t, 0, "  Email contact: b@example.com\n")
	h.mustCertbot(h.onServer("unregister")...).says(t, 0, "Account deactivated.")
	h.orderly(h.onServer("show_account")...).says(t, 1, "Could not find an existing account for server "+w.ca.DirectoryURL()+".")
}

// killedAt runs a command until the CA has a request, kills it there, and lets the CA go on.
func (h *host) killedAt(kind string, after bool, args ...string) {
	h.t.Helper()
	r := h.interrupt(point{kind, 1, after}, syscall.SIGKILL, args...)
	if r.signal != syscall.SIGKILL {
		h.t.Fatalf("not killed: %s", r)
	}
	h.ca.Release()
}

// Wherever a run about an account is killed, the same command ends it, and certbot sees one account or none.
func TestAKilledAccountCommandIsEndedByTheNext(t *testing.T) {
	for _, after := range []bool{false, true} {
		for _, one := range []struct {
			kind    string
			command []string
			left    int
			status  string
		}{
			{"new-account", []string{"register", "--agree-tos", "-m", "a@example.com"}, 1, "valid"},
			{"update-account", []string{"update_account", "-m", "b@example.com"}, 1, "valid"},
			{"key-change", []string{"update_account", "--change-account-key"}, 1, "valid"},
			{"deactivate-account", []string{"unregister"}, 0, "deactivated"},
		} {
			t.Run(fmt.Sprintf("%s, processed %t", one.kind, after), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, testca.Config{})
				h := w.host("one")
				if one.kind != "new-account" {
					h.must(h.onServer("register", "--agree-tos", "-m", "a@example.com")...)
				}
				h.killedAt(one.kind, after, h.onServer(one.command...)...)
				h.must(h.onServer(one.command...)...)
				if a := w.account(); a.Status != one.status || len(h.accountIDs()) != one.left {
					t.Errorf("%+v, %v", a, h.accountIDs())
				}
				if one.left > 0 {
					h.must(h.onServer("show_account")...).says(t, 0, w.account().Thumbprint)
					h.mustCertbot(h.onServer("show_account")...).says(t, 0, w.account().URL)
				}
			})
		}
	}
}

// Whatever run comes after a killed change of key, it works, and so does certbot after it; the provider's script need not
// know.
func TestACertificateIsRenewedAfterAKilledChangeOfKey(t *testing.T) {
	for _, after := range []bool{false, true} {
		t.Run(fmt.Sprintf("processed %t", after), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withPebbleDates())
			h := w.host("one")
			names := someNames(2)
			h.must(h.certonly(w.site(names...), names...)...)
			id := h.accountIDs()[0]
			h.killedAt("key-change", after, h.onServer("update_account", "--change-account-key")...)
			h.must("renew", "--force-renewal")
			h.mustCertbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
			if h.accountIDs()[0] == id {
				t.Error("the next run did not finish the change")
			}
			h.kept(promise{names: names, certificates: 3})
		})
	}
}

// A run at work has the account's key in its memory: its change waits until that run has ended.
func TestAChangeOfKeyWaitsForRunsAtWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	names := someNames(1)
	h.must(h.certonly(w.site(names...), names...)...)
	h.hold("finalize", 1, false)
	renew := h.start("renew", "--force-renewal")
	h.held(renew)
	timed := h.orderly(h.onServer("update_account", "--change-account-key", "--deadline", "300ms")...)
	if timed.code != 75 {
		t.Errorf("beside a run: %s", timed)
	}
	if n := w.requests("key-change"); n != 0 {
		t.Errorf("%d changes of key were sent", n)
	}
	w.ca.ClearFaults()
	w.ca.Release()
	if r := renew.wait(); r.code != 0 {
		t.Errorf("renew: %s", r)
	}
	h.must(h.onServer("update_account", "--change-account-key")...)
	h.must("renew", "--force-renewal")
	h.kept(promise{names: names, certificates: 3})
}

// What is open of an account's orders is finished before the account is given up.
func TestUnregisterFinishesWhatTheAccountBegan(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	names := someNames(2)
	h.interrupt(point{"challenge", 1, false}, syscall.SIGKILL, h.certonly(w.site(names...), names...)...)
	w.ca.Release()
	r := h.must(h.onServer("unregister", "--longest-validation", "2s")...)
	r.says(t, 0, "Account deactivated.", "the renewal files of "+names[0]+" name this account")
	h.goodPair(names[0], names...)
	if n := w.ca.Truth().Pending(); n != 0 {
		t.Errorf("%d authorizations stay pending", n)
	}
	if left := h.pending(); len(left) != 0 {
		t.Errorf("pending: %+v", left)
	}
}
