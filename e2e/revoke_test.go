package e2e_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"orderly/testca"
)

// revoked checks that the CA has revoked exactly the certificates of these orders, counted from 0.
func (w *world) revoked(orders ...int) {
	w.t.Helper()
	truth := w.ca.Truth()
	var want, got []string
	for _, n := range orders {
		want = append(want, truth.Issued[n].Serial)
	}
	for _, r := range truth.Revoked {
		got = append(got, r.Serial)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		w.t.Errorf("revoked: %v, not %v", got, want)
	}
}

// deleted checks that nothing of a lineage is on the disk, for certbot either.
func (h *host) deleted(lineage string) {
	h.t.Helper()
	for _, path := range []string{"live/" + lineage, "archive/" + lineage, "renewal/" + lineage + ".conf"} {
		if there(filepath.Join(h.config, path)) {
			h.t.Errorf("%s is still there", path)
		}
	}
	if r := h.mustCertbot("certificates"); strings.Contains(r.stdout, lineage) {
		h.t.Errorf("certbot still finds it: %s", r)
	}
}

func TestRevokeInEveryWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPebbleDates())
	h := w.host("one")
	names := []string{"a.example.com", "b.example.com", "c.example.com", "d.example.com"}
	for i, name := range names {
		if i%2 == 0 {
			h.must(h.certonly(w.site(name), name)...)
		} else {
			h.mustCertbot(h.certbotCertonly(w.site(name), name)...)
		}
	}
	live := func(name, file string) string { return filepath.Join(h.config, "live", name, file) }
	h.must("revoke", "--cert-name", names[0], "-n").says(t, 0, "Deleted all files relating to certificate "+names[0]+".",
		"Congratulations! You have successfully revoked the certificate that was located at "+live(names[0], "cert.pem")+".")
	h.deleted(names[0])
	// The server is the lineage's, although certbot would ask for it here.
	h.must("revoke", "--cert-path", live(names[1], "fullchain.pem"), "--reason", "superseded", "-n").says(t, 0, live(names[1], "fullchain.pem"))
	h.deleted(names[1])
	h.must("revoke", "--cert-name", names[2], "--key-path", live(names[2], "privkey.pem"), "--reason", "KeyCompromise", "--no-delete-after-revoke", "-n")
	h.goodPair(names[2], names[2])
	h.must(h.onServer("revoke", "--cert-path", live(names[3], "cert.pem"), "--key-path", live(names[3], "privkey.pem"))...)
	w.revoked(0, 1, 2, 3)
	if r := w.ca.Truth().Revoked; r[1].Reason != 4 || r[2].Reason != 1 {
		t.Errorf("reasons: %+v", r)
	}
	h.must("revoke", "--cert-name", names[2], "-n").says(t, 0, "had been revoked before", "Deleted all files relating to certificate "+names[2]+".")
	h.deleted(names[2])
}

func TestEachProgramRevokesWhatTheOtherObtained(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPebbleDates())
	h := w.host("one")
	h.must(h.certonly(w.site("a.example.com"), "a.example.com")...)
	h.mustCertbot(h.certbotCertonly(w.site("b.example.com"), "b.example.com")...)
	h.mustCertbot("revoke", "--cert-name", "a.example.com", "-n").says(t, 0, "Congratulations! You have successfully revoked the certificate that was located at")
	h.must("revoke", "--cert-name", "b.example.com", "-n")
	w.revoked(0, 1)
	h.deleted("a.example.com")
	h.deleted("b.example.com")
	h.must("renew").says(t, 0, "No renewals were attempted.")
}

// A run that is killed at the CA, or behind it, is ended by the same command.
func TestAKilledRevokeIsEndedByTheNext(t *testing.T) {
	for _, after := range []bool{false, true} {
		t.Run(fmt.Sprintf("processed %t", after), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testca.Config{})
			h := w.host("one")
			h.must(h.certonly(w.site("a.example.com"), "a.example.com")...)
			h.killedAt("revoke", after, "revoke", "--cert-name", "a.example.com", "-n")
			h.must("revoke", "--cert-name", "a.example.com", "-n")
			w.revoked(0)
			h.deleted("a.example.com")
		})
	}
}

// The unfinished order of a certificate that is deleted goes with it; of one that is kept it goes on.
func TestARevokedCertificatesUnfinishedOrder(t *testing.T) {
	for _, keep := range []bool{false, true} {
		t.Run(fmt.Sprintf("kept %t", keep), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testca.Config{})
			h := w.host("one")
			name := "a.example.com"
			h.must(h.certonly(w.site(name), name)...)
			h.interrupt(point{"finalize", 1, true}, syscall.SIGKILL, "renew", "--force-renewal")
			w.ca.Release()
			command := []string{"revoke", "--cert-name", name, "-n"}
			if keep {
				h.must(append(command, "--no-delete-after-revoke")...).says(t, 0, "goes on: its certificate will be another one.")
			} else {
				h.must(command...).says(t, 0, "nothing of it comes back.")
			}
			h.must("resume")
			w.revoked(0)
			if !keep {
				h.deleted(name)
			} else if now := h.goodPair(name, name); fmt.Sprintf("%016x", now.SerialNumber) != w.ca.Truth().Issued[1].Serial {
				t.Errorf("in place: %x", now.SerialNumber)
			}
			if n := w.ca.Truth().Pending(); n != 0 {
				t.Errorf("%d authorizations stay pending", n)
			}
		})
	}
}
