package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"orderly/ledger"
	"orderly/ledger/sqlite"
	"orderly/lock"
	"orderly/testca"
)

// mishap is what befalls one request of the first run. With a signal, the request is held at the CA until the run is dead.
type mishap struct {
	name   string
	fault  testca.Fault
	signal syscall.Signal
}

// mishaps is every kind of fault the test CA knows, but for the order that the CA breaks, which is a test of its own.
func mishaps() []mishap {
	respond := func(status int, problem, retryAfter string) testca.Fault {
		return testca.Fault{Action: testca.Respond, Status: status, Problem: problem, RetryAfter: retryAfter}
	}
	all := []mishap{
		{"500", respond(500, "serverInternal", ""), 0},
		{"500 in HTML", respond(500, "", ""), 0},
		{"502 in HTML", respond(502, "", ""), 0},
		{"503", respond(503, "rateLimited", ""), 0},
		{"503 with Retry-After", respond(503, "rateLimited", "1"), 0},
		{"503 in HTML", respond(503, "", "1"), 0},
		{"429, in a second", respond(429, "rateLimited", "1"), 0},
		{"429, in an hour", respond(429, "rateLimited", "3600"), 0},
		{"429 in HTML", respond(429, "", ""), 0},
		{"badNonce", testca.Fault{Action: testca.BadNonce}, 0},
		{"dropped", testca.Fault{Action: testca.Drop}, 0},
		{"answer lost", testca.Fault{Action: testca.LoseAnswer}, 0},
	}
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT} {
		name := map[syscall.Signal]string{syscall.SIGKILL: "SIGKILL", syscall.SIGTERM: "SIGTERM", syscall.SIGINT: "SIGINT"}[signal]
		all = append(all, mishap{name + " before", testca.Fault{Action: testca.Hold}, signal},
			mishap{name + " after", testca.Fault{Action: testca.Hold, After: true}, signal})
	}
	return all
}

// processed reports whether the CA does what the request asks for, and nobody hears of it.
func (m mishap) processed() bool { return m.fault.Action == testca.LoseAnswer || m.fault.After }

// uncertain reports whether a client cannot tell that the request came to nothing.
func (m mishap) uncertain() bool {
	return m.fault.Action == testca.Drop || m.fault.Action == testca.Hold || m.fault.Status == 500 || m.fault.Status == 502
}

// requestKinds are the kinds of request of a first issuance in their order. The last two are sent only when an answer to
// newOrder was lost, and so is a second new-order.
func requestKinds() []string {
	return []string{"directory", "new-nonce", "new-account", "new-order", "authorization", "challenge", "order", "finalize",
		"certificate", "account", "orders"}
}

// howMany requests of a kind an issuance has at a CA of that character; 0: it has none.
func (c character) howMany(kind string, names int) int {
	if c.odd != nil {
		if n, other := c.odd.requests[kind]; other {
			return n
		}
	}
	switch kind {
	case "authorization", "challenge":
		return names
	case "order":
		return 2
	case "new-order":
		if !c.config.OrdersList || !c.finds {
			return 2 // where there is a list that can be read, the lost one is found in it
		}
	case "orders":
		if !c.config.OrdersList {
			return 0
		}
	}
	return 1
}

// What may happen between the run that meets the fault and the one that does not.
const (
	betweenNothing = "nothing"
	betweenMore    = "one more name" // and the later run wants it in the same certificate
	betweenCertbot = "certbot"       // it obtains a certificate for the same names, with the same account
)

// cell is one issuance that meets one mishap, and the run after it.
type cell struct {
	character
	mishap
	kind    string
	nth     int
	names   int
	between string
}

func (c cell) String() string {
	text := fmt.Sprintf("%s, %d names, %s %d, %s", c.character.name, c.names, c.kind, c.nth, c.mishap.name)
	if c.between != betweenNothing {
		text += ", then " + c.between
	}
	return text
}

// lost says that the answer to the first newOrder is lost, so that the request is sent at all.
func (c cell) lost() bool {
	return c.kind == "account" || c.kind == "orders" || c.kind == "new-order" && c.nth == 2
}

// exists: what is not signed meets no bad nonce.
func (c cell) exists() bool {
	unsigned := c.kind == "directory" || c.kind == "new-nonce"
	return c.nth <= c.howMany(c.kind, c.names) && !(unsigned && c.fault.Action == testca.BadNonce)
}

// wholeMatrix is every request × every mishap × every character × 1, 2 and 10 names; with one more name on the second run
// where the first one leaves something behind, and all of that for two names; and with certbot in between after a kill at
// each kind of request.
func wholeMatrix() []cell {
	var all []cell
	for _, ca := range everyCharacter() {
		for _, m := range mishaps() {
			for _, kind := range requestKinds() {
				for _, names := range []int{1, 2, 10} {
					for nth := 1; nth <= ca.howMany(kind, names); nth++ {
						c := cell{ca, m, kind, nth, names, betweenNothing}
						all = append(all, c)
						c.between = betweenMore
						if names == 2 || m.signal == syscall.SIGKILL || names == 1 && m.uncertain() {
							all = append(all, c)
						}
						c.between = betweenCertbot
						if names == 2 && nth == min(2, ca.howMany(kind, 2)) && m.signal == syscall.SIGKILL && !c.lost() {
							all = append(all, c)
						}
					}
				}
			}
		}
	}
	return slices.DeleteFunc(all, func(c cell) bool { return !c.exists() })
}

// chosenCells is a choice of the matrix that has every pair of a kind of request and a mishap, of a mishap and a character, and
// of a kind of request and a character.
func chosenCells() []cell {
	var all []cell
	cas, sizes := everyCharacter(), []int{2, 1, 10}
	for k, kind := range requestKinds() {
		for f, m := range mishaps() {
			ca, names := cas[(k+f)%len(cas)], sizes[(k+f/len(cas))%len(sizes)]
			nth := 1 + f%max(1, ca.howMany(kind, names))
			all = append(all, cell{ca, m, kind, nth, names, betweenNothing})
			if f%len(requestKinds()) == k {
				all = append(all, cell{cas[(k+f+1)%len(cas)], m, kind, 1, 2, betweenMore})
			}
			if m.signal == syscall.SIGKILL && k < len(cas) && m.fault.After {
				all = append(all, cell{cas[k], m, requestKinds()[k+3], 1, 2, betweenCertbot})
			}
		}
	}
	return slices.DeleteFunc(all, func(c cell) bool { return !c.exists() })
}

func TestTheFaultMatrix(t *testing.T) {
	t.Parallel() // so that the cells of all tests are known before the first one is run
	cells := chosenCells()
	if whole {
		cells = wholeMatrix()
	}
	for _, c := range sliceOf(cells) {
		c.runIn(t)
	}
}

// runIn makes the cell a sub-test.
func (c cell) runIn(t *testing.T) {
	t.Run(c.String(), func(t *testing.T) {
		for key, value := range map[string]string{"request": c.kind, "nth": strconv.Itoa(c.nth), "names": strconv.Itoa(c.names),
			"fault": c.mishap.name, "ca": c.character.name, "between": c.between} {
			t.Attr(key, value)
		}
		t.Parallel()
		atSomePace(t, func(p pace) bool { return c.run(t, p) })
	})
}

// run plays the cell, and reports whether times were in order.
func (c cell) run(t *testing.T, p pace) bool {
	w := newWorld(t, c.configFor(point{kind: c.kind, nth: c.nth}, p))
	h := w.host("one").slowed(p)
	before, after := someNames(c.names), someNames(c.names)
	if c.between == betweenMore {
		after = someNames(c.names + 1)
	}
	root := w.site(after...)
	if !c.strike(h, h.certonly(root, before...)) {
		return false
	}
	h.nothingHalf(before[0])
	h.nothingUnknown()
	if c.fault.Status == 429 {
		h.later(2 * time.Hour)
	}
	if c.odd != nil && c.odd.spoils {
		h.rested(before[0])
	}
	if c.between == betweenCertbot {
		c.certbotComes(h, root, after)
	}
	requests := w.requests("")
	command := append(h.certonly(root, after...), "--expand")
	again := h.orderly(command...)
	if !h.inOrder() {
		return false
	}
	if again.code != 0 && !(c.lost() && strings.Contains(again.stderr, "never answered")) {
		t.Errorf("the run without the fault: %s", again)
	} else if again.code != 0 {
		h.must(command...) // newOrder was lost twice, and sent as often as rule 2 allows
	}
	looksBeforeItActs(t, w.ca.Truth().Requests[requests:])
	c.judge(h, before, after)
	return true
}

// certbotComes lets certbot obtain a certificate for the same names. Where the CA hands it the order of the dead run it may
// stumble over that run's token file, which it never overwrites.
func (c cell) certbotComes(h *host, root string, names []string) {
	h.t.Helper()
	until(h.t, "the CA ends its validations", func() bool { return !validating(h.ca.Truth()) })
	r := h.certbot(h.certbotCertonly(root, names...)...)
	stumbled := c.config.Reuse && strings.Contains(r.stderr, "FileExistsError")
	if r.code != 0 && !stumbled {
		h.t.Errorf("certbot: %s", r)
	}
}

// strike lets the first run meet the mishap, and reports whether it did.
func (c cell) strike(h *host, command []string) bool {
	h.t.Helper()
	if c.lost() {
		h.ca.Inject(testca.Fault{Kind: "new-order", Nth: 1, Action: testca.LoseAnswer})
	}
	fault := c.fault
	fault.Kind, fault.Nth = c.kind, c.nth
	h.ca.Inject(fault)
	c.beOdd(h.world) // after what the cell is about, which acts first
	run := h.start(command...)
	if c.signal != 0 {
		if _, held := h.heldOrEnded(run); !held {
			run.wait()
			return false
		}
		run.signal(c.signal)
		endedInTime(h.t, run.wait(), c.signal)
	} else if r := run.wait(); r.code != 0 && r.code != 1 {
		h.t.Errorf("the first run: %s", r)
	}
	c.beOddLater(h.world)
	return slices.ContainsFunc(h.ca.Truth().Requests, func(r testca.Request) bool {
		return r.Kind == c.kind && r.Fault == c.fault.Action
	})
}

// certbotCertonly is certonly for certbot.
func (h *host) certbotCertonly(root string, names ...string) []string {
	args := []string{"certonly", "--webroot", "-w", root}
	for _, name := range names {
		args = append(args, "-d", name)
	}
	return append(args, "-n", "--agree-tos", "--register-unsafely-without-email", "--server", h.ca.DirectoryURL())
}

// later makes the ledger what it will be when that time has passed, as far as a run waits for it.
func (h *host) later(d time.Duration) {
	h.t.Helper()
	var c ledger.Change
	store := h.ledger()
	orders, err := store.Orders(h.t.Context(), ledger.OrderFilter{})
	holds, more := store.Holds(h.t.Context(), 0, time.Time{})
	buckets, most := store.Buckets(h.t.Context(), 0)
	for _, o := range orders {
		if !o.NotBefore.IsZero() {
			o.NotBefore = o.NotBefore.Add(-d)
			c.Orders = append(c.Orders, o)
		}
	}
	for _, hold := range holds {
		if !hold.Until.IsZero() {
			hold.Until = hold.Until.Add(-d)
			c.Holds = append(c.Holds, hold)
		}
	}
	for _, b := range buckets {
		c.Spends = append(c.Spends, ledger.Spend{AccountID: b.AccountID, Name: b.Name, Key: b.Key,
			Next: func(tat time.Time) (time.Time, error) { return tat.Add(-d), nil }})
	}
	if err := errors.Join(err, more, most, store.Commit(h.t.Context(), &c), store.Close()); err != nil {
		h.t.Fatal(err)
	}
}

// rested ends the back-off of a lineage.
func (h *host) rested(lineage string) {
	h.t.Helper()
	store := h.ledger()
	standing, err := store.Standing(h.t.Context(), lineage)
	standing.Lineage, standing.NextAt = lineage, time.Time{}
	err = errors.Join(err, store.Commit(h.t.Context(), &ledger.Change{Standings: []ledger.Standing{standing}}), store.Close())
	if err != nil {
		h.t.Fatal(err)
	}
}

// ledger opens the host's ledger, where no run of it lives.
func (h *host) ledger() ledger.Store {
	h.t.Helper()
	dir := filepath.Join(h.config, "orderly")
	locks, err := lock.Open(filepath.Join(dir, "lock"))
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = locks.Close() })
	name := ""
	for _, one := range h.env {
		if value, ours := strings.CutPrefix(one, "ORDERLY_HOST="); ours {
			name = value
		}
	}
	store, err := sqlite.Open(h.t.Context(), sqlite.Options{Dir: dir, Host: name, Now: time.Now,
		Lock: func(ctx context.Context) (func() error, error) { return locks.Lock(ctx, "ledger") }})
	if err != nil {
		h.t.Fatal(err)
	}
	return store
}
