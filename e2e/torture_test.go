package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// endures checks what must be true after any number of kills at any instants: orders that nobody can find are allowed
// only where newOrder was under way at a kill, which a CA that finds them again excludes.
func (h *host) endures(names []string) {
	h.t.Helper()
	truth := h.ca.Truth()
	if n := truth.ValidatedTwice(); n > 0 {
		h.t.Errorf("%d authorizations were validated more than once", n)
	}
	if n := len(unfinished(truth)); n != 0 || truth.Pending() != 0 {
		h.t.Errorf("%d orders are unfinished, %d authorizations pending", n, truth.Pending())
	}
	if n := len(truth.Issued); n != 1 {
		h.t.Errorf("%d certificates were issued", n)
	}
	for _, entry := range h.pending() {
		if entry.State != "phantom" {
			h.t.Errorf("orderly pending lists %+v", entry)
		}
	}
	h.goodPair(names[0], names...)
	h.tidyButForProbes()
}

// killAfter starts the command and kills it so long after.
func (h *host) killAfter(d time.Duration, command []string) result {
	h.t.Helper()
	c := h.start(command...)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return c.kill()
	case <-c.done:
	}
	return c.wait()
}

// Killed after a while, whatever it is doing then; each time a little later.
func TestAKillAtAnyTime(t *testing.T) {
	step, characters := 25*time.Millisecond, characters()[2:]
	if whole {
		step, characters = 3*time.Millisecond, append(characters, characters[0])
	}
	for i, ca := range characters {
		for d := step; d < 550*time.Millisecond; d += step {
			t.Run(fmt.Sprint(i, " ", ca.name, " ", d), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, ca.config)
				h := w.host("one")
				names := someNames(2)
				command := h.certonly(w.site(names...), names...)
				h.killAfter(d, command)
				h.must(command...)
				h.endures(names)
			})
		}
	}
}

// The same with an end that the program is told of: it says so by its exit code, whatever it is doing then.
func TestADeadlineAtAnyTime(t *testing.T) {
	step := 20 * time.Millisecond
	if whole {
		step = 3 * time.Millisecond
	}
	for d := time.Millisecond; d < 450*time.Millisecond; d += step {
		t.Run(d.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, characters()[2].config)
			h := w.host("one")
			names := someNames(2)
			command := h.certonly(w.site(names...), names...)
			for range 3 {
				r := h.orderly(append(command, "--deadline", d.String())...)
				if r.code != 75 && r.code != 0 {
					t.Errorf("%s", r)
				}
				if r.code == 75 && (!strings.Contains(r.stderr, "the deadline of "+d.String()+" has come") || !strings.Contains(r.stderr, "remedy: ")) {
					t.Errorf("the end is not explained: %s", r)
				}
			}
			h.must(command...)
			h.endures(names)
		})
	}
}

// The script's time-out kills every run, and grows a little each time: at last one run gets through.
func TestKilledUntilItIsDone(t *testing.T) {
	t.Parallel()
	for _, ca := range characters()[1:] {
		t.Run(ca.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, ca.config)
			h := w.host("one")
			names := someNames(3)
			command := h.certonly(w.site(names...), names...)
			ends := 0
			for d := 20 * time.Millisecond; ends == 0; d += 10 * time.Millisecond {
				if r := h.killAfter(d, command); r.code == 0 {
					ends++
				}
				if d > 10*time.Second {
					t.Fatal("no run gets through")
				}
			}
			h.must(command...)
			h.endures(names)
		})
	}
}

// renewals are killed, too: what was in place stays whole at every moment.
func TestAKilledRenewalLeavesAGoodPair(t *testing.T) {
	step := 40 * time.Millisecond
	if whole {
		step = 5 * time.Millisecond
	}
	for d := step; d < 500*time.Millisecond; d += step {
		t.Run(d.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, characters()[2].config)
			h := w.host("one")
			names := someNames(2)
			h.must(h.certonly(w.site(names...), names...)...)
			h.killAfter(d, []string{"renew", "--force-renewal"})
			h.goodPair(names[0], names...)
			h.must("resume")
			h.goodPair(names[0], names...)
			noOrder(h)
			h.tidyButForProbes()
		})
	}
}
