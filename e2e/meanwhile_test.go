package e2e_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
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
