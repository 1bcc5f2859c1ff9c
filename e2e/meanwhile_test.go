package e2e_test

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"orderly/testca"
)

// certbot may renew a lineage while an order of ours for it is unfinished: on a CA that reuses orders it finalizes the very
// order that Orderly was about to.
func TestCertbotFinalizesTheOrderThatAKilledRunLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t, characters()[2].config)
	h := w.host("one")
	names := someNames(2)
	h.must(h.certonly(w.site(names...), names...)...)
	h.interrupt(point{"finalize", 1, false}, syscall.SIGKILL, "renew", "--force-renewal")
	h.mustCertbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
	issued := len(h.ca.Truth().Issued)
	h.must("renew") // the order is taken, which is no failure: the certificate is good and not due
	if n := len(h.ca.Truth().Issued); n != issued {
		t.Errorf("%d certificates more were issued", n-issued)
	}
	h.goodPair(names[0], names...)
	if list := h.pending(); len(list) != 0 || h.ca.Truth().Pending() != 0 {
		t.Errorf("pending: %v", list)
	}
}

// A lineage that was deleted while an order for it was unfinished does not come back.
func TestADeletedLineageStaysDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, characters()[0].config)
	h := w.host("one")
	names := someNames(2)
	h.must(h.certonly(w.site(names...), names...)...)
	h.interrupt(point{"authorization", 2, true}, syscall.SIGKILL, "renew", "--force-renewal")
	h.mustCertbot("delete", "--cert-name", names[0], "-n")
	h.must("renew")
	if _, err := os.Lstat(filepath.Join(h.config, "renewal", names[0]+".conf")); !os.IsNotExist(err) {
		t.Errorf("the lineage is there again: %v", err)
	}
	if truth := h.ca.Truth(); truth.Pending() != 0 || len(truth.Issued) != 1 {
		t.Errorf("%d authorizations are pending, %d certificates were issued", truth.Pending(), len(truth.Issued))
	}
}

// leaf is the certificate in place, whoever issued it; its key must match.
func (h *host) leaf(lineage string) *x509.Certificate {
	h.t.Helper()
	live := filepath.Join(h.config, "live", lineage)
	pair, err := tls.LoadX509KeyPair(filepath.Join(live, "fullchain.pem"), filepath.Join(live, "privkey.pem"))
	if err != nil {
		h.t.Fatal(err)
	}
	return pair.Leaf
}

// Rehearsed at one CA and killed, then done at another: the nightly renew does not put the first one's certificate over the
// second one's.
func TestAnOlderOrderNeverReplacesANewerCertificate(t *testing.T) {
	t.Parallel()
	for _, at := range []point{{"authorization", 2, true}, {"finalize", 1, true}, {"certificate", 1, true}} {
		t.Run(at.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, characters()[0].config)
			h := w.host("one")
			other, err := testca.Start(testca.Config{HTTPPort: w.web.port})
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			write(t, w.root, string(w.ca.RootPEM())+string(other.RootPEM()))
			names := someNames(2)
			command := h.certonly(w.site(names...), names...)
			h.interrupt(at, syscall.SIGKILL, command...)
			for i, word := range command {
				if word == w.ca.DirectoryURL() {
					command[i] = other.DirectoryURL()
				}
			}
			h.must(command...)
			before := h.leaf(names[0])
			h.must("renew")
			if after := h.leaf(names[0]); before.SerialNumber.Cmp(after.SerialNumber) != 0 {
				t.Errorf("the certificate of %s was replaced by one of %s", before.Issuer, after.Issuer)
			}
			if n := w.ca.Truth().Pending(); n != 0 {
				t.Errorf("%d authorizations are pending at the first CA", n)
			}
		})
	}
}

func TestCertbotRenewsBetweenTwoRuns(t *testing.T) {
	t.Parallel()
	for _, at := range []point{{"authorization", 2, true}, {"finalize", 1, false}, {"certificate", 1, true}} {
		t.Run(at.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, characters()[0].config)
			h := w.host("one")
			names := someNames(2)
			h.must(h.certonly(w.site(names...), names...)...)
			h.interrupt(at, syscall.SIGKILL, "renew", "--force-renewal")
			h.mustCertbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
			before, issued := h.goodPair(names[0], names...), len(h.ca.Truth().Issued)
			h.must("renew")
			if after := h.goodPair(names[0], names...); before.SerialNumber.Cmp(after.SerialNumber) != 0 {
				t.Errorf("certbot's certificate was replaced")
			}
			if truth := h.ca.Truth(); len(truth.Issued) != issued || truth.Pending() != 0 {
				t.Errorf("%d certificates more, %d authorizations pending", len(truth.Issued)-issued, truth.Pending())
			}
		})
	}
}

// A hook's own pipelines end as they do in any shell.
func TestHooksDoNotInheritIgnoredSignals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, characters()[0].config)
	h := w.host("one")
	names := someNames(1)
	r := h.must(append(h.certonly(w.site(names...), names...), "--deploy-hook", "(while :; do echo endless; done) | head -1")...)
	if !strings.Contains(r.stdout, "endless") {
		t.Errorf("%s", r)
	}
}
