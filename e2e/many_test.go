package e2e_test

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"orderly/testca"
)

// atOnce starts the command lines together and wants every one to end well.
func (h *host) atOnce(commands ...[]string) {
	h.t.Helper()
	var children []*child
	for _, command := range commands {
		children = append(children, h.start(command...))
	}
	for i, c := range children {
		r := c.wait()
		if r.code != 0 || strings.Contains(r.stdout+r.stderr, "SQLITE_BUSY") || strings.Contains(r.stdout+r.stderr, "is locked") {
			h.t.Errorf("process %d, %v: %s", i, commands[i], r)
		}
	}
}

func TestTwentyForTheSameNamesMakeOneOrder(t *testing.T) {
	t.Parallel()
	for _, ca := range characters() {
		t.Run(ca.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, ca.config)
			h := w.host("one")
			names := someNames(2)
			command := h.certonly(w.site(names...), names...)
			var commands [][]string
			for range 20 {
				commands = append(commands, command)
			}
			h.atOnce(commands...)
			h.kept(promise{names: names})
			truth := w.ca.Truth()
			if len(truth.Orders) != 1 || truth.RequestsByKind["new-order"] != 1 || truth.RequestsByKind["new-account"] != 1 {
				t.Errorf("%d orders, requests %v", len(truth.Orders), truth.RequestsByKind)
			}
		})
	}
}

// The first of twenty is killed at the worst moment while the others wait for it: one of them goes on with its order.
func TestTheNextInLineTakesOver(t *testing.T) {
	t.Parallel()
	for _, at := range []point{{"new-order", 1, true}, {"challenge", 1, true}, {"finalize", 1, true}} {
		t.Run(at.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, characters()[1].config)
			h := w.host("one")
			names := someNames(2)
			command := h.certonly(w.site(names...), names...)
			h.hold(at.kind, at.nth, at.after)
			first := h.start(command...)
			h.held(first)
			var others []*child
			for range 5 {
				others = append(others, h.start(command...))
			}
			first.signal(syscall.SIGKILL)
			for _, c := range others {
				if r := c.wait(); r.code != 0 {
					t.Errorf("%s", r)
				}
			}
			h.kept(promise{names: names})
			if n := len(w.ca.Truth().Orders); n != 1 {
				t.Errorf("%d orders were made, not 1", n)
			}
		})
	}
}

func TestTwentyDifferentNamesAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, characters()[2].config)
	h := w.host("one")
	var commands [][]string
	for i := range 20 {
		name := fmt.Sprintf("site%d.example.com", i)
		commands = append(commands, h.certonly(w.site(name), name))
	}
	h.atOnce(commands...)
	truth := w.ca.Truth()
	if len(truth.Issued) != 20 || len(truth.Orders) != 20 || truth.Pending() != 0 || truth.RequestsByKind["new-account"] != 1 {
		t.Errorf("%d certificates, %d orders, %d pending, requests %v", len(truth.Issued), len(truth.Orders), truth.Pending(), truth.RequestsByKind)
	}
	for i := range 20 {
		h.goodPair(fmt.Sprintf("site%d.example.com", i), fmt.Sprintf("site%d.example.com", i))
	}
	h.tidy()
}

// Fifty processes of every sort on a ledger that has been in use, with orders in it that killed runs left: each does its
// work, none is told that the ledger is busy, and no set of names is ordered twice.
func TestFiftyOfEverySortAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, characters()[2].config)
	h := w.host("one")
	h.lineages("first.example.com")
	var commands [][]string
	sets := []string{"first.example.com"}
	add := func(times int, name string) {
		sets = append(sets, name)
		for range times {
			commands = append(commands, h.certonly(w.site(name), name))
		}
	}
	for i := range 5 {
		left, twice := fmt.Sprintf("left%d.example.com", i), fmt.Sprintf("twice%d.example.com", i)
		h.interrupt(point{"challenge", 1, i%2 == 0}, syscall.SIGKILL, h.certonly(w.site(left), left)...)
		add(1, left)
		add(2, twice)
	}
	for i := range 15 {
		add(1, fmt.Sprintf("once%d.example.com", i))
	}
	for range 10 {
		commands = append(commands, []string{"renew", "--longest-validation", "2s"}, []string{"pending", "--json"})
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(commands), func(i, j int) { commands[i], commands[j] = commands[j], commands[i] })
	if len(commands) != 50 {
		t.Fatalf("%d commands, not 50", len(commands))
	}
	h.atOnce(commands...)
	h.issuedOnce(sets)
	h.must("ledger", "check")
}

// issuedOnce wants exactly one order and one certificate for each name, and nothing pending.
func (h *host) issuedOnce(names []string) {
	h.t.Helper()
	truth := h.ca.Truth()
	orders, issued := map[string]int{}, map[string]int{}
	for _, o := range truth.Orders {
		orders[nameSet(o.Names)]++
	}
	for _, c := range truth.Issued {
		issued[nameSet(c.Names)]++
	}
	for _, name := range names {
		if orders[name] != 1 || issued[name] != 1 {
			h.t.Errorf("%s: %d orders, %d certificates", name, orders[name], issued[name])
		}
		h.goodPair(name, name)
	}
	if len(truth.Issued) != len(names) || truth.ValidatedTwice() != 0 || accounts(truth) != 1 {
		h.t.Errorf("%d certificates, %d validated twice, %d accounts", len(truth.Issued), truth.ValidatedTwice(), accounts(truth))
	}
	noOrder(h)
	h.tidyButForProbes()
}

// copyAccount gives another host the account of h.
func (h *host) copyAccount(to *host) {
	h.t.Helper()
	if err := os.CopyFS(filepath.Join(to.config, "accounts"), os.DirFS(filepath.Join(h.config, "accounts"))); err != nil {
		h.t.Fatal(err)
	}
	err := filepath.WalkDir(filepath.Join(to.config, "accounts"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = os.Chmod(path, 0o700)
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// twins are two hosts with one account, as a provider's servers have it, and one document root.
func twins(t *testing.T, config testca.Config) (a, b *host) {
	w := newWorld(t, config)
	a, b = w.host("one"), w.host("two")
	a.must(a.certonly(w.site("first.example.com"), "first.example.com")...) // makes the account
	a.copyAccount(b)
	return a, b
}

// knownToBoth checks that each twin has a pair of its own and that nothing is open that neither ledger knows.
func knownToBoth(a, b *host, names []string) {
	a.t.Helper()
	one, two := a.goodPair(names[0], names...), b.goodPair(names[0], names...)
	if one != nil && two != nil && one.SerialNumber.Cmp(two.SerialNumber) == 0 {
		a.t.Error("both hosts have the same certificate, though their keys differ")
	}
	if open, known := a.ca.Truth().Pending(), len(a.pending())+len(b.pending()); open > known {
		a.t.Errorf("%d authorizations are pending, the ledgers know of %d", open, known)
	}
	// Directories are removed by whoever made them, if they are empty then: of two at once neither may find them so.
	a.tidyButForProbes()
	b.tidyButForProbes()
}

func TestTwoHostsWithOneAccountOneAfterAnother(t *testing.T) {
	t.Parallel()
	a, b := twins(t, characters()[2].config)
	names := someNames(2)
	root := a.site(names...)
	a.must(a.certonly(root, names...)...)
	b.must(b.certonly(root, names...)...)
	knownToBoth(a, b, names)
	if n := a.ca.Truth().ValidatedTwice(); n != 0 {
		t.Errorf("%d authorizations were validated twice", n)
	}
}

func TestTwoHostsWithOneAccountAtOnce(t *testing.T) {
	t.Parallel()
	for i := range 4 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			a, b := twins(t, characters()[2].config)
			names := someNames(2)
			root := a.site(names...)
			one, two := a.start(a.certonly(root, names...)...), b.start(b.certonly(root, names...)...)
			for _, c := range []*child{one, two} {
				if r := c.wait(); r.code != 0 {
					t.Errorf("%s", r)
				}
			}
			knownToBoth(a, b, names)
		})
	}
}

// The CA hands the order of a killed host to another host of the account. When the killed one comes back, the order it
// remembers has another's certificate.
func TestAnOrderThatAnotherHostTookIsMadeAnew(t *testing.T) {
	t.Parallel()
	for _, at := range []point{{"authorization", 1, false}, {"challenge", 2, true}, {"finalize", 1, false}} {
		t.Run(at.String(), func(t *testing.T) {
			t.Parallel()
			a, b := twins(t, characters()[2].config)
			names := someNames(2)
			root := a.site(names...)
			a.interrupt(at, syscall.SIGKILL, a.certonly(root, names...)...)
			b.must(b.certonly(root, names...)...)
			a.must(a.certonly(root, names...)...)
			knownToBoth(a, b, names)
		})
	}
}

// The CA may hand one order to both lineages; each must end with its own certificate.
func TestTwoLineagesWithTheSameNames(t *testing.T) {
	t.Parallel()
	for _, ca := range characters() {
		for _, how := range []string{"at once", "one after another", "after a kill"} {
			t.Run(ca.name+", "+how, func(t *testing.T) {
				t.Parallel()
				twoLineages(t, ca, how)
			})
		}
	}
}

func twoLineages(t *testing.T, ca character, how string) {
	w := newWorld(t, ca.config)
	h := w.host("one")
	names := someNames(2)
	command := h.certonly(w.site(names...), names...)
	red, blue := append([]string{}, command...), append([]string{}, command...)
	red, blue = append(red, "--cert-name", "red"), append(blue, "--cert-name", "blue")
	switch how {
	case "at once":
		h.atOnce(red, blue)
	case "after a kill":
		h.interrupt(point{"challenge", 1, true}, syscall.SIGKILL, red...)
		fallthrough
	default:
		h.must(blue...)
		h.must(red...)
	}
	h.kept(promise{lineage: "red", names: names, certificates: 2})
	h.goodPair("blue", names...)
	if n := len(w.ca.Truth().Orders); n != 2 {
		t.Errorf("%d orders were made, not 2", n)
	}
}

// Where the order of another lineage cannot be finished, a CA that reuses orders hands it over: with what is known of it,
// so that no challenge is answered twice.
func TestAnOrderHandedOverIsNotAnsweredTwice(t *testing.T) {
	t.Parallel()
	for _, at := range []point{{"authorization", 2, true}, {"challenge", 1, true}, {"challenge", 2, true}} {
		t.Run("killed "+at.String(), func(t *testing.T) {
			t.Parallel()
			config := characters()[2].config
			config.ValidationDelay = 4 * time.Second // the tokens must be in their new place by then
			w := newWorld(t, config)
			h := w.host("one")
			names := someNames(2)
			h.interrupt(at, syscall.SIGKILL, append(h.certonly(w.site(names...), names...), "--cert-name", "red")...)
			elsewhere := w.site("elsewhere")
			for _, name := range names {
				w.web.serve(name, elsewhere)
			}
			if err := os.Rename(filepath.Join(w.dir, "sites", names[0]), filepath.Join(w.dir, "gone")); err != nil {
				t.Fatal(err)
			}
			blue := append(h.certonly(elsewhere, names...), "--cert-name", "blue", "--longest-validation", "10s")
			h.must(blue...)
			h.kept(promise{lineage: "blue", names: names})
			if n := len(w.ca.Truth().Orders); n != 1 {
				t.Errorf("%d orders were made, not 1", n)
			}
		})
	}
}
