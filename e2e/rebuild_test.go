package e2e_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"orderly/ledger"
	"orderly/testca"
)

// loseLedger removes the ledger, or puts another one, moved aside before, in its place. What was there is moved to aside.
func (h *host) loseLedger(aside, back string) {
	h.t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		path := filepath.Join(h.config, "orderly", "ledger.db"+suffix)
		for _, move := range [][2]string{{path, aside + suffix}, {back + suffix, path}} {
			if err := os.Rename(move[0], move[1]); err != nil && !os.IsNotExist(err) {
				h.t.Fatal(err)
			}
		}
	}
}

func ordersOf(truth testca.Truth, names []string) (orders int) {
	for _, o := range truth.Orders {
		if ledger.NameKey(o.Names) == ledger.NameKey(names) {
			orders++
		}
	}
	return orders
}

// The first order for some names is open, the ledger is lost, and no lineage knows of them. What the account's list shows is
// pending to `orderly pending`, too, and is taken up instead of a second order.
func TestAFirstOrderOfALostLedgerIsNotMadeTwice(t *testing.T) {
	t.Parallel()
	for _, at := range []point{{"new-order", 1, true}, {"authorization", 1, true}, {"challenge", 1, false}} {
		t.Run(at.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, characters()[1].config)
			h := w.host("one")
			names := someNames(2)
			command := h.certonly(w.site(names...), names...)
			h.interrupt(at, syscall.SIGKILL, command...)
			h.loseLedger(w.dir+"/first", "")
			h.must("ledger", "rebuild")
			if shown, truth := len(h.pending()), h.ca.Truth().Pending(); shown != truth || truth == 0 {
				t.Errorf("orderly pending lists %d of %d", shown, truth)
			}
			h.must("renew")
			h.must("resume") // it may be another server's: nothing is done with it
			if truth := h.ca.Truth(); truth.Pending() != len(h.pending()) || len(truth.Issued) != 0 {
				t.Errorf("something was done: %d pending, %d issued", truth.Pending(), len(truth.Issued))
			}
			h.must(command...)
			truth := h.ca.Truth()
			if truth.Pending() != 0 || len(h.pending()) != 0 || ordersOf(truth, names) != 1 || len(truth.Issued) != 1 {
				t.Errorf("%d pending, %d orders, %d certificates", truth.Pending(), ordersOf(truth, names), len(truth.Issued))
			}
			h.goodPair(names[0], names...)
		})
	}
}

// An order that was seen in the list is looked at again: whoever has it may have finished it.
func TestAnotherServersOrderIsNotPendingForEver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, characters()[1].config)
	h := w.host("one")
	names := someNames(2)
	command := h.certonly(w.site(names...), names...)
	h.interrupt(point{"authorization", 2, true}, syscall.SIGKILL, command...)
	h.loseLedger(w.dir+"/theirs", "")
	h.must("ledger", "rebuild")
	if n := len(h.pending()); n != 2 {
		t.Fatalf("orderly pending lists %d", n)
	}
	h.loseLedger(w.dir+"/ours", w.dir+"/theirs")
	h.must("resume")
	h.loseLedger(w.dir+"/theirs", w.dir+"/ours")
	h.must("ledger", "rebuild")
	if n := len(h.pending()); n != 0 || h.ca.Truth().Pending() != 0 {
		t.Errorf("orderly pending lists %d", n)
	}
	h.must("ledger", "check")
}

// A key beside the lost ledger, or a token in a document root of this host, says whose the order is.
func TestWhatLiesOnThisHostSaysWhoseAnOrderIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, characters()[1].config)
	h := w.host("one")
	t.Run("a key", func(t *testing.T) {
		names := someNames(2)
		h.interrupt(point{"finalize", 1, true}, syscall.SIGKILL, h.certonly(w.site(names...), names...)...)
		h.loseLedger(w.dir+"/first", "")
		h.must("ledger", "rebuild")
		h.must("resume")
		if truth := h.ca.Truth(); ordersOf(truth, names) != 1 || len(truth.Issued) != 1 {
			t.Errorf("%d orders, %d certificates", ordersOf(truth, names), len(truth.Issued))
		}
		h.goodPair(names[0], names...)
	})
	t.Run("a token", func(t *testing.T) {
		root := w.site("old.example.com", "new.example.com")
		h.must(h.certonly(root, "old.example.com")...)
		h.interrupt(point{"challenge", 1, false}, syscall.SIGKILL, h.certonly(root, "new.example.com")...)
		h.loseLedger(w.dir+"/second", "")
		h.must("ledger", "rebuild")
		h.must("resume")
		if truth := h.ca.Truth(); ordersOf(truth, []string{"new.example.com"}) != 1 || truth.Pending() != 0 {
			t.Errorf("%d orders, %d pending", ordersOf(truth, []string{"new.example.com"}), truth.Pending())
		}
		h.goodPair("new.example.com", "new.example.com")
	})
}
