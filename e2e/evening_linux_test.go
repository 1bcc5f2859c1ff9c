package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"orderly/testca"
)

// wreck is something that goes wrong with a site.
type wreck struct {
	layout string
	does   func(h *host, s *site)
	// mended says that the site is renewed in spite of it; otherwise the CA is not asked.
	mended bool
	// quiet says that no remedy is needed.
	quiet bool
}

func wrecks() []wreck {
	live := func(h *host, s *site) string { return filepath.Join(h.config, "live", s.domain) }
	return []wreck{
		{layout: "plain", does: func(_ *host, s *site) { s.must(os.RemoveAll(s.root)) }},
		{layout: "deployer", does: func(_ *host, s *site) { s.relink(relative(9), filepath.Join(s.home, "current"), s.user) }},
		{layout: "capistrano", does: func(_ *host, s *site) { s.must(os.Chmod(filepath.Join(s.absolute(1), "public"), 0o555)) }},
		{layout: "well-known-own", does: func(_ *host, s *site) { s.must(os.Chown(filepath.Join(s.home, "acme"), 0, 0)) }},
		{layout: "public-html", does: func(_ *host, s *site) {
			s.must(os.Rename(filepath.Join(s.home, "www"), filepath.Join(s.home, "www-1")))
			s.link("www-1", filepath.Join(s.home, "www"), s.user+1000)
		}},
		{layout: "filler-0", does: func(h *host, s *site) { h.write(filepath.Join(s.root, ".well-known"), "not a directory") }},
		{layout: "filler-1", mended: true, quiet: true, does: func(h *host, s *site) {
			key, err := filepath.EvalSymlinks(filepath.Join(live(h, s), "privkey.pem"))
			s.must(err)
			s.must(os.Remove(key))
		}},
		{layout: "filler-2", mended: true, quiet: true, does: func(h *host, s *site) { s.must(os.RemoveAll(live(h, s))) }},
		{layout: "filler-3", mended: true, does: func(h *host, s *site) {
			conf := filepath.Join(h.config, "renewal", s.domain)
			h.write(conf+".bak.conf", h.read(conf+".conf"))
		}},
	}
}

// A provider's evening: thirty sites are obtained and renewed, the web server is down for a while, nine sites break, and what
// Orderly says is done to the letter. The CA has one order for each certificate, and nothing else.
func TestAProvidersEvening(t *testing.T) {
	t.Parallel()
	if !apart(t) {
		return
	}
	aside := []string{"dots", "upwards", "sticky", "world-writable", "root-made-above"} // to leave room for plain ones
	all := slices.DeleteFunc(layouts(), func(l layout) bool { return l.refused != "" || slices.Contains(aside, l.name) })
	for i := 0; len(all) < 30; i++ {
		all = append(all, layout{name: fmt.Sprintf("filler-%d", i), make: func(p plot) string { return p.own("htdocs") }})
	}
	e := newEstate(t, all)
	port := freePort(t)
	w := newWorld(t, testca.Config{HTTPPort: port})
	w.web.port = port
	h := w.host("one")
	nginx := nginxOf(e, filepath.Join(w.dir, "web"), port)
	stop := nginx.start(t)

	before := e.picture()
	h.orders(len(all), func() { h.obtainAll(e) })
	h.orders(len(all), func() { h.must("renew", "--force-renewal") })
	stop()
	h.orders(0, func() {
		if r := h.orderly("renew", "--force-renewal"); r.code != 1 || strings.Count(r.stderr, "nothing listens on port") < len(all) {
			t.Errorf("without a web server: %s", r)
		}
	})
	h.hooksThatServe(nginx, "plain.example.com")
	nginx.start(t)
	e.unchanged(before, "after the web server was down")

	broken, told := 0, 0
	for _, b := range wrecks() {
		i := slices.IndexFunc(e.sites, func(s *site) bool { return s.name == b.layout })
		b.does(h, e.sites[i])
		if !b.mended {
			broken++
		}
		if !b.quiet {
			told++
		}
	}
	var r result
	h.orders(len(all)-broken, func() { r = h.orderly("renew", "--force-renewal") })
	remedies := printedRemedies(r.stderr)
	if r.code != 1 || len(remedies) != told {
		t.Errorf("%d remedies %q: %s", len(remedies), remedies, r)
	}
	for _, remedy := range remedies {
		h.follow(remedy)
	}
	before = e.picture()
	h.orders(len(all), func() { h.must("renew", "--force-renewal") })
	e.unchanged(before, "after everything was put right")
	for _, s := range e.sites {
		h.goodPair(s.domain, s.domain)
	}
	if truth := w.ca.Truth(); truth.Pending() != 0 || truth.ValidatedTwice() != 0 || len(unfinished(truth)) != 0 {
		t.Errorf("%d are pending, %d validated twice, unfinished %v", truth.Pending(), truth.ValidatedTwice(), unfinished(truth))
	}
	noOrder(h)
	h.tidyHome()
}

// hooksThatServe renews a certificate while the web server is down, with hooks that start it and end it: the pre-hook returns
// before anything listens.
func (h *host) hooksThatServe(s realServer, name string) {
	h.t.Helper()
	pid := filepath.Join(s.dir, "nginx.pid")
	h.t.Cleanup(func() { // where the post-hook did not
		var id int
		text, _ := os.ReadFile(pid + ".hook")
		if n, _ := fmt.Sscan(string(text), &id); n == 1 {
			_ = syscall.Kill(id, syscall.SIGTERM)
		}
	})
	// They stay in the renewal file: a later round runs them beside the test's own server, where a
	// second one would wait for the port, and outlive the test.
	begin := fmt.Sprintf("test -e %[2]s || { setsid %[1]s >/dev/null 2>&1 & echo $! >%[2]s.hook; }", strings.Join(s.command, " "), pid)
	end := fmt.Sprintf("test ! -e %[1]s.hook || { kill $(cat %[1]s) && rm %[1]s.hook; }", pid)
	h.orders(1, func() {
		h.must("renew", "--force-renewal", "--cert-name", name, "--pre-hook", begin, "--post-hook", end)
	})
	until(h.t, "the web server has ended", func() bool { return !s.listens() })
}

// orders wants so many orders and certificates more from what does does, by the CA's count, each of another name.
func (h *host) orders(want int, does func()) {
	h.t.Helper()
	orders, issued := len(h.ca.Truth().Orders), len(h.ca.Truth().Issued)
	does()
	truth := h.ca.Truth()
	names := map[string]bool{}
	for _, o := range truth.Orders[orders:] {
		names[nameSet(o.Names)] = true
	}
	if n, c := len(truth.Orders)-orders, len(truth.Issued)-issued; n != want || c != want || len(names) != want || truth.Pending() != 0 {
		h.t.Errorf("%d orders for %d names and %d certificates, not %d; %d are pending", n, len(names), c, want, truth.Pending())
	}
}

// printedRemedies are the first commands of all remedies in an output, each once: those between backquotes, or what stands
// behind a colon. A warning's is its last sentence.
func printedRemedies(text string) []string {
	var all []string
	for _, match := range regexp.MustCompile("(?m)(?:remedy: |^warning: .*\\. Remove )(?:[^`\n]*`([^`\n]+)`|[^`\n]*: (.*)$)").FindAllStringSubmatch(text, -1) {
		if command := match[1] + match[2]; !slices.Contains(all, command) {
			all = append(all, command)
		}
	}
	return all
}

// follow does what a remedy says, as root would at the prompt.
func (h *host) follow(remedy string) {
	h.t.Helper()
	cmd := exec.Command("/bin/sh", "-c", remedy)
	cmd.Env, cmd.Dir = append(slices.Clone(h.env), "PATH="+filepath.Dir(program)+":"+os.Getenv("PATH")), "/"
	if out, err := cmd.CombinedOutput(); err != nil {
		h.t.Errorf("%s: %v\n%s", remedy, err, out)
	}
}
