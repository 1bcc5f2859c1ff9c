package renewal_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderly/host"
	"orderly/preflight"
	"orderly/renewal"
	"orderly/testca"
)

// customer owns document roots in these tests.
const customer = 12345

// releases lays a site out as Deployer and Capistrano do: the document root of name is a link of
// the customer's to the release that is deployed. It returns the releases.
func (h *machine) releases(name string) (first, second string) {
	h.t.Helper()
	must(h.t, os.Chmod(h.dir, 0o755))
	must(h.t, os.Chmod(filepath.Dir(h.dir), 0o755))
	must(h.t, os.MkdirAll(filepath.Dir(h.root(name)), 0o755))
	home := filepath.Join(h.dir, "home")
	first, second = filepath.Join(home, "1"), filepath.Join(home, "2")
	for _, dir := range []string{home, first, second} {
		must(h.t, os.Mkdir(dir, 0o755))
		must(h.t, os.Chown(dir, customer, customer))
	}
	must(h.t, os.Symlink(filepath.Join(home, "current"), h.root(name)))
	h.deploy("1")
	return first, second
}

// deploy lets the customer's link lead to another release, at once.
func (h *machine) deploy(release string) {
	link := filepath.Join(h.dir, "home", "current")
	must(h.t, os.Symlink(release, link+".new"))
	must(h.t, os.Lchown(link+".new", customer, customer))
	must(h.t, os.Rename(link+".new", link))
}

// wantEmpty says that nothing is left in directories.
func (h *machine) wantEmpty(dirs ...string) {
	h.t.Helper()
	for _, dir := range dirs {
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			h.t.Errorf("left in %s: %v %v", dir, left, err)
		}
	}
}

func TestWhatTheSolverRefusesIsRefusedWhateverIsSkipped(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(h *machine, root string){
		"no document root":            func(_ *machine, root string) { must(t, os.Remove(root)) },
		"a file in the way":           func(_ *machine, root string) { must(t, os.WriteFile(root+"/.well-known", nil, 0o644)) },
		"a link to nothing":           func(_ *machine, root string) { must(t, os.Symlink("nothing", root+"/.well-known")) },
		"a customer's link to root's": func(h *machine, root string) { h.linked(root+"/.well-known", "/etc") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, testca.Config{})
			h.has("other.example") // so that there is an account
			h.site("a.example")
			spoil(h, h.root("a.example"))
			h.set.SkipPreflight = map[string]bool{}
			for _, check := range append(preflight.Checks(), host.LineageCheck) {
				h.set.SkipPreflight[check] = true
			}
			orders := len(h.ca.Truth().Orders)
			r := h.obtain(h.wish("a.example"))
			if r.Outcome != renewal.Failed || r.Class == "" || r.Remedy == "" || !strings.Contains(r.Sentence, h.root("a.example")) {
				t.Errorf("%+v", r)
			}
			if n := len(h.ca.Truth().Orders) - orders; n != 0 {
				t.Errorf("%d orders", n)
			}
		})
	}
}

// linked makes a link of the customer's.
func (h *machine) linked(path, target string) {
	must(h.t, os.Symlink(target, path))
	must(h.t, os.Lchown(path, customer, customer))
}

// A release is deployed while the CA looks: the token is put into the new one as well.
func TestADeploymentWhileTheCALooksIsFollowed(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	first, second := h.releases("a.example")
	h.visited = func(path string) {
		_, token, _ := strings.Cut(path, "/acme-challenge/")
		if strings.HasPrefix(token, "orderly-") {
			return
		}
		if _, err := os.Stat(first + path); err != nil {
			t.Errorf("the token was not placed: %v", err)
		}
		h.deploy("2")
		for tick := time.NewTicker(5 * time.Millisecond); t.Context().Err() == nil; <-tick.C {
			if _, err := os.Stat(second + path); err == nil {
				return
			}
		}
		t.Error("the token never came to the new release")
	}
	if r := h.obtain(h.wish("a.example")); r.Outcome != renewal.Issued {
		t.Errorf("%+v", r)
	}
	h.wantEmpty(first, second)
}

// The customer's new permissions keep the token from being removed. The order goes on, and later
// runs try again.
func TestATokenThatCannotBeRemovedIsTriedAgain(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	first, second := h.releases("a.example")
	tokens := filepath.Join(first, ".well-known/acme-challenge")
	h.visited = func(path string) {
		if !strings.Contains(path, "/orderly-") {
			must(t, os.Chown(tokens, 0, 0))
		}
	}
	if r := h.obtain(h.wish("a.example")); r.Outcome != renewal.Issued {
		t.Fatalf("%+v", r)
	}
	if left, err := os.ReadDir(tokens); err != nil || len(left) != 1 {
		t.Fatalf("the test did not keep it: %v %v", left, err)
	}
	h.deploy("2") // the old release is the one that has it
	if _, err := h.renew(renewal.Round{}); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(tokens); err != nil || len(left) != 1 {
		t.Fatalf("%v %v", left, err)
	}
	if warned := strings.Join(h.report.warnings, "\n"); !strings.Contains(warned, tokens) {
		t.Errorf("nobody was told: %s", warned)
	}
	must(t, os.Chown(tokens, customer, customer))
	if _, err := h.renew(renewal.Round{}); err != nil {
		t.Error(err)
	}
	h.wantEmpty(first, second)
}

func TestAReleaseThatIsGoneLeavesNothingToRemove(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	first, second := h.releases("a.example")
	h.visited = func(path string) {
		if !strings.Contains(path, "/orderly-") {
			must(t, os.Chown(filepath.Join(first, ".well-known/acme-challenge"), 0, 0))
		}
	}
	if r := h.obtain(h.wish("a.example")); r.Outcome != renewal.Issued {
		t.Fatalf("%+v", r)
	}
	h.deploy("2")
	must(t, os.RemoveAll(first))
	h.report.warnings = nil
	if _, err := h.renew(renewal.Round{}); err != nil || len(h.report.warnings) != 0 {
		t.Errorf("%v %q", err, h.report.warnings)
	}
	h.wantEmpty(second)
}
