package e2e_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// The disk runs full in the middle of many renewals. Whoever had no room says so, and once there is some
// the next run goes on with all: one order each.
func TestAFullDiskInTheMiddleOfManyLosesNothing(t *testing.T) {
	t.Parallel()
	if !apart(t) {
		return
	}
	for _, at := range []point{{"new-order", 3, true}, {"challenge", 3, false}, {"finalize", 3, true}, {"certificate", 3, true}} {
		t.Run(at.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, crowded(characters()[2]))
			h := w.host("one")
			mount(t, "tmpfs", h.config, "tmpfs", 0, "size=8m")
			var names []string
			for i := range 12 {
				names = append(names, fmt.Sprintf("site%02d.example.com", i))
			}
			c := h.crowd(names...)
			c.unseen = true
			renew := []string{"renew", "--jobs", "8", "--longest-validation", h.longest.String()}
			h.hold(at.kind, at.nth, at.after)
			run := h.start(renew...)
			h.held(run)
			makeRoom := fill(t, h.config)
			w.ca.ClearFaults()
			w.ca.Release()
			h.complains(run.wait(), "no space left")
			until(t, "the CA ends its validations", func() bool { return !validating(w.ca.Truth()) })
			makeRoom()
			h.must(renew...)
			c.onceEach(names)
		})
	}
}

// Several document roots hang, more than certificates are worked on at once: the others are renewed.
func TestHangingDocumentRootsHoldUpNoneOfMany(t *testing.T) {
	t.Parallel()
	if !apart(t) {
		return
	}
	c := crowdOf(t, 9)
	hung, well := c.names[:3], c.names[3:]
	var wakes []func()
	wake := sync.OnceFunc(func() {
		for _, one := range wakes {
			one()
		}
	})
	defer wake() // also where the test ends before its time
	for _, name := range hung {
		wakes = append(wakes, hang(t, filepath.Join(c.dir, "sites", name)))
	}
	r := c.orderly("renew", "--jobs", "2")
	wake()
	for _, name := range hung {
		if r.code != 1 || !strings.Contains(r.stderr, "sites/"+name) {
			t.Errorf("nothing is said of %s: %s", name, r)
		}
	}
	c.onceEach(well)
}
