package e2e_test

import (
	"database/sql"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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

// What a killed round of many left under way is finished by whoever comes next, many at once, and what it had not begun
// is left alone; the hooks of those are run, one at a time.
func TestWhatAKilledRoundLeftIsFinishedManyAtOnce(t *testing.T) {
	t.Parallel()
	for _, next := range [][]string{{"resume"}, {"pending", "drain"}} {
		t.Run(strings.Join(next, " "), func(t *testing.T) {
			t.Parallel()
			c := crowdOf(t, 20)
			j := c.journal()
			c.ca.Inject(testca.Fault{Kind: "challenge", Action: testca.Hold, After: true})
			run := c.start("renew", "--jobs", "16", "--deploy-hook", j.note("deploy"))
			c.stalled(run, 16)
			run.signal(syscall.SIGKILL)
			run.wait()
			c.ca.ClearFaults()
			c.ca.Release()
			begun, _ := c.renewed()
			c.must(append(next, "--jobs", "16", "--longest-validation", c.longest.String())...)
			c.onceEach(slices.Collect(maps.Keys(begun)))
			if n := len(j.words()); n != len(begun) || n < 16 {
				t.Errorf("%d deploy hooks ran for %d that were begun: %q", n, len(begun), j.lines())
			}
		})
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

// Lineages of two CAs, and of two accounts at one of them, are renewed together, each where it belongs.
func TestManyOfSeveralCAsAndAccounts(t *testing.T) {
	t.Parallel()
	c := crowdOf(t, 9)
	config := crowded(characters()[0])
	config.HTTPPort = c.web.port
	other := newWorld(t, config)
	c.write(filepath.Join(c.dir, "both.pem"), string(c.ca.RootPEM())+string(other.ca.RootPEM()))
	first := c.accountIDs()[0]
	ids := map[string]string{}
	other.web = c.web
	for _, h := range []*host{c.world.host("two"), other.host("three")} {
		name := filepath.Base(filepath.Dir(h.config))
		h.must(h.certonly(h.site(name+".example.com"), name+".example.com")...)
		ids[name] = h.accountIDs()[0]
		h.copyAccount(c.host)
	}
	c.setenv("SSL_CERT_FILE", filepath.Join(c.dir, "both.pem"))
	c.orders++
	for i, name := range c.names {
		if i%3 == 1 {
			c.alter(name, first, ids["two"])
		}
		if i%3 == 2 {
			c.alter(name, first, ids["three"])
			c.alter(name, c.ca.DirectoryURL(), other.ca.DirectoryURL())
		}
	}
	c.must("renew", "--jobs", "16")
	elsewhere := map[string]int{}
	for _, o := range other.ca.Truth().Orders {
		elsewhere[nameSet(o.Names)]++
	}
	orders, _ := c.renewed()
	accounts := map[string]int{}
	for _, o := range c.ca.Truth().Orders[c.orders:] {
		accounts[o.Account]++
	}
	for i, name := range c.names {
		if there := i%3 == 2; orders[name] == 0 != there || elsewhere[name] == 1 != there || orders[name]+elsewhere[name] != 1 {
			t.Errorf("%s: %d orders at its former CA, %d at the other", name, orders[name], elsewhere[name])
		}
	}
	if len(accounts) != 2 || c.ca.Truth().Pending()+other.ca.Truth().Pending() != 0 {
		t.Errorf("orders of the accounts %v", accounts)
	}
}

// The server of some lineages takes connections and says nothing: with one job they are waited for, and
// given up; with two they are in nobody's way. The others are renewed.
func TestAServerThatSaysNothingHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	for _, jobs := range []string{"1", "2"} {
		t.Run(jobs+" at once", func(t *testing.T) {
			t.Parallel()
			c := crowdOf(t, 6)
			silent, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = silent.Close() }()
			hung, well := c.names[:3], c.names[3:]
			for _, name := range hung {
				c.alter(name, c.ca.DirectoryURL(), "https://"+silent.Addr().String()+"/dir")
			}
			r := c.orderly("renew", "--jobs", jobs, "--issuance-timeout", "1")
			for _, name := range hung {
				if r.code != 1 || !strings.Contains(r.stderr, name) {
					t.Errorf("nothing is said of %s: %s", name, r)
				}
			}
			c.must("resume") // the CA's own second is not to be judged: what it was slow with is gone on with
			c.onceEach(well)
		})
	}
}

// What another run is at work on is that run's to do: a round that finds nothing else wrong ends well, and says so.
func TestALockedLineageAloneIsNoFailure(t *testing.T) {
	t.Parallel()
	c := crowdOf(t, 3)
	busy := c.names[0]
	c.ca.Inject(testca.Fault{Kind: "finalize", Name: busy, Action: testca.Hold})
	first := c.start("renew", "--cert-name", busy)
	c.held(first)
	r := c.must("renew", "--jobs", "16", "--json")
	said := decode[outcomes](c.world, r.stdout)
	if said.of(busy) != "locked" || said.Counts["locked"] != 1 || said.Counts["issued"] != 2 {
		t.Errorf("%s", r)
	}
	c.ca.ClearFaults()
	c.ca.Release()
	if r := first.wait(); r.code != 0 {
		t.Errorf("%s", r)
	}
	c.onceEach(c.names)
}

// While certbot is at work, a round of many waits for it, says so, ends when told to, and goes on when it may.
func TestARoundOfManyWaitsForCertbot(t *testing.T) {
	t.Parallel()
	c := crowdOf(t, 4)
	unlock := c.lockAsCertbot()
	orders := c.requests("new-order")
	told, waiting := c.start("renew", "--jobs", "16"), c.start("renew", "--jobs", "16")
	for _, run := range []*child{told, waiting} {
		until(t, "it says whom it waits for", func() bool { return strings.Contains(run.err.String(), "Waiting for another instance of certbot") })
	}
	told.signal(syscall.SIGTERM)
	endedInTime(t, told.wait(), syscall.SIGTERM)
	if n := c.requests("new-order") - orders; n != 0 {
		t.Errorf("%d newOrders beside certbot", n)
	}
	unlock()
	if r := waiting.wait(); r.code != 0 {
		t.Errorf("%s", r)
	}
	c.onceEach(c.names)
}

// lockAsCertbot takes certbot's lock of the configuration directory, until the returned function is called.
func (h *host) lockAsCertbot() (unlock func()) {
	h.t.Helper()
	file, err := os.OpenFile(filepath.Join(h.config, ".certbot.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := unix.FcntlFlock(file.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}); err != nil {
		h.t.Fatal(err)
	}
	return func() { _ = file.Close() } // which gives it up
}
