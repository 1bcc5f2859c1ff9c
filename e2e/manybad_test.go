package e2e_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"orderly/testca"
)

// What goes wrong while many certificates are worked on at once: it is one certificate's, or the next
// run goes on with all.

func TestJobsAreANumberFromOneOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	for _, command := range [][]string{{"renew"}, {"resume"}, {"pending", "drain"}} {
		for _, jobs := range []string{"0", "-1", "x", "", "1.5", "99999999999999999999"} {
			r := h.orderly(append(slices.Clone(command), "--jobs="+jobs)...)
			r.says(t, 2, "error: ", "--jobs", "remedy: ")
			if strings.Contains(r.stderr, "goroutine") || strings.Contains(r.stderr, "strconv") {
				t.Errorf("no sentence: %s", r)
			}
		}
	}
	if n := w.requests(""); n != 0 || exists(filepath.Join(h.config, "orderly")) {
		t.Errorf("%d requests were made, or there is a ledger", n)
	}
}

// once is a hook that never ends when it runs first, and notes a word each time it comes to its end. reached says that it hangs.
func (j journal) once(word string) (hook string, reached func() bool) {
	started := j.path + "-" + word
	return fmt.Sprintf("mkdir %s 2>/dev/null && sleep 3600; %s", started, j.note(word)), func() bool { return exists(started) }
}

// issued reports whether the CA has issued so many since the crowd gathered, and each stands in its place.
func (c *crowd) issued(count int) bool {
	_, certificates := c.renewed()
	in := 0
	for name := range certificates {
		if exists(filepath.Join(c.config, "archive", name, "fullchain2.pem")) {
			in++
		}
	}
	return in >= count
}

// A deploy hook that never ends: the others go on getting their certificates, and their hooks' turns come with the next run.
func TestADeployHookThatNeverEndsHoldsUpNoCertificate(t *testing.T) {
	t.Parallel()
	c := crowdOf(t, 6)
	j := c.journal()
	hook, reached := j.once("deploy")
	command := []string{"renew", "--jobs", "2", "--deploy-hook", hook}
	run := c.start(command...)
	until(t, "the hook hangs", reached)
	until(t, "all have their certificates", func() bool { return c.issued(len(c.names)) })
	j.is() // one at a time
	run.signal(syscall.SIGTERM)
	endedInTime(t, run.wait(), syscall.SIGTERM)
	c.must(command...)
	if lines := slices.Compact(slices.Sorted(slices.Values(j.lines()))); len(lines) != len(c.names) || len(j.words()) != len(c.names) {
		t.Errorf("the hooks ran as %q", j.lines())
	}
	c.onceEach(c.names)
}

// A pre-hook of the whole round that never ends: nothing is ordered, a signal ends it, and the next run renews all.
func TestAPreHookThatNeverEndsOrdersNothing(t *testing.T) {
	t.Parallel()
	c := crowdOf(t, 3)
	hook, reached := c.journal().once("pre")
	command := []string{"renew", "--jobs", "16", "--pre-hook", hook}
	run := c.start(command...)
	until(t, "the hook hangs", reached)
	run.signal(syscall.SIGTERM)
	endedInTime(t, run.wait(), syscall.SIGTERM)
	if n := len(c.ca.Truth().Orders) - c.orders; n != 0 {
		t.Errorf("%d orders were made", n)
	}
	c.must(command...)
	c.onceEach(c.names)
}

// A pre-hook of one lineage that never ends: its turn comes after all others, which are renewed.
func TestALineagesPreHookThatNeverEndsComesLast(t *testing.T) {
	t.Parallel()
	c := crowdOf(t, 4)
	j := c.journal()
	hook, reached := j.once("pre")
	first := c.names[0]
	c.alter(first, "[renewalparams]", "[renewalparams]\npre_hook = "+hook)
	run := c.start("renew", "--jobs", "16")
	until(t, "the hook hangs", reached)
	until(t, "the others have their certificates", func() bool { return c.issued(len(c.names) - 1) })
	run.signal(syscall.SIGTERM)
	endedInTime(t, run.wait(), syscall.SIGTERM)
	c.must("renew", "--jobs", "16")
	j.is("pre")
	c.onceEach(c.names)
}

// One lineage's CA hangs, at whatever step: the others are renewed beside it, with as few jobs as two.
func TestACAThatHangsForOneHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	for _, jobs := range []string{"2", "16"} {
		for _, kind := range []string{"new-order", "authorization", "challenge", "finalize", "certificate"} {
			t.Run(kind+", "+jobs+" at once", func(t *testing.T) {
				t.Parallel()
				c := crowdOf(t, 5)
				slow, renew := c.names[0], []string{"renew", "--jobs", jobs, "--longest-validation", c.longest.String()}
				c.unseen = kind == "new-order"
				c.ca.Inject(testca.Fault{Kind: kind, Name: slow, Action: testca.Hold})
				run := c.start(renew...)
				c.held(run)
				until(t, "the others have their certificates", func() bool { return c.issued(len(c.names) - 1) })
				run.signal(syscall.SIGTERM)
				endedInTime(t, run.wait(), syscall.SIGTERM)
				c.ca.ClearFaults()
				c.ca.Release()
				c.must(renew...)
				c.onceEach(c.names)
			})
		}
	}
}

// stalled wants that so many requests of a kind are held at the CA.
func (c *crowd) stalled(run *child, count int) {
	c.t.Helper()
	for range count {
		c.held(run)
	}
}

// Sixteen are under way when the run is ended, however: the next one goes on with each order, and makes
// new ones for none of them.
func TestARoundEndsWithSixteenUnderWay(t *testing.T) {
	t.Parallel()
	for _, at := range []point{{"new-order", 0, false}, {"new-order", 0, true}, {"challenge", 0, true}, {"finalize", 0, true}} {
		for _, how := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
			t.Run(fmt.Sprint(at, ", ", how), func(t *testing.T) {
				t.Parallel()
				c := crowdOf(t, 20)
				c.unseen = at.kind == "new-order" && !at.after
				c.ca.Inject(testca.Fault{Kind: at.kind, Action: testca.Hold, After: at.after})
				run := c.start("renew", "--jobs", "16")
				c.stalled(run, 16)
				run.signal(how)
				endedInTime(t, run.wait(), how)
				c.nothingUnknown()
				c.ca.ClearFaults()
				c.ca.Release()
				c.must("renew", "--jobs", "16")
				c.onceEach(c.names)
			})
		}
	}
}

// The deadline ends sixteen that are under way, within two seconds of its coming. A machine that was too
// slow to begin with sixteen before it came is given more time.
func TestADeadlineEndsSixteenUnderWay(t *testing.T) {
	t.Parallel()
	atSomePace(t, func(p pace) bool {
		c := crowdOf(t, 20)
		c.ca.Inject(testca.Fault{Kind: "challenge", Action: testca.Hold, After: true})
		deadline := 3 * time.Second * time.Duration(p)
		run := c.start("renew", "--jobs", "16", "--deadline", deadline.String())
		for range 16 {
			if _, reached := c.heldOrEnded(run); !reached {
				return false
			}
		}
		run.expect(deadline)
		endedInTime(t, run.wait(), syscall.SIGTERM)
		c.nothingUnknown()
		c.ca.ClearFaults()
		c.ca.Release()
		c.must("renew", "--jobs", "16")
		c.onceEach(c.names)
		return true
	})
}

// Two rounds of many at once on one host: one order for each, and both end well.
func TestTwoRoundsOfManyAtOnce(t *testing.T) {
	t.Parallel()
	c := crowdOf(t, 20)
	renew := []string{"renew", "--jobs", "16", "--json"}
	first, second := c.start(renew...), c.start(renew...)
	renewed := map[string]int{}
	for _, run := range []*child{first, second} {
		r := run.wait()
		if r.code != 0 {
			t.Errorf("%s", r)
		}
		said := decode[outcomes](c.world, r.stdout)
		for _, name := range c.names {
			switch got := said.of(name); got {
			case "issued":
				renewed[name]++
			case "kept":
			default:
				t.Errorf("%s is %q", name, got)
			}
		}
	}
	for _, name := range c.names {
		if renewed[name] != 1 {
			t.Errorf("%s was renewed by %d runs", name, renewed[name])
		}
	}
	c.onceEach(c.names)
}

// Another program writes the ledger for five seconds in the middle of a round: everyone waits for it, and nothing is lost.
func TestALedgerThatIsLockedHoldsUpARoundOfMany(t *testing.T) {
	t.Parallel()
	c := crowdOf(t, 10)
	c.ca.Inject(testca.Fault{Kind: "challenge", Action: testca.Hold, After: true})
	run := c.start("renew", "--jobs", "8")
	c.stalled(run, 8)
	unlock := c.lockLedger()
	c.ca.ClearFaults()
	c.ca.Release()
	until(t, "it says what it waits for", func() bool {
		return strings.Contains(run.err.String(), "Waiting for another program that writes the ledger")
	})
	time.AfterFunc(5*time.Second, unlock)
	if r := run.wait(); r.code != 0 {
		t.Errorf("%s", r)
	}
	unlock()
	c.onceEach(c.names)
}

// lockLedger takes the ledger's lock as a program that writes to it, until the returned function is called.
func (h *host) lockLedger() (unlock func()) {
	h.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(h.config, "orderly", "ledger.db")+"?_txlock=immediate")
	if err != nil {
		h.t.Fatal(err)
	}
	tx, err := db.Begin()
	if err != nil {
		h.t.Fatal(err)
	}
	return sync.OnceFunc(func() {
		_ = tx.Rollback() // nothing was written
		_ = db.Close()
	})
}
