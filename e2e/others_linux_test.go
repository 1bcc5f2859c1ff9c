package e2e_test

// What Debian's lego and uacme leave at the CA, told from what they print: runs whose proof fails, runs
// killed at any request, and whole ones. With the key of their account what is open is asked about,
// finished where this host serves the name, and given up; at the end the CA holds nothing pending.

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"orderly/testca"
)

const (
	debianLego  = "/usr/bin/lego"
	debianUacme = "/usr/bin/uacme"
	uacmeHook   = "/usr/share/uacme/uacme.sh"
	systemRoots = "/etc/ssl/certs/ca-certificates.crt"
)

// foreign is a client that is not certbot, and what it has printed.
type foreign struct {
	*host
	run  func(root string, names ...string) *child
	key  string // what --account-key is given
	text strings.Builder
}

// ends runs the client to its end, or kills it as the CA holds a request.
func (f *foreign) ends(at point, root string, names ...string) {
	f.t.Helper()
	if at.kind != "" {
		f.hold(at.kind, at.nth, at.after)
	}
	c := f.run(root, names...)
	if at.kind != "" {
		f.held(c)
		c.signal(syscall.SIGKILL)
	}
	f.text.WriteString(c.wait().stderr)
	f.ca.ClearFaults() // and not released: what is held ends with its client's connection
}

// servedNames are all that the runs are about: where a proof is to fail, its token goes elsewhere.
func servedNames() []string {
	names := []string{"works.example.com"}
	for letter := range strings.SplitSeq("abcdefghij", "") {
		names = append(names, letter+".example.com")
	}
	return names
}

// at is a request of a kind, before or after it is processed.
func at(kind string, nth int, after bool) point { return point{kind, nth, after} }

func TestWhatLegosOutputLeavesOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{HideProcessing: true})
	h := w.host("one")
	f := &foreign{host: h, key: filepath.Join(w.dir, ".lego")}
	f.run = func(root string, names ...string) *child {
		args := []string{"--server", w.ca.DirectoryURL(), "--accept-tos", "-m", "a@example.com", "--path", f.key,
			"--http", "--http.webroot", root}
		for _, name := range names {
			args = append(args, "-d", name)
		}
		return h.spawn(debianLego, append(args, "run")...)
	}
	served := w.site(servedNames()...)
	h.must(h.certonly(served, "works.example.com")...)
	unserved := filepath.Join(w.dir, "unserved")
	w.write(filepath.Join(unserved, "index.html"), "")

	// It asks for the result when the CA says so, else after five seconds.
	soon := testca.Fault{Kind: "challenge", Action: testca.Rewrite, Header: map[string]string{"Retry-After": "0"}}
	w.ca.Inject(soon)
	f.ends(point{}, served, "a.example.com")
	w.ca.Inject(soon)
	f.ends(point{}, unserved, "b.example.com", "c.example.com")
	f.ends(at("challenge", 1, false), served, "works.example.com")
	f.ends(at("challenge", 1, false), served, "d.example.com", "e.example.com")
	f.ends(at("challenge", 1, true), unserved, "f.example.com", "g.example.com", "h.example.com")
	w.ca.Inject(soon)
	f.ends(at("authorization", 3, true), served, "a.example.com", "i.example.com")
	f.ends(at("new-order", 1, false), served, "lost.example.com")
	f.judge(1)
}

func TestWhatUacmesOutputLeavesOpen(t *testing.T) {
	if !apart(t) {
		return
	}
	w := newWorld(t, testca.Config{HideProcessing: true})
	// Its libcurl knows the system's roots alone.
	if err := unix.Mount(w.root, systemRoots, "", unix.MS_BIND, ""); err != nil {
		t.Fatalf("mounting over %s: %v", systemRoots, err)
	}
	t.Cleanup(func() { _ = unix.Unmount(systemRoots, unix.MNT_DETACH) }) // it ends with the test's process
	h := w.host("one")
	f := &foreign{host: h, key: filepath.Join(w.dir, "uacme")}
	uacme := func(args ...string) *child {
		return h.spawn(debianUacme, append([]string{"-v", "-a", w.ca.DirectoryURL(), "-c", f.key, "-y"}, args...)...)
	}
	f.run = func(root string, names ...string) *child {
		h.env = append(h.env, "UACME_CHALLENGE_PATH="+filepath.Join(root, ".well-known", "acme-challenge"))
		return uacme(append([]string{"-h", uacmeHook, "issue"}, names...)...)
	}
	served := w.site(servedNames()...)
	h.must(h.certonly(served, "works.example.com")...)
	unserved := filepath.Join(w.dir, "unserved")
	for _, root := range []string{served, unserved} {
		if err := os.MkdirAll(filepath.Join(root, ".well-known", "acme-challenge"), 0o755); err != nil {
			t.Fatal(err)
		}
	}

	f.text.WriteString(uacme("new").wait().stderr)
	f.ends(point{}, served, "a.example.com")
	// The first that fails ends the run; what it had not come to, nothing names.
	f.ends(point{}, unserved, "b.example.com", "c.example.com", "d.example.com")
	f.ends(point{}, filepath.Join(w.dir, "missing"), "e.example.com", "f.example.com")
	f.ends(at("challenge", 1, false), served, "works.example.com")
	f.ends(at("challenge", 1, true), served, "b.example.com", "g.example.com")
	f.ends(at("authorization", 1, false), served, "h.example.com", "i.example.com")
	f.ends(at("authorization", 2, true), served, "c.example.com", "j.example.com")
	f.ends(at("new-order", 1, false), served, "lost.example.com")
	f.judge(1)
}

// judge scans what the client has printed, asks, finishes and gives up.
func (f *foreign) judge(lost int) {
	f.t.Helper()
	until(f.t, "the CA's validations", func() bool { return !f.validating() })
	want := f.open()
	log := filepath.Join(f.dir, "client.log")
	f.write(log, f.text.String())
	before := f.questions()
	r := f.must("pending", "scan", log, "--check", "--json", "--account-key", f.key, "--server", f.ca.DirectoryURL())
	asked := f.questions() - before
	if got := f.pendingURLs(); !slices.Equal(got, want) || len(want) == 0 {
		f.t.Errorf("pending by the ledger %q, at the CA %q; %s\n%s", got, want, r, f.text.String())
	}
	if asked > 2*len(want) {
		f.t.Errorf("asked %d times about %d", asked, len(want))
	}
	named := 0
	for _, o := range f.ca.Truth().Orders {
		for _, a := range o.Authorizations {
			if strings.Contains(f.text.String(), a.URL) {
				named++
			}
		}
	}
	f.t.Logf("%d pending found with %d questions; asking about every authorization logged takes %d", len(want), asked, named)
	if n := strings.Count(r.stdout, `"names":["lost.example.com"]`); n != lost {
		f.t.Errorf("%d lost newOrders: %s", n, r)
	}
	f.orderly("pending", "drain")
	for _, o := range f.ca.Truth().Orders {
		for _, a := range o.Authorizations {
			if a.Name == "works.example.com" && a.Status != "valid" {
				f.t.Errorf("%s is %s", a.Name, a.Status)
			}
		}
	}
	f.must("pending", "release", "--all", "-y")
	if n := f.ca.Truth().Pending(); n != 0 {
		f.t.Errorf("%d are pending at the end", n)
	}
	if kept, _ := filepath.Glob(filepath.Join(f.config, "orderly", "given-accounts", "*", "*", "*")); len(kept) > 0 {
		f.t.Errorf("the key is still kept in %q", kept)
	}
}

// open are the URLs of what the CA holds pending, in order.
func (f *foreign) open() []string {
	var all []string
	for _, o := range f.ca.Truth().Orders {
		for _, a := range o.Authorizations {
			if a.Status == "pending" && !a.Expired {
				all = append(all, a.URL)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// validating reports whether the CA is still at a proof that a killed run has asked for.
func (f *foreign) validating() bool {
	for _, o := range f.ca.Truth().Orders {
		for _, a := range o.Authorizations {
			if a.ChallengeStatus == "processing" {
				return true
			}
		}
	}
	return false
}

// questions is how often the CA was asked for an authorization or an order.
func (f *foreign) questions() int {
	kinds := f.ca.Truth().RequestsByKind
	return kinds["authorization"] + kinds["order"]
}
