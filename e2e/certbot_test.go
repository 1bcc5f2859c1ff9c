package e2e_test

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"orderly/testca"
)

// debianCertbot is the program whose place Orderly takes.
const debianCertbot = "/usr/bin/certbot"

// certbot runs Debian's certbot on the host's directories, to its end.
func (h *host) certbot(args ...string) result {
	h.t.Helper()
	return h.startCertbot(args...).wait()
}

func (h *host) startCertbot(args ...string) *child {
	h.t.Helper()
	return h.spawn(debianCertbot, append(args, h.dirs()...)...)
}

func (h *host) mustCertbot(args ...string) result {
	h.t.Helper()
	r := h.certbot(args...)
	if r.code != 0 {
		h.t.Fatalf("certbot %s: %s", strings.Join(args, " "), r)
	}
	return r
}

// readByCertbot checks that certbot reads a lineage as a valid certificate for names.
func (h *host) readByCertbot(lineage string, names ...string) {
	h.t.Helper()
	r := h.mustCertbot("certificates")
	for _, want := range []string{"Certificate Name: " + lineage, "Domains: " + strings.Join(names, " "), "(VALID: 89 days)"} {
		if !strings.Contains(r.stdout, want) {
			h.t.Errorf("certbot certificates does not say %q: %s", want, r)
		}
	}
	if strings.Contains(r.stdout+r.stderr, "invalid") {
		h.t.Errorf("certbot complains: %s", r)
	}
}

// withPebbleDates is a CA whose certificates certbot takes for ones of 90 days.
func withPebbleDates() testca.Config { return testca.Config{AuthzReuse: true} }

func TestCertbotBetweenTwoOrderlies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPebbleDates())
	h := w.host("one")
	names := someNames(2)
	h.must(h.certonly(w.site(names...), names...)...)
	first := h.goodPair(names[0], names...)
	h.readByCertbot(names[0], names...)
	h.mustCertbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
	second := h.goodPair(names[0], names...)
	h.must("renew", "--force-renewal")
	third := h.goodPair(names[0], names...)
	h.readByCertbot(names[0], names...)
	if first.SerialNumber.Cmp(second.SerialNumber) == 0 || second.SerialNumber.Cmp(third.SerialNumber) == 0 {
		t.Error("a renewal changed nothing")
	}
	h.kept(promise{names: names, certificates: 3})
	if n := w.ca.Truth().RequestsByKind["new-account"]; n != 1 {
		t.Errorf("%d accounts were made, not 1", n)
	}
}

func TestOrderlyRenewsWhatCertbotObtained(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPebbleDates())
	h := w.host("one")
	names := someNames(2)
	root := w.site(names...)
	h.mustCertbot("certonly", "--webroot", "-w", root, "-d", names[0], "-d", names[1], "-n", "--agree-tos",
		"--register-unsafely-without-email", "--server", w.ca.DirectoryURL())
	kept := h.must(h.certonly(root, names...)...)
	if !strings.Contains(kept.stdout, "no action taken") {
		t.Errorf("not kept: %s", kept)
	}
	h.must("renew", "--force-renewal")
	h.kept(promise{names: names, certificates: 2})
	if n := w.ca.Truth().RequestsByKind["new-account"]; n != 1 {
		t.Errorf("%d accounts were made, not 1: Orderly did not use certbot's", n)
	}
	h.mustCertbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
	h.readByCertbot(names[0], names...)
}

// Certbot must find the lineage whole wherever the run that made its successor was killed.
func TestCertbotRenewsWhatAKilledRunLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPebbleDates())
	h := w.host("one")
	names := someNames(2)
	h.must(h.certonly(w.site(names...), names...)...)
	h.interrupt(point{"certificate", 1, true}, syscall.SIGKILL, "renew", "--force-renewal")
	h.readByCertbot(names[0], names...)
	h.mustCertbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
	byCertbot := h.goodPair(names[0], names...)
	h.must("resume")
	// The older order's certificate was issued before certbot's: whichever is in place, the pair must match.
	if now := h.goodPair(names[0], names...); now == nil || byCertbot == nil {
		t.Error("the pair is broken")
	}
	h.kept(promise{names: names, certificates: 3})
	h.readByCertbot(names[0], names...)
}

// waitsForCertbot tells whether the program has certbot's lock file open and so waits for it or holds it.
func waitsForCertbot(c *child, h *host) bool {
	dir := filepath.Join("/proc", strconv.Itoa(c.cmd.Process.Pid), "fd")
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		if to, err := os.Readlink(filepath.Join(dir, entry.Name())); err == nil && to == filepath.Join(h.config, ".certbot.lock") {
			return true
		}
	}
	return false
}

func TestOrderlyWaitsForCertbot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPebbleDates())
	h := w.host("one")
	names := someNames(2)
	root := w.site(names...)
	h.must(h.certonly(root, names...)...)
	h.hold("new-order", 1, false)
	certbot := h.startCertbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
	h.held(certbot)
	orderly := h.start("renew", "--force-renewal")
	until(t, "orderly comes to certbot's lock", func() bool { return waitsForCertbot(orderly, h) })
	before := len(w.ca.Truth().Requests)
	w.ca.ClearFaults()
	w.ca.Release()
	if r := certbot.wait(); r.code != 0 {
		t.Errorf("certbot: %s", r)
	}
	if r := orderly.wait(); r.code != 0 {
		t.Errorf("orderly: %s", r)
	}
	var kinds []string
	for _, r := range w.ca.Truth().Requests[before:] {
		kinds = append(kinds, r.Kind)
	}
	if slices.Index(kinds, "directory") < slices.Index(kinds, "certificate") {
		t.Errorf("orderly worked while certbot did: %v", kinds)
	}
	h.kept(promise{names: names, certificates: 3})
}

func TestOrderlyThatWaitsForCertbotCanBeStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPebbleDates())
	h := w.host("one")
	names := someNames(1)
	h.must(h.certonly(w.site(names...), names...)...)
	h.hold("new-order", 1, false)
	certbot := h.startCertbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
	h.held(certbot)
	orderly := h.start("renew", "--force-renewal")
	until(t, "orderly comes to certbot's lock", func() bool { return waitsForCertbot(orderly, h) })
	orderly.signal(syscall.SIGTERM)
	endedInTime(t, orderly.wait(), syscall.SIGTERM)
	timed := h.orderly("renew", "--force-renewal", "--deadline", "200ms")
	if timed.code != 75 {
		t.Errorf("with a deadline: %s", timed)
	}
	w.ca.Release()
	if r := certbot.wait(); r.code != 0 {
		t.Errorf("certbot: %s", r)
	}
}

func TestCertbotStaysAwayWhileOrderlyWorks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPebbleDates())
	h := w.host("one")
	names := someNames(2)
	root := w.site(names...)
	h.must(h.certonly(root, names...)...)
	h.hold("new-order", 1, false)
	orderly := h.start("renew", "--force-renewal")
	h.held(orderly)
	r := h.certbot("certificates")
	if r.code != 1 || !strings.Contains(r.stderr, "Another instance of Certbot is already running.") {
		t.Errorf("certbot beside orderly: %s", r)
	}
	w.ca.Release()
	if r := orderly.wait(); r.code != 0 {
		t.Errorf("orderly: %s", r)
	}
	h.readByCertbot(names[0], names...)
	h.kept(promise{names: names, certificates: 2})
}

// A key that the web server's group may read stays so, and files that others put beside the links stay there.
func TestWhatAnAdministratorChangedSurvivesARenewal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPebbleDates())
	h := w.host("one")
	name := "a.example.com"
	h.must(h.certonly(w.site(name), name)...)
	archive, live := filepath.Join(h.config, "archive", name), filepath.Join(h.config, "live", name)
	const group = 4 // adm
	if err := os.Chown(filepath.Join(archive, "privkey1.pem"), -1, group); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(archive, "privkey1.pem"), 0o640); err != nil {
		t.Fatal(err)
	}
	h.write(filepath.Join(live, "combined.pem"), "an administrator's own")
	conf := filepath.Join(h.config, "renewal", name+".conf")
	h.write(conf, "# our own comment\n"+h.read(conf))
	h.must("renew", "--force-renewal")
	info, err := os.Stat(filepath.Join(archive, "privkey2.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if stat := info.Sys().(*syscall.Stat_t); info.Mode().Perm() != 0o640 || stat.Gid != group {
		t.Errorf("the new key has mode %o and group %d", info.Mode().Perm(), stat.Gid)
	}
	if h.read(filepath.Join(live, "combined.pem")) != "an administrator's own" {
		t.Error("a file beside the links was changed")
	}
	if !strings.HasPrefix(h.read(conf), "# our own comment\n") {
		t.Errorf("the comment is gone: %s", h.read(conf))
	}
	h.readByCertbot(name, name)
}
