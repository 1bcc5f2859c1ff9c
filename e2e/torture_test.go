package e2e_test

import (
	"fmt"
	"strings"
	"sync"
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
	if n := len(unfinished(truth)); n != 0 {
		h.t.Errorf("%d orders are unfinished", n)
	}
	if n := len(truth.Issued); n != 1 {
		h.t.Errorf("%d certificates were issued", n)
	}
	h.pendsNothing()
	h.nothingUnknown()
	h.goodPair(names[0], names...)
	h.tidyButForProbes()
}

// pendsNothing wants nothing pending at the CA. The ledger may count an order that nobody has seen: a kill between the intent
// of a newOrder and its first byte cannot be told from one after it.
func (h *host) pendsNothing() {
	h.t.Helper()
	if n := h.ca.Truth().Pending(); n != 0 {
		h.t.Errorf("%d authorizations are pending", n)
	}
	for _, entry := range h.pending() {
		if entry.State != "phantom" {
			h.t.Errorf("orderly pending lists %+v", entry)
		}
	}
}

// share is a part of the time that a command takes on this machine, as busy as it is.
type share struct{ of, in int }

func (s share) String() string { return fmt.Sprintf("%d of %d", s.of, s.in) }

// shares are parts of the time that a command takes, and of a little more, in so many steps.
func shares(steps int) []share {
	var all []share
	for i := 1; i <= steps+steps/10; i++ {
		all = append(all, share{i, steps})
	}
	return all
}

func (s share) times(d time.Duration) time.Duration {
	return d * time.Duration(s.of) / time.Duration(s.in)
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

// timed measures how long a command takes that nobody kills, once. Those who ask for it first wait for it.
func timed(stage func(t *testing.T) (*host, []string)) func(t *testing.T) time.Duration {
	var once sync.Once
	var took time.Duration
	return func(t *testing.T) time.Duration {
		t.Helper()
		once.Do(func() {
			h, command := stage(t)
			took = h.must(command...).took
		})
		return took
	}
}

// twoNames stages the first issuance of a certificate for two names.
func twoNames(ca character, p pace) func(t *testing.T) (*host, []string) {
	return func(t *testing.T) (*host, []string) {
		w := newWorld(t, ca.configFor(point{}, p))
		h := w.host("one").slowed(p)
		names := someNames(2)
		return h, h.certonly(w.site(names...), names...)
	}
}

// Killed after a while, whatever it is doing then; each time a little later.
func TestAKillAtAnyTime(t *testing.T) {
	t.Parallel()
	steps, characters := 20, characters()[2:]
	if whole {
		steps, characters = 170, append(characters, characters[0])
	}
	for i, ca := range characters {
		took := timed(twoNames(ca, 1))
		for _, part := range sliceOf(shares(steps)) {
			t.Run(fmt.Sprint(i, " ", ca.name, " ", part), func(t *testing.T) {
				t.Parallel()
				atSomePace(t, func(p pace) bool {
					h, command := twoNames(ca, p)(t)
					h.killAfter(part.times(took(t))*time.Duration(p), command)
					h.nothingUnknown()
					h.must(command...)
					if !h.inOrder() {
						return false
					}
					h.endures(someNames(2))
					return true
				})
			})
		}
	}
}

// The same with an end that the program is told of: it says so by its exit code, whatever it is doing then.
func TestADeadlineAtAnyTime(t *testing.T) {
	t.Parallel()
	steps := 20
	if whole {
		steps = 140
	}
	ca := characters()[2]
	took := timed(twoNames(ca, 1))
	for _, part := range shares(steps) {
		t.Run(part.String(), func(t *testing.T) {
			t.Parallel()
			atSomePace(t, func(p pace) bool {
				h, command := twoNames(ca, p)(t)
				d := max(time.Millisecond, (part.times(took(t)) * time.Duration(p)).Truncate(time.Millisecond))
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
				if !h.inOrder() {
					return false
				}
				h.endures(someNames(2))
				return true
			})
		})
	}
}

// The script's time-out kills every run, and grows a little each time: at last one run gets through.
func TestKilledUntilItIsDone(t *testing.T) {
	t.Parallel()
	for _, ca := range characters()[1:] {
		t.Run(ca.name, func(t *testing.T) {
			t.Parallel()
			atSomePace(t, func(p pace) bool {
				w := newWorld(t, ca.configFor(point{}, p))
				h := w.host("one").slowed(p)
				names := someNames(3)
				command := h.certonly(w.site(names...), names...)
				ends := 0
				for d := 20 * time.Millisecond; ends == 0; d += max(10*time.Millisecond, d/16) {
					if r := h.killAfter(d, command); r.code == 0 {
						ends++
					}
					if d > patience {
						t.Attr("hung", "certonly")
						t.Fatalf("hung: no run gets through within %s", d)
					}
				}
				h.must(command...)
				if !h.inOrder() {
					return false
				}
				h.endures(names)
				return true
			})
		})
	}
}

// renewals are killed, too: what was in place stays whole at every moment.
func TestAKilledRenewalLeavesAGoodPair(t *testing.T) {
	t.Parallel()
	steps := 11
	if whole {
		steps = 90
	}
	ca, renewal := characters()[2], []string{"renew", "--force-renewal"}
	took := timed(func(t *testing.T) (*host, []string) {
		h, command := twoNames(ca, 1)(t)
		h.must(command...)
		return h, renewal
	})
	for _, part := range sliceOf(shares(steps)) {
		t.Run(part.String(), func(t *testing.T) {
			t.Parallel()
			h, command := twoNames(ca, 1)(t)
			names := someNames(2)
			h.must(command...)
			h.killAfter(part.times(took(t)), renewal)
			h.nothingUnknown()
			h.goodPair(names[0], names...)
			h.must("resume")
			h.goodPair(names[0], names...)
			h.pendsNothing()
			h.tidyButForProbes()
		})
	}
}
