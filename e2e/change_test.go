package e2e_test

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"orderly/testca"
)

// moments are where a run is killed before something about it changes.
func moments() []point {
	return []point{{"new-order", 1, false}, {"new-order", 1, true}, {"authorization", 1, true}, {"challenge", 1, false}, {"challenge", 2, true}, {"order", 2, true}, {"finalize", 1, false}, {"finalize", 1, true}, {"certificate", 1, true}}
}

// changed kills a run for the names before and wants the next one, for the names after, to leave nothing open.
func changed(t *testing.T, ca character, at point, before, after []string) {
	w := newWorld(t, ca.configFor(at, 1))
	h := w.host("one")
	all := slices.Compact(sorted(slices.Concat(before, after)))
	root := w.site(all...)
	h.interrupt(at, syscall.SIGKILL, h.certonly(root, before...)...)
	h.must(h.certonly(root, after...)...)
	h.goodPair("a.example.com", after...)
	truth := w.ca.Truth()
	if n := truth.Pending(); n != 0 {
		t.Errorf("%d authorizations are pending", n)
	}
	if n := truth.ValidatedTwice(); n != 0 {
		t.Errorf("%d authorizations were validated twice", n)
	}
	if entries := h.pending(); len(entries) != 0 {
		t.Errorf("orderly pending lists %+v", entries)
	}
	h.tidy()
}

// One more name is part of the fault matrix.
func TestNamesMayBecomeFewerAfterAKill(t *testing.T) {
	for _, ca := range characters()[1:] {
		for _, at := range moments() {
			t.Run(ca.name+", killed "+at.String(), func(t *testing.T) {
				t.Parallel()
				changed(t, ca, at, someNames(2), someNames(1))
			})
		}
	}
}

// The customer's document root moves between the killed run and the next one.
func TestTheWebrootMayMoveAfterAKill(t *testing.T) {
	ca := characters()[2]
	ca.config.ValidationDelay = 0
	for _, at := range moments() {
		if at.kind == "order" {
			at.nth = 1 // a CA that validates at once needs no second look
		}
		t.Run("killed "+at.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, ca.config)
			h := w.host("one")
			names := someNames(2)
			h.interrupt(at, syscall.SIGKILL, h.certonly(w.site(names...), names...)...)
			until(t, "the CA ends its validations", func() bool { return !validating(w.ca.Truth()) })
			elsewhere := w.site("elsewhere")
			for _, name := range names {
				w.web.serve(name, elsewhere)
			}
			h.must(h.certonly(elsewhere, names...)...)
			h.kept(promise{names: names})
		})
	}
}

// validating reports whether the CA is fetching tokens.
func validating(truth testca.Truth) bool {
	for _, o := range truth.Orders {
		for _, a := range o.Authorizations {
			if a.ChallengeStatus == "processing" {
				return true
			}
		}
	}
	return false
}

// The document root is gone, together with the tokens in it, when the next run comes; it must not be made again.
func TestAVanishedWebrootLeavesTheOrderToBeContinued(t *testing.T) {
	t.Parallel()
	w := newWorld(t, characters()[2].config)
	h := w.host("one")
	names := someNames(2)
	root := w.site(names...)
	command := h.certonly(root, names...)
	h.interrupt(point{"authorization", 2, true}, syscall.SIGKILL, command...)
	if err := os.Rename(root, root+".moved"); err != nil {
		t.Fatal(err)
	}
	r := h.orderly("resume")
	if r.code != 1 {
		t.Errorf("resume: %s", r)
	}
	if _, err := os.Stat(root); err == nil {
		t.Error("the document root was made again")
	}
	if entries := h.pending(); len(entries) != 2 {
		t.Errorf("orderly pending lists %+v, not two authorizations", entries)
	}
	if err := os.Rename(root+".moved", root); err != nil {
		t.Fatal(err)
	}
	h.must("resume")
	h.kept(promise{names: names})
}

// Whatever command comes next goes on with what was left.
func TestOtherCommandsContinueToo(t *testing.T) {
	for _, command := range []string{"resume", "renew"} {
		for _, at := range moments() {
			t.Run(command+", killed "+at.String(), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, characters()[1].configFor(at, 1))
				h := w.host("one")
				names := someNames(2)
				h.interrupt(at, syscall.SIGKILL, h.certonly(w.site(names...), names...)...)
				h.must(command, "--longest-validation", "2s")
				if at == (point{"new-order", 1, false}) {
					noOrder(h) // nothing was ordered, so nothing is to be continued
					return
				}
				h.kept(promise{names: names})
			})
		}
	}
}

func noOrder(h *host) {
	h.t.Helper()
	if entries := h.pending(); len(entries) != 0 {
		h.t.Errorf("orderly pending lists %+v", entries)
	}
	if n := h.ca.Truth().Pending(); n != 0 {
		h.t.Errorf("%d authorizations are pending", n)
	}
}

// An order that expired while nobody looked is made anew; the CA's clock says so, not ours.
func TestAnExpiredOrderIsMadeAnew(t *testing.T) {
	t.Parallel()
	for _, at := range []point{{"authorization", 1, true}, {"challenge", 1, false}, {"finalize", 1, false}} {
		t.Run("killed "+at.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, characters()[2].config)
			h := w.host("one")
			names := someNames(2)
			command := h.certonly(w.site(names...), names...)
			h.interrupt(at, syscall.SIGKILL, command...)
			w.ca.Advance(8 * 24 * time.Hour)
			h.must(command...)
			h.kept(promise{names: names})
		})
	}
}

// keyFile is the one key in the directory where keys wait for their certificates.
func (h *host) keyFile() string {
	h.t.Helper()
	found, err := filepath.Glob(filepath.Join(h.config, "orderly", "keys", "*.key"))
	if err != nil || len(found) != 1 {
		h.t.Fatalf("the keys are %v (%v), not one", found, err)
	}
	info, err := os.Stat(found[0])
	if err != nil || info.Mode().Perm() != 0o600 {
		h.t.Errorf("the key has the mode %v (%v)", info, err)
	}
	return found[0]
}

// A key that is lost before finalize is made anew; one that is lost after it makes the certificate worthless (rule 7).
func TestALostKeyCostsNoMoreThanItMust(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		at           point
		certificates int
	}{{point{"finalize", 1, false}, 1}, {point{"finalize", 1, true}, 2}, {point{"certificate", 1, false}, 2}} {
		for _, damage := range []string{"gone", "damaged"} {
			t.Run("killed "+c.at.String()+", key "+damage, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, characters()[2].config)
				h := w.host("one")
				names := someNames(2)
				command := h.certonly(w.site(names...), names...)
				h.interrupt(c.at, syscall.SIGKILL, command...)
				if damage == "gone" {
					if err := os.Remove(h.keyFile()); err != nil {
						t.Fatal(err)
					}
				} else if err := os.WriteFile(h.keyFile(), []byte("no key"), 0o600); err != nil {
					t.Fatal(err)
				}
				h.must(command...)
				h.kept(promise{names: names, certificates: c.certificates})
			})
		}
	}
}

// Killed again and again, each time one request further, the same order comes to its end.
func TestAnOrderSurvivesAKillAtEveryRequestInTurn(t *testing.T) {
	t.Parallel()
	for _, ca := range characters()[1:] {
		t.Run(ca.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, ca.config)
			h := w.host("one")
			names := someNames(2)
			command := h.certonly(w.site(names...), names...)
			for _, kind := range []string{"new-order", "authorization", "challenge", "order", "finalize", "certificate"} {
				r := h.interrupt(point{kind, 1, true}, syscall.SIGKILL, command...)
				if r.signal != syscall.SIGKILL {
					t.Fatalf("at %s: %s", kind, r)
				}
			}
			h.must(command...)
			h.kept(promise{names: names})
			if n := len(w.ca.Truth().Orders); n != 1 {
				t.Errorf("%d orders were made, not 1", n)
			}
		})
	}
}

// An order that a changed name set superseded rests, ready, and is taken up when its names are wanted again.
func TestASupersededOrderIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	for _, ca := range characters() {
		t.Run(ca.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, ca.config)
			h := w.host("one")
			two, three := someNames(2), someNames(3)
			root := w.site(three...)
			h.interrupt(point{"authorization", 2, true}, syscall.SIGKILL, h.certonly(root, two...)...)
			h.must(h.certonly(root, three...)...)
			noOrder(h)
			h.must(append(h.certonly(root, two...), "--cert-name", two[0])...)
			h.goodPair(two[0], two...)
			noOrder(h)
			if truth := w.ca.Truth(); len(truth.Orders) != 2 || len(truth.Issued) != 2 || truth.ValidatedTwice() != 0 {
				t.Errorf("%d orders, %d certificates, %d validated twice", len(truth.Orders), len(truth.Issued), truth.ValidatedTwice())
			}
			h.tidy()
		})
	}
}
