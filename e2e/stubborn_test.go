package e2e_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A hook that ends the program that runs it, as restarting the panel it was called from does, must not end every run after
// it: at last the lineages that are due are renewed.
func TestAHookThatKillsItsParentDoesNotStopRenewals(t *testing.T) {
	t.Parallel()
	for _, hook := range []string{"--post-hook", "--deploy-hook"} {
		t.Run(hook, func(t *testing.T) {
			t.Parallel()
			config := characters()[0].config
			config.Lifetimes.Certificate = time.Hour
			w := newWorld(t, config)
			h := w.host("one")
			h.lineages("b.example.com")
			names := []string{"a.example.com"}
			h.orderly(append(h.certonly(w.site(names...), names...), hook, "kill -9 $PPID")...)
			w.ca.Advance(40 * time.Minute)
			before := len(h.ca.Truth().Issued)
			done := false
			for range 8 {
				done = done || h.orderly("renew", "--force-renewal", "--cert-name", "b.example.com").code == 0
				h.orderly("resume")
			}
			if n := len(h.ca.Truth().Issued); !done || n <= before {
				t.Errorf("%d certificates more were issued in eight runs", n-before)
			}
			if r := h.must("resume"); strings.Contains(r.stdout, "a.example.com") {
				t.Errorf("it is still at it: %s", r)
			}
			h.leaf("a.example.com")
		})
	}
}

// The same for a script's time-out that is shorter than the hook.
func TestAHookLongerThanTheDeadlineDoesNotStopRenewals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, characters()[0].config)
	h := w.host("one")
	log := filepath.Join(w.dir, "hooks")
	h.lineages("b.example.com")
	names := []string{"a.example.com"}
	command := append(h.certonly(w.site(names...), names...), "--post-hook", "echo begun >> "+log+"; sleep 3600")
	h.orderly(append(command, "--deadline", "2s")...)
	before := len(h.ca.Truth().Issued)
	renewed := func() bool { return len(h.ca.Truth().Issued) > before }
	// Only a machine that is slow needs the longer ones: the hook outlasts them all.
	for round, deadline := 0, 2*time.Second; round < 3 || !renewed() && deadline < 20*time.Minute; round++ {
		h.orderly("renew", "--force-renewal", "--cert-name", "b.example.com", "--deadline", deadline.String())
		h.orderly("resume", "--deadline", deadline.String())
		if round >= 2 {
			deadline *= 2
		}
	}
	if !renewed() {
		t.Error("nothing was renewed")
	}
	if n := strings.Count(h.read(log), "begun"); n > 3 {
		t.Errorf("the hook was begun %d times", n)
	}
}
