package e2e_test

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"orderly/testca"
)

// character is how a CA behaves where it matters to who lost an answer.
type character struct {
	name   string
	config testca.Config
	// finds says that an order whose newOrder was not answered can be found again.
	finds bool
}

func characters() []character {
	slow := 250 * time.Millisecond // so that there is something to poll for
	return []character{
		{"a plain CA", testca.Config{ValidationDelay: slow}, false},
		{"a CA with an orders list", testca.Config{ValidationDelay: slow, OrdersList: true}, true},
		{"a CA like Boulder", testca.Config{ValidationDelay: slow, Reuse: true, HideProcessing: true, Boulder: true, AuthzReuse: true}, true},
	}
}

// configFor lets the CA take its time where a second look at the order is to be interrupted: on a busy machine the first
// one may come late.
func (c character) configFor(at point) testca.Config {
	config := c.config
	if at.kind == "order" && at.nth > 1 {
		config.ValidationDelay = 1500 * time.Millisecond
	}
	return config
}

// points are all moments of a first issuance for so many names.
func points(names int) []point {
	var all []point
	add := func(kind string, count int) {
		for nth := 1; nth <= count; nth++ {
			all = append(all, point{kind, nth, false}, point{kind, nth, true})
		}
	}
	add("directory", 1)
	add("new-nonce", 1)
	add("new-account", 1)
	add("new-order", 1)
	add("authorization", names)
	add("challenge", names)
	add("order", 2)
	add("finalize", 1)
	add("certificate", 1)
	return all
}

func someNames(count int) []string {
	names := []string{"a.example.com"}
	for i := 1; i < count; i++ {
		names = append(names, fmt.Sprintf("www%d.a.example.com", i))
	}
	return names
}

// cell is one killed issuance.
type cell struct {
	character
	names  int
	at     point
	signal syscall.Signal
}

func (c cell) String() string {
	return fmt.Sprintf("%s, %d names, %s %s", c.name, c.names, c.signal, c.at)
}

// cells is the matrix, or the choice of it that leaves out what differs least.
func cells() []cell {
	var all []cell
	signals := []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT}
	for _, ca := range characters() {
		for _, names := range []int{1, 2} {
			for i, at := range points(names) {
				for j, signal := range signals {
					chosen := names == 2 && (signal == syscall.SIGKILL || (i+j)%4 == 0)
					if whole || chosen {
						all = append(all, cell{ca, names, at, signal})
					}
				}
			}
		}
		for _, at := range []point{{"new-order", 1, true}, {"authorization", 5, true}, {"challenge", 1, false}, {"challenge", 7, true}, {"order", 1, true}, {"finalize", 1, true}} {
			if whole || at.kind == "challenge" {
				all = append(all, cell{ca, 10, at, syscall.SIGKILL})
			}
		}
	}
	return all
}

func TestWhoeverIsKilledIsContinued(t *testing.T) {
	for _, c := range cells() {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			c.run(t)
		})
	}
}

func (c cell) run(t *testing.T) {
	w := newWorld(t, c.configFor(c.at))
	h := w.host("one")
	names := someNames(c.names)
	command := h.certonly(w.site(names...), names...)
	first := h.interrupt(c.at, c.signal, command...)
	endedInTime(t, first, c.signal)
	before := w.requests("")
	h.must(command...)
	looksBeforeItActs(t, w.ca.Truth().Requests[before:])
	kept := promise{names: names}
	if c.at.kind == "new-order" && !c.finds {
		kept.phantom = mayPhantom
		if c.at.after {
			kept.phantom = isPhantom
		}
	}
	h.kept(kept)
}

// looksBeforeItActs checks that a run that takes an order over asks for it before it sends anything about it (rule 1).
func looksBeforeItActs(t *testing.T, requests []testca.Request) {
	t.Helper()
	for _, r := range requests {
		switch r.Kind {
		case "new-order", "order":
			return
		case "challenge", "finalize":
			t.Errorf("a %s was sent for an order that had not been looked at", r.Kind)
			return
		}
	}
}

// endedInTime checks how an interrupted program ended: at once when killed, otherwise within two seconds and saying so.
func endedInTime(t *testing.T, r result, signal syscall.Signal) {
	t.Helper()
	if signal == syscall.SIGKILL {
		if r.signal != signal {
			t.Fatalf("not killed: %s", r)
		}
		return
	}
	if r.code != 75 || r.reaction > 2*time.Second+slack {
		t.Errorf("after %s: exit %d in %s, not 75 in 2 s\n%s", signal, r.code, r.reaction, r)
	}
}

// slack is what a machine busy with eight of these tests may add to a time. The two seconds themselves are tested alone.
const slack = 2 * time.Second

func TestTheMatrixHasEveryMomentOfAnIssuance(t *testing.T) {
	t.Parallel()
	w := newWorld(t, characters()[0].config)
	h := w.host("one")
	names := someNames(2)
	h.must(h.certonly(w.site(names...), names...)...)
	var kinds []string
	for _, p := range points(2) {
		kinds = append(kinds, p.kind)
	}
	for kind, n := range w.ca.Truth().RequestsByKind {
		if !slices.Contains(kinds, kind) {
			t.Errorf("%d requests of the kind %s are never interrupted", n, kind)
		}
	}
}
