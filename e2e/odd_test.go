package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"orderly/testca"
)

// oddCAs behave in ways that RFC 8555 allows.
func oddCAs() []character {
	one := 1
	return []character{
		{"a CA that finalizes later", testca.Config{AsyncFinalize: true, FinalizeDelay: 300 * time.Millisecond}, false, nil},
		{"a CA that asks for patience", testca.Config{AsyncFinalize: true, ValidationDelay: 200 * time.Millisecond, PollRetryAfter: &one}, false, nil},
		{"a CA that answers 409 to a repetition", testca.Config{Reuse: true, HideProcessing: true, Boulder: true, RepeatConflict: true, ValidationDelay: 300 * time.Millisecond}, true, nil},
		{"a CA that hides what it does", testca.Config{HideProcessing: true, ValidationDelay: 200 * time.Millisecond}, false, nil},
		{"a CA that refuses every fourth nonce", testca.Config{NonceReject: 25, OrdersList: true}, true, nil},
	}
}

func TestOddCAsAreServedToo(t *testing.T) {
	for _, ca := range oddCAs() {
		for _, at := range []point{{}, {"authorization", 2, true}, {"challenge", 1, false}, {"challenge", 2, true}, {"order", 1, true}, {"finalize", 1, true}, {"certificate", 1, false}} {
			t.Run(ca.name+", killed "+at.String(), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, ca.config)
				h := w.host("one")
				names := someNames(2)
				command := h.certonly(w.site(names...), names...)
				if at.kind != "" {
					h.interrupt(at, syscall.SIGKILL, command...)
				}
				h.must(command...)
				h.kept(promise{names: names})
			})
		}
	}
}

// What people call their directories must survive both programs' reading of the renewal file.
func TestDirectoriesMayHaveOddNames(t *testing.T) {
	t.Parallel()
	for _, odd := range []string{"with blanks", "with, comma", "with # hash", "mit Ümlaut", "with 'quote", `with "quote`, "with = sign"} {
		t.Run(odd, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withPebbleDates())
			h := w.host(odd)
			name := "a.example.com"
			root := filepath.Join(w.dir, "sites", odd)
			w.write(filepath.Join(root, "index.html"), "x")
			w.web.serve(name, root)
			h.must(h.certonly(root, name)...)
			h.must("renew", "--force-renewal")
			h.readByCertbot(name, name)
			h.mustCertbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
			h.must("renew", "--force-renewal")
			h.kept(promise{names: []string{name}, certificates: 4})
		})
	}
}

func TestTheKeyTypeStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	names := someNames(1)
	h.must(append(h.certonly(w.site(names...), names...), "--key-type", "rsa")...)
	h.must("renew", "--force-renewal")
	leaf := h.goodPair(names[0], names...)
	if kind := leaf.PublicKeyAlgorithm.String(); kind != "RSA" {
		t.Errorf("the key became %s", kind)
	}
	h.must(append(h.certonly(w.site(names...), names...), "--key-type", "ecdsa", "--cert-name", names[0], "--force-renewal")...)
	if kind := h.goodPair(names[0], names...).PublicKeyAlgorithm.String(); kind != "ECDSA" {
		t.Errorf("the key stayed %s", kind)
	}
}

// A name server that says nothing must not keep a run from ending when it is told to.
func TestPreflightEndsWithTheRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	c := h.start(h.certonly(w.site("x.silent.test"), "x.silent.test")...)
	until(t, "it says what it waits for", func() bool { return strings.Contains(c.err.String(), "x.silent.test") })
	c.signal(syscall.SIGTERM)
	endedInTime(t, c.wait(), syscall.SIGTERM)
	if n := w.requests("new-order"); n != 0 {
		t.Errorf("%d newOrders were sent", n)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// A round that is stopped says so, and the next one goes on with the order it was at.
func TestAStoppedRoundGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	for _, jobs := range []string{"1", "3"} {
		t.Run(jobs+" at once", func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, characters()[2].config)
			h := w.host("one")
			w.ca.ClearFaults()
			h.lineages("a.example.com", "b.example.com", "c.example.com")
			w.ca.Advance(31 * 24 * time.Hour) // no authorization is valid any more
			r := h.interrupt(point{"challenge", 2, true}, syscall.SIGTERM, "renew", "--force-renewal", "--jobs", jobs)
			endedInTime(t, r, syscall.SIGTERM)
			if entries := h.pending(); jobs == "1" && len(entries) > 1 {
				t.Errorf("%+v", entries)
			}
			next := h.must("renew", "--jobs", jobs)
			if jobs == "1" && !strings.Contains(next.stdout, "live/b.example.com/fullchain.pem (success)") {
				t.Errorf("%s", next)
			}
			truth, orders := w.ca.Truth(), 5 // what was not begun is not due
			if jobs != "1" {
				orders = len(truth.Orders)
			}
			if orders < 5 || orders > 6 || len(truth.Orders) != orders || len(truth.Issued) != orders || truth.Pending() != 0 {
				t.Errorf("%d orders, %d certificates, %d pending", len(truth.Orders), len(truth.Issued), truth.Pending())
			}
		})
	}
}

// Many rounds at once (cron on a busy day) renew what is due once.
func TestManyRoundsAtOnceRenewOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{Profiles: map[string]testca.Lifetimes{"brief": {Certificate: 2 * time.Minute}}})
	h := w.host("one")
	for _, name := range []string{"a.example.com", "b.example.com"} {
		h.must(append(h.certonly(h.site(name), name), "--required-profile", "brief")...)
		// What is renewed is of the usual profile, so that it is not due again however slow the five are.
		h.write(h.conf(name), "renew_before_expiry = 117 seconds\n"+strings.ReplaceAll(h.read(h.conf(name)), "required_profile = brief\n", ""))
	}
	h.must("renew") // which asks when they should be renewed
	until(t, "the certificates are due", func() bool {
		for _, c := range h.dates().Certificates {
			if time.Now().Before(c.DueAt) {
				return false
			}
		}
		return true
	})
	h.atOnce([]string{"renew"}, []string{"renew"}, []string{"renew"}, []string{"renew"}, []string{"renew"})
	if n := len(w.ca.Truth().Orders); n != 4 {
		t.Errorf("%d orders were made, not 4", n)
	}
}

// A round of many is killed twice, with several under way each time: the next run goes on with all of
// them, one order each, and the deploy hooks run for each, never two at once.
func TestAKilledRoundOfManyGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{Reuse: true, Profiles: map[string]testca.Lifetimes{"brief": {Certificate: 16 * time.Second}}})
	h := w.host("one")
	busy, notes := filepath.Join(h.dir, "busy"), filepath.Join(h.dir, "notes")
	names := []string{"a.example.com", "b.example.com", "c.example.com", "d.example.com", "e.example.com", "f.example.com"}
	for _, name := range names {
		h.must(append(h.certonly(h.site(name), name), "--required-profile", "brief")...)
		// what is renewed is of the usual profile, and not due again
		h.write(h.conf(name), strings.ReplaceAll(h.read(h.conf(name)), "required_profile = brief\n", ""))
	}
	until(t, "the certificates are due", func() bool {
		for _, c := range h.dates().Certificates {
			if time.Now().Before(c.DueAt) {
				return false
			}
		}
		return true
	})
	renew := []string{"renew", "--jobs", "4", "--longest-validation", "2s", "--deploy-hook",
		fmt.Sprintf("mkdir %s || echo two >> %s; echo $RENEWED_DOMAINS >> %s; rmdir %s", busy, notes, notes, busy)}
	h.interrupt(point{"challenge", 3, true}, syscall.SIGKILL, renew...)
	h.interrupt(point{"finalize", 2, true}, syscall.SIGKILL, renew...)
	h.remove(busy) // a hook may have been killed
	h.must(renew...)
	truth := w.ca.Truth()
	if n := 2 * len(names); len(truth.Orders) != n || len(truth.Issued) != n || truth.Pending() != 0 {
		t.Errorf("%d orders, %d certificates, %d pending", len(truth.Orders), len(truth.Issued), truth.Pending())
	}
	told := h.read(notes)
	for _, name := range names {
		if !strings.Contains(told, name) {
			t.Errorf("no deploy hook ran for %s: %q", name, told)
		}
	}
	if strings.Contains(told, "two") {
		t.Errorf("two deploy hooks at once: %q", told)
	}
	if entries := h.pending(); len(entries) != 0 {
		t.Errorf("shown as pending: %+v", entries)
	}
}

// Five runs find the debt of a killed one; it is paid once.
func TestADebtIsPaidOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, characters()[2].config)
	h := w.host("one")
	j := h.journal()
	names := someNames(2)
	command := j.withHooks(h.certonly(w.site(names...), names...))
	h.interrupt(point{"challenge", 2, true}, syscall.SIGKILL, command...)
	h.atOnce(command, command, command, command, command)
	posts, deploys := 0, 0
	for _, word := range j.words() {
		switch word {
		case "post":
			posts++
		case "deploy":
			deploys++
		}
	}
	if posts != 2 || deploys != 1 {
		t.Errorf("the hooks ran as %q", j.words())
	}
	h.kept(promise{names: names})
}

// `orderly … | head`: a reader that goes away must not end a run in the middle of an order.
func TestAReaderThatGoesAwayDoesNotEndTheRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, characters()[0].config)
	h := w.host("one")
	names := someNames(2)
	read, written, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := read.Close(); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(program, slices.Concat(h.certonly(w.site(names...), names...), h.dirs())...)
	c.Env, c.Stdout, c.Stderr = h.env, written, written
	if err := c.Run(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if err := written.Close(); err != nil {
		t.Error(err)
	}
	h.kept(promise{names: names})
}
