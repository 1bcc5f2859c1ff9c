package e2e_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"orderly/testca"
)

// A round of many that is killed at moments of chance and run again. A moment is a request of the run's
// to the CA, before it is processed or after, drawn from a seed that is printed: whatever else was
// under way then was somewhere in between.

// campaign is a crowd of which some are broken, and a hook that tells when it ran.
type campaign struct {
	*crowd
	broken []string
	dice   *rand.Rand
	notes  string // what the deploy hooks wrote: a lineage each, or "overlap"
	renew  []string
}

// sores are ways to be broken that cost the CA no order, whatever it is asked for, and leave nothing
// where tokens are looked for afterwards.
func sores() []breakage {
	kinds := slices.DeleteFunc(breakages(), func(b breakage) bool { return b.name == "file" || b.name == "noserver" })
	return append(kinds, []breakage{
		{name: "elsewhere", do: func(h *host, lineage string) { h.web.serve(lineage, filepath.Join(h.dir, "nowhere")) }},
		{name: "nodns", do: func(h *host, lineage string) { h.ca.SetDead(lineage, true) }},
		{name: "refused", do: func(h *host, lineage string) { h.ca.Inject(refusal(lineage)) }},
		{name: "directory", do: func(h *host, lineage string) {
			h.remove(h.conf(lineage))
			h.write(filepath.Join(h.conf(lineage), "file"), "x")
		}},
	}...)
}

// refusal is a CA's policy against a name.
func refusal(name string) testca.Fault {
	return testca.Fault{Kind: "new-order", Name: name, Action: testca.Respond, Status: 400, Problem: "rejectedIdentifier",
		Detail: fmt.Sprintf("Cannot issue for %q: The ACME server refuses to issue a certificate for this domain name", name)}
}

// campaignOf gathers a crowd and breaks some of it. They stand among the others.
func campaignOf(t *testing.T, size, broken int, seed uint64) *campaign {
	t.Helper()
	t.Logf("seed %d", seed)
	w := newWorld(t, crowded(characters()[2]))
	h := w.host("one")
	c := &campaign{dice: rand.New(rand.NewPCG(seed, 1)), notes: filepath.Join(h.dir, "notes")}
	var healthy []string
	for i := range size - broken {
		healthy = append(healthy, fmt.Sprintf("site%03d.example.com", i))
	}
	kinds := sores()
	c.dice.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	for _, kind := range kinds[:broken] {
		c.broken = append(c.broken, kind.name+".example.com")
	}
	c.crowd = h.crowd(slices.Concat(healthy, c.broken)...)
	c.names, c.unseen = healthy, true
	for _, kind := range kinds[:broken] {
		kind.do(h, kind.name+".example.com")
	}
	c.renew = []string{"renew", "--jobs", "16", "--longest-validation", h.longest.String(), "--deploy-hook", c.hook()}
	return c
}

// hook is a deploy hook that proves that no other runs: it holds a lock for as long as it does.
func (c *campaign) hook() string {
	script := filepath.Join(c.dir, "deploy-hook")
	c.write(script, fmt.Sprintf("#!/bin/sh\nexec 9>%[1]s.lock\nflock -n 9 || echo overlap >> %[1]s\n"+
		"echo $RENEWED_LINEAGE >> %[1]s\nls -R %[2]s > /dev/null\n", c.notes, c.config))
	if err := os.Chmod(script, 0o755); err != nil {
		c.t.Fatal(err)
	}
	return script
}

// killed runs a round and kills it at a request of chance, so early that as many kills may follow as are left.
func (c *campaign) killed(kills int) {
	c.t.Helper()
	at := point{"", 1 + c.dice.IntN(max(2, c.requestsLeft()/kills)), c.dice.IntN(2) == 0}
	fault := testca.Fault{Nth: at.nth, Action: testca.Hold, After: at.after}
	c.ca.Inject(fault)
	run := c.start(c.renew...)
	held, reached := c.heldOrEnded(run)
	if !reached {
		c.t.Errorf("the round ended before its request %d: %s", at.nth, run.wait())
		return
	}
	c.t.Logf("killed %s, which was for %s", at, held.Kind)
	run.signal(syscall.SIGKILL)
	if r := run.wait(); r.signal != syscall.SIGKILL {
		c.t.Errorf("not killed: %s", r)
	}
	c.nothingUnknown()
}

// requestsLeft is how many requests a round makes at least that renews what is left: six for a lineage that nothing was
// ordered for, and two where an order may be ready.
func (c *campaign) requestsLeft() (count int) {
	orders, certificates := c.renewed()
	for _, name := range c.names {
		switch {
		case certificates[name] > 0:
		case orders[name] > 0:
			count += 2
		default:
			count += 6
		}
	}
	return count
}

// deployed checks what the deploy hooks wrote.
func (c *campaign) deployed() {
	c.t.Helper()
	told := strings.Fields(c.read(c.notes))
	if slices.Contains(told, "overlap") {
		c.t.Errorf("two deploy hooks at once: %q", told)
	}
	for _, name := range c.names {
		if !slices.Contains(told, filepath.Join(c.config, "live", name)) {
			c.t.Errorf("no deploy hook ran for %s", name)
		}
	}
	for _, name := range c.broken {
		if slices.Contains(told, filepath.Join(c.config, "live", name)) {
			c.t.Errorf("a deploy hook ran for %s, which is broken", name)
		}
	}
}

// Of many due lineages some are broken. The round is killed at moments of chance, and run again: one
// order and one certificate for each healthy one, and its deploy hook; none for the others.
func TestARoundOfManyIsKilledAtAnyTime(t *testing.T) {
	t.Parallel()
	size, broken, kills, seeds := 12, 3, 2, []uint64{2} // by which both kills come when much is under way
	if whole {
		size, broken, kills, seeds = 200, 10, 3, []uint64{0, 1, 2, 3, 4}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			if !whole {
				t.Parallel()
			}
			c := campaignOf(t, size, broken, seed)
			for i := range kills {
				c.killed(kills - i)
			}
			r := c.orderly(c.renew...)
			if r.code != 1 {
				t.Errorf("with broken ones among them it ended well: %s", r)
			}
			c.onceEach(c.names)
			c.deployed()
			orders := len(c.ca.Truth().Orders)
			c.orderly(c.renew...)
			if n := len(c.ca.Truth().Orders) - orders; n != 0 {
				t.Errorf("the next round made %d orders", n)
			}
			for _, name := range c.broken {
				if !strings.Contains(r.stdout+r.stderr, name) {
					t.Errorf("nothing is said of %s: %s", name, r)
				}
			}
		})
	}
}
